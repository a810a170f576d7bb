//! Recovery is not a special path: every open intent is decided timed out, and its kind says what follows.

use super::station::{Station, World};
use crate::ledger::Answer;
use crate::ledger::Decision;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::ledger::Outcome;
use crate::model::ResponseCode;
use crate::mutant;
use crate::mutant::Mutant;

impl<W: World> Station<W> {
    /// Decides every open intent timed out, before the first door opens.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn recover(&self) -> Result<usize, LedgerFault> {
        let mut open = self.parts.ledger.open_intents();
        if mutant::is(Mutant::OpenAfterRecovery) {
            open.clear();
        }
        for id in &open {
            let Some(record) = self.parts.ledger.find(*id) else { continue };
            let answer = Answer::of(ResponseCode::Timeout, record.intent.received);
            self.parts.ledger.decide(*id, Decision::of(Outcome::TimedOut, answer)).await?;
        }
        Ok(open.len())
    }
}
