//! PIN blocks, PIN translation, PVV and IBM offsets.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use crate::hsm::TranslationPolicy;
use crate::hsm::calculator;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearBlock;
use crate::hsm::calculator::PinBlockFault;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::ibm;
use crate::hsm::calculator::ibm::DecimalizationTable;
use crate::hsm::calculator::ibm::ValidationData;
use crate::model::Pan;
use crate::model::PinFormat;
use serde_json::Value;
use subtle::ConstantTimeEq;

/// The PAN; any will do for formats 1 and 2, which do not look at it.
fn pan_for(case: &Case<'_>, format: PinFormat) -> Result<Pan, Wrong> {
    match format {
        PinFormat::Iso1 | PinFormat::Iso2 => {
            case.describes(&["pan"]);
            Pan::parse(b"00000000").ok_or(Wrong::Input("pan"))
        }
        PinFormat::Iso0 | PinFormat::Iso3 | PinFormat::Iso4 => case.pan(),
    }
}

pub(super) fn encode(case: &Case<'_>) -> Held {
    let format = case.format("format")?;
    let pan = pan_for(case, format)?;
    let block = calculator::encode(format, &case.pin()?, &pan, &case.fill("fill")?)?;
    case.same_hex("block", block.clear())
}

pub(super) fn decode(case: &Case<'_>) -> Held {
    let block = ClearBlock::new(&case.bytes("block")?).ok_or(Wrong::Input("block"))?;
    let format = case.format("format")?;
    match calculator::decode(format, &block, &pan_for(case, format)?) {
        Ok(pin) => case.same("pin", &String::from_utf8_lossy(&pin.clear())),
        Err(PinBlockFault::Format) => case.failed("format"),
        Err(PinBlockFault::PinLength) => case.failed("pin_length"),
        Err(PinBlockFault::PinDigit) => case.failed("pin_digit"),
        Err(PinBlockFault::Fill) => case.failed("fill"),
    }
}

pub(super) fn encipher_format_4(case: &Case<'_>) -> Held {
    if case.value("format").is_some() && case.format("format")? != PinFormat::Iso4 {
        return Err(Wrong::Input("format"));
    }
    let (key, pan) = (case.aes("key")?, case.pan()?);
    let clear = calculator::encode(PinFormat::Iso4, &case.pin()?, &pan, &case.fill("random_tail")?)?;
    case.same_hex("pin_field", clear.clear())?;
    let block = calculator::encipher(&key, PinFormat::Iso4, &clear, &pan)?;
    case.same_hex("enciphered", block.as_bytes())?;
    case.same_hex("pan_field", &calculator::pan_field(&pan))?;
    let back = calculator::decipher(&key, PinFormat::Iso4, &block, &pan)?;
    case.same_hex("pin_field", back.clear())
}

/// Deciphers under one key, enciphers under the other.
fn translated(case: &Case<'_>, key: &CipherKey) -> Held {
    let (from, to, pan) = (case.format("in_format")?, case.format("out_format")?, case.pan()?);
    let clear = calculator::decipher(key, from, &case.pin_block("in_block")?, &pan)?;
    let Ok(pin) = calculator::decode(from, &clear, &pan) else { return case.failed("pin_block_error") };
    let out = calculator::encrypt_pin(&case.pin_key("out_key", to)?, to, &pin, &pan, &case.fill("out_fill")?)?;
    case.same_hex("out_block", out.as_bytes())
}

pub(super) fn translate(case: &Case<'_>) -> Held {
    translated(case, &case.pin_key("in_key", case.format("in_format")?)?)
}

pub(super) fn translate_dukpt(case: &Case<'_>) -> Held {
    translated(case, &dukpt::working_key(&case.bytes("bdk")?, &case.ksn()?, Purpose::Pin)?)
}

pub(super) fn translate_policy(case: &Case<'_>) -> Held {
    let change = case.value("pan_change").and_then(Value::as_bool).ok_or(Wrong::Input("pan_change"))?;
    match TranslationPolicy::default().check(case.format("in_format")?, case.format("out_format")?, change) {
        Ok(()) => case.verdict(true),
        Err(_) => case.failed("format_translation_forbidden"),
    }
}

/// The PVV of a PIN, by index and keys of the vector.
fn pvv_of(case: &Case<'_>, pin: &calculator::ClearPin) -> Result<[u8; 4], Wrong> {
    let index = case.text("pvki")?.parse().map_err(|_| Wrong::Input("pvki"))?;
    Ok(calculator::pvv(&case.des_key("pvk")?, index, pin, &case.pan()?)?)
}

pub(super) fn pvv(case: &Case<'_>) -> Held {
    case.same("pvv", &String::from_utf8_lossy(&pvv_of(case, &case.pin()?)?))
}

pub(super) fn verify_pvv(case: &Case<'_>) -> Held {
    let computed = pvv_of(case, &case.pin()?)?;
    case.verdict(computed.as_slice().ct_eq(case.text("pvv")?.as_bytes()).into())
}

pub(super) fn verify_pvv_block(case: &Case<'_>) -> Held {
    let (format, pan) = (case.format("in_format")?, case.pan()?);
    let clear = calculator::decipher(&case.pin_key("zpk", format)?, format, &case.pin_block("in_block")?, &pan)?;
    let Ok(pin) = calculator::decode(format, &clear, &pan) else { return case.failed("pin_block_error") };
    let computed = pvv_of(case, &pin)?;
    case.verdict(computed.as_slice().ct_eq(case.text("pvv")?.as_bytes()).into())
}

/// Table and validation data of an IBM vector.
fn ibm_inputs(case: &Case<'_>) -> Result<(DecimalizationTable, ValidationData), Wrong> {
    let table = DecimalizationTable::parse(case.text("dec_table")?.as_bytes())?;
    Ok((table, ValidationData::parse(case.text("validation_data")?.as_bytes())?))
}

pub(super) fn ibm_offset(case: &Case<'_>) -> Held {
    let (pvk, (table, data), pin) = (case.des_key("pvk")?, ibm_inputs(case)?, case.pin()?);
    if let (Some(start), Some(length)) = (case.value("pan_verify_offset"), case.value("pan_verify_length")) {
        let place = |value: &Value| value.as_u64().and_then(|value| usize::try_from(value).ok());
        let (Some(start), Some(length)) = (place(start), place(length)) else {
            return Err(Wrong::Input("pan_verify_offset"));
        };
        let pad = u8::from_str_radix(case.text("pan_pad")?, 16).map_err(|_| Wrong::Input("pan_pad"))?;
        if ValidationData::of_pan(&case.pan()?, start, length, pad)? != data {
            return Err(Wrong::Differs("validation_data"));
        }
    }
    let natural = ibm::natural_pin(&pvk, &table, &data, pin.length())?;
    case.same("natural_pin", &String::from_utf8_lossy(&natural.clear()))?;
    let offset = ibm::pin_offset(&pvk, &table, &data, &pin, pin.length())?;
    case.same("offset", &String::from_utf8_lossy(&offset))
}

pub(super) fn verify_ibm(case: &Case<'_>) -> Held {
    let (pvk, (table, data), pin) = (case.des_key("pvk")?, ibm_inputs(case)?, case.pin()?);
    let offset = case.text("offset")?.as_bytes();
    let computed = ibm::pin_offset(&pvk, &table, &data, &pin, offset.len())?;
    case.verdict(computed.ct_eq(offset).into())
}
