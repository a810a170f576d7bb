//! Message authentication codes.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::mac;
use crate::hsm::calculator::mac_as;
use crate::model::MacAlgorithm;
use crate::model::MacOutput;
use crate::model::MacScheme;
use crate::model::Padding;
use subtle::ConstantTimeEq;

/// ISO/IEC 9797-1 algorithms and CMACs. A shorter expectation is one that was cut.
pub(super) fn standard(case: &Case<'_>, algorithm: MacAlgorithm) -> Held {
    let key = if algorithm == MacAlgorithm::AesCmac { case.aes("key")? } else { case.des("key")? };
    let padding = if case.value("padding").is_some() { case.padding()? } else { Padding::Zeros };
    let whole = mac(&key, algorithm, padding, &case.bytes("data")?)?;
    let length = case.expects("mac")?.len() / 2;
    case.same_hex("mac", whole.get(..length).ok_or(Wrong::Expectation("mac"))?)
}

/// The UnionPay MACs: the whole block, and what of it stands in the message.
pub(super) fn union_pay(case: &Case<'_>, algorithm: MacAlgorithm, block: &'static str, text: &'static str) -> Held {
    let (key, data) = (case.des("key")?, case.bytes("mab")?);
    let written = |output| mac_as(&key, &MacScheme { algorithm, padding: Padding::Zeros, output, length: 8 }, &data);
    case.same_hex(block, &written(MacOutput::Binary)?)?;
    case.same_hex(text, &written(MacOutput::AsciiHex)?)
}

pub(super) fn union_pay_chained(case: &Case<'_>) -> Held {
    let algorithm = if case.text("variant")? == "x919" { MacAlgorithm::X919 } else { MacAlgorithm::Alg1 };
    union_pay(case, algorithm, "mac", "mac_first4_ascii")
}

pub(super) fn verify(case: &Case<'_>) -> Held {
    let (key, algorithm): (CipherKey, _) = match case.text("scheme")? {
        "alg1" => (case.des("key")?, MacAlgorithm::Alg1),
        "alg3" => (case.des("key")?, MacAlgorithm::X919),
        "cmac-aes" => (case.aes("key")?, MacAlgorithm::AesCmac),
        "cmac-tdes" => (case.des("key")?, MacAlgorithm::TdesCmac),
        _ => return Err(Wrong::Input("scheme")),
    };
    let length = u8::try_from(case.number("mac_length")?).map_err(|_| Wrong::Input("mac_length"))?;
    let scheme = MacScheme { algorithm, padding: case.padding()?, output: MacOutput::Binary, length };
    let computed = mac_as(&key, &scheme, &case.bytes("data")?)?;
    case.verdict(computed.ct_eq(case.bytes("mac")?.as_slice()).into())
}
