//! Card numbers at rest: AES-256-GCM and HMAC-SHA-256 under data keys that the HSM opened.

use super::HsmError;
use super::KeyFault;
use super::memory::Locked;
use super::memory::swept;
use crate::model::BusinessDate;
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
use arc_swap::ArcSwap;
use bytes::Bytes;
use hmac::Hmac;
use hmac::Mac;
use sha2::Sha256;
use std::collections::BTreeMap;
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

/// A data key in clear, for a [`DataKeySealer`] only: no `Debug`, no `Clone`, wiped on drop. It stays in one place in
/// memory, for results and futures move what they hold, and leave copies behind.
pub struct OpenedDataKey {
    purpose: DataKeyPurpose,
    clear: Box<Zeroizing<[u8; 32]>>,
}

impl OpenedDataKey {
    /// Only backends make one.
    pub(in crate::hsm) fn new(purpose: DataKeyPurpose, clear: Box<Zeroizing<[u8; 32]>>) -> Self {
        Self { purpose, clear }
    }

    fn must_be(&self, purpose: DataKeyPurpose) -> Result<(), HsmError> {
        match self.purpose == purpose {
            true => Ok(()),
            false => Err(HsmError::Key { name: "data key".into(), fault: KeyFault::Usage }),
        }
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

/// A [`Sealer`] that takes the sealing keys of more business dates while it is used.
pub trait KeyRing: Sealer {
    /// Takes the sealing key of `date`, opened for [`DataKeyPurpose::Seal`]. The one it has already stands.
    ///
    /// # Errors
    /// [`KeyFault::Usage`] if it was opened for another purpose.
    fn add(&self, date: BusinessDate, key: &OpenedDataKey) -> Result<(), HsmError>;
}

/// [`Sealer`] in process, under one sealing key a business date and one token key.
///
/// A sealed PAN is nonce (12), ciphertext (19), tag (16).
pub struct DataKeySealer {
    days: ArcSwap<BTreeMap<BusinessDate, Arc<Locked<Aes256Gcm>>>>,
    token: Locked<Hmac<Sha256>>,
    entropy: Arc<dyn Entropy>,
}

impl DataKeySealer {
    /// Takes the station's token key, opened for [`DataKeyPurpose::Token`]. It has no sealing key yet:
    /// [`KeyRing::add`].
    ///
    /// # Errors
    /// [`KeyFault::Usage`] if the key was opened for another purpose.
    pub fn new(token: &OpenedDataKey, entropy: Arc<dyn Entropy>) -> Result<Self, HsmError> {
        token.must_be(DataKeyPurpose::Token)?;
        let keyed = swept(|| {
            let keyed = Hmac::<Sha256>::new_from_slice(token.clear.as_slice());
            keyed.map(|keyed| Locked::new(Box::new([keyed])))
        });
        let token = keyed.map_err(|_| HsmError::Key { name: "data key".into(), fault: KeyFault::Length })?;
        Ok(Self { days: ArcSwap::default(), token, entropy })
    }

    fn day(&self, date: BusinessDate) -> Result<Arc<Locked<Aes256Gcm>>, SealFault> {
        self.days.load().get(&date).cloned().ok_or(SealFault::NoKey)
    }

    /// HMAC over `label` and `content`; the label keeps tokens and hashes apart.
    fn keyed(&self, label: u8, content: &[u8]) -> [u8; 32] {
        let [token] = &*self.token else { unreachable!("there is one token key") };
        let mut mac = token.clone();
        mac.update(&[label]);
        mac.update(content);
        mac.finalize().into_bytes().into()
    }
}

impl KeyRing for DataKeySealer {
    fn add(&self, date: BusinessDate, key: &OpenedDataKey) -> Result<(), HsmError> {
        key.must_be(DataKeyPurpose::Seal)?;
        let cipher = swept(|| Arc::new(Locked::new(Box::new([Aes256Gcm::new(&(**key.clear).into())]))));
        self.days.rcu(|days| {
            let mut days = BTreeMap::clone(days);
            days.entry(date).or_insert_with(|| Arc::clone(&cipher));
            days
        });
        Ok(())
    }
}

impl Sealer for DataKeySealer {
    fn knows(&self, date: BusinessDate) -> bool {
        self.days.load().contains_key(&date)
    }

    fn seal(&self, date: BusinessDate, pan: &Pan, bound_to: &[u8]) -> Result<SealedPan, SealFault> {
        let day = self.day(date)?;
        let key = day.first().ok_or(SealFault::NoKey)?;
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let mut body = Zeroizing::new([FILL; PADDED]);
        body.iter_mut().zip(pan.clear().bytes()).for_each(|(to, digit)| *to = digit);
        let sealed = key.encrypt_inout_detached(&nonce.into(), bound_to, InOutBuf::from(body.as_mut_slice()));
        let Ok(tag) = sealed else { unreachable!("AES-GCM takes 19 bytes and any short additional data") };
        Ok(SealedPan::new(Bytes::from([nonce.as_slice(), body.as_slice(), tag.as_slice()].concat())))
    }

    fn open(&self, date: BusinessDate, sealed: &SealedPan, bound_to: &[u8]) -> Result<Pan, SealFault> {
        let day = self.day(date)?;
        let key = day.first().ok_or(SealFault::NoKey)?;
        let bytes = sealed.as_bytes();
        if bytes.len() != NONCE + PADDED + TAG {
            return Err(SealFault::Differs);
        }
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>().ok_or(SealFault::Differs)?;
        let (cipher, tag) = rest.split_last_chunk::<TAG>().ok_or(SealFault::Differs)?;
        let mut body = Zeroizing::new([0; PADDED]);
        body.copy_from_slice(cipher);
        key.decrypt_inout_detached(nonce.into(), bound_to, InOutBuf::from(body.as_mut_slice()), tag.into())
            .map_err(|_| SealFault::Differs)?;
        let length = body.iter().take_while(|byte| **byte != FILL).count();
        Pan::parse(&body[..length]).ok_or(SealFault::Differs)
    }

    fn token(&self, pan: &Pan) -> PanToken {
        PanToken(self.keyed(b'T', pan.clear().as_bytes()))
    }

    fn digest(&self, content: &[u8]) -> [u8; 32] {
        self.keyed(b'D', content)
    }
}
