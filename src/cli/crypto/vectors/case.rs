//! One vector of a file: typed reading of its inputs, and comparison with what it expects.

use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::tr31::BlockFault;
use crate::hsm::calculator::tr31::Header;
use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::Padding;
use crate::model::Pan;
use crate::model::PinFormat;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Why a vector does not hold. Names places, never values: a private set may hold private keys.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Wrong {
    /// Nobody could say which one it was.
    #[error("it has no id of its own")]
    Id,
    /// Nobody knows the operation.
    #[error("unknown operation")]
    Operation,
    /// An input is missing or not what the operation takes.
    #[error("input {0} is missing or unreadable")]
    Input(&'static str),
    /// An expectation is missing.
    #[error("expected {0} is missing")]
    Expectation(&'static str),
    /// The result differs.
    #[error("{0} differs")]
    Differs(&'static str),
    /// It expects something that nobody looked at.
    #[error("expected {0} was not compared")]
    Unchecked(String),
    /// It has an input that the operation does not read: it would prove something else than it says.
    #[error("input {0} was not read")]
    Unread(String),
    /// The calculation was refused.
    #[error("refused: {0}")]
    Refused(#[from] CalcError),
    /// The key block was refused.
    #[error("refused: {0}")]
    Block(#[from] BlockFault),
    /// It was to fail, and did not, or otherwise.
    #[error("did not fail as expected")]
    Failure,
}

/// What an operation answers.
pub(super) type Held = Result<(), Wrong>;

/// One vector.
pub(super) struct Case<'a> {
    inputs: &'a Value,
    expected: &'a Value,
    compared: RefCell<BTreeSet<&'static str>>,
    read: RefCell<BTreeSet<&'static str>>,
}

/// Upper-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    crate::cli::input::to_hex(bytes)
}

/// Hex of whole bytes; an empty text is no bytes.
fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.is_empty() {
        return Some(Zeroizing::default());
    }
    crate::cli::input::from_hex(text.as_bytes()).map(Zeroizing::new)
}

/// The DES family algorithm of a key of this length.
pub(super) fn des_kind(key: &[u8]) -> Result<KeyAlgorithm, CalcError> {
    DesKey::new(key).map(|key| key.algorithm())
}

/// The AES algorithm of a key of this length.
pub(super) fn aes_kind(key: &[u8]) -> Result<KeyAlgorithm, CalcError> {
    match key.len() {
        16 => Ok(KeyAlgorithm::Aes128),
        24 => Ok(KeyAlgorithm::Aes192),
        32 => Ok(KeyAlgorithm::Aes256),
        _ => Err(CalcError::KeyLength),
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(vector: &'a Value) -> Self {
        static NOTHING: Value = Value::Null;
        let part = |name: &str| vector.get(name).unwrap_or(&NOTHING);
        Self {
            inputs: part("inputs"),
            expected: part("expected"),
            compared: RefCell::default(),
            read: RefCell::default(),
        }
    }

    /// An input that may be absent.
    pub(super) fn given(&self, name: &'static str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, Wrong> {
        self.given(name).ok_or(Wrong::Input(name))
    }

    /// Any input, for lists and tables.
    pub(super) fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(name);
        self.inputs.get(name)
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        unhex(self.text(name)?).ok_or(Wrong::Input(name))
    }

    pub(super) fn array<const N: usize>(&self, name: &'static str) -> Result<[u8; N], Wrong> {
        self.bytes(name)?.as_slice().try_into().map_err(|_| Wrong::Input(name))
    }

    /// Characters as they are, a fixed number of them.
    pub(super) fn characters<const N: usize>(&self, name: &'static str) -> Result<[u8; N], Wrong> {
        self.text(name)?.as_bytes().try_into().map_err(|_| Wrong::Input(name))
    }

    pub(super) fn number(&self, name: &'static str) -> Result<usize, Wrong> {
        let number = self.value(name).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok()).ok_or(Wrong::Input(name))
    }

    pub(super) fn pan(&self) -> Result<Pan, Wrong> {
        Pan::parse(self.text("pan")?.as_bytes()).ok_or(Wrong::Input("pan"))
    }

    pub(super) fn pin(&self) -> Result<ClearPin, Wrong> {
        ClearPin::parse(self.text("pin")?.as_bytes()).map_err(|_| Wrong::Input("pin"))
    }

    pub(super) fn ksn(&self) -> Result<Ksn, Wrong> {
        Ksn::new(&self.bytes("ksn")?).ok_or(Wrong::Input("ksn"))
    }

    /// A DES family key.
    pub(super) fn des(&self, name: &'static str) -> Result<CipherKey, Wrong> {
        let key = self.bytes(name)?;
        Ok(CipherKey::new(des_kind(&key)?, &key)?)
    }

    /// A DES family key for calculations that take no other.
    pub(super) fn des_key(&self, name: &'static str) -> Result<DesKey, Wrong> {
        Ok(DesKey::new(&self.bytes(name)?)?)
    }

    /// An AES key.
    pub(super) fn aes(&self, name: &'static str) -> Result<CipherKey, Wrong> {
        let key = self.bytes(name)?;
        Ok(CipherKey::new(aes_kind(&key)?, &key)?)
    }

    pub(super) fn format(&self, name: &'static str) -> Result<PinFormat, Wrong> {
        const FORMATS: [PinFormat; 5] =
            [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4];
        FORMATS.get(self.number(name)?).copied().ok_or(Wrong::Input(name))
    }

    /// A PIN key: AES for format 4, DES family for the others.
    pub(super) fn pin_key(&self, name: &'static str, format: PinFormat) -> Result<CipherKey, Wrong> {
        if format == PinFormat::Iso4 { self.aes(name) } else { self.des(name) }
    }

    pub(super) fn pin_block(&self, name: &'static str) -> Result<EncryptedPinBlock, Wrong> {
        EncryptedPinBlock::new(&self.bytes(name)?).ok_or(Wrong::Input(name))
    }

    pub(super) fn padding(&self) -> Result<Padding, Wrong> {
        match self.number("padding")? {
            1 => Ok(Padding::Zeros),
            2 => Ok(Padding::Bit),
            3 => Ok(Padding::Length),
            _ => Err(Wrong::Input("padding")),
        }
    }

    /// Nibbles behind a PIN, one hex character each; none if the vector has none.
    pub(super) fn fill(&self, name: &'static str) -> Result<Fill, Wrong> {
        let nibble = |character: char| character.to_digit(16).and_then(|value| u8::try_from(value).ok());
        let nibbles: Option<Vec<u8>> = self.given(name).unwrap_or_default().chars().map(nibble).collect();
        Fill::new(&nibbles.ok_or(Wrong::Input(name))?).map_err(|_| Wrong::Input(name))
    }

    /// What is expected, as it stands there.
    pub(super) fn expects(&self, name: &'static str) -> Result<&'a str, Wrong> {
        self.expected_value(name)?.as_str().ok_or(Wrong::Expectation(name))
    }

    /// What is expected, whatever it is. It counts as compared.
    pub(super) fn expected_value(&self, name: &'static str) -> Result<&'a Value, Wrong> {
        self.compared.borrow_mut().insert(name);
        self.expected.get(name).ok_or(Wrong::Expectation(name))
    }

    /// Whether the vector expects this at all.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.expected.get(name).is_some()
    }

    /// Compares a result.
    pub(super) fn same(&self, name: &'static str, computed: &str) -> Held {
        if self.expects(name)? == computed { Ok(()) } else { Err(Wrong::Differs(name)) }
    }

    /// Compares a result in hex: its bytes, in whatever case they are written.
    pub(super) fn same_hex(&self, name: &'static str, computed: &[u8]) -> Held {
        self.same_digits(name, &hex(computed))
    }

    /// Compares digits of hex.
    pub(super) fn same_digits(&self, name: &'static str, computed: &str) -> Held {
        if self.expects(name)?.eq_ignore_ascii_case(computed) { Ok(()) } else { Err(Wrong::Differs(name)) }
    }

    /// Compares a key block: its header as it stands, the hex behind it in whatever case.
    pub(super) fn same_block(&self, name: &'static str, computed: &str) -> Held {
        let expected = self.expects(name)?;
        let hex = Header::parse(computed)?.1.len();
        let parts = |block: &str| {
            let (header, hex) = block.split_at_checked(block.len().checked_sub(hex)?)?;
            Some((header.to_owned(), hex.to_uppercase()))
        };
        let same = parts(expected).is_some_and(|expected| Some(expected) == parts(computed));
        if same { Ok(()) } else { Err(Wrong::Differs(name)) }
    }

    /// Compares a result in hex, if it is expected.
    pub(super) fn same_hex_if_wanted(&self, name: &'static str, computed: &[u8]) -> Held {
        if self.wants(name) { self.same_hex(name, computed) } else { Ok(()) }
    }

    /// Compares a verdict with `expected.valid`.
    pub(super) fn verdict(&self, holds: bool) -> Held {
        let expected = self.expected_value("valid")?.as_bool().ok_or(Wrong::Expectation("valid"))?;
        if expected == holds { Ok(()) } else { Err(Wrong::Differs("valid")) }
    }

    /// It must have failed, and so.
    pub(super) fn failed(&self, with: &str) -> Held {
        if self.expects("error")? == with { Ok(()) } else { Err(Wrong::Failure) }
    }

    /// Inputs that only tell where the others come from.
    pub(super) fn describes(&self, names: &[&'static str]) {
        self.read.borrow_mut().extend(names);
    }

    /// No input was left out; of what is to fail, those behind the failure may be.
    pub(super) fn all_read(&self) -> Held {
        if self.wants("error") {
            return Ok(());
        }
        let read = self.read.borrow();
        let mut names = self.inputs.as_object().into_iter().flat_map(|inputs| inputs.keys());
        match names.find(|name| !read.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Wrong::Unread(name.clone())),
        }
    }

    /// Nothing that the vector expects was left out.
    pub(super) fn all_compared(&self) -> Held {
        let compared = self.compared.borrow();
        let names = self.expected.as_object().ok_or(Wrong::Expectation("expected"))?;
        match names.keys().find(|name| !compared.contains(name.as_str())) {
            None if names.is_empty() => Err(Wrong::Expectation("expected")),
            None => Ok(()),
            Some(name) => Err(Wrong::Unchecked(name.clone())),
        }
    }
}
