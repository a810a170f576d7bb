//! How far the links' trace numbers have come, on record: echo tests and sign-ons use them up too.

use super::station::{Station, World};
use crate::ledger::Ledger;
use crate::link::StanSpace;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::Stan;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked. So many numbers as a restart leaves out are not used in it.
const LOOK: Duration = Duration::from_secs(1);

impl<W: World> Station<W> {
    /// Keeps a mark of each space whose numbers have moved, at most once a second, for as long as the future
    /// is driven. A link that starts again goes on after it ([`StanSpace::resuming`]).
    pub async fn keep_stans(&self, spaces: &[(IssuerName, Arc<StanSpace>)]) {
        let mut marks: Vec<Stan> = spaces.iter().map(|(_, space)| space.last()).collect();
        loop {
            self.parts.clock.deadline(LOOK).await;
            for ((issuer, space), mark) in spaces.iter().zip(&mut marks) {
                let last = space.last();
                // What goes to an issuer puts its number on record itself.
                if *mark == last || self.parts.ledger.last_stan(issuer) == Some(last) {
                    *mark = last;
                    continue;
                }
                if let Err(fault) = self.parts.ledger.keep_stan(issuer, last).await {
                    self.ledger_stop(&fault);
                    return;
                }
                *mark = last;
            }
        }
    }
}
