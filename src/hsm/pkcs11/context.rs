//! The one PKCS#11 context of this process.
//!
//! A library keeps its state once a process, whatever its callers think: a second context, or sessions
//! opened from two threads at once, end in undefined behaviour with some of them. So there is one
//! context, it is never finalized, and whoever opens or closes a session holds its lock. So does whoever
//! makes or looks for a key: SoftHSM fails now and then where two threads do so at once.

use super::Pkcs11Fault;
use cryptoki::context::CInitializeArgs;
use cryptoki::context::CInitializeFlags;
use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use cryptoki::error::RvError;
use cryptoki::session::Session;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// The library that was loaded, by its file.
type Loaded = Option<(PathBuf, Pkcs11)>;

static CONTEXT: Mutex<Loaded> = Mutex::new(None);

/// How often the library was initialized again. A session of before has a number that may be another's by now.
static AGAIN: AtomicU64 = AtomicU64::new(0);

/// The sessions that are good: those opened since.
pub(super) fn era() -> u64 {
    AGAIN.load(Ordering::Acquire)
}

fn arguments() -> CInitializeArgs {
    CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)
}

/// The library says that nobody initialized it: somebody else in this process finalized it. What cannot be done about
/// it shows when the next session is opened.
pub(super) fn initialize_again(since: u64) {
    let loaded = CONTEXT.lock();
    let Some((_, context)) = loaded.as_ref().filter(|_| era() == since) else { return };
    if context.initialize(arguments()).is_ok() {
        AGAIN.fetch_add(1, Ordering::Release);
    }
}

/// Nobody else opens, closes, makes or looks for anything meanwhile.
pub(super) fn alone() -> MutexGuard<'static, impl Sized> {
    CONTEXT.lock()
}

/// Loads and initializes the library, if nobody did.
fn library(loaded: &mut Loaded, path: &Path) -> Result<Pkcs11, Pkcs11Fault> {
    if let Some((which, context)) = loaded {
        return if which == path { Ok(context.clone()) } else { Err(Pkcs11Fault::AnotherLibrary) };
    }
    let context = Pkcs11::new(path).map_err(|_| Pkcs11Fault::Library)?;
    context.initialize(arguments()).map_err(Pkcs11Fault::of)?;
    *loaded = Some((path.to_owned(), context.clone()));
    Ok(context)
}

/// Opens a session with the token of this label and logs in.
pub(super) fn open_session(path: &Path, token: &str, pin: &AuthPin) -> Result<Session, Pkcs11Fault> {
    let mut loaded = CONTEXT.lock();
    let context = library(&mut loaded, path)?;
    let slots = context.get_slots_with_token().map_err(Pkcs11Fault::of)?;
    let labelled = |slot: &cryptoki::slot::Slot| context.get_token_info(*slot).is_ok_and(|info| info.label() == token);
    let slot = slots.into_iter().find(labelled).ok_or(Pkcs11Fault::Token)?;
    let session = context.open_rw_session(slot).map_err(Pkcs11Fault::of)?;
    match session.login(UserType::User, Some(pin)) {
        // Login is the application's: another session's counts for this one.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
        Err(error) => Err(Pkcs11Fault::of(error)),
    }
}
