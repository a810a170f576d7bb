//! What goes wrong with a token. Names only: errors of the library carry no values.

use crate::hsm::HsmError;
use crate::hsm::KeyFault;
use cryptoki::error::Error;
use cryptoki::error::RvError;

/// A token, its library or a key of it cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Pkcs11Fault {
    /// The library is not there, or is none.
    #[error("the PKCS#11 library cannot be loaded")]
    Library,
    /// This process has loaded another library, and can have one only.
    #[error("this process uses another PKCS#11 library already")]
    AnotherLibrary,
    /// No token has this label.
    #[error("no token with this label")]
    Token,
    /// The token's PIN is wrong, locked or expired.
    #[error("the token refuses its PIN")]
    Pin,
    /// The session or the token is gone.
    #[error("the token is gone")]
    Gone,
    /// There is no such key, or something is wrong with it.
    #[error("key {0}: {1}")]
    Key(String, KeyFault),
    /// The key that was met under this name is not there any more: it may have been made anew.
    #[error("key {0} is another object by now")]
    Moved(String),
    /// The library says that nobody initialized it.
    #[error("the PKCS#11 library is not initialized")]
    Uninitialized,
    /// Any other return value of the library, by its name.
    #[error("PKCS#11 {0}")]
    Other(String),
    /// The call itself is wrong.
    #[error("bad call: {0}")]
    Input(&'static str),
    /// No thread to be had.
    #[error("no thread for its sessions")]
    Thread,
}

impl Pkcs11Fault {
    /// What an error of the library means.
    pub(super) fn of(error: Error) -> Self {
        let Error::Pkcs11(value, _) = error else { return Self::Other("call failed".into()) };
        match value {
            RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::TokenNotPresent
            | RvError::UserNotLoggedIn => Self::Gone,
            RvError::CryptokiNotInitialized => Self::Uninitialized,
            RvError::PinIncorrect | RvError::PinLocked | RvError::PinExpired | RvError::PinInvalid => Self::Pin,
            other => Self::Other(format!("{other:?}")),
        }
    }

    /// The same, of an operation with the key of this name.
    pub(super) fn of_key(error: Error, name: &str) -> Self {
        match error {
            Error::Pkcs11(RvError::MechanismInvalid | RvError::KeyTypeInconsistent | RvError::KeySizeRange, _) => {
                Self::Key(name.to_owned(), KeyFault::Algorithm)
            }
            Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _) => Self::Moved(name.to_owned()),
            Error::Pkcs11(RvError::KeyFunctionNotPermitted, _) => Self::Key(name.to_owned(), KeyFault::Usage),
            other => Self::of(other),
        }
    }
}

impl From<Pkcs11Fault> for HsmError {
    fn from(fault: Pkcs11Fault) -> Self {
        match fault {
            Pkcs11Fault::Key(name, fault) => Self::Key { name, fault },
            Pkcs11Fault::Gone | Pkcs11Fault::Uninitialized => Self::Unavailable,
            Pkcs11Fault::Moved(name) => Self::Key { name, fault: KeyFault::Missing },
            Pkcs11Fault::Input(what) => Self::Input(what),
            other => Self::Backend(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pkcs11Fault;
    use crate::hsm::KeyFault;
    use cryptoki::context::Function;
    use cryptoki::error::Error;
    use cryptoki::error::RvError;

    #[test]
    fn a_handle_that_is_no_more_is_looked_up_again_and_a_library_that_was_finalized_is_not_merely_gone() {
        let of_key = |value| Pkcs11Fault::of_key(Error::Pkcs11(value, Function::Encrypt), "tak");
        assert_eq!(of_key(RvError::KeyHandleInvalid), Pkcs11Fault::Moved("tak".into()));
        assert_eq!(of_key(RvError::ObjectHandleInvalid), Pkcs11Fault::Moved("tak".into()));
        assert_eq!(of_key(RvError::CryptokiNotInitialized), Pkcs11Fault::Uninitialized);
        assert_eq!(of_key(RvError::SessionHandleInvalid), Pkcs11Fault::Gone);
        assert_eq!(of_key(RvError::KeyTypeInconsistent), Pkcs11Fault::Key("tak".into(), KeyFault::Algorithm));
    }
}
