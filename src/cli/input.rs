//! Bytes as people have them: hex on the command line, in a file or on standard input, or raw.

use std::fs;
use std::io;
use std::io::Read;

use super::Exit;
use super::Failure;

/// A longer word is not repeated in an error: it may be a message with card data.
const LONGEST_SHOWN: usize = 60;
/// More than this is no message: reading stops there.
const CAP: u64 = 1 << 20;

/// Where bytes or text come from.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Input {
    /// Hex digits, the name of a file, or `-` for standard input (the default).
    #[arg(value_name = "HEX|FILE|-", default_value = "-")]
    pub(super) input: String,
}

impl Input {
    /// The bytes. Hex text becomes what it writes, unless `raw`; anything else is taken as it is.
    ///
    /// # Errors
    /// A file or standard input that cannot be read; a word that is neither hex nor a file.
    pub(super) fn bytes(&self, raw: bool) -> Result<Vec<u8>, Failure> {
        if self.input != "-"
            && !raw
            && let Some(bytes) = from_hex(self.input.as_bytes())
        {
            return Ok(bytes);
        }
        let content = self.content()?;
        match from_hex(&content) {
            Some(bytes) if !raw => Ok(bytes),
            _ => Ok(content),
        }
    }

    /// The text of the file or of standard input.
    ///
    /// # Errors
    /// As [`Input::bytes`]; text that is not UTF-8.
    pub(super) fn text(&self) -> Result<String, Failure> {
        String::from_utf8(self.content()?).map_err(|_| Failure::new(Exit::Usage, "the input is not text"))
    }

    fn content(&self) -> Result<Vec<u8>, Failure> {
        let read = match self.input.as_str() {
            "-" => read(io::stdin().lock()),
            path => fs::File::open(path).and_then(read),
        };
        read.map_err(|error| {
            let what = match (self.input.as_str(), error.kind()) {
                ("-", _) => format!("standard input: {error}"),
                // The word itself is not repeated: it may be a mistyped message with card data.
                (_, io::ErrorKind::NotFound) => "the input is neither hex (an even number of digits) nor a file".into(),
                (path, _) if path.len() <= LONGEST_SHOWN => format!("{path}: {error}"),
                (_, kind) => format!("the input cannot be read: {kind}"),
            };
            Failure::new(Exit::Usage, what)
        })
    }
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    from.take(CAP).read_to_end(&mut content)?;
    Ok(content)
}

/// Hex text with any white space in it. `None` if it is anything else, or nothing.
pub(super) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// Upper-case hex.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_may_be_broken_into_lines_and_groups() {
        assert_eq!(from_hex(b"02 00\n72aF"), Some(vec![0x02, 0x00, 0x72, 0xAF]));
        assert_eq!(from_hex(b"020"), None);
        assert_eq!(from_hex(b"0200 x"), None);
        assert_eq!(from_hex(b" \n"), None);
        assert_eq!(to_hex(&[0x02, 0xAF]), "02AF");
    }

    #[test]
    fn a_word_that_is_neither_hex_nor_a_file_is_not_repeated() {
        let input = Input { input: "6225000000000253x".into() };
        let failure = input.bytes(false).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(!failure.message.contains("6225"), "{}", failure.message);
    }
}
