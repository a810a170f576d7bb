//! KQ, KW: application cryptograms of chip cards checked, and the issuer's answer made.

use super::Command;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex_number;
use crate::hsm::payshield::fields::put_number;
use crate::hsm::payshield::key::HostKey;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// 0: only whether the ARQC holds.
    Verify,
    /// 1: the same, and an ARPC if it does.
    VerifyAndAnswer,
    /// 2: an ARPC without a check.
    Answer,
}

impl Mode {
    fn digit(self) -> u8 {
        match self {
            Self::Verify => b'0',
            Self::VerifyAndAnswer => b'1',
            Self::Answer => b'2',
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a mode from 0 to 2");
        match fields.one("a mode from 0 to 2")? {
            b'0' => Ok(Self::Verify),
            b'1' => Ok(Self::VerifyAndAnswer),
            b'2' => Ok(Self::Answer),
            _ => Err(before),
        }
    }

    fn answers(self) -> bool {
        self != Self::Verify
    }
}

/// The data that the card signed, already padded to whole blocks: at most 255 bytes.
fn read_data(fields: &mut Fields<'_>) -> Result<Body, FieldFault> {
    let length = fields.hex_number(2, "a length of 2 hex digits")?;
    let mut data = body();
    data.extend_from_slice(fields.take(length, "as much data as announced")?);
    Ok(data)
}

fn write_data(out: &mut Body, data: &[u8]) {
    put_hex_number(out, data.len(), 2);
    out.extend_from_slice(data);
    out.push(b';');
}

/// Which session key a card of KQ uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StaticScheme {
    /// 0: Visa VSDC, none: the card's own key.
    Vsdc,
    /// 1: M/Chip 2.1 and later: from ATC and unpredictable number.
    MChip,
}

/// KQ: ARQC of a Visa VSDC (CVN 10) or M/Chip card. Holds a card number: no `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyStatic {
    /// What is asked for.
    pub mode: Mode,
    /// Which session key.
    pub scheme: StaticScheme,
    /// Issuer master key of application cryptograms, under the LMK.
    pub mk_ac: HostKey,
    /// Rightmost 16 digits of PAN and sequence number, packed (option A).
    pub pan_psn: [u8; 8],
    /// Application transaction counter.
    pub atc: [u8; 2],
    /// Unpredictable number.
    pub un: [u8; 4],
    /// What the card signed, padded.
    pub data: Body,
    /// The cryptogram.
    pub arqc: [u8; 8],
    /// Authorization response code; with an answer only.
    pub arc: Option<[u8; 2]>,
}

impl Command for VerifyStatic {
    const CODE: [u8; 2] = *b"KQ";
    /// The ARPC, if one was asked for.
    type Answer = Option<[u8; 8]>;

    fn write(&self, out: &mut Body) {
        out.push(self.mode.digit());
        out.push(match self.scheme {
            StaticScheme::Vsdc => b'0',
            StaticScheme::MChip => b'1',
        });
        out.extend_from_slice(self.mk_ac.as_str().as_bytes());
        out.extend_from_slice(&self.pan_psn);
        out.extend_from_slice(&self.atc);
        out.extend_from_slice(&self.un);
        write_data(out, &self.data);
        out.extend_from_slice(&self.arqc);
        out.extend_from_slice(self.arc.as_ref().map(<[u8; 2]>::as_slice).unwrap_or_default());
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let mode = Mode::read(fields)?;
        let before = fields.fault("a scheme 0 or 1");
        let scheme = match fields.one("a scheme 0 or 1")? {
            b'0' => StaticScheme::Vsdc,
            b'1' => StaticScheme::MChip,
            _ => return Err(before),
        };
        let mk_ac = HostKey::read(fields)?;
        let pan_psn = fields.binary("PAN and sequence number")?;
        let (atc, un) = (fields.binary("an ATC")?, fields.binary("an unpredictable number")?);
        let data = read_data(fields)?;
        fields.expect(b';', "a delimiter")?;
        let arqc = fields.binary("a cryptogram")?;
        let arc = if mode.answers() { Some(fields.binary("a response code")?) } else { None };
        Ok(Self { mode, scheme, mk_ac, pan_psn, atc, un, data, arqc, arc })
    }

    fn write_answer(answer: &Option<[u8; 8]>, out: &mut Body) {
        out.extend_from_slice(answer.as_ref().map(<[u8; 8]>::as_slice).unwrap_or_default());
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Option<[u8; 8]>, FieldFault> {
        if self.mode.answers() { fields.binary("an ARPC").map(Some) } else { Ok(None) }
    }
}

/// What the issuer says to a card of KW.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// Method 1: the authorization response code, 2 bytes; the ARPC has 8.
    Code([u8; 2]),
    /// Method 2: card status update, 4 bytes, and up to 8 proprietary ones; the ARPC has 4.
    Status([u8; 4], Vec<u8>),
}

/// KW: ARQC of a card with common session keys (EMV CSK, Visa CVN 18 and 22). Scheme 2, master key by
/// option A: the one layout that is public. Holds a card number: no `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyCsk {
    /// What is asked for.
    pub mode: Mode,
    /// Issuer master key of application cryptograms, under the LMK.
    pub mk_ac: HostKey,
    /// Rightmost 16 digits of PAN and sequence number, packed (option A).
    pub pan_psn: [u8; 8],
    /// Application transaction counter.
    pub atc: [u8; 2],
    /// What the card signed, padded.
    pub data: Body,
    /// The cryptogram.
    pub arqc: [u8; 8],
    /// With an answer only. Method 2 is mode 3 or 4 on the wire.
    pub response: Option<Response>,
}

/// Mode digits of KW: verify; verify and answer, method 1; answer, method 1; then both by method 2.
fn csk_mode(mode: Mode, response: Option<&Response>) -> u8 {
    match (mode, response) {
        (Mode::VerifyAndAnswer, Some(Response::Status(..))) => b'3',
        (Mode::Answer, Some(Response::Status(..))) => b'4',
        (mode, _) => mode.digit(),
    }
}

impl Command for VerifyCsk {
    const CODE: [u8; 2] = *b"KW";
    /// 8 bytes by method 1, 4 by method 2, none if none was asked for.
    type Answer = Option<Vec<u8>>;

    fn write(&self, out: &mut Body) {
        out.push(csk_mode(self.mode, self.response.as_ref()));
        out.push(b'2');
        out.extend_from_slice(self.mk_ac.as_str().as_bytes());
        out.extend_from_slice(&self.pan_psn);
        out.extend_from_slice(&self.atc);
        write_data(out, &self.data);
        out.extend_from_slice(&self.arqc);
        match &self.response {
            None => {}
            Some(Response::Code(arc)) => out.extend_from_slice(arc),
            Some(Response::Status(csu, proprietary)) => {
                out.extend_from_slice(csu);
                put_number(out, proprietary.len(), 1);
                out.extend_from_slice(proprietary);
            }
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a mode from 0 to 4");
        let (mode, second) = match fields.one("a mode from 0 to 4")? {
            b'0' => (Mode::Verify, false),
            b'1' => (Mode::VerifyAndAnswer, false),
            b'2' => (Mode::Answer, false),
            b'3' => (Mode::VerifyAndAnswer, true),
            b'4' => (Mode::Answer, true),
            _ => return Err(before),
        };
        fields.expect(b'2', "scheme 2")?;
        let mk_ac = HostKey::read(fields)?;
        let pan_psn = fields.binary("PAN and sequence number")?;
        let atc = fields.binary("an ATC")?;
        let data = read_data(fields)?;
        fields.expect(b';', "a delimiter")?;
        let arqc = fields.binary("a cryptogram")?;
        let response = match (mode.answers(), second) {
            (false, _) => None,
            (true, false) => Some(Response::Code(fields.binary("a response code")?)),
            (true, true) => {
                let csu = fields.binary("a card status update")?;
                let before = fields.fault("a length of at most 8");
                let length = fields.number(1, "a length of at most 8")?;
                if length > 8 {
                    return Err(before);
                }
                Some(Response::Status(csu, fields.take(length, "proprietary data")?.to_vec()))
            }
        };
        Ok(Self { mode, mk_ac, pan_psn, atc, data, arqc, response })
    }

    fn write_answer(answer: &Option<Vec<u8>>, out: &mut Body) {
        out.extend_from_slice(answer.as_deref().unwrap_or_default());
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Option<Vec<u8>>, FieldFault> {
        let length = match (&self.response, self.mode.answers()) {
            (_, false) | (None, _) => return Ok(None),
            (Some(Response::Code(_)), _) => 8,
            (Some(Response::Status(..)), _) => 4,
        };
        Ok(Some(fields.take(length, "an ARPC")?.to_vec()))
    }
}
