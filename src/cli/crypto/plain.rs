//! Calculators without keys: Luhn, BCD, EBCDIC, track 2.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::CardManner;
use super::desk::Desk;
use super::desk::Manner;
use super::desk::hex_of;
use super::desk::usage;
use crate::iso8583::CodePage;
use crate::model::Track2;
use std::io::Write;

/// Checks a card number's last digit, and says what it should be
#[derive(Debug, clap::Args)]
pub(super) struct Luhn {
    /// The number, with its check digit
    number: String,
    #[command(flatten)]
    manner: CardManner,
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
        let mut desk = Desk::with_cards(self.manner);
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
            let read = |(at, byte): (usize, &u8)| {
                let unread = || usage(format!("EBCDIC: byte {at} stands for no printable ASCII character"));
                page.to_ascii(*byte).ok_or_else(unread)
            };
            let characters: Vec<u8> =
                (1..).zip(&hex_of("EBCDIC", &self.text)?).map(read).collect::<Result<_, Failure>>()?;
            desk.found("text", String::from_utf8_lossy(&characters).as_ref());
            desk.found_hex("ASCII", &characters);
        } else {
            let written = |(at, character): (usize, char)| {
                let byte = u8::try_from(character).ok().and_then(|ascii| page.of_ascii(ascii));
                byte.ok_or_else(|| {
                    usage(format!("text: character {at} is no printable ASCII character, and no other is written here"))
                })
            };
            let bytes: Vec<u8> = (1..).zip(self.text.chars()).map(written).collect::<Result<_, Failure>>()?;
            desk.found_hex("EBCDIC", &bytes);
        }
        desk.close(Exit::Ok, out)
    }
}

/// Reads a track 2: number, expiry, service code, the rest
#[derive(Debug, clap::Args)]
pub(super) struct Track {
    /// The track as text, with `=` or D; `;` and `?` may stand around it
    track: String,
    #[command(flatten)]
    manner: CardManner,
}

impl Track {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_cards(self.manner);
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
        let fault = match (track.clear().split(|byte| *byte == b'=').nth(1), track.expiry(), track.service_code()) {
            (None | Some([]), ..) => Some("nothing behind the separator: no expiry date, no service code"),
            (_, None, _) => Some("no expiry date: the four digits behind the separator are no year and month"),
            (.., None) => Some("no service code behind the expiry date"),
            _ => None,
        };
        let rest = track.clear().split(|byte| *byte == b'=').nth(1).and_then(|rest| rest.get(7..));
        desk.found_secret("discretionary data", &digits(rest.unwrap_or_default()));
        let Some(fault) = fault else { return desk.close(Exit::Ok, out) };
        desk.found("fault", fault);
        desk.close(Exit::No, out)
    }
}
