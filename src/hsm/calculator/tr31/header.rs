//! The header of a key block: what a key may do, in clear and bound to the key.

use super::BlockFault;

/// How a block binds its header to its key (the "version" of TR-31).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// Version A: key variants of TDES. Withdrawn; to be read only.
    A,
    /// Version B: keys derived by TDES-CMAC.
    B,
    /// Version C: as A, under another letter. To be read only.
    C,
    /// Version D: keys derived by AES-CMAC. What this house writes.
    D,
}

impl Form {
    /// The letter in front of the block.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
        }
    }

    /// Bytes of a cipher block: headers and payloads are whole ones.
    pub(super) fn block(self) -> usize {
        if self == Self::D { 16 } else { 8 }
    }

    /// Bytes of the MAC.
    pub(super) fn mac(self) -> usize {
        match self {
            Self::A | Self::C => 4,
            Self::B => 8,
            Self::D => 16,
        }
    }
}

/// The attributes of a key, bound to it by the block's MAC. Codes as in ANSI X9.143 section 6.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// The block's form.
    pub form: Form,
    /// Key usage: `P0`, `K0`, `M3` …
    pub usage: [u8; 2],
    /// `T` TDES, `D` DES, `A` AES, `H` HMAC.
    pub algorithm: u8,
    /// Mode of use: `B` both, `E` encrypt, `D` decrypt, `G` generate, `V` verify, `C` both of these …
    pub mode: u8,
    /// Key version number, `00` if unused.
    pub version: [u8; 2],
    /// `E`, `S` or `N`.
    pub exportability: u8,
    /// How many optional blocks there are.
    pub optional_count: u8,
    /// The optional blocks as they are written.
    pub optional: String,
}

/// Characters of the fixed part of a header.
pub(super) const FIXED: usize = 16;

/// A decimal number of a few ASCII digits.
fn number(digits: &[u8]) -> Result<usize, BlockFault> {
    let value = |sum: usize, digit: &u8| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0'));
    digits.iter().try_fold(0, value).ok_or(BlockFault::Format)
}

/// A hexadecimal number of two to eight upper or lower case digits.
fn hex_number(text: Option<&str>) -> Result<usize, BlockFault> {
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit())).ok_or(BlockFault::Format)?;
    usize::from_str_radix(text, 16).map_err(|_| BlockFault::Format)
}

/// Characters of the optional block at the front of `text`: two hex digits behind its name, or, if
/// these are 00, two that say how many bytes of length follow.
fn optional_length(text: &str) -> Result<usize, BlockFault> {
    let (length, least) = match hex_number(text.get(2..4))? {
        0 => {
            let digits = hex_number(text.get(4..6))?.checked_mul(2).filter(|digits| (2..=8).contains(digits));
            let end = 6 + digits.ok_or(BlockFault::Format)?;
            (hex_number(text.get(6..end))?, end)
        }
        length => (length, 4),
    };
    if length < least { Err(BlockFault::Format) } else { Ok(length) }
}

impl Header {
    /// Reads a header and gives what follows it.
    ///
    /// # Errors
    /// [`BlockFault::Format`], [`BlockFault::Length`] if the length it states is not the text's.
    pub fn parse(text: &str) -> Result<(Self, &str), BlockFault> {
        if text.len() < FIXED {
            return Err(BlockFault::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BlockFault::Format);
        }
        let (fixed, after_fixed) = text.split_at_checked(FIXED).ok_or(BlockFault::Length)?;
        let fixed: &[u8; FIXED] = fixed.as_bytes().try_into().map_err(|_| BlockFault::Format)?;
        let &[form, l1, l2, l3, l4, u1, u2, algorithm, mode, v1, v2, exportability, n1, n2, b'0', b'0'] = fixed else {
            return Err(BlockFault::Format);
        };
        let form = match form {
            b'A' => Form::A,
            b'B' => Form::B,
            b'C' => Form::C,
            b'D' => Form::D,
            _ => return Err(BlockFault::Format),
        };
        if number(&[l1, l2, l3, l4])? != text.len() {
            return Err(BlockFault::Length);
        }
        let count = number(&[n1, n2])?;
        let mut rest = after_fixed;
        for _ in 0..count {
            rest = rest.get(optional_length(rest)?..).ok_or(BlockFault::Length)?;
        }
        let optional = after_fixed.get(..after_fixed.len() - rest.len()).unwrap_or_default();
        if !optional.len().is_multiple_of(form.block()) {
            return Err(BlockFault::Length);
        }
        let header = Self {
            form,
            usage: [u1, u2],
            algorithm,
            mode,
            version: [v1, v2],
            exportability,
            optional_count: u8::try_from(count).map_err(|_| BlockFault::Format)?,
            optional: optional.to_owned(),
        };
        Ok((header, rest))
    }

    /// The header of a block of `length` characters in all.
    pub(super) fn write(&self, length: usize) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{}{length:04}{}{}{}{}{}{:02}00{}",
            self.form.letter(),
            text(&self.usage),
            text(&[self.algorithm]),
            text(&[self.mode]),
            text(&self.version),
            text(&[self.exportability]),
            self.optional_count,
            self.optional
        )
    }

    /// The same header for a block of another form. Its padding block (`PB`) is made anew, for optional blocks must be
    /// whole cipher blocks; a check value of the old protection key (`KP`) does not hold any more and goes.
    ///
    /// # Errors
    /// [`BlockFault`] if the optional blocks are none, or there are too many.
    pub fn in_form(&self, form: Form) -> Result<Self, BlockFault> {
        let (mut kept, mut count) = (String::new(), 0_u8);
        let mut rest = self.optional.as_str();
        for _ in 0..self.optional_count {
            let (block, after) = rest.split_at_checked(optional_length(rest)?).ok_or(BlockFault::Length)?;
            if !block.starts_with("PB") && !block.starts_with("KP") {
                kept.push_str(block);
                count += 1;
            }
            rest = after;
        }
        let over = kept.len() % form.block();
        if over > 0 {
            let gap = form.block() - over;
            // Name and length take four characters themselves.
            let length = if gap < 4 { gap + form.block() } else { gap };
            kept.push_str(&format!("PB{length:02X}{}", "0".repeat(length - 4)));
            count += 1;
        }
        if count > 99 {
            Err(BlockFault::Length)
        } else {
            Ok(Self { form, optional_count: count, optional: kept, ..self.clone() })
        }
    }

    /// Bytes of padding that hide how long a key of `key_length` is: as if it were the longest of
    /// its algorithm, then up to whole blocks (X9.143 "key length obfuscation").
    #[must_use]
    pub fn padding(&self, key_length: usize) -> usize {
        let longest = if matches!(self.algorithm, b'D' | b'T') { 24 } else { 32 };
        (2 + longest.max(key_length)).next_multiple_of(self.form.block()) - 2 - key_length
    }
}
