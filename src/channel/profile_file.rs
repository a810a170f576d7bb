//! Reads a profile file, or says everything that is wrong with it.

use super::framing::{Framing, LengthHeader};
use super::profile::{MacRule, Profile, ReversalIcc, Switches};
use super::sheet::{Sheet, TOP, parent_of};
use super::tpdu::Tpdu;
use crate::iso8583::Dialect;
use crate::iso8583::Length;
use crate::iso8583::MtiPattern;
use crate::iso8583::Role;
use crate::model::Breach;
use crate::model::DukptScheme;
use crate::model::Kind;
use crate::model::MacAlgorithm;
use crate::model::MacOutput;
use crate::model::MacScheme;
use crate::model::PinFormat;
use crate::model::VoidsInTotals;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeValue;

/// What a profile refers to by name.
pub struct Shelf<'a> {
    /// The dialect of a name.
    pub dialect: &'a dyn Fn(&str) -> Option<Arc<Dialect>>,
    /// The text of the profile of a name, for `extends`.
    pub profile: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads the profile `name` from `text`.
///
/// `specs/profiles/pos.toml` describes every key.
///
/// # Errors
/// All breaches of the file and of those it extends.
pub fn load(name: &str, text: &str, shelf: &Shelf<'_>) -> Result<Profile, Vec<Breach>> {
    let mut texts = vec![(name.to_owned(), text.to_owned())];
    let broken = stack(&mut texts, shelf);
    let mut sheet = Sheet::new();
    for (file, text) in &texts {
        sheet.add(file, text);
    }
    sheet.note(broken);
    let profile = read(name, &mut sheet, shelf);
    let breaches = sheet.finish();
    profile.filter(|_| breaches.is_empty()).ok_or(breaches)
}

/// Adds the files that the last of `texts` extends, one after the other; says where the chain breaks.
fn stack(texts: &mut Vec<(String, String)>, shelf: &Shelf<'_>) -> Option<Breach> {
    loop {
        let (file, text) = texts.last()?;
        let (parent, line) = parent_of(text)?;
        if texts.iter().any(|(known, _)| *known == parent) {
            return Some(Breach::new(file, line, "extends: this profile extends itself"));
        }
        match (shelf.profile)(&parent) {
            Some(text) => texts.push((parent, text)),
            None => return Some(Breach::new(file, line, "extends: there is no such profile")),
        }
    }
}

fn read(name: &str, sheet: &mut Sheet<'_>, shelf: &Shelf<'_>) -> Option<Profile> {
    sheet.read(TOP, "extends", "the name of a profile", text);
    let title = sheet.need(TOP, "title", "text", text);
    let source = sheet.need(TOP, "source", "text", text);
    if sheet.need(TOP, "name", "text", text).is_some_and(|named| named != name) {
        sheet.breach(TOP, "name", "is not the name of the file");
    }
    let dialect =
        sheet.need(TOP, "dialect", "the name of a dialect without breaches", |value| (shelf.dialect)(value.as_str()?));
    let idle = sheet.need(TOP, "idle-seconds", "1 to 86400", |value| integer(value, 1..=86_400));
    let framing = framing(sheet);
    let tpdu = sheet.read("header", "tpdu", "ten hex digits beginning with 60, or \"none\"", |value| {
        match value.as_str()? {
            "none" => Some(None),
            digits => Tpdu::parse(&hex(digits)?).map(Some),
        }
    });
    let header = sheet.read("header", "fixed", "up to 64 bytes in hex", |value| {
        hex(value.as_str()?).filter(|bytes| bytes.len() <= 64)
    });
    let digits = header.as_ref().map_or(0, |header| header.len() * 2);
    let request_digit = sheet.read("header", "request-digit", "a digit of the header, counted from 0", |value| {
        integer(value, 0..=127).and_then(|place| u8::try_from(place).ok()).filter(|place| usize::from(*place) < digits)
    });
    let mac = mac(sheet, dialect.as_deref());
    let pin_format = sheet.need("keys", "pin-format", "\"0\", \"1\", \"3\" or \"4\"", |value| {
        named::<PinFormat>(value).filter(|format| *format != PinFormat::Iso2)
    });
    let sign_in = sheet.need("keys", "sign-in", "true or false", DeValue::as_bool);
    let dukpt = sheet.read("keys", "dukpt", "\"tdes\", \"aes\" or \"none\"", |value| match value.as_str()? {
        "none" => Some(None),
        _ => named::<DukptScheme>(value).map(Some),
    });
    let mak_length =
        sheet.read("keys", "mak-length", "8 or 16", |value| integer(value, 8..=16).filter(|bytes| bytes % 8 == 0));
    let correlation = sheet.need("correlation", "roles", "a list of roles", roles);
    let switches = switches(sheet);
    agree(sheet, dialect.as_deref()?, correlation.as_deref()?, &switches, sign_in?);
    let dukpt = dukpt.flatten();
    if let Some(scheme) = dukpt {
        agree_on_devices(sheet, dialect.as_deref()?, scheme, (mac.as_ref()?, pin_format?, sign_in?));
    }
    Some(Profile {
        name: name.into(),
        title: title?.into(),
        source: source?.into(),
        dialect: dialect?,
        framing: framing?,
        tpdu: tpdu.flatten(),
        header: Bytes::from(header.unwrap_or_default()),
        request_digit,
        idle: Duration::from_secs(u64::try_from(idle?).ok()?),
        mac: mac?,
        pin_format: pin_format?,
        sign_in: sign_in?,
        dukpt,
        mak_length: mak_length.and_then(|bytes| u8::try_from(bytes).ok()).unwrap_or(16),
        correlation: correlation?,
        switches,
    })
}

fn framing(sheet: &mut Sheet<'_>) -> Option<Framing> {
    let names = LengthHeader::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let length = sheet.need("framing", "length", &names, |value| LengthHeader::parse(value.as_str()?));
    let counts_itself = sheet.need("framing", "counts-itself", "true or false", DeValue::as_bool);
    let cap = sheet.read("framing", "cap", "64 to 65535", |value| integer(value, 64..=65_535));
    let cap = cap.and_then(|cap| usize::try_from(cap).ok()).unwrap_or(Framing::CAP);
    let zero = sheet.need("framing", "zero-length", "\"keep-alive\" or \"refuse\"", |value| match value.as_str()? {
        "keep-alive" => Some(true),
        "refuse" => Some(false),
        _ => None,
    });
    let framing = Framing { length: length?, counts_itself: counts_itself?, cap, zero_is_keep_alive: zero? };
    let own = if framing.counts_itself { framing.length.bytes() } else { 0 };
    if cap + own > framing.length.largest() {
        sheet.breach("framing", "cap", "is more than the length header can state");
    }
    Some(framing)
}

fn mac(sheet: &mut Sheet<'_>, dialect: Option<&Dialect>) -> Option<MacRule> {
    let algorithm = sheet.need("mac", "algorithm", "alg1, x919, aes-cmac, tdes-cmac or cup-ecb", named);
    let padding = sheet.read("mac", "padding", "zeros, bit or length", named);
    let output = sheet.read("mac", "output", "binary or ascii-hex", named);
    let length = sheet.need("mac", "length", "4 to 16", |value| integer(value, 4..=16));
    if output == Some(MacOutput::AsciiHex) && length.is_some_and(|length| length < 8) {
        sheet.breach("mac", "length", "is less than 8 characters, which are 4 bytes");
    }
    let without = sheet.read("mac", "without", "a list of MTIs; x is any digit", |value| {
        let patterns = value.as_array()?.iter().map(|item| MtiPattern::parse(item.get_ref().as_str()?));
        patterns.collect::<Option<Vec<_>>>()
    });
    let element = dialect.and_then(|dialect| dialect.element(64));
    if let (Some(Length::Fixed(in_dialect)), Some(length)) = (element.map(|element| element.length), length)
        && i64::from(in_dialect) != length
    {
        sheet.breach("mac", "length", "is not the length of the dialect's DE 64");
    }
    let scheme = MacScheme {
        algorithm: algorithm?,
        padding: padding.unwrap_or_default(),
        output: output.unwrap_or_default(),
        length: u8::try_from(length?).ok()?,
    };
    Some(MacRule { scheme, without: without.unwrap_or_default() })
}

fn switches(sheet: &mut Sheet<'_>) -> Switches {
    let default = Switches::default();
    let small = |value: Option<i64>, default: u8| value.and_then(|value| u8::try_from(value).ok()).unwrap_or(default);
    let qr = sheet.read("switches", "qr-entry-mode", "\"03\" or \"04\"", |value| match value.as_str()? {
        "03" => Some(*b"03"),
        "04" => Some(*b"04"),
        _ => None,
    });
    let operator = sheet.read("switches", "operator-length", "2 or 3", |value| integer(value, 2..=3));
    let de60 = sheet.read("switches", "de60-digits", "11, 13, 14, 17 or 19", |value| {
        integer(value, 11..=19).filter(|digits| [11, 13, 14, 17, 19].contains(digits))
    });
    let control = sheet.read("switches", "reversal-security-control", "true or false", DeValue::as_bool);
    let icc = sheet.read("switches", "reversal-icc", "none, subset or full", |value| match value.as_str()? {
        "none" => Some(ReversalIcc::None),
        "subset" => Some(ReversalIcc::Subset),
        "full" => Some(ReversalIcc::Full),
        _ => None,
    });
    let voids = sheet.read("switches", "voids-in-totals", "removed or credit", |value| match value.as_str()? {
        "removed" => Some(VoidsInTotals::Removed),
        "credit" => Some(VoidsInTotals::Credit),
        _ => None,
    });
    let management = sheet.read("switches", "management-answer", "a list of roles", roles);
    let download = sheet.read("switches", "download-answer", "a list of roles", roles);
    let block = sheet.read("switches", "download-block", "400 to 999", |value| integer(value, 400..=999));
    let more = sheet.read("switches", "download-more", "\"2\" or \"3\"", |value| match value.as_str()? {
        "2" => Some(b'2'),
        "3" => Some(b'3'),
        _ => None,
    });
    let expiry = sheet.read("switches", "capk-expiry", "\"packed\" or \"text\"", |value| match value.as_str()? {
        "packed" => Some(false),
        "text" => Some(true),
        _ => None,
    });
    Switches {
        qr_entry_mode: qr.unwrap_or(default.qr_entry_mode),
        operator_length: small(operator, default.operator_length),
        de60_digits: small(de60, default.de60_digits),
        reversal_security_control: control.unwrap_or(default.reversal_security_control),
        reversal_icc: icc.unwrap_or(default.reversal_icc),
        management_answer: management.unwrap_or(default.management_answer),
        voids: voids.unwrap_or(default.voids),
        download_answer: download.unwrap_or_else(|| default.download_answer.clone()),
        download_block: block.and_then(|bytes| u16::try_from(bytes).ok()).unwrap_or(default.download_block),
        download_more: more.unwrap_or(default.download_more),
        capk_expiry_text: expiry.unwrap_or(default.capk_expiry_text),
    }
}

/// What the profile says must be sayable in its dialect.
fn agree(sheet: &mut Sheet<'_>, dialect: &Dialect, correlation: &[Role], switches: &Switches, sign_in: bool) {
    let lacks = |roles: &[Role]| roles.iter().any(|role| dialect.role(*role).is_none());
    if lacks(correlation) {
        sheet.breach("correlation", "roles", "names a role that the dialect does not have");
    }
    if !correlation.contains(&Role::Stan) || correlation.len() < 2 {
        sheet.breach("correlation", "roles", "needs the STAN and something that is not the STAN");
    }
    if lacks(&switches.management_answer) {
        sheet.breach("switches", "management-answer", "names a role that the dialect does not have");
    }
    if sign_in && (lacks(&[Role::KeyData]) || dialect.kind_row(Kind::SignIn).is_none()) {
        sheet.breach("keys", "sign-in", "the dialect has no sign-in that carries keys");
    }
}

/// What DUKPT devices need: a place for serial numbers, and calculations that their keys are for.
fn agree_on_devices(
    sheet: &mut Sheet<'_>,
    dialect: &Dialect,
    scheme: DukptScheme,
    (mac, format, sign_in): (&MacRule, PinFormat, bool),
) {
    if dialect.role(Role::Ksn).is_none() {
        sheet.breach("keys", "dukpt", "the dialect has no key serial number");
    }
    if sign_in {
        sheet.breach("keys", "dukpt", "terminals that sign in have no DUKPT keys");
    }
    let aes = scheme == DukptScheme::Aes;
    if aes != (mac.scheme.algorithm == MacAlgorithm::AesCmac) {
        sheet.breach("mac", "algorithm", "is not one for these DUKPT keys");
    }
    if aes != (format == PinFormat::Iso4) {
        sheet.breach("keys", "pin-format", "is not one for these DUKPT keys");
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn integer(value: &DeValue<'_>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok().filter(|number| range.contains(number))
}

fn roles(value: &DeValue<'_>) -> Option<Vec<Role>> {
    value.as_array()?.iter().map(|item| Role::parse(item.get_ref().as_str()?)).collect()
}

/// An enum of the model by its name in files.
fn named<T: for<'de> Deserialize<'de>>(value: &DeValue<'_>) -> Option<T> {
    let name: StrDeserializer<'_, Error> = value.as_str()?.into_deserializer();
    T::deserialize(name).ok()
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())?).collect()
}
