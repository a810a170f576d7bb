//! Terminals fetch parameters, public keys, applications and contactless parameters.

use super::CARD_A;
use super::operators::asked_by_echo;
use super::rig::{Recipe, Rig, Till, connect, receive};
use std::fmt::Write;
use tollgate::channel::builtin::profile;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Role;
use tollgate::iso8583::tlv;
use tollgate::model::DownloadSet;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::server::ReloadFault;

const PARAMETERS: &str = include_str!("../../../specs/demo/parameters.toml");
const CAPKS: &str = include_str!("../../../specs/demo/capks.toml");
const APPLICATIONS: &str = include_str!("../../../specs/demo/applications.toml");
const CONTACTLESS: &str = include_str!("../../../specs/demo/contactless.toml");
const FILES: &str = "parameters = \"parameters.toml\"\ncapks = \"capks.toml\"\n\
    applications = \"applications.toml\"\ncontactless = \"contactless.toml\"\n";
const DEMO: [(&str, &str); 4] = [
    ("parameters.toml", PARAMETERS),
    ("capks.toml", CAPKS),
    ("applications.toml", APPLICATIONS),
    ("contactless.toml", CONTACTLESS),
];

/// The demo's station with what its terminals fetch.
fn rig(tables: &str) -> Rig {
    Rig::of(&Recipe { tables, files: FILES, lists: &DEMO, ..Recipe::default() })
}

/// One message of a download and its answer: DE 39 and DE 62.
fn fetch(till: &mut Till, code: &str, data: &[u8]) -> (ResponseCode, Vec<u8>) {
    let profile = profile("pos").unwrap();
    let mti = if code.ends_with('2') { b"0820" } else { b"0800" };
    let mut message = profile.dialect.build(Mti::parse(mti).unwrap());
    message.role(Role::Terminal, till.terminal.setup().terminal.as_bytes()).unwrap();
    message.role(Role::Merchant, till.terminal.setup().merchant.as_bytes()).unwrap();
    message.role(Role::MessageTypeCode, b"00").unwrap();
    message.role(Role::Batch, b"000000").unwrap();
    message.role(Role::NetworkCode, code.as_bytes()).unwrap();
    if !data.is_empty() {
        message.role(Role::KeyData, data).unwrap();
    }
    till.send(&profile.enclose(&message.finish().unwrap(), None).unwrap());
    let answer = profile.decode(&profile.split(till.receive().unwrap()).unwrap()).ok().unwrap();
    let code = ResponseCode::parse(answer.role(Role::ResponseCode).unwrap().as_str().unwrap()).unwrap();
    (code, answer.role(Role::KeyData).map(|value| value.to_vec()).unwrap_or_default())
}

/// Everything of one list, and the word that it has come.
fn fetch_all(till: &mut Till, set: DownloadSet) {
    let (list, end) = match set {
        DownloadSet::Parameters => ("360", "361"),
        DownloadSet::Capks => ("372", "371"),
        DownloadSet::Applications => ("382", "381"),
        DownloadSet::Contactless => ("394", "395"),
    };
    let data: &[u8] = if set == DownloadSet::Parameters { b"" } else { b"100" };
    assert_eq!(fetch(till, list, data).0, ResponseCode::Approved);
    assert_eq!(fetch(till, end, b""), (ResponseCode::Approved, Vec::new()));
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// Frames made by another encoder: a query for public keys, and its answer of two.
const QUERY: &str = "003960000300006031003107300820\
    0000000000C00014313233343536373831323334353637383930313233343500110000000137200003313030";
const QUERY_ANSWER: &str = "007060000000036031003107300830001800000AC000141016001121313031363030303030303031\
    30303132333435363738313233343536373839303132333435001100000001372000\
    39319F0605A0000003339F220102DF0504202612319F0605A0000003339F220103DF050420261231";

#[test]
fn the_query_for_public_keys_is_answered_as_the_sample_to_the_byte() {
    let modulus = format!("{}1", "F".repeat(255));
    let key = |index| {
        format!(
            "[[capk]]\nrid = \"A000000333\"\nindex = \"{index}\"\nexpires = \"2026-12-31\"\nexponent = \"03\"\n\
             modulus = \"{modulus}\"\n"
        )
    };
    let capks = format!("version = 5\n{}{}", key("02"), key("03"));
    let (merchants, terminals) = (
        include_str!("../../../specs/demo/merchants.csv").to_owned() + "123456789012345,样例商店,Sample shop,,,,,\n",
        "terminal,merchant,master_key\n12345678,123456789012345,none\n10000009,898110054110009,\n".to_owned(),
    );
    let lists = [("capks.toml", &*capks), ("merchants.csv", &*merchants), ("terminals.csv", &*terminals)];
    let rig = Rig::of(&Recipe { files: "capks = \"capks.toml\"\n", lists: &lists, ..Recipe::default() });
    let mut line = connect(rig.door("pos"));
    std::io::Write::write_all(&mut line, &unhex(QUERY)).unwrap();
    let mut answer = receive(&mut line).unwrap().to_vec();
    let sample = unhex(QUERY_ANSWER)[2..].to_vec();
    assert_eq!(answer.len(), sample.len());
    // The clock and the reference number are the switch's own: DE 12, 13 and 37 are the first three elements.
    answer[21..38].copy_from_slice(&sample[21..38]);
    assert_eq!(answer, sample);
}

#[test]
fn parameters_come_as_tags_of_two_digits_with_the_merchants_name() {
    let rig = rig("");
    let mut till = rig.terminal(10_000_001);
    let (code, block) = fetch(&mut till, "360", b"");
    assert_eq!(code, ResponseCode::Approved);
    let mut by_hand = Vec::new();
    by_hand.extend_from_slice(b"1260");
    by_hand.extend_from_slice(b"133");
    by_hand.extend_from_slice(b"14010-55550101  ");
    by_hand.extend_from_slice(b"17010-55550199  ");
    by_hand.extend_from_slice(b"181");
    by_hand.extend_from_slice(b"1915");
    by_hand.extend_from_slice(b"200");
    by_hand.extend_from_slice(b"211");
    // 示范商店001 in GBK.
    by_hand.extend_from_slice(b"22\xCA\xBE\xB7\xB6\xC9\xCC\xB5\xEA001");
    by_hand.extend_from_slice(&[b' '; 40 - 11]);
    by_hand.extend_from_slice(b"233");
    by_hand.extend_from_slice(b"241");
    by_hand.extend_from_slice(b"251");
    by_hand.extend_from_slice(b"26\xFF\xFF\x00\x00");
    assert_eq!(block, by_hand);
}

#[test]
fn a_terminal_is_asked_to_fetch_one_list_after_the_other_until_it_has_them_all() {
    let kept = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let mut rig = rig(kept);
    let mut till = rig.signed_in(10_000_001);
    for (digit, set) in [1, 4, 5, 9].into_iter().zip(DownloadSet::ALL) {
        assert_eq!(asked_by_echo(&mut till), digit);
        fetch_all(&mut till, set);
    }
    assert_eq!(asked_by_echo(&mut till), 0);
    // What it has outlives a restart.
    rig.stop();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    assert_eq!(asked_by_echo(&mut till), 0);
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    // Another version is to be fetched, an older one too.
    std::fs::write(rig.file("applications.toml"), APPLICATIONS.replacen("version = 1\n", "version = 7\n", 1)).unwrap();
    rig.reload().unwrap();
    assert_eq!(asked_by_echo(&mut till), 5);
    fetch_all(&mut till, DownloadSet::Applications);
    assert_eq!(asked_by_echo(&mut till), 0);
    std::fs::write(rig.file("applications.toml"), APPLICATIONS).unwrap();
    rig.reload().unwrap();
    assert_eq!(asked_by_echo(&mut till), 5);
}

#[test]
fn a_key_and_an_application_come_whole() {
    let rig = rig("");
    let mut till = rig.terminal(10_000_001);
    let (code, block) = fetch(&mut till, "370", &unhex("9F0605A0000009999F2201F1"));
    assert_eq!((code, block[0]), (ResponseCode::Approved, b'1'));
    let tags: Vec<String> = tlv::Reader::new(&block[1..])
        .map(|object| object.unwrap().tag.iter().map(|b| format!("{b:02X}")).collect())
        .collect();
    assert_eq!(tags, ["9F06", "9F22", "DF05", "DF06", "DF07", "DF02", "DF04", "DF03"]);
    let find = |tag: &[u8]| tlv::Reader::new(&block[1..]).find(tag).unwrap().to_vec();
    // The check value of EMV book 2: SHA-1 over identifier, index, modulus and exponent.
    let parts = [find(&[0x9F, 6]), find(&[0x9F, 0x22]), find(&[0xDF, 2]), find(&[0xDF, 4])].concat();
    assert_eq!(find(&[0xDF, 3]), <sha1::Sha1 as sha1::Digest>::digest(parts).to_vec());
    assert_eq!(find(&[0xDF, 5]), [0x20, 0x35, 0x12, 0x31]);
    let (_, block) = fetch(&mut till, "382", b"100");
    assert_eq!(block, [&b"1"[..], &unhex("9F0608A0000003330101019F0608A000000333010102")].concat());
    let (_, block) = fetch(&mut till, "380", &unhex("9F0608A000000333010101"));
    assert_eq!(tlv::Reader::new(&block[1..]).find(&[0x9F, 0x1B]), Some(&[0, 0, 0, 0][..]));
    assert_eq!(tlv::Reader::new(&block[1..]).count(), 16);
    let (_, block) = fetch(&mut till, "394", b"100");
    assert_eq!(block, [&b"1"[..], &unhex("FF805D0101FF805806000000100000")].concat());
}

#[test]
fn a_long_list_comes_in_blocks_none_of_which_is_too_long() {
    let mut applications = "version = 1\n".to_owned();
    for number in 0..60 {
        let row = APPLICATIONS.rsplit("[[aid]]").next().unwrap().replace("A000000333010102", &format!("{number:032X}"));
        write!(applications, "[[aid]]{row}").unwrap();
    }
    let lists = [("applications.toml", &*applications)];
    let rig = Rig::of(&Recipe { files: "applications = \"applications.toml\"\n", lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    let (mut came, mut statuses) = (0, String::new());
    loop {
        let (code, block) = fetch(&mut till, "382", format!("1{came:02}").as_bytes());
        assert_eq!(code, ResponseCode::Approved);
        assert!(block.len() <= 512);
        for object in tlv::Reader::new(&block[1..]) {
            assert_eq!(object.unwrap().value, u128::to_be_bytes(came));
            came += 1;
        }
        statuses.push(char::from(block[0]));
        if block[0] != b'2' {
            break;
        }
    }
    assert_eq!((came, &*statuses), (60, "221"));
    assert_eq!(fetch(&mut till, "382", b"160").1, b"0", "there are no more");
}

#[test]
fn a_list_that_changes_while_it_is_fetched_is_to_be_fetched_again() {
    let lists = [("capks.toml", CAPKS)];
    let rig = Rig::of(&Recipe { files: "capks = \"capks.toml\"\n", lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    assert_eq!(fetch(&mut till, "372", b"100").0, ResponseCode::Approved);
    std::fs::write(rig.file("capks.toml"), CAPKS.replacen("version = 1\n", "version = 2\n", 1)).unwrap();
    rig.reload().unwrap();
    assert_eq!(fetch(&mut till, "371", b"").0, ResponseCode::Approved);
    assert_eq!(asked_by_echo(&mut till), 4);
    // An end without a beginning says nothing.
    assert_eq!(fetch(&mut till, "371", b"").0, ResponseCode::Approved);
    assert_eq!(asked_by_echo(&mut till), 4);
    fetch_all(&mut till, DownloadSet::Capks);
    assert_eq!(asked_by_echo(&mut till), 0);
}

#[test]
fn a_reload_takes_new_lists_whole_or_not_at_all() {
    let rig = rig("");
    let mut till = rig.terminal(10_000_001);
    fetch_all(&mut till, DownloadSet::Parameters);
    std::fs::write(rig.file("parameters.toml"), PARAMETERS.replace("timeout_s = 60", "timeout_s = 45")).unwrap();
    let Err(ReloadFault::SameVersion(DownloadSet::Parameters)) = rig.reload() else { panic!("it must be refused") };
    let broken = PARAMETERS.replace("timeout_s = 60", "timeout_s = 600").replacen("version = 1", "version = 2", 1);
    std::fs::write(rig.file("parameters.toml"), broken).unwrap();
    std::fs::write(rig.file("capks.toml"), CAPKS.replacen("version = 1", "version = 2", 1)).unwrap();
    let Err(ReloadFault::Breaches(breaches)) = rig.reload() else { panic!("it must be refused") };
    assert!(breaches[0].to_string().ends_with("timeout_s: is not a number of up to 2 digits"), "{breaches:?}");
    assert_eq!(asked_by_echo(&mut till), 4, "of the new lists nothing was taken");
    fetch_all(&mut till, DownloadSet::Capks);
    assert_eq!(asked_by_echo(&mut till), 5);
    std::fs::write(rig.file("parameters.toml"), PARAMETERS.replacen("version = 1", "version = 2", 1)).unwrap();
    rig.reload().unwrap();
    assert_eq!(asked_by_echo(&mut till), 1, "parameters and public keys are new");
    assert!(fetch(&mut till, "360", b"").1.starts_with(b"1260"));
}

#[test]
fn what_is_not_there_and_what_makes_no_sense_is_said_so() {
    let lists = [("capks.toml", CAPKS)];
    let rig = Rig::of(&Recipe { files: "capks = \"capks.toml\"\n", lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    let mut told = |code, data: &[u8]| fetch(&mut till, code, data);
    assert_eq!(told("370", &unhex("9F0605A0000009999F220142")), (ResponseCode::Approved, b"0".to_vec()));
    assert_eq!(told("370", b""), (ResponseCode::Approved, b"0".to_vec()));
    assert_eq!(told("382", b"100"), (ResponseCode::Approved, b"0".to_vec()), "a list that the station has not");
    assert_eq!(told("394", b"100"), (ResponseCode::Approved, b"0".to_vec()));
    assert_eq!(told("360", b"").0, ResponseCode::FunctionUnsupported);
    assert_eq!(told("373", b"").0, ResponseCode::FunctionUnsupported);
    assert_eq!(told("372", b"1x0").0, ResponseCode::FormatError);
    assert_eq!(told("370", &unhex("9F0685")).0, ResponseCode::FormatError);
    // Nothing is asked for what is not there.
    assert_eq!(asked_by_echo(&mut till), 4);
    fetch_all(&mut till, DownloadSet::Capks);
    assert_eq!(asked_by_echo(&mut till), 0);
}

#[test]
fn a_download_needs_no_sign_in_and_is_none() {
    let rig = rig("");
    let mut till = rig.terminal(10_000_001);
    fetch_all(&mut till, DownloadSet::Parameters);
    let mut signed_in = rig.signed_in(10_000_001);
    let sale = signed_in.prepare(Kind::Sale, 10_00, CARD_A);
    assert_eq!(signed_in.exchange(&sale).code, Some(ResponseCode::Approved));
    // A terminal that only ever fetched is told to sign in, whatever it signs with.
    let mut fetched = rig.terminal(10_000_002);
    fetch_all(&mut fetched, DownloadSet::Parameters);
    let mut unit = sale.unit.to_vec();
    let place = unit.windows(8).position(|bytes| bytes == b"10000001").unwrap();
    unit[place..place + 8].copy_from_slice(b"10000002");
    fetched.send(&unit);
    let profile = profile("pos").unwrap();
    let answer = profile.decode(&profile.split(fetched.receive().unwrap()).unwrap()).ok().unwrap();
    assert_eq!(answer.role(Role::ResponseCode).unwrap().as_str(), Some("77"));
}

#[test]
fn at_a_door_whose_terminals_have_fixed_keys_nothing_is_asked() {
    let rig = rig("");
    let mut till = Till::new(&rig, 10_000_001, "host");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::Approved));
}
