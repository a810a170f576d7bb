//! What every calculator has in common: keys are read by the policy, every input and output has a
//! label, and nothing secret is shown unless a test key and test cards prove that it is none.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::super::input::from_hex;
use super::super::input::to_hex;
use super::known;
use super::written;
use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearBlock;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::keys::check_value;
use crate::model::Pan;
use serde_json::Map;
use serde_json::Value;
use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::Read;
use std::io::Write;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Nobody has longer keys, or lists of them.
const CAP: usize = 4096;

/// What every calculator is told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Manner {
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

/// What every calculator that takes cards and no keys is told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct CardManner {
    #[command(flatten)]
    manner: Manner,
    /// Show card numbers and tracks whole
    #[arg(long)]
    unmask: bool,
}

/// What every calculator that takes keys is told.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Keys")]
pub(super) struct KeyManner {
    #[command(flatten)]
    manner: Manner,
    /// Cards and PINs are test ones though nothing proves it: show them whole, take a PIN as it stands
    #[arg(long, conflicts_with = "real_keys")]
    unmask: bool,
    /// The keys are test keys, though they do not look like any
    #[arg(long, conflicts_with = "real_keys")]
    test_keys: bool,
    /// Accept real keys from files and standard input; keys, PINs and card numbers are not shown
    #[arg(long)]
    real_keys: bool,
}

/// A key as it is written on the command line: hex, a file, or `-`. Its `Debug` shows nothing.
#[derive(Clone)]
pub(super) struct KeyText(Zeroizing<String>);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(..)")
    }
}

impl FromStr for KeyText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// Something to show, in the words of a ticket.
enum Shown {
    /// As it is.
    Plain(Value),
    /// A key, and which family its check value is made by.
    Key(Zeroizing<Vec<u8>>, Family),
    /// A card number.
    Pan(Pan),
    /// A PIN, a track, a clear block.
    Secret(Zeroizing<String>),
    /// A row of a table: its text, and what it is made of.
    Row(String, Value),
}

/// Which cipher a key is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// DES and TDES.
    Des,
    /// AES.
    Aes,
}

/// The key as a cipher of its family.
pub(super) fn cipher(key: &[u8], family: Family) -> Result<CipherKey, CalcError> {
    let algorithm = match (family, key.len()) {
        (Family::Des, _) => DesKey::new(key)?.algorithm(),
        (Family::Aes, 16) => KeyAlgorithm::Aes128,
        (Family::Aes, 24) => KeyAlgorithm::Aes192,
        (Family::Aes, _) => KeyAlgorithm::Aes256,
    };
    CipherKey::new(algorithm, key)
}

/// The usual check value, at most three bytes.
pub(super) fn kcv(key: &[u8], family: Family) -> String {
    let value = cipher(key, family).and_then(|key| check_value(&key, KcvMethod::usual(&key), 3));
    value.map_or_else(|_| "none".to_owned(), |value| value.to_string())
}

/// Where a calculation is laid out.
pub(super) struct Desk {
    manner: Manner,
    test_keys: bool,
    /// Real keys may come, and what is entered here is not for tickets.
    real: bool,
    /// All is shown.
    unmask: bool,
    /// A test key is in use: what it protects is test data.
    proved: bool,
    /// A card number that is no well-known test number.
    stranger: bool,
    inputs: Vec<(String, Shown)>,
    outputs: Vec<(String, Shown)>,
}

/// Hex with white space in it, read into one buffer that is wiped. `None` if it is anything else.
fn key_bytes(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    while let Some(high) = digits.next() {
        key.push(value(high)? << 4 | value(digits.next()?)?);
    }
    Some(key).filter(|key| !key.is_empty())
}

/// What a file holds, or the next line of standard input.
fn from_outside(label: &str, form: &str, place: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // The exact capacity: a vector that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(CAP));
    let limit = CAP as u64;
    let read = if place == "-" {
        io::stdin().lock().take(limit).read_until(b'\n', &mut content)
    } else {
        fs::File::open(place).and_then(|file| file.take(limit).read_to_end(&mut content))
    };
    // Neither the place nor the content is repeated: a mistyped key looks like a file name.
    read.map_err(|_| usage(format!("{label}: neither {form}, nor a file that can be read, nor `-`")))?;
    Ok(content)
}

/// A usage failure.
pub(super) fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what)
}

impl Desk {
    /// For a calculation with neither keys nor cards.
    pub(super) fn open(manner: Manner) -> Self {
        Self {
            manner,
            test_keys: false,
            real: false,
            unmask: false,
            proved: false,
            stranger: false,
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// For a calculation with cards and without keys: nothing can prove that they are test cards.
    pub(super) fn with_cards(manner: CardManner) -> Self {
        Self { unmask: manner.unmask, ..Self::open(manner.manner) }
    }

    /// For a calculation with keys.
    pub(super) fn with_keys(manner: KeyManner) -> Self {
        let (test_keys, real, unmask) = (manner.test_keys, manner.real_keys, manner.unmask);
        Self { test_keys, real, unmask, ..Self::open(manner.manner) }
    }

    /// Whether keys, PINs and card numbers stay hidden: unless told otherwise, all is hidden that no test key and no
    /// well-known card number proves to be test data.
    pub(super) fn hides(&self) -> bool {
        !self.unmask && (self.real || !self.proved || self.stranger)
    }

    /// Reads a key, and decides whether it may be used.
    ///
    /// # Errors
    /// A key that is none, or that the policy does not take: see the manual, `crypto`.
    pub(super) fn key(
        &mut self,
        label: impl Into<String>,
        text: &KeyText,
        family: Family,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let label = label.into();
        let on_the_command_line = key_bytes(text.0.as_bytes());
        let key = match &on_the_command_line {
            Some(key) => key.clone(),
            None => {
                key_bytes(&from_outside(&label, "hex", &text.0)?).ok_or_else(|| usage(format!("{label}: not hex")))?
            }
        };
        if !(8..=32).contains(&key.len()) || !key.len().is_multiple_of(8) {
            return Err(usage(format!("{label}: a key has 8, 16, 24 or 32 bytes")));
        }
        if self.test_keys || known::is_test_key(&key) {
            self.proved = true;
        } else {
            if on_the_command_line.is_some() {
                return Err(usage(format!(
                    "{label}: this is no well-known test key. Keys do not belong on a command line, where histories \
                     and process lists keep them: give a file or `-` with --real-keys, or say --test-keys"
                )));
            }
            if !self.real {
                return Err(usage(format!(
                    "{label}: this is no well-known test key. Say --test-keys if it is one all the same, or \
                     --real-keys: then no key, PIN or card number is shown"
                )));
            }
        }
        self.inputs.push((label, Shown::Key(key.clone(), family)));
        Ok(key)
    }

    /// Whether real keys may lie here.
    pub(super) fn takes_real_keys(&self) -> bool {
        self.real
    }

    /// Notes an input.
    pub(super) fn given(&mut self, label: &'static str, value: impl Into<Value>) {
        self.inputs.push((label.to_owned(), Shown::Plain(value.into())));
    }

    /// Notes a card number.
    pub(super) fn given_pan(&mut self, label: &'static str, text: &str) -> Result<Pan, Failure> {
        let pan = Pan::parse(text.as_bytes()).ok_or_else(|| usage(format!("{label}: not 8 to 19 digits")))?;
        self.stranger |= !known::is_test_card(&pan);
        self.inputs.push((label.to_owned(), Shown::Pan(pan)));
        Ok(pan)
    }

    /// Reads what is a PIN: as it stands, from a file, or from `-`. Keys and card have been read before: what they do
    /// not prove to be a test PIN does not stand on a command line.
    fn secret(&self, label: &str, form: &str, text: &str, stands: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if !stands {
            return from_outside(label, form, text);
        }
        if self.hides() {
            let told = match self.real {
                true => "with --real-keys",
                false => "without a test key and a well-known test card",
            };
            let or = if self.real { "" } else { ", or say --unmask if it is a test PIN" };
            return Err(usage(format!(
                "{label}: {told} it does not belong on a command line, where histories and process lists keep it: give \
                 a file or `-`{or}"
            )));
        }
        Ok(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// Reads and notes a PIN: digits, a file, or `-`.
    ///
    /// # Errors
    /// A PIN that is none, or from where real ones do not come.
    pub(super) fn given_pin(&mut self, text: &str) -> Result<ClearPin, Failure> {
        let digits = self.secret("PIN", "digits", text, text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let digits = digits.trim_ascii();
        let pin = ClearPin::parse(digits).map_err(|_| usage("PIN: not 4 to 12 digits"))?;
        self.given_secret("PIN", &String::from_utf8_lossy(digits));
        Ok(pin)
    }

    /// Reads and notes a clear PIN block: hex, a file, or `-`.
    ///
    /// # Errors
    /// As [`Desk::given_pin`].
    pub(super) fn given_clear_block(&mut self, text: &str) -> Result<ClearBlock, Failure> {
        let read = self.secret("block", "hex", text, key_bytes(text.as_bytes()).is_some())?;
        let bytes = key_bytes(&read).ok_or_else(|| usage("block: not hex"))?;
        self.given_secret("clear block", &to_hex(&bytes));
        ClearBlock::new(&bytes).ok_or_else(|| usage("block: not 8 or 16 bytes"))
    }

    /// Notes a PIN or a track.
    pub(super) fn given_secret(&mut self, label: &'static str, text: &str) {
        self.inputs.push((label.to_owned(), Shown::Secret(Zeroizing::new(text.to_owned()))));
    }

    /// Notes a result.
    pub(super) fn found(&mut self, label: impl Into<String>, value: impl Into<Value>) {
        self.outputs.push((label.into(), Shown::Plain(value.into())));
    }

    /// Notes a result in hex.
    pub(super) fn found_hex(&mut self, label: impl Into<String>, value: &[u8]) {
        self.found(label, to_hex(value));
    }

    /// Notes a result that is a card number.
    pub(super) fn found_pan(&mut self, label: impl Into<String>, pan: Pan) {
        self.outputs.push((label.into(), Shown::Pan(pan)));
    }

    /// Notes a result that is a key.
    pub(super) fn found_key(&mut self, label: impl Into<String>, key: &[u8], family: Family) {
        self.outputs.push((label.into(), Shown::Key(Zeroizing::new(key.to_vec()), family)));
    }

    /// Notes a result that is a PIN, a track or a clear block.
    pub(super) fn found_secret(&mut self, label: impl Into<String>, text: &str) {
        self.outputs.push((label.into(), Shown::Secret(Zeroizing::new(text.to_owned()))));
    }

    /// Notes a row of a table: what people read, and what it is made of.
    pub(super) fn found_row(&mut self, label: impl Into<String>, text: String, parts: Value) {
        self.outputs.push((label.into(), Shown::Row(text, parts)));
    }

    /// Notes a comparison.
    pub(super) fn found_verdict(&mut self, label: impl Into<String>, same: bool) -> Exit {
        self.found(label, if same { "match" } else { "no match" });
        if same { Exit::Ok } else { Exit::No }
    }

    /// One value as it may be shown.
    fn value(&self, shown: &Shown) -> Value {
        match shown {
            Shown::Plain(value) => value.clone(),
            Shown::Row(_, parts) if self.manner.json => parts.clone(),
            Shown::Row(text, _) => text.as_str().into(),
            Shown::Key(key, family) if self.hides() => {
                format!("not shown: {} bytes, check value {}", key.len(), kcv(key, *family)).into()
            }
            Shown::Key(key, _) => to_hex(key).into(),
            Shown::Pan(pan) if self.hides() => pan.masked().to_string().into(),
            Shown::Pan(pan) => pan.clear().into(),
            Shown::Secret(_) if self.hides() => "not shown".into(),
            Shown::Secret(text) => text.as_str().into(),
        }
    }

    /// Whether something is hidden that would be shown if one said so.
    fn could_show_more(&self) -> bool {
        let secret = |(_, shown): &(String, Shown)| match shown {
            Shown::Plain(_) => false,
            Shown::Row(text, _) => text.contains('*'),
            Shown::Key(..) | Shown::Pan(_) | Shown::Secret(_) => true,
        };
        self.hides() && !self.real && self.inputs.iter().chain(&self.outputs).any(secret)
    }

    /// Prints everything, inputs first.
    ///
    /// # Errors
    /// The writer's.
    pub(super) fn close(self, exit: Exit, out: &mut dyn Write) -> Outcome {
        let inputs = self.inputs.iter().map(|(label, shown)| (label.clone(), self.value(shown)));
        let outputs = self.outputs.iter().map(|(label, shown)| (label.clone(), self.value(shown)));
        let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
        let more = self.could_show_more();
        if self.manner.json {
            let object = |values: Vec<(String, Value)>| {
                values.into_iter().map(|(label, value)| (name(&label), value)).collect::<Map<_, _>>()
            };
            let all = serde_json::json!({ "inputs": object(inputs), "outputs": object(outputs) });
            writeln!(out, "{}", written::json(&all))?;
            return Ok(exit);
        }
        let width = inputs.iter().chain(&outputs).map(|(label, _)| label.len()).max().unwrap_or(0);
        for (title, values) in [("inputs", inputs), ("outputs", outputs)] {
            writeln!(out, "{title}")?;
            for (label, value) in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                writeln!(out, "  {label:width$}  {}", written::line(&text))?;
            }
        }
        if more {
            writeln!(out, "not all is shown: of test cards --unmask shows it")?;
        }
        Ok(exit)
    }
}

/// A label as a name: lower case, with underscores between its words.
fn name(label: &str) -> String {
    let words = label.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

/// Bytes written as hex on the command line.
///
/// # Errors
/// Text that is no hex; it is not repeated.
pub(super) fn hex_of(label: &str, text: &str) -> Result<Vec<u8>, Failure> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    from_hex(text.as_bytes()).ok_or_else(|| usage(format!("{label}: not hex")))
}

/// A fixed number of bytes written as hex.
///
/// # Errors
/// As [`hex_of`]; another number of bytes.
pub(super) fn array_of<const N: usize>(label: &str, text: &str) -> Result<[u8; N], Failure> {
    hex_of(label, text)?.try_into().map_err(|_| usage(format!("{label}: not {N} bytes of hex")))
}

/// A fixed number of digits.
///
/// # Errors
/// Anything else.
pub(super) fn digits_of<const N: usize>(label: &str, text: &str) -> Result<[u8; N], Failure> {
    let digits = text.as_bytes().try_into().ok().filter(|digits: &[u8; N]| digits.iter().all(u8::is_ascii_digit));
    digits.ok_or_else(|| usage(format!("{label}: not {N} digits")))
}

/// A calculation that was refused.
pub(super) fn refused(error: CalcError) -> Failure {
    usage(format!("refused: {error}"))
}
