//! What happens to a panic.

/// Held by every thread and task of the shell. A bug must not be mistaken for a lost connection: the
/// process ends, and the ledger makes a restart safe.
pub(super) struct CrashOnPanic;

impl Drop for CrashOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
