//! The terminal's secure part: it holds the keys, and PINs go in and never come out.

use crate::hsm::Direction;
use crate::hsm::KeyAlgorithm;
use crate::hsm::Mac;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::encrypt_pin;
use crate::hsm::calculator::encrypt_track;
use crate::hsm::calculator::keys::{KcvMethod, check_value, unwrap_ecb};
use crate::hsm::calculator::mac_as;
use crate::model::DeviceId;
use crate::model::DukptScheme;
use crate::model::EncryptedPinBlock;
use crate::model::Entropy;
use crate::model::Ksn;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use hmac::KeyInit;
use hmac::Mac as _;
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why the PIN pad did not do what it was asked. Never carries a key or a PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PadFault {
    /// The key data of a sign-in have no length that any layout has.
    #[error("key data of {0} bytes: no layout has that length")]
    Layout(usize),
    /// A working key's check value differs: it came under another master key.
    #[error("check value of the {0} key differs: another master key")]
    CheckValue(&'static str),
    /// There is no such key yet.
    #[error("no {0} key: sign in first")]
    NoKey(&'static str),
    /// A DUKPT device has no transaction left.
    #[error("the device's serial numbers are used up: it needs a new initial key")]
    Worn,
    /// The calculation was refused.
    #[error("PIN pad: {0}")]
    Calculation(#[from] CalcError),
}

/// Keys of a terminal. No `Debug`, no `Clone`.
pub struct PinPad {
    master: Option<CipherKey>,
    at_rest: CipherKey,
    pin: Option<CipherKey>,
    mac: Option<CipherKey>,
    data: Option<CipherKey>,
    device: Option<Device>,
    entropy: Arc<dyn Entropy>,
}

/// What makes a PIN pad a DUKPT device. A real one keeps keys still to come and not the initial one.
struct Device {
    id: DeviceId,
    initial: Zeroizing<Vec<u8>>,
}

/// One sealed card number in a state file: an AES block.
pub(super) type SealedDigits = [u8; 16];

impl PinPad {
    /// A PIN pad with a terminal master key, 16 or 24 bytes; working keys come by sign-in.
    ///
    /// # Errors
    /// [`PadFault::Calculation`] for another length.
    pub fn with_master_key(key: &[u8], entropy: Arc<dyn Entropy>) -> Result<Self, PadFault> {
        let master = Some(tdes(key)?);
        Ok(Self { master, at_rest: at_rest(key)?, pin: None, mac: None, data: None, device: None, entropy })
    }

    /// A PIN pad with fixed zone keys, for a door without sign-in.
    ///
    /// # Errors
    /// [`PadFault::Calculation`] for lengths that TDES does not have.
    pub fn with_zone_keys(pin: &[u8], mac: &[u8], entropy: Arc<dyn Entropy>) -> Result<Self, PadFault> {
        let (zpk, zak) = (Some(tdes(pin)?), Some(tdes(mac)?));
        Ok(Self { master: None, at_rest: at_rest(pin)?, pin: zpk, mac: zak, data: None, device: None, entropy })
    }

    /// A PIN pad that is a DUKPT device: its initial key, 16 bytes (TDES) or an AES key, and its name.
    ///
    /// # Errors
    /// [`PadFault::Calculation`] for a key that is none of the device's family.
    pub fn with_initial_key(key: &[u8], id: DeviceId, entropy: Arc<dyn Entropy>) -> Result<Self, PadFault> {
        dukpt::device_key(key, &id.first(), Purpose::Pin)?;
        let device = Some(Device { id, initial: Zeroizing::new(key.to_vec()) });
        Ok(Self { master: None, at_rest: at_rest(key)?, pin: None, mac: None, data: None, device, entropy })
    }

    /// Whether, and which DUKPT device it is.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        self.device.as_ref().map(|device| device.id)
    }

    /// The serial number that follows `last`, which is the last one used; `None` for one that is no DUKPT device.
    ///
    /// # Errors
    /// [`PadFault::Worn`].
    pub fn serial_after(&self, last: Option<Ksn>) -> Result<Option<Ksn>, PadFault> {
        let Some(device) = self.device() else { return Ok(None) };
        match last.filter(|last| last.device() == device) {
            None => Ok(Some(device.first())),
            Some(last) => last.next().map(Some).ok_or(PadFault::Worn),
        }
    }

    fn transaction_key(&self, serial: &Ksn, purpose: Purpose) -> Result<CipherKey, PadFault> {
        let device = self.device.as_ref().ok_or(PadFault::NoKey("initial"))?;
        Ok(dukpt::device_key(&device.initial, serial, purpose)?)
    }

    /// Takes the working keys of a sign-in, each enciphered under the master key and followed by the first
    /// four bytes of its check value: 24 bytes (single length), 40 (double), 60 (with a track key). A MAC
    /// key of 8 bytes in a slot of 16 is filled with zeros.
    ///
    /// # Errors
    /// [`PadFault`]; the keys it had stay as they were.
    pub fn load(&mut self, key_data: &[u8]) -> Result<(), PadFault> {
        let (size, count) = match key_data.len() {
            24 => (8, 2),
            40 => (16, 2),
            60 => (16, 3),
            other => return Err(PadFault::Layout(other)),
        };
        let mut keys = key_data.chunks(size + 4).take(count).zip(["PIN", "MAC", "track"]);
        let mut key = || keys.next().map(|(slot, name)| self.unwrap(slot, name)).transpose();
        let (pin, mac, data) = (key()?, key()?, key()?);
        (self.pin, self.mac, self.data) = (pin, mac, data);
        Ok(())
    }

    /// Forgets its working keys.
    pub(super) fn forget(&mut self) {
        (self.pin, self.mac, self.data) = (None, None, None);
    }

    fn unwrap(&self, slot: &[u8], name: &'static str) -> Result<CipherKey, PadFault> {
        let master = self.master.as_ref().ok_or(PadFault::NoKey("master"))?;
        let (cipher, expected) = slot.split_last_chunk::<4>().ok_or(PadFault::Layout(slot.len()))?;
        // A single-length key in a double-length slot: zeros behind it, which no cipher of a key would be.
        let single = cipher.get(8..).is_some_and(|rest| rest.len() == 8 && rest.iter().all(|byte| *byte == 0));
        let cipher = if single { cipher.get(..8).unwrap_or(cipher) } else { cipher };
        let key = tdes(&unwrap_ecb(master, cipher)?)?;
        let found = check_value(&key, KcvMethod::EncryptZeros, 4)?;
        if found.as_bytes() == expected { Ok(key) } else { Err(PadFault::CheckValue(name)) }
    }

    /// The check value of the master key, three bytes, as people compare it.
    #[must_use]
    pub fn master_check_value(&self) -> Option<String> {
        let value = check_value(self.master.as_ref()?, KcvMethod::EncryptZeros, 3).ok()?;
        Some(value.to_string())
    }

    /// Whether it has working keys.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.pin.is_some() && self.mac.is_some()
    }

    /// Whether it has a key for tracks: one of its own, or as a TDES device one for each transaction.
    #[must_use]
    pub fn has_track_key(&self) -> bool {
        self.data.is_some() || self.device().is_some_and(|device| device.scheme() == DukptScheme::Tdes)
    }

    /// Whether its PIN key is single length: DE 53 says so.
    pub(super) fn single_length(&self) -> bool {
        self.pin.as_ref().is_some_and(|key| key.algorithm() == KeyAlgorithm::Des)
    }

    /// A MAC as the scheme writes it.
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn mac(&self, scheme: &MacScheme, data: &[u8]) -> Result<Mac, PadFault> {
        let key = self.mac.as_ref().ok_or(PadFault::NoKey("MAC"))?;
        Ok(mac_as(key, scheme, data)?)
    }

    /// A MAC under the key of a transaction, where it has those; else as [`PinPad::mac`].
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn mac_of(
        &self,
        transaction: Option<(&Ksn, Direction)>,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, PadFault> {
        let Some((serial, direction)) = transaction else { return self.mac(scheme, data) };
        Ok(mac_as(&self.transaction_key(serial, Purpose::Mac(direction))?, scheme, data)?)
    }

    /// A PIN block for a card.
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn pin_block(&self, format: PinFormat, pin: &ClearPin, pan: &Pan) -> Result<EncryptedPinBlock, PadFault> {
        let key = self.pin.as_ref().ok_or(PadFault::NoKey("PIN"))?;
        let fill = Fill::draw(format, self.entropy.as_ref())?;
        Ok(encrypt_pin(key, format, pin, pan, &fill)?)
    }

    /// The same under the key of a transaction, where it has those.
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn pin_block_of(
        &self,
        transaction: Option<&Ksn>,
        (format, pin): (PinFormat, &ClearPin),
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PadFault> {
        let Some(serial) = transaction else { return self.pin_block(format, pin, pan) };
        let fill = Fill::draw(format, self.entropy.as_ref())?;
        Ok(encrypt_pin(&self.transaction_key(serial, Purpose::Pin)?, format, pin, pan, &fill)?)
    }

    /// A track 2 under the track key: upper-case hex digits, as many as the track has characters.
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn encrypted_track(&self, track: &Track2) -> Result<String, PadFault> {
        enciphered(self.data.as_ref().ok_or(PadFault::NoKey("track"))?, track)
    }

    /// The same under the key of a transaction, where it has those.
    ///
    /// # Errors
    /// [`PadFault`].
    pub fn encrypted_track_of(&self, transaction: Option<&Ksn>, track: &Track2) -> Result<String, PadFault> {
        let Some(serial) = transaction else { return self.encrypted_track(track) };
        enciphered(&self.transaction_key(serial, Purpose::Data(Direction::Request))?, track)
    }

    /// Unpredictable bytes.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A card number or payment code for the state file, enciphered under a key made from the master key.
    pub(super) fn seal(&self, number: &str) -> Option<SealedDigits> {
        let mut block = [0xFF; 16];
        let mut digits = number.bytes().map(|digit| digit & 0x0F);
        for byte in &mut block {
            let (Some(high), low) = (digits.next(), digits.next()) else { break };
            *byte = high << 4 | low.unwrap_or(0x0F);
        }
        self.at_rest.encrypt_ecb(&mut block).ok()?;
        Some(block)
    }

    /// Undoes [`PinPad::seal`]; `None` under another key.
    pub(super) fn open(&self, mut block: SealedDigits) -> Option<Zeroizing<String>> {
        self.at_rest.decrypt_ecb(&mut block).ok()?;
        let nibbles = block.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let digits: String =
            nibbles.take_while(|nibble| *nibble <= 9).map(|nibble| char::from(nibble + b'0')).collect();
        (digits.len() >= 8).then(|| Zeroizing::new(digits))
    }
}

fn enciphered(key: &CipherKey, track: &Track2) -> Result<String, PadFault> {
    let mut digits = hex(&encrypt_track(key.des()?, track)?);
    digits.truncate(track.clear().len());
    Ok(digits)
}

fn tdes(key: &[u8]) -> Result<CipherKey, PadFault> {
    let algorithm = match key.len() {
        8 => KeyAlgorithm::Des,
        24 => KeyAlgorithm::Tdes3,
        _ => KeyAlgorithm::Tdes2,
    };
    Ok(CipherKey::new(algorithm, key)?)
}

/// A key of its own for card numbers at rest, so that the master key enciphers nothing but keys.
fn at_rest(key: &[u8]) -> Result<CipherKey, PadFault> {
    let mut keyed = hmac::Hmac::<Sha256>::new_from_slice(key).map_err(|_| CalcError::KeyLength)?;
    keyed.update(b"card numbers in a terminal's state file");
    let made = keyed.finalize().into_bytes();
    Ok(CipherKey::new(KeyAlgorithm::Aes128, made.get(..16).unwrap_or_default())?)
}

/// Upper-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Bytes from hex digits.
pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
