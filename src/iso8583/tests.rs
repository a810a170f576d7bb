//! The codec on small dialects of its own, one feature at a time.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;

/// A dialect with one row per feature. `elements` is spliced in.
fn dialect(bitmap: &str, max: u8, elements: &str) -> Arc<Dialect> {
    let mac = if elements.contains("[element.128]") { "mac = [64, 128]\n" } else { "" };
    let text = format!(
        "name = \"t\"\ntitle = \"t\"\nsource = \"t\"\noracle = \"none: golden files only\"\n{mac}[mti]\nencoding = \"ascii\"\n\
         [bitmap]\nencoding = \"{bitmap}\"\nmax = {max}\n{elements}"
    );
    match spec_file::load("t", &text, &|_| None) {
        Ok(dialect) => Arc::new(dialect),
        Err(breaches) => panic!("{breaches:?}"),
    }
}

/// One element 2 with these attributes.
fn one(attributes: &str) -> Arc<Dialect> {
    dialect("binary", 1, &format!("[element.2]\nname = \"x\"\n{attributes}\n"))
}

fn mti(text: &str) -> Mti {
    Mti::parse(text.as_bytes()).unwrap()
}

/// The wire bytes of element 2 with that value.
#[track_caller]
fn wire(dialect: &Arc<Dialect>, value: &[u8]) -> Vec<u8> {
    let mut builder = dialect.build(mti("0200"));
    builder.set(2, value).unwrap();
    builder.finish().unwrap()[12..].to_vec()
}

/// A body with element 2 as it stands here.
fn body(wire: &[u8]) -> Bytes {
    Bytes::from([b"0200\x40\0\0\0\0\0\0\0".as_slice(), wire].concat())
}

fn fault(dialect: &Arc<Dialect>, wire: &[u8]) -> (Path, usize, Fault) {
    let error = dialect.decode(body(wire)).unwrap_err().error;
    (error.path, error.offset, error.fault)
}

/// Attributes, canonical value, wire bytes: what is written, and what is read back.
#[rustfmt::skip]
const WIRES: &[(&str, &[u8], &[u8])] = &[
    ("kind='n'\nlength=3", b"051", b"051"),
    ("kind='n'\nlength=3\nencoding='bcd'", b"051", b"\x00\x51"),
    ("kind='n'\nlength=3\nencoding='bcd'\npad='right'", b"051", b"\x05\x10"),
    ("kind='n'\nlength=3\nencoding='bcd'\npad='right'\nnibble='F'", b"051", b"\x05\x1F"),
    ("kind='n'\nlength=3\nencoding='ebcdic-037'", b"051", b"\xF0\xF5\xF1"),
    ("kind='n'\nmax=19\nprefix='LL'", b"12345", b"0512345"),
    ("kind='n'\nmax=19\nprefix='LL'\nprefix-encoding='ebcdic'", b"12345", b"\xF0\xF512345"),
    ("kind='n'\nmax=19\nprefix='LL'\nprefix-encoding='bcd'\nencoding='bcd'\nvariable-pad='right'", b"12345", b"\x05\x12\x34\x50"),
    ("kind='n'\nmax=19\nprefix='LL'\nprefix-encoding='binary'\nencoding='bcd'\npad='left'", b"12345", b"\x05\x01\x23\x45"),
    ("kind='n'\nmax=19\nprefix='LL'\nprefix-encoding='bcd'\nencoding='bcd'\npad='right'\ncounts='bytes'\nnibble='F'", b"12345", b"\x03\x12\x34\x5F"),
    ("kind='n'\nmax=19\nprefix='LL'\ncounts='bytes'\nencoding='bcd'\npad='right'", b"1234567890123456789", b"10\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90"),
    ("kind='ans'\nmax=300\nprefix='LLL'\nprefix-encoding='bcd'", b"hello", b"\x00\x05hello"),
    ("kind='ans'\nmax=300\nprefix='LLL'\nprefix-encoding='binary'", b"hello", b"\x00\x05hello"),
    ("kind='ans'\nmax=300\nprefix='LLLL'", b"hello", b"0005hello"),
    ("kind='ans'\nmax=9\nprefix='L'\nencoding='ebcdic-1047'", b"A[1]", b"4\xC1\xAD\xF1\xBD"),
    ("kind='ans'\nmax=9\nprefix='L'\nencoding='ebcdic-037'", b"A[1]", b"4\xC1\xBA\xF1\xBB"),
    ("kind='ans'\nmax=40\nprefix='LL'\nencoding='gbk'", "中国 A".as_bytes(), b"06\xD6\xD0\xB9\xFA A"),
    ("kind='b'\nlength=2", b"\x0A\xFF", b"\x0A\xFF"),
    ("kind='b'\nlength=2\nencoding='hex'", b"\x0A\xFF", b"0AFF"),
    ("kind='b'\nlength=2\nencoding='hex-ebcdic'", b"\x0A\xFF", b"\xF0\xC1\xC6\xC6"),
    ("kind='b'\nmax=99\nprefix='LLL'\nencoding='hex'\ncounts='bytes'", b"\x0A\xFF", b"0020AFF"),
    ("kind='b'\nmax=99\nprefix='LLL'\nencoding='hex'\ncounts='characters'", b"\x0A\xFF", b"0040AFF"),
    ("kind='b'\nmax=99\nprefix='LLL'", b"\x0A\xFF", b"002\x0A\xFF"),
    ("kind='z'\nmax=37\nprefix='LL'", b"411=30", b"06411=30"),
    ("kind='z'\nmax=37\nprefix='LL'\nencoding='bcd'\npad='right'\nprefix-encoding='bcd'", b"411=3", b"\x05\x41\x1D\x30"),
    ("kind='xn'\nlength=8", b"C00000012", b"C00000012"),
    ("kind='xn'\nlength=8\nencoding='bcd'", b"D00000012", b"D\x00\x00\x00\x12"),
    ("kind='xn'\nlength=8\nencoding='ebcdic-037'", b"D00000012", b"\xC4\xF0\xF0\xF0\xF0\xF0\xF0\xF1\xF2"),
    ("kind='xn'\nmax=8\nprefix='LL'\ncounts='characters'", b"D12", b"03D12"),
    ("kind='xn'\nmax=8\nprefix='LL'\ncounts='bytes'\nencoding='bcd'", b"D12", b"02D\x12"),
    ("kind='a'\nlength=4", b"Ab  ", b"Ab  "),
    ("kind='an'\nlength=4", b"A1  ", b"A1  "),
];

#[test]
fn every_kind_in_every_encoding_is_written_and_read() {
    for (attributes, value, expected) in WIRES {
        let dialect = one(&attributes.replace('\'', "\""));
        assert_eq!(wire(&dialect, value), *expected, "{attributes}");
        let message = dialect.decode(body(expected)).unwrap();
        assert_eq!(message.value(2).unwrap().as_bytes(), *value, "{attributes}");
    }
}

#[test]
fn cutting_any_of_them_short_or_adding_a_byte_is_refused_at_its_place() {
    for (attributes, _, expected) in WIRES {
        let dialect = one(&attributes.replace('\'', "\""));
        for length in 0..expected.len() {
            let (path, offset, fault) = fault(&dialect, &expected[..length]);
            assert_eq!((path, fault), (Path::De(2), Fault::Short), "{attributes} cut to {length}");
            assert!(offset >= 12 && offset <= 12 + length);
        }
        let longer = [*expected, b"0"].concat();
        let found = fault(&dialect, &longer);
        assert_eq!(found, (Path::End, 12 + expected.len(), Fault::Trailing { bytes: 1 }), "{attributes}");
    }
}

#[test]
fn an_illegal_byte_is_named_by_its_offset() {
    let digits = one("kind = \"n\"\nlength = 12");
    assert_eq!(fault(&digits, b"00000000x000"), (Path::De(2), 20, Fault::Class));
    let bcd = one("kind = \"n\"\nlength = 12\nencoding = \"bcd\"");
    assert_eq!(fault(&bcd, b"\0\0\0\x1A\0\0"), (Path::De(2), 15, Fault::Class));
    let prefix = one("kind = \"n\"\nprefix = \"LL\"\nmax = 19");
    assert_eq!(fault(&prefix, b"0x1"), (Path::De(2), 12, Fault::LengthUnreadable));
    assert_eq!(fault(&prefix, b"201"), (Path::De(2), 12, Fault::TooLong { length: 20, max: 19 }));
    let short = one("kind = \"n\"\nprefix = \"LL\"\nmax = 19\nmin = 8");
    assert_eq!(fault(&short, b"021"), (Path::De(2), 12, Fault::TooShort { length: 2, min: 8 }));
    let odd = one("kind = \"b\"\nprefix = \"LL\"\nmax = 19\nencoding = \"hex\"\ncounts = \"characters\"");
    assert_eq!(fault(&odd, b"03AAA"), (Path::De(2), 12, Fault::OddLength { length: 3 }));
}

#[test]
fn a_padding_nibble_is_0_or_f_and_nothing_else() {
    let right = one("kind = \"n\"\nlength = 3\nencoding = \"bcd\"\npad = \"right\"");
    for (wire, legal) in [(b"\x05\x10", true), (b"\x05\x1F", true), (b"\x05\x11", false), (b"\x05\x1A", false)] {
        assert_eq!(right.decode(body(wire)).is_ok(), legal);
    }
    let left = one("kind = \"n\"\nlength = 3\nencoding = \"bcd\"\npad = \"left\"");
    for (wire, legal) in [(b"\x00\x51", true), (b"\xF0\x51", true), (b"\x10\x51", false), (b"\xFF\x51", false)] {
        assert_eq!(left.decode(body(wire)).is_ok(), legal);
    }
}

#[test]
fn short_values_of_fixed_elements_are_filled_up_and_others_refused() {
    assert_eq!(wire(&one("kind = \"n\"\nlength = 6"), b"42"), b"000042");
    assert_eq!(wire(&one("kind = \"ans\"\nlength = 6"), b"ab"), b"ab    ");
    assert_eq!(wire(&one("kind = \"ans\"\nlength = 6\nencoding = \"gbk\""), "中".as_bytes(),), b"\xD6\xD0    ");
    let refused = |attributes: &str, value: &[u8]| {
        let dialect = one(attributes);
        let mut builder = dialect.build(mti("0200"));
        let fault = builder.set(2, value).map(|_| ()).unwrap_err().fault;
        assert!(!builder.has(2) && builder.finish().unwrap().len() == 12, "nothing is left behind");
        fault
    };
    assert_eq!(refused("kind = \"b\"\nlength = 6", b"ab"), BuildFault::TooShort { length: 2, min: 6 });
    assert_eq!(refused("kind = \"n\"\nlength = 6", b"1234567"), BuildFault::TooLong { length: 7, max: 6 });
    assert_eq!(refused("kind = \"n\"\nlength = 6", b"12345x"), BuildFault::Class);
    assert_eq!(refused("kind = \"n\"\nprefix = \"LL\"\nmax = 9", b"1x"), BuildFault::Class);
    let bytes = "kind = \"n\"\nprefix = \"LL\"\nmax = 8\nencoding = \"bcd\"\ncounts = \"bytes\"";
    assert_eq!(refused(bytes, b"123"), BuildFault::OddLength);
}

/// Elements in all three bitmaps.
const WIDE: &str = "[element.3]\nname = \"a\"\nkind = \"n\"\nlength = 2\n[element.66]\nname = \"b\"\nkind = \"n\"\n\
                    length = 2\n[element.130]\nname = \"c\"\nkind = \"n\"\nlength = 2\n";

#[test]
fn secondary_and_tertiary_bitmaps_appear_when_needed() {
    let dialect = dialect("hex-ascii", 3, WIDE);
    for (elements, head) in [
        (&[3_u8][..], "2000000000000000"),
        (&[3, 66], "A0000000000000004000000000000000"),
        (&[3, 130], "A00000000000000080000000000000004000000000000000"),
        (&[130], "800000000000000080000000000000004000000000000000"),
    ] {
        let mut builder = dialect.build(mti("0200"));
        for de in elements {
            builder.set(*de, b"77").unwrap();
        }
        let bytes = builder.finish().unwrap();
        assert_eq!(&bytes[4..], [head, &"77".repeat(elements.len())].concat().as_bytes());
        let message = dialect.decode(bytes).unwrap();
        assert_eq!(message.elements().collect::<Vec<_>>(), elements);
    }
    let two = self::dialect("hex-ascii", 2, &WIDE.replace("130", "67"));
    let error = two.decode(Bytes::from_static(b"0200800000000000000080000000000000007777")).unwrap_err().error;
    assert_eq!((error.path, error.fault), (Path::De(65), Fault::Undefined));
}

#[test]
fn an_element_without_a_row_is_refused_and_what_came_before_stays_readable() {
    let dialect = dialect("binary", 1, "[element.3]\nname = \"a\"\nkind = \"n\"\nlength = 2\n");
    let rejected = dialect.decode(Bytes::from_static(b"0200\x30\0\0\0\0\0\0\x0042xx")).unwrap_err();
    assert_eq!(rejected.error, DecodeError { path: Path::De(4), offset: 14, fault: Fault::Undefined });
    assert_eq!(rejected.to_string(), "DE 4 at byte 14: element is not defined in this dialect");
    assert_eq!(rejected.partial.mti(), Some(mti("0200")));
    assert_eq!(rejected.partial.elements().collect::<Vec<_>>(), [3]);
    assert_eq!(rejected.partial.value(3).unwrap().as_str(), Some("42"));
    assert!(rejected.partial.value(4).is_none());
}

#[test]
fn mti_and_bitmap_faults_have_their_places() {
    let dialect = dialect("hex-ascii", 1, "[element.3]\nname = \"a\"\nkind = \"n\"\nlength = 2\n");
    let error = |bytes: &'static [u8]| dialect.decode(Bytes::from_static(bytes)).unwrap_err().error;
    assert_eq!(error(b"02x0"), DecodeError { path: Path::Mti, offset: 0, fault: Fault::NotDigits });
    assert_eq!(error(b"02"), DecodeError { path: Path::Mti, offset: 0, fault: Fault::Short });
    assert_eq!(error(b"020020"), DecodeError { path: Path::Bitmap, offset: 4, fault: Fault::Short });
    assert_eq!(error(b"0200200000000000000x42").fault, Fault::NotHex);
    assert_eq!(error(b"0200A00000000000000042").fault, Fault::BitmapUnexpected);
    let long = dialect.decode(Bytes::from(vec![b'0'; MAX_BODY + 1])).unwrap_err().error;
    assert_eq!(long.fault, Fault::Oversize { length: MAX_BODY + 1, max: MAX_BODY });
}

#[test]
fn errors_and_debug_never_show_a_value() {
    let dialect = one("kind = \"n\"\nprefix = \"LL\"\nmax = 19");
    let rejected = dialect.decode(body(b"164111111111111x11")).unwrap_err();
    let message = dialect.decode(body(b"164111111111111111")).unwrap();
    let shown = format!("{rejected} {rejected:?} {message:?} {:?}", dialect.build(mti("0200")).set(2, b"4111x").err());
    assert!(!shown.contains("4111"), "{shown}");
}

/// A dialect with sliced roles, an enciphered track, a MAC.
fn rich() -> Arc<Dialect> {
    dialect(
        "binary",
        2,
        r#"
[element.35]
name = "track"
kind = "z"
prefix = "LL"
max = 37
encoding = "bcd"
variable-pad = "right"
enciphered-when = "53[2]=1"
[element.42]
name = "text"
kind = "ans"
length = 6
[element.53]
name = "control"
kind = "n"
length = 16
encoding = "bcd"
[element.60]
name = "private"
kind = "n"
prefix = "LLL"
max = 19
encoding = "bcd"
prefix-encoding = "bcd"
variable-pad = "right"
parts = [{ id = "1", name = "a", length = 2 }, { id = "2", name = "b", length = 6 }, { id = "3", name = "c", length = 3 }]
[element.64]
name = "mac"
kind = "b"
length = 8
encoding = "hex"
[element.90]
name = "original"
kind = "n"
length = 42
[element.128]
name = "mac"
kind = "b"
length = 8
[roles]
track2 = "35"
message-type-code = "60[0..2]"
batch = "60[2..8]"
network-code = "60[8..11]"
original-stan = "90[4..10]"
original-acquirer = "90[20..31]"
operator = "42[2..5]"
"#,
    )
}

#[test]
fn a_role_may_be_a_slice_and_slices_compose_an_element() {
    let dialect = rich();
    let mut builder = dialect.build(mti("0400"));
    builder.role(Role::Batch, b"000001").unwrap();
    builder.role(Role::OriginalStan, b"000042").unwrap().role(Role::OriginalAcquirer, b"898").unwrap();
    builder.role(Role::NetworkCode, b"7").unwrap().role(Role::MessageTypeCode, b"22").unwrap();
    builder.role(Role::Operator, b"Z").unwrap();
    let message = dialect.decode(builder.finish().unwrap()).unwrap();
    assert_eq!(message.value(60).unwrap().as_str(), Some("22000001007"));
    let original = ["0000", "000042", "0000000000", "00000000898", "00000000000"].concat();
    assert_eq!(message.value(90).unwrap().as_str(), Some(original.as_str()));
    assert_eq!(message.role(Role::Batch).unwrap().as_str(), Some("000001"));
    assert_eq!(message.value(42).unwrap().as_str(), Some("  Z   "));
    assert!(message.role(Role::Pan).is_none());
    let mut builder = dialect.build(mti("0400"));
    let error = builder.role(Role::Batch, b"1234567").map(|_| ()).unwrap_err();
    assert_eq!(error.fault, BuildFault::TooLong { length: 7, max: 6 });
    assert_eq!(builder.role(Role::Pan, b"1").map(|_| ()).unwrap_err().fault, BuildFault::NoRole(Role::Pan));
    builder.role(Role::MessageTypeCode, b"22").unwrap();
    let message = dialect.decode(builder.finish().unwrap()).unwrap();
    assert!(message.role(Role::Batch).is_none(), "the element ends before the slice");
}

#[test]
fn track_nibbles_are_digits_unless_another_element_says_ciphertext() {
    let dialect = rich();
    for (control, value) in [(b"2600000000000000", b"12=4"), (b"2610000000000000", b"12D4")] {
        let mut builder = dialect.build(mti("0200"));
        builder.set(53, control).unwrap().set(35, value).unwrap();
        let message = dialect.decode(builder.finish().unwrap()).unwrap();
        assert_eq!(message.role(Role::Track2).unwrap().as_bytes(), value);
        assert_eq!(message.raw(35), Some(b"\x12\xD4".as_slice()));
    }
}

#[test]
fn a_mac_is_reserved_at_the_end_and_covers_all_before_it() {
    let dialect = rich();
    let mut builder = dialect.build(mti("0200"));
    builder.set(60, b"22").unwrap();
    let unsigned = builder.finish_unsigned().unwrap();
    let input = unsigned.mac_input().to_vec();
    assert_eq!(input, b"0200\0\0\0\0\0\0\0\x11\0\x02\x22");
    let message = dialect.decode(unsigned.sign(b"ABCDEFGH").unwrap()).unwrap();
    assert_eq!(message.mac_input(), Some(input.as_slice()));
    assert_eq!(
        (message.mac().unwrap().as_bytes(), message.raw(64)),
        (b"ABCDEFGH".as_slice(), Some(b"4142434445464748".as_slice()))
    );
    let mut builder = dialect.build(mti("0200"));
    builder.set(90, b"1").unwrap();
    let signed = builder.finish_unsigned().unwrap().sign(&[7; 8]).unwrap();
    let message = dialect.decode(signed).unwrap();
    assert_eq!((dialect.mac_element(&message), message.mac().unwrap().as_bytes()), (Some(128), [7; 8].as_slice()));
    let unsigned = dialect.build(mti("0200")).finish_unsigned().unwrap();
    assert!(unsigned.sign(&[7; 4]).is_err(), "a MAC of another length");
}

#[test]
fn setting_copying_and_clearing_in_any_order_gives_the_same_bytes() {
    let dialect = rich();
    let mut ordered = dialect.build(mti("0200"));
    ordered.set(42, b"shop").unwrap().set(53, b"26").unwrap().set(60, b"123").unwrap();
    let expected = ordered.finish().unwrap();
    let from = dialect.decode(expected.clone()).unwrap();
    let mut mixed = dialect.build(mti("0200"));
    mixed.set(60, b"999").unwrap().set(35, b"1=2").unwrap().copy(53, &from).unwrap().copy(90, &from).unwrap();
    mixed.copy(42, &from).unwrap().clear(35).set(60, b"123").unwrap();
    assert_eq!(mixed.finish().unwrap(), expected);
}

#[test]
fn copying_between_dialects_writes_the_value_anew() {
    let ascii = one("kind = \"n\"\nprefix = \"LL\"\nmax = 19");
    let bcd = one("kind = \"n\"\nprefix = \"LL\"\nmax = 19\nencoding = \"bcd\"\nprefix-encoding = \"bcd\"");
    let message = ascii.decode(body(b"0512345")).unwrap();
    let mut builder = bcd.build(mti("0200"));
    builder.copy(2, &message).unwrap();
    assert_eq!(&builder.finish().unwrap()[12..], b"\x05\x01\x23\x45");
    let mut builder = rich().build(mti("0200"));
    assert_eq!(builder.copy(2, &message).map(|_| ()).unwrap_err().fault, BuildFault::Undefined);
}

#[test]
fn composites_come_apart_by_their_rows() {
    let ids = |message: &Message| {
        let parts = message.parts(2).unwrap();
        let list: Vec<_> = parts.list.iter().map(|part| (part.id.as_str().to_owned(), part.value.clone())).collect();
        (list, parts.fault)
    };
    let positional = one(
        "kind = \"n\"\nprefix = \"LL\"\nmax = 9\nparts = [{ id = \"1\", name = \"a\", length = 2 }, { id = \"2\", name = \"b\", length = 3 }]",
    );
    let (list, fault) = ids(&positional.decode(body(b"0512345")).unwrap());
    assert_eq!((list, fault), (vec![("1".into(), b"12".to_vec()), ("2".into(), b"345".to_vec())], None));
    let (list, fault) = ids(&positional.decode(body(b"031234".get(..5).unwrap())).unwrap());
    assert_eq!(list.len(), 1);
    assert_eq!(fault.unwrap().to_string(), "DE 2.2 at byte 16: value ends inside the part");
    let tagged = one(
        "kind = \"ans\"\nprefix = \"LLL\"\nmax = 99\nparts = { layout = \"tag-length-value\", tag = { bytes = 2, encoding = \"ascii\" }, size = { bytes = 3, encoding = \"ascii\" }, rows = [{ id = \"A1\", name = \"first\", sensitivity = \"pan\" }] }",
    );
    let (list, fault) = ids(&tagged.decode(body(b"013A1003xyzB2000".get(..16).unwrap())).unwrap());
    assert_eq!((list, fault), (vec![("A1".into(), b"xyz".to_vec()), ("B2".into(), vec![])], None));
    let (_, fault) = ids(&tagged.decode(body(b"007A1009xy")).unwrap());
    assert_eq!(fault.unwrap().to_string(), "DE 2.A1 at byte 15: length 9 exceeds the 2 bytes that are left");
    let bits = one(
        "kind = \"b\"\nprefix = \"LL\"\nmax = 99\nparts = { layout = \"bitmapped\", bytes = 1, strict = true, rows = [{ id = \"1\", name = \"a\", kind = \"n\", length = 4, encoding = \"bcd\" }, { id = \"8\", name = \"b\", kind = \"ans\", prefix = \"L\", max = 9 }] }",
    );
    let (list, fault) = ids(&bits
        .decode(body(b"06\x81\x12\x342hi".get(..8).unwrap()))
        .map_err(|rejected| rejected.to_string())
        .unwrap());
    assert_eq!((list, fault), (vec![("1".into(), b"1234".to_vec()), ("8".into(), b"hi".to_vec())], None));
    let error = bits.decode(body(b"03\x40\x12\x34")).unwrap_err().error;
    assert_eq!(error.to_string(), "DE 2.2 at byte 15: part is not defined in this dialect");
}

#[test]
fn kinds_codes_and_lists_come_from_the_rows() {
    let dialect = builtin::dialect("iso87-ascii").unwrap();
    let mut builder = dialect.build(mti("0201"));
    builder.role(Role::ProcessingCode, b"003000").unwrap().role(Role::Stan, b"42").unwrap();
    builder.role(Role::TransmissionTime, b"1121101500").unwrap().role(Role::Terminal, b"10000001").unwrap();
    let message = dialect.decode(builder.finish().unwrap()).unwrap();
    use crate::model::Kind;
    use crate::model::ResponseCode;
    assert_eq!(dialect.kind_of(&message), Some(Kind::Sale));
    assert_eq!((dialect.missing(&message, None), dialect.missing(&message, Some(Kind::Sale))), (None, Some(4)));
    assert!(dialect.echo(mti("0210")).contains(&11) && dialect.echo(mti("0999")).is_empty());
    assert!(dialect.code(b"00").is_some_and(|row| row.approves && row.code == ResponseCode::Approved));
    assert_eq!((dialect.code(b"ZZ"), dialect.wire_code(ResponseCode::PinWrong)), (None, "55"));
    assert_eq!(dialect.kind_row(Kind::Echo).map(|row| row.mti), Some(mti("0800")));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(values in proptest::collection::btree_map(2_u8..128, "[0-9]{42}", 0..30)) {
        for name in builtin::names() {
            let dialect = builtin::dialect(name).unwrap();
            let mut builder = dialect.build(mti("0200"));
            let mut set = Vec::new();
            for (de, digits) in &values {
                let Some(spec) = dialect.element(*de) else { continue };
                let length = match spec.length { Length::Fixed(units) => units, Length::Variable { max, .. } => max.min(7) };
                let value = match spec.kind {
                    ElementKind::Xn => format!("C{}", digits.repeat(30).get(..usize::from(length)).unwrap()),
                    _ => digits.repeat(30).get(..usize::from(length)).unwrap().to_owned(),
                };
                builder.set(*de, value.as_bytes()).unwrap();
                set.push((*de, value));
            }
            let message = dialect.decode(builder.finish().unwrap()).unwrap();
            prop_assert_eq!(message.elements().collect::<Vec<_>>(), set.iter().map(|(de, _)| *de).collect::<Vec<_>>());
            for (de, value) in set {
                let read = message.value(de).unwrap();
                prop_assert_eq!(read.as_str(), Some(value.as_str()));
            }
        }
    }
}
