//! Card verification values and chip cryptograms.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use super::case::hex;
use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::emv;
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::keys::check_value;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::CRYPTOGRAM_TAGS;
use crate::hsm::emv::Cvn;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::emv::MasterKeyOption;
use crate::hsm::emv::ScriptKeyMethod;
use crate::hsm::emv::SessionKeyMethod;
use crate::model::Padding;
use serde_json::Value;
use smallvec::SmallVec;
use subtle::ConstantTimeEq;

/// The card verification value of the vector's card.
fn cvv_of(case: &Case<'_>) -> Result<[u8; 3], Wrong> {
    let (expiry, service_code) = (case.characters("expiry")?, case.characters("service_code")?);
    Ok(calculator::cvv(&case.des_key("cvk")?, &case.pan()?, &expiry, &service_code)?)
}

pub(super) fn cvv(case: &Case<'_>) -> Held {
    case.same("cvv", &String::from_utf8_lossy(&cvv_of(case)?))
}

pub(super) fn verify_cvv(case: &Case<'_>) -> Held {
    case.verdict(cvv_of(case)?.as_slice().ct_eq(case.text("cvv")?.as_bytes()).into())
}

pub(super) fn cvc3(case: &Case<'_>) -> Held {
    let master = emv::master_key(&case.des_key("imk_cvc3")?, MasterKeyOption::A, &card(case)?)?;
    let (track, atc, un) = (case.bytes("track")?, case.array("atc")?, case.array("un")?);
    case.same("cvc3", &calculator::cvc3(master.as_slice(), &track, atc, un, case.number("digits")?)?)
}

/// Whose keys are derived.
fn card(case: &Case<'_>) -> Result<EmvCard, Wrong> {
    let sequence = case.text("psn")?.parse().map_err(|_| Wrong::Input("psn"))?;
    Ok(EmvCard { pan: case.pan()?, sequence })
}

/// How the master key follows.
fn option(case: &Case<'_>, name: &'static str) -> Result<MasterKeyOption, Wrong> {
    match case.text(name)? {
        "A" => Ok(MasterKeyOption::A),
        "B" => Ok(MasterKeyOption::B),
        _ => Err(Wrong::Input(name)),
    }
}

/// The usual check value of a double-length key.
fn double_kcv(key: &EmvKey) -> Result<String, Wrong> {
    let key = CipherKey::new(KeyAlgorithm::Tdes2, key.as_slice())?;
    Ok(check_value(&key, KcvMethod::EncryptZeros, 3)?.to_string())
}

/// A check value may be shorter here than any that an HSM gives.
fn same_kcv(case: &Case<'_>, name: &'static str, key: &EmvKey) -> Held {
    if !case.wants(name) {
        return Ok(());
    }
    let expected = case.expects(name)?.to_uppercase();
    let agrees = expected.len() >= 4 && double_kcv(key)?.starts_with(&expected);
    if agrees { Ok(()) } else { Err(Wrong::Differs(name)) }
}

pub(super) fn master_key(case: &Case<'_>) -> Held {
    let key = emv::master_key(&case.des_key("imk")?, option(case, "option")?, &card(case)?)?;
    case.same_hex("icc_mk", key.as_slice())?;
    same_kcv(case, "kcv", &key)
}

/// The agreement that the vector spells out.
fn scheme(case: &Case<'_>) -> Result<EmvScheme, Wrong> {
    let session = match case.text("sk_method")? {
        "VSDC" => SessionKeyMethod::Master,
        "MCHIP" => SessionKeyMethod::MChip,
        "CSK" => SessionKeyMethod::Common,
        "EMV2000" => {
            let shape = |name, usual| match case.value(name) {
                Some(_) => u8::try_from(case.number(name)?).map_err(|_| Wrong::Input(name)),
                None => Ok(usual),
            };
            SessionKeyMethod::Tree { height: shape("height", 8)?, branch: shape("branch", 4)? }
        }
        _ => return Err(Wrong::Input("sk_method")),
    };
    let padding = if case.value("padding").is_some() { case.padding()? } else { Padding::Bit };
    Ok(EmvScheme { master: option(case, "mk_option")?, session, padding, script: ScriptKeyMethod::Common })
}

/// The keys of the vector: the card's own and the transaction's. A diversifier may be given as such.
fn card_keys(case: &Case<'_>, scheme: &EmvScheme) -> Result<(EmvKey, EmvKey), Wrong> {
    let master = emv::master_key(&case.des_key("imk")?, scheme.master, &card(case)?)?;
    let session = match case.given("r") {
        Some(_) => emv::common_session_key(&master, case.array("r")?)?,
        None => {
            let unpredictable = if case.given("un").is_some() { case.array("un")? } else { [0; 4] };
            emv::session_key(scheme.session, &master, case.array("atc")?, unpredictable)?
        }
    };
    Ok((master, session))
}

pub(super) fn generate(case: &Case<'_>) -> Held {
    let scheme = scheme(case)?;
    let (master, session) = card_keys(case, &scheme)?;
    case.same_hex_if_wanted("icc_mk", master.as_slice())?;
    case.same_hex("session_key", session.as_slice())?;
    same_kcv(case, "session_key_kcv", &session)?;
    let data = case.bytes("data")?;
    case.same_hex("ac", &emv::cryptogram(&session, scheme.padding, &data)?)?;
    if case.given("r").is_none() {
        let unpredictable = if case.given("un").is_some() { case.array("un")? } else { [0; 4] };
        let transaction = EmvTransaction { atc: case.array("atc")?, unpredictable, data: &data };
        let made = emv::card_cryptogram(&case.des_key("imk")?, &scheme, &card(case)?, &transaction)?;
        case.same_hex("ac", &made)?;
    }
    Ok(())
}

pub(super) fn verify(case: &Case<'_>) -> Held {
    let scheme = scheme(case)?;
    let (_, session) = card_keys(case, &scheme)?;
    let made = emv::cryptogram(&session, scheme.padding, &case.bytes("data")?)?;
    case.verdict(made.ct_eq(&case.array::<8>("arqc")?).into())
}

pub(super) fn answer(case: &Case<'_>) -> Held {
    let scheme = scheme(case)?;
    let (master, session) = card_keys(case, &scheme)?;
    let key = match case.given("r") {
        Some(_) => session,
        None => emv::answer_key(&scheme, &master, case.array("atc")?)?,
    };
    case.same_hex("arpc_key", key.as_slice())?;
    let spec = match case.number("method")? {
        1 => ArpcSpec::Method1 { response_code: case.array("arc")? },
        2 => ArpcSpec::Method2 {
            status_update: case.array("csu")?,
            proprietary: SmallVec::from_slice(&case.bytes("prop_auth_data")?),
        },
        _ => return Err(Wrong::Input("method")),
    };
    case.same_hex("arpc", &emv::arpc(&key, case.array("arqc")?, &spec)?)
}

/// The data of a cryptogram, out of a table by tag.
fn covered(case: &Case<'_>) -> Result<Vec<u8>, Wrong> {
    let mut data = Vec::new();
    for tag in CRYPTOGRAM_TAGS {
        let name = format!("tag_{}", hex(tag).to_lowercase());
        let value = case.value("tags").and_then(|tags| tags.get(&name)).and_then(Value::as_str);
        let bytes = value.and_then(|value| crate::cli::input::from_hex(value.as_bytes()));
        data.extend(bytes.ok_or(Wrong::Input("tags"))?);
    }
    for name in ["cvr", "counters", "iad"] {
        if case.given(name).is_some() {
            data.extend_from_slice(&case.bytes(name)?);
        }
    }
    Ok(data)
}

pub(super) fn by_version(case: &Case<'_>) -> Held {
    let cvn = match case.text("cvn")? {
        "visa10" => Cvn::Visa10,
        "visa18" => Cvn::Visa18,
        "visa22" => Cvn::Visa22,
        "mc16" => Cvn::Mastercard16,
        "mc17" => Cvn::Mastercard17,
        "mc20" => Cvn::Mastercard20,
        "mc21" => Cvn::Mastercard21,
        _ => return Err(Wrong::Input("cvn")),
    };
    let (scheme, data) = (cvn.scheme(), covered(case)?);
    case.same_hex("ac_input", &data)?;
    let tag = |name: &str| case.value("tags").and_then(|tags| tags.get(name)).and_then(Value::as_str);
    let bytes = |name: &str| tag(name).and_then(|value| crate::cli::input::from_hex(value.as_bytes()));
    let atc = bytes("tag_9f36").and_then(|atc| atc.try_into().ok()).ok_or(Wrong::Input("tags"))?;
    let unpredictable = bytes("tag_9f37").and_then(|un| un.try_into().ok()).ok_or(Wrong::Input("tags"))?;
    let master = emv::master_key(&case.des_key("imk")?, scheme.master, &card(case)?)?;
    let session = emv::session_key(scheme.session, &master, atc, unpredictable)?;
    case.same_hex_if_wanted("session_key", session.as_slice())?;
    let arqc = emv::cryptogram(&session, scheme.padding, &data)?;
    case.same_hex("arqc", &arqc)?;
    let spec = match case.given("arc") {
        Some(_) => ArpcSpec::Method1 { response_code: case.array("arc")? },
        None => ArpcSpec::Method2 { status_update: case.array("csu")?, proprietary: SmallVec::new() },
    };
    case.same_hex("arpc", &emv::arpc(&*emv::answer_key(&scheme, &master, atc)?, arqc, &spec)?)
}

pub(super) fn script_mac(case: &Case<'_>) -> Held {
    let option = if case.given("mk_option").is_some() { option(case, "mk_option")? } else { MasterKeyOption::A };
    let method = match case.given("method") {
        None | Some("VSDC") => ScriptKeyMethod::Visa,
        Some("CSK") => ScriptKeyMethod::Common,
        Some(_) => return Err(Wrong::Input("method")),
    };
    let master = emv::master_key(&case.des_key("imk_smi")?, option, &card(case)?)?;
    let (atc, arqc) = (case.array("atc")?, case.array("arqc")?);
    let session = emv::script_session_key(method, &master, atc, arqc)?;
    case.same_hex("session_key", session.as_slice())?;
    case.same_hex("mac", &emv::script_mac(&session, atc, arqc, &case.bytes("command")?)?)
}

pub(super) fn tree(case: &Case<'_>) -> Held {
    let small = |name| u8::try_from(case.number(name)?).map_err(|_| Wrong::Input(name));
    let shape = (small("height")?, small("branch")?);
    let master = case.array("icc_mk")?;
    let key = emv::tree_session_key(&master, case.array("atc")?, shape, &case.array("iv")?)?;
    case.same_hex("session_key", key.as_slice())
}
