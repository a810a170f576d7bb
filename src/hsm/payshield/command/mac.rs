//! M6, M8: MACs made and checked.

use super::Command;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::fields::put_hex_number;
use crate::hsm::payshield::key::HostKey;

/// Longest message of one command, in characters.
pub const MESSAGE_MOST: usize = 30 * 1024;

/// Which part of a message this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Only,
    /// The first of several.
    First,
    /// One between, with the chaining value so far.
    Middle([u8; 8]),
    /// The last, with the chaining value so far.
    Last([u8; 8]),
}

/// How the message is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// As it is.
    Binary,
    /// Two hex digits a byte.
    Hex,
    /// As text, in the HSM's own code.
    Text,
}

/// The fields that M6 and M8 share.
#[derive(Clone, Eq, PartialEq)]
pub struct MacFields {
    /// Which part.
    pub part: Part,
    /// How the message is written.
    pub input: Input,
    /// Eight bytes of MAC if true, four if not.
    pub long: bool,
    /// 1: ISO/IEC 9797-1 algorithm 1; 3: algorithm 3; 5: TDES-CMAC; 6: AES-CMAC. One digit.
    pub algorithm: u8,
    /// 0: none; 1: zeros; 2: 80 and zeros; 3: the algorithm's own. One digit.
    pub padding: u8,
    /// 003, 008 or FFF.
    pub key_type: KeyType,
    /// The MAC key, under the LMK.
    pub key: HostKey,
    /// As `input` says, at most [`MESSAGE_MOST`] characters.
    pub message: Body,
}

impl MacFields {
    fn write(&self, out: &mut Body) {
        out.push(match self.part {
            Part::Only => b'0',
            Part::First => b'1',
            Part::Middle(_) => b'2',
            Part::Last(_) => b'3',
        });
        out.push(match self.input {
            Input::Binary => b'0',
            Input::Hex => b'1',
            Input::Text => b'2',
        });
        out.push(if self.long { b'1' } else { b'0' });
        out.extend_from_slice(&[self.algorithm, self.padding]);
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        out.extend_from_slice(self.key.as_str().as_bytes());
        if let Part::Middle(iv) | Part::Last(iv) = &self.part {
            put_hex(out, iv);
        }
        put_hex_number(out, self.message.len(), 4);
        out.extend_from_slice(&self.message);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let [mode, input, size, algorithm, padding]: [u8; 5] = {
            let before = fields.fault("five digits of mode");
            fields.digits(5, "five digits of mode")?.as_bytes().try_into().map_err(|_| before)?
        };
        let key_type = KeyType::read(fields)?;
        let key = HostKey::read(fields)?;
        let fault = fields.fault("a mode that is known");
        let part = match mode {
            b'0' => Part::Only,
            b'1' => Part::First,
            b'2' => Part::Middle(fields.packed("a chaining value")?),
            b'3' => Part::Last(fields.packed("a chaining value")?),
            _ => return Err(fault),
        };
        let input = match input {
            b'0' => Input::Binary,
            b'1' => Input::Hex,
            b'2' => Input::Text,
            _ => return Err(fault),
        };
        let long = match size {
            b'0' => false,
            b'1' => true,
            _ => return Err(fault),
        };
        let before = fields.fault("a message that is not too long");
        let length = fields.hex_number(4, "a length of 4 hex digits")?;
        if length > MESSAGE_MOST {
            return Err(before);
        }
        let mut message = body();
        message.extend_from_slice(fields.take(length, "as much message as announced")?);
        Ok(Self { part, input, long, algorithm, padding, key_type, key, message })
    }
}

/// A MAC of four bytes or eight.
fn read_mac(fields: &mut Fields<'_>, long: bool) -> Result<Vec<u8>, FieldFault> {
    if long {
        return Ok(fields.packed::<8>("a MAC of 16 hex digits")?.to_vec());
    }
    Ok(fields.packed::<4>("a MAC of 8 hex digits")?.to_vec())
}

/// M6: generate a MAC.
#[derive(Clone, Eq, PartialEq)]
pub struct GenerateMac(pub MacFields);

/// Answer to [`GenerateMac`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MacAnswer {
    /// More is to come: the chaining value.
    Chain([u8; 8]),
    /// The MAC, 4 or 8 bytes.
    Mac(Vec<u8>),
}

impl Command for GenerateMac {
    const CODE: [u8; 2] = *b"M6";
    type Answer = MacAnswer;

    fn write(&self, out: &mut Body) {
        self.0.write(out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        MacFields::read(fields).map(Self)
    }

    fn write_answer(answer: &MacAnswer, out: &mut Body) {
        match answer {
            MacAnswer::Chain(iv) => put_hex(out, iv),
            MacAnswer::Mac(mac) => put_hex(out, mac),
        }
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<MacAnswer, FieldFault> {
        match self.0.part {
            Part::First | Part::Middle(_) => fields.packed("a chaining value").map(MacAnswer::Chain),
            Part::Only | Part::Last(_) => read_mac(fields, self.0.long).map(MacAnswer::Mac),
        }
    }
}

/// M8: verify a MAC. In parts before the last there is none to verify.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifyMac {
    /// As for making one.
    pub fields: MacFields,
    /// 4 or 8 bytes, as [`MacFields::long`] says.
    pub mac: Vec<u8>,
}

impl VerifyMac {
    fn ends(part: Part) -> bool {
        matches!(part, Part::Only | Part::Last(_))
    }
}

impl Command for VerifyMac {
    const CODE: [u8; 2] = *b"M8";
    /// A chaining value, if more is to come.
    type Answer = Option<[u8; 8]>;

    fn write(&self, out: &mut Body) {
        self.fields.write(out);
        put_hex(out, &self.mac);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let shared = MacFields::read(fields)?;
        let mac = if Self::ends(shared.part) { read_mac(fields, shared.long)? } else { Vec::new() };
        Ok(Self { fields: shared, mac })
    }

    fn write_answer(answer: &Option<[u8; 8]>, out: &mut Body) {
        if let Some(iv) = answer {
            put_hex(out, iv);
        }
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Option<[u8; 8]>, FieldFault> {
        if Self::ends(self.fields.part) { Ok(None) } else { fields.packed("a chaining value").map(Some) }
    }
}
