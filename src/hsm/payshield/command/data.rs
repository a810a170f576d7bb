//! M0, M2: data enciphered and deciphered, for tracks and for data keys.

use super::Command;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex_number;
use crate::hsm::payshield::key::HostKey;

/// The fields that M0 and M2 share: each block by itself (mode 00), message and answer binary (formats 0).
///
/// May hold data in clear: no `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct DataFields {
    /// 00A, 00B, 30B or FFF.
    pub key_type: KeyType,
    /// The data key, under the LMK.
    pub key: HostKey,
    /// Whole blocks.
    pub message: Body,
}

impl DataFields {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(b"0000");
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        out.extend_from_slice(self.key.as_str().as_bytes());
        write_message(out, &self.message);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("mode ECB, binary in and out");
        if fields.digits(4, "mode ECB, binary in and out")? != "0000" {
            return Err(before);
        }
        let (key_type, key) = (KeyType::read(fields)?, HostKey::read(fields)?);
        Ok(Self { key_type, key, message: read_message(fields)? })
    }
}

fn write_message(out: &mut Body, message: &[u8]) {
    put_hex_number(out, message.len(), 4);
    out.extend_from_slice(message);
}

fn read_message(fields: &mut Fields<'_>) -> Result<Body, FieldFault> {
    let length = fields.hex_number(4, "a length of 4 hex digits")?;
    let mut message = body();
    message.extend_from_slice(fields.take(length, "as much data as announced")?);
    Ok(message)
}

/// M0: encipher data.
#[derive(Clone, Eq, PartialEq)]
pub struct EncryptData(pub DataFields);

/// M2: decipher data.
#[derive(Clone, Eq, PartialEq)]
pub struct DecryptData(pub DataFields);

/// Both differ in nothing but their code.
macro_rules! data_command {
    ($name:ident, $code:literal) => {
        impl Command for $name {
            const CODE: [u8; 2] = *$code;
            type Answer = Body;

            fn write(&self, out: &mut Body) {
                self.0.write(out);
            }

            fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
                DataFields::read(fields).map(Self)
            }

            fn write_answer(answer: &Body, out: &mut Body) {
                write_message(out, answer);
            }

            fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Body, FieldFault> {
                let fault = fields.fault("as much data as was sent");
                let message = read_message(fields)?;
                if message.len() == self.0.message.len() { Ok(message) } else { Err(fault) }
            }
        }
    };
}

data_command!(EncryptData, b"M0");
data_command!(DecryptData, b"M2");
