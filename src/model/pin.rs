//! PINs, which this house only ever sees encrypted.

use serde::Deserialize;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A PIN block format of ISO 9564-1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PinFormat {
    /// Format 0: PIN field XOR account field.
    #[serde(rename = "0")]
    Iso0,
    /// Format 1: no PAN, transaction or random digits.
    #[serde(rename = "1")]
    Iso1,
    /// Format 2: inside chip cards only.
    #[serde(rename = "2")]
    Iso2,
    /// Format 3: as 0 with random fill.
    #[serde(rename = "3")]
    Iso3,
    /// Format 4: AES, 16 bytes.
    #[serde(rename = "4")]
    Iso4,
}

/// An enciphered PIN block, DE 52: 8 bytes (formats 0 to 3) or 16 (format 4).
///
/// Still sensitive authentication data: no `Debug`, no `Clone`, never stored, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EncryptedPinBlock {
    bytes: [u8; 16],
    length: usize,
}

impl EncryptedPinBlock {
    /// 8 or 16 bytes; anything else is `None`.
    #[must_use]
    pub fn new(block: &[u8]) -> Option<Self> {
        if block.len() != 8 && block.len() != 16 {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..block.len()].copy_from_slice(block);
        Some(Self { bytes, length: block.len() })
    }

    /// The enciphered bytes, for the wire and the HSM.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Which DUKPT a device follows; the length of its serial numbers says so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum DukptScheme {
    /// ANSI X9.24-1: serial numbers of 10 bytes, the last 21 bits of them the counter.
    Tdes,
    /// ANSI X9.24-3: serial numbers of 12 bytes, the last 4 of them the counter.
    Aes,
}

/// Key serial number of a DUKPT device: 10 bytes (TDES) or 12 (AES). ANSI X9.24-1, X9.24-3.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Ksn {
    bytes: [u8; 12],
    length: u8,
}

impl Ksn {
    /// 10 or 12 bytes; anything else is `None`.
    #[must_use]
    pub fn new(ksn: &[u8]) -> Option<Self> {
        if ksn.len() != 10 && ksn.len() != 12 {
            return None;
        }
        let mut bytes = [0; 12];
        bytes[..ksn.len()].copy_from_slice(ksn);
        Some(Self { bytes, length: u8::try_from(ksn.len()).ok()? })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// As it stands in an element: its bytes, or their hex digits in ASCII. `None` for anything else.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        match value.len() {
            10 | 12 => Self::new(value),
            20 | 24 => {
                let mut bytes = [0; 12];
                for (byte, pair) in bytes.iter_mut().zip(value.chunks(2)) {
                    let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
                    let (high, low) = (digits.next()??, digits.next()??);
                    *byte = u8::try_from(high << 4 | low).ok()?;
                }
                Self::new(bytes.get(..value.len() / 2)?)
            }
            _ => None,
        }
    }

    /// Its family, by its length.
    #[must_use]
    pub fn scheme(&self) -> DukptScheme {
        if self.length == 12 { DukptScheme::Aes } else { DukptScheme::Tdes }
    }

    /// How many bits of the last four bytes count.
    fn mask(&self) -> u32 {
        match self.scheme() {
            DukptScheme::Tdes => 0x001F_FFFF,
            DukptScheme::Aes => u32::MAX,
        }
    }

    /// The last four bytes as a number, with what of the device's name is in them.
    fn tail(&self) -> u32 {
        self.as_bytes().last_chunk::<4>().map_or(0, |last| u32::from_be_bytes(*last))
    }

    /// The transaction counter. `None` if it is none that a device uses: zero, or more one bits than 10 (TDES,
    /// X9.24-1) or 16 (AES, X9.24-3).
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        let most = match self.scheme() {
            DukptScheme::Tdes => 10,
            DukptScheme::Aes => 16,
        };
        let counter = self.tail() & self.mask();
        (counter != 0 && counter.count_ones() <= most).then_some(counter)
    }

    /// Whose it is.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        DeviceId(self.counting(0))
    }

    /// The serial number of the same device with another count, of which the bits that count are taken.
    fn counting(&self, counter: u32) -> Self {
        let mut bytes = self.bytes;
        let tail = self.tail() & !self.mask() | counter & self.mask();
        let end = usize::from(self.length);
        if let Some(last) = bytes.get_mut(end.saturating_sub(4)..end) {
            last.copy_from_slice(&tail.to_be_bytes());
        }
        Self { bytes, length: self.length }
    }

    /// The next serial number of its device: the next higher counter that a device uses. `None` once its life is over.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let mut counter = self.tail() & self.mask();
        loop {
            counter = counter.checked_add(1).filter(|counter| *counter <= self.mask())?;
            let next = self.counting(counter);
            if next.counter().is_some() {
                return Some(next);
            }
            // Up to where the lowest one bit carries, all counters have these one bits and more.
            counter |= counter.wrapping_sub(1);
        }
    }
}

/// Which DUKPT device: its serial number with the counter at zero, that is the name of its initial key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DeviceId(Ksn);

impl DeviceId {
    /// From 20 (TDES) or 24 (AES) hex digits whose counter is zero.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let ksn = Ksn::read(digits.as_bytes()).filter(|_| digits.len() >= 20)?;
        (ksn.device().0 == ksn).then_some(Self(ksn))
    }

    /// Its first serial number: what it uses after its key was loaded.
    #[must_use]
    pub fn first(&self) -> Ksn {
        self.0.counting(1)
    }

    /// Its family.
    #[must_use]
    pub fn scheme(&self) -> DukptScheme {
        self.0.scheme()
    }
}

impl fmt::Debug for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}
