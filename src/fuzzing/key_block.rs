//! Key blocks: whatever a peer sends, and whatever is written.

use crate::hsm::calculator::tr31::BlockFault;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::calculator::tr31::KeyBlockKey;

const FORMS: [Form; 4] = [Form::A, Form::B, Form::C, Form::D];
/// Of the corpus: the protection key of a published block of each family.
const PROTECTION: [[u8; 16]; 2] = [
    *b"\xDD\x75\x15\xF2\xBF\xC1\x7F\x85\xCE\x48\xF3\xCA\x25\xCB\x21\xF6",
    *b"\xB8\xED\x59\xE0\xA2\x79\xA2\x95\xE9\xF5\xED\x79\x44\xFD\x06\xB9",
];

/// Whatever the text, a block opens or is refused; what opens is written again as it was. Whatever key and
/// attributes the bytes make, their block opens to them, and no longer does when one character is another.
pub fn key_block(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        foreign(text);
    }
    own(input);
}

/// A block from elsewhere.
fn foreign(text: &str) {
    let parsed = Header::parse(text);
    if let Ok((header, rest)) = &parsed {
        assert!(text.ends_with(rest) && text.starts_with(header.form.letter()), "the rest is the text's own");
    }
    for form in FORMS {
        for key in PROTECTION.iter().filter_map(|key| KeyBlockKey::with_form(form, key).ok()) {
            let Ok((header, clear)) = key.unwrap(text) else { continue };
            assert!(parsed.as_ref().is_ok_and(|(parsed, _)| *parsed == header), "one header, read one way");
            let again = key.padding_of(text).and_then(|padding| key.wrap(&header, &clear, &padding));
            assert!(again.is_ok_and(|again| again.eq_ignore_ascii_case(text)), "the same block again");
        }
    }
}

/// A block of our own: the bytes choose form, attributes, key, and the character that is changed.
fn own(input: &[u8]) {
    let Some(([form, kind, length, at, rest_of_head @ ..], tail)) = input.split_first_chunk::<8>() else { return };
    let Some(form) = FORMS.get(usize::from(form % 4)).copied() else { return };
    let length = usize::from(length % 41).min(tail.len());
    let (clear, tail) = tail.split_at(length);
    let graphic = |byte: &u8| b'0' + byte % 42;
    let [u1, u2, mode, exportability] = rest_of_head.each_ref().map(graphic);
    let header = Header {
        form,
        usage: [u1, u2],
        algorithm: if kind % 2 == 0 { b'T' } else { b'A' },
        mode,
        version: *b"00",
        exportability,
        optional_count: 0,
        optional: String::new(),
    };
    let padding: Vec<u8> = tail.iter().copied().chain(std::iter::repeat(0)).take(header.padding(length)).collect();
    let Ok(key) = KeyBlockKey::with_form(form, &PROTECTION[0]) else { return };
    let Ok(block) = key.wrap(&header, clear, &padding) else { return };
    let opened = key.unwrap(&block);
    assert!(opened.is_ok_and(|(found, bytes)| found == header && *bytes == *clear), "it opens to what was put in");
    let place = usize::from(*at) % block.len();
    let changed: String = block
        .char_indices()
        .map(|(index, character)| {
            if index != place {
                character
            } else if character == '7' {
                '8'
            } else {
                '7'
            }
        })
        .collect();
    assert!(
        matches!(key.unwrap(&changed), Err(BlockFault::Format | BlockFault::Length | BlockFault::Mac)),
        "a changed character goes unnoticed"
    );
}
