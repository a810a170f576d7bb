//! Calculators without keys: Luhn, BCD, EBCDIC, TLV, track 2.

use super::super::Exit;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::Desk;
use super::desk::Manner;
use super::desk::hex_of;
use super::desk::usage;
use crate::iso8583::CodePage;
use crate::iso8583::tlv;
use crate::model::Track2;
use std::io::Write;

/// Checks a card number's last digit, and says what it should be
#[derive(Debug, clap::Args)]
pub(super) struct Luhn {
    /// The number, with its check digit
    number: String,
    /// Show the number whole
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    manner: Manner,
}

/// The check digit behind `digits` (ISO/IEC 7812-1, annex B).
pub(super) fn check_digit(digits: &[u8]) -> u8 {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let value = |(place, digit): (usize, &u8)| if place % 2 == 0 { doubled(digit & 0x0F) } else { digit & 0x0F };
    let sum: u32 = digits.iter().rev().enumerate().map(value).map(u32::from).sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or_default()
}

impl Luhn {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::open(self.manner).masked(!self.unmask);
        let pan = desk.given_pan("number", &self.number)?;
        let (last, rest) = pan.clear().as_bytes().split_last().ok_or_else(|| usage("number: empty"))?;
        let digit = check_digit(rest);
        desk.found("check digit", digit);
        let exit = desk.found_verdict("verdict", b'0' + digit == *last);
        desk.close(exit, out)
    }
}

/// Packs digits into bytes, or unpacks them
#[derive(Debug, clap::Args)]
pub(super) struct Bcd {
    /// Digits, or hex with --decode
    text: String,
    /// From bytes to digits
    #[arg(long)]
    decode: bool,
    /// An odd digit stands left: a zero fills up behind it, not in front
    #[arg(long)]
    left: bool,
    /// With --decode: how many digits count
    #[arg(long)]
    digits: Option<usize>,
    #[command(flatten)]
    manner: Manner,
}

impl Bcd {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::open(self.manner);
        desk.given(if self.decode { "bytes" } else { "digits" }, self.text.as_str());
        desk.given("justified", if self.left { "left" } else { "right" });
        if self.decode {
            let text = to_hex(&hex_of("bytes", &self.text)?);
            let count = self.digits.unwrap_or(text.len());
            let start = text.len().checked_sub(count).ok_or_else(|| usage("digits: more than there are"))?;
            let digits = if self.left { text.get(..count) } else { text.get(start..) }.unwrap_or_default();
            if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(usage("bytes: a nibble is no digit"));
            }
            desk.found("digits", digits);
        } else {
            if self.text.is_empty() || !self.text.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(usage("digits: not digits"));
            }
            let fill = if self.text.len().is_multiple_of(2) { "" } else { "0" };
            let even = if self.left { format!("{}{fill}", self.text) } else { format!("{fill}{}", self.text) };
            desk.found("bytes", even.as_str());
            desk.found("length", even.len() / 2);
        }
        desk.close(Exit::Ok, out)
    }
}

/// Writes text in EBCDIC, or reads it
#[derive(Debug, clap::Args)]
pub(super) struct Ebcdic {
    /// Text, or hex with --decode
    text: String,
    /// From EBCDIC to text
    #[arg(long)]
    decode: bool,
    /// Code page 1047 instead of 037
    #[arg(long = "1047")]
    latin: bool,
    #[command(flatten)]
    manner: Manner,
}

impl Ebcdic {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let page = if self.latin { CodePage::Ibm1047 } else { CodePage::Ibm037 };
        let mut desk = Desk::open(self.manner);
        desk.given(if self.decode { "EBCDIC" } else { "text" }, self.text.as_str());
        desk.given("code page", if self.latin { 1047 } else { 37 });
        if self.decode {
            let characters: Option<Vec<u8>> =
                hex_of("EBCDIC", &self.text)?.iter().map(|byte| page.to_ascii(*byte)).collect();
            let characters = characters.ok_or_else(|| usage("EBCDIC: a byte is no printable character"))?;
            desk.found("text", String::from_utf8_lossy(&characters).as_ref());
            desk.found_hex("ASCII", &characters);
        } else {
            let bytes: Option<Vec<u8>> = self.text.bytes().map(|character| page.of_ascii(character)).collect();
            desk.found_hex("EBCDIC", &bytes.ok_or_else(|| usage("text: a character is not in this code page"))?);
        }
        desk.close(Exit::Ok, out)
    }
}

/// Reads chip data: tags, lengths, values, nested
#[derive(Debug, clap::Args)]
pub(super) struct Tlv {
    /// The data, as hex
    data: String,
    #[command(flatten)]
    manner: Manner,
}

impl Tlv {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let data = hex_of("data", &self.data)?;
        let mut desk = Desk::open(self.manner);
        desk.given("data", self.data.as_str());
        let mut objects = Vec::new();
        let walked = tlv::walk(&data, &mut |depth, object| {
            let value = if object.is_constructed() { "constructed".to_owned() } else { to_hex(object.value) };
            objects.push((format!("{}{}", ". ".repeat(depth), to_hex(object.tag)), object.value.len(), value));
        });
        for (at, (tag, length, value)) in objects.into_iter().enumerate() {
            desk.found(format!("{at:3} {tag}"), format!("{length:3} bytes  {value}"));
        }
        let exit = match walked {
            Ok(()) => Exit::Ok,
            Err(error) => {
                desk.found("fault", error.to_string());
                Exit::No
            }
        };
        desk.close(exit, out)
    }
}

/// Reads a track 2: number, expiry, service code, the rest
#[derive(Debug, clap::Args)]
pub(super) struct Track {
    /// The track as text, with `=` or D; `;` and `?` may stand around it
    track: String,
    /// Show the number and what the issuer wrote
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    manner: Manner,
}

impl Track {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::open(self.manner).masked(!self.unmask);
        desk.given_secret("track 2", &self.track);
        let text = self.track.strip_prefix(';').unwrap_or(&self.track);
        let text = text.strip_suffix('?').unwrap_or(text).trim_end_matches(['F', 'f']);
        let track = Track2::parse(text.as_bytes()).ok_or_else(|| usage("track 2: not a track"))?;
        let pan = track.pan().ok_or_else(|| usage("track 2: no card number"))?;
        desk.found_pan("number", pan);
        let (last, rest) = pan.clear().as_bytes().split_last().ok_or_else(|| usage("track 2: no card number"))?;
        desk.found("check digit", if check_digit(rest) + b'0' == *last { "right" } else { "wrong" });
        let digits = |digits: &[u8]| String::from_utf8_lossy(digits).into_owned();
        desk.found("expiry (YYMM)", track.expiry().map_or("none".into(), |expiry| digits(&expiry.digits())));
        desk.found("service code", track.service_code().map_or("none".into(), |code| digits(&code)));
        let rest = track.clear().split(|byte| *byte == b'=').nth(1).and_then(|rest| rest.get(7..));
        desk.found_secret("discretionary data", &digits(rest.unwrap_or_default()));
        desk.close(Exit::Ok, out)
    }
}
