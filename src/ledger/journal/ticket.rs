//! The wait for durability.

use crate::ledger::LedgerFault;
use std::sync::Arc;
use std::sync::OnceLock;
use tokio::sync::Notify;

/// What became of one group; shared by all who wait for it.
#[derive(Debug, Default)]
pub(super) struct Fate {
    known: OnceLock<Result<(), String>>,
    bell: Notify,
}

impl Fate {
    /// A group that failed before it was written.
    pub(super) fn failed(why: &str) -> Arc<Self> {
        let fate = Arc::<Self>::default();
        fate.settle(Err(why.to_owned()));
        fate
    }

    /// Says what became of it, once, and wakes everybody.
    pub(super) fn settle(&self, verdict: Result<(), String>) {
        if self.known.set(verdict).is_ok() {
            self.bell.notify_waiters();
        }
    }
}

/// A promise that something will be durable. Clones wait for the same.
#[derive(Clone, Debug)]
#[must_use = "nothing may be answered before its ticket is kept"]
pub struct Ticket(Option<Arc<Fate>>);

impl Ticket {
    /// A ticket that is kept already.
    pub fn now() -> Self {
        Self(None)
    }

    pub(super) fn of(fate: &Arc<Fate>) -> Self {
        Self(Some(Arc::clone(fate)))
    }

    /// Whether it is durable now. `false` also after a failure.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.as_ref().is_none_or(|fate| matches!(fate.known.get(), Some(Ok(()))))
    }

    /// Waits until it is durable.
    ///
    /// # Errors
    /// [`LedgerFault::Failed`] if it cannot be known to be: then nothing may be answered.
    pub async fn kept(self) -> Result<(), LedgerFault> {
        let Some(fate) = self.0 else { return Ok(()) };
        loop {
            // Made before the look, so that a bell rung in between is heard.
            let rung = fate.bell.notified();
            if let Some(verdict) = fate.known.get() {
                return verdict.clone().map_err(LedgerFault::Failed);
            }
            rung.await;
        }
    }
}
