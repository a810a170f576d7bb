//! Management without keys: echo test and sign-off.

use super::exchange::{Exchange, Stop, put};
use super::sign_in::{shows_certificate, trading};
use super::station::{Station, World};
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::model::RemoteRequest;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// Echo test: 00, with the switch's time.
    pub(super) async fn echo(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        let afar = self.told_from_afar(exchange, facts).await?;
        self.manage_answer(exchange, facts, afar, |_| Ok(()))
    }

    /// Sign-off: financial messages are answered 77 until the next sign-in. Of a terminal that does not prove itself, by a
    /// MAC or by the certificate that the registry has for it, it is answered and changes nothing: anybody can write it.
    pub(super) async fn sign_off(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        if exchange.door.keys.are_issued() {
            trading(exchange, facts)?;
            let proven = self.proves_itself(exchange, facts).await?;
            if self.session(&facts.terminal).is_some_and(|session| session.signed_in) {
                match proven {
                    true => self.signs_off(facts).await?,
                    false => tracing::info!(
                        event = "sign-off-unproven", terminal = %facts.terminal, source = %exchange.from.household,
                        "a sign-off without a MAC or the terminal's certificate changes nothing"
                    ),
                }
            }
        }
        self.manage_answer(exchange, facts, None, |_| Ok(()))
    }

    async fn signs_off(&self, facts: &TerminalFacts) -> Result<(), Stop> {
        let off = |session| SessionFacts { signed_in: false, ..session };
        let session = self.parts.sessions.change(facts.terminal, off);
        let kept = self.parts.ledger.note_terminal(facts.terminal, session).await;
        kept.map_err(|fault| self.ledger_stop(&fault))
    }

    /// A MAC that is there must be right; a certificate that the registry has must be shown where there is none.
    async fn proves_itself(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<bool, Stop> {
        if exchange.message.mac().is_some() {
            return self.authenticate(exchange, facts).await.map(|_| true);
        }
        match shows_certificate(exchange, facts) {
            false if facts.certificate.is_some() => Err(Stop::code(ResponseCode::TerminalForbidden, "certificate")),
            shown => Ok(shown),
        }
    }

    /// The unsigned 00 of a management message, with what the profile says that it carries besides its
    /// echoes and the clock, what `fill` adds, and what is asked from `afar`.
    pub(super) fn manage_answer(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        afar: Option<RemoteRequest>,
        fill: impl FnOnce(&mut Builder) -> Result<(), EncodeError>,
    ) -> Result<Bytes, Stop> {
        let carried = &exchange.door.profile.switches.management_answer;
        let body = self.unsigned_answer(exchange, facts, carried, fill)?;
        self.enclose_or(exchange, facts, &body, afar).ok_or(Stop::Silent("the answer cannot be enclosed"))
    }

    /// The body of such an answer, with these roles besides its echoes and the clock.
    pub(super) fn unsigned_answer(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        carried: &[Role],
        fill: impl FnOnce(&mut Builder) -> Result<(), EncodeError>,
    ) -> Result<Bytes, Stop> {
        let written = || {
            let mut builder = exchange.response(ResponseCode::Approved)?;
            exchange.stamp(&mut builder, facts, exchange.received)?;
            if carried.contains(&Role::Acquirer) {
                put(&mut builder, Role::Acquirer, facts.acquirer.as_str().as_bytes())?;
            }
            if carried.contains(&Role::Rrn) {
                let (_, rrn) = self.parts.ledger.number(facts.date(exchange.received));
                put(&mut builder, Role::Rrn, rrn.as_bytes())?;
            }
            fill(&mut builder)?;
            builder.finish()
        };
        written().map_err(|_: EncodeError| Stop::Silent("the answer cannot be written"))
    }
}
