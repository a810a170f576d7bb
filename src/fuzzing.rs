//! What must hold for any bytes whatever: shared by the fuzz targets, by property tests and by the corpus.
//!
//! Each property takes the fuzzer's bytes and panics if it does not hold; reaching the end is success.

mod journal;
mod key_block;

pub use journal::journal;
pub use key_block::key_block;

use crate::channel;
use crate::channel::Deframer;
use crate::channel::FrameFault;
use crate::channel::Profile;
use crate::hsm::payshield::command::AnyCommand;
use crate::hsm::payshield::frame::Deframer as HostDeframer;
use crate::iso8583::Dialect;
use crate::iso8583::Message;
use crate::iso8583::builtin;
use crate::iso8583::spec_file;
use crate::iso8583::tlv;
use bytes::Bytes;
use std::sync::Arc;

/// Whatever a peer sends, every dialect decodes or refuses it, what was read is readable, and what was decoded is
/// written again from its values to a message with the same values.
pub fn decode(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    for dialect in builtin::names().iter().filter_map(|name| builtin::dialect(name)) {
        match dialect.decode(body.clone()) {
            Ok(message) => {
                read_all(&message);
                again(&dialect, &message);
            }
            Err(rejected) => {
                assert!(rejected.error.offset <= input.len(), "a fault lies inside the message");
                read_all(&rejected.partial);
            }
        }
    }
}

/// Reads everything that a message has.
fn read_all(message: &Message) {
    for de in message.elements() {
        assert!(message.value(de).is_some() && message.raw(de).is_some(), "DE {de} is announced but not readable");
        if let Some(fault) = message.parts(de).and_then(|parts| parts.fault) {
            assert_eq!(fault.path.element(), Some(de));
        }
    }
    let _ = (message.mac_input(), message.mac(), message.dialect().kind_of(message));
}

/// Copies every element into a new message: the same bytes but for what a reader accepts in two forms.
fn again(dialect: &Arc<Dialect>, message: &Message) {
    let Some(mti) = message.mti() else { return };
    let mut builder = dialect.build(mti);
    for de in message.elements() {
        assert!(builder.copy(de, message).is_ok(), "DE {de} cannot be copied");
    }
    let copy = builder.finish().map(|body| dialect.decode(body));
    let same = |copy: &Message| message.elements().all(|de| copy.raw(de) == message.raw(de));
    assert!(matches!(&copy, Ok(Ok(copy)) if same(copy)), "the copy is not the message");
}

/// Whatever a file says, it is a dialect or it is refused with at least one breach, each with a line of the file.
pub fn spec_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parent = |name: &str| builtin::text(name).map(str::to_owned);
    if let Err(breaches) = spec_file::load("fuzz", text, &parent) {
        assert!(!breaches.is_empty(), "refused without a reason");
    }
}

/// Whatever the bytes, a walk ends, stays inside them and respects its bounds; what it read is written back alike.
pub fn tlv(input: &[u8]) {
    let mut count = 0;
    let walked = tlv::walk(input, &mut |depth, object| {
        count += 1;
        assert!(depth < tlv::MAX_DEPTH && object.value_offset + object.value.len() <= input.len());
        let mut out = Vec::new();
        assert!(object.tag.first() == Some(&0) || tlv::write(object.tag, object.value, &mut out));
        let read = tlv::Reader::new(&out).next();
        assert!(read.is_some_and(|read| read.is_ok_and(|read| read.tag == object.tag && read.value == object.value)));
    });
    assert!(count <= tlv::MAX_COUNT);
    if let Err(error) = walked {
        assert!(error.offset <= input.len());
    }
}

/// Whatever an HSM or its client sends, a host command is read or refused; what was read is written to bytes that read
/// as the same command, and any bytes are an answer to it or none.
pub fn host_command(input: &[u8]) {
    let mut stream = input;
    let mut deframer = HostDeframer::new(4);
    while let Ok(Some(frame)) = deframer.next(&mut stream) {
        let _ = AnyCommand::read(&frame.body);
    }
    let Ok((command, tail)) = AnyCommand::read(input) else { return };
    let written = command.write(&tail);
    let Ok((again, tail_again)) = AnyCommand::read(&written) else {
        unreachable!("a command that was written is not read")
    };
    assert_eq!(tail, tail_again);
    assert!(*again.write(&tail) == *written, "a command is written in two ways");
    let _ = command.check_answer(input);
}

/// Wherever a stream is cut (the first byte says how often), the same units and the same fault come out, and every
/// unit is split and decoded or refused.
pub fn framing(input: &[u8]) {
    let Some((chunk, stream)) = input.split_first() else { return };
    for profile in channel::builtin::names().iter().filter_map(|name| channel::builtin::profile(name)) {
        let whole = units(&profile, stream, stream.len().max(1));
        let cut = units(&profile, stream, usize::from(*chunk).max(1));
        assert_eq!(whole, cut, "{}: units depend on where the stream was cut", profile.name);
        for unit in whole.0 {
            assert!(unit.len() <= profile.framing.cap, "a unit exceeds its cap");
            if let Ok(frame) = profile.split(unit) {
                let _ = profile.decode(&frame);
            }
        }
    }
}

/// The units of a stream that comes in pieces of so many bytes, and the fault that ended it.
fn units(profile: &Profile, stream: &[u8], chunk: usize) -> (Vec<Bytes>, Option<FrameFault>) {
    let mut deframer = Deframer::new(profile.framing);
    let mut units = Vec::new();
    for piece in stream.chunks(chunk) {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(fault) => return (units, Some(fault)),
            }
        }
    }
    (units, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// The corpus is part of the test binary: this room reads no files.
    const TLV: &[&[u8]] = &[
        include_bytes!("../fuzz/corpus/tlv/three_byte_tag"),
        include_bytes!("../fuzz/corpus/tlv/length_beyond_the_end"),
        include_bytes!("../fuzz/corpus/tlv/indefinite"),
        include_bytes!("../fuzz/corpus/tlv/nested_too_deep"),
    ];

    #[test]
    fn the_corpus_holds() {
        TLV.iter().for_each(|input| super::tlv(input));
        super::framing(include_bytes!("../fuzz/corpus/framing/two_frames_in_threes"));
        super::framing(include_bytes!("../fuzz/corpus/framing/length_over_the_cap"));
        super::decode(include_bytes!("../fuzz/corpus/decode/iso87_ascii_0800"));
        super::decode(include_bytes!("../fuzz/corpus/decode/cn_pos_sale"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/version_a_with_optional_blocks"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/version_b"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/version_c"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/version_d"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/tampered"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/optional_block_longer_than_the_text"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/extended_length"));
        super::key_block(include_bytes!("../fuzz/corpus/key_block/of_our_own"));
        super::journal(include_bytes!("../fuzz/corpus/journal/two_groups"));
        super::journal(include_bytes!("../fuzz/corpus/journal/torn"));
        super::journal(include_bytes!("../fuzz/corpus/journal/one_group_without_check_sum"));
        super::spec_file(include_bytes!("../fuzz/corpus/spec_file/small.toml"));
        super::spec_file(include_bytes!("../fuzz/corpus/spec_file/extends_itself.toml"));
    }

    proptest! {
        #[test]
        fn framing_holds_for_any_bytes(input in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..300)) {
            super::framing(&input);
        }

        #[test]
        fn journal_holds_for_any_bytes(input in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..300)) {
            super::journal(&input);
        }

        #[test]
        fn a_segment_with_a_stretch_changed_opens_or_is_refused(
            at in 0_usize..7000,
            noise in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let mut segment = include_bytes!("../fuzz/corpus/journal/two_groups").to_vec();
            let end = segment.len().min(at + noise.len());
            if let Some(place) = segment.get_mut(at..end) {
                place.copy_from_slice(&noise[..place.len()]);
            }
            super::journal(&segment);
        }

        #[test]
        fn key_blocks_hold_for_any_bytes(input in proptest::collection::vec(any::<u8>(), 0..120)) {
            super::key_block(&input);
        }

        #[test]
        fn a_key_block_with_one_stretch_changed_is_read_or_refused(
            at in 0_usize..112, byte in prop_oneof![any::<u8>(), b'0'..=b'9'], length in 1_usize..4,
        ) {
            let mut block = include_bytes!("../fuzz/corpus/key_block/version_a_with_optional_blocks").to_vec();
            block.iter_mut().skip(at).take(length).for_each(|place| *place = byte);
            super::key_block(&block);
        }

        #[test]
        fn tlv_holds_for_any_bytes(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::tlv(&input);
        }

        #[test]
        fn decode_holds_for_any_bytes_behind_a_plausible_head(
            head in prop_oneof![Just(&b"0200"[..]), Just(&b"\x02\x00"[..]), Just(&b"1100"[..]), Just(&b""[..])],
            body in proptest::collection::vec(prop_oneof![any::<u8>(), b'0'..=b'9', Just(0)], 0..200),
        ) {
            super::decode(&[head, &body].concat());
        }

        #[test]
        fn a_message_with_one_byte_changed_is_read_or_refused(at in 0_usize..200, byte in any::<u8>()) {
            let mut body = include_bytes!("../fuzz/corpus/decode/cn_pos_sale").to_vec();
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            super::decode(&body);
        }

        #[test]
        fn a_dialect_file_with_one_piece_cut_out_is_read_or_refused(at in 0_usize..600, length in 1_usize..30) {
            let mut text = include_bytes!("../fuzz/corpus/spec_file/small.toml").to_vec();
            text.drain(at.min(text.len())..(at + length).min(text.len()));
            super::spec_file(&text);
        }
    }
}
