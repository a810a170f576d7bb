//! Keys of one transaction, and what is done with them.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use super::case::aes_kind;
use crate::hsm::calculator;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearBlock;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::dukpt::Direction;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::dukpt::aes;
use crate::hsm::calculator::dukpt::aes::Derived;
use crate::hsm::calculator::dukpt::tdes;
use crate::hsm::calculator::hmac_sha256;
use crate::hsm::calculator::mac;
use crate::model::Ksn;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use crate::model::PinFormat;
use zeroize::Zeroizing;

pub(super) fn ksn_valid(case: &Case<'_>) -> Held {
    case.verdict(dukpt::counter(&case.ksn()?).is_ok())
}

/// The transaction's key.
fn tdes_transaction(case: &Case<'_>) -> Result<tdes::DoubleKey, Wrong> {
    let ksn = case.ksn()?;
    Ok(tdes::transaction_key(&*tdes::initial_key(&case.bytes("bdk")?, &ksn)?, &ksn)?)
}

/// Its variant for one purpose.
fn tdes_working(case: &Case<'_>, purpose: Purpose) -> Result<CipherKey, Wrong> {
    Ok(dukpt::working_key(&case.bytes("bdk")?, &case.ksn()?, purpose)?)
}

pub(super) fn tdes_initial(case: &Case<'_>) -> Held {
    case.same_hex("ik", tdes::initial_key(&case.bytes("bdk")?, &case.ksn()?)?.as_slice())
}

pub(super) fn tdes_transaction_key(case: &Case<'_>) -> Held {
    case.same_hex("txn_key", tdes_transaction(case)?.as_slice())
}

pub(super) fn tdes_pin(case: &Case<'_>) -> Held {
    let key = tdes::working_key(&*tdes_transaction(case)?, Purpose::Pin)?;
    case.same_hex("pin_key", key.as_slice())?;
    let (format, pan) = (case.format("format")?, case.pan()?);
    let clear = calculator::encode(format, &case.pin()?, &pan, &case.fill("fill")?)?;
    if clear.clear() != case.bytes("clear_block")?.as_slice() {
        return Err(Wrong::Differs("clear_block"));
    }
    let key = tdes_working(case, Purpose::Pin)?;
    case.same_hex("enciphered", calculator::encipher(&key, format, &clear, &pan)?.as_bytes())
}

/// Both ways, cut to what the vector shows.
pub(super) fn tdes_mac(case: &Case<'_>, algorithm: MacAlgorithm) -> Held {
    let padding = if case.value("padding").is_some() { case.padding()? } else { Padding::Zeros };
    for (direction, name) in [(Direction::Request, "request_mac"), (Direction::Response, "response_mac")] {
        let key = tdes_working(case, Purpose::Mac(direction))?;
        let whole = mac(&key, algorithm, padding, &case.bytes("data")?)?;
        let length = case.expects(name)?.len() / 2;
        case.same_hex(name, whole.get(..length).ok_or(Wrong::Expectation(name))?)?;
    }
    Ok(())
}

/// Both ways, there and back.
fn data(case: &Case<'_>, working: impl Fn(Purpose) -> Result<CipherKey, Wrong>) -> Held {
    let (clear, start) = (case.bytes("data")?, case.bytes("iv")?);
    for (direction, name) in [(Direction::Request, "request_ciphertext"), (Direction::Response, "response_ciphertext")]
    {
        let key = working(Purpose::Data(direction))?;
        let mut buffer = clear.clone();
        key.encrypt_cbc(&start, &mut buffer)?;
        case.same_hex(name, &buffer)?;
        key.decrypt_cbc(&start, &mut buffer)?;
        if *buffer != *clear {
            return Err(Wrong::Differs("data"));
        }
    }
    Ok(())
}

pub(super) fn tdes_data(case: &Case<'_>) -> Held {
    data(case, |purpose| tdes_working(case, purpose))
}

/// A serial number out of the initial key's number: its counter does not matter.
fn initial_number(case: &Case<'_>) -> Result<Ksn, Wrong> {
    let mut number = case.bytes("ikid")?;
    number.extend([0; 4]);
    Ksn::new(&number).ok_or(Wrong::Input("ikid"))
}

pub(super) fn aes_initial(case: &Case<'_>) -> Held {
    case.same_hex("ik", &aes::initial_key(&case.bytes("bdk")?, &initial_number(case)?)?)
}

pub(super) fn aes_transaction_key(case: &Case<'_>) -> Held {
    let ksn = case.ksn()?;
    let initial = aes::initial_key(&case.bytes("bdk")?, &ksn)?;
    case.same_hex_if_wanted("ik", &initial)?;
    case.same_hex("txn_key", &aes::transaction_key(&initial, &ksn)?)
}

/// What kind of key the vector names.
fn kind(case: &Case<'_>, name: &'static str) -> Result<Derived, Wrong> {
    match case.text(name)? {
        "2TDEA" => Ok(Derived::Tdes2),
        "3TDEA" => Ok(Derived::Tdes3),
        "AES128" => Ok(Derived::Aes128),
        "AES192" => Ok(Derived::Aes192),
        "AES256" => Ok(Derived::Aes256),
        "HMAC128" => Ok(Derived::Hmac128),
        "HMAC192" => Ok(Derived::Hmac192),
        "HMAC256" => Ok(Derived::Hmac256),
        _ => Err(Wrong::Input(name)),
    }
}

/// The working key for one purpose, in clear.
fn aes_working(case: &Case<'_>, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let ksn = case.ksn()?;
    let transaction = aes::transaction_key(&aes::initial_key(&case.bytes("bdk")?, &ksn)?, &ksn)?;
    Ok(aes::working_key(&transaction, &ksn, purpose, kind(case, "working_key")?)?)
}

/// The same, expanded.
fn aes_cipher(case: &Case<'_>, purpose: Purpose) -> Result<CipherKey, Wrong> {
    let key = aes_working(case, purpose)?;
    Ok(CipherKey::new(aes_kind(&key)?, &key)?)
}

pub(super) fn aes_working_keys(case: &Case<'_>) -> Held {
    for (name, purpose) in [
        ("pin_key", Purpose::Pin),
        ("mac_gen_key", Purpose::Mac(Direction::Request)),
        ("mac_ver_key", Purpose::Mac(Direction::Response)),
        ("data_enc_key", Purpose::Data(Direction::Request)),
        ("data_dec_key", Purpose::Data(Direction::Response)),
    ] {
        case.same_hex_if_wanted(name, &aes_working(case, purpose)?)?;
    }
    Ok(())
}

pub(super) fn aes_pin(case: &Case<'_>) -> Held {
    let (key, pan) = (aes_cipher(case, Purpose::Pin)?, case.pan()?);
    let clear = ClearBlock::new(&case.bytes("pin_field")?).ok_or(Wrong::Input("pin_field"))?;
    let pin = calculator::decode(PinFormat::Iso4, &clear, &pan).map_err(|_| Wrong::Input("pin_field"))?;
    if *pin.clear() != *case.pin()?.clear() {
        return Err(Wrong::Differs("pin"));
    }
    case.same_hex("enciphered", calculator::encipher(&key, PinFormat::Iso4, &clear, &pan)?.as_bytes())
}

pub(super) fn aes_mac(case: &Case<'_>) -> Held {
    for (direction, name) in [(Direction::Request, "request_mac"), (Direction::Response, "response_mac")] {
        let key = aes_cipher(case, Purpose::Mac(direction))?;
        case.same_hex(name, &mac(&key, MacAlgorithm::AesCmac, Padding::Zeros, &case.bytes("data")?)?)?;
    }
    Ok(())
}

pub(super) fn aes_hmac(case: &Case<'_>) -> Held {
    for (direction, name) in [(Direction::Request, "request_mac"), (Direction::Response, "response_mac")] {
        let key = aes_working(case, Purpose::Mac(direction))?;
        case.same_hex_if_wanted(name, &hmac_sha256(&key, &case.bytes("data")?)?)?;
    }
    Ok(())
}

pub(super) fn aes_data(case: &Case<'_>) -> Held {
    data(case, |purpose| aes_cipher(case, purpose))
}

pub(super) fn aes_update_key(case: &Case<'_>) -> Held {
    let kind = kind(case, "update_key")?;
    case.same_hex("update_key", &aes::update_key(&case.bytes("ik")?, &initial_number(case)?, kind)?)
}
