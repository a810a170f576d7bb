//! Proof that a message came from who it says: only this file makes an [`Authentic`].

use super::exchange::{DoorKeys, Exchange, Stop};
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::hsm::BdKey;
use crate::hsm::DataKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::Verdict;
use crate::ledger::Ledger;
use crate::model::Clock;
use crate::model::Ksn;
use crate::model::Opening;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::WorkingKeys;
use crate::mutant;
use crate::mutant::Mutant;
use std::time::Duration;

/// The keys a message verified under: they also decipher its PIN and sign its answer, whatever has
/// been issued since (rules of the money, 10).
pub(super) struct Authentic {
    pub(super) keys: Proven,
    /// Who signed in for these keys, and when.
    pub(super) opening: Opening,
    /// Which of the terminal's working keys they are; `None` where it has none.
    pub(super) generation: Option<u32>,
    /// The terminal's facts as this message raised them: they are to be kept before it is answered.
    pub(super) raised: Option<SessionFacts>,
}

/// Keys under which a message verified.
pub(super) enum Proven {
    /// They serve many messages.
    Lasting { mac: MacKey, pin: PinKey, data: Option<DataKey> },
    /// One key for this message and its answer.
    Transaction { base: BdKey, ksn: Ksn },
}

impl<W: World> Station<W> {
    /// Verifies the message's MAC under the keys its terminal may use: those it has, signed off or not, for
    /// a sign-off carries no MAC, and reversals and repeats must still be served.
    pub(super) async fn authenticate(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Authentic, Stop> {
        let terminal = &facts.terminal;
        match &exchange.door.keys {
            DoorKeys::Fixed { mac, pin } => {
                let candidate = Candidate {
                    generation: None,
                    mac: mac.clone(),
                    pin: pin.clone(),
                    data: None,
                    opening: Opening::default(),
                };
                self.verify_any(exchange, terminal, vec![candidate]).await.map(Authentic::from)
            }
            DoorKeys::Dukpt { base, scheme } => self.authenticate_device(exchange, facts, base, *scheme).await,
            DoorKeys::Issued => {
                let session = self.session(terminal).filter(|session| session.generations().next().is_some());
                let session = session.ok_or(Stop::code(ResponseCode::SignInRequired, "not-signed-in"))?;
                if mutant::is(Mutant::GenerationBeforeMac) {
                    self.promote(exchange, terminal, session.pending.as_ref().map(|keys| keys.generation)).await?;
                }
                let over = session.before.as_ref().filter(|before| !self.still_good(terminal, &session, before));
                let over = over.map(|before| before.generation);
                let good = session.generations().filter(|keys| Some(keys.generation) != over);
                let proven = self.verify_any(exchange, terminal, good.map(Candidate::from).collect()).await?;
                self.promote(exchange, terminal, proven.generation).await?;
                Ok(proven.into())
            }
        }
    }

    /// Whether messages may still be under the keys before.
    fn still_good(&self, terminal: &TerminalId, session: &SessionFacts, before: &WorkingKeys) -> bool {
        let (overlap, now) = (self.parts.registry.load().key_terms().overlap, self.parts.clock.monotonic());
        let left = || session.before_until.map_or(Duration::ZERO, |until| until.since(self.parts.clock.wall()));
        let sign_ins = self.parts.sessions.sign_ins();
        now < sign_ins.retires(*terminal, before.generation, now, || left().min(overlap))
    }

    async fn verify_any(
        &self,
        exchange: &Exchange<'_>,
        terminal: &TerminalId,
        candidates: Vec<Candidate>,
    ) -> Result<Candidate, Stop> {
        let (data, mac) = exchange.authenticated()?;
        let scheme = &exchange.door.profile.mac.scheme;
        let watched = self.parts.witness.watches(terminal);
        let mut tried = Vec::new();
        for keys in candidates {
            let verdict = self.parts.hsm.mac_verify(&Self::ctx(), &keys.mac, scheme, data, &mac).await;
            let verdict = verdict.map_err(|fault| unverified(&fault))?;
            let kcv = if watched { self.kcv(&keys.mac.0).await } else { None };
            match verdict {
                Verdict::Match => {
                    self.parts.witness.note(Some(terminal), &Event::MacVerified { range: 0..data.len(), key: kcv });
                    return Ok(keys);
                }
                Verdict::NoMatch => tried.extend(kcv),
            }
        }
        self.mac_failed(exchange);
        self.parts.witness.note(Some(terminal), &Event::MacFailed { from: exchange.from, range: 0..data.len(), tried });
        Err(Stop::code(ResponseCode::MacFailure, "mac"))
    }

    /// Keys that waited and verified a message become the terminal's current ones, durably. Those before them are good
    /// for a while: what was sent under them may still be under way.
    async fn promote(
        &self,
        exchange: &Exchange<'_>,
        terminal: &TerminalId,
        generation: Option<u32>,
    ) -> Result<(), Stop> {
        let Some(generation) = generation else { return Ok(()) };
        if self.parts.sessions.read(*terminal, |facts| facts.waiting(generation).is_none()) != Some(false) {
            return Ok(());
        }
        let overlap = self.parts.registry.load().key_terms().overlap;
        let until = (!overlap.is_zero()).then(|| self.parts.clock.wall().later(overlap));
        let facts = self.parts.sessions.change(*terminal, |facts| facts.verified_under(generation, until));
        let sign_ins = self.parts.sessions.sign_ins();
        sign_ins.proven(*terminal, exchange.from.household);
        if let Some(before) = &facts.before {
            sign_ins.retires(*terminal, before.generation, self.parts.clock.monotonic(), || overlap);
        }
        let kept = self.parts.ledger.note_terminal(*terminal, facts).await;
        kept.map_err(|fault| self.ledger_stop(&fault))
    }

    async fn kcv(&self, key: &KeyRef) -> Option<Kcv> {
        self.parts.hsm.key_check_value(&Self::ctx(), key, 3).await.ok()
    }
}

/// A fault of the HSM, not of the message.
pub(super) fn unverified(fault: &HsmError) -> Stop {
    tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be verified");
    Stop::code(ResponseCode::SystemFailure, "hsm")
}

/// Lasting keys that a message may verify under.
struct Candidate {
    generation: Option<u32>,
    mac: MacKey,
    pin: PinKey,
    data: Option<DataKey>,
    opening: Opening,
}

impl From<&WorkingKeys> for Candidate {
    fn from(keys: &WorkingKeys) -> Self {
        Self {
            generation: Some(keys.generation),
            mac: MacKey(KeyRef::Block(keys.mac.clone())),
            pin: PinKey(KeyRef::Block(keys.pin.clone())),
            data: keys.data.clone().map(|block| DataKey(KeyRef::Block(block))),
            opening: keys.opening,
        }
    }
}

impl From<Candidate> for Authentic {
    fn from(keys: Candidate) -> Self {
        let Candidate { generation, mac, pin, data, opening } = keys;
        Self { keys: Proven::Lasting { mac, pin, data }, opening, generation, raised: None }
    }
}
