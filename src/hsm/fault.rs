//! Why an HSM did not do what was asked. Nothing here carries a key, a PIN or a value of a message.

/// An HSM could not do what was asked. Never carries a key, a PIN or a value of the message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HsmError {
    /// No backend answers.
    #[error("no HSM available")]
    Unavailable,
    /// It did not answer within [`Ctx::within`](super::Ctx::within).
    #[error("HSM did not answer in time")]
    Timeout,
    /// Its queue is full.
    #[error("HSM is busy")]
    Busy,
    /// The key is missing, of another usage, algorithm or length, or its block does not verify.
    /// Somebody must act.
    #[error("key {name}: {fault}")]
    Key {
        /// Which key, by name; `block` for a working key that travels in a block.
        name: String,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The backend has no such operation: see [`Capabilities`](super::Capabilities).
    #[error("the HSM does not offer {0}")]
    Unsupported(&'static str),
    /// The policy forbids it (format translation, export, test key in production).
    #[error("forbidden by policy: {0}")]
    Policy(&'static str),
    /// The call itself is wrong: our bug.
    #[error("bad call: {0}")]
    Input(&'static str),
    /// The backend's own error code.
    #[error("HSM error {0}")]
    Backend(String),
}

/// What can be wrong with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// No such key.
    #[error("not found")]
    Missing,
    /// Its usage or mode does not allow this.
    #[error("usage does not allow this")]
    Usage,
    /// Its algorithm does not fit.
    #[error("algorithm does not fit")]
    Algorithm,
    /// Its length does not fit.
    #[error("length does not fit")]
    Length,
    /// The check value differs from the one expected.
    #[error("check value differs")]
    CheckValue,
    /// A byte of it has an even number of ones, and the policy wants none such.
    #[error("parity is not odd")]
    Parity,
    /// The block's MAC does not hold; of a block of this house, also its format.
    #[error("key block does not verify")]
    Block,
    /// It is no key block, or its lengths do not agree.
    #[error("key block cannot be read")]
    Format,
    /// A longer key that is a shorter one in disguise.
    #[error("a shorter key in disguise")]
    Masquerade,
    /// A part of it is one of the weak or semi-weak DES keys.
    #[error("weak")]
    Weak,
    /// The key serial number is none that this base key has: of the other family, counter zero, or
    /// more one bits than a device uses.
    #[error("key serial number does not fit")]
    Ksn,
    /// It may not leave, or the key encrypting key is too weak for it.
    #[error("may not be exported so")]
    NotExportable,
}

/// A PIN operation failed.
///
/// All faults of the block's content are one value outwards: a detailed code is a PIN oracle.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PinError {
    /// The deciphered block is no PIN block of the given format for this PAN.
    #[error("PIN block does not verify")]
    Block,
    /// Anything else.
    #[error(transparent)]
    Hsm(#[from] HsmError),
}
