//! A terminal takes back what it asked: made durable, answered 00 at once, carried on later.

use super::authentic::Authentic;
use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::iso8583::Role;
use crate::ledger::Followed;
use crate::ledger::Ledger;
use crate::ledger::Reversal;
use crate::ledger::Reversed;
use crate::model::Amount;
use crate::model::Clock;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Sealer;
use crate::model::TerminalFacts;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// Terminal reversals and their repeats (rules of the money, 5). Nothing but a wrong amount or card
    /// refuses one.
    pub(super) async fn reverse(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        authentic: &Authentic,
    ) -> Result<Bytes, Stop> {
        let started = self.parts.clock.monotonic();
        let message = exchange.message;
        if message.dialect().missing(message, Some(Kind::Reversal)).is_some() {
            return Err(Stop::format("mandatory-element"));
        }
        let amount =
            message.role(Role::Amount).and_then(|value| Amount::parse(&value)).ok_or(Stop::format("amount"))?;
        let original = self.original(exchange, facts)?;
        // The card, where it brings one, is its original's.
        let card = message.role(Role::Pan).and_then(|value| Pan::parse(&value));
        let card = card.map(|pan| self.parts.sealer.token(&pan));
        let reversal = Reversal {
            identity: self.identity(exchange, facts)?,
            original,
            amount,
            received: exchange.received,
            date: facts.date(exchange.received),
        };
        let reversed = self.parts.ledger.reverse_of(reversal, card).await.map_err(|fault| self.ledger_stop(&fault))?;
        let (decided, rule, repeat) = match reversed {
            Reversed::Accepted(decided) => (decided, None, false),
            Reversed::Repeat(decided) => (decided, None, true),
            Reversed::Moot(decided, followed) => (decided, Some(self.moot(facts, followed)), false),
            Reversed::NotYet => return Err(Stop::code(ResponseCode::SystemFailure, "follow-up-under-way")),
            Reversed::Unknown(decided) => (decided, Some("original-unknown"), false),
            Reversed::CardDiffers => {
                tracing::warn!(event = "reversal-card", terminal = %facts.terminal, "reversal of another card");
                return Err(Stop::code(ResponseCode::OriginalNotFound, "reversal-card"));
            }
            Reversed::AmountDiffers => {
                tracing::warn!(event = "reversal-amount", terminal = %facts.terminal, "reversal of another amount");
                return Err(Stop::code(ResponseCode::OriginalAmountWrong, "reversal-amount"));
            }
        };
        let took = self.parts.clock.monotonic().saturating_sub(started);
        let (outcome, code, rrn) = (decided.outcome, decided.answer.code, decided.rrn);
        let event = Event::Decided { kind: Kind::Reversal, outcome, code, rrn, rule, issuer: None, repeat, took };
        self.parts.witness.note(Some(&facts.terminal), &event);
        self.answer_decided(exchange, facts, authentic, &decided).await
    }

    /// The reversal is on record, and undoes nothing: the rule that says so. Where money was given back somebody
    /// must look, for the terminal may have wanted to give it back a second time.
    fn moot(&self, facts: &TerminalFacts, followed: Followed) -> &'static str {
        let terminal = &facts.terminal;
        match followed {
            Followed::Refunded => {
                tracing::error!(event = "reversal-moot", %terminal, ?followed, "a reversal of what was refunded undoes nothing: settle by hand");
            }
            Followed::Voided | Followed::Completed | Followed::Adjusted => {
                tracing::warn!(event = "reversal-moot", %terminal, ?followed, "a reversal of what was followed undoes nothing");
            }
        }
        "original-followed"
    }
}
