//! Management without keys: echo test and sign-off.

use super::exchange::{DoorKeys, Exchange, Stop};
use super::sign_in::trading;
use super::station::{Station, World};
use crate::iso8583::EncodeError;
use crate::ledger::Ledger;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// Echo test: 00, with the switch's time.
    pub(super) async fn echo(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        manage_answer(exchange, facts)
    }

    /// Sign-off: financial messages are answered 77 until the next sign-in.
    pub(super) async fn sign_off(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        if matches!(exchange.door.keys, DoorKeys::Issued) {
            trading(exchange, facts)?;
            if self.session(&facts.terminal).is_some_and(|session| session.signed_in) {
                let session =
                    self.parts.sessions.change(facts.terminal, |session| SessionFacts { signed_in: false, ..session });
                let kept = self.parts.ledger.note_terminal(facts.terminal, session).await;
                kept.map_err(|fault| self.ledger_stop(&fault))?;
            }
        }
        manage_answer(exchange, facts)
    }
}

/// The unsigned 00 of a management message.
pub(super) fn manage_answer(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
    let unwritable = |_: EncodeError| Stop::Silent("the answer cannot be written");
    let mut builder = exchange.response(ResponseCode::Approved).map_err(unwritable)?;
    exchange.stamp(&mut builder, facts, exchange.received).map_err(unwritable)?;
    let body = builder.finish().map_err(unwritable)?;
    exchange.enclose(&body).ok_or(Stop::Silent("the answer cannot be enclosed"))
}
