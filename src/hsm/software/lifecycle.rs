//! Making, taking in and giving out keys.

use super::SoftwareHsm;
use super::attributes;
use super::attributes::Attributes;
use super::attributes::Use;
use super::refuse;
use crate::hsm::BlockKek;
use crate::hsm::DataKeyPurpose;
use crate::hsm::GeneratedKey;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::OpenedDataKey;
use crate::hsm::WrappedKey;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::keys::check_value;
use crate::hsm::calculator::keys::has_odd_parity;
use crate::hsm::calculator::keys::has_weak_part;
use crate::hsm::calculator::keys::is_short;
use crate::hsm::calculator::keys::is_weak;
use crate::hsm::calculator::keys::set_odd_parity;
use crate::hsm::calculator::keys::strength;
use crate::hsm::calculator::keys::unwrap_ecb;
use crate::hsm::calculator::keys::wrap_ecb;
use crate::hsm::calculator::tr31::BlockFault;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::calculator::tr31::KeyBlockKey;
use zeroize::Zeroizing;

/// A fault of a key that travels.
pub(super) fn travelling(fault: KeyFault) -> HsmError {
    HsmError::Key { name: "block".into(), fault }
}

/// Most characters of optional blocks that come in with a key, and stay with it.
const OPTIONAL_MOST: usize = 512;

/// What is wrong with a peer's block. Whoever sent it holds the key that protects it: the difference tells it nothing.
fn block_fault(fault: BlockFault) -> KeyFault {
    match fault {
        BlockFault::Mac => KeyFault::Block,
        BlockFault::Format | BlockFault::Length => KeyFault::Format,
    }
}

/// The check value of a key by its family's own method.
pub(super) fn kcv(key: &CipherKey, length: usize) -> Result<Kcv, HsmError> {
    check_value(key, KcvMethod::usual(key), length).map_err(|_| HsmError::Input("check value length"))
}

/// Whether `algorithm` is AES.
pub(super) fn is_aes(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256)
}

impl SoftwareHsm {
    /// Writes a key as a block.
    pub(super) fn block_of(&self, header: &Header, key: &[u8]) -> Result<KeyBlock, HsmError> {
        let mut padding = Zeroizing::new(vec![0; header.padding(key.len())]);
        self.entropy.fill(&mut padding);
        let block = self.protection()?.wrap(header, key, &padding).map_err(|_| travelling(KeyFault::Length))?;
        Ok(KeyBlock::new(&block))
    }

    /// Writes a clear key as a block under the master key: how a list keeps keys that a ceremony put together.
    ///
    /// # Errors
    /// [`HsmError::Key`] if it is not for this usage, or a shorter key in disguise.
    pub fn keep(
        &self,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        clear: &Zeroizing<Vec<u8>>,
    ) -> Result<KeyBlock, HsmError> {
        if !attributes::fits(usage, algorithm, self.single_des) {
            return Err(travelling(KeyFault::Algorithm));
        }
        if clear.len() != algorithm.key_length() {
            return Err(travelling(KeyFault::Length));
        }
        self.acceptable((usage, algorithm), clear, None)?;
        self.block_of(&attributes::header(usage, algorithm, attributes::exportability(usage)), clear)
    }

    /// Draws a key that is not weak; one of the DES family has odd parity, which what takes it in may insist on.
    fn draw(&self, algorithm: KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let mut key = Zeroizing::new(vec![0; algorithm.key_length()]);
        for _ in 0..16 {
            self.entropy.fill(&mut key);
            if !is_aes(algorithm) {
                set_odd_parity(&mut key);
            }
            if !is_weak(algorithm, &key) {
                return Ok(key);
            }
        }
        Err(HsmError::Backend("entropy".into()))
    }

    /// Enciphers `key` under `kek`, which must be at least as strong.
    fn wrap_under(&self, kek: &Kek, algorithm: KeyAlgorithm, key: &[u8]) -> Result<WrappedKey, HsmError> {
        let under = self.load_for(&kek.0, Use::WrapKey)?;
        if strength(under.attributes.algorithm) < strength(algorithm) {
            return Err(refuse(&kek.0, KeyFault::NotExportable));
        }
        let cipher = wrap_ecb(&under.cipher, key).map_err(|_| travelling(KeyFault::Length))?;
        Ok(WrappedKey::new(cipher.into()))
    }

    /// See [`Hsm::key_generate`](crate::hsm::Hsm::key_generate).
    pub(super) fn generate(
        &self,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        if !attributes::fits(usage, algorithm, self.single_des) {
            return Err(travelling(KeyFault::Algorithm));
        }
        let key = self.draw(algorithm)?;
        let cipher = CipherKey::new(algorithm, &key).map_err(|_| travelling(KeyFault::Length))?;
        let wrapped = kek.map(|kek| self.wrap_under(kek, algorithm, &key)).transpose()?;
        let header = attributes::header(usage, algorithm, attributes::exportability(usage));
        let block = self.block_of(&header, &key)?;
        Ok(GeneratedKey { block, wrapped, kcv: kcv(&cipher, if is_aes(algorithm) { 5 } else { 4 })? })
    }

    /// See [`Hsm::key_import`](crate::hsm::Hsm::key_import).
    pub(super) fn import(
        &self,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        kek: &Kek,
        wrapped: &WrappedKey,
        expected: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        let under = self.load_for(&kek.0, Use::UnwrapKey)?;
        if !attributes::fits(usage, algorithm, self.single_des) {
            return Err(travelling(KeyFault::Algorithm));
        }
        if strength(under.attributes.algorithm) < strength(algorithm) {
            return Err(refuse(&kek.0, KeyFault::NotExportable));
        }
        if wrapped.as_bytes().len() != algorithm.key_length() {
            return Err(travelling(KeyFault::Length));
        }
        let key = unwrap_ecb(&under.cipher, wrapped.as_bytes()).map_err(|_| travelling(KeyFault::Length))?;
        self.acceptable((usage, algorithm), &key, expected)?;
        self.block_of(&attributes::header(usage, algorithm, b'N'), &key)
    }

    /// Whether a key that came in is one: its check value, its parity if the policy asks for it, that no part of it is
    /// weak and that it is no shorter key in disguise.
    pub(super) fn acceptable(
        &self,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        key: &[u8],
        expected: Option<&Kcv>,
    ) -> Result<(), HsmError> {
        let cipher = CipherKey::new(algorithm, key).map_err(|_| travelling(KeyFault::Length))?;
        if let Some(expected) = expected
            && !equal(kcv(&cipher, expected.as_bytes().len())?.as_bytes(), expected.as_bytes())
        {
            return Err(travelling(KeyFault::CheckValue));
        }
        if is_aes(algorithm) {
            return Ok(());
        }
        if self.odd_parity && !has_odd_parity(key) {
            return Err(travelling(KeyFault::Parity));
        }
        if has_weak_part(key) {
            return Err(travelling(KeyFault::Weak));
        }
        if usage != KeyUsage::Mac && is_short(key) {
            return Err(travelling(KeyFault::Masquerade));
        }
        Ok(())
    }

    /// See [`Hsm::key_import_block`](crate::hsm::Hsm::key_import_block). MAC first, then attributes,
    /// then the key.
    pub(super) fn import_block(
        &self,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        under: &BlockKek,
        block: &str,
        expected: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        let protection = self.load_for(&under.0, Use::UnwrapBlock)?;
        let (header, _) = Header::parse(block).map_err(|_| travelling(KeyFault::Format))?;
        if header.optional.len() > OPTIONAL_MOST {
            return Err(travelling(KeyFault::Format));
        }
        let form = header.form;
        if matches!(form, Form::A | Form::C) && !self.variant_blocks {
            return Err(HsmError::Policy("key blocks of versions A and C are not taken in"));
        }
        if is_aes(protection.attributes.algorithm) != (form == Form::D) {
            return Err(refuse(&under.0, KeyFault::Algorithm));
        }
        let opener =
            KeyBlockKey::with_form(form, &protection.clear).map_err(|_| refuse(&under.0, KeyFault::Algorithm))?;
        let (header, key) = opener.unwrap(block).map_err(|fault| travelling(block_fault(fault)))?;
        let attributes = Attributes::read(&header, key.len(), self.single_des).map_err(travelling)?;
        let mode = attributes.kept_mode().filter(|_| attributes.usage == usage);
        let mode = mode.ok_or_else(|| travelling(KeyFault::Usage))?;
        if attributes.algorithm != algorithm {
            return Err(travelling(KeyFault::Algorithm));
        }
        if strength(protection.attributes.algorithm) < strength(algorithm) {
            return Err(refuse(&under.0, KeyFault::NotExportable));
        }
        self.acceptable((usage, algorithm), &key, expected)?;
        let kept = header.in_form(Form::D).map_err(|_| travelling(KeyFault::Format))?;
        self.block_of(&Header { mode, ..kept }, &key)
    }

    /// See [`Hsm::key_export_block`](crate::hsm::Hsm::key_export_block).
    pub(super) fn export_block(&self, key: &KeyRef, under: &BlockKek) -> Result<String, HsmError> {
        let loaded = self.load(key)?;
        let protection = self.load_for(&under.0, Use::WrapBlock)?;
        let algorithm = loaded.attributes.algorithm;
        if !is_aes(protection.attributes.algorithm) {
            return Err(refuse(&under.0, KeyFault::Algorithm));
        }
        let strong = strength(protection.attributes.algorithm) >= strength(algorithm);
        if !strong || !loaded.attributes.may_leave_in_a_block() {
            return Err(refuse(key, KeyFault::NotExportable));
        }
        let writer = KeyBlockKey::new(&protection.clear).map_err(|_| refuse(&under.0, KeyFault::Algorithm))?;
        let header = loaded.attributes.header();
        let mut padding = Zeroizing::new(vec![0; header.padding(loaded.clear.len())]);
        self.entropy.fill(&mut padding);
        writer.wrap(&header, &loaded.clear, &padding).map_err(|_| travelling(KeyFault::Length))
    }

    /// A key for a peer: under its key encrypting key, with its check value.
    pub(super) fn handed_out(
        &self,
        kek: &Kek,
        algorithm: KeyAlgorithm,
        key: &[u8],
    ) -> Result<(WrappedKey, Kcv), HsmError> {
        let cipher = CipherKey::new(algorithm, key).map_err(|_| travelling(KeyFault::Length))?;
        Ok((self.wrap_under(kek, algorithm, key)?, kcv(&cipher, if is_aes(algorithm) { 5 } else { 3 })?))
    }

    /// See [`Hsm::key_export`](crate::hsm::Hsm::key_export).
    pub(super) fn export(&self, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        let loaded = self.load(key)?;
        if !loaded.attributes.may_leave_bare() {
            return Err(refuse(key, KeyFault::NotExportable));
        }
        self.wrap_under(kek, loaded.attributes.algorithm, &loaded.clear)
    }

    /// See [`Hsm::key_check_value`](crate::hsm::Hsm::key_check_value).
    pub(super) fn check_value(&self, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        kcv(&self.load(key)?.cipher, length)
    }

    /// See [`Hsm::data_key_new`](crate::hsm::Hsm::data_key_new).
    pub(super) fn new_data_key(&self, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        let mut clear = Box::new(Zeroizing::new([0; 32]));
        self.entropy.fill(clear.as_mut_slice());
        let block = self.block_of(&attributes::data_key_header(purpose), clear.as_slice())?;
        Ok((block, OpenedDataKey::new(purpose, clear)))
    }

    /// See [`Hsm::data_key_open`](crate::hsm::Hsm::data_key_open).
    pub(super) fn open_data_key(&self, purpose: DataKeyPurpose, block: &KeyBlock) -> Result<OpenedDataKey, HsmError> {
        let (header, bytes) = self.protection()?.unwrap(block.as_str()).map_err(|_| travelling(KeyFault::Block))?;
        if header != attributes::data_key_header(purpose) {
            return Err(travelling(KeyFault::Usage));
        }
        let mut clear = Box::new(Zeroizing::new([0; 32]));
        if bytes.len() != clear.len() {
            return Err(travelling(KeyFault::Length));
        }
        clear.copy_from_slice(&bytes);
        Ok(OpenedDataKey::new(purpose, clear))
    }
}
