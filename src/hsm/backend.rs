//! One of the HSMs, chosen by configuration: flows see a [`Hsm`], whichever it is. Every call is counted
//! by how it ended.

use super::BdKey;
use super::BlockKek;
use super::Capabilities;
use super::Ctx;
use super::CvKey;
use super::Cvc3Key;
use super::DataKey;
use super::DataKeyPurpose;
use super::Direction;
use super::DukptKey;
use super::GeneratedKey;
use super::Hsm;
use super::HsmError;
use super::HsmStatus;
use super::ImkKey;
use super::Kcv;
use super::Kek;
use super::KeyAlgorithm;
use super::KeyBlock;
use super::KeyRef;
use super::KeyUsage;
use super::Mac;
use super::MacKey;
use super::OpenedDataKey;
use super::PinError;
use super::PinMethod;
use super::PinOrigin;
use super::PinReference;
use super::PinSource;
use super::PvKey;
use super::ReferenceMethod;
use super::ScriptKey;
use super::Verdict;
use super::WrappedKey;
use super::emv::ArpcSpec;
use super::emv::ArqcOutcome;
use super::emv::EmvCard;
use super::emv::EmvScheme;
use super::emv::EmvTransaction;
use super::payshield::PayshieldHsm;
use super::pkcs11::Pkcs11Hsm;
use super::software::SoftwareHsm;
use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Which one it is.
pub enum Which {
    /// In this process.
    Software(SoftwareHsm),
    /// On the network, by host commands.
    Payshield(PayshieldHsm),
    /// A PKCS#11 token.
    Pkcs11(Pkcs11Hsm),
}

/// The HSM of a station. Share it behind an `Arc`.
pub struct Backend {
    which: Which,
    counts: Counts,
}

/// How calls ended so far. What [`HsmError`] tells apart is told apart here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HsmCounts {
    /// All calls.
    pub calls: u64,
    /// No backend answered.
    pub unavailable: u64,
    /// It did not answer in time.
    pub timed_out: u64,
    /// Its queue was full.
    pub busy: u64,
    /// A key was missing or wrong.
    pub key: u64,
    /// The backend has no such operation.
    pub unsupported: u64,
    /// The policy forbids it.
    pub policy: u64,
    /// A bad call: our bug.
    pub input: u64,
    /// The backend's own error, an unreadable answer among them.
    pub backend: u64,
    /// PIN blocks whose content did not hold.
    pub pin_blocks: u64,
}

impl HsmCounts {
    /// Calls that failed, the contents of PIN blocks apart.
    #[must_use]
    pub fn faults(&self) -> u64 {
        let Self { unavailable, timed_out, busy, key, unsupported, policy, input, backend, .. } = self;
        unavailable + timed_out + busy + key + unsupported + policy + input + backend
    }
}

#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    unavailable: AtomicU64,
    timed_out: AtomicU64,
    busy: AtomicU64,
    key: AtomicU64,
    unsupported: AtomicU64,
    policy: AtomicU64,
    input: AtomicU64,
    backend: AtomicU64,
    pin_blocks: AtomicU64,
}

/// An error that can be counted.
trait Counted {
    fn counter<'c>(&self, counts: &'c Counts) -> &'c AtomicU64;
}

impl Counted for HsmError {
    fn counter<'c>(&self, counts: &'c Counts) -> &'c AtomicU64 {
        match self {
            Self::Unavailable => &counts.unavailable,
            Self::Timeout => &counts.timed_out,
            Self::Busy => &counts.busy,
            Self::Key { .. } => &counts.key,
            Self::Unsupported(_) => &counts.unsupported,
            Self::Policy(_) => &counts.policy,
            Self::Input(_) => &counts.input,
            Self::Backend(_) => &counts.backend,
        }
    }
}

impl Counted for PinError {
    fn counter<'c>(&self, counts: &'c Counts) -> &'c AtomicU64 {
        match self {
            Self::Block => &counts.pin_blocks,
            Self::Hsm(fault) => fault.counter(counts),
        }
    }
}

impl Backend {
    /// Takes one.
    #[must_use]
    pub fn new(which: Which) -> Self {
        Self { which, counts: Counts::default() }
    }

    /// Which one it is, for what only one of them has.
    #[must_use]
    pub fn which(&self) -> &Which {
        &self.which
    }

    /// How calls ended so far.
    #[must_use]
    pub fn counts(&self) -> HsmCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        HsmCounts {
            calls: read(&counts.calls),
            unavailable: read(&counts.unavailable),
            timed_out: read(&counts.timed_out),
            busy: read(&counts.busy),
            key: read(&counts.key),
            unsupported: read(&counts.unsupported),
            policy: read(&counts.policy),
            input: read(&counts.input),
            backend: read(&counts.backend),
            pin_blocks: read(&counts.pin_blocks),
        }
    }

    fn count<T, E: Counted>(&self, done: Result<T, E>) -> Result<T, E> {
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        done.inspect_err(|fault| {
            fault.counter(&self.counts).fetch_add(1, Ordering::Relaxed);
        })
    }
}

/// Hands a call on to the one there is.
macro_rules! ask {
    ($backend:expr, $call:ident($($argument:expr),*)) => {
        $backend.count(match &$backend.which {
            Which::Software(hsm) => hsm.$call($($argument),*).await,
            Which::Payshield(hsm) => hsm.$call($($argument),*).await,
            Which::Pkcs11(hsm) => hsm.$call($($argument),*).await,
        })
    };
}

impl Hsm for Backend {
    fn capabilities(&self) -> &Capabilities {
        match &self.which {
            Which::Software(hsm) => hsm.capabilities(),
            Which::Payshield(hsm) => hsm.capabilities(),
            Which::Pkcs11(hsm) => hsm.capabilities(),
        }
    }

    async fn mac_generate(&self, ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        ask!(self, mac_generate(ctx, key, scheme, data))
    }

    async fn mac_verify(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> Result<Verdict, HsmError> {
        ask!(self, mac_verify(ctx, key, scheme, data, mac))
    }

    async fn pin_translate(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        ask!(self, pin_translate(ctx, from, to, block, pan))
    }

    async fn pin_verify_pvv(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        pvk: &PvKey,
        index_and_pvv: &[u8; 5],
    ) -> Result<Verdict, PinError> {
        ask!(self, pin_verify_pvv(ctx, from, block, pan, pvk, index_and_pvv))
    }

    async fn track_decrypt(
        &self,
        ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        ask!(self, track_decrypt(ctx, key, packed, digits))
    }

    async fn key_generate(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        ask!(self, key_generate(ctx, usage, algorithm, kek))
    }

    async fn key_import(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: &Kek,
        wrapped: &WrappedKey,
        kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        ask!(self, key_import(ctx, usage, algorithm, kek, wrapped, kcv))
    }

    async fn key_export(&self, ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        ask!(self, key_export(ctx, key, kek))
    }

    async fn key_check_value(&self, ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        ask!(self, key_check_value(ctx, key, length))
    }

    async fn data_key_new(&self, ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        ask!(self, data_key_new(ctx, purpose))
    }

    async fn data_key_open(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        ask!(self, data_key_open(ctx, purpose, block))
    }

    async fn random(&self, ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        ask!(self, random(ctx, out))
    }

    async fn diagnostics(&self, ctx: &Ctx) -> Result<HsmStatus, HsmError> {
        ask!(self, diagnostics(ctx))
    }

    async fn mac_generate_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        ask!(self, mac_generate_dukpt(ctx, key, direction, scheme, data))
    }

    async fn mac_verify_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        message: (&[u8], &[u8]),
    ) -> Result<Verdict, HsmError> {
        ask!(self, mac_verify_dukpt(ctx, key, direction, scheme, message))
    }

    async fn track_decrypt_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        start: &[u8],
        cipher: &[u8],
    ) -> Result<Option<Track2>, HsmError> {
        ask!(self, track_decrypt_dukpt(ctx, key, start, cipher))
    }

    async fn packed_track_decrypt_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        ask!(self, packed_track_decrypt_dukpt(ctx, key, packed, digits))
    }

    async fn pin_translate_dukpt(
        &self,
        ctx: &Ctx,
        from: (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        ask!(self, pin_translate_dukpt(ctx, from, to, block, pan))
    }

    async fn pin_verify(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: PinMethod<'_>,
    ) -> Result<Verdict, PinError> {
        ask!(self, pin_verify(ctx, from, block, pan, method))
    }

    async fn pin_reference(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> Result<PinReference, PinError> {
        ask!(self, pin_reference(ctx, from, block, pan, method))
    }

    async fn cvv_generate(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        ask!(self, cvv_generate(ctx, key, pan, expiry, service_code))
    }

    async fn cvv_verify(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        dates: (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> Result<Verdict, HsmError> {
        ask!(self, cvv_verify(ctx, key, pan, dates, cvv))
    }

    async fn cvc3_verify(
        &self,
        ctx: &Ctx,
        key: &Cvc3Key,
        card: &EmvCard,
        transaction: &EmvTransaction<'_>,
        cvc3: &[u8],
    ) -> Result<Verdict, HsmError> {
        ask!(self, cvc3_verify(ctx, key, card, transaction, cvc3))
    }

    async fn arqc_verify(
        &self,
        ctx: &Ctx,
        key: &ImkKey,
        of: (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        arqc: &[u8; 8],
        answer: Option<&ArpcSpec>,
    ) -> Result<ArqcOutcome, HsmError> {
        ask!(self, arqc_verify(ctx, key, of, transaction, arqc, answer))
    }

    async fn script_mac(
        &self,
        ctx: &Ctx,
        key: &ScriptKey,
        of: (&EmvScheme, &EmvCard),
        transaction: ([u8; 2], [u8; 8]),
        command: &[u8],
    ) -> Result<[u8; 8], HsmError> {
        ask!(self, script_mac(ctx, key, of, transaction, command))
    }

    async fn key_import_block(
        &self,
        ctx: &Ctx,
        spec: (KeyUsage, KeyAlgorithm),
        under: &BlockKek,
        block: &str,
        kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        ask!(self, key_import_block(ctx, spec, under, block, kcv))
    }

    async fn key_export_block(&self, ctx: &Ctx, key: &KeyRef, under: &BlockKek) -> Result<String, HsmError> {
        ask!(self, key_export_block(ctx, key, under))
    }

    async fn dukpt_initial_key(
        &self,
        ctx: &Ctx,
        base: &BdKey,
        ksn: &Ksn,
        kek: &Kek,
    ) -> Result<(WrappedKey, Kcv), HsmError> {
        ask!(self, dukpt_initial_key(ctx, base, ksn, kek))
    }
}
