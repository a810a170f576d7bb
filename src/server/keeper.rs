//! The threads that make the ledger durable: `journal` writes, `segments` makes room, `anchor` says how far
//! the journal has come, `housekeeper` makes snapshots, `archive` feeds the tables for search and reports.

use super::clock::SystemClock;
use super::config::Keeping;
use super::crash::CrashOnPanic;
use super::meter::JournalMeter;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Found;
use crate::ledger::Housekeeper;
use crate::ledger::OpenedLedger;
use crate::ledger::Tidied;
use crate::ledger::archive::ArchiveFault;
use crate::ledger::archive::Archiver;
use crate::ledger::journal::AnchorKeeper;
use crate::ledger::journal::Fault;
use crate::ledger::journal::Folder;
use crate::ledger::journal::Groups;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::ledger::journal::Prepared;
use crate::ledger::journal::Preparer;
use crate::ledger::journal::Step;
use crate::ledger::journal::Writer;
use crate::model::Clock;
use crate::model::Entropy;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

/// How long a process that was killed may take to let go of the folder.
const DYING: Duration = Duration::from_secs(2);
/// Between two looks for what the archive has not got yet.
const ARCHIVE_EVERY: Duration = Duration::from_secs(1);
/// Until the archive is tried again.
const ARCHIVE_AGAIN: Duration = Duration::from_secs(10);
/// Between two attempts to make the next segment.
const ROOM_LOOK: Duration = Duration::from_secs(1);
/// While there is no room, every so many attempts say so again.
const SAID_EVERY: u32 = 60;

/// Opens the ledger in `folder`, as the station's file wants it. Its writer does not run yet.
///
/// # Errors
/// The folder is another process's, or what is in it cannot be believed.
pub fn open(folder: &Path, keeping: &Keeping, entropy: &impl Entropy) -> Result<OpenedLedger<Folder>, JournalFault> {
    let mut id = JournalId([0; 16]);
    entropy.fill(&mut id.0);
    let options = Options { segment_bytes: keeping.segment_bytes, ..Options::new(id) };
    EmbeddedLedger::open(lock(folder)?, &options, keeping.capacity)
}

/// The folder for this process alone. One that was killed a moment ago may still be on its way out.
fn lock(folder: &Path) -> Result<Folder, JournalFault> {
    let until = Instant::now() + DYING;
    loop {
        match Folder::open(folder) {
            Err(JournalFault { fault: Fault::InUse, .. }) if Instant::now() < until => std::thread::sleep(DYING / 50),
            other => return other,
        }
    }
}

/// What the threads share.
#[derive(Clone)]
struct Common {
    groups: Arc<Groups>,
    /// Cancelled when the ledger fails.
    failed: CancellationToken,
    /// Why it failed.
    why: Arc<OnceLock<String>>,
    /// Cancelled when the journal is closed.
    stop: CancellationToken,
}

impl Common {
    /// Says what happened, and stops the station: nothing is answered any more.
    fn fail(&self, fault: &JournalFault) {
        tracing::error!(event = "ledger-failed", fault = %fault, "the ledger failed: the station stops");
        self.why.get_or_init(|| fault.to_string());
        self.failed.cancel();
    }
}

/// The threads of a ledger that is kept. Dropping it is closing it.
pub struct Keeper {
    common: Common,
    journal: Option<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the threads. `failed` is cancelled when the ledger fails.
    ///
    /// # Errors
    /// No room for the first segment of a new ledger, or no thread.
    pub fn start(
        opened: OpenedLedger<Folder>,
        folder: &Path,
        keeping: &Keeping,
        failed: CancellationToken,
    ) -> Result<(EmbeddedLedger, Found, Self), KeeperFault> {
        Self::start_counting(opened, folder, keeping, failed, Arc::default())
    }

    /// The same, and counts what is written.
    ///
    /// # Errors
    /// As [`Keeper::start`].
    pub fn start_counting(
        opened: OpenedLedger<Folder>,
        folder: &Path,
        keeping: &Keeping,
        failed: CancellationToken,
        meter: Arc<JournalMeter>,
    ) -> Result<(EmbeddedLedger, Found, Self), KeeperFault> {
        let (anchor_every, snapshot_every) = (keeping.anchor, keeping.snapshot);
        let OpenedLedger { ledger, groups, writer, mut preparer, anchor, housekeeper, found } = opened;
        if let Prepared::Refused(fault) = preparer.step()? {
            if found.groups == 0 {
                return Err(KeeperFault::Io(fault));
            }
            say_full(&fault);
        }
        let common = Common { groups, failed, why: Arc::default(), stop: CancellationToken::new() };
        let mut keeper = Self { common: common.clone(), journal: None, others: Vec::new() };
        keeper.journal =
            Some(thread("journal", &common, move |common| async move { keep(writer, &common, &meter).await })?);
        let segments = thread("segments", &common, |common| async move { make_room(preparer, &common).await })?;
        keeper.others.push(segments);
        let body = move |common| async move { keep_anchor(anchor, anchor_every, &common).await };
        keeper.others.push(thread("anchor", &common, body)?);
        let body = move |common| async move { tidy(housekeeper, snapshot_every, &common).await };
        keeper.others.push(thread("housekeeper", &common, body)?);
        let folder = folder.to_owned();
        keeper.others.push(thread("archive", &common, |common| async move { archive(&folder, &common).await })?);
        Ok((ledger, found, keeper))
    }

    /// Why the ledger failed, if it did.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.common.why.get().cloned()
    }

    /// Writes what waits and ends the threads; returns why the ledger failed, if it did. Nothing may be asked
    /// of the ledger any more.
    #[must_use]
    pub fn close(self) -> Option<String> {
        let why = Arc::clone(&self.common.why);
        drop(self);
        why.get().cloned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.common.groups.close();
        // The others serve the writer to its end. A thread that panicked has ended the process.
        let _ = self.journal.take().map(JoinHandle::join);
        self.common.stop.cancel();
        for other in self.others.drain(..) {
            let _ = other.join();
        }
    }
}

fn thread<F: Future<Output = ()>>(
    name: &str,
    common: &Common,
    body: impl FnOnce(Common) -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let (runtime, common) = (Builder::new_current_thread().enable_time().build()?, common.clone());
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _crash = CrashOnPanic;
        runtime.block_on(body(common));
    })
}

fn say_full(fault: &io::Error) {
    tracing::error!(event = "ledger-full", fault = %fault, "no room for the next segment: requests are answered 96");
}

/// Why the threads do not start.
#[derive(Debug, thiserror::Error)]
pub enum KeeperFault {
    /// The journal's folder fails.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// No room for the first segment, or no thread.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The writer: batch after batch, until closed or failed.
async fn keep(mut writer: Writer<Folder>, common: &Common, meter: &JournalMeter) {
    let clock = SystemClock::start();
    loop {
        writer.ready().await;
        let began = clock.monotonic();
        match writer.step(clock.wall()) {
            Ok(Step::Ended) => return,
            Ok(Step::Wrote(_)) => {
                let (records, bytes) = writer.last();
                meter.wrote(clock.monotonic().saturating_sub(began), records, bytes);
            }
            Ok(Step::Idle | Step::Blocked) => {}
            Err(fault) => return common.fail(&fault),
        }
    }
}

/// Makes each next segment before it is needed; where there is no room, again every second.
async fn make_room(mut preparer: Preparer<Folder>, common: &Common) {
    let mut refused: u32 = 0;
    loop {
        tokio::select! {
            biased;
            () = common.stop.cancelled() => return,
            () = preparer.wanted() => {}
        }
        match preparer.step() {
            Ok(Prepared::Refused(fault)) => {
                if refused.is_multiple_of(SAID_EVERY) {
                    say_full(&fault);
                }
                refused = refused.saturating_add(1);
                tokio::select! {
                    () = common.stop.cancelled() => return,
                    () = tokio::time::sleep(ROOM_LOOK) => {}
                }
            }
            Ok(Prepared::Already | Prepared::Made) => {
                if std::mem::take(&mut refused) > 0 {
                    tracing::warn!(event = "ledger-room", "there is room again: requests are served");
                }
            }
            Err(fault) => return common.fail(&fault),
        }
    }
}

/// Writes the anchor every so often, and once more when all is written.
async fn keep_anchor(mut anchor: AnchorKeeper<Folder>, every: Duration, common: &Common) {
    loop {
        let stopping = tokio::select! {
            () = common.stop.cancelled() => true,
            () = tokio::time::sleep(every) => false,
        };
        match anchor.step() {
            Ok(_) if stopping => return,
            Ok(_) => {}
            Err(fault) => return common.fail(&fault),
        }
    }
}

/// Makes snapshots. What it cannot do costs time at the next start, and nothing else.
async fn tidy(mut housekeeper: Housekeeper<Folder>, every: Duration, common: &Common) {
    let clock = SystemClock::start();
    let mut refused: u32 = 0;
    loop {
        tokio::select! {
            () = common.stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        match housekeeper.step(clock.wall()) {
            Ok(Tidied::Nothing) => {}
            Ok(Tidied::Snapshot { group, bytes }) => {
                tracing::info!(event = "snapshot", group, bytes, "a snapshot was made");
                refused = 0;
            }
            Err(fault) => {
                if refused.is_multiple_of(SAID_EVERY) {
                    tracing::error!(event = "snapshot-failed", fault = %fault, "no snapshot was made");
                }
                refused = refused.saturating_add(1);
            }
        }
    }
}

/// Feeds the archive. It answers nothing: what goes wrong with it is said, and tried again.
async fn archive(folder: &Path, common: &Common) {
    let mut refused: u32 = 0;
    let mut archiver: Option<Archiver<Folder>> = None;
    while !common.stop.is_cancelled() {
        let stepped = match &mut archiver {
            Some(archiver) => archiver.step().map(|progress| progress.is_done()),
            None => open_archive(folder).map(|opened| {
                archiver = Some(opened);
                false
            }),
        };
        let wait = match stepped {
            Ok(false) => continue,
            Ok(true) => {
                refused = 0;
                ARCHIVE_EVERY
            }
            Err(fault) => {
                if refused.is_multiple_of(SAID_EVERY) {
                    tracing::error!(event = "archive-failed", fault = %fault, "the archive for search and reports falls behind");
                }
                refused = refused.saturating_add(1);
                ARCHIVE_AGAIN
            }
        };
        tokio::select! {
            () = common.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn open_archive(folder: &Path) -> Result<Archiver<Folder>, ArchiveFault> {
    Archiver::open(Folder::read_only(folder)?, folder)
}
