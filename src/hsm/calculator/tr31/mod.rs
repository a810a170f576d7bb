//! Key blocks: ANSI X9.143 (TR-31), forms A to D.
//!
//! Form D is what is written. The others can be opened, because keys come in them; writing them is
//! for tests and for talking to what knows nothing better.

mod header;

pub use header::{Form, Header};

use super::AesKey;
use super::CalcError;
use super::cipher::BlockKey;
use super::cipher::DesKey;
use super::cipher::decrypt_cbc;
use super::cipher::encrypt_cbc;
use super::cipher::xor;
use super::mac::cmac;
use header::FIXED;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Why a block does not open. An HSM tells one fault for all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BlockFault {
    /// No key block, or not of the protection key's form.
    #[error("key block format")]
    Format,
    /// The lengths do not agree.
    #[error("key block length")]
    Length,
    /// The MAC differs: another protection key, or changed bytes.
    #[error("key block MAC")]
    Mac,
}

/// The longest block, in characters.
pub const MOST: usize = 9999;

/// A key block protection key, expanded into its enciphering and its MAC key.
pub struct KeyBlockKey(Pair);

/// The three ways to make two keys of one.
#[expect(clippy::large_enum_variant, reason = "a box would put key material in yet another place")]
enum Pair {
    /// Forms A and C: two variants.
    Variant { encryption: DesKey, authentication: DesKey },
    /// Form B: two derived TDES keys.
    Tdes { encryption: DesKey, authentication: DesKey },
    /// Form D: two derived AES keys.
    Aes { encryption: AesKey, authentication: AesKey },
}

/// What is added to every byte of a protection key of forms A and C: `E` and `M`.
const VARIANTS: [u8; 2] = [0x45, 0x4D];

/// What is derived, its order the standard's.
#[derive(Clone, Copy)]
enum Derived {
    Encryption = 0,
    Authentication = 1,
}

/// CMAC in counter mode over usage, algorithm and length (X9.143, 7.2.2).
fn derive<const N: usize>(
    root: &impl BlockKey<N>,
    feedback: u8,
    what: Derived,
    (algorithm, length): (u8, usize),
) -> Result<Zeroizing<[u8; 32]>, CalcError> {
    let mut derived = Zeroizing::new([0; 32]);
    let [high, low] = u16::try_from(length * 8).map_err(|_| CalcError::KeyLength)?.to_be_bytes();
    let used = derived.get_mut(..length).ok_or(CalcError::KeyLength)?;
    for (counter, part) in (1..).zip(used.chunks_mut(N)) {
        let block = cmac::<N>(root, feedback, &[&[counter, 0, what as u8, 0, 0, algorithm, high, low]]);
        xor(part, &block);
    }
    Ok(derived)
}

impl KeyBlockKey {
    /// Derives both keys of form D from a protection key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn new(protection: &[u8]) -> Result<Self, CalcError> {
        Self::with_form(Form::D, protection)
    }

    /// Makes both keys of a form: an AES protection key for D, a TDES key of 16 or 24 bytes for the
    /// others.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn with_form(form: Form, protection: &[u8]) -> Result<Self, CalcError> {
        let length = protection.len();
        if form == Form::D {
            let root = AesKey::new(protection)?;
            let kind = (u8::try_from(length / 8).map_err(|_| CalcError::KeyLength)?, length);
            let key = |what| AesKey::new(derive::<16>(&root, 0x87, what, kind)?.get(..length).unwrap_or_default());
            return Ok(Self(Pair::Aes {
                encryption: key(Derived::Encryption)?,
                authentication: key(Derived::Authentication)?,
            }));
        }
        if !matches!(length, 16 | 24) {
            return Err(CalcError::KeyLength);
        }
        if form == Form::B {
            let root = DesKey::new(protection)?;
            let kind = (u8::from(length == 24), length);
            let key = |what| DesKey::new(derive::<8>(&root, 0x1B, what, kind)?.get(..length).unwrap_or_default());
            return Ok(Self(Pair::Tdes {
                encryption: key(Derived::Encryption)?,
                authentication: key(Derived::Authentication)?,
            }));
        }
        let [encryption, authentication] = VARIANTS.map(|variant| {
            let varied: Zeroizing<Vec<u8>> = Zeroizing::new(protection.iter().map(|byte| byte ^ variant).collect());
            DesKey::new(&varied)
        });
        Ok(Self(Pair::Variant { encryption: encryption?, authentication: authentication? }))
    }

    /// Whether blocks of this form are opened by this key.
    fn fits(&self, form: Form) -> bool {
        match self.0 {
            Pair::Variant { .. } => matches!(form, Form::A | Form::C),
            Pair::Tdes { .. } => form == Form::B,
            Pair::Aes { .. } => form == Form::D,
        }
    }

    /// Writes a block in the header's form. `padding` are random bytes, as many as
    /// [`Header::padding`] says (or as an older block had).
    ///
    /// # Errors
    /// [`BlockFault::Format`] if the form is not the key's, [`BlockFault::Length`] if the payload is
    /// not whole blocks, or the block too long.
    pub fn wrap(&self, header: &Header, key: &[u8], padding: &[u8]) -> Result<String, BlockFault> {
        if !self.fits(header.form) {
            return Err(BlockFault::Format);
        }
        let (block, mac) = (header.form.block(), header.form.mac());
        let payload = 2 + key.len() + padding.len();
        let length = FIXED + header.optional.len() + 2 * (payload + mac);
        let bits = u16::try_from(key.len() * 8).map_err(|_| BlockFault::Length)?;
        if !payload.is_multiple_of(block) || !header.optional.len().is_multiple_of(block) || length > MOST {
            return Err(BlockFault::Length);
        }
        let mut text = header.write(length);
        let mut clear = Zeroizing::new([bits.to_be_bytes().as_slice(), key, padding].concat());
        let mac = match &self.0 {
            Pair::Aes { encryption, authentication } => {
                let mac = cmac::<16>(authentication, 0x87, &[text.as_bytes(), &clear]);
                encrypt_cbc(encryption, &mac, clear.as_chunks_mut::<16>().0);
                mac.to_vec()
            }
            Pair::Tdes { encryption, authentication } => {
                let mac = cmac::<8>(authentication, 0x1B, &[text.as_bytes(), &clear]);
                encrypt_cbc(encryption, &mac, clear.as_chunks_mut::<8>().0);
                mac.to_vec()
            }
            Pair::Variant { encryption, authentication } => {
                let start = text.as_bytes().first_chunk::<8>().copied().ok_or(BlockFault::Length)?;
                encrypt_cbc(encryption, &start, clear.as_chunks_mut::<8>().0);
                chained_mac(authentication, &[text.as_bytes(), &clear]).to_vec()
            }
        };
        push_hex(&mut text, &clear);
        push_hex(&mut text, &mac);
        Ok(text)
    }

    /// Opens a block: attributes and key, after the MAC held over both.
    ///
    /// # Errors
    /// The first [`BlockFault`] that applies.
    pub fn unwrap(&self, block: &str) -> Result<(Header, Zeroizing<Vec<u8>>), BlockFault> {
        let (header, clear, key) = self.payload(block)?;
        let key = clear.get(2..2 + key).ok_or(BlockFault::Length)?;
        Ok((header, Zeroizing::new(key.to_vec())))
    }

    /// The padding behind the key of a block that opens: what [`wrap`](Self::wrap) needs to write the
    /// same block again.
    ///
    /// # Errors
    /// As [`unwrap`](Self::unwrap).
    pub fn padding_of(&self, block: &str) -> Result<Zeroizing<Vec<u8>>, BlockFault> {
        let (_, clear, key) = self.payload(block)?;
        Ok(Zeroizing::new(clear.get(2 + key..).unwrap_or_default().to_vec()))
    }

    /// The header, the clear payload, and how many of its bytes behind the length are the key.
    fn payload(&self, block: &str) -> Result<(Header, Zeroizing<Vec<u8>>, usize), BlockFault> {
        if block.len() > MOST {
            return Err(BlockFault::Length);
        }
        let (header, rest) = Header::parse(block)?;
        if !self.fits(header.form) {
            return Err(BlockFault::Format);
        }
        let head = block.get(..block.len() - rest.len()).ok_or(BlockFault::Length)?;
        let mut bytes = from_hex(rest).ok_or(BlockFault::Format)?;
        let length = bytes.len().checked_sub(header.form.mac()).filter(|length| *length > 0);
        let length = length.filter(|length| length.is_multiple_of(header.form.block())).ok_or(BlockFault::Length)?;
        let (clear, mac) = bytes.split_at_mut(length);
        if !self.open(head, clear, mac).ok_or(BlockFault::Length)? {
            return Err(BlockFault::Mac);
        }
        let bits = clear.first_chunk::<2>().map(|bits| usize::from(u16::from_be_bytes(*bits)));
        let bits = bits.filter(|bits| bits.is_multiple_of(8) && bits / 8 <= length - 2).ok_or(BlockFault::Length)?;
        bytes.truncate(length);
        Ok((header, bytes, bits / 8))
    }

    /// Deciphers a payload in place and says whether its MAC holds; `None` if the MAC is too short.
    fn open(&self, head: &str, clear: &mut [u8], mac: &[u8]) -> Option<bool> {
        let holds = match &self.0 {
            Pair::Aes { encryption, authentication } => {
                let mac = mac.first_chunk::<16>()?;
                decrypt_cbc(encryption, mac, clear.as_chunks_mut::<16>().0);
                cmac::<16>(authentication, 0x87, &[head.as_bytes(), clear]).ct_eq(mac)
            }
            Pair::Tdes { encryption, authentication } => {
                let mac = mac.first_chunk::<8>()?;
                decrypt_cbc(encryption, mac, clear.as_chunks_mut::<8>().0);
                cmac::<8>(authentication, 0x1B, &[head.as_bytes(), clear]).ct_eq(mac)
            }
            Pair::Variant { encryption, authentication } => {
                let computed = chained_mac(authentication, &[head.as_bytes(), clear]);
                decrypt_cbc(encryption, head.as_bytes().first_chunk::<8>()?, clear.as_chunks_mut::<8>().0);
                computed.as_slice().ct_eq(mac)
            }
        };
        Some(holds.into())
    }
}

/// The MAC of forms A and C: four bytes of a CBC-MAC over whole blocks.
fn chained_mac(key: &DesKey, pieces: &[&[u8]]) -> [u8; 4] {
    let mut state = [0; 8];
    for block in pieces.iter().flat_map(|piece| piece.as_chunks::<8>().0) {
        xor(&mut state, block);
        key.encrypt(&mut state);
    }
    let [first, second, third, fourth, ..] = state;
    [first, second, third, fourth]
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
fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        bytes.push(byte(pair)?);
    }
    rest.is_empty().then_some(bytes)
}
