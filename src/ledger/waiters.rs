//! Who waits for what the book will say.

use super::Decided;
use super::TxnId;
use super::book::Book;
use super::record::Record;
use crate::model::IssuerName;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::watch;

/// Waiters for decisions and for due messages. Kept behind the same lock as the book, so that nobody
/// begins to wait for what has just happened.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    decisions: HashMap<TxnId, watch::Sender<Option<Decided>>>,
    queues: HashMap<IssuerName, Arc<Notify>>,
}

impl Waiters {
    /// Waits for the decision of an open transaction. At most one entry a transaction, however many wait.
    pub(super) fn decision(&mut self, id: TxnId) -> watch::Receiver<Option<Decided>> {
        self.decisions.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// The bell of an issuer's queue. It is rung whenever the queue may have something new to say.
    pub(super) fn queue(&mut self, issuer: &IssuerName) -> Arc<Notify> {
        match self.queues.get(issuer) {
            Some(bell) => Arc::clone(bell),
            None => Arc::clone(self.queues.entry(issuer.clone()).or_default()),
        }
    }

    /// Tells whom a kept record concerns. The book has applied it.
    pub(super) fn announce(&mut self, book: &Book, record: &Record) {
        let (Record::Decided(id, ..) | Record::Moved(id, _) | Record::Attempted(id)) = record else { return };
        let Ok(entry) = book.entry(*id) else { return };
        if matches!(record, Record::Decided(..))
            && let Some(waiting) = self.decisions.remove(id)
        {
            waiting.send_replace(entry.decided());
        }
        if let Some(outbound) = &entry.intent.outbound
            && let Some(bell) = self.queues.get(&outbound.issuer)
        {
            bell.notify_one();
        }
    }
}
