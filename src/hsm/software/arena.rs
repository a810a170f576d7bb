//! Opened keys: clear bytes, schedule and attributes in one place, wiped when they make room.

use super::attributes::Attributes;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::memory::Locked;
use crate::hsm::memory::Pages;
use dashmap::DashMap;
use parking_lot::MappedRwLockReadGuard;
use parking_lot::RwLock;
use parking_lot::RwLockReadGuard;
use parking_lot::RwLockWriteGuard;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// The bytes of a key, in place.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct KeyBytes {
    bytes: [u8; 32],
    length: usize,
}

impl KeyBytes {
    /// At most 32 bytes.
    fn new(clear: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..clear.len())?.copy_from_slice(clear);
        Some(Self { bytes, length: clear.len() })
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// One opened key. No `Debug`, no `Clone`, no way to be written out.
pub(super) struct Loaded {
    /// What it may do.
    pub(super) attributes: Attributes,
    /// Its schedule.
    pub(super) cipher: CipherKey,
    /// Its bytes, for export and for derivations.
    pub(super) clear: KeyBytes,
}

impl Loaded {
    /// Expands a key if header and length fit each other.
    pub(super) fn new(header: &Header, clear: &[u8], single_des: bool) -> Result<Self, KeyFault> {
        let attributes = Attributes::read(header, clear.len(), single_des)?;
        let cipher = CipherKey::new(attributes.algorithm, clear).map_err(|_| KeyFault::Length)?;
        let clear = KeyBytes::new(clear).ok_or(KeyFault::Length)?;
        Ok(Self { attributes, cipher, clear })
    }
}

/// A key in use.
pub(super) enum Opened<'a> {
    /// A named key, which stays.
    Named(&'a Loaded),
    /// A key of the cache, which stays while it is used.
    Kept(MappedRwLockReadGuard<'a, Loaded>),
    /// A key that found no room, wiped after use.
    Loose {
        // Before the key: memory is unlocked while it is still there.
        _pages: Option<Pages>,
        loaded: Box<Loaded>,
    },
}

impl Deref for Opened<'_> {
    type Target = Loaded;

    fn deref(&self) -> &Loaded {
        match self {
            Self::Named(loaded) => loaded,
            Self::Kept(loaded) => loaded,
            Self::Loose { loaded, .. } => loaded,
        }
    }
}

/// A key of the cache and the block that it came in.
struct Entry {
    block: KeyBlock,
    loaded: Loaded,
}

type Slot = RwLock<Option<Entry>>;

/// Slots that are made, and locked in memory, at once.
const SLAB: usize = 64;
/// Slots that are tried for a new key before it goes without.
const TRIES: usize = 8;

/// A bounded cache of opened blocks; who came first goes first.
pub(super) struct Arena {
    places: DashMap<KeyBlock, usize>,
    slabs: Box<[OnceLock<Locked<Slot>>]>,
    next: AtomicUsize,
    most: usize,
}

impl Arena {
    /// Holds at most `most` keys, at least one.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let slabs = (0..most.div_ceil(SLAB)).map(|_| OnceLock::new()).collect();
        Self { places: DashMap::new(), slabs, next: AtomicUsize::new(0), most }
    }

    /// A slot by its number, made with its neighbours when it is first asked for.
    fn slot(&self, place: usize) -> Option<&Slot> {
        let slab = self.slabs.get(place / SLAB)?;
        let size = SLAB.min(self.most - place / SLAB * SLAB);
        slab.get_or_init(|| Locked::new((0..size).map(|_| RwLock::new(None)).collect())).get(place % SLAB)
    }

    /// The key of a block, if it was opened before.
    pub(super) fn get(&self, block: &KeyBlock) -> Option<Opened<'_>> {
        let place = *self.places.get(block)?;
        let mine = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.block == *block);
        let guard = self.slot(place)?.read();
        // The slot may have been given to another block since its number was looked up.
        if !mine(&guard) {
            return None;
        }
        RwLockReadGuard::try_map(guard, |entry| entry.as_ref().map(|entry| &entry.loaded)).ok().map(Opened::Kept)
    }

    /// Keeps an opened key in the place of the oldest.
    ///
    /// A slot in use is passed over, never waited for: its user may be this very thread.
    pub(super) fn put(&self, block: KeyBlock, loaded: Loaded) -> Opened<'_> {
        for _ in 0..TRIES.min(self.most) {
            let place = self.next.fetch_add(1, Ordering::Relaxed) % self.most;
            let Some(mut slot) = self.slot(place).and_then(RwLock::try_write) else { continue };
            if let Some(gone) = slot.take() {
                self.places.remove_if(&gone.block, |_, at| *at == place);
            }
            self.places.insert(block.clone(), place);
            *slot = Some(Entry { block, loaded });
            let kept = RwLockReadGuard::try_map(RwLockWriteGuard::downgrade(slot), |entry| {
                entry.as_ref().map(|entry| &entry.loaded)
            });
            if let Ok(kept) = kept {
                return Opened::Kept(kept);
            }
            unreachable!("the slot was filled above and is locked");
        }
        let loaded = Box::new(loaded);
        Opened::Loose { _pages: Pages::of(&*loaded), loaded }
    }

    /// How many keys are held.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no slot that was made can be swapped out.
    pub(super) fn is_locked(&self) -> bool {
        self.slabs.iter().filter_map(OnceLock::get).all(Locked::is_locked)
    }
}
