//! How a component comes in: typed at a terminal that does not show it, or from a file descriptor; never in an argument.

use super::Exit;
use super::Failure;
use rustix::termios;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use zeroize::Zeroizing;

/// Longest line that is read: any key in hex, in groups.
const LONGEST: usize = 256;

/// What Ctrl-C sends. While nothing is shown it ends the line instead of the process, so that the terminal is set right.
const GIVEN_UP: u8 = 3;

/// A terminal that shows nothing, until it goes.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    /// Nothing typed is shown, and no key stroke ends this process while that is so.
    fn open(terminal: File) -> io::Result<Self> {
        let before = termios::tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VEOL] = GIVEN_UP;
        termios::tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // What was typed too much is thrown away; there is nobody to tell of a failure.
        let _ = termios::tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Reads one line, a byte at a time: what a buffer reads ahead stays in memory.
fn line(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // The exact capacity: a vector that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while text.len() < LONGEST && from.read(byte.as_mut_slice())? == 1 {
        match byte.first() {
            Some(b'\n') | None => break,
            Some(&GIVEN_UP) => {
                text.push(GIVEN_UP);
                break;
            }
            Some(byte) => text.push(*byte),
        }
    }
    Ok(text)
}

/// Hex with white space in it; `None` if it is anything else.
fn unhex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    while let Some(high) = digits.next() {
        bytes.push(value(high)? << 4 | value(digits.next()?)?);
    }
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

fn typed(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let missing = |_| Failure::new(Exit::Usage, "there is no terminal to type at: say --component-fd");
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(missing)?;
    let hidden = Hidden::open(terminal)?;
    write!(&hidden.terminal, "{prompt} (not shown; Enter alone or Ctrl-C gives up): ")?;
    let text = line(&hidden.terminal)?;
    (&hidden.terminal).write_all(b"\n")?;
    Ok(text)
}

/// A component in hex, from `descriptor` or, without one, from the terminal of this session.
///
/// # Errors
/// None was entered, or it is no hex. What was entered is never repeated.
pub(super) fn component(descriptor: Option<u32>, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let text = match descriptor {
        Some(number) => {
            let opened = File::open(format!("/dev/fd/{number}"));
            let closed = |error| Failure::new(Exit::Usage, format!("file descriptor {number}: {error}"));
            line(opened.map_err(closed)?)?
        }
        None => typed(prompt)?,
    };
    if text.contains(&GIVEN_UP) {
        return Err(Failure::new(Exit::No, "given up; nothing is changed"));
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::new(Exit::No, "no component was entered; nothing is changed"));
    }
    unhex(&text).ok_or_else(|| Failure::new(Exit::No, "the component is not hex; nothing is changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_read_to_the_end_of_its_line_and_no_further() {
        let mut two = io::Cursor::new(b"0123 4567\nFEDC".to_vec());
        assert_eq!(*unhex(&line(&mut two).unwrap()).unwrap(), [0x01, 0x23, 0x45, 0x67]);
        assert_eq!(*unhex(&line(&mut two).unwrap()).unwrap(), [0xFE, 0xDC]);
        assert!(line(&mut two).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_hex_is_no_component() {
        for text in ["", " ", "012", "01 2g", "\u{3}"] {
            assert!(unhex(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
