//! `tollgate crypto tlv`.

use super::super::Exit;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::CardManner;
use super::desk::Desk;
use super::desk::hex_of;
use crate::iso8583::tlv;
use crate::model::Pan;
use serde_json::json;
use std::io::Write;
use std::ops::Range;

/// Reads chip data: tags, lengths, values, nested
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Card numbers, tracks, names and PINs (5A 57 56 5F20 99 9F0B 9F1F 9F20 9F6B) are masked, in the \
                        data as they were given too, and so is what stands behind a fault."
)]
pub(super) struct Tlv {
    /// The data, as hex
    data: String,
    #[command(flatten)]
    manner: CardManner,
}

/// What a value tells of its card.
#[derive(Clone, Copy)]
enum Holds {
    /// Nothing that is hidden.
    Plain,
    /// A card number in packed digits.
    Number,
    /// A track 2 in packed digits.
    Track,
    /// What is not shown at all.
    Secret,
}

impl Holds {
    /// Sources: EMV 4.3 Book 3, annex A; EMV Contactless Book C-2, annex A for 9F6B; 56 too.
    fn of(tag: &[u8]) -> Self {
        match tag {
            [0x5A] => Self::Number,
            [0x57] | [0x9F, 0x6B] => Self::Track,
            // Track 1, its and track 2's discretionary data, the name, its extension, a PIN.
            [0x56] | [0x9F, 0x1F] | [0x9F, 0x20] | [0x5F, 0x20] | [0x9F, 0x0B] | [0x99] => Self::Secret,
            _ => Self::Plain,
        }
    }

    /// The value as it may be shown, in as many characters as it has in hex.
    fn masked(self, value: &str) -> String {
        let shown = match self {
            Self::Plain => Some(value.to_owned()),
            Self::Number => number(value),
            Self::Track => track(value),
            Self::Secret => None,
        };
        shown.unwrap_or_else(|| "*".repeat(value.len()))
    }
}

/// A card number and what fills it up. `None` if it is none.
fn number(value: &str) -> Option<String> {
    let digits = value.trim_end_matches('F');
    let pan = Pan::parse(digits.as_bytes())?;
    Some(format!("{}{}", pan.masked(), value.get(digits.len()..)?))
}

/// The number masked, expiry and service code as they are, the rest hidden. `None` if it is no track.
fn track(value: &str) -> Option<String> {
    const SHOWN: usize = 7;
    let (digits, rest) = value.split_once('D')?;
    let pan = Pan::parse(digits.as_bytes())?;
    let (front, behind) = rest.split_at_checked(SHOWN)?;
    let dated = front.bytes().all(|byte| byte.is_ascii_digit());
    dated.then(|| format!("{}D{front}{}", pan.masked(), "*".repeat(behind.len())))
}

/// The data in hex, with some of it written otherwise.
struct Echo(String);

impl Echo {
    /// Writes `shown` over bytes.
    fn cover(&mut self, bytes: Range<usize>, shown: &str) {
        let place = bytes.start * 2..bytes.end * 2;
        if self.0.get(place.clone()).is_some_and(|hex| hex.len() == shown.len()) {
            self.0.replace_range(place, shown);
        }
    }

    /// Hides what begins at a byte: nobody knows what it is.
    fn cover_from(&mut self, byte: usize) {
        let kept = self.0.len().min(byte * 2);
        let hidden = self.0.len() - kept;
        self.0.truncate(kept);
        self.0.push_str(&"*".repeat(hidden));
    }
}

impl Tlv {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let data = hex_of("data", &self.data)?;
        let mut desk = Desk::with_cards(self.manner);
        let hides = desk.hides();
        let mut echo = Echo(to_hex(&data));
        let mut objects = Vec::new();
        let walked = tlv::walk(&data, &mut |depth, object| {
            let value = (!object.is_constructed()).then(|| {
                let value = to_hex(object.value);
                if hides { Holds::of(object.tag).masked(&value) } else { value }
            });
            if let Some(value) = &value {
                echo.cover(object.value_offset..object.value_offset + object.value.len(), value);
            }
            objects.push((depth, to_hex(object.tag), object.value.len(), value));
        });
        if let (Err(error), true) = (&walked, hides) {
            echo.cover_from(error.offset);
        }
        desk.given("data", echo.0);
        for (at, (depth, tag, length, value)) in objects.into_iter().enumerate() {
            let label = format!("{at:3} {}{tag}", ". ".repeat(depth));
            let text = format!("{length:3} bytes  {}", value.as_deref().unwrap_or("constructed"));
            desk.found_row(label, text, json!({ "tag": tag, "depth": depth, "length": length, "value": value }));
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
