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
    /// Dropped when the issuer is owed nothing on account of the transaction any more.
    told: HashMap<TxnId, watch::Sender<()>>,
    queues: HashMap<IssuerName, Arc<Notify>>,
}

impl Waiters {
    /// Waits for the decision of an open transaction. At most one entry a transaction, however many wait.
    pub(super) fn decision(&mut self, id: TxnId) -> watch::Receiver<Option<Decided>> {
        self.decisions.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Waits until nothing is owed on account of a transaction any more.
    pub(super) fn told(&mut self, id: TxnId) -> watch::Receiver<()> {
        self.told.entry(id).or_default().subscribe()
    }

    /// The bell of an issuer's queue. It is rung whenever the queue may have something new to say.
    pub(super) fn queue(&mut self, issuer: &IssuerName) -> Arc<Notify> {
        match self.queues.get(issuer) {
            Some(bell) => Arc::clone(bell),
            None => Arc::clone(self.queues.entry(issuer.clone()).or_default()),
        }
    }

    /// Tells whom a record concerns. The book has applied it.
    pub(super) fn announce(&mut self, book: &Book, record: &Record) {
        let (Record::Decided(id, ..) | Record::Moved(id, _) | Record::Refused(id, ..)) = record else { return };
        if matches!(record, Record::Decided(..))
            && let Some(waiting) = self.decisions.remove(id)
        {
            waiting.send_replace(book.entry(*id).ok().and_then(super::book::Entry::decided));
        }
        if book.entry(*id).is_ok_and(|entry| !entry.state.is_untold()) {
            self.told.remove(id);
        }
        self.ring(book, *id);
    }

    /// Rings the bell of the issuer that may be owed something on account of a transaction.
    pub(super) fn ring(&self, book: &Book, id: TxnId) {
        let outbound = book.entry(id).ok().and_then(|entry| entry.intent.outbound.as_ref());
        if let Some(bell) = outbound.and_then(|outbound| self.queues.get(&outbound.issuer)) {
            bell.notify_one();
        }
    }
}
