//! Card numbers at rest: AES-256-GCM and HMAC-SHA-256 under data keys that the HSM opened.

use super::HsmError;
use super::KeyFault;
use crate::model::Entropy;
use crate::model::Pan;
use crate::model::PanToken;
use crate::model::SealFault;
use crate::model::SealedPan;
use crate::model::Sealer;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::KeyInit;
use aes_gcm::aead::inout::InOutBuf;
use bytes::Bytes;
use hmac::Hmac;
use hmac::Mac;
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What an opened data key is for. One key, one purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DataKeyPurpose {
    /// Seals PANs (TR-31 usage D0, AES-256): one a business day.
    Seal,
    /// Makes tokens and content hashes (TR-31 usage M7, HMAC-SHA-256): one a station.
    Token,
}

/// A data key in clear, for a [`DataKeySealer`] only: no `Debug`, no `Clone`, wiped on drop.
pub struct OpenedDataKey {
    purpose: DataKeyPurpose,
    clear: Zeroizing<[u8; 32]>,
}

impl OpenedDataKey {
    /// Only backends make one.
    pub(in crate::hsm) fn new(purpose: DataKeyPurpose, clear: Zeroizing<[u8; 32]>) -> Self {
        Self { purpose, clear }
    }
}

/// Bytes of a nonce: 96 random bits, good for 2^32 seals under one key (NIST SP 800-38D, 8.3).
const NONCE: usize = 12;
/// Bytes of a padded PAN: every sealed PAN is as long as every other.
const PADDED: usize = 19;
/// Bytes of a tag.
const TAG: usize = 16;
/// What fills a PAN up: no digit, so it cannot be mistaken for one.
const FILL: u8 = b'F';

/// [`Sealer`] in process, under one sealing key and one token key.
///
/// A sealed PAN is nonce (12), ciphertext (19), tag (16).
pub struct DataKeySealer {
    seal: Aes256Gcm,
    token: Hmac<Sha256>,
    entropy: Arc<dyn Entropy>,
}

impl DataKeySealer {
    /// Takes keys that the HSM opened for [`DataKeyPurpose::Seal`] and [`DataKeyPurpose::Token`].
    ///
    /// # Errors
    /// [`KeyFault::Usage`] if a key was opened for the other purpose.
    pub fn new(seal: &OpenedDataKey, token: &OpenedDataKey, entropy: Arc<dyn Entropy>) -> Result<Self, HsmError> {
        if seal.purpose != DataKeyPurpose::Seal || token.purpose != DataKeyPurpose::Token {
            return Err(HsmError::Key { name: "data key".into(), fault: KeyFault::Usage });
        }
        let keyed = Hmac::<Sha256>::new_from_slice(token.clear.as_slice())
            .map_err(|_| HsmError::Key { name: "data key".into(), fault: KeyFault::Length })?;
        Ok(Self { seal: Aes256Gcm::new(&(*seal.clear).into()), token: keyed, entropy })
    }

    /// HMAC over `label` and `content`; the label keeps tokens and hashes apart.
    fn keyed(&self, label: u8, content: &[u8]) -> [u8; 32] {
        let mut mac = self.token.clone();
        mac.update(&[label]);
        mac.update(content);
        mac.finalize().into_bytes().into()
    }
}

impl Sealer for DataKeySealer {
    fn seal(&self, pan: &Pan, bound_to: &[u8]) -> SealedPan {
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let mut body = Zeroizing::new([FILL; PADDED]);
        body.iter_mut().zip(pan.clear().bytes()).for_each(|(to, digit)| *to = digit);
        let sealed = self.seal.encrypt_inout_detached(&nonce.into(), bound_to, InOutBuf::from(body.as_mut_slice()));
        let Ok(tag) = sealed else { unreachable!("AES-GCM takes 19 bytes and any short additional data") };
        SealedPan::new(Bytes::from([nonce.as_slice(), body.as_slice(), tag.as_slice()].concat()))
    }

    fn open(&self, sealed: &SealedPan, bound_to: &[u8]) -> Result<Pan, SealFault> {
        let bytes = sealed.as_bytes();
        if bytes.len() != NONCE + PADDED + TAG {
            return Err(SealFault);
        }
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>().ok_or(SealFault)?;
        let (cipher, tag) = rest.split_last_chunk::<TAG>().ok_or(SealFault)?;
        let mut body = Zeroizing::new([0; PADDED]);
        body.copy_from_slice(cipher);
        self.seal
            .decrypt_inout_detached(nonce.into(), bound_to, InOutBuf::from(body.as_mut_slice()), tag.into())
            .map_err(|_| SealFault)?;
        let length = body.iter().take_while(|byte| **byte != FILL).count();
        Pan::parse(&body[..length]).ok_or(SealFault)
    }

    fn token(&self, pan: &Pan) -> PanToken {
        PanToken(self.keyed(b'T', pan.clear().as_bytes()))
    }

    fn digest(&self, content: &[u8]) -> [u8; 32] {
        self.keyed(b'D', content)
    }
}
