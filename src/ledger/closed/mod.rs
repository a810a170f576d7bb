//! Closed days: what left the book, and can still be asked for. Copies of its requests get the recorded
//! answer, its transactions can be reversed and followed, and come back into the book for that.
//!
//! What leaves waits in memory until the housekeeper has written it into the files of its day.

mod day;
mod index;
mod key;
mod read;

pub(super) use day::DayName;
pub(super) use key::Key;
pub(super) use key::Keyed;
pub(super) use read::has_right_keys;
pub(super) use read::read;

use super::TxnId;
use super::journal::Disk;
use super::journal::JournalId;
use super::journal::blocks::FileFault;
use super::record::KeptReversal;
use super::record::Record;
use super::record::Standing;
use super::standing::Departed;
use crate::model::Timestamp;
use arc_swap::ArcSwap;
use day::Asked;
use day::Day;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// A record of a closed day, and by which closing it left.
pub(super) struct Found {
    closing: u64,
    record: Record,
}

/// All closed days that are kept, shared by the ledger, which asks, and the housekeeper, which writes.
pub(super) struct ClosedDays {
    pub(super) keyed: Keyed,
    /// Whether anything ever left.
    used: AtomicBool,
    files: ArcSwap<Files>,
    pending: Mutex<Pending>,
}

/// The days that are in files.
#[derive(Default)]
pub(super) struct Files(Vec<Arc<dyn Asked>>);

/// What left and is not in a file yet.
#[derive(Default)]
struct Pending {
    departed: BTreeMap<u64, Vec<Record>>,
    places: HashMap<Key, SmallVec<[(u64, u32); 1]>>,
}

/// What closed days know of some keys: the latest of each transaction.
#[derive(Default)]
pub(super) struct Memory {
    transactions: BTreeMap<TxnId, (u64, Standing)>,
    reversals: Vec<KeptReversal>,
}

impl Files {
    /// Asks the files; reads them only where their filters say that it may be worth it.
    pub(super) fn find(&self, keys: &[Key]) -> Result<Vec<Found>, FileFault> {
        let mut found = Vec::new();
        self.0.iter().try_for_each(|day| day.find(keys, &mut found))?;
        Ok(found)
    }
}

impl ClosedDays {
    /// The closed days of a folder.
    pub(super) fn open<D: Disk>(disk: &mut D, id: JournalId) -> Result<Self, FileFault> {
        let files = files(disk, id, &Files::default())?;
        let used = AtomicBool::new(!files.0.is_empty());
        Ok(Self { keyed: Keyed(id), used, files: ArcSwap::from_pointee(files), pending: Mutex::default() })
    }

    /// Whether nothing ever left: then there is nothing to ask. The caller holds the book, for it to stay so.
    pub(super) fn is_empty(&self) -> bool {
        !self.used.load(Ordering::Acquire)
    }

    /// What is in files now.
    pub(super) fn files(&self) -> Arc<Files> {
        self.files.load_full()
    }

    /// Adds what left the book just now; the caller holds the book.
    pub(super) fn add(&self, departed: Departed) {
        if self.files.load().0.iter().any(|day| day.name().has(&departed)) {
            return;
        }
        self.used.store(true, Ordering::Release);
        let Departed { closing, transactions, reversals, .. } = departed;
        let transactions = transactions.into_iter().map(|standing| Record::Standing(Box::new(standing)));
        let reversals = reversals.into_iter().map(|kept| Record::Reversal(Box::new(kept)));
        let records: Vec<Record> = transactions.chain(reversals).collect();
        let mut pending = self.pending.lock();
        for (place, record) in (0..).zip(&records) {
            for key in keys_of(self.keyed, record) {
                pending.places.entry(key).or_default().push((closing, place));
            }
        }
        pending.departed.insert(closing, records);
    }

    /// What is known of the keys: `found` in `files`, and what waits to be written. `None` if the files are
    /// others meanwhile: then they must be asked again. The caller holds the book, so nothing leaves it now.
    pub(super) fn memory(&self, files: &Arc<Files>, found: Vec<Found>, keys: &[Key]) -> Option<Memory> {
        let pending = self.pending.lock();
        if !Arc::ptr_eq(files, &self.files.load()) {
            return None;
        }
        let mut memory = Memory::default();
        found.into_iter().for_each(|found| memory.add(found));
        for (closing, place) in keys.iter().filter_map(|key| pending.places.get(key)).flatten() {
            let place = usize::try_from(*place).ok();
            let record = pending.departed.get(closing).zip(place).and_then(|(records, place)| records.get(place));
            record.cloned().into_iter().for_each(|record| memory.add(Found { closing: *closing, record }));
        }
        Some(memory)
    }

    /// Writes what left into files of its days; then it need not wait in memory any more. `up_to`: the last
    /// closing that `departed` or files written earlier hold.
    pub(super) fn write<D: Disk>(
        &self,
        disk: &mut D,
        departed: Vec<Departed>,
        up_to: u64,
        wall: Timestamp,
    ) -> Result<(), FileFault> {
        let id = self.keyed.0;
        let mut days: BTreeMap<(i16, i8, i8), Vec<Departed>> = BTreeMap::new();
        // Also a file that was not opened yet has what left: an earlier step may have failed behind it.
        let written = names(disk)?;
        for one in departed.into_iter().filter(|one| !written.iter().any(|day| day.has(one))) {
            days.entry(one.date.parts()).or_default().push(one);
        }
        for departed in days.values() {
            day::write(disk, id, departed, wall)?;
        }
        let files = files(disk, id, &self.files.load_full())?;
        let mut pending = self.pending.lock();
        self.files.store(Arc::new(files));
        let waiting = pending.departed.split_off(&(up_to + 1));
        pending.departed = waiting;
        pending.places.retain(|_, places| {
            places.retain(|(closing, _)| *closing > up_to);
            !places.is_empty()
        });
        Ok(())
    }

    /// Removes all but the files of so many days, the latest.
    pub(super) fn forget<D: Disk>(&self, disk: &mut D, keep: usize) -> Result<(), FileFault> {
        let names = names(disk)?;
        let mut dates: Vec<_> = names.iter().map(|name| name.date).collect();
        dates.dedup();
        let Some(first) = dates.len().checked_sub(keep).and_then(|gone| dates.get(gone)).copied() else {
            return Ok(());
        };
        let gone = names.iter().filter(|name| name.date < first);
        let gone: Vec<String> = gone.flat_map(|name| [name.records(), name.keys()]).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let kept = self.files.load().0.iter().filter(|day| day.name().date >= first).map(Arc::clone).collect();
        let pending = self.pending.lock();
        self.files.store(Arc::new(Files(kept)));
        drop(pending);
        let there = disk.list()?;
        gone.iter().filter(|name| there.contains(name)).try_for_each(|name| disk.remove(name))?;
        Ok(disk.sync_folder()?)
    }
}

/// The days of a folder by their dates, and those of a date by their closings.
pub(super) fn names<D: Disk>(disk: &mut D) -> io::Result<Vec<DayName>> {
    let mut names: Vec<DayName> = disk.list()?.iter().filter_map(|file| DayName::parse(file)).collect();
    names.sort_unstable();
    Ok(names)
}

/// The days of a folder; those that are open already are not opened again.
fn files<D: Disk>(disk: &mut D, id: JournalId, open: &Files) -> Result<Files, FileFault> {
    let mut days: Vec<Arc<dyn Asked>> = Vec::new();
    for name in names(disk)? {
        days.push(match open.0.iter().find(|day| day.name() == name) {
            Some(day) => Arc::clone(day),
            None => Arc::new(Day::open(disk.clone(), name, id)?),
        });
    }
    Ok(Files(days))
}

fn keys_of(keyed: Keyed, record: &Record) -> key::Keys {
    match record {
        Record::Standing(standing) => keyed.of_transaction(standing),
        Record::Reversal(kept) => keyed.of_reversal(kept),
        _ => key::Keys::new(),
    }
}

impl Memory {
    fn add(&mut self, found: Found) {
        match found.record {
            Record::Standing(standing) => {
                let id = standing.intent.id;
                // What left twice is found in order, also where one file has it twice.
                if self.transactions.get(&id).is_none_or(|(closing, _)| *closing <= found.closing) {
                    self.transactions.insert(id, (found.closing, *standing));
                }
            }
            Record::Reversal(kept) => self.reversals.push(*kept),
            _ => {}
        }
    }

    /// The latest transaction that `wanted` says yes to.
    pub(super) fn transaction(&self, wanted: impl Fn(&Standing) -> bool) -> Option<&Standing> {
        self.transactions.values().rev().map(|(_, standing)| standing).find(|standing| wanted(standing))
    }

    /// The first reversal that `wanted` says yes to.
    pub(super) fn reversal(&self, wanted: impl Fn(&KeptReversal) -> bool) -> Option<&KeptReversal> {
        self.reversals.iter().find(|kept| wanted(kept))
    }

    /// What the transactions follow and is not among them.
    pub(super) fn missing(&self) -> impl Iterator<Item = TxnId> {
        let followed = self.transactions.values().filter_map(|(_, standing)| standing.intent.follows);
        followed.filter(|id| !self.transactions.contains_key(id))
    }

    /// The transaction and what it follows, the first one first.
    pub(super) fn line(&self, id: TxnId) -> Vec<Standing> {
        let mut line: Vec<Standing> = Vec::new();
        let mut next = Some(id);
        while let Some((_, standing)) = next.and_then(|id| self.transactions.get(&id)) {
            if line.iter().any(|known| known.intent.id == standing.intent.id) {
                break;
            }
            next = standing.intent.follows;
            line.insert(0, standing.clone());
        }
        line
    }
}
