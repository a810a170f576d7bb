//! Where opened keys lie: memory that is not swapped out and is in no core dump, and stacks that are
//! written over when a key has passed through them.

use region::LockGuard;
use std::hint::black_box;
use std::ops::Deref;

/// Values that never move, in memory that is locked if the system allows it.
pub(super) struct Locked<T> {
    // Before the values: memory is unlocked while it is still there.
    guard: Option<LockGuard>,
    values: Box<[T]>,
}

impl<T> Locked<T> {
    /// Locks the memory of `values`. Whether it could be is told by [`is_locked`](Self::is_locked).
    pub(super) fn new(values: Box<[T]>) -> Self {
        let size = size_of_val(&*values);
        let guard = if size == 0 { None } else { region::lock(values.as_ptr(), size).ok() };
        Self { guard, values }
    }

    /// Whether nothing of it can be swapped out.
    pub(super) fn is_locked(&self) -> bool {
        self.guard.is_some() || size_of_val(&*self.values) == 0
    }
}

impl<T> Deref for Locked<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

/// Bytes of stack that are written over: more than any calculation of this room reaches down.
const REACH: usize = 16 * 1024;

/// Runs `work`, which handles keys in clear, and writes over the stack that it used. What it gives
/// back must hold no key.
pub(super) fn swept<T>(work: impl FnOnce() -> T) -> T {
    let out = apart(work);
    overwrite();
    out
}

/// `work` in a frame below its caller's.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Zeros where the frames of [`apart`] were.
#[inline(never)]
fn overwrite() {
    black_box(&mut [0_u8; REACH]);
}

/// Keeps this process from writing core dumps: a dump holds every key that is open. Does nothing where
/// there are none, or if the system refuses.
pub(super) fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::Resource;
        use rustix::process::Rlimit;
        let limit = rustix::process::getrlimit(Resource::Core);
        // Only the soft limit: what the process may do later is not ours to take away.
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: limit.maximum });
    }
}
