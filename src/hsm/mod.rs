//! Keys. Everything that needs a key is asked of an [`Hsm`], which speaks in key names and blocks.
//!
//! No caller ever holds key bytes, and no method returns a PIN. A failed comparison is a
//! [`Verdict`], a failed call is a fault; the two never mix, or a link with a wrong key would look
//! like a wave of wrong PINs.

pub mod calculator;
pub mod emv;
mod key;
pub mod payshield;
mod policy;
mod seal;
pub mod software;

pub use crate::model::KeyBlock;
pub use crate::model::KeyName;
pub use key::{DataKey, Kcv, Kek, KeyAlgorithm, KeyRef, KeyUsage, MacKey, PinKey, PvKey, WrappedKey};
pub use policy::TranslationPolicy;
pub use seal::{DataKeyPurpose, DataKeySealer, KeyRing, OpenedDataKey};

use crate::model::EncryptedPinBlock;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use smallvec::SmallVec;
use std::future::Future;
use std::time::Duration;

/// What every call carries: by when an answer is of any use.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    /// Time left for this call; always shorter than the transaction's own deadline.
    pub within: Duration,
}

/// The outcome of a comparison made inside the HSM.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Equal.
    Match,
    /// Not equal. An answer, not a fault.
    NoMatch,
}

/// What a backend may be trusted with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HsmProfile {
    /// In-process software: tests, development, small trusted hosts. Says so wherever it can.
    Test,
    /// Keys are protected, PINs are not: MACs and wrapping only.
    MacOnly,
    /// A PTS HSM: everything.
    PinCertified,
}

/// What a backend can do, fixed at start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capabilities {
    /// Trust.
    pub profile: HsmProfile,
    /// PIN block formats it reads and writes.
    pub pin_formats: Vec<PinFormat>,
    /// For logs: `software 0.1.0`.
    pub product: String,
}

/// A MAC as its scheme writes it into the element: 4 to 16 bytes.
pub type Mac = SmallVec<[u8; 16]>;

/// An HSM could not do what was asked. Never carries a key, a PIN or a value of the message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HsmError {
    /// No backend answers.
    #[error("no HSM available")]
    Unavailable,
    /// It did not answer within [`Ctx::within`].
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
    /// The block's MAC, format or attributes do not hold.
    #[error("key block does not verify")]
    Block,
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

/// An enciphered PIN block's key and format.
#[derive(Clone, Copy)]
pub struct PinSource<'a> {
    /// Under which key it is enciphered.
    pub key: &'a PinKey,
    /// Which format is inside.
    pub format: PinFormat,
}

/// What a freshly made key is: its block for keeping, its cipher for the other side, its check value.
#[derive(Clone, Debug)]
pub struct GeneratedKey {
    /// Under the HSM's own master key; for this house to keep.
    pub block: KeyBlock,
    /// Under the key encrypting key that was named, if one was; for the peer.
    pub wrapped: Option<WrappedKey>,
    /// The check value, at most 5 bytes.
    pub kcv: Kcv,
}

/// The pluggable security module. All operations are asynchronous and bounded by [`Ctx`].
///
/// Keys are named or travel as [`KeyBlock`]s; usages are checked twice, by type here and by the
/// block's header inside. Source of the operations' semantics: ANSI X9.24, ISO 9564-1, ISO/IEC 9797-1.
pub trait Hsm: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// Makes a MAC over `data` and writes it as `scheme` says.
    fn mac_generate(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
    ) -> impl Future<Output = Result<Mac, HsmError>> + Send;

    /// Recomputes and compares exactly `scheme.length` bytes; a shorter `mac` is no match.
    fn mac_verify(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> impl Future<Output = Result<Verdict, HsmError>> + Send;

    /// Re-enciphers a PIN block under another key, in another format if the policy matrix allows it.
    fn pin_translate(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> impl Future<Output = Result<EncryptedPinBlock, PinError>> + Send;

    /// Compares the PIN in `block` with a Visa PVV: key index 0 to 6 and four digits, all ASCII.
    fn pin_verify_pvv(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        pvk: &PvKey,
        index_and_pvv: &[u8; 5],
    ) -> impl Future<Output = Result<Verdict, PinError>> + Send;

    /// Deciphers a track 2 that came enciphered under a terminal's data key (cn-pos, DE 53 digit 3).
    ///
    /// `packed` are the element's BCD bytes, `digits` how many of their nibbles count.
    fn track_decrypt(
        &self,
        ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> impl Future<Output = Result<Option<Track2>, HsmError>> + Send;

    /// Makes a fresh key, and enciphers it for a peer under `kek` (ECB, no header) if one is named.
    fn key_generate(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> impl Future<Output = Result<GeneratedKey, HsmError>> + Send;

    /// Takes in a key that a peer enciphered under `kek`; `kcv`, if given, must agree.
    fn key_import(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: &Kek,
        wrapped: &WrappedKey,
        kcv: Option<&Kcv>,
    ) -> impl Future<Output = Result<KeyBlock, HsmError>> + Send;

    /// Enciphers a key for a peer under `kek` (ECB, no header).
    fn key_export(
        &self,
        ctx: &Ctx,
        key: &KeyRef,
        kek: &Kek,
    ) -> impl Future<Output = Result<WrappedKey, HsmError>> + Send;

    /// The check value of a key: its leftmost `length` bytes, 3 to 5.
    fn key_check_value(
        &self,
        ctx: &Ctx,
        key: &KeyRef,
        length: usize,
    ) -> impl Future<Output = Result<Kcv, HsmError>> + Send;

    /// Makes a fresh data key: its block for keeping, and the opened key for a [`DataKeySealer`].
    ///
    /// The one operation that gives a key out, because card numbers at rest are sealed in process.
    /// It never opens a key that is used on a wire.
    fn data_key_new(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
    ) -> impl Future<Output = Result<(KeyBlock, OpenedDataKey), HsmError>> + Send;

    /// Opens a block that [`Hsm::data_key_new`] made for the same purpose.
    fn data_key_open(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> impl Future<Output = Result<OpenedDataKey, HsmError>> + Send;

    /// Fills `out` with the HSM's own randomness.
    fn random(&self, ctx: &Ctx, out: &mut [u8]) -> impl Future<Output = Result<(), HsmError>> + Send;
}
