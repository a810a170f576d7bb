//! Text of others on a terminal: what would steer it is written as an escape.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character acts on a terminal, or on how its neighbours are read.
fn acts(character: char) -> bool {
    let plain = character == ' ' || character.is_ascii_graphic();
    !plain && character.escape_debug().len() > 1
}

/// Characters of one line that are shown.
const LONGEST: usize = 300;

/// Text for one line, as much of it as anybody reads.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(LONGEST).map(|(at, _)| at);
    if end.is_none() && !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let written = |character: char| match acts(character) {
        true => character.escape_debug().to_string(),
        false => character.to_string(),
    };
    let shown: String = text.chars().take(LONGEST).map(written).collect();
    Cow::Owned(if end.is_some() { shown + " ..." } else { shown })
}

/// JSON on several lines. `serde_json` leaves what stands above ASCII as it is.
pub(super) fn json(value: &Value) -> String {
    let text = format!("{value:#}");
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || !acts(character) {
            written.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Into a string nothing fails.
            let _ = write!(written, "\\u{unit:04x}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_as_an_escape_and_reads_back() {
        let text = "a\u{1b}[2J\u{9b}31m\u{202e}\r\n\t\u{7f}\"é水\\";
        let shown = line(text);
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}31m\\u{202e}\\r\\n\\t\\u{7f}\"é水\\");
        let value = Value::from(text);
        let written = json(&value);
        assert!(!written.contains(|character: char| acts(character)), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        assert!(matches!(line("plain"), Cow::Borrowed("plain")));
        assert_eq!(line(&"x".repeat(1_000_000)).len(), LONGEST + 4);
    }
}
