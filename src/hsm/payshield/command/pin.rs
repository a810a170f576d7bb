//! CA, CC, G0, DC, EC: PIN blocks from one key to another, and PINs against a PVV.
//!
//! Blocks of eight bytes only. Blocks are sensitive even when enciphered: nothing here has a `Debug`.

use super::Command;
use crate::hsm::payshield::code::PinCode;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::fields::put_number;
use crate::hsm::payshield::fields::unpack_hex;
use crate::hsm::payshield::key::HostKey;

/// The rightmost 12 digits of a card number without its check digit, zeros in front of a short one.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Account(pub [u8; 12]);

impl Account {
    /// From a whole card number in ASCII digits.
    #[must_use]
    pub fn of(pan: &str) -> Self {
        let mut digits = [b'0'; 12];
        digits.iter_mut().rev().zip(pan.bytes().rev().skip(1)).for_each(|(to, digit)| *to = digit);
        Self(digits)
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("an account number of 12 digits");
        let digits = fields.digits(12, "an account number of 12 digits")?.as_bytes();
        digits.try_into().map(Self).map_err(|_| before)
    }
}

/// A PIN block and what it says about itself.
#[derive(Clone, Eq, PartialEq)]
pub struct Block {
    /// Enciphered.
    pub block: [u8; 8],
    /// Its format.
    pub format: PinCode,
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
    put_hex(out, &from.block);
    put_number(out, usize::from(from.format.0), 2);
    put_number(out, usize::from(to.0), 2);
    out.extend_from_slice(&account.0);
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
        let from = Block { block: fields.packed("a PIN block")?, format: PinCode::read(fields)? };
        Ok(Self { source, destination, longest, from, to: PinCode::read(fields)?, account: Account::read(fields)? })
    }
}

impl TranslationAnswer {
    fn write(&self, out: &mut Body) {
        put_number(out, usize::from(self.length), 2);
        put_hex(out, &self.to.block);
        put_number(out, usize::from(self.to.format.0), 2);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let length = length(fields)?;
        Ok(Self { length, to: Block { block: fields.packed("a PIN block")?, format: PinCode::read(fields)? } })
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
                TranslationAnswer::read(fields)
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

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.descriptor.as_bytes());
        out.extend_from_slice(self.digits.as_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
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
        let from = Block { block: fields.packed("a PIN block")?, format: PinCode::read(fields)? };
        Ok(Self { bdk, destination, ksn, from, to: PinCode::read(fields)?, account: Account::read(fields)? })
    }

    fn write_answer(answer: &TranslationAnswer, out: &mut Body) {
        answer.write(out);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<TranslationAnswer, FieldFault> {
        TranslationAnswer::read(fields)
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
        put_hex(out, &self.from.block);
        put_number(out, usize::from(self.from.format.0), 2);
        out.extend_from_slice(&self.account.0);
        if let Some(account) = &self.verification_account {
            out.push(b';');
            out.extend_from_slice(&account.0);
        }
        out.extend_from_slice(&self.index_and_pvv);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let (source, pvk) = (HostKey::read(fields)?, HostKey::read_double(fields)?);
        let from = Block { block: fields.packed("a PIN block")?, format: PinCode::read(fields)? };
        let account = Account::read(fields)?;
        let verification_account = if fields.skip(b';') { Some(Account::read(fields)?) } else { None };
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

/// Both checks differ in nothing but their code.
macro_rules! pvv_check {
    ($name:ident, $code:literal) => {
        impl Command for $name {
            const CODE: [u8; 2] = *$code;
            type Answer = ();

            fn write(&self, out: &mut Body) {
                self.0.write(out);
            }

            fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
                PvvCheck::read(fields).map(Self)
            }

            fn write_answer((): &(), _out: &mut Body) {}

            fn read_answer(&self, _fields: &mut Fields<'_>) -> Result<(), FieldFault> {
                Ok(())
            }
        }
    };
}

pvv_check!(VerifyTerminalPvv, b"DC");
pvv_check!(VerifyZonePvv, b"EC");
