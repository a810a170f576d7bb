//! Keys under public test master keys: the published one of variant HSMs, and one of this house for key blocks.
//!
//! How a manufacturer binds the header of its key blocks is not public. Hosts take them as they come, so
//! here they are bound as X9.143 version D does, under another first letter.

use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::lmk;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::calculator::tr31::KeyBlockKey;
use crate::hsm::payshield::block;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::keys::BlockAttributes;
use crate::hsm::payshield::fields::unpack_hex;
use crate::hsm::payshield::key::HostKey;
use crate::hsm::payshield::key::Scheme;
use zeroize::Zeroizing;

/// Check value of the test key, as its diagnostics give it.
pub(super) const CHECK: &str = "2686040000000000";

/// The test key for key blocks: every byte its own place.
const BLOCK_KEY: [u8; 32] = {
    let (mut key, mut place) = ([0; 32], 0);
    while place < 32 {
        key[place] = place as u8;
        place += 1;
    }
    key
};

/// The published test pairs that keys are kept under, by the last two digits of a key type.
const PAIRS: &[(&[u8; 2], &[u8; 16])] = &[
    (b"00", b"\x40\x40\x40\x40\x40\x40\x40\x40\x51\x51\x51\x51\x51\x51\x51\x51"),
    (b"01", b"\x61\x61\x61\x61\x61\x61\x61\x61\x70\x70\x70\x70\x70\x70\x70\x70"),
    (b"02", b"\xE0\xE0\x01\x01\x01\x01\x01\x01\xF1\xF1\x01\x01\x01\x01\x01\x01"),
    (b"03", b"\x1C\x58\x7F\x1C\x13\x92\x4F\xEF\x01\x01\x01\x01\x01\x01\x01\x01"),
    (b"08", b"\x16\x16\x16\x16\x16\x16\x16\x16\x19\x19\x19\x19\x19\x19\x19\x19"),
    (b"09", b"\x1A\x1A\x1A\x1A\x1A\x1A\x1A\x1A\x1C\x1C\x1C\x1C\x1C\x1C\x1C\x1C"),
    (b"0A", b"\x23\x23\x23\x23\x23\x23\x23\x23\x25\x25\x25\x25\x25\x25\x25\x25"),
    (b"0B", b"\x26\x26\x26\x26\x26\x26\x26\x26\x29\x29\x29\x29\x29\x29\x29\x29"),
];

/// A key taken out from under the test key. No `Debug`, no `Clone`; wiped on drop.
pub(super) struct Opened {
    pub(super) cipher: CipherKey,
    pub(super) clear: Zeroizing<Vec<u8>>,
}

/// The pair and the variant of a key type.
fn place(key_type: KeyType) -> Result<(&'static [u8; 16], u8), ErrorCode> {
    let [variant, pair @ ..] = key_type.as_str().as_bytes() else { return Err(ErrorCode::KEY_TYPE) };
    let found = PAIRS.iter().find(|(code, _)| code.as_slice() == pair).ok_or(ErrorCode::KEY_TYPE)?;
    let variant = variant.checked_sub(b'0').filter(|variant| *variant <= 9).ok_or(ErrorCode::KEY_TYPE)?;
    Ok((found.1, variant))
}

/// Whether every byte has an odd number of ones, as a key that comes out right as a rule has.
pub(super) fn has_odd_parity(key: &[u8]) -> bool {
    key.iter().all(|byte| byte.count_ones() % 2 == 1)
}

/// The algorithm of a DES family key by its length.
pub(super) fn algorithm(key: &[u8]) -> Result<KeyAlgorithm, ErrorCode> {
    match key.len() {
        8 => Ok(KeyAlgorithm::Des),
        16 => Ok(KeyAlgorithm::Tdes2),
        24 => Ok(KeyAlgorithm::Tdes3),
        _ => Err(ErrorCode::KEY_LENGTH),
    }
}

/// A clear key, ready for use.
pub(super) fn opened(clear: Zeroizing<Vec<u8>>) -> Result<Opened, ErrorCode> {
    let cipher = CipherKey::new(algorithm(&clear)?, &clear).map_err(|_| ErrorCode::KEY_LENGTH)?;
    Ok(Opened { cipher, clear })
}

/// The cipher of a key field in hex.
pub(super) fn cipher_of(key: &HostKey) -> Result<Vec<u8>, ErrorCode> {
    let digits = key.digits();
    let mut cipher = vec![0; digits.len() / 2];
    unpack_hex(digits.as_bytes(), &mut cipher).filter(|()| !cipher.is_empty()).ok_or(ErrorCode::KEY_SCHEME)?;
    Ok(cipher)
}

/// Opens a key whatever its parity.
pub(super) fn open(key: &HostKey, key_type: KeyType) -> Result<Opened, ErrorCode> {
    if key.scheme() == Scheme::Block {
        return open_block(key, key_type);
    }
    let (pair, variant) = place(key_type)?;
    let cipher = cipher_of(key)?;
    let open =
        |scheme, cipher: &[u8]| lmk::decrypt_key(pair, variant, scheme, cipher).map_err(|_| ErrorCode::KEY_LENGTH);
    let clear = match key.scheme() {
        Scheme::Single => open(lmk::Scheme::Z, &cipher)?,
        Scheme::DoubleVariant => open(lmk::Scheme::U, &cipher)?,
        Scheme::TripleVariant => open(lmk::Scheme::T, &cipher)?,
        // Two single-length keys: the same as plain double length.
        Scheme::Pair | Scheme::DoubleEcb => open(lmk::Scheme::X, &cipher)?,
        Scheme::TripleEcb => open(lmk::Scheme::Y, &cipher)?,
        Scheme::Block | Scheme::Tr31 | Scheme::Stored => return Err(ErrorCode::KEY_SCHEME),
    };
    opened(clear)
}

/// Puts a clear key under the test key.
pub(super) fn seal(clear: &[u8], key_type: KeyType) -> Result<HostKey, ErrorCode> {
    let (pair, variant) = place(key_type)?;
    let (scheme, letter) = match clear.len() {
        8 => (lmk::Scheme::Z, None),
        16 => (lmk::Scheme::U, Some(b'U')),
        24 => (lmk::Scheme::T, Some(b'T')),
        _ => return Err(ErrorCode::KEY_LENGTH),
    };
    let cipher = lmk::encrypt_key(pair, variant, scheme, clear).map_err(|_| ErrorCode::KEY_LENGTH)?;
    Ok(HostKey::from_cipher(letter, &cipher))
}

fn block_key() -> Result<KeyBlockKey, ErrorCode> {
    KeyBlockKey::new(&BLOCK_KEY).map_err(|_| ErrorCode::HARDWARE)
}

/// Opens a key block that may be used as `role`.
fn open_block(key: &HostKey, role: KeyType) -> Result<Opened, ErrorCode> {
    // "S1" and the rest of a header, where X9.143 has a "D".
    let text = key.as_str().strip_prefix("S1").ok_or(ErrorCode::KEY_SCHEME)?;
    let (header, clear) = block_key()?.unwrap(&format!("D{text}")).map_err(|_| ErrorCode::BLOCK_MAC)?;
    if role != KeyType::KEY_BLOCK && !block::roles(header.usage).contains(&role) {
        return Err(ErrorCode::BLOCK_USAGE);
    }
    let algorithm = block::algorithm(header.algorithm, clear.len()).ok_or(ErrorCode::BLOCK_ALGORITHM)?;
    let cipher = CipherKey::new(algorithm, &clear).map_err(|_| ErrorCode::KEY_LENGTH)?;
    Ok(Opened { cipher, clear })
}

/// Puts a clear key into a key block with these attributes. `fill` are as many random bytes as anybody needs.
pub(super) fn seal_block(clear: &[u8], attributes: &BlockAttributes, fill: &[u8; 32]) -> Result<HostKey, ErrorCode> {
    let [u1, u2, algorithm, _, mode, v1, v2, exportability, _, _] = attributes.0;
    let (usage, version) = ([u1, u2], [v1, v2]);
    let header = Header {
        form: Form::D,
        usage,
        algorithm,
        mode,
        version,
        exportability,
        optional_count: 0,
        optional: String::new(),
    };
    block::algorithm(algorithm, clear.len()).ok_or(ErrorCode::BLOCK_ALGORITHM)?;
    let padding = fill.get(..header.padding(clear.len())).ok_or(ErrorCode::KEY_LENGTH)?;
    let text = block_key()?.wrap(&header, clear, padding).map_err(|_| ErrorCode::KEY_LENGTH)?;
    let rest = text.strip_prefix('D').ok_or(ErrorCode::HARDWARE)?;
    HostKey::parse(&format!("S1{rest}")).ok_or(ErrorCode::HARDWARE)
}
