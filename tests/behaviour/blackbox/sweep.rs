//! Looks for secrets in bytes, in every form in which they might be written down.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;

/// A secret in one form.
struct Needle {
    what: String,
    form: &'static str,
    bytes: Vec<u8>,
}

/// What to look for. Nothing is shorter than [`SHORTEST`]; all is looked for at once.
#[derive(Default)]
pub(super) struct Sweeper {
    needles: Vec<Needle>,
    by_start: HashMap<[u8; START], Vec<usize>>,
    /// By the first two bytes: whether any needle begins so.
    likely: Vec<bool>,
}

/// Bytes by which a needle is found.
const START: usize = 4;
/// Shorter needles would be found by chance.
const SHORTEST: usize = 5;

/// The forms of some bytes.
fn of_bytes(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let upper = |between: &str| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(between);
    let lower = |between: &str| upper(between).to_lowercase();
    let list = bytes.iter().map(u8::to_string).collect::<Vec<_>>();
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let escaped = bytes.escape_ascii().to_string();
    let shown = format!("{:?}", Bytes::copy_from_slice(bytes));
    let shown = shown.strip_prefix("b\"").and_then(|rest| rest.strip_suffix('"')).unwrap().to_owned();
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("reversed", reversed),
        ("hex, upper case", upper("").into_bytes()),
        ("hex, lower case", lower("").into_bytes()),
        ("hex, upper case, spaced", upper(" ").into_bytes()),
        ("hex, lower case, spaced", lower(" ").into_bytes()),
        ("a list of numbers", list.join(", ").into_bytes()),
        ("a list of numbers, close", list.join(",").into_bytes()),
        ("escaped", escaped.clone().into_bytes()),
        ("escaped two times", escaped.replace('\\', "\\\\").into_bytes()),
        ("escaped as a buffer", shown.clone().into_bytes()),
        ("escaped as a buffer, two times", shown.replace('\\', "\\\\").into_bytes()),
    ];
    for (form, before) in [("base64", 0), ("base64 from the second byte", 1), ("base64 from the third byte", 2)] {
        forms.push((form, base64(bytes, before)));
    }
    forms
}

/// The characters of base64 that these bytes determine, if `before` other bytes stand in front of them.
fn base64(bytes: &[u8], before: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let skipped = (6 - before * 8 % 6) % 6;
    let sextets = bits[skipped..].chunks_exact(6);
    sextets.map(|six| ALPHABET[six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit))]).collect()
}

/// Pairs of hexadecimal characters as bytes; `D` stands for the separator of a track.
fn packed(digits: &str) -> Vec<u8> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map_or(0x0D, |value| value as u8);
    digits.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

fn ebcdic(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte.is_ascii_digit() { byte | 0xF0 } else { 0x7E }).collect()
}

impl Sweeper {
    /// A number or a track as people read it: digits, and `=` between them.
    pub(super) fn text(&mut self, what: &str, text: &str) {
        let with_d = text.replace('=', "D");
        self.forms(&format!("{what} in ASCII"), &of_bytes(text.as_bytes()));
        self.forms(&format!("{what} in EBCDIC"), &of_bytes(&ebcdic(text)));
        self.forms(&format!("{what} in BCD"), &of_bytes(&packed(&with_d)));
        // In the middle of other digits it may begin in the middle of a byte.
        self.forms(&format!("{what} in BCD from the second digit"), &of_bytes(&packed(&with_d[1..])));
        self.forms(&format!("{what} in ASCII, its separator a D"), &[("as it is", with_d.into_bytes())]);
    }

    /// A key or a block.
    pub(super) fn bytes(&mut self, what: &str, bytes: &[u8]) {
        self.forms(what, &of_bytes(bytes));
    }

    fn forms(&mut self, what: &str, forms: &[(&'static str, Vec<u8>)]) {
        for (form, bytes) in forms {
            assert!(bytes.len() >= SHORTEST, "{what}, {form}: too short to be looked for");
            let start = *bytes.first_chunk().unwrap();
            self.likely.resize(1 << 16, false);
            self.likely[pair(bytes)] = true;
            let alike = self.by_start.entry(start).or_default();
            if !alike.iter().any(|at| self.needles[*at].bytes == *bytes) {
                alike.push(self.needles.len());
                self.needles.push(Needle { what: what.to_owned(), form, bytes: bytes.clone() });
            }
        }
    }

    /// How many forms of how many secrets it looks for.
    pub(super) fn len(&self) -> usize {
        self.needles.len()
    }

    /// Which needles are in these bytes, and where first.
    fn hits(&self, hay: &[u8]) -> BTreeMap<usize, usize> {
        let mut hits = BTreeMap::new();
        for (at, window) in hay.windows(START).enumerate() {
            // Most places are ruled out by two bytes.
            if !self.likely.get(pair(window)).is_some_and(|likely| *likely) {
                continue;
            }
            for needle in self.by_start.get(window).into_iter().flatten() {
                if hay[at..].starts_with(&self.needles[*needle].bytes) {
                    hits.entry(*needle).or_insert(at);
                }
            }
        }
        hits
    }

    /// What is in these bytes: which secret in which form, and where.
    pub(super) fn find(&self, hay: &[u8]) -> Vec<String> {
        let said = |(needle, at): (usize, usize)| {
            let Needle { what, form, .. } = &self.needles[needle];
            format!("at byte {at}: {what}, {form}")
        };
        self.hits(hay).into_iter().map(said).collect()
    }

    /// Everything under a folder but the files that `may_hold` them: a line a find. How many bytes were read.
    pub(super) fn sweep(&self, folder: &Path, may_hold: &dyn Fn(&Path) -> bool) -> (Vec<String>, usize) {
        let (mut lines, mut read) = (Vec::new(), 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if may_hold(&path) {
                continue;
            }
            if path.is_dir() {
                let (more, bytes) = self.sweep(&path, may_hold);
                lines.extend(more);
                read += bytes;
            } else {
                let bytes = std::fs::read(&path).unwrap();
                read += bytes.len();
                lines.extend(self.find(&bytes).iter().map(|found| format!("{} {found}", path.display())));
            }
        }
        (lines, read)
    }

    /// Plants every form of every secret in files of `folder`, and says which of them are not found there.
    pub(super) fn missed(&self, folder: &Path) -> Vec<String> {
        let mut missed = Vec::new();
        for (number, some) in self.needles.chunks(500).enumerate() {
            let file = folder.join(number.to_string());
            let planted: Vec<u8> =
                some.iter().flat_map(|needle| [b" no secret ", needle.bytes.as_slice()].concat()).collect();
            std::fs::write(&file, planted).unwrap();
            let hits = self.hits(&std::fs::read(&file).unwrap());
            let first = number * 500;
            let not_found = some.iter().enumerate().filter(|(at, _)| !hits.contains_key(&(first + at)));
            missed.extend(not_found.map(|(_, needle)| format!("{}, {}", needle.what, needle.form)));
        }
        missed
    }
}

/// The first two bytes as a number.
fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

#[test]
fn every_form_of_a_secret_is_found_and_what_is_masked_is_not() {
    let mut sweeper = Sweeper::default();
    sweeper.text("card", "6225000000000253");
    sweeper.bytes("key", b"\x01\x23\x45\x67\x89\xab\xcd\xef");
    let found = |bytes: &[u8]| sweeper.find(bytes).len();
    let written: [&[u8]; 12] = [
        b"pan=6225000000000253;",
        b"\x00\x62\x25\x00\x00\x00\x00\x02\x53\x01",
        b"\x46\x22\x50\x00\x00\x00\x00\x25\x3F",
        b"\xF6\xF2\xF2\xF5\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF2\xF5\xF3",
        b"3520000000005226",
        b"36323235303030303030303030323533",
        b"NjIyNTAwMDAwMDAwMDI1Mw==",
        b"AzNjIyNTAwMDAwMDAwMDI1M",
        b"key 0123456789ABCDEF",
        b"01 23 45 67 89 ab cd ef",
        b"[1, 35, 69, 103, 137, 171, 205, 239]",
        b"\xef\xcd\xab\x89\x67\x45\x23\x01",
    ];
    for (number, written) in written.iter().enumerate() {
        assert!(found(written) > 0, "form {number}");
    }
    assert_eq!(found(b"622500******0253 6225000100000253 6225000000 0253"), 0);
}
