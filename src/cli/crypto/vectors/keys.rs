//! Check values, components, transport, key blocks, local master keys.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use super::case::aes_kind;
use super::case::des_kind;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::keys;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::lmk;
use crate::hsm::calculator::tr31::BlockFault;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::calculator::tr31::KeyBlockKey;
use serde_json::Value;

/// A key of the family that the vector's algorithm names.
fn family_key(key: &[u8], aes: bool) -> Result<CipherKey, Wrong> {
    Ok(CipherKey::new(if aes { aes_kind(key)? } else { des_kind(key)? }, key)?)
}

pub(super) fn check_value(case: &Case<'_>, aes: bool) -> Held {
    let method = match case.text("method")? {
        "encrypt_zeros" => KcvMethod::EncryptZeros,
        "cmac_zeros" => KcvMethod::CmacZeros,
        _ => return Err(Wrong::Input("method")),
    };
    let key = family_key(&case.bytes("key")?, aes)?;
    case.same_digits("kcv", &keys::check_value(&key, method, case.number("length")?)?.to_string())
}

/// The usual check value of a key, as long as the one it is compared with.
fn usual(key: &[u8], aes: bool, like: &str) -> Result<String, Wrong> {
    let key = family_key(key, aes)?;
    Ok(keys::check_value(&key, KcvMethod::usual(&key), like.len() / 2)?.to_string())
}

pub(super) fn components(case: &Case<'_>) -> Held {
    let aes = case.text("key_type")? == "AES";
    let parts = case.value("components").and_then(Value::as_array).ok_or(Wrong::Input("components"))?;
    let bytes = |part: &Value| crate::cli::input::from_hex(part.as_str()?.as_bytes());
    let parts: Option<Vec<Vec<u8>>> = parts.iter().map(bytes).collect();
    let parts = parts.ok_or(Wrong::Input("components"))?;
    let values = case.expected_value("component_kcvs")?.as_array().ok_or(Wrong::Expectation("component_kcvs"))?;
    if values.len() != parts.len() {
        return Err(Wrong::Differs("component_kcvs"));
    }
    for (part, value) in parts.iter().zip(values) {
        let value = value.as_str().ok_or(Wrong::Expectation("component_kcvs"))?;
        if !usual(part, aes, value)?.eq_ignore_ascii_case(value) {
            return Err(Wrong::Differs("component_kcvs"));
        }
    }
    let mut key = keys::combine(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    case.same_hex("key", &key)?;
    case.same_digits("kcv", &usual(&key, aes, case.expects("kcv")?)?)?;
    if case.wants("key_odd_parity") {
        keys::set_odd_parity(&mut key);
        case.same_hex("key_odd_parity", &key)?;
    }
    Ok(())
}

pub(super) fn export_ecb(case: &Case<'_>) -> Held {
    let (kek, key) = (case.des("kek")?, case.bytes("key")?);
    let cipher = keys::wrap_ecb(&kek, &key)?;
    case.same_hex("enciphered", &cipher)?;
    if *keys::unwrap_ecb(&kek, &cipher)? != *key {
        return Err(Wrong::Differs("key"));
    }
    case.same_digits("kcv", &usual(&key, false, case.expects("kcv")?)?)
}

pub(super) fn wrap_block(case: &Case<'_>) -> Held {
    let (start, key, padding) = (case.text("header")?, case.bytes("key")?, case.bytes("random_pad")?);
    // The header states the length of the whole: as many characters as there will be.
    let total = start.get(1..5).and_then(|length| length.parse().ok()).ok_or(Wrong::Input("header"))?;
    let (header, _) = Header::parse(&format!("{start:0<total$}"))?;
    let protection = KeyBlockKey::with_form(header.form, &case.bytes("kbpk")?)?;
    case.same_block("key_block", &protection.wrap(&header, &key, &padding)?)
}

/// The protection key in the form that the block names.
fn protection(case: &Case<'_>, block: &str) -> Result<KeyBlockKey, Wrong> {
    let form = match block.as_bytes().first() {
        Some(b'A') => Form::A,
        Some(b'B') => Form::B,
        Some(b'C') => Form::C,
        _ => Form::D,
    };
    Ok(KeyBlockKey::with_form(form, &case.bytes("kbpk")?)?)
}

pub(super) fn open_block(case: &Case<'_>) -> Held {
    let block = case.text("key_block")?;
    match protection(case, block)?.unwrap(block) {
        Ok((_, key)) => case.same_hex("key", &key),
        Err(BlockFault::Format) => case.failed("format"),
        Err(BlockFault::Length) => case.failed("length"),
        Err(BlockFault::Mac) => case.failed("mac"),
    }
}

pub(super) fn open_and_write_block(case: &Case<'_>) -> Held {
    let block = case.text("key_block")?;
    let protection = protection(case, block)?;
    let (header, key) = protection.unwrap(block)?;
    case.same_hex("key", &key)?;
    let padding = protection.padding_of(block)?;
    case.same_hex("random_pad", &padding)?;
    case.same_block("key_block", &protection.wrap(&header, &key, &padding)?)?;
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).as_ref());
    let (_, rest) = Header::parse(block)?;
    let found = [
        ("version", Value::from(header.form.letter().to_string())),
        ("length", block.len().into()),
        ("key_usage", text(&header.usage)),
        ("algorithm", text(&[header.algorithm])),
        ("mode_of_use", text(&[header.mode])),
        ("key_version", text(&header.version)),
        ("exportability", text(&[header.exportability])),
        ("opt_blocks", header.optional_count.into()),
        ("header", block.get(..block.len() - rest.len()).unwrap_or_default().into()),
    ];
    let fields = case.expected_value("header_fields")?.as_object().ok_or(Wrong::Expectation("header_fields"))?;
    let same = found.iter().all(|(name, value)| fields.get(*name) == Some(value)) && fields.len() == found.len();
    if same { Ok(()) } else { Err(Wrong::Differs("header_fields")) }
}

pub(super) fn under_lmk(case: &Case<'_>) -> Held {
    let scheme = match case.text("scheme")? {
        "Z" => lmk::Scheme::Z,
        "U" => lmk::Scheme::U,
        "T" => lmk::Scheme::T,
        "X" => lmk::Scheme::X,
        "Y" => lmk::Scheme::Y,
        _ => return Err(Wrong::Input("scheme")),
    };
    // The pair is given in clear, and the variant as a number.
    case.describes(&["lmk_pair", "key_type"]);
    let (pair, key) = (case.array::<16>("lmk")?, case.bytes("key")?);
    let variant = u8::try_from(case.number("variant")?).map_err(|_| Wrong::Input("variant"))?;
    let cipher = lmk::encrypt_key(&pair, variant, scheme, &key)?;
    case.same_hex("enciphered", &cipher)?;
    let back = lmk::decrypt_key(&pair, variant, scheme, &cipher)?;
    if *back == *key { Ok(()) } else { Err(Wrong::Differs("key")) }
}
