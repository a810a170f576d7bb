//! A disk that keeps only what was synced, and not always that willingly.

use super::chance::Chance;
use super::coverage::Sometimes;
use super::nature::Nature;
use super::weather::Weather;
use super::weather::hit;
use crate::ledger::journal::Disk;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Bytes that a disk writes all or not at all.
const SECTOR: usize = 512;
/// Sectors of a segment's header.
const HEADER_SECTORS: usize = 8;

/// How the station went down, as its disk sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loss {
    /// The process ended: what was written is still in the machine's memory.
    Nothing,
    /// Power: nothing that was not synced is left.
    All,
    /// Power: each sector that was not synced is old, new, or garbled; of names made, the first so many are left.
    Some,
}

/// What is on the platter, and what the machine remembers of it. It outlives the station.
#[derive(Default)]
pub(super) struct Platter(Mutex<Files>);

#[derive(Clone, Default)]
struct Files {
    /// The folder as the station sees it.
    names: BTreeMap<String, u64>,
    /// The folder as it was last synced.
    kept_names: BTreeMap<String, u64>,
    /// What was done to names since.
    renamed: Vec<Renaming>,
    nodes: BTreeMap<u64, Node>,
    next: u64,
}

#[derive(Clone)]
enum Renaming {
    Made(String, u64),
    Renamed(String, String),
    Removed(String),
}

#[derive(Clone, Default)]
struct Node {
    /// As the station reads it.
    seen: Vec<u8>,
    /// As it was last synced.
    kept: Vec<u8>,
    /// Sectors written since.
    dirty: BTreeSet<usize>,
    /// Sectors whose sync failed: the machine takes them for clean, and the platter does not have them.
    abandoned: BTreeSet<usize>,
}

fn apply(names: &mut BTreeMap<String, u64>, renaming: &Renaming) {
    match renaming {
        Renaming::Made(name, node) => drop(names.insert(name.clone(), *node)),
        Renaming::Removed(name) => drop(names.remove(name)),
        Renaming::Renamed(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}

impl Platter {
    /// The station is down: what is left of what it wrote.
    pub(super) fn lose(&self, loss: Loss, nature: &Nature) {
        let mut files = self.0.lock();
        match loss {
            Loss::Nothing => {}
            Loss::All => files.lose(0, |_| false),
            Loss::Some => {
                let survive = nature.draw(|chance| chance.place(files.renamed.len() + 1));
                files.lose(survive, |old| nature.draw(|chance| survives(chance, old)));
            }
        }
    }

    /// The platter as it would be if the power went now.
    pub(super) fn if_power_went_now(&self) -> Self {
        let mut files = self.0.lock().clone();
        files.lose(0, |_| false);
        Self(Mutex::new(files))
    }

    /// Zeroes the last sector that is not zero of the last segment. Whether there was one besides its header.
    pub(super) fn rot(&self) -> bool {
        let mut files = self.0.lock();
        let last = files.names.iter().rfind(|(name, _)| name.starts_with("segment-")).map(|(_, node)| *node);
        let Some(node) = last.and_then(|node| files.nodes.get_mut(&node)) else { return false };
        let sectors = node.seen.chunks_mut(SECTOR).skip(HEADER_SECTORS);
        let Some(sector) = sectors.filter(|sector| sector.iter().any(|byte| *byte != 0)).last() else { return false };
        sector.fill(0);
        true
    }
}

impl Files {
    /// The first `names` changes of names are kept; `survives` says of each sector not synced whether it is the
    /// new one, and may spoil the old one.
    fn lose(&mut self, names: usize, mut survives: impl FnMut(&mut [u8]) -> bool) {
        for renaming in self.renamed.drain(..).take(names) {
            apply(&mut self.kept_names, &renaming);
        }
        self.names.clone_from(&self.kept_names);
        for node in self.nodes.values_mut() {
            node.abandoned.clear();
            for sector in std::mem::take(&mut node.dirty) {
                let to = node.seen.len().min((sector + 1) * SECTOR);
                node.kept.resize(node.kept.len().max(to), 0);
                // What is overwritten with itself cannot be spoilt.
                let same = node.kept.get(sector * SECTOR..to) == node.seen.get(sector * SECTOR..to);
                if !same && node.kept.get_mut(sector * SECTOR..to).is_some_and(&mut survives) {
                    node.flush(sector);
                }
            }
            node.seen.clone_from(&node.kept);
        }
    }

    fn node(&mut self, file: &SimFile) -> io::Result<&mut Node> {
        self.nodes.get_mut(&file.0).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Whether a sector that was not synced is there after the power went; if not, it may be spoilt.
fn survives(chance: &mut Chance, old: &mut [u8]) -> bool {
    if chance.below(8) == 0 {
        let at = chance.place(old.len());
        let garbage = chance.next().to_be_bytes();
        old.iter_mut().skip(at).zip(garbage).for_each(|(to, byte)| *to = byte);
        return false;
    }
    chance.below(2) == 0
}

impl Node {
    fn flush(&mut self, sector: usize) {
        let (from, to) = (sector * SECTOR, self.seen.len().min((sector + 1) * SECTOR));
        if self.kept.len() < to {
            self.kept.resize(to, 0);
        }
        if let (Some(kept), Some(seen)) = (self.kept.get_mut(from..to), self.seen.get(from..to)) {
            kept.copy_from_slice(seen);
        }
    }
}

/// One station's handle to the platter. It dies with the station.
#[derive(Clone)]
pub(super) struct SimDisk {
    platter: Arc<Platter>,
    nature: Arc<Nature>,
    weather: Arc<Weather>,
    /// A copy to look at: nothing on it is an effect.
    aside: bool,
}

/// An open file.
pub(super) struct SimFile(u64);

impl SimDisk {
    pub(super) fn new(platter: Arc<Platter>, nature: Arc<Nature>, weather: Arc<Weather>) -> Self {
        Self { platter, nature, weather, aside: false }
    }

    /// A handle to a copy: what is done to it is of no consequence.
    pub(super) fn aside(platter: Platter, nature: Arc<Nature>) -> Self {
        Self { platter: Arc::new(platter), nature, weather: Arc::default(), aside: true }
    }

    fn effect(&self, what: &str) -> io::Result<()> {
        if self.aside || self.nature.effect(what) { Ok(()) } else { Err(io::Error::other("the power is gone")) }
    }

    fn fails(&self) -> bool {
        !self.aside && hit(&self.nature, self.weather.faults().disk_errors, Some(Sometimes::DiskError))
    }

    /// Whether so many bytes more fit.
    fn room(&self) -> io::Result<()> {
        if self.aside || !self.weather.disk_is_full() {
            return Ok(());
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.platter.0.lock().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<SimFile> {
        if self.platter.0.lock().names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.room()?;
        self.effect(&format!("disk: create {name}"))?;
        let mut files = self.platter.0.lock();
        let node = files.next;
        files.next += 1;
        files.nodes.insert(node, Node::default());
        files.names.insert(name.to_owned(), node);
        files.renamed.push(Renaming::Made(name.to_owned(), node));
        Ok(SimFile(node))
    }

    fn open(&mut self, name: &str) -> io::Result<SimFile> {
        let node = self.platter.0.lock().names.get(name).copied();
        node.map(SimFile).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn len(&mut self, file: &SimFile) -> io::Result<u64> {
        let mut files = self.platter.0.lock();
        Ok(u64::try_from(files.node(file)?.seen.len()).unwrap_or(u64::MAX))
    }

    fn read_at(&mut self, file: &SimFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut files = self.platter.0.lock();
        let node = files.node(file)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(node.seen.len());
        let bytes = node.seen.get(from..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        Ok(count)
    }

    fn write_at(&mut self, file: &mut SimFile, bytes: &[u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let to = from.saturating_add(bytes.len());
        let longer = self.platter.0.lock().node(file)?.seen.len() < to;
        if longer {
            self.room()?;
        }
        self.effect(&format!("disk: write {} bytes at {at}", bytes.len()))?;
        if self.fails() {
            return Err(io::Error::other("simulated write error"));
        }
        let mut files = self.platter.0.lock();
        let node = files.node(file)?;
        if longer {
            node.seen.resize(to, 0);
        }
        if let Some(place) = node.seen.get_mut(from..to) {
            place.copy_from_slice(bytes);
        }
        let sectors = from / SECTOR..to.div_ceil(SECTOR);
        node.dirty.extend(sectors);
        Ok(())
    }

    fn sync(&mut self, file: &SimFile) -> io::Result<()> {
        self.effect("disk: sync")?;
        let fails = self.fails();
        let mut files = self.platter.0.lock();
        let node = files.node(file)?;
        let dirty = std::mem::take(&mut node.dirty);
        if fails {
            node.abandoned.extend(dirty);
            return Err(io::Error::other("simulated sync error"));
        }
        dirty.into_iter().for_each(|sector| node.flush(sector));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.effect(&format!("disk: rename {from} to {to}"))?;
        let mut files = self.platter.0.lock();
        if !files.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if to.starts_with("segment-") && files.names.keys().any(|name| name.starts_with("segment-")) {
            self.nature.sometimes(Sometimes::NextSegment);
        }
        let renaming = Renaming::Renamed(from.to_owned(), to.to_owned());
        apply(&mut files.names, &renaming);
        files.renamed.push(renaming);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.effect(&format!("disk: remove {name}"))?;
        if name.starts_with("segment-") {
            self.nature.sometimes(Sometimes::SegmentRemoved);
        }
        let mut files = self.platter.0.lock();
        if files.names.remove(name).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        files.renamed.push(Renaming::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.effect("disk: sync folder")?;
        let mut files = self.platter.0.lock();
        files.kept_names = files.names.clone();
        files.renamed.clear();
        Ok(())
    }
}
