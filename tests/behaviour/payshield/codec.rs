//! Host commands on the wire: frames by published-layout vectors in both directions, and no byte that panics.

use proptest::prelude::*;
use serde_json::Value;
use tollgate::fuzzing;
use tollgate::hsm::payshield::command::AnyCommand;
use tollgate::hsm::payshield::command::Tail;
use tollgate::hsm::payshield::command::Unreadable;
use tollgate::hsm::payshield::command::answer_code;
use tollgate::hsm::payshield::frame;
use tollgate::hsm::payshield::frame::Deframer;
use tollgate::hsm::payshield::frame::Frame;
use tollgate::hsm::payshield::frame::FrameFault;
use tollgate::hsm::payshield::key::HostKey;
use tollgate::hsm::payshield::key::Scheme;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Request and response of every vector, as whole frames, with the length of their headers.
fn vectors() -> Vec<(String, usize, Vec<u8>, Vec<u8>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/crypto.json");
    let set: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let frames = set["vectors"].as_array().unwrap().iter().filter(|vector| vector["op"] == "payshield.frame");
    let text = |value: &Value| unhex(value.as_str().unwrap());
    let row = |vector: &Value| {
        let header = usize::try_from(vector["inputs"]["header_length"].as_u64().unwrap()).unwrap();
        let response = text(&vector["expected"]["response_wire"]);
        (vector["id"].to_string(), header, text(&vector["inputs"]["request_wire"]), response)
    };
    let rows: Vec<_> = frames.map(row).collect();
    assert_eq!(rows.len(), 15);
    rows
}

fn only_frame(wire: &[u8], header: usize) -> Frame {
    let mut input = wire;
    let mut deframer = Deframer::new(header);
    let frame = deframer.next(&mut input).unwrap().unwrap();
    assert!(input.is_empty() && !deframer.is_inside());
    frame
}

#[test]
fn every_request_of_the_vectors_is_read_and_written_again_byte_for_byte() {
    for (id, header, request, _) in vectors() {
        let read = only_frame(&request, header);
        let Ok((command, tail)) = AnyCommand::read(&read.body) else { panic!("{id} is not read") };
        let written = frame::frame(&read.header, &command.write(&tail)).unwrap();
        assert!(*written == request, "{id}");
    }
}

#[test]
fn every_response_of_the_vectors_is_read_as_the_answer_to_its_request() {
    for (id, header, request, response) in vectors() {
        let (asked, answered) = (only_frame(&request, header), only_frame(&response, header));
        assert_eq!(asked.header, answered.header, "{id}");
        let Ok((command, _)) = AnyCommand::read(&asked.body) else { panic!("{id} is not read") };
        command.check_answer(&answered.body).unwrap_or_else(|fault| panic!("{id}: {fault}"));
    }
}

#[test]
fn an_answer_to_another_command_is_refused() {
    let Ok((command, _)) = AnyCommand::read(b"NC") else { panic!() };
    let fault = command.check_answer(b"CB00048856DB66D89E9EFF01").unwrap_err();
    assert_eq!((fault.at, fault.what), (0, "the code of the answer"));
    assert_eq!(answer_code(*b"M6"), *b"M7");
}

#[test]
fn an_lmk_identifier_and_a_trailer_are_read_behind_the_fields() {
    let (_, tail) = AnyCommand::read(b"B20005HELLO%01\x19abc").unwrap_or_else(|_| panic!());
    assert_eq!(tail, Tail { lmk: Some(1), trailer: b"abc".to_vec() });
    let long = [b"NC\x19".as_slice(), &[b'x'; 33]].concat();
    assert!(matches!(AnyCommand::read(&long), Err(Unreadable::Field(..))));
}

#[test]
fn a_header_of_another_length_shows_at_once() {
    let (_, _, request, _) = vectors().remove(0);
    for wrong in [3, 5] {
        let frame = only_frame(&request, wrong);
        assert!(matches!(AnyCommand::read(&frame.body), Err(Unreadable::Code(_))), "header of {wrong}");
    }
}

#[test]
fn frames_too_long_or_too_short_are_faults() {
    let mut input: &[u8] = &[0xFF, 0xFF, 1];
    assert_eq!(Deframer::new(4).next(&mut input).map(drop), Err(FrameFault::TooLong(0xFFFF)));
    let mut input: &[u8] = &[0, 5, 1];
    assert_eq!(Deframer::new(4).next(&mut input).map(drop), Err(FrameFault::TooShort(5)));
    assert!(frame::frame(b"0001", &vec![0; frame::FRAME_MOST]).is_err());
}

#[test]
fn keys_are_read_by_their_scheme_and_show_nothing_of_themselves() {
    let (single, double) = ("0123456789ABCDEF", "0123456789ABCDEF0123456789ABCDEF");
    let cases = [
        (single.to_owned(), Scheme::Single),
        (double.to_owned(), Scheme::Pair),
        (format!("U{double}"), Scheme::DoubleVariant),
        (format!("T{double}{single}"), Scheme::TripleVariant),
        (format!("X{double}"), Scheme::DoubleEcb),
        (format!("Y{double}{single}"), Scheme::TripleEcb),
        ("S10096M3TC00S0000".to_owned() + &"A".repeat(80), Scheme::Block),
        ("RD0112P0AE00E0000".to_owned() + &"A".repeat(96), Scheme::Tr31),
        ("K123".to_owned(), Scheme::Stored),
    ];
    for (text, scheme) in cases {
        let key = HostKey::parse(&text).unwrap_or_else(|| panic!("{scheme:?}"));
        assert_eq!((key.scheme(), key.as_str()), (scheme, text.as_str()));
        assert!(!format!("{key:?}").contains(&text[1..4.min(text.len())]));
    }
    for bad in ["", "U", "U0123", "S1", "S19999", "S10008AA", "K12", "0123456789ABCDEG", "Q0123456789ABCDEF"] {
        assert!(HostKey::parse(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_host_command_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzzing::host_command(&bytes);
    }

    /// Bytes that begin like a command reach further in.
    #[test]
    fn damaged_commands_are_read_or_refused(which in 0usize..15, at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let (_, _, mut request, response) = vectors().swap_remove(which);
        let place = at.index(request.len());
        request[place] = with;
        let keep = cut.index(request.len() + 1);
        fuzzing::host_command(request.get(6..keep).unwrap_or_default());
        fuzzing::host_command(&request[6..]);
        fuzzing::host_command(&response);
    }
}
