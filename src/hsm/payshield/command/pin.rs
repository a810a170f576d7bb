//! CA, CC, G0, DC, EC: PIN blocks from one key to another, and PINs against a PVV.
//!
//! A block under an AES key has 16 bytes, any other 8. Blocks are sensitive even when enciphered: nothing here has a `Debug`.

use super::Command;
use crate::hsm::payshield::code::PinCode;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::fields::put_number;
use crate::hsm::payshield::fields::unpack_hex;
use crate::hsm::payshield::key::HostKey;
use crate::model::PinFormat;
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// Of a card number, what a block is bound to.
#[derive(Clone, Eq, PartialEq)]
pub enum Account {
    /// Its rightmost 12 digits without the check digit, zeros in front of a short one: formats of eight bytes.
    Short([u8; 12]),
    /// All of it, 8 to 19 digits, and a `;` behind them on the wire: format 4.
    Whole(Zeroizing<String>),
}

impl Account {
    /// From a whole card number in ASCII digits, for blocks of eight bytes.
    #[must_use]
    pub fn of(pan: &str) -> Self {
        let mut digits = [b'0'; 12];
        digits.iter_mut().rev().zip(pan.bytes().rev().skip(1)).for_each(|(to, digit)| *to = digit);
        Self::Short(digits)
    }

    /// As the formats on either side want it.
    #[must_use]
    pub fn for_formats(pan: &str, formats: &[PinCode]) -> Self {
        if Self::is_whole(formats) { Self::Whole(Zeroizing::new(pan.to_owned())) } else { Self::of(pan) }
    }

    fn is_whole(formats: &[PinCode]) -> bool {
        formats.iter().any(|code| code.format() == Some(PinFormat::Iso4))
    }

    pub(super) fn write(&self, out: &mut Body) {
        match self {
            Self::Short(digits) => out.extend_from_slice(digits),
            Self::Whole(pan) => {
                out.extend_from_slice(pan.as_bytes());
                out.push(b';');
            }
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>, formats: &[PinCode]) -> Result<Self, FieldFault> {
        if Self::is_whole(formats) {
            let before = fields.fault("a card number");
            let pan = Zeroizing::new(fields.digits_until(b';', 19, "a card number")?.to_owned());
            return if pan.len() < 8 { Err(before) } else { Ok(Self::Whole(pan)) };
        }
        let before = fields.fault("an account number of 12 digits");
        let digits = fields.digits(12, "an account number of 12 digits")?.as_bytes();
        digits.try_into().map(Self::Short).map_err(|_| before)
    }
}

/// A PIN block and what it says about itself.
#[derive(Clone, Eq, PartialEq)]
pub struct Block {
    /// Enciphered: 16 bytes under an AES key, else 8.
    pub block: SmallVec<[u8; 16]>,
    /// Its format.
    pub format: PinCode,
}

impl Block {
    pub(super) fn write(&self, out: &mut Body) {
        put_hex(out, &self.block);
        put_number(out, usize::from(self.format.0), 2);
    }

    /// Reads one that is under `key`.
    pub(super) fn read(fields: &mut Fields<'_>, key: &HostKey) -> Result<Self, FieldFault> {
        let block = if key.is_aes() {
            SmallVec::from_slice(&fields.packed::<16>("a PIN block of 32 hex digits")?)
        } else {
            SmallVec::from_slice(&fields.packed::<8>("a PIN block")?)
        };
        Ok(Self { block, format: PinCode::read(fields)? })
    }
}

/// The fields that CA and CC share.
#[derive(Clone, Eq, PartialEq)]
pub struct Translation {
    /// The key it is under.
    pub source: HostKey,
    /// The zone key it is to be under.
    pub destination: HostKey,
    /// Longest PIN, 4 to 12.
    pub longest: u8,
    /// The block as it came.
    pub from: Block,
    /// The format it is to have.
    pub to: PinCode,
    /// Of the card.
    pub account: Account,
}

/// Answer to a translation.
#[derive(Clone, Eq, PartialEq)]
pub struct TranslationAnswer {
    /// Digits of the PIN, if the HSM is set to tell.
    pub length: u8,
    /// The block as it goes out.
    pub to: Block,
}

/// A PIN length of two digits.
fn length(fields: &mut Fields<'_>) -> Result<u8, FieldFault> {
    let before = fields.fault("a PIN length");
    u8::try_from(fields.number(2, "a PIN length")?).map_err(|_| before)
}

fn write_formats(out: &mut Body, from: &Block, to: PinCode, account: &Account) {
    from.write(out);
    put_number(out, usize::from(to.0), 2);
    account.write(out);
}

/// Refuses the marks in front of a destination that is no zone key.
fn zone_key(fields: &mut Fields<'_>) -> Result<HostKey, FieldFault> {
    match fields.peek() {
        Some(b'*' | b'~' | b'!') => Err(fields.fault("a zone PIN key")),
        _ => HostKey::read(fields),
    }
}

impl Translation {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.source.as_str().as_bytes());
        out.extend_from_slice(self.destination.as_str().as_bytes());
        put_number(out, usize::from(self.longest), 2);
        write_formats(out, &self.from, self.to, &self.account);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let (source, destination) = (HostKey::read(fields)?, zone_key(fields)?);
        let longest = length(fields)?;
        let (from, to) = (Block::read(fields, &source)?, PinCode::read(fields)?);
        let account = Account::read(fields, &[from.format, to])?;
        Ok(Self { source, destination, longest, from, to, account })
    }
}

impl TranslationAnswer {
    fn write(&self, out: &mut Body) {
        put_number(out, usize::from(self.length), 2);
        self.to.write(out);
    }

    /// Reads one whose block is under `destination`.
    fn read(fields: &mut Fields<'_>, destination: &HostKey) -> Result<Self, FieldFault> {
        Ok(Self { length: length(fields)?, to: Block::read(fields, destination)? })
    }
}

/// CA: from a terminal PIN key to a zone PIN key.
#[derive(Clone, Eq, PartialEq)]
pub struct TranslateTerminal(pub Translation);

/// CC: from one zone PIN key to another.
#[derive(Clone, Eq, PartialEq)]
pub struct TranslateZone(pub Translation);

/// Both translations differ in nothing but their code.
macro_rules! translation {
    ($name:ident, $code:literal) => {
        impl Command for $name {
            const CODE: [u8; 2] = *$code;
            type Answer = TranslationAnswer;

            fn write(&self, out: &mut Body) {
                self.0.write(out);
            }

            fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
                Translation::read(fields).map(Self)
            }

            fn write_answer(answer: &TranslationAnswer, out: &mut Body) {
                answer.write(out);
            }

            fn read_answer(&self, fields: &mut Fields<'_>) -> Result<TranslationAnswer, FieldFault> {
                TranslationAnswer::read(fields, &self.0.destination)
            }
        }
    };
}

translation!(TranslateTerminal, b"CA");
translation!(TranslateZone, b"CC");

/// A key serial number in hex, and the three digits that say how it is divided.
#[derive(Clone, Eq, PartialEq)]
pub struct SerialNumber {
    /// Hex digits of the BDK identifier, of the sub-key identifier, of the device identifier.
    pub descriptor: String,
    /// The number: five digits more than the descriptor counts.
    pub digits: String,
}

impl SerialNumber {
    /// Its ten bytes, F in front of a shorter one.
    #[must_use]
    pub fn bytes(&self) -> Option<[u8; 10]> {
        let padded = format!("{:F>20}", self.digits);
        let mut bytes = [0; 10];
        unpack_hex(padded.as_bytes(), &mut bytes)?;
        Some(bytes)
    }

    pub(super) fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.descriptor.as_bytes());
        out.extend_from_slice(self.digits.as_bytes());
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a descriptor of at most 15 digits in all");
        let descriptor = fields.hex(3, "a descriptor")?;
        let parts = descriptor.chars().filter_map(|digit| digit.to_digit(16)).sum::<u32>();
        let length = usize::try_from(parts + 5).map_err(|_| before)?;
        if !(6..=20).contains(&length) {
            return Err(before);
        }
        let digits = fields.hex(length, "a key serial number")?;
        Ok(Self { descriptor: descriptor.to_owned(), digits: digits.to_ascii_uppercase() })
    }
}

/// G0: from a TDES DUKPT key to a zone PIN key.
#[derive(Clone, Eq, PartialEq)]
pub struct TranslateDukpt {
    /// Base derivation key, under the LMK.
    pub bdk: HostKey,
    /// The zone key it is to be under.
    pub destination: HostKey,
    /// Of the device, and its counter.
    pub ksn: SerialNumber,
    /// The block as it came.
    pub from: Block,
    /// The format it is to have.
    pub to: PinCode,
    /// Of the card.
    pub account: Account,
}

impl Command for TranslateDukpt {
    const CODE: [u8; 2] = *b"G0";
    type Answer = TranslationAnswer;

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.bdk.as_str().as_bytes());
        out.extend_from_slice(self.destination.as_str().as_bytes());
        self.ksn.write(out);
        write_formats(out, &self.from, self.to, &self.account);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        // A mark says that the BDK is of another kind: not served here.
        if matches!(fields.peek(), Some(b'*' | b'~' | b'!')) {
            return Err(fields.fault("a base derivation key"));
        }
        let (bdk, destination) = (HostKey::read(fields)?, zone_key(fields)?);
        let ksn = SerialNumber::read(fields)?;
        let (from, to) = (Block::read(fields, &bdk)?, PinCode::read(fields)?);
        let account = Account::read(fields, &[from.format, to])?;
        Ok(Self { bdk, destination, ksn, from, to, account })
    }

    fn write_answer(answer: &TranslationAnswer, out: &mut Body) {
        answer.write(out);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<TranslationAnswer, FieldFault> {
        TranslationAnswer::read(fields, &self.destination)
    }
}

/// The fields that DC and EC share.
#[derive(Clone, Eq, PartialEq)]
pub struct PvvCheck {
    /// The key of the block.
    pub source: HostKey,
    /// The PIN verification key, double length.
    pub pvk: HostKey,
    /// The block.
    pub from: Block,
    /// Of the card.
    pub account: Account,
    /// Behind a `;`: the account the PVV was made for, if it is another.
    pub verification_account: Option<Account>,
    /// PVV key index and PVV, five ASCII digits.
    pub index_and_pvv: [u8; 5],
}

impl PvvCheck {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.source.as_str().as_bytes());
        out.extend_from_slice(self.pvk.as_str().as_bytes());
        self.from.write(out);
        self.account.write(out);
        if let Some(account) = &self.verification_account {
            out.push(b';');
            account.write(out);
        }
        out.extend_from_slice(&self.index_and_pvv);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let (source, pvk) = (HostKey::read(fields)?, HostKey::read_double(fields)?);
        let from = Block::read(fields, &source)?;
        let account = Account::read(fields, &[from.format])?;
        let verification_account = if fields.skip(b';') { Some(Account::read(fields, &[])?) } else { None };
        let before = fields.fault("a PVV");
        let index_and_pvv = fields.digits(5, "a PVV")?.as_bytes().try_into().map_err(|_| before)?;
        Ok(Self { source, pvk, from, account, verification_account, index_and_pvv })
    }
}

/// DC: the PIN of a terminal against a PVV.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyTerminalPvv(pub PvvCheck);

/// EC: the PIN of an interchange against a PVV.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyZonePvv(pub PvvCheck);

/// A check of terminals and the same of interchanges differ in nothing but their code.
macro_rules! pin_check {
    ($name:ident, $check:ident, $code:literal) => {
        impl Command for $name {
            const CODE: [u8; 2] = *$code;
            type Answer = ();

            fn write(&self, out: &mut Body) {
                self.0.write(out);
            }

            fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
                $check::read(fields).map(Self)
            }

            fn write_answer((): &(), _out: &mut Body) {}

            fn read_answer(&self, _fields: &mut Fields<'_>) -> Result<(), FieldFault> {
                Ok(())
            }
        }
    };
}

pub(super) use pin_check;

pin_check!(VerifyTerminalPvv, PvvCheck, b"DC");
pin_check!(VerifyZonePvv, PvvCheck, b"EC");
