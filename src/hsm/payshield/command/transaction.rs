//! GW: MACs under a key of one transaction (TDES DUKPT, retail MAC).
//!
//! The order of the fields is public, what the digits of mode and method mean is not: here 1 checks and 4
//! makes four bytes, 2 checks and 5 makes eight; method 1 is the request's key, 2 the response's.

use super::Command;
use super::mac::MESSAGE_MOST;
use super::pin::SerialNumber;
use crate::hsm::Direction;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::fields::put_hex_number;
use crate::hsm::payshield::key::HostKey;

/// GW: make or check one.
#[derive(Clone, Eq, PartialEq)]
pub struct TransactionMac {
    /// Eight bytes of MAC if true, four if not.
    pub long: bool,
    /// Whose message it is.
    pub direction: Direction,
    /// Base derivation key, under the LMK.
    pub bdk: HostKey,
    /// Of the device, and its counter.
    pub ksn: SerialNumber,
    /// To be checked; `None` makes one.
    pub mac: Option<Vec<u8>>,
    /// At most [`MESSAGE_MOST`] bytes; padded with zeros by the HSM.
    pub message: Body,
}

impl TransactionMac {
    fn read_mac(fields: &mut Fields<'_>, long: bool) -> Result<Vec<u8>, FieldFault> {
        if long {
            return Ok(fields.packed::<8>("a MAC of 16 hex digits")?.to_vec());
        }
        Ok(fields.packed::<4>("a MAC of 8 hex digits")?.to_vec())
    }
}

impl Command for TransactionMac {
    const CODE: [u8; 2] = *b"GW";
    /// The MAC, if one was to be made.
    type Answer = Option<Vec<u8>>;

    fn write(&self, out: &mut Body) {
        out.push(match (self.mac.is_some(), self.long) {
            (true, false) => b'1',
            (true, true) => b'2',
            (false, false) => b'4',
            (false, true) => b'5',
        });
        out.push(if self.direction == Direction::Request { b'1' } else { b'2' });
        out.extend_from_slice(self.bdk.as_str().as_bytes());
        self.ksn.write(out);
        put_hex(out, self.mac.as_deref().unwrap_or_default());
        put_hex_number(out, self.message.len(), 4);
        out.extend_from_slice(&self.message);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a mode that is known");
        let (checks, long) = match fields.one("a mode")? {
            b'1' => (true, false),
            b'2' => (true, true),
            b'4' => (false, false),
            b'5' => (false, true),
            _ => return Err(before),
        };
        let before = fields.fault("a method 1 or 2");
        let direction = match fields.one("a method 1 or 2")? {
            b'1' => Direction::Request,
            b'2' => Direction::Response,
            _ => return Err(before),
        };
        let (bdk, ksn) = (HostKey::read(fields)?, SerialNumber::read(fields)?);
        let mac = if checks { Some(Self::read_mac(fields, long)?) } else { None };
        let before = fields.fault("a message that is not too long");
        let length = fields.hex_number(4, "a length of 4 hex digits")?;
        if length > MESSAGE_MOST {
            return Err(before);
        }
        let mut message = body();
        message.extend_from_slice(fields.take(length, "as much message as announced")?);
        Ok(Self { long, direction, bdk, ksn, mac, message })
    }

    fn write_answer(answer: &Option<Vec<u8>>, out: &mut Body) {
        put_hex(out, answer.as_deref().unwrap_or_default());
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Option<Vec<u8>>, FieldFault> {
        if self.mac.is_some() { Ok(None) } else { Self::read_mac(fields, self.long).map(Some) }
    }
}
