//! A0, A6, A8, BU: keys made, taken in, given out and checked.

use super::Command;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::FieldFault;
use crate::hsm::payshield::fields::Fields;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::key::HostKey;

/// What a key block's header is to say, behind a `#`: usage (2), algorithm (2), mode of use (1),
/// version (2), exportability (1), number of optional blocks (2, none here).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockAttributes(pub [u8; 10]);

impl BlockAttributes {
    fn write(attributes: Option<&Self>, out: &mut Body) {
        if let Some(Self(text)) = attributes {
            out.push(b'#');
            out.extend_from_slice(text);
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Option<Self>, FieldFault> {
        if !fields.skip(b'#') {
            return Ok(None);
        }
        let before = fields.fault("attributes of a key block");
        let text = fields.graphic(10, "attributes of a key block")?;
        let attributes: [u8; 10] = text.as_bytes().try_into().map_err(|_| before)?;
        if attributes.ends_with(b"00") { Ok(Some(Self(attributes))) } else { Err(before) }
    }
}

/// Whose key encrypts a key that leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Under {
    /// A zone master key.
    Zone,
    /// A terminal master key.
    Terminal,
}

/// A key encrypting key and the scheme of what it encrypts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrapping {
    /// Zone or terminal; not written for a zone where a command does without.
    pub under: Under,
    /// The key encrypting key, under the LMK.
    pub key: HostKey,
    /// Scheme letter of the cipher: `X`, `Y`, `U`, `T`, `Z`, `R` …
    pub scheme: u8,
}

/// Reads `;` and a flag, if they are there.
fn read_under(fields: &mut Fields<'_>) -> Result<Option<Under>, FieldFault> {
    if !fields.skip(b';') {
        return Ok(None);
    }
    let before = fields.fault("a flag 0 or 1");
    match fields.one("a flag 0 or 1")? {
        b'0' => Ok(Some(Under::Zone)),
        b'1' => Ok(Some(Under::Terminal)),
        _ => Err(before),
    }
}

fn write_under(under: Under, out: &mut Body) {
    out.extend_from_slice(match under {
        Under::Zone => b";0",
        Under::Terminal => b";1",
    });
}

fn scheme(fields: &mut Fields<'_>) -> Result<u8, FieldFault> {
    let before = fields.fault("a key scheme");
    let letter = fields.one("a key scheme")?;
    if letter.is_ascii_uppercase() || letter == b'0' { Ok(letter) } else { Err(before) }
}

/// A key and its check value of 6 hex digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyAnswer {
    /// The key, under what the command said.
    pub key: HostKey,
    /// Three bytes of check value.
    pub kcv: [u8; 3],
}

impl KeyAnswer {
    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.key.as_str().as_bytes());
        put_hex(out, &self.kcv);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        Ok(Self { key: HostKey::read(fields)?, kcv: fields.packed("a check value of 6 hex digits")? })
    }
}

/// A0: generate a key. Modes 0 (under the LMK only) and 1 (under a ZMK or TMK too).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GenerateKey {
    /// What for; [`KeyType::KEY_BLOCK`] with `attributes`.
    pub key_type: KeyType,
    /// Scheme letter under the LMK: `Z` single, `U` double, `T` triple, `S` block.
    pub scheme: u8,
    /// For the peer, if one is to have it.
    pub wrapping: Option<Wrapping>,
    /// For a key block LMK.
    pub attributes: Option<BlockAttributes>,
}

/// Answer to [`GenerateKey`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GenerateKeyAnswer {
    /// Under the LMK.
    pub key: HostKey,
    /// Under the ZMK or TMK, if one was given.
    pub wrapped: Option<HostKey>,
    /// Three bytes of check value.
    pub kcv: [u8; 3],
}

impl Command for GenerateKey {
    const CODE: [u8; 2] = *b"A0";
    const REPEATABLE: bool = false;
    type Answer = GenerateKeyAnswer;

    fn write(&self, out: &mut Body) {
        out.push(if self.wrapping.is_some() { b'1' } else { b'0' });
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        out.push(self.scheme);
        if let Some(wrapping) = &self.wrapping {
            write_under(wrapping.under, out);
            out.extend_from_slice(wrapping.key.as_str().as_bytes());
            out.push(wrapping.scheme);
        }
        BlockAttributes::write(self.attributes.as_ref(), out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("mode 0 or 1");
        let wraps = match fields.one("mode 0 or 1")? {
            b'0' => false,
            b'1' => true,
            _ => return Err(before),
        };
        let (key_type, scheme_lmk) = (KeyType::read(fields)?, scheme(fields)?);
        let wrapping = if wraps {
            let under = read_under(fields)?.unwrap_or(Under::Zone);
            Some(Wrapping { under, key: HostKey::read(fields)?, scheme: scheme(fields)? })
        } else {
            None
        };
        Ok(Self { key_type, scheme: scheme_lmk, wrapping, attributes: BlockAttributes::read(fields)? })
    }

    fn write_answer(answer: &GenerateKeyAnswer, out: &mut Body) {
        for key in [Some(&answer.key), answer.wrapped.as_ref()].into_iter().flatten() {
            out.extend_from_slice(key.as_str().as_bytes());
        }
        put_hex(out, &answer.kcv);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<GenerateKeyAnswer, FieldFault> {
        let key = HostKey::read(fields)?;
        let wrapped = self.wrapping.as_ref().map(|_| HostKey::read(fields)).transpose()?;
        Ok(GenerateKeyAnswer { key, wrapped, kcv: fields.packed("a check value of 6 hex digits")? })
    }
}

/// A6: import a key from under a zone master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportKey {
    /// What for.
    pub key_type: KeyType,
    /// The zone master key, under the LMK.
    pub zmk: HostKey,
    /// The key, under the zone master key.
    pub key: HostKey,
    /// Scheme letter under the LMK.
    pub scheme: u8,
    /// For a key block LMK.
    pub attributes: Option<BlockAttributes>,
}

impl Command for ImportKey {
    const CODE: [u8; 2] = *b"A6";
    type Answer = KeyAnswer;

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        out.extend_from_slice(self.zmk.as_str().as_bytes());
        out.extend_from_slice(self.key.as_str().as_bytes());
        out.push(self.scheme);
        BlockAttributes::write(self.attributes.as_ref(), out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let key_type = KeyType::read(fields)?;
        let (zmk, key, scheme) = (HostKey::read(fields)?, HostKey::read(fields)?, scheme(fields)?);
        Ok(Self { key_type, zmk, key, scheme, attributes: BlockAttributes::read(fields)? })
    }

    fn write_answer(answer: &KeyAnswer, out: &mut Body) {
        answer.write(out);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<KeyAnswer, FieldFault> {
        KeyAnswer::read(fields)
    }

    /// 01 warns of a parity that was mended; the key is there.
    fn succeeds(code: ErrorCode) -> bool {
        code == ErrorCode::OK || code == ErrorCode::VERIFICATION
    }
}

/// A8: export a key under a zone or terminal master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExportKey {
    /// What for.
    pub key_type: KeyType,
    /// For whom.
    pub wrapping: Wrapping,
    /// The key, under the LMK.
    pub key: HostKey,
    /// For a key block.
    pub attributes: Option<BlockAttributes>,
}

impl Command for ExportKey {
    const CODE: [u8; 2] = *b"A8";
    type Answer = KeyAnswer;

    fn write(&self, out: &mut Body) {
        out.extend_from_slice(self.key_type.as_str().as_bytes());
        if self.wrapping.under == Under::Terminal {
            write_under(Under::Terminal, out);
        }
        out.extend_from_slice(self.wrapping.key.as_str().as_bytes());
        out.extend_from_slice(self.key.as_str().as_bytes());
        out.push(self.wrapping.scheme);
        BlockAttributes::write(self.attributes.as_ref(), out);
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let key_type = KeyType::read(fields)?;
        let under = read_under(fields)?.unwrap_or(Under::Zone);
        let (wrapper, key) = (HostKey::read(fields)?, HostKey::read(fields)?);
        let wrapping = Wrapping { under, key: wrapper, scheme: scheme(fields)? };
        Ok(Self { key_type, wrapping, key, attributes: BlockAttributes::read(fields)? })
    }

    fn write_answer(answer: &KeyAnswer, out: &mut Body) {
        answer.write(out);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<KeyAnswer, FieldFault> {
        KeyAnswer::read(fields)
    }
}

/// BU: the check value of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckKey {
    /// What for; written as type `FF` and the three digits, but for the pairs that have a code of their own.
    pub key_type: KeyType,
    /// The key, under the LMK.
    pub key: HostKey,
    /// 16 hex digits if true, where the HSM's settings allow it; else 6.
    pub full: bool,
}

/// Two-digit codes of the first pairs, and the key type each stands for.
const PAIRS: &[(&str, KeyType)] = &[
    ("00", KeyType::ZMK),
    ("01", KeyType::ZPK),
    ("02", KeyType::TMK),
    ("03", KeyType::TAK),
    ("08", KeyType::ZAK),
    ("09", KeyType::BDK),
];

impl CheckKey {
    fn length_flag(&self) -> u8 {
        match self.key.as_str().as_bytes() {
            [b'S', ..] => b'F',
            [b'T' | b'Y', ..] => b'2',
            [b'U' | b'X', ..] => b'1',
            all if all.len() == 32 => b'1',
            _ => b'0',
        }
    }
}

impl Command for CheckKey {
    const CODE: [u8; 2] = *b"BU";
    /// 3 bytes, or 8.
    type Answer = Vec<u8>;

    fn write(&self, out: &mut Body) {
        let pair = PAIRS.iter().find(|(_, key_type)| *key_type == self.key_type);
        out.extend_from_slice(pair.map_or("FF", |(code, _)| code).as_bytes());
        out.push(self.length_flag());
        out.extend_from_slice(self.key.as_str().as_bytes());
        if pair.is_none() {
            out.push(b';');
            out.extend_from_slice(self.key_type.as_str().as_bytes());
        }
        if !self.full {
            out.extend_from_slice(b";001");
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a key type code");
        let code = fields.hex(2, "a key type code")?;
        let pair = PAIRS.iter().find(|(known, _)| *known == code);
        let flag = fields.fault("a key length flag");
        let key = match fields.one("a key length flag")? {
            b'0' | b'2' | b'F' => HostKey::read(fields)?,
            b'1' => HostKey::read_double(fields)?,
            _ => return Err(flag),
        };
        let key_type = match pair {
            Some((_, key_type)) => *key_type,
            None if code == "FF" => {
                fields.expect(b';', "a delimiter")?;
                KeyType::read(fields)?
            }
            None => return Err(before),
        };
        let mut full = true;
        if fields.skip(b';') {
            let before = fields.fault("a check value kind");
            full = match fields.digits(3, "a check value kind")? {
                "000" => true,
                "001" => false,
                _ => return Err(before),
            };
        }
        Ok(Self { key_type, key, full })
    }

    fn write_answer(answer: &Vec<u8>, out: &mut Body) {
        put_hex(out, answer);
    }

    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Vec<u8>, FieldFault> {
        if self.full {
            return Ok(fields.packed::<8>("a check value of 16 hex digits")?.to_vec());
        }
        Ok(fields.packed::<3>("a check value of 6 hex digits")?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::CheckKey;
    use crate::hsm::payshield::code::KeyType;
    use crate::hsm::payshield::command::Tail;
    use crate::hsm::payshield::command::write;
    use crate::hsm::payshield::key::HostKey;

    #[test]
    fn the_length_flag_of_a_key_is_its_length_whatever_its_scheme() {
        for (letter, digits, flag) in
            [("", 16, b'0'), ("U", 32, b'1'), ("X", 32, b'1'), ("T", 48, b'2'), ("Y", 48, b'2')]
        {
            let key = HostKey::parse(&format!("{letter}{}", "0".repeat(digits))).unwrap();
            let body = write(&CheckKey { key_type: KeyType::ZPK, key, full: false }, &Tail::default());
            assert_eq!((&body[..4], body[4]), (b"BU01".as_slice(), flag), "{letter}");
        }
    }
}
