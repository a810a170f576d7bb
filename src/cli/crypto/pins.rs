//! Calculators of PINs: blocks, PVV, IBM 3624 offset.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::Desk;
use super::desk::Family;
use super::desk::KeyManner;
use super::desk::KeyText;
use super::desk::cipher;
use super::desk::digits_of;
use super::desk::hex_of;
use super::desk::refused;
use super::desk::usage;
use crate::hsm::calculator;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::ibm;
use crate::hsm::calculator::ibm::DecimalizationTable;
use crate::hsm::calculator::ibm::ValidationData;
use crate::model::EncryptedPinBlock;
use crate::model::Entropy;
use crate::model::Pan;
use crate::model::PinFormat;
use std::io::Write;
use subtle::ConstantTimeEq;

/// Makes or opens a PIN block (ISO 9564-1, formats 0 to 4)
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("from").required(true).args(["pin", "block"])))]
pub(super) struct PinBlock {
    /// The format
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=4))]
    format: u8,
    /// The PIN of a block to make: digits (with a test key and a test card only), a file, or `-`
    #[arg(long)]
    pin: Option<String>,
    /// A block to open: enciphered, as hex, if there is a key; else in clear, from where PINs come
    #[arg(long)]
    block: Option<String>,
    /// The card number; formats 1 and 2 do not look at it
    #[arg(long)]
    pan: Option<String>,
    /// The PIN key: hex (test keys only), a file, or `-`; AES for format 4
    #[arg(long)]
    key: Option<KeyText>,
    /// What stands behind the PIN, as hex digits, instead of one drawn: what formats 1 and 4 lack is zero, format 3
    /// takes A to F and all 14 places that the PIN leaves
    #[arg(long, requires = "pin")]
    fill: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

/// The system's randomness.
struct Drawn;

impl Entropy for Drawn {
    fn fill(&self, out: &mut [u8]) {
        // A source that fails leaves zeros, which a format 3 fill refuses and the others show.
        let _ = getrandom::fill(out);
    }
}

impl PinBlock {
    fn iso(&self) -> PinFormat {
        match self.format {
            0 => PinFormat::Iso0,
            1 => PinFormat::Iso1,
            2 => PinFormat::Iso2,
            3 => PinFormat::Iso3,
            _ => PinFormat::Iso4,
        }
    }

    fn pan(&self, desk: &mut Desk, format: PinFormat) -> Result<Pan, Failure> {
        match (&self.pan, format) {
            (Some(pan), _) => desk.given_pan("card number", pan),
            (None, PinFormat::Iso1 | PinFormat::Iso2) => Pan::parse(b"00000000").ok_or_else(|| usage("card number")),
            (None, _) => Err(usage("this format needs --pan")),
        }
    }

    /// Reads and notes the fill for a PIN of this length, or draws one.
    fn fill(&self, desk: &mut Desk, format: PinFormat, pin: usize) -> Result<Fill, Failure> {
        let Some(fill) = &self.fill else { return Fill::draw(format, &Drawn).map_err(refused) };
        let nibble = |character: char| character.to_digit(16).and_then(|value| u8::try_from(value).ok());
        let nibbles: Option<Vec<u8>> = fill.chars().map(nibble).collect();
        let nibbles = nibbles.ok_or_else(|| usage("fill: not hex"))?;
        let places = match format {
            PinFormat::Iso0 | PinFormat::Iso2 => return Err(usage("fill: formats 0 and 2 fill with F")),
            PinFormat::Iso1 | PinFormat::Iso3 => 14_usize.saturating_sub(pin),
            PinFormat::Iso4 => 16,
        };
        if nibbles.len() > places {
            return Err(usage(format!("fill: there is room for {places} hex digits behind this PIN")));
        }
        if format == PinFormat::Iso3 && (nibbles.len() < places || nibbles.iter().any(|nibble| *nibble < 10)) {
            return Err(usage(format!("fill: format 3 takes {places} hex digits from A to F behind this PIN")));
        }
        desk.given_secret("fill", &fill.to_uppercase());
        Fill::new(&nibbles).map_err(refused)
    }

    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let format = self.iso();
        desk.given("format", self.format);
        let family = if format == PinFormat::Iso4 { Family::Aes } else { Family::Des };
        let key = match &self.key {
            Some(key) => Some(cipher(&desk.key("PIN key", key, family)?, family).map_err(refused)?),
            None => None,
        };
        let pan = self.pan(&mut desk, format)?;
        if let Some(pin) = &self.pin {
            let pin = desk.given_pin(pin)?;
            let clear = calculator::encode(format, &pin, &pan, &self.fill(&mut desk, format, pin.length())?)
                .map_err(refused)?;
            desk.found_secret("clear block", &to_hex(clear.clear()));
            if let Some(key) = &key {
                let block = calculator::encipher(key, format, &clear, &pan).map_err(refused)?;
                desk.found_hex("enciphered block", block.as_bytes());
            }
            return desk.close(Exit::Ok, out);
        }
        let text = self.block.as_deref().unwrap_or_default();
        let clear = match &key {
            None => desk.given_clear_block(text)?,
            Some(key) => {
                let block = hex_of("block", text)?;
                desk.given("enciphered block", to_hex(&block));
                let block = EncryptedPinBlock::new(&block).ok_or_else(|| usage("block: not 8 or 16 bytes"))?;
                let clear = calculator::decipher(key, format, &block, &pan).map_err(refused)?;
                desk.found_secret("clear block", &to_hex(clear.clear()));
                clear
            }
        };
        let exit = match calculator::decode(format, &clear, &pan) {
            Ok(pin) => {
                desk.found_secret("PIN", &String::from_utf8_lossy(&pin.clear()));
                Exit::Ok
            }
            Err(fault) => {
                desk.found("fault", fault.to_string());
                Exit::No
            }
        };
        desk.close(exit, out)
    }
}

/// Makes or checks a Visa PIN verification value
#[derive(Debug, clap::Args)]
pub(super) struct Pvv {
    /// The verification key: hex (test keys only), a file, or `-`
    #[arg(long)]
    pvk: KeyText,
    /// The key's index
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(0..=6))]
    index: u8,
    /// The card number
    #[arg(long)]
    pan: String,
    /// The PIN: digits (with a test key and a test card only), a file, or `-`
    #[arg(long)]
    pin: String,
    /// A value to compare with
    #[arg(long)]
    verify: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

impl Pvv {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let pvk = DesKey::new(&desk.key("PVK", &self.pvk, Family::Des)?).map_err(refused)?;
        desk.given("index", self.index);
        let pan = desk.given_pan("card number", &self.pan)?;
        let pin = desk.given_pin(&self.pin)?;
        let pvv = calculator::pvv(&pvk, self.index, &pin, &pan).map_err(refused)?;
        let mut exit = Exit::Ok;
        if let Some(given) = &self.verify {
            let given: [u8; 4] = digits_of("PVV", given)?;
            desk.given_secret("PVV to compare", &String::from_utf8_lossy(&given));
            exit = desk.found_verdict("verdict", pvv.ct_eq(&given).into());
        }
        desk.found_secret("PVV", &String::from_utf8_lossy(&pvv));
        desk.close(exit, out)
    }
}

/// Makes or checks an IBM 3624 offset, and shows the natural PIN
#[derive(Debug, clap::Args)]
pub(super) struct Offset {
    /// The verification key: hex (test keys only), a file, or `-`
    #[arg(long)]
    pvk: KeyText,
    /// The decimalization table: 16 digits
    #[arg(long, default_value = "0123456789012345")]
    table: String,
    /// The card number
    #[arg(long)]
    pan: String,
    /// The first digit of the card number that is used, from 0
    #[arg(long, default_value = "0")]
    start: usize,
    /// How many digits are used; all that there are if not given, at most 16
    #[arg(long)]
    length: Option<usize>,
    /// The hex digit that fills up to 16
    #[arg(long, default_value = "F")]
    pad: char,
    /// The PIN: digits (with a test key and a test card only), a file, or `-`
    #[arg(long)]
    pin: String,
    /// How many of its last digits are checked; all if not given
    #[arg(long)]
    check: Option<usize>,
    /// An offset to compare with
    #[arg(long)]
    verify: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

impl Offset {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let pvk = DesKey::new(&desk.key("PVK", &self.pvk, Family::Des)?).map_err(refused)?;
        let table = DecimalizationTable::parse(self.table.as_bytes()).map_err(|_| usage("table: not 16 digits"))?;
        let pad = self.pad.to_digit(16).and_then(|pad| u8::try_from(pad).ok());
        let pad = pad.ok_or_else(|| usage("pad: not a hex digit"))?;
        desk.given("decimalization table", self.table.as_str());
        let pan = desk.given_pan("card number", &self.pan)?;
        let length = self.length.unwrap_or_else(|| pan.clear().len().saturating_sub(self.start).min(16));
        if length == 0 {
            return Err(usage("the card number has no digits there"));
        }
        desk.given("digits used", format!("{length} from {}, then {}", self.start, self.pad));
        let pin = desk.given_pin(&self.pin)?;
        let data = ValidationData::of_pan(&pan, self.start, length, pad)
            .map_err(|_| usage("the card number has not these digits"))?;
        let natural = ibm::natural_pin(&pvk, &table, &data, pin.length()).map_err(refused)?;
        desk.found_secret("natural PIN", &String::from_utf8_lossy(&natural.clear()));
        let check = self.check.unwrap_or(pin.length());
        let offset = ibm::pin_offset(&pvk, &table, &data, &pin, check).map_err(refused)?;
        let mut exit = Exit::Ok;
        if let Some(given) = &self.verify {
            desk.given("offset to compare", given.as_str());
            exit = desk.found_verdict("verdict", offset.ct_eq(given.as_bytes()).into());
        }
        desk.found("offset", String::from_utf8_lossy(&offset).as_ref());
        desk.close(exit, out)
    }
}
