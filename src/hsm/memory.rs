//! Where opened keys lie: memory that is not swapped out and is in no core dump, and stacks that are
//! written over when a key has passed through them.

use parking_lot::Mutex;
use region::LockGuard;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hint::black_box;
use std::ops::Deref;
use std::sync::Once;

/// The pages that are locked, and for how many values each. The system counts no locks: what unlocks a page unlocks
/// it for everything on it.
static PAGES: Mutex<BTreeMap<usize, (usize, LockGuard)>> = Mutex::new(BTreeMap::new());

/// That memory cannot be locked is said once.
static SAID: Once = Once::new();

/// The pages of one value, locked until this is dropped.
pub(in crate::hsm) struct Pages {
    first: usize,
    /// The page behind the last.
    end: usize,
}

impl Pages {
    /// Locks the pages of `value`; `None` if the system does not let it, which is said.
    pub(in crate::hsm) fn of<T: ?Sized>(value: &T) -> Option<Self> {
        let locked = Self::lock(std::ptr::from_ref(value).cast::<u8>().addr(), size_of_val(value));
        if locked.is_none() {
            SAID.call_once(|| {
                tracing::warn!(
                    event = "hsm-memory-not-locked",
                    "keys may be swapped out: let this process lock more memory (ulimit -l, LimitMEMLOCK)"
                );
            });
        }
        locked
    }

    /// Locks all pages that a range touches, or none.
    fn lock(address: usize, size: usize) -> Option<Self> {
        let page = region::page::size();
        let first = address - address % page;
        let end = address.checked_add(size)?.checked_next_multiple_of(page)?;
        let mut locked = Self { first, end: first };
        let mut pages = PAGES.lock();
        while locked.end < end && count_in(&mut pages, locked.end, page) {
            locked.end += page;
        }
        drop(pages);
        // If a page is missing, what was counted so far is given back here.
        (locked.end == end).then_some(locked)
    }
}

/// Counts one more value on a page, and locks it for the first. False if the system does not let it.
fn count_in(pages: &mut BTreeMap<usize, (usize, LockGuard)>, at: usize, page: usize) -> bool {
    match pages.entry(at) {
        Entry::Occupied(mut known) => {
            known.get_mut().0 += 1;
            true
        }
        Entry::Vacant(new) => match region::lock(std::ptr::without_provenance::<u8>(at), page) {
            Ok(guard) => {
                new.insert((1, guard));
                true
            }
            Err(_) => false,
        },
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let mut pages = PAGES.lock();
        for at in (self.first..self.end).step_by(region::page::size()) {
            let Entry::Occupied(mut known) = pages.entry(at) else { continue };
            known.get_mut().0 -= 1;
            if known.get().0 == 0 {
                drop(known.remove());
            }
        }
    }
}

/// Values that never move, in memory that is locked if the system allows it.
pub(in crate::hsm) struct Locked<T> {
    // Before the values: memory is unlocked while it is still there.
    pages: Option<Pages>,
    values: Box<[T]>,
}

impl<T> Locked<T> {
    /// Locks the memory of `values`. Whether it could be is told by [`is_locked`](Self::is_locked).
    pub(in crate::hsm) fn new(values: Box<[T]>) -> Self {
        let pages = if size_of_val(&*values) == 0 { None } else { Pages::of(&*values) };
        Self { pages, values }
    }

    /// Whether nothing of it can be swapped out.
    pub(in crate::hsm) fn is_locked(&self) -> bool {
        self.pages.is_some() || size_of_val(&*self.values) == 0
    }
}

impl<T> Deref for Locked<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

/// Bytes of stack that are written over: more than any calculation of this room reaches down. What is not optimized
/// has frames many times as large.
const REACH: usize = if cfg!(debug_assertions) { 128 * 1024 } else { 16 * 1024 };

/// The same of a MAC under a key that is open already. It is made for every message, and the rest of the cache is not
/// to be written out of it.
const SHORT_REACH: usize = if cfg!(debug_assertions) { REACH } else { 2 * 1024 };

/// Runs `work`, which handles keys in clear, and writes over the stack that it used. What it gives
/// back must hold no key, unless behind a pointer.
pub(in crate::hsm) fn swept<T>(work: impl FnOnce() -> T) -> T {
    let out = apart(work);
    overwrite::<REACH>();
    out
}

/// [`swept`] for a MAC alone.
pub(in crate::hsm) fn swept_shortly<T>(work: impl FnOnce() -> T) -> T {
    let out = apart(work);
    overwrite::<SHORT_REACH>();
    out
}

/// `work` in a frame below its caller's.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Zeros where the frames of [`apart`] were.
#[inline(never)]
fn overwrite<const BYTES: usize>() {
    black_box(&mut [0_u8; BYTES]);
}

/// Keeps this process from writing core dumps: a dump holds every key that is open. Does nothing where
/// there are none, or if the system refuses.
pub(in crate::hsm) fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::Resource;
        use rustix::process::Rlimit;
        let limit = rustix::process::getrlimit(Resource::Core);
        // Only the soft limit: what the process may do later is not ours to take away.
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: limit.maximum });
    }
}

#[cfg(test)]
mod tests {
    use super::PAGES;
    use super::Pages;

    fn users(page: usize) -> usize {
        PAGES.lock().get(&page).map_or(0, |(users, _)| *users)
    }

    #[test]
    fn a_page_stays_locked_until_nothing_on_it_is() {
        let size = region::page::size();
        // The second page of three and a bit is nobody else's.
        let memory = vec![0_u8; 4 * size];
        let page = memory.as_ptr().addr().next_multiple_of(size);
        let (first, second) = (Pages::lock(page + 8, 32), Pages::lock(page + 100, 32));
        let (Some(first), Some(second)) = (first, second) else {
            println!("this system lets nobody lock memory");
            return;
        };
        assert_eq!(users(page), 2);
        drop(first);
        assert_eq!(users(page), 1, "the other value is on it still");
        let across = Pages::lock(page + size - 8, 16).unwrap();
        assert_eq!((users(page), users(page + size)), (2, 1));
        drop((second, across));
        assert_eq!((users(page), users(page + size)), (0, 0));
    }
}
