//! NC, NO, B2, N0: is it there, how is it, and randomness.

use super::Command;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::put_hex_number;
use crate::hsm::payshield::fields::put_number;

/// NC: perform diagnostics.
pub struct Diagnostics;

/// Answer to [`Diagnostics`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiagnosticsAnswer {
    /// Check value of the master key, 16 hex digits.
    pub lmk_check: String,
    /// Firmware, 9 characters: `1500-0023`.
    pub firmware: String,
}

impl Command for Diagnostics {
    const CODE: [u8; 2] = *b"NC";
    type Answer = DiagnosticsAnswer;

    fn write(&self, _out: &mut Body) {}

    fn read(_fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        Ok(Self)
    }

    fn write_answer(answer: &DiagnosticsAnswer, out: &mut Body) {
        out.extend_from_slice(answer.lmk_check.as_bytes());
        out.extend_from_slice(answer.firmware.as_bytes());
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<DiagnosticsAnswer, FieldFault> {
        let lmk_check = fields.hex(16, "a check value of the LMK")?.to_owned();
        let firmware = fields.graphic(9, "a firmware number")?.to_owned();
        Ok(DiagnosticsAnswer { lmk_check, firmware })
    }
}

/// NO: HSM status. `mode` 00 is the status, 01 the PCI settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Two digits.
    pub mode: u8,
}

impl Command for Status {
    const CODE: [u8; 2] = *b"NO";
    /// What firmwares say differs: kept as text.
    type Answer = String;

    fn write(&self, out: &mut Body) {
        put_number(out, usize::from(self.mode), 2);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a mode");
        Ok(Self { mode: u8::try_from(fields.number(2, "a mode")?).map_err(|_| before)? })
    }

    fn write_answer(answer: &String, out: &mut Body) {
        out.extend_from_slice(answer.as_bytes());
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<String, FieldFault> {
        let printable = |byte: &u8| byte.is_ascii_graphic().then_some(char::from(*byte));
        let before = fields.fault("printable characters");
        fields.rest().iter().map(printable).collect::<Option<_>>().ok_or(before)
    }
}

/// B2: echo.
pub struct Echo {
    /// Up to 65,535 bytes, in a frame fewer.
    pub data: Vec<u8>,
}

impl Command for Echo {
    const CODE: [u8; 2] = *b"B2";
    type Answer = Vec<u8>;

    fn write(&self, out: &mut Body) {
        put_hex_number(out, self.data.len(), 4);
        out.extend_from_slice(&self.data);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let length = fields.hex_number(4, "a length of 4 hex digits")?;
        Ok(Self { data: fields.take(length, "as many bytes as announced")?.to_vec() })
    }

    fn write_answer(answer: &Vec<u8>, out: &mut Body) {
        out.extend_from_slice(answer);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Vec<u8>, FieldFault> {
        let before = fields.fault("what was sent");
        let back = fields.take(self.data.len(), "what was sent")?;
        if back == self.data { Ok(back.to_vec()) } else { Err(before) }
    }
}

/// N0: random bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Random {
    /// 1 to 256.
    pub length: u16,
}

impl Random {
    /// Most bytes of one command.
    pub const MOST: usize = 256;
}

impl Command for Random {
    const CODE: [u8; 2] = *b"N0";
    type Answer = Body;

    fn write(&self, out: &mut Body) {
        put_number(out, usize::from(self.length), 3);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a length of 1 to 256");
        let length = fields.number(3, "a length of 3 digits")?;
        let length = u16::try_from(length).ok().filter(|length| (1..=256).contains(length));
        length.map(|length| Self { length }).ok_or(before)
    }

    fn write_answer(answer: &Body, out: &mut Body) {
        out.extend_from_slice(answer);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Body, FieldFault> {
        let bytes = fields.take(usize::from(self.length), "as many bytes as were asked for")?;
        Ok(Body::new(bytes.to_vec()))
    }
}
