//! The HSM in process. For tests, development and small trusted hosts: it protects no PIN from
//! whoever can read this process, and says so ([`HsmProfile::Test`]).
//!
//! Keys that travel do so as X9.143 version D blocks under an AES-256 master key, whose header is
//! the policy. What was opened once is kept with its schedule in a bounded cache, which the system is
//! asked not to swap out; this process writes no core dumps.

mod arena;
mod attributes;
mod backend;
mod cards;
mod ceremony;
mod lifecycle;
mod pin;
mod transaction;

pub use ceremony::{Ceremony, Component, MOST_COMPONENTS, Progress};

use super::Capabilities;
use super::HsmError;
use super::HsmProfile;
use super::HsmStatus;
use super::Kcv;
use super::KeyAlgorithm;
use super::KeyBlock;
use super::KeyFault;
use super::KeyName;
use super::KeyRef;
use super::KeyUsage;
use super::MasterKey;
use super::TranslationPolicy;
use super::calculator::CipherKey;
use super::calculator::ibm::DecimalizationTable;
use super::calculator::keys::KcvMethod;
use super::calculator::keys::check_value;
use super::calculator::tr31::KeyBlockKey;
use super::memory::Locked;
use super::memory::forbid_core_dumps;
use super::memory::swept;
use crate::model::Entropy;
use crate::model::PinFormat;
use arena::Arena;
use arena::Loaded;
use arena::Opened;
use attributes::Use;
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How many opened working keys are kept unless the builder is told otherwise.
const CACHED: usize = 16_384;

/// An [`Hsm`](super::Hsm) in this process. Cheap to share behind an `Arc`; never blocks.
pub struct SoftwareHsm {
    capabilities: Capabilities,
    policy: TranslationPolicy,
    decimalization: DecimalizationTable,
    single_des: bool,
    odd_parity: bool,
    variant_blocks: bool,
    protection: Locked<KeyBlockKey>,
    master_check: Option<Kcv>,
    named: Locked<Loaded>,
    /// Where named keys are, or why they were left out.
    places: HashMap<KeyName, Result<usize, KeyFault>>,
    opened: Arena,
    entropy: Arc<dyn Entropy>,
}

/// Collects master key, named keys and switches of a [`SoftwareHsm`].
pub struct SoftwareHsmBuilder {
    master: MasterKey,
    entropy: Arc<dyn Entropy>,
    policy: TranslationPolicy,
    decimalization: DecimalizationTable,
    single_des: bool,
    odd_parity: bool,
    variant_blocks: bool,
    lenient: bool,
    cached: usize,
    clear: Vec<(KeyName, KeyUsage, KeyAlgorithm, Zeroizing<Vec<u8>>)>,
    blocks: Vec<(KeyName, KeyBlock)>,
}

impl SoftwareHsm {
    /// Starts one with its randomness and its AES-256 master key, by value: for a test key, of which copies may stay
    /// behind.
    #[must_use]
    pub fn builder(entropy: Arc<dyn Entropy>, master: Zeroizing<[u8; 32]>) -> SoftwareHsmBuilder {
        Self::under(entropy, Box::new(master))
    }

    /// Starts one with its randomness and its master key, which stays where it is until it is wiped.
    #[must_use]
    pub fn under(entropy: Arc<dyn Entropy>, master: MasterKey) -> SoftwareHsmBuilder {
        SoftwareHsmBuilder {
            master,
            entropy,
            policy: TranslationPolicy::default(),
            decimalization: DecimalizationTable::USUAL,
            single_des: false,
            odd_parity: false,
            variant_blocks: false,
            lenient: false,
            cached: CACHED,
            clear: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// How many opened working keys are held; never more than the builder allowed. While keys come and go one may be
    /// counted before it goes, and the one in its place after it came.
    #[must_use]
    pub fn cached_keys(&self) -> usize {
        self.opened.len()
    }

    /// See [`Hsm::diagnostics`](crate::hsm::Hsm::diagnostics).
    fn status(&self) -> HsmStatus {
        HsmStatus {
            product: self.capabilities.product.clone(),
            master: self.master_check.clone(),
            opened: Some(self.opened.len()),
            locked: Some(self.protection.is_locked() && self.named.is_locked() && self.opened.is_locked()),
        }
    }

    /// The key that protects blocks at rest.
    fn protection(&self) -> Result<&KeyBlockKey, HsmError> {
        self.protection.first().ok_or(HsmError::Unavailable)
    }

    /// The opened key behind a reference.
    fn load(&self, key: &KeyRef) -> Result<Opened<'_>, HsmError> {
        match key {
            KeyRef::Named(name) => {
                let place = self.places.get(name).copied().unwrap_or(Err(KeyFault::Missing));
                let loaded = place.and_then(|place| self.named.get(place).ok_or(KeyFault::Missing));
                loaded.map(Opened::Named).map_err(|fault| refuse(key, fault))
            }
            KeyRef::Block(block) => match self.opened.get(block) {
                Some(opened) => Ok(opened),
                None => swept(|| Ok(self.opened.put(block.clone(), self.open(block)?))),
            },
        }
    }

    /// What a key is: what its block says, and its length.
    ///
    /// # Errors
    /// [`HsmError::Key`] if there is none, or it does not hold.
    pub fn kind_of(&self, key: &KeyRef) -> Result<(KeyUsage, KeyAlgorithm), HsmError> {
        let loaded = self.load(key)?;
        Ok((loaded.attributes.usage, loaded.attributes.algorithm))
    }

    /// The opened key behind a reference, if its attributes allow `what`.
    fn load_for(&self, key: &KeyRef, what: Use) -> Result<Opened<'_>, HsmError> {
        let loaded = self.load(key)?;
        if loaded.attributes.allow(what) { Ok(loaded) } else { Err(refuse(key, KeyFault::Usage)) }
    }

    /// Opens a block, and checks that its attributes and its key fit each other.
    fn open(&self, block: &KeyBlock) -> Result<Loaded, HsmError> {
        opened(self.protection()?, block, self.single_des)
            .map_err(|fault| HsmError::Key { name: "block".into(), fault })
    }
}

/// Opens a block under the master key.
fn opened(protection: &KeyBlockKey, block: &KeyBlock, single_des: bool) -> Result<Loaded, KeyFault> {
    let (header, clear) = protection.unwrap(block.as_str()).map_err(|_| KeyFault::Block)?;
    Loaded::new(&header, &clear, single_des)
}

/// A fault of the key that `key` names.
fn refuse(key: &KeyRef, fault: KeyFault) -> HsmError {
    let name = match key {
        KeyRef::Named(name) => name.as_str().to_owned(),
        KeyRef::Block(_) => "block".to_owned(),
    };
    HsmError::Key { name, fault }
}

impl SoftwareHsmBuilder {
    /// Adds a named key in clear: test keys, and keys that a ceremony put together. A key encrypting
    /// key is never exportable, any other is.
    #[must_use]
    pub fn key(mut self, name: KeyName, usage: KeyUsage, algorithm: KeyAlgorithm, clear: Zeroizing<Vec<u8>>) -> Self {
        self.clear.push((name, usage, algorithm, clear));
        self
    }

    /// Adds a named key as a block under this master key.
    #[must_use]
    pub fn block(mut self, name: KeyName, block: KeyBlock) -> Self {
        self.blocks.push((name, block));
        self
    }

    /// Replaces the default PIN translation policy.
    #[must_use]
    pub fn policy(mut self, policy: TranslationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets single DES protect PINs and tracks too, against PCI PIN 2-3. For terminals that know
    /// nothing better, on a test host.
    #[must_use]
    pub fn legacy_single_des(mut self) -> Self {
        self.single_des = true;
        self
    }

    /// Replaces the decimalization table of IBM 3624 PINs.
    #[must_use]
    pub fn decimalization(mut self, table: DecimalizationTable) -> Self {
        self.decimalization = table;
        self
    }

    /// Refuses to take in DES family keys with a byte of even parity.
    #[must_use]
    pub fn odd_parity(mut self) -> Self {
        self.odd_parity = true;
        self
    }

    /// Takes in key blocks of the withdrawn versions A and C too.
    #[must_use]
    pub fn variant_blocks(mut self) -> Self {
        self.variant_blocks = true;
        self
    }

    /// Leaves out named keys that do not hold, instead of failing at the first. Whoever asks for one is told why.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// How many opened working keys to keep, at least 1.
    #[must_use]
    pub fn cached(mut self, keys: usize) -> Self {
        self.cached = keys.max(1);
        self
    }

    /// Puts it together. A name that was given twice keeps its last key.
    ///
    /// # Errors
    /// [`HsmError::Key`] naming the first key whose length, algorithm, usage or block does not hold, unless it is
    /// [`lenient`](Self::lenient); [`HsmError::Policy`] for a decimalization table that gives PINs away.
    pub fn build(self) -> Result<SoftwareHsm, HsmError> {
        if !self.decimalization.is_balanced() {
            return Err(HsmError::Policy("a decimalization table with too few different digits"));
        }
        forbid_core_dumps();
        swept(|| self.opened())
    }

    /// Opens everything that was given.
    fn opened(self) -> Result<SoftwareHsm, HsmError> {
        let master = CipherKey::new(KeyAlgorithm::Aes256, self.master.as_slice());
        let master_check = master.and_then(|key| check_value(&key, KcvMethod::CmacZeros, 3)).ok();
        let protection = KeyBlockKey::new(self.master.as_slice())
            .map_err(|_| HsmError::Key { name: "master".into(), fault: KeyFault::Length })?;
        let (mut named, mut places) = (Vec::with_capacity(self.clear.len() + self.blocks.len()), HashMap::new());
        let mut put = |name: KeyName, loaded: Result<Loaded, KeyFault>| {
            let place = match loaded {
                Ok(loaded) => {
                    named.push(loaded);
                    Ok(named.len() - 1)
                }
                Err(fault) if self.lenient => Err(fault),
                Err(fault) => return Err(HsmError::Key { name: name.as_str().to_owned(), fault }),
            };
            places.insert(name, place);
            Ok(())
        };
        for (name, usage, algorithm, clear) in self.clear {
            let header = attributes::header(usage, algorithm, attributes::exportability(usage));
            let loaded = match clear.len() == algorithm.key_length() {
                true => Loaded::new(&header, &clear, self.single_des),
                false => Err(KeyFault::Length),
            };
            put(name, loaded)?;
        }
        for (name, block) in self.blocks {
            let loaded = opened(&protection, &block, self.single_des);
            put(name, loaded)?;
        }
        Ok(SoftwareHsm {
            capabilities: Capabilities {
                profile: HsmProfile::Test,
                pin_formats: vec![PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso3, PinFormat::Iso4],
                single_des: self.single_des,
                product: concat!("software ", env!("CARGO_PKG_VERSION")).into(),
            },
            policy: self.policy,
            decimalization: self.decimalization,
            single_des: self.single_des,
            odd_parity: self.odd_parity,
            variant_blocks: self.variant_blocks,
            protection: Locked::new(Box::new([protection])),
            master_check,
            named: Locked::new(named.into_boxed_slice()),
            places,
            opened: Arena::new(self.cached),
            entropy: self.entropy,
        })
    }
}
