//! What is done with one session: MACs, check values, and small secrets under a key of the token.

use super::Pkcs11Fault;
use super::context::alone;
use crate::hsm::HsmError;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::mac_element;
use crate::model::MacAlgorithm;
use crate::model::MacScheme;
use crate::model::Padding;
use cryptoki::error::Error;
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::Attribute;
use cryptoki::object::AttributeType;
use cryptoki::object::KeyType;
use cryptoki::object::ObjectClass;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Behind the name of a double-length MAC key: its left half as a key of its own, for retail MACs.
const LEFT: &str = "/left";
/// Bytes of a nonce and of a tag.
const NONCE: usize = 12;
const TAG: usize = 16;
/// Longest message of a MAC.
const MESSAGE_MOST: usize = 64 * 1024;

/// What each algorithm's objects are marked with, for a single-length key is kept as a longer one.
const MARKS: &[(KeyAlgorithm, &[u8])] = &[
    (KeyAlgorithm::Des, b"des"),
    (KeyAlgorithm::Tdes2, b"tdes2"),
    (KeyAlgorithm::Tdes3, b"tdes3"),
    (KeyAlgorithm::Aes128, b"aes128"),
    (KeyAlgorithm::Aes192, b"aes192"),
    (KeyAlgorithm::Aes256, b"aes256"),
];

/// A session and the keys it has met.
pub(super) struct Token {
    session: Session,
    met: HashMap<String, (ObjectHandle, KeyAlgorithm)>,
}

fn is_aes(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256)
}

/// Whether a refusal to decipher says that the bytes, or the key, are not the ones of then; some tokens say
/// no more of a tag that differs than that there was an error.
fn is_broken(refused: RvError) -> bool {
    matches!(refused, RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange | RvError::GeneralError)
}

/// Pads as ISO/IEC 9797-1 says.
fn padded(padding: Padding, data: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(data.len() + 16);
    if padding == Padding::Length {
        whole.extend_from_slice(&(data.len() as u64 * 8).to_be_bytes());
    }
    whole.extend_from_slice(data);
    if padding == Padding::Bit {
        whole.push(0x80);
    }
    let least = if data.is_empty() { whole.len() + 1 } else { whole.len() };
    whole.resize(least.next_multiple_of(8), 0);
    whole
}

impl Token {
    pub(super) fn new(session: Session) -> Self {
        Self { session, met: HashMap::new() }
    }

    /// Looks the key of this label up anew when it is next wanted, and the left half that goes with it.
    pub(super) fn forget(&mut self, name: &str) {
        self.met.remove(name);
        self.met.remove(&format!("{name}{LEFT}"));
    }

    fn fault(name: &str, fault: KeyFault) -> Pkcs11Fault {
        Pkcs11Fault::Key(name.to_owned(), fault)
    }

    /// The key of this label.
    fn key(&mut self, name: &str) -> Result<(ObjectHandle, KeyAlgorithm), Pkcs11Fault> {
        if let Some(found) = self.met.get(name) {
            return Ok(*found);
        }
        let _alone = alone();
        let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(name.as_bytes().to_vec())];
        let found = self.session.find_objects(&template).map_err(Pkcs11Fault::of)?;
        let [handle] = found.as_slice() else {
            // Two keys of one name are as bad as none: nobody can say which is meant.
            return Err(Self::fault(name, KeyFault::Missing));
        };
        let wanted = [AttributeType::Id, AttributeType::KeyType];
        let attributes = self.session.get_attributes(*handle, &wanted).map_err(Pkcs11Fault::of)?;
        let marked = attributes.iter().find_map(|attribute| match attribute {
            Attribute::Id(id) => MARKS.iter().find(|(_, mark)| mark == id).map(|(algorithm, _)| *algorithm),
            _ => None,
        });
        let typed = attributes.iter().find_map(|attribute| match attribute {
            Attribute::KeyType(KeyType::DES2) => Some(KeyAlgorithm::Tdes2),
            Attribute::KeyType(KeyType::DES3) => Some(KeyAlgorithm::Tdes3),
            Attribute::KeyType(KeyType::AES) => Some(KeyAlgorithm::Aes256),
            _ => None,
        });
        let algorithm = marked.or(typed).ok_or_else(|| Self::fault(name, KeyFault::Algorithm))?;
        self.met.insert(name.to_owned(), (*handle, algorithm));
        Ok((*handle, algorithm))
    }

    /// The last block of a CBC encryption with a zero start.
    fn cbc_mac(&self, name: &str, key: ObjectHandle, blocks: &[u8]) -> Result<[u8; 8], Pkcs11Fault> {
        let cipher = self.session.encrypt(&Mechanism::Des3Cbc([0; 8]), key, blocks);
        let cipher = cipher.map_err(|error| Pkcs11Fault::of_key(error, name))?;
        cipher.last_chunk::<8>().copied().ok_or(Pkcs11Fault::Input("empty message"))
    }

    fn block(&self, name: &str, key: ObjectHandle, block: [u8; 8]) -> Result<[u8; 8], Pkcs11Fault> {
        let cipher = self.session.encrypt(&Mechanism::Des3Ecb, key, &block);
        let cipher = cipher.map_err(|error| Pkcs11Fault::of_key(error, name))?;
        cipher.as_slice().try_into().map_err(|_| Pkcs11Fault::Input("block"))
    }

    /// ISO/IEC 9797-1 algorithm 3 out of two keys: all blocks but the last under the left half.
    fn retail_mac(&mut self, name: &str, key: ObjectHandle, blocks: &[u8]) -> Result<[u8; 8], Pkcs11Fault> {
        let (left, _) = self.key(&format!("{name}{LEFT}"))?;
        let (front, last) = blocks.split_last_chunk::<8>().ok_or(Pkcs11Fault::Input("empty message"))?;
        let mut state = if front.is_empty() { [0; 8] } else { self.cbc_mac(name, left, front)? };
        state.iter_mut().zip(last).for_each(|(into, byte)| *into ^= byte);
        self.block(name, key, state)
    }

    /// TDES-CMAC (NIST SP 800-38B), whose mechanism the token may not have.
    fn tdes_cmac(&self, name: &str, key: ObjectHandle, data: &[u8]) -> Result<[u8; 8], Pkcs11Fault> {
        let double = |value: u64| (value << 1) ^ if value >> 63 == 1 { 0x1B } else { 0 };
        let whole = !data.is_empty() && data.len().is_multiple_of(8);
        let first = double(u64::from_be_bytes(self.block(name, key, [0; 8])?));
        let subkey = if whole { first } else { double(first) };
        let mut blocks = if whole { data.to_vec() } else { padded(Padding::Bit, data) };
        let last = blocks.last_chunk_mut::<8>().ok_or(Pkcs11Fault::Input("empty message"))?;
        last.iter_mut().zip(subkey.to_be_bytes()).for_each(|(into, byte)| *into ^= byte);
        self.cbc_mac(name, key, &blocks)
    }

    /// The bytes of a MAC that the element stands for.
    pub(super) fn mac(&mut self, name: &str, scheme: &MacScheme, data: &[u8]) -> Result<Vec<u8>, Pkcs11Fault> {
        use KeyAlgorithm::{Des, Tdes2, Tdes3};
        if data.len() > MESSAGE_MOST {
            return Err(Pkcs11Fault::Input("message too long for a MAC"));
        }
        let (key, algorithm) = self.key(name)?;
        let fits = match scheme.algorithm {
            MacAlgorithm::Alg1 | MacAlgorithm::CupEcb => !is_aes(algorithm),
            MacAlgorithm::X919 => algorithm == Tdes2,
            MacAlgorithm::TdesCmac => matches!(algorithm, Tdes2 | Tdes3) && algorithm != Des,
            MacAlgorithm::AesCmac => is_aes(algorithm),
        };
        if !fits {
            return Err(Self::fault(name, KeyFault::Algorithm));
        }
        let mut whole = match scheme.algorithm {
            MacAlgorithm::Alg1 => self.cbc_mac(name, key, &padded(scheme.padding, data))?.to_vec(),
            MacAlgorithm::X919 => self.retail_mac(name, key, &padded(scheme.padding, data))?.to_vec(),
            MacAlgorithm::TdesCmac => self.tdes_cmac(name, key, data)?.to_vec(),
            MacAlgorithm::CupEcb => self.cbc_mac(name, key, &mac_element::union_pay_fold(data))?.to_vec(),
            MacAlgorithm::AesCmac => self.aes_cmac(name, key, data)?,
        };
        let length = mac_element::binary_length(scheme, whole.len());
        whole.truncate(length.map_err(|_: HsmError| Pkcs11Fault::Input("MAC length"))?);
        Ok(whole)
    }

    fn aes_cmac(&self, name: &str, key: ObjectHandle, data: &[u8]) -> Result<Vec<u8>, Pkcs11Fault> {
        self.session.sign(&Mechanism::AesCMac, key, data).map_err(|error| Pkcs11Fault::of_key(error, name))
    }

    /// Enciphered zeros of the DES family, CMAC of zeros under AES.
    pub(super) fn check_value(&mut self, name: &str) -> Result<Vec<u8>, Pkcs11Fault> {
        let (key, algorithm) = self.key(name)?;
        if is_aes(algorithm) { self.aes_cmac(name, key, &[0; 16]) } else { Ok(self.block(name, key, [0; 8])?.to_vec()) }
    }

    pub(super) fn random(&self, length: usize) -> Result<Zeroizing<Vec<u8>>, Pkcs11Fault> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.session.generate_random_slice(&mut bytes).map_err(Pkcs11Fault::of)?;
        Ok(bytes)
    }

    /// Enciphers a small secret under a key of the token (AES-GCM): nonce, cipher, tag.
    pub(super) fn seal(&mut self, name: &str, bound_to: &[u8], secret: &[u8]) -> Result<Vec<u8>, Pkcs11Fault> {
        let (key, _) = self.key(name)?;
        let mut nonce = [0; NONCE];
        self.session.generate_random_slice(&mut nonce).map_err(Pkcs11Fault::of)?;
        let mut out = nonce.to_vec();
        let params = GcmParams::new(&mut nonce, bound_to, bits(TAG)).map_err(Pkcs11Fault::of)?;
        let cipher = self.session.encrypt(&Mechanism::AesGcm(params), key, secret);
        out.extend(cipher.map_err(|error| Pkcs11Fault::of_key(error, name))?);
        Ok(out)
    }

    /// Undoes [`Token::seal`]. Whatever was changed, the fault is one.
    pub(super) fn open(
        &mut self,
        name: &str,
        bound_to: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs11Fault> {
        let (key, _) = self.key(name)?;
        let broken = || Self::fault(name, KeyFault::Block);
        let (nonce, cipher) = sealed.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        if cipher.len() < TAG {
            return Err(broken());
        }
        let mut nonce = *nonce;
        let params = GcmParams::new(&mut nonce, bound_to, bits(TAG)).map_err(Pkcs11Fault::of)?;
        match self.session.decrypt(&Mechanism::AesGcm(params), key, cipher) {
            Ok(clear) => Ok(Zeroizing::new(clear)),
            // Only what says so means another key or changed bytes: a token short of memory is no foreign master key.
            Err(Error::Pkcs11(refused, _)) if is_broken(refused) => Err(broken()),
            Err(error) => Err(Pkcs11Fault::of_key(error, name)),
        }
    }

    /// Whether a key of this label is there already.
    fn must_be_new(&self, name: &str) -> Result<(), Pkcs11Fault> {
        let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(name.as_bytes().to_vec())];
        let there = self.session.find_objects(&template).map_err(Pkcs11Fault::of)?;
        if there.is_empty() { Ok(()) } else { Err(Pkcs11Fault::Input("there is a key of this name already")) }
    }

    /// Puts a clear MAC key into the token, from where it never comes out again.
    pub(super) fn install(&mut self, name: &str, algorithm: KeyAlgorithm, clear: &[u8]) -> Result<(), Pkcs11Fault> {
        if clear.len() != algorithm.key_length() {
            return Err(Self::fault(name, KeyFault::Length));
        }
        let _alone = alone();
        self.must_be_new(name)?;
        let part = |at: usize| clear.get(8 * at..8 * at + 8).unwrap_or_default();
        let thrice = Zeroizing::new([part(0), part(0), part(0)].concat());
        match algorithm {
            // There is no single DES any more: three equal parts are the same cipher.
            KeyAlgorithm::Des => self.create(name, algorithm, KeyType::DES3, &thrice),
            KeyAlgorithm::Tdes2 => {
                let left = format!("{name}{LEFT}");
                self.must_be_new(&left)?;
                self.create(&left, KeyAlgorithm::Des, KeyType::DES3, &thrice)?;
                // Half a key would keep the next try from ever ending well.
                self.create(name, algorithm, KeyType::DES2, clear).inspect_err(|_| self.destroy(&left))
            }
            KeyAlgorithm::Tdes3 => self.create(name, algorithm, KeyType::DES3, clear),
            KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => {
                self.create(name, algorithm, KeyType::AES, clear)
            }
        }
    }

    /// Takes all keys of this label away again; one that will not go shows at the next try.
    fn destroy(&self, name: &str) {
        let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(name.as_bytes().to_vec())];
        for object in self.session.find_objects(&template).unwrap_or_default() {
            let _ = self.session.destroy_object(object);
        }
    }

    fn create(&self, name: &str, algorithm: KeyAlgorithm, key_type: KeyType, value: &[u8]) -> Result<(), Pkcs11Fault> {
        // AES makes MACs by its own mechanism; the DES family by encryption, which no MAC key needs to undo.
        let usage = if is_aes(algorithm) { Attribute::Sign(true) } else { Attribute::Encrypt(true) };
        let mut template = Self::template(name, algorithm);
        template.extend([Attribute::KeyType(key_type), Attribute::Value(value.to_vec()), usage]);
        let created = self.session.create_object(&template).map(drop).map_err(Pkcs11Fault::of);
        // The copy that the template made.
        template.iter_mut().for_each(|attribute| {
            if let Attribute::Value(value) = attribute {
                zeroize::Zeroize::zeroize(value);
            }
        });
        created
    }

    /// Makes an AES-256 key in the token, for [`Token::seal`].
    pub(super) fn generate_sealing_key(&mut self, name: &str) -> Result<(), Pkcs11Fault> {
        let _alone = alone();
        self.must_be_new(name)?;
        let mut template = Self::template(name, KeyAlgorithm::Aes256);
        template.extend([Attribute::ValueLen(length(32)), Attribute::Encrypt(true), Attribute::Decrypt(true)]);
        self.session.generate_key(&Mechanism::AesKeyGen, &template).map(drop).map_err(Pkcs11Fault::of)
    }

    /// Kept, private, never readable, for nothing but what is added.
    fn template(name: &str, algorithm: KeyAlgorithm) -> Vec<Attribute> {
        let mark = MARKS.iter().find(|(of, _)| *of == algorithm).map(|(_, mark)| mark.to_vec());
        vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Label(name.as_bytes().to_vec()),
            Attribute::Id(mark.unwrap_or_default()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ]
    }
}

fn bits(bytes: usize) -> Ulong {
    length(8 * bytes)
}

fn length(bytes: usize) -> Ulong {
    Ulong::new(u64::try_from(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::is_broken;
    use cryptoki::error::RvError;

    #[test]
    fn a_token_that_is_short_of_something_is_no_foreign_key() {
        assert!(is_broken(RvError::EncryptedDataInvalid));
        for other in [RvError::HostMemory, RvError::DeviceMemory, RvError::FunctionFailed, RvError::OperationActive] {
            assert!(!is_broken(other), "{other:?}");
        }
    }
}
