//! What holds for all records and for any bytes.

use super::*;
use crate::ledger::journal::codec::arbitrary;
use crate::model::Kind;
use proptest::prelude::*;

fn bytes(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    encode(record, &mut out);
    out
}

proptest! {
    /// `Debug` of a sealed or secret value does not show it, hence the second comparison.
    #[test]
    fn a_record_is_read_as_it_was_written(record in arbitrary::record()) {
        let written = bytes(&record);
        let read = decode(&written).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{record:?}"));
        prop_assert_eq!(bytes(&read), written);
    }

    #[test]
    fn a_record_cut_short_or_with_more_behind_it_is_none(record in arbitrary::record(), cut in any::<usize>()) {
        let mut written = bytes(&record);
        prop_assert!(decode(&written[..cut % written.len()]).is_err());
        written.push(0);
        prop_assert_eq!(decode(&written).err(), Some(CodecFault::Trailing));
    }

    /// Whoever wrote the bytes: they are refused, or they are the one way to write what they say.
    #[test]
    fn changed_bytes_are_refused_or_canonical(
        record in arbitrary::record(),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut written = bytes(&record);
        for (place, byte) in changes {
            let length = written.len();
            written[place % length] = byte;
        }
        if let Ok(again) = recode(&written) {
            prop_assert_eq!(again, written);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(any in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(again) = recode(&any) {
            prop_assert_eq!(again, any);
        }
    }
}

#[test]
fn a_kind_is_written_as_its_place_among_all_kinds() {
    for (place, kind) in Kind::ALL.iter().enumerate() {
        let mut out = Vec::new();
        Wire::put(kind, &mut out);
        assert_eq!(out, [u8::try_from(place).unwrap()]);
    }
}

#[test]
fn a_count_without_items_behind_it_reserves_nothing() {
    // A decline whose intent announces 200 million reservations: refused where the bytes end.
    assert_eq!(decode(&[12, 0xff, 0xff, 0xff, 0x7f]).err(), Some(CodecFault::Short));
    assert_eq!(decode(&[12, 0xff, 0xff, 0xff, 0xff, 1]).err(), Some(CodecFault::Value("length")));
    assert_eq!(decode(&[12, 0x81, 0, b'a']).err(), Some(CodecFault::Value("length")));
}

#[test]
fn no_tag_and_an_unknown_tag_are_faults() {
    assert_eq!(decode(&[]).err(), Some(CodecFault::Short));
    assert_eq!(decode(&[0]).err(), Some(CodecFault::Tag));
    assert_eq!(decode(&[255, 1, 2]).err(), Some(CodecFault::Tag));
}
