//! What strace wrote about a station: its calls, and the units that it sent.

use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use tollgate::channel::Deframer;
use tollgate::channel::builtin::profile;

/// A call as the trace shows it: when it began or, if others' lines came between, ended; and what it was.
pub(super) struct Call {
    pub(super) at: f64,
    pub(super) text: String,
}

/// The calls of a trace; those that were interrupted by others' lines are put together.
pub(super) fn calls(trace: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        // A short number of a thread is filled with blanks.
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((at, rest)) = rest.trim_start().split_once(' ') else { continue };
        let Ok(at) = at.parse() else { continue };
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, head);
        } else {
            let head = if rest.starts_with("<... ") { begun.remove(thread).unwrap_or_default() } else { "" };
            calls.push(Call { at, text: format!("{head}{rest}") });
        }
    }
    calls
}

impl Call {
    /// Whether the call failed and was one that a ledger cannot go on after: only the segment that is being made
    /// ahead may be given up and made again.
    pub(super) fn is_deadly(&self) -> bool {
        let file = self.text.split(['<', '>']).nth(1).unwrap_or_default();
        let name = file.rsplit('/').next().unwrap_or_default();
        self.text.contains("(INJECTED)")
            && (name.starts_with("segment-") || ["prepared.tgj", "anchor", "ledger"].contains(&name))
    }

    /// The units that it sent through a door; none if it is another call, or failed.
    pub(super) fn units(&self, door: SocketAddr) -> Vec<Bytes> {
        if !self.text.contains(&format!("[{door}->")) || self.text.contains(") = -1") {
            return Vec::new();
        }
        let mut deframer = Deframer::new(profile("pos").unwrap().framing);
        deframer.push(&quoted(&self.text));
        std::iter::from_fn(|| deframer.next().unwrap()).collect()
    }
}

/// The bytes of all strings in a line of a trace, in order.
fn quoted(text: &str) -> Vec<u8> {
    let (mut bytes, mut inside) = (Vec::new(), false);
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'"' => inside = !inside,
            b'\\' if inside => {
                let (byte, length) = escaped(after);
                bytes.push(byte);
                rest = &after[length..];
            }
            byte if inside => bytes.push(*byte),
            _ => {}
        }
    }
    bytes
}

/// The byte that is meant after a backslash, and how many characters say so: as in C.
fn escaped(text: &[u8]) -> (u8, usize) {
    let octal = text.iter().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
    if octal > 0 {
        let value = text[..octal].iter().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
        return (u8::try_from(value).unwrap(), octal);
    }
    let named = [(b'n', b'\n'), (b'r', b'\r'), (b't', b'\t'), (b'v', 0x0B), (b'f', 0x0C), (b'a', 0x07), (b'b', 0x08)];
    let meant = named.iter().find(|(name, _)| *name == text[0]).map_or(text[0], |(_, byte)| *byte);
    (meant, 1)
}

#[test]
fn a_trace_line_gives_back_the_bytes_that_were_sent() {
    let line = r#"writev(42<TCP:[127.0.0.1:1->127.0.0.1:2]>, [{iov_base="\0\6`\1\"\\\n", iov_len=6}, {iov_base="0017", iov_len=3}], 2) = 9"#;
    assert_eq!(quoted(line), b"\0\x06`\x01\"\\\n0017");
}
