//! A0, A6, A8, BU.

use super::Counterpart;
use super::lmk;
use super::lmk::Opened;
use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::keys::check_value;
use crate::hsm::calculator::keys::is_short;
use crate::hsm::calculator::keys::is_weak;
use crate::hsm::calculator::keys::set_odd_parity;
use crate::hsm::calculator::keys::strength;
use crate::hsm::calculator::keys::unwrap_ecb;
use crate::hsm::calculator::keys::wrap_ecb;
use crate::hsm::payshield::block;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::Reply;
use crate::hsm::payshield::command::keys::BlockAttributes;
use crate::hsm::payshield::command::keys::CheckKey;
use crate::hsm::payshield::command::keys::ExportKey;
use crate::hsm::payshield::command::keys::GenerateKey;
use crate::hsm::payshield::command::keys::GenerateKeyAnswer;
use crate::hsm::payshield::command::keys::ImportKey;
use crate::hsm::payshield::command::keys::KeyAnswer;
use crate::hsm::payshield::command::keys::Under;
use crate::hsm::payshield::command::keys::Wrapping;
use crate::hsm::payshield::key::HostKey;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use zeroize::Zeroizing;

/// The length of a key by its scheme letter.
fn length(scheme: u8) -> Result<usize, ErrorCode> {
    match scheme {
        b'0' | b'Z' => Ok(8),
        b'U' | b'X' => Ok(16),
        b'T' | b'Y' => Ok(24),
        _ => Err(ErrorCode::KEY_SCHEME),
    }
}

/// The length of a key by the two characters that attributes have for it.
fn attributed_length(attributes: &BlockAttributes) -> Result<usize, ErrorCode> {
    match &attributes.0[2..4] {
        b"D1" => Ok(8),
        b"T2" | b"A1" => Ok(16),
        b"T3" | b"A2" => Ok(24),
        b"A3" => Ok(32),
        _ => Err(ErrorCode::BLOCK_ALGORITHM),
    }
}

/// Three bytes of check value.
fn kcv(key: &Opened) -> Result<[u8; 3], ErrorCode> {
    let value = check_value(&key.cipher, kcv_method(key), 3).map_err(|_| ErrorCode::KEY_LENGTH)?;
    value.as_bytes().try_into().map_err(|_| ErrorCode::KEY_LENGTH)
}

fn kcv_method(key: &Opened) -> KcvMethod {
    if is_aes(key.cipher.algorithm()) { KcvMethod::CmacZeros } else { KcvMethod::EncryptZeros }
}

fn is_aes(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256)
}

impl Counterpart {
    /// Puts a clear key under the test key that its command means: a variant, or in a block.
    fn keep(
        &self,
        clear: &[u8],
        key_type: KeyType,
        attributes: Option<&BlockAttributes>,
    ) -> Result<HostKey, ErrorCode> {
        match (attributes, key_type == KeyType::KEY_BLOCK) {
            (None, false) => lmk::seal(clear, key_type),
            (Some(attributes), true) => {
                let mut fill = [0; 32];
                self.entropy.fill(&mut fill);
                lmk::seal_block(clear, attributes, &fill)
            }
            (None, true) | (Some(_), false) => Err(ErrorCode::KEY_SCHEME),
        }
    }

    /// Draws a key that is not weak. Chance that gives nothing else is broken.
    fn draw(&self, length: usize, algorithm: KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
        let mut clear = Zeroizing::new(vec![0; length]);
        for _ in 0..16 {
            self.entropy.fill(&mut clear);
            if !is_aes(algorithm) {
                set_odd_parity(&mut clear);
            }
            if !is_weak(algorithm, &clear) {
                return Ok(clear);
            }
        }
        Err(ErrorCode::HARDWARE)
    }

    pub(super) fn generate_key(&self, c: &GenerateKey) -> Reply<GenerateKeyAnswer> {
        let (length, algorithm) = match &c.attributes {
            Some(attributes) => {
                let length = attributed_length(attributes)?;
                (length, block::algorithm(attributes.0[2], length).ok_or(ErrorCode::BLOCK_ALGORITHM)?)
            }
            None => (length(c.scheme)?, lmk::algorithm(&vec![0; length(c.scheme)?])?),
        };
        let clear = self.draw(length, algorithm)?;
        let key = self.keep(&clear, c.key_type, c.attributes.as_ref())?;
        let wrapped = c.wrapping.as_ref().map(|wrapping| self.wrap(wrapping, &clear)).transpose()?;
        let cipher = CipherKey::new(algorithm, &clear).map_err(|_| ErrorCode::KEY_LENGTH)?;
        Ok(GenerateKeyAnswer { key, wrapped, kcv: kcv(&Opened { cipher, clear })? })
    }

    /// A key encrypting key, as strong as the key it is for.
    fn kek(&self, key: &HostKey, under: Under, clear: &[u8]) -> Result<Opened, ErrorCode> {
        let key_type = if under == Under::Zone { KeyType::ZMK } else { KeyType::TMK };
        let kek = self.open(key, key_type, ErrorCode::SOURCE_KEY)?;
        let strong = strength(kek.cipher.algorithm()) >= strength(lmk::algorithm(clear)?);
        if strong { Ok(kek) } else { Err(ErrorCode::KEY_LENGTH) }
    }

    /// A key as a peer gets it: plain ECB only, for the variants of a zone's scheme are another matter.
    fn wrap(&self, wrapping: &Wrapping, clear: &[u8]) -> Result<HostKey, ErrorCode> {
        let letter = match (wrapping.scheme, clear.len()) {
            (b'0' | b'Z', 8) => None,
            (b'X', 16) => Some(b'X'),
            (b'Y', 24) => Some(b'Y'),
            _ => return Err(ErrorCode::KEY_SCHEME),
        };
        let kek = self.kek(&wrapping.key, wrapping.under, clear)?;
        let cipher = wrap_ecb(&kek.cipher, clear).map_err(|_| ErrorCode::KEY_LENGTH)?;
        Ok(HostKey::from_cipher(letter, &cipher))
    }

    /// The second value says that the key's parity had to be mended.
    pub(super) fn import_key(&self, c: &ImportKey) -> (Reply<KeyAnswer>, bool) {
        match self.imported(c) {
            Ok((answer, mended)) => (Ok(answer), mended),
            Err(code) => (Err(code), false),
        }
    }

    fn imported(&self, c: &ImportKey) -> Result<(KeyAnswer, bool), ErrorCode> {
        let cipher = lmk::cipher_of(&c.key)?;
        let expected = match &c.attributes {
            Some(attributes) => attributed_length(attributes)?,
            None => length(c.scheme)?,
        };
        if expected != cipher.len() {
            return Err(ErrorCode::KEY_LENGTH);
        }
        let kek = self.kek(&c.zmk, Under::Zone, &cipher)?;
        let mut clear = unwrap_ecb(&kek.cipher, &cipher).map_err(|_| ErrorCode::KEY_LENGTH)?;
        let mended = self.odd_parity && !lmk::has_odd_parity(&clear);
        if mended {
            set_odd_parity(&mut clear);
        }
        if is_short(&clear) {
            return Err(ErrorCode::MASQUERADE);
        }
        let key = self.keep(&clear, c.key_type, c.attributes.as_ref())?;
        Ok((KeyAnswer { key, kcv: kcv(&lmk::opened(clear)?)? }, mended))
    }

    pub(super) fn export_key(&self, c: &ExportKey) -> Reply<KeyAnswer> {
        if c.attributes.is_some() {
            return Err(ErrorCode::KEY_SCHEME);
        }
        let key = self.open(&c.key, c.key_type, ErrorCode::DESTINATION_KEY)?;
        Ok(KeyAnswer { key: self.wrap(&c.wrapping, &key.clear)?, kcv: kcv(&key)? })
    }

    pub(super) fn check_key(&self, c: &CheckKey) -> Reply<Vec<u8>> {
        let key = self.open(&c.key, c.key_type, ErrorCode::SOURCE_KEY)?;
        let mut value = if is_aes(key.cipher.algorithm()) {
            let (algorithm, padding) = (MacAlgorithm::AesCmac, Padding::Zeros);
            calculator::mac(&key.cipher, algorithm, padding, &[0; 16]).map_err(|_| ErrorCode::KEY_LENGTH)?.to_vec()
        } else {
            let mut zeros = vec![0; 8];
            key.cipher.encrypt_ecb(&mut zeros).map_err(|_| ErrorCode::DATA_LENGTH)?;
            zeros
        };
        value.truncate(if c.full { 8 } else { 3 });
        Ok(value)
    }
}
