//! CW, CY: card verification values made and checked.

use super::Command;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::key::HostKey;
use zeroize::Zeroizing;

/// What a card verification value is made of. Holds a card number: no `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct CvvInput {
    /// Up to 19 digits.
    pub pan: Zeroizing<String>,
    /// Four digits, in the order the scheme has it.
    pub expiry: [u8; 4],
    /// Three digits; 000 for a CVV2, 999 for an iCVV.
    pub service_code: [u8; 3],
}

impl CvvInput {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.pan.as_bytes());
        out.push(b';');
        out.extend_from_slice(&self.expiry);
        out.extend_from_slice(&self.service_code);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a card number");
        let pan = Zeroizing::new(fields.digits_until(b';', 19, "a card number")?.to_owned());
        if pan.len() < 8 {
            return Err(before);
        }
        let expiry = digits(fields, "an expiry date")?;
        Ok(Self { pan, expiry, service_code: digits(fields, "a service code")? })
    }
}

fn digits<const N: usize>(fields: &mut Fields<'_>, what: &'static str) -> Result<[u8; N], FieldFault> {
    let before = fields.fault(what);
    fields.digits(N, what)?.as_bytes().try_into().map_err(|_| before)
}

/// CW: generate a CVV.
#[derive(Clone, Eq, PartialEq)]
pub struct GenerateCvv {
    /// The card verification key, or its two halves side by side.
    pub cvk: HostKey,
    /// Over what.
    pub input: CvvInput,
}

impl Command for GenerateCvv {
    const CODE: [u8; 2] = *b"CW";
    /// Three digits.
    type Answer = [u8; 3];

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.cvk.as_str().as_bytes());
        self.input.write(out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        Ok(Self { cvk: HostKey::read_double(fields)?, input: CvvInput::read(fields)? })
    }

    fn write_answer(answer: &[u8; 3], out: &mut Body) {
        out.extend_from_slice(answer);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<[u8; 3], FieldFault> {
        digits(fields, "a CVV")
    }
}

/// CY: verify a CVV.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyCvv {
    /// The card verification key, or its two halves side by side.
    pub cvk: HostKey,
    /// Three digits.
    pub cvv: [u8; 3],
    /// Over what.
    pub input: CvvInput,
}

impl Command for VerifyCvv {
    const CODE: [u8; 2] = *b"CY";
    type Answer = ();

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.cvk.as_str().as_bytes());
        out.extend_from_slice(&self.cvv);
        self.input.write(out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let cvk = HostKey::read_double(fields)?;
        Ok(Self { cvk, cvv: digits(fields, "a CVV")?, input: CvvInput::read(fields)? })
    }

    fn write_answer((): &(), _out: &mut Body) {}

    fn read_answer(&self, _fields: &mut Fields<'_>) -> Result<(), FieldFault> {
        Ok(())
    }
}
