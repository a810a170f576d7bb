//! Keys. Everything that needs a key is asked of an [`Hsm`], which speaks in key names and blocks.
//!
//! No caller ever holds key bytes, and no method returns a PIN. A failed comparison is a
//! [`Verdict`], a failed call is a fault; the two never mix, or a link with a wrong key would look
//! like a wave of wrong PINs.

mod backend;
pub mod calculator;
pub mod emv;
mod fault;
mod key;
mod mac_element;
mod memory;
pub mod payshield;
mod pin;
pub mod pkcs11;
mod policy;
mod seal;
pub mod software;
mod zone_key;

pub use crate::model::KeyBlock;
pub use crate::model::KeyName;
pub use backend::{Backend, HsmCounts, Which};
pub use calculator::dukpt::Direction;
pub use fault::{HsmError, KeyFault, PinError};
use key::exportable;
pub use key::{
    BdKey, BlockKek, CvKey, Cvc3Key, DataKey, Generations, ImkKey, Kcv, Kek, KeyAlgorithm, KeyRef, KeyUsage, MacKey,
    OffsetKey, PinKey, PvKey, ScriptKey, WrappedKey,
};
pub use pin::{DukptKey, IbmRule, PinMethod, PinOrigin, PinReference, PinSource, ReferenceMethod};
pub use policy::TranslationPolicy;
pub use seal::{DataKeyPurpose, DataKeySealer, KeyRing, OpenedDataKey};
pub use zone_key::{ZoneKeyText, zone_algorithm};

use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use emv::ArpcSpec;
use emv::ArqcOutcome;
use emv::EmvCard;
use emv::EmvScheme;
use emv::EmvTransaction;
use smallvec::SmallVec;
use std::future::Future;
use std::future::ready;
use std::time::Duration;
use zeroize::Zeroizing;

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
    /// Whether single DES may protect PINs and tracks: a legacy exception.
    pub single_des: bool,
    /// For logs: `software 0.1.0`.
    pub product: String,
}

impl Capabilities {
    /// Whether a station that handles real cards may use this backend.
    ///
    /// # Errors
    /// What is missing, for the operator: PCI PIN requirement 1 wants clear PINs in certified devices
    /// only.
    pub fn fit_for_production(&self) -> Result<(), String> {
        self.profile.fit_for_production().map_err(|why| format!("{} {why}", self.product))
    }
}

impl HsmProfile {
    /// The same of a kind of backend, before there is one.
    ///
    /// # Errors
    /// What is missing, without its subject.
    pub fn fit_for_production(self) -> Result<(), &'static str> {
        match self {
            Self::PinCertified => Ok(()),
            Self::MacOnly => Err("protects keys but not PINs, for a generic PKCS#11 token hands deciphered blocks \
                to its host: PINs of real cards need a PTS HSM"),
            Self::Test => Err("holds keys and PINs in this process, where anybody who reads its memory finds them: \
                PINs of real cards need a PTS HSM"),
        }
    }
}

/// How a backend is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HsmStatus {
    /// For logs: product and version.
    pub product: String,
    /// The check value of the master key, where the backend tells it.
    pub master: Option<Kcv>,
    /// How many opened keys it holds, where that is known.
    pub opened: Option<usize>,
    /// Whether all of its key material is kept from being swapped out, where that is known.
    pub locked: Option<bool>,
}

/// A software HSM's AES-256 master key, in one place in memory: what is moved by value leaves copies behind.
pub type MasterKey = Box<Zeroizing<[u8; 32]>>;

/// A MAC as its scheme writes it into the element: 4 to 16 bytes.
pub type Mac = SmallVec<[u8; 16]>;

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

    /// The check value of a key: its leftmost `length` bytes, 3 or 4, under AES up to 5.
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

    /// How it is.
    fn diagnostics(&self, ctx: &Ctx) -> impl Future<Output = Result<HsmStatus, HsmError>> + Send {
        let _ = ctx;
        ready(Err(HsmError::Unsupported("diagnostics")))
    }

    /// Which of `keys`, tried in their order, made `mac`; `None` if none did.
    fn mac_verify_any<'k>(
        &self,
        ctx: &Ctx,
        keys: &[&'k MacKey],
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> impl Future<Output = Result<Option<&'k MacKey>, HsmError>> + Send {
        async move {
            for &key in keys {
                if self.mac_verify(ctx, key, scheme, data, mac).await? == Verdict::Match {
                    return Ok(Some(key));
                }
            }
            Ok(None)
        }
    }

    /// Checks a MAC under one key and makes another under a second; `None` if the first is no match.
    fn mac_translate(
        &self,
        ctx: &Ctx,
        from: (&MacKey, &MacScheme),
        mac: &[u8],
        to: (&MacKey, &MacScheme),
        data: &[u8],
    ) -> impl Future<Output = Result<Option<Mac>, HsmError>> + Send {
        async move {
            match self.mac_verify(ctx, from.0, from.1, data, mac).await? {
                Verdict::NoMatch => Ok(None),
                Verdict::Match => self.mac_generate(ctx, to.0, to.1, data).await.map(Some),
            }
        }
    }

    /// As [`mac_generate`](Hsm::mac_generate), under a key of one transaction.
    fn mac_generate_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> impl Future<Output = Result<Mac, HsmError>> + Send {
        let _ = (ctx, key, direction, scheme, data);
        ready(Err(HsmError::Unsupported("MACs under DUKPT")))
    }

    /// As [`mac_verify`](Hsm::mac_verify), under a key of one transaction.
    fn mac_verify_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        (data, mac): (&[u8], &[u8]),
    ) -> impl Future<Output = Result<Verdict, HsmError>> + Send {
        let _ = (ctx, key, direction, scheme, data, mac);
        ready(Err(HsmError::Unsupported("MACs under DUKPT")))
    }

    /// Deciphers a track 2 that a device enciphered under its transaction's data key: CBC, `start` is
    /// one cipher block. `None` if what comes out is no track.
    fn track_decrypt_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        start: &[u8],
        cipher: &[u8],
    ) -> impl Future<Output = Result<Option<Track2>, HsmError>> + Send {
        let _ = (ctx, key, start, cipher);
        ready(Err(HsmError::Unsupported("tracks under DUKPT")))
    }

    /// As [`track_decrypt`](Hsm::track_decrypt), under the data key for requests of one transaction.
    fn packed_track_decrypt_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        packed: &[u8],
        digits: usize,
    ) -> impl Future<Output = Result<Option<Track2>, HsmError>> + Send {
        let _ = (ctx, key, packed, digits);
        ready(Err(HsmError::Unsupported("tracks under DUKPT")))
    }

    /// As [`pin_translate`](Hsm::pin_translate), from a key of one transaction.
    fn pin_translate_dukpt(
        &self,
        ctx: &Ctx,
        from: (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> impl Future<Output = Result<EncryptedPinBlock, PinError>> + Send {
        let _ = (ctx, from, to, block, pan);
        ready(Err(HsmError::Unsupported("PIN blocks under DUKPT").into()))
    }

    /// Compares the PIN in `block` with what the issuer keeps.
    fn pin_verify(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: PinMethod<'_>,
    ) -> impl Future<Output = Result<Verdict, PinError>> + Send {
        let _ = (ctx, from, block, pan, method);
        ready(Err(HsmError::Unsupported("PIN verification").into()))
    }

    /// Makes what the issuer keeps of a new PIN, out of an enciphered block.
    fn pin_reference(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> impl Future<Output = Result<PinReference, PinError>> + Send {
        let _ = (ctx, from, block, pan, method);
        ready(Err(HsmError::Unsupported("PIN references").into()))
    }

    /// Makes a card verification value: see [`calculator::cvv`] for expiry and service code.
    fn cvv_generate(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> impl Future<Output = Result<[u8; 3], HsmError>> + Send {
        let _ = (ctx, key, pan, expiry, service_code);
        ready(Err(HsmError::Unsupported("card verification values")))
    }

    /// Compares a card verification value.
    fn cvv_verify(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        (expiry, service_code): (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> impl Future<Output = Result<Verdict, HsmError>> + Send {
        let _ = (ctx, key, pan, expiry, service_code, cvv);
        ready(Err(HsmError::Unsupported("card verification values")))
    }

    /// Compares a dynamic CVC3 of 1 to 5 ASCII digits; `transaction.data` are the static track data.
    fn cvc3_verify(
        &self,
        ctx: &Ctx,
        key: &Cvc3Key,
        card: &EmvCard,
        transaction: &EmvTransaction<'_>,
        cvc3: &[u8],
    ) -> impl Future<Output = Result<Verdict, HsmError>> + Send {
        let _ = (ctx, key, card, transaction, cvc3);
        ready(Err(HsmError::Unsupported("dynamic card verification values")))
    }

    /// Compares a chip card's request cryptogram, and answers it if an answer is asked for. A wrong
    /// cryptogram is never answered.
    fn arqc_verify(
        &self,
        ctx: &Ctx,
        key: &ImkKey,
        (scheme, card): (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        arqc: &[u8; 8],
        answer: Option<&ArpcSpec>,
    ) -> impl Future<Output = Result<ArqcOutcome, HsmError>> + Send {
        let _ = (ctx, key, scheme, card, transaction, arqc, answer);
        ready(Err(HsmError::Unsupported("chip cryptograms")))
    }

    /// Makes the MAC of an issuer script: `command` is its five header bytes and its data.
    fn script_mac(
        &self,
        ctx: &Ctx,
        key: &ScriptKey,
        (scheme, card): (&EmvScheme, &EmvCard),
        (atc, arqc): ([u8; 2], [u8; 8]),
        command: &[u8],
    ) -> impl Future<Output = Result<[u8; 8], HsmError>> + Send {
        let _ = (ctx, key, scheme, card, atc, arqc, command);
        ready(Err(HsmError::Unsupported("issuer scripts")))
    }

    /// Takes in a key block of a peer: attributes are checked against what is expected of it before
    /// its key is used, and it keeps no more than them. `kcv`, if given, must agree.
    fn key_import_block(
        &self,
        ctx: &Ctx,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        under: &BlockKek,
        block: &str,
        kcv: Option<&Kcv>,
    ) -> impl Future<Output = Result<KeyBlock, HsmError>> + Send {
        let _ = (ctx, usage, algorithm, under, block, kcv);
        ready(Err(HsmError::Unsupported("import of key blocks")))
    }

    /// Writes a key for a peer as a key block (X9.143 version D) with the attributes it has.
    fn key_export_block(
        &self,
        ctx: &Ctx,
        key: &KeyRef,
        under: &BlockKek,
    ) -> impl Future<Output = Result<String, HsmError>> + Send {
        let _ = (ctx, key, under);
        ready(Err(HsmError::Unsupported("export of key blocks")))
    }

    /// Derives a device's initial key from a base key, and enciphers it for the device under `kek`.
    fn dukpt_initial_key(
        &self,
        ctx: &Ctx,
        base: &BdKey,
        ksn: &Ksn,
        kek: &Kek,
    ) -> impl Future<Output = Result<(WrappedKey, Kcv), HsmError>> + Send {
        let _ = (ctx, base, ksn, kek);
        ready(Err(HsmError::Unsupported("initial keys of devices")))
    }
}
