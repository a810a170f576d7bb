//! Opened keys: clear bytes, schedule and attributes in one place, wiped when the last user is done.

use super::attributes::Attributes;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::tr31::Header;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One opened key. No `Debug`, no `Clone`, no way to be written out.
pub(super) struct Loaded {
    /// What it may do.
    pub(super) attributes: Attributes,
    /// Its schedule.
    pub(super) cipher: CipherKey,
    /// Its bytes, for export only.
    pub(super) clear: Zeroizing<Vec<u8>>,
}

impl Loaded {
    /// Expands a key if header and length fit each other.
    pub(super) fn new(header: &Header, clear: Zeroizing<Vec<u8>>, single_des: bool) -> Result<Self, KeyFault> {
        let attributes = Attributes::read(header, clear.len(), single_des)?;
        let cipher = CipherKey::new(attributes.algorithm, &clear).map_err(|_| KeyFault::Length)?;
        Ok(Self { attributes, cipher, clear })
    }
}

/// A bounded cache of opened blocks; the oldest goes first.
pub(super) struct Arena {
    keys: DashMap<KeyBlock, Arc<Loaded>>,
    order: Mutex<VecDeque<KeyBlock>>,
    most: usize,
}

impl Arena {
    /// Holds at most `most` keys.
    pub(super) fn new(most: usize) -> Self {
        Self { keys: DashMap::new(), order: Mutex::new(VecDeque::new()), most }
    }

    /// The key of a block, if it was opened before.
    pub(super) fn get(&self, block: &KeyBlock) -> Option<Arc<Loaded>> {
        self.keys.get(block).map(|loaded| Arc::clone(&loaded))
    }

    /// Keeps an opened key, and lets the oldest go if there are too many.
    pub(super) fn put(&self, block: KeyBlock, loaded: Arc<Loaded>) {
        let mut order = self.order.lock();
        if self.keys.insert(block.clone(), loaded).is_none() {
            order.push_back(block);
        }
        while order.len() > self.most {
            if let Some(oldest) = order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    /// How many keys are held.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
