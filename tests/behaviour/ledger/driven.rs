//! A durable ledger whose writer is driven by whoever waits: no thread, so that a test may poll and know.
//!
//! When it goes, it is opened again from what was synced, from the journal alone and from a snapshot, and
//! must be what it was.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use tollgate::ledger::Asked;
use tollgate::ledger::BatchClose;
use tollgate::ledger::BatchClosed;
use tollgate::ledger::BatchRecord;
use tollgate::ledger::DataKeyName;
use tollgate::ledger::DeadLetter;
use tollgate::ledger::Decided;
use tollgate::ledger::Decision;
use tollgate::ledger::Due;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Housekeeping;
use tollgate::ledger::Identity;
use tollgate::ledger::Intended;
use tollgate::ledger::Ledger;
use tollgate::ledger::LedgerFault;
use tollgate::ledger::OpenBatch;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::OriginalKey;
use tollgate::ledger::OriginalQuery;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::ledger::Reversal;
use tollgate::ledger::Reversed;
use tollgate::ledger::Stepped;
use tollgate::ledger::Tidied;
use tollgate::ledger::TxnId;
use tollgate::ledger::Uploaded;
use tollgate::ledger::UploadedGroup;
use tollgate::ledger::journal::Disk;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::Group;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::MemoryDisk;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Step;
use tollgate::ledger::journal::layout::segment_number;
use tollgate::ledger::journal::layout::snapshot_number;
use tollgate::ledger::journal::replay;
use tollgate::ledger::judged::Visitor;
use tollgate::ledger::judged::judged;
use tollgate::ledger::verify::verify;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::Clock;
use tollgate::model::IssuerName;
use tollgate::model::KeyBlock;
use tollgate::model::Ladder;
use tollgate::model::LadderEntry;
use tollgate::model::PanToken;
use tollgate::model::Revision;
use tollgate::model::Rrn;
use tollgate::model::SessionFacts;
use tollgate::model::Stan;
use tollgate::model::Subject;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::model::ZoneFacts;

const OPTIONS: Options = Options { segment_bytes: 8 << 10, new_id: JournalId(*b"driven by a test") };

/// A durable ledger in `D`, and what goes when it goes.
pub(super) struct Driven<D: Disk, Guard> {
    ledger: EmbeddedLedger,
    parts: Mutex<OpenedParts<D>>,
    disk: D,
    capacity: usize,
    _folder: Guard,
}

struct OpenedParts<D: Disk> {
    writer: tollgate::ledger::journal::Writer<D>,
    preparer: tollgate::ledger::journal::Preparer<D>,
    anchor: tollgate::ledger::journal::AnchorKeeper<D>,
    housekeeper: tollgate::ledger::Housekeeper<D>,
}

/// On a disk in memory.
pub(super) fn in_memory(capacity: usize) -> Driven<MemoryDisk, ()> {
    open(MemoryDisk::default(), capacity, ())
}

/// In a folder of its own.
pub(super) fn in_a_folder(capacity: usize) -> Driven<Folder, tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    open(Folder::open(folder.path()).unwrap(), capacity, folder)
}

fn open<D: Disk, Guard>(disk: D, capacity: usize, folder: Guard) -> Driven<D, Guard> {
    let OpenedLedger { ledger, writer, preparer, anchor, housekeeper, .. } =
        EmbeddedLedger::open(disk.clone(), &OPTIONS, capacity).unwrap();
    let parts = Mutex::new(OpenedParts { writer, preparer, anchor, housekeeper });
    Driven { ledger, parts, disk, capacity, _folder: folder }
}

impl<D: Disk> OpenedParts<D> {
    /// Writes what waits; false if nothing did.
    fn write(&mut self) -> bool {
        match self.writer.step(Timestamp(0)).unwrap() {
            Step::Wrote(_) => true,
            Step::Blocked => {
                self.preparer.step().unwrap();
                true
            }
            Step::Idle | Step::Ended => false,
        }
    }
}

impl<D: Disk> OpenedParts<D> {
    /// All is written, and a snapshot is worth it whatever is new.
    fn ready(&mut self) {
        while self.write() {}
        self.anchor.step().unwrap();
        self.housekeeper.options.journal_bytes = 0;
    }
}

impl<D: Disk, Guard> Driven<D, Guard> {
    /// Waits for `future`, and does the writer's work meanwhile.
    async fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            loop {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    return Poll::Ready(value);
                }
                if !self.parts.lock().unwrap().write() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// The ledger's own records.
    pub(super) fn dump(&self) -> Vec<Vec<u8>> {
        self.ledger.dump()
    }

    /// What rules would have seen.
    pub(super) fn judged(&self, visitor: &mut impl Visitor) {
        judged(&mut self.disk.clone(), visitor).unwrap();
    }

    /// All records of the journal so far.
    pub(super) fn written(&self) -> Vec<Vec<u8>> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let visit = &mut |group: &Group<'_>| {
            records.extend(group.records().map(<[u8]>::to_vec));
            Ok(())
        };
        replay(&mut self.disk.clone(), None, visit).unwrap();
        records
    }

    /// The same ledger after its process ended.
    pub(super) fn reopened(self) -> Driven<D, ()>
    where
        Guard: Default,
    {
        let (disk, capacity) = (self.disk.clone(), self.capacity);
        drop(self);
        open(disk, capacity, ())
    }

    /// The same ledger with its segment full, and the housekeeper through with it.
    pub(super) fn tidied(self) -> Self {
        self.fill();
        assert!(self.tidy() != Tidied::Nothing);
        self
    }

    /// The same ledger with its segment full, and the housekeeper stopped by what `fail` does to its disk.
    pub(super) fn untidied(self, fail: impl FnOnce(&D)) -> Self {
        self.fill();
        let mut parts = self.parts.lock().unwrap();
        parts.ready();
        fail(&self.disk);
        assert!(parts.housekeeper.step(Timestamp(0)).is_err());
        drop(parts);
        self
    }

    fn fill(&self) {
        let begun = self.segments();
        let issuer = IssuerName::parse("bank-z").unwrap();
        while self.segments() == begun {
            let mut kept = pin!(self.wait(self.ledger.keep_stan(&issuer, Stan::FIRST)));
            let context = &mut Context::from_waker(Waker::noop());
            assert!(kept.as_mut().poll(context).is_ready());
        }
    }

    /// What `ledger verify` finds wrong.
    pub(super) fn breaches(&self) -> Vec<String> {
        let report = verify(&mut self.disk.clone()).unwrap();
        report.violations.iter().map(|violation| format!("{violation:?}")).collect()
    }

    fn segments(&self) -> usize {
        self.disk
            .clone()
            .list()
            .unwrap()
            .iter()
            .filter(|name| segment_number(name).is_some())
            .max()
            .map_or(0, |name| usize::try_from(segment_number(name).unwrap()).unwrap())
    }

    /// The number of the first group that is still in a segment.
    pub(super) fn journal_begins(&self) -> u64 {
        self.disk.clone().list().unwrap().iter().filter_map(|name| segment_number(name)).min().unwrap()
    }

    /// From now on covered segments are removed, and days beyond so many.
    pub(super) fn forgetful(&self, days: usize) {
        let housekeeping = Housekeeping { journal_bytes: 0, days, remove_segments: true };
        self.parts.lock().unwrap().housekeeper.options = housekeeping;
    }

    fn tidy(&self) -> Tidied {
        let mut parts = self.parts.lock().unwrap();
        parts.ready();
        parts.housekeeper.step(Timestamp(0)).unwrap()
    }

    /// How many files have this ending.
    pub(super) fn files(&self, ending: &str) -> usize {
        self.disk.clone().list().unwrap().iter().filter(|name| name.ends_with(ending)).count()
    }

    /// Removes the files with this ending; how many there were.
    pub(super) fn remove(&self, ending: &str) -> usize {
        let mut disk = self.disk.clone();
        let gone: Vec<String> = disk.list().unwrap().into_iter().filter(|name| name.ends_with(ending)).collect();
        gone.iter().for_each(|name| disk.remove(name).unwrap());
        gone.len()
    }

    fn has_snapshot(&self) -> bool {
        self.disk.clone().list().unwrap().iter().any(|name| snapshot_number(name).is_some())
    }

    fn is_again_what_it_was(&self) {
        let from_snapshot = self.has_snapshot();
        let again = EmbeddedLedger::open(self.disk.clone(), &OPTIONS, self.capacity).unwrap();
        assert_eq!(again.found.refused, Vec::<String>::new());
        assert!(again.found.snapshot.is_some() == from_snapshot, "snapshot");
        assert!(again.ledger.dump() == self.ledger.dump(), "opened again, the ledger is another one");
        let told = |ledger: &EmbeddedLedger| format!("{:?} {:?}", ledger.records(), ledger.owed());
        assert_eq!(told(&again.ledger), told(&self.ledger));
    }
}

impl<D: Disk, Guard> Drop for Driven<D, Guard> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        {
            let mut parts = self.parts.lock().unwrap();
            while parts.write() {}
            parts.anchor.step().unwrap();
        }
        self.is_again_what_it_was();
        self.tidy();
        self.is_again_what_it_was();
    }
}

impl<D: Disk, Guard: Send + Sync + 'static> Ledger for Driven<D, Guard>
where
    D: Sync,
    D::File: Send,
{
    fn number(&self, date: BusinessDate) -> (TxnId, Rrn) {
        self.ledger.number(date)
    }

    async fn intend(&self, asked: impl Into<Asked> + Send) -> Result<Intended, LedgerFault> {
        self.wait(self.ledger.intend(asked)).await
    }

    async fn reroute(&self, id: TxnId, outbound: Outbound) -> Result<Option<Decided>, LedgerFault> {
        self.wait(self.ledger.reroute(id, outbound)).await
    }

    fn knows(&self, identity: &Identity) -> bool {
        self.ledger.knows(identity)
    }

    async fn decided(&self, id: TxnId) -> Result<Decided, LedgerFault> {
        self.wait(self.ledger.decided(id)).await
    }

    async fn decide(&self, id: TxnId, decision: Decision) -> Result<Decided, LedgerFault> {
        self.wait(self.ledger.decide(id, decision)).await
    }

    async fn told(&self, id: TxnId) {
        self.ledger.told(id).await;
    }

    async fn reverse_of(&self, reversal: Reversal, card: Option<PanToken>) -> Result<Reversed, LedgerFault> {
        self.wait(self.ledger.reverse_of(reversal, card)).await
    }

    async fn note_late(&self, issuer: &IssuerName, rrn: Rrn, outcome: Outcome) -> Result<Option<TxnId>, LedgerFault> {
        self.wait(self.ledger.note_late(issuer, rrn, outcome)).await
    }

    async fn note_terminal(&self, terminal: TerminalId, facts: SessionFacts) -> Result<(), LedgerFault> {
        self.wait(self.ledger.note_terminal(terminal, facts)).await
    }

    fn terminal(&self, terminal: TerminalId) -> Option<SessionFacts> {
        self.ledger.terminal(terminal)
    }

    fn terminals(&self) -> Vec<(TerminalId, SessionFacts)> {
        self.ledger.terminals()
    }

    async fn note_zone(&self, issuer: &IssuerName, facts: ZoneFacts) -> Result<(), LedgerFault> {
        self.wait(self.ledger.note_zone(issuer, facts)).await
    }

    fn zones(&self) -> Vec<(IssuerName, ZoneFacts)> {
        self.ledger.zones()
    }

    async fn close_batch(&self, close: BatchClose) -> Result<BatchClosed, LedgerFault> {
        self.wait(self.ledger.close_batch(close)).await
    }

    async fn note_items(
        &self,
        terminal: TerminalId,
        batch: BatchNumber,
        group: UploadedGroup,
    ) -> Result<Uploaded, LedgerFault> {
        self.wait(self.ledger.note_items(terminal, batch, group)).await
    }

    async fn end_upload(&self, terminal: TerminalId, batch: BatchNumber) -> Result<Uploaded, LedgerFault> {
        self.wait(self.ledger.end_upload(terminal, batch)).await
    }

    fn batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<BatchRecord> {
        self.ledger.batch(terminal, batch)
    }

    fn latest_batch(&self, terminal: TerminalId, wanted: impl Fn(&BatchRecord) -> bool) -> Option<BatchRecord> {
        self.ledger.latest_batch(terminal, wanted)
    }

    fn batches(&self, terminal: TerminalId) -> Vec<BatchRecord> {
        self.ledger.batches(terminal)
    }

    fn open_batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<OpenBatch> {
        self.ledger.open_batch(terminal, batch)
    }

    fn data_keys(&self) -> Vec<(DataKeyName, KeyBlock)> {
        self.ledger.data_keys()
    }

    async fn keep_data_key(&self, name: DataKeyName, block: KeyBlock) -> Result<KeyBlock, LedgerFault> {
        self.wait(self.ledger.keep_data_key(name, block)).await
    }

    fn last_stan(&self, issuer: &IssuerName) -> Option<Stan> {
        self.ledger.last_stan(issuer)
    }

    async fn keep_stan(&self, issuer: &IssuerName, stan: Stan) -> Result<(), LedgerFault> {
        self.wait(self.ledger.keep_stan(issuer, stan)).await
    }

    async fn next_due<C: Clock>(&self, issuer: &IssuerName, clock: &C) -> Due {
        self.wait(self.ledger.next_due(issuer, clock)).await
    }

    async fn sending(&self, id: TxnId, what: Owed, stan: Stan) -> Result<bool, LedgerFault> {
        self.wait(self.ledger.sending(id, what, stan)).await
    }

    async fn acknowledge(&self, id: TxnId, what: Owed, forwarded: Forwarded) -> Result<(), LedgerFault> {
        self.wait(self.ledger.acknowledge(id, what, forwarded)).await
    }

    fn find(&self, id: TxnId) -> Option<Recorded> {
        self.ledger.find(id)
    }

    fn original(&self, key: &OriginalKey) -> Option<Recorded> {
        self.ledger.original(key)
    }

    fn find_original(&self, query: &OriginalQuery) -> Result<Option<Recorded>, LedgerFault> {
        self.ledger.find_original(query)
    }

    fn open_intents(&self) -> Vec<TxnId> {
        self.ledger.open_intents()
    }

    fn owed(&self) -> Vec<(IssuerName, usize)> {
        self.ledger.owed()
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        self.ledger.dead_letters()
    }

    async fn close_day(&self, date: BusinessDate) -> Result<(), LedgerFault> {
        self.wait(self.ledger.close_day(date)).await
    }

    async fn step(&self, entry: LadderEntry) -> Result<Stepped, LedgerFault> {
        self.wait(self.ledger.step(entry)).await
    }

    fn ladder(&self, subject: &Subject) -> Option<Ladder> {
        self.ledger.ladder(subject)
    }

    fn ladders(&self) -> Vec<(Subject, Ladder)> {
        self.ledger.ladders()
    }

    async fn revise(&self, revision: Revision) -> Result<Option<&'static str>, LedgerFault> {
        self.wait(self.ledger.revise(revision)).await
    }

    fn revisions(&self) -> Vec<Revision> {
        self.ledger.revisions()
    }

    fn records(&self) -> Vec<Recorded> {
        self.ledger.records()
    }
}
