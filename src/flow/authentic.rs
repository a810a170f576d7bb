//! Proof that a message came from who it says: only this file makes an [`Authentic`].

use super::exchange::{DoorKeys, Exchange, Stop};
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::hsm::DataKey;
use crate::hsm::Hsm;
use crate::hsm::Kcv;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::Verdict;
use crate::ledger::Ledger;
use crate::model::Opening;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use crate::model::WorkingKeys;
use crate::mutant;
use crate::mutant::Mutant;

/// The keys a message verified under: they also decipher its PIN and sign its answer, whatever has
/// been issued since (rules of the money, 10).
pub(super) struct Authentic {
    pub(super) mac: MacKey,
    pub(super) pin: PinKey,
    pub(super) data: Option<DataKey>,
    /// Who signed in for these keys, and when.
    pub(super) opening: Opening,
}

impl<W: World> Station<W> {
    /// Verifies the message's MAC under the keys its terminal may use: those it has, signed off or not, for
    /// a sign-off carries no MAC, and reversals and repeats must still be served.
    pub(super) async fn authenticate(&self, exchange: &Exchange<'_>, terminal: &TerminalId) -> Result<Authentic, Stop> {
        match &exchange.door.keys {
            DoorKeys::Fixed { mac, pin } => {
                let keys = Authentic { mac: mac.clone(), pin: pin.clone(), data: None, opening: Opening::default() };
                self.verify_any(exchange, terminal, vec![(None, keys)]).await.map(|(_, keys)| keys)
            }
            DoorKeys::Issued => {
                let session = self.session(terminal).filter(|session| session.generations().next().is_some());
                let session = session.ok_or(Stop::code(ResponseCode::SignInRequired, "not-signed-in"))?;
                if mutant::is(Mutant::GenerationBeforeMac) {
                    self.promote(terminal, session.pending.as_ref().map(|keys| keys.generation)).await?;
                }
                let candidates =
                    session.generations().map(|keys| (Some(keys.generation), Authentic::from(keys))).collect();
                let (generation, keys) = self.verify_any(exchange, terminal, candidates).await?;
                self.promote(terminal, generation).await?;
                Ok(keys)
            }
        }
    }

    async fn verify_any(
        &self,
        exchange: &Exchange<'_>,
        terminal: &TerminalId,
        candidates: Vec<(Option<u32>, Authentic)>,
    ) -> Result<(Option<u32>, Authentic), Stop> {
        let missing = || Stop::code(ResponseCode::MacFailure, "mac-missing");
        let data = exchange.message.mac_input().ok_or_else(missing)?;
        let mac = exchange.message.mac().ok_or_else(missing)?;
        let scheme = &exchange.door.profile.mac.scheme;
        let watched = self.parts.witness.watches(terminal);
        let mut tried = Vec::new();
        for (generation, keys) in candidates {
            let verdict = self.parts.hsm.mac_verify(&Self::ctx(), &keys.mac, scheme, data, &mac).await;
            let verdict = verdict.map_err(|fault| {
                tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be verified");
                Stop::code(ResponseCode::SystemFailure, "hsm")
            })?;
            let kcv = if watched { self.kcv(&keys.mac.0).await } else { None };
            match verdict {
                Verdict::Match => {
                    self.parts.witness.note(Some(terminal), &Event::MacVerified { range: 0..data.len(), key: kcv });
                    return Ok((generation, keys));
                }
                Verdict::NoMatch => tried.extend(kcv),
            }
        }
        self.parts.witness.note(Some(terminal), &Event::MacFailed { range: 0..data.len(), tried });
        Err(Stop::code(ResponseCode::MacFailure, "mac"))
    }

    /// Pending keys that verified a message become the terminal's current ones, durably.
    async fn promote(&self, terminal: &TerminalId, generation: Option<u32>) -> Result<(), Stop> {
        let Some(generation) = generation else { return Ok(()) };
        let pending = |facts: &SessionFacts| facts.pending.as_ref().map(|keys| keys.generation);
        if self.parts.sessions.read(*terminal, pending).flatten() != Some(generation) {
            return Ok(());
        }
        let facts = self.parts.sessions.change(*terminal, |facts| facts.verified_under(generation));
        let kept = self.parts.ledger.note_terminal(*terminal, facts).await;
        kept.map_err(|fault| self.ledger_stop(&fault))
    }

    async fn kcv(&self, key: &KeyRef) -> Option<Kcv> {
        self.parts.hsm.key_check_value(&Self::ctx(), key, 3).await.ok()
    }
}

impl From<&WorkingKeys> for Authentic {
    fn from(keys: &WorkingKeys) -> Self {
        Self {
            mac: MacKey(KeyRef::Block(keys.mac.clone())),
            pin: PinKey(KeyRef::Block(keys.pin.clone())),
            data: keys.data.clone().map(|block| DataKey(KeyRef::Block(block))),
            opening: keys.opening,
        }
    }
}
