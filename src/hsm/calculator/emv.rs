//! Chip card keys and cryptograms: EMV Book 2 (4.3), and what came before it.

use super::CalcError;
use super::DesKey;
use super::cipher::BlockKey;
use super::cipher::CipherKey;
use super::cipher::xor;
use super::keys::set_odd_parity;
use super::mac::mac;
use crate::hsm::KeyAlgorithm;
use crate::hsm::emv::Arpc;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::emv::MasterKeyOption;
use crate::hsm::emv::ScriptKeyMethod;
use crate::hsm::emv::SessionKeyMethod;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use sha1::Digest;
use sha1::Sha1;
use zeroize::Zeroizing;

/// A card's or a transaction's key on its way: wiped on drop. With odd parity.
pub type EmvKey = Zeroizing<[u8; 16]>;

/// Both halves of a derived key: two blocks enciphered by themselves, with odd parity.
fn both_halves(key: &DesKey, left: [u8; 8], right: [u8; 8]) -> EmvKey {
    let mut derived = EmvKey::default();
    for (half, block) in derived.as_chunks_mut::<8>().0.iter_mut().zip([left, right]) {
        *half = block;
        key.encrypt(half);
    }
    set_odd_parity(derived.as_mut_slice());
    derived
}

/// The double-length schedule that EMV keys have.
fn double(key: &[u8; 16]) -> Result<DesKey, CalcError> {
    DesKey::new(key)
}

/// Digits as packed nibbles, the last sixteen of them, zeros in front.
fn last_sixteen(digits: &[u8]) -> [u8; 8] {
    let mut block = [0; 8];
    for (place, digit) in digits.iter().rev().take(16).enumerate() {
        let shift = if place % 2 == 0 { 0 } else { 4 };
        if let Some(byte) = block.get_mut(7 - place / 2) {
            *byte |= (digit & 0x0F) << shift;
        }
    }
    block
}

/// The first sixteen decimal nibbles of a SHA-1 over PAN and sequence number; letters less ten fill up.
fn hashed(digits: &[u8]) -> [u8; 8] {
    // PAN digits, so room enough from the start: what grows leaves a copy behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(digits.len() + 1));
    padded.resize(digits.len() % 2, 0);
    padded.extend(digits.iter().map(|digit| digit & 0x0F));
    let mut packed = Zeroizing::new(Vec::with_capacity(padded.len() / 2));
    packed.extend(padded.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low));
    let mut nibbles = Zeroizing::new([0; 40]);
    for (pair, byte) in nibbles.as_chunks_mut::<2>().0.iter_mut().zip(Sha1::digest(packed.as_slice())) {
        *pair = [byte >> 4, byte & 0x0F];
    }
    let decimals = nibbles.iter().filter(|nibble| **nibble < 10).copied();
    let letters = nibbles.iter().filter(|nibble| **nibble >= 10).map(|nibble| nibble - 10);
    let mut chosen = Zeroizing::new([0; 16]);
    chosen.iter_mut().zip(decimals.chain(letters)).for_each(|(to, nibble)| *to = nibble);
    last_sixteen(chosen.as_slice())
}

/// A card's own master key.
///
/// # Errors
/// [`CalcError::KeyAlgorithm`] unless the issuer's key is double length, [`CalcError::Digits`] for a
/// sequence number over 99.
pub fn master_key(issuer: &DesKey, option: MasterKeyOption, card: &EmvCard) -> Result<EmvKey, CalcError> {
    if issuer.algorithm() != KeyAlgorithm::Tdes2 {
        return Err(CalcError::KeyAlgorithm);
    }
    if card.sequence > 99 {
        return Err(CalcError::Digits);
    }
    let pan = card.pan.clear().as_bytes();
    let digits = Zeroizing::new([pan, &[card.sequence / 10, card.sequence % 10]].concat());
    let left = match option {
        MasterKeyOption::B if pan.len() > 16 => hashed(&digits),
        MasterKeyOption::A | MasterKeyOption::B => last_sixteen(&digits),
    };
    Ok(both_halves(issuer, left, left.map(|byte| !byte)))
}

/// The common session key over a diversifier of 8 bytes (EMV Book 2, annex A1.3.1).
///
/// # Errors
/// None in practice: the lengths are fixed.
pub fn common_session_key(master: &[u8; 16], diversifier: [u8; 8]) -> Result<EmvKey, CalcError> {
    let (mut left, mut right) = (diversifier, diversifier);
    left[2] = 0xF0;
    right[2] = 0x0F;
    Ok(both_halves(&double(master)?, left, right))
}

/// The EMV2000 session key: a walk down a tree whose leaves are the counter's values.
///
/// # Errors
/// [`CalcError::DataLength`] unless the tree has at least 65,535 leaves and at most 16 levels of at
/// most 16 branches.
pub fn tree_session_key(
    master: &[u8; 16],
    atc: [u8; 2],
    (height, branch): (u8, u8),
    start: &[u8; 16],
) -> Result<EmvKey, CalcError> {
    let leaves = u64::from(branch).pow(u32::from(height.min(16)));
    if !(1..=16).contains(&height) || !(2..=16).contains(&branch) || leaves < 65_535 {
        return Err(CalcError::DataLength);
    }
    let branch = u64::from(branch);
    let counter = u64::from(u16::from_be_bytes(atc));
    let (mut parent, mut grandparent) = (Zeroizing::new(*master), Zeroizing::new(*start));
    for level in (0..height).rev() {
        let turn = counter / branch.pow(u32::from(level)) % branch;
        let key = double(&parent)?;
        let mut child = grandparent.clone();
        for (half, mark) in child.as_chunks_mut::<8>().0.iter_mut().zip([0, 0xF0]) {
            xor(half, &(turn ^ mark).to_be_bytes());
            key.encrypt(half);
        }
        if level == 0 {
            xor(child.as_mut_slice(), grandparent.as_slice());
            set_odd_parity(child.as_mut_slice());
            return Ok(child);
        }
        grandparent = parent;
        parent = child;
    }
    Err(CalcError::DataLength)
}

/// A transaction's key as the agreement says.
///
/// # Errors
/// As [`tree_session_key`].
pub fn session_key(
    method: SessionKeyMethod,
    master: &[u8; 16],
    atc: [u8; 2],
    unpredictable: [u8; 4],
) -> Result<EmvKey, CalcError> {
    let [high, low] = atc;
    let [u1, u2, u3, u4] = unpredictable;
    match method {
        SessionKeyMethod::Master => Ok(Zeroizing::new(*master)),
        SessionKeyMethod::MChip => common_session_key(master, [high, low, 0, 0, u1, u2, u3, u4]),
        SessionKeyMethod::Common => common_session_key(master, [high, low, 0, 0, 0, 0, 0, 0]),
        SessionKeyMethod::Tree { height, branch } => tree_session_key(master, atc, (height, branch), &[0; 16]),
    }
}

/// The key of issuer scripts of one transaction.
///
/// # Errors
/// None in practice: the lengths are fixed.
pub fn script_session_key(
    method: ScriptKeyMethod,
    master: &[u8; 16],
    atc: [u8; 2],
    arqc: [u8; 8],
) -> Result<EmvKey, CalcError> {
    match method {
        ScriptKeyMethod::Common => common_session_key(master, arqc),
        ScriptKeyMethod::Visa => {
            let mut key = Zeroizing::new(*master);
            let (left, right) = key.split_at_mut(8);
            xor(left.split_at_mut(6).1, &atc);
            xor(right.split_at_mut(6).1, &atc.map(|byte| !byte));
            set_odd_parity(key.as_mut_slice());
            Ok(key)
        }
    }
}

/// A retail MAC under an EMV key.
fn retail(key: &[u8; 16], padding: Padding, data: &[u8]) -> Result<[u8; 8], CalcError> {
    let key = CipherKey::new(KeyAlgorithm::Tdes2, key)?;
    let whole = mac(&key, MacAlgorithm::X919, padding, data)?;
    whole.first_chunk::<8>().copied().ok_or(CalcError::ResultLength)
}

/// An application cryptogram (ARQC, TC, AAC) over `data`.
///
/// # Errors
/// None in practice: the lengths are fixed.
pub fn cryptogram(session: &[u8; 16], padding: Padding, data: &[u8]) -> Result<[u8; 8], CalcError> {
    retail(session, padding, data)
}

/// The cryptogram that a card makes: from the issuer's key, all the way.
///
/// # Errors
/// As [`master_key`] and [`session_key`].
pub fn card_cryptogram(
    issuer: &DesKey,
    scheme: &EmvScheme,
    card: &EmvCard,
    transaction: &EmvTransaction<'_>,
) -> Result<[u8; 8], CalcError> {
    let master = master_key(issuer, scheme.master, card)?;
    let session = session_key(scheme.session, &master, transaction.atc, transaction.unpredictable)?;
    cryptogram(&session, scheme.padding, transaction.data)
}

/// The key under which the issuer answers: the transaction's where the scheme has the common method
/// or the tree, the card's own otherwise.
///
/// # Errors
/// As [`session_key`].
pub fn answer_key(scheme: &EmvScheme, master: &[u8; 16], atc: [u8; 2]) -> Result<EmvKey, CalcError> {
    match scheme.session {
        SessionKeyMethod::Master | SessionKeyMethod::MChip => Ok(Zeroizing::new(*master)),
        SessionKeyMethod::Common | SessionKeyMethod::Tree { .. } => session_key(scheme.session, master, atc, [0; 4]),
    }
}

/// The authorization response cryptogram (EMV Book 2, 8.2).
///
/// # Errors
/// None in practice: the lengths are fixed.
pub fn arpc(key: &[u8; 16], arqc: [u8; 8], spec: &ArpcSpec) -> Result<Arpc, CalcError> {
    match spec {
        ArpcSpec::Method1 { response_code } => {
            let mut block = arqc;
            xor(&mut block, response_code);
            double(key)?.encrypt(&mut block);
            Ok(Arpc::from_slice(&block))
        }
        ArpcSpec::Method2 { status_update, proprietary } => {
            if proprietary.len() > 8 {
                return Err(CalcError::DataLength);
            }
            let data = [arqc.as_slice(), status_update, proprietary].concat();
            let whole = retail(key, Padding::Bit, &data)?;
            Ok(Arpc::from_slice(&whole[..4]))
        }
    }
}

/// The MAC of an issuer script: over the command's five header bytes, the counter, the request's
/// cryptogram and the command's data.
///
/// # Errors
/// [`CalcError::DataLength`] if the command is shorter than its header.
pub fn script_mac(session: &[u8; 16], atc: [u8; 2], arqc: [u8; 8], command: &[u8]) -> Result<[u8; 8], CalcError> {
    let (header, data) = command.split_at_checked(5).ok_or(CalcError::DataLength)?;
    retail(session, Padding::Bit, &[header, &atc, &arqc, data].concat())
}
