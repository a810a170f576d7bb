//! Key blocks: ANSI X9.143 (TR-31) version D, AES key derivation binding.

use super::AesKey;
use super::CalcError;
use super::cipher::decrypt_cbc;
use super::cipher::encrypt_cbc;
use super::mac::cmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Why a block does not open. An HSM tells one fault for all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BlockFault {
    /// Not a version D block, or not written as one.
    #[error("key block format")]
    Format,
    /// The lengths do not agree.
    #[error("key block length")]
    Length,
    /// The MAC differs: another protection key, or changed bytes.
    #[error("key block MAC")]
    Mac,
}

/// The attributes of a key, bound to it by the block's MAC. Codes as in ANSI X9.143 section 6.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// Key usage: `P0`, `K0`, `M3` …
    pub usage: [u8; 2],
    /// `T` TDES, `D` DES, `A` AES, `H` HMAC.
    pub algorithm: u8,
    /// Mode of use: `B` both, `E` encrypt, `D` decrypt, `G` generate, `V` verify, `C` both of these …
    pub mode: u8,
    /// Key version number, `00` if unused.
    pub version: [u8; 2],
    /// `E`, `S` or `N`.
    pub exportability: u8,
    /// How many optional blocks there are.
    pub optional_count: u8,
    /// The optional blocks as they are written.
    pub optional: String,
}

/// Characters of the fixed part of a header.
const FIXED: usize = 16;
/// Bytes of the MAC.
const MAC: usize = 16;

impl Header {
    /// Reads a header and gives what follows it.
    ///
    /// # Errors
    /// [`BlockFault::Format`], [`BlockFault::Length`] if the length it states is not the text's.
    pub fn parse(text: &str) -> Result<(Self, &str), BlockFault> {
        let (fixed, mut rest) = text.split_at_checked(FIXED).ok_or(BlockFault::Length)?;
        let fixed: &[u8; FIXED] = fixed.as_bytes().try_into().map_err(|_| BlockFault::Format)?;
        let number = |digits: &[u8]| {
            let value = |sum: usize, digit: &u8| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0'));
            digits.iter().try_fold(0, value).ok_or(BlockFault::Format)
        };
        let &[b'D', l1, l2, l3, l4, u1, u2, algorithm, mode, v1, v2, exportability, n1, n2, b'0', b'0'] = fixed else {
            return Err(BlockFault::Format);
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BlockFault::Format);
        }
        if number(&[l1, l2, l3, l4])? != text.len() {
            return Err(BlockFault::Length);
        }
        let count = number(&[n1, n2])?;
        let after_fixed = rest;
        for _ in 0..count {
            let length =
                rest.get(2..4).and_then(|hex| usize::from_str_radix(hex, 16).ok()).ok_or(BlockFault::Format)?;
            if length < 4 {
                return Err(BlockFault::Format);
            }
            rest = rest.get(length..).ok_or(BlockFault::Length)?;
        }
        let optional = &after_fixed[..after_fixed.len() - rest.len()];
        let header = Self {
            usage: [u1, u2],
            algorithm,
            mode,
            version: [v1, v2],
            exportability,
            optional_count: u8::try_from(count).map_err(|_| BlockFault::Format)?,
            optional: optional.to_owned(),
        };
        if !header.optional.len().is_multiple_of(MAC) {
            return Err(BlockFault::Length);
        }
        Ok((header, rest))
    }

    /// The header of a block of `length` characters in all.
    fn write(&self, length: usize) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "D{length:04}{}{}{}{}{}{:02}00{}",
            text(&self.usage),
            text(&[self.algorithm]),
            text(&[self.mode]),
            text(&self.version),
            text(&[self.exportability]),
            self.optional_count,
            self.optional
        )
    }

    /// Bytes of padding that hide how long a key of `key_length` is: as if it were the longest of
    /// its algorithm, then up to whole blocks (X9.143 "key length obfuscation").
    #[must_use]
    pub fn padding(&self, key_length: usize) -> usize {
        let longest = if matches!(self.algorithm, b'D' | b'T') { 24 } else { 32 };
        (2 + longest.max(key_length)).next_multiple_of(16) - 2 - key_length
    }
}

/// A key block protection key (AES), expanded into its enciphering and its MAC key.
pub struct KeyBlockKey {
    encryption: AesKey,
    authentication: AesKey,
}

impl KeyBlockKey {
    /// Derives both keys from a protection key of 16, 24 or 32 bytes (X9.143, 7.2.2: CMAC in counter
    /// mode).
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn new(protection: &[u8]) -> Result<Self, CalcError> {
        let root = AesKey::new(protection)?;
        let length = protection.len();
        let (algorithm, bits) = match length {
            16 => (2, 128_u16),
            24 => (3, 192),
            _ => (4, 256),
        };
        let derive = |usage: u8| {
            let mut derived = Zeroizing::new([0; 32]);
            for (counter, half) in (1..).zip(derived.as_chunks_mut::<16>().0) {
                let [high, low] = bits.to_be_bytes();
                *half = cmac::<16>(&root, 0x87, &[&[counter, 0, usage, 0, 0, algorithm, high, low]]);
            }
            AesKey::new(derived.get(..length).unwrap_or_default())
        };
        Ok(Self { encryption: derive(0)?, authentication: derive(1)? })
    }

    /// Writes a block. `padding` are random bytes, as many as [`Header::padding`] says (or as an
    /// older block had).
    ///
    /// # Errors
    /// [`BlockFault::Length`] if the payload is not whole AES blocks, or the block too long.
    pub fn wrap(&self, header: &Header, key: &[u8], padding: &[u8]) -> Result<String, BlockFault> {
        let payload = 2 + key.len() + padding.len();
        let length = FIXED + header.optional.len() + 2 * (payload + MAC);
        let bits = u16::try_from(key.len() * 8).map_err(|_| BlockFault::Length)?;
        if !payload.is_multiple_of(16) || !header.optional.len().is_multiple_of(MAC) || length > 9999 {
            return Err(BlockFault::Length);
        }
        let mut text = header.write(length);
        let mut clear = Zeroizing::new([bits.to_be_bytes().as_slice(), key, padding].concat());
        let mac = cmac::<16>(&self.authentication, 0x87, &[text.as_bytes(), &clear]);
        encrypt_cbc(&self.encryption, &mac, clear.as_chunks_mut::<16>().0);
        push_hex(&mut text, &clear);
        push_hex(&mut text, &mac);
        Ok(text)
    }

    /// Opens a block: attributes and key, after the MAC held over both.
    ///
    /// # Errors
    /// The first [`BlockFault`] that applies.
    pub fn unwrap(&self, block: &str) -> Result<(Header, Zeroizing<Vec<u8>>), BlockFault> {
        let (header, rest) = Header::parse(block)?;
        let head = &block[..block.len() - rest.len()];
        let mut bytes = Zeroizing::new(from_hex(rest).ok_or(BlockFault::Format)?);
        let payload = bytes.len().checked_sub(MAC).filter(|length| *length > 0).ok_or(BlockFault::Length)?;
        let (clear, mac) = bytes.split_at_mut(payload);
        let mac: [u8; MAC] = (&*mac).try_into().map_err(|_| BlockFault::Length)?;
        let (blocks, odd) = clear.as_chunks_mut::<16>();
        if !odd.is_empty() {
            return Err(BlockFault::Length);
        }
        decrypt_cbc(&self.encryption, &mac, blocks);
        let computed = cmac::<16>(&self.authentication, 0x87, &[head.as_bytes(), clear]);
        if !bool::from(computed.ct_eq(&mac)) {
            return Err(BlockFault::Mac);
        }
        let (bits, key) = clear.split_first_chunk::<2>().ok_or(BlockFault::Length)?;
        let bits = usize::from(u16::from_be_bytes(*bits));
        let key = key.get(..bits / 8).filter(|_| bits.is_multiple_of(8)).ok_or(BlockFault::Length)?;
        Ok((header, Zeroizing::new(key.to_vec())))
    }
}

/// Appends upper-case hex.
fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0x0F));
    }
}

/// Reads hex of either case; `None` if a character is none or one is left over.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}
