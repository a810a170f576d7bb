//! A generic PKCS#11 token: MAC keys, and the key that wraps a software HSM's master key.
//!
//! Its keys never leave it, but it is no PIN device: generic PKCS#11 hands a deciphered PIN block or a
//! derived key to the host. So PIN operations are refused, and [`HsmProfile::MacOnly`] says so.
//!
//! Keys are found by their label, which is their name. A double-length MAC key that makes retail MACs
//! (ISO/IEC 9797-1 algorithm 3) needs its left half beside it, three times over, as `name/left`:
//! [`Pkcs11Hsm::install`] puts both in.

mod context;
mod fault;
mod token;
mod worker;

pub use fault::Pkcs11Fault;

use super::Capabilities;
use super::Ctx;
use super::DataKey;
use super::DataKeyPurpose;
use super::GeneratedKey;
use super::Hsm;
use super::HsmError;
use super::HsmProfile;
use super::HsmStatus;
use super::Kcv;
use super::Kek;
use super::KeyAlgorithm;
use super::KeyBlock;
use super::KeyFault;
use super::KeyName;
use super::KeyRef;
use super::KeyUsage;
use super::Mac;
use super::MacKey;
use super::MasterKey;
use super::OpenedDataKey;
use super::PinError;
use super::PinSource;
use super::PvKey;
use super::Verdict;
use super::WrappedKey;
use super::calculator::equal;
use super::mac_element;
use crate::model::EncryptedPinBlock;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::Track2;
use std::path::PathBuf;
use std::sync::Arc;
use worker::Workers;
use zeroize::Zeroizing;

/// Which token, and how it is worked with. No `Debug`: it holds the token's PIN.
pub struct Pkcs11Setup {
    /// The manufacturer's library, e.g. `/usr/lib/softhsm/libsofthsm2.so`. One in a process.
    pub library: PathBuf,
    /// The token's label.
    pub token: String,
    /// The PIN of its user.
    pub pin: Zeroizing<String>,
    /// Threads, each with a session of its own; at least 1.
    pub workers: usize,
    /// Calls that may wait for a thread; more are [`HsmError::Busy`].
    pub queue: usize,
    /// The key that keeps master keys and sealing keys, if there is one.
    pub sealing: Option<KeyName>,
}

/// An [`Hsm`] for MACs on a PKCS#11 token. Share it behind an `Arc`.
pub struct Pkcs11Hsm {
    capabilities: Capabilities,
    setup: Arc<Pkcs11Setup>,
    workers: Workers,
}

/// Why no PIN goes here.
const NO_PINS: HsmError =
    HsmError::Unsupported("PIN operations: a generic PKCS#11 token hands deciphered PIN blocks to its host");
const NO_BLOCKS: HsmError = HsmError::Unsupported("keys in blocks: a PKCS#11 token keeps its keys itself");

/// What a wrapped master key is bound to.
const MASTER: &[u8] = b"tollgate master key";
const MARK: &str = "pkcs11";

/// A named key, the only kind there is.
fn named(key: &KeyRef) -> Result<String, HsmError> {
    match key {
        KeyRef::Named(name) => Ok(name.as_str().to_owned()),
        KeyRef::Block(_) => Err(NO_BLOCKS),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect())?
}

fn purpose_mark(purpose: DataKeyPurpose) -> &'static str {
    match purpose {
        DataKeyPurpose::Seal => "seal",
        DataKeyPurpose::Token => "token",
    }
}

impl Pkcs11Hsm {
    /// Loads the library if this process has not yet, opens a session a worker and logs in. Blocks.
    ///
    /// # Errors
    /// [`Pkcs11Fault`]: no library, no token, a wrong PIN.
    pub fn start(setup: Pkcs11Setup) -> Result<Self, Pkcs11Fault> {
        let setup = Arc::new(setup);
        let workers = Workers::start(&setup)?;
        let capabilities = Capabilities {
            profile: HsmProfile::MacOnly,
            pin_formats: Vec::new(),
            single_des: false,
            product: "pkcs11".into(),
        };
        Ok(Self { capabilities, setup, workers })
    }

    /// Puts a MAC key from a ceremony into the token; from there it never comes out again.
    ///
    /// # Errors
    /// [`KeyFault::Length`], [`HsmError::Input`] if there is a key of this name already.
    pub async fn install(
        &self,
        ctx: &Ctx,
        name: &KeyName,
        algorithm: KeyAlgorithm,
        clear: Zeroizing<Vec<u8>>,
    ) -> Result<(), HsmError> {
        let name = name.as_str().to_owned();
        self.workers.ask(ctx, move |token| token.install(&name, algorithm, &clear)).await
    }

    /// Makes the AES-256 key that keeps master keys and sealing keys, in the token.
    ///
    /// # Errors
    /// [`HsmError::Input`] if there is a key of this name already.
    pub async fn generate_sealing_key(&self, ctx: &Ctx, name: &KeyName) -> Result<(), HsmError> {
        let name = name.as_str().to_owned();
        self.workers.ask(ctx, move |token| token.generate_sealing_key(&name)).await
    }

    fn sealing_key(&self) -> Result<String, HsmError> {
        let name = self.setup.sealing.as_ref().ok_or(HsmError::Policy("no sealing key is configured"))?;
        Ok(name.as_str().to_owned())
    }

    async fn seal(&self, ctx: &Ctx, what: &[u8], secret: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, HsmError> {
        let (name, bound_to) = (self.sealing_key()?, what.to_vec());
        self.workers.ask(ctx, move |token| token.seal(&name, &bound_to, &secret)).await
    }

    async fn open(&self, ctx: &Ctx, what: &[u8], sealed: Vec<u8>) -> Result<Box<Zeroizing<[u8; 32]>>, HsmError> {
        let (name, bound_to) = (self.sealing_key()?, what.to_vec());
        let clear = self.workers.ask(ctx, move |token| token.open(&name, &bound_to, &sealed)).await?;
        let mut secret = Box::new(Zeroizing::new([0; 32]));
        if clear.len() != secret.len() {
            return Err(HsmError::Key { name: "block".into(), fault: KeyFault::Length });
        }
        secret.copy_from_slice(&clear);
        Ok(secret)
    }

    /// Wraps a software HSM's master key under the token's sealing key, as text for a file.
    ///
    /// # Errors
    /// The key's, or the token's.
    pub async fn wrap_master(&self, ctx: &Ctx, master: &Zeroizing<[u8; 32]>) -> Result<String, HsmError> {
        let sealed = self.seal(ctx, MASTER, Zeroizing::new(master.to_vec())).await?;
        Ok(format!("{MARK}/master/{}", hex(&sealed)))
    }

    /// Undoes [`Pkcs11Hsm::wrap_master`].
    ///
    /// # Errors
    /// [`KeyFault::Block`] if the text was changed, or wrapped by another key.
    pub async fn unwrap_master(&self, ctx: &Ctx, wrapped: &str) -> Result<MasterKey, HsmError> {
        let broken = || HsmError::Key { name: "master".into(), fault: KeyFault::Block };
        let sealed = wrapped.trim().strip_prefix(&format!("{MARK}/master/")).and_then(unhex).ok_or_else(broken)?;
        self.open(ctx, MASTER, sealed).await
    }

    async fn mac(&self, ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Vec<u8>, HsmError> {
        let (name, scheme, data) = (named(&key.0)?, *scheme, data.to_vec());
        self.workers.ask(ctx, move |token| token.mac(&name, &scheme, &data)).await
    }
}

impl Hsm for Pkcs11Hsm {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn mac_generate(&self, ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        Ok(mac_element::write(scheme, &self.mac(ctx, key, scheme, data).await?))
    }

    async fn mac_verify(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> Result<Verdict, HsmError> {
        let computed = self.mac_generate(ctx, key, scheme, data).await?;
        Ok(if equal(&computed, mac) { Verdict::Match } else { Verdict::NoMatch })
    }

    async fn pin_translate(
        &self,
        _ctx: &Ctx,
        _from: PinSource<'_>,
        _to: PinSource<'_>,
        _block: &EncryptedPinBlock,
        _pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        Err(NO_PINS.into())
    }

    async fn pin_verify_pvv(
        &self,
        _ctx: &Ctx,
        _from: PinSource<'_>,
        _block: &EncryptedPinBlock,
        _pan: &Pan,
        _pvk: &PvKey,
        _index_and_pvv: &[u8; 5],
    ) -> Result<Verdict, PinError> {
        Err(NO_PINS.into())
    }

    async fn track_decrypt(
        &self,
        _ctx: &Ctx,
        _key: &DataKey,
        _packed: &[u8],
        _digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        Err(HsmError::Unsupported("enciphered tracks"))
    }

    async fn key_generate(
        &self,
        _ctx: &Ctx,
        _usage: KeyUsage,
        _algorithm: KeyAlgorithm,
        _kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        Err(NO_BLOCKS)
    }

    async fn key_import(
        &self,
        _ctx: &Ctx,
        _usage: KeyUsage,
        _algorithm: KeyAlgorithm,
        _kek: &Kek,
        _wrapped: &WrappedKey,
        _kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        Err(NO_BLOCKS)
    }

    async fn key_export(&self, _ctx: &Ctx, key: &KeyRef, _kek: &Kek) -> Result<WrappedKey, HsmError> {
        Err(HsmError::Key { name: named(key)?, fault: KeyFault::NotExportable })
    }

    async fn key_check_value(&self, ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        let name = named(key)?;
        let value = self.workers.ask(ctx, move |token| token.check_value(&name)).await?;
        // A DES family key's is a whole block of eight bytes, of which four may be told.
        let most = if value.len() == 8 { 4 } else { 5 };
        let told = value.get(..length).filter(|_| length <= most).and_then(Kcv::new);
        told.ok_or(HsmError::Input("check value length"))
    }

    async fn data_key_new(&self, ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        let mut clear = Box::new(Zeroizing::new([0; 32]));
        self.random(ctx, clear.as_mut_slice()).await?;
        let mark = purpose_mark(purpose);
        let sealed = self.seal(ctx, mark.as_bytes(), Zeroizing::new(clear.to_vec())).await?;
        let block = KeyBlock::new(&format!("{MARK}/{mark}/{}", hex(&sealed)));
        Ok((block, OpenedDataKey::new(purpose, clear)))
    }

    async fn data_key_open(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        let broken = || HsmError::Key { name: "block".into(), fault: KeyFault::Block };
        let mark = purpose_mark(purpose);
        let sealed = block.as_str().strip_prefix(&format!("{MARK}/{mark}/")).and_then(unhex).ok_or_else(broken)?;
        Ok(OpenedDataKey::new(purpose, self.open(ctx, mark.as_bytes(), sealed).await?))
    }

    async fn random(&self, ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        let length = out.len();
        let drawn = self.workers.ask(ctx, move |token| token.random(length)).await?;
        out.copy_from_slice(&drawn);
        Ok(())
    }

    async fn diagnostics(&self, ctx: &Ctx) -> Result<HsmStatus, HsmError> {
        // Whatever a token cannot do, it can do this.
        self.workers.ask(ctx, |token| token.random(8)).await?;
        let product = format!("pkcs11 token {}", self.setup.token);
        Ok(HsmStatus { product, master: None, opened: None, locked: None })
    }
}
