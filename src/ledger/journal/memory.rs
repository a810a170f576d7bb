//! A folder in memory, for tests: it remembers what was synced, and fails when told to.

use super::Disk;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The content of a folder: names and bytes.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What can be made to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// [`Disk::write_at`].
    Write,
    /// [`Disk::sync`].
    Sync,
    /// [`Disk::rename`], [`Disk::remove`] and [`Disk::sync_folder`].
    Folder,
}

/// A folder in memory. Clones are the same folder.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, Arc<Mutex<Content>>>,
    /// The names that survive power loss.
    synced: BTreeMap<String, Arc<Mutex<Content>>>,
    /// Bytes that all files may have together.
    room: Option<usize>,
    /// The next so many of these succeed, the one after them fails.
    fault: Option<(Operation, usize)>,
    /// So many changes and syncs are done; then the machine is off.
    left: Option<usize>,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// What survives power loss.
    synced: Vec<u8>,
}

/// An open file of a [`MemoryDisk`].
#[derive(Clone, Debug)]
pub struct MemoryFile(Arc<Mutex<Content>>);

impl MemoryDisk {
    /// A folder with these files, all of them synced.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let content = |bytes: &Vec<u8>| Content { bytes: bytes.clone(), synced: bytes.clone() };
        let files = image.iter().map(|(name, bytes)| (name.clone(), Arc::new(Mutex::new(content(bytes)))));
        let names: BTreeMap<_, _> = files.collect();
        Self(Arc::new(Mutex::new(State { synced: names.clone(), names, ..State::default() })))
    }

    /// Everything written, synced or not.
    #[must_use]
    pub fn written(&self) -> Image {
        let state = self.0.lock();
        state.names.iter().map(|(name, file)| (name.clone(), file.lock().bytes.clone())).collect()
    }

    /// What is left after power loss, if nothing survives that was not synced.
    #[must_use]
    pub fn synced(&self) -> Image {
        let state = self.0.lock();
        state.synced.iter().map(|(name, file)| (name.clone(), file.lock().synced.clone())).collect()
    }

    /// Limits what all files may have together.
    pub fn set_room(&self, room: Option<usize>) {
        self.0.lock().room = room;
    }

    /// After `skip` more of these operations, one fails; those after it succeed again, as disks do.
    pub fn fail(&self, operation: Operation, skip: usize) {
        self.0.lock().fault = Some((operation, skip));
    }

    /// After so many more changes and syncs, everything fails.
    pub fn stop_after(&self, operations: usize) {
        self.0.lock().left = Some(operations);
    }
}

impl State {
    /// Counts an operation and says how it ends.
    fn attempt(&mut self, operation: Operation) -> io::Result<()> {
        match &mut self.left {
            Some(0) => return Err(io::ErrorKind::BrokenPipe.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        match &mut self.fault {
            Some((failing, 0)) if *failing == operation => {
                self.fault = None;
                Err(io::ErrorKind::Other.into())
            }
            Some((failing, skip)) if *failing == operation => {
                *skip -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> io::Result<Arc<Mutex<Content>>> {
        self.names.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.0.lock();
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.attempt(Operation::Folder)?;
        let file = Arc::<Mutex<Content>>::default();
        state.names.insert(name.to_owned(), Arc::clone(&file));
        Ok(MemoryFile(file))
    }

    fn open(&mut self, name: &str) -> io::Result<MemoryFile> {
        self.0.lock().find(name).map(MemoryFile)
    }

    fn len(&mut self, file: &MemoryFile) -> io::Result<u64> {
        Ok(file.0.lock().bytes.len() as u64)
    }

    fn read_at(&mut self, file: &MemoryFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let content = file.0.lock();
        let rest = usize::try_from(at).ok().and_then(|at| content.bytes.get(at..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
            to.copy_from_slice(from);
        }
        Ok(read)
    }

    fn write_at(&mut self, file: &mut MemoryFile, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.attempt(Operation::Write)?;
        let at = usize::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let length = file.0.lock().bytes.len().max(at + bytes.len());
        let grown = length - file.0.lock().bytes.len();
        let used: usize = state.names.values().map(|file| file.lock().bytes.len()).sum();
        if state.room.is_some_and(|room| grown > 0 && used + grown > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = file.0.lock();
        content.bytes.resize(length, 0);
        if let Some(place) = content.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn sync(&mut self, file: &MemoryFile) -> io::Result<()> {
        self.0.lock().attempt(Operation::Sync)?;
        let mut content = file.0.lock();
        content.synced = content.bytes.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.attempt(Operation::Folder)?;
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.attempt(Operation::Folder)?;
        state.names.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.attempt(Operation::Folder)?;
        state.synced = state.names.clone();
        Ok(())
    }
}
