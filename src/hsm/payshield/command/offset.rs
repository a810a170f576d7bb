//! DA, EA, FW: PINs against an IBM 3624 offset, and the PVV of a new PIN.

use super::Command;
use super::pin::Account;
use super::pin::Block;
use super::pin::pin_check;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::put_number;
use crate::hsm::payshield::key::HostKey;

/// The fields that DA and EA share.
#[derive(Clone, Eq, PartialEq)]
pub struct OffsetCheck {
    /// The key of the block.
    pub source: HostKey,
    /// The PIN verification key, double length.
    pub pvk: HostKey,
    /// Longest PIN, 4 to 12.
    pub longest: u8,
    /// The block.
    pub from: Block,
    /// How many digits are checked, 4 to 12.
    pub check: u8,
    /// Of the card.
    pub account: Account,
    /// Which digit each nibble becomes: 16 ASCII digits.
    pub table: [u8; 16],
    /// What the PIN follows from: 12 characters, one of them an `N` where the account's last five digits go.
    pub validation: [u8; 12],
    /// Left in its field, `F` behind it.
    pub offset: [u8; 12],
}

impl OffsetCheck {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.source.as_str().as_bytes());
        out.extend_from_slice(self.pvk.as_str().as_bytes());
        put_number(out, usize::from(self.longest), 2);
        self.from.write(out);
        put_number(out, usize::from(self.check), 2);
        self.account.write(out);
        out.extend_from_slice(&self.table);
        out.extend_from_slice(&self.validation);
        out.extend_from_slice(&self.offset);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let (source, pvk) = (HostKey::read(fields)?, HostKey::read_double(fields)?);
        let longest = small(fields, "a PIN length")?;
        let from = Block::read(fields, &source)?;
        let check = small(fields, "a check length")?;
        let account = Account::read(fields, &[from.format])?;
        let before = fields.fault("a decimalization table");
        let table = fields.digits(16, "a decimalization table")?.as_bytes().try_into().map_err(|_| before)?;
        let before = fields.fault("validation data");
        let validation = fields.graphic(12, "validation data")?.as_bytes().try_into().map_err(|_| before)?;
        let before = fields.fault("an offset");
        let offset = fields.hex(12, "an offset")?.as_bytes().try_into().map_err(|_| before)?;
        Ok(Self { source, pvk, longest, from, check, account, table, validation, offset })
    }
}

/// A number of two digits.
fn small(fields: &mut Fields<'_>, what: &'static str) -> Result<u8, FieldFault> {
    let before = fields.fault(what);
    u8::try_from(fields.number(2, what)?).map_err(|_| before)
}

/// DA: the PIN of a terminal against an offset.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyTerminalOffset(pub OffsetCheck);

/// EA: the PIN of an interchange against an offset.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyZoneOffset(pub OffsetCheck);

pin_check!(VerifyTerminalOffset, OffsetCheck, b"DA");
pin_check!(VerifyZoneOffset, OffsetCheck, b"EA");

/// FW: the PVV of a new PIN.
#[derive(Clone, Eq, PartialEq)]
pub struct MakePvv {
    /// What the key of the block is: 001 or 002.
    pub key_type: KeyType,
    /// The key of the block.
    pub source: HostKey,
    /// The PIN verification key, double length.
    pub pvk: HostKey,
    /// The block.
    pub from: Block,
    /// Of the card.
    pub account: Account,
    /// PVV key index, an ASCII digit.
    pub index: u8,
}

impl Command for MakePvv {
    const CODE: [u8; 2] = *b"FW";
    /// Four digits.
    type Answer = [u8; 4];

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        out.extend_from_slice(self.source.as_str().as_bytes());
        out.extend_from_slice(self.pvk.as_str().as_bytes());
        self.from.write(out);
        self.account.write(out);
        out.push(self.index);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let key_type = KeyType::read(fields)?;
        let (source, pvk) = (HostKey::read(fields)?, HostKey::read_double(fields)?);
        let from = Block::read(fields, &source)?;
        let account = Account::read(fields, &[from.format])?;
        let index = fields.digits(1, "a PVV key index")?.as_bytes().first().copied();
        Ok(Self { key_type, source, pvk, from, account, index: index.unwrap_or(b'0') })
    }

    fn write_answer(answer: &[u8; 4], out: &mut Body) {
        out.extend_from_slice(answer);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<[u8; 4], FieldFault> {
        let before = fields.fault("a PVV");
        fields.digits(4, "a PVV")?.as_bytes().try_into().map_err(|_| before)
    }
}
