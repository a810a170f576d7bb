//! What `tollgate keys` refuses: nothing is changed by it, shown by it, or left out of the audit file.

use super::*;

#[test]
fn what_does_not_hold_is_refused_noted_and_changes_nothing() {
    let station = Station::begun();
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &[]).code, Some(0));
    let before = station.text("keys.parts");
    let short = (&SECOND.0[..16], "8D9307");
    for (by, component, more, why) in [
        ("alice", SECOND, &[][..], "the same custodian twice"),
        ("ALICE", SECOND, &[], "the same custodian twice"),
        ("bob", (SECOND.0, "8D9308"), &[], "check value differs"),
        ("bob", SECOND, &["--whole", "08D7B5"], "check value differs"),
        ("bob", short, &[], "length does not fit"),
        ("bob", FIRST, &[], "weak key"),
        ("bob", SECOND, &["--usage", "pin", "--algorithm", "tdes2"], "of another usage"),
        ("bob", SECOND, &["--components", "3"], "of another usage, algorithm or number"),
        ("bob", ("00000000000000000000000000000000", "8CA64D"), &["--test"], "a component of zeros"),
        ("bob", ("0123456789ABCDEFFEDCBA9876543210", "08D7B4"), &[], "say --test"),
        ("bob", ("not hex at all, this component is!", "08D7B4"), &[], "not hex"),
    ] {
        let ran = station.enter("zmk/bank-a", by, component, more);
        assert_eq!(ran.code, Some(1), "{why}: {} {}", ran.out, ran.said);
        assert!(ran.said.contains(why), "{why}: {}", ran.said);
        assert_eq!(station.text("keys.parts"), before, "{why}");
        assert!(rows(&station, "zmk/bank-a").is_empty(), "{why}");
    }
    let audit = station.run(&["list", "--audit"], "").out;
    assert!(audit.matches("REFUSED").count() >= 7, "{audit}");
    assert_eq!(station.enter("zmk/bank-a", "bob", SECOND, &[]).code, Some(0), "and it goes on where it was");
}

#[test]
fn a_cipher_that_is_no_key_of_its_kind_is_refused_noted_and_not_kept() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    let right = PIN_KEY.2;
    // By openssl under the KEK, with their check values: 0101010101010101 twice, the first half of the PIN key twice.
    let (weak, alike) = ("2531A13A84EBB8C62531A13A84EBB8C6", "493B6DBFF5B0428B493B6DBFF5B0428B");
    for (kind, check, cipher, why) in [
        (("pin", "tdes2"), "832DAD", right.to_owned(), "check value differs"),
        (("pin", "tdes3"), PIN_KEY.1, right.to_owned(), "may not be exported so"),
        (("pin", "tdes2"), PIN_KEY.1, right[..30].to_owned(), "length does not fit"),
        (("pin", "tdes2"), PIN_KEY.1, format!("{right}{right}"), "length does not fit"),
        (("pin", "aes256"), PIN_KEY.1, right.to_owned(), "may not be exported so"),
        (("pin", "tdes2"), "8CA64D", weak.to_owned(), "weak"),
        (("pin", "tdes2"), "23E444", alike.to_owned(), "a shorter key in disguise"),
        (("pin", "tdes2"), PIN_KEY.1, format!("{}0", &right[..31]), "check value differs"),
        (("kek", "tdes2"), "832DAC", "zz".repeat(16), "not hex"),
    ] {
        let ran = import(&station, kind, check, &cipher);
        assert_ne!(ran.code, Some(0), "{why}: {}", ran.out);
        assert!(ran.said.contains(why), "{why}: {}", ran.said);
        assert!(!ran.said.contains(&cipher) && rows(&station, "bank-a/key").is_empty(), "{why}");
    }
    let audit = station.run(&["list", "--audit"], "").out;
    assert!(audit.matches("import bank-a/key").count() >= 7, "{audit}");
    assert_eq!(audit.matches("import bank-a/key").count(), audit.matches("REFUSED").count(), "{audit}");
    assert_eq!(import(&station, ("pin", "tdes2"), PIN_KEY.1, right).code, Some(0));
}

#[test]
fn a_list_without_its_first_line_shows_none_of_its_keys() {
    let station = Station::new();
    let row = format!("bank-a/zpk,pin,tdes2,{}\n", FIRST.0);
    for list in [row.clone(), row.to_lowercase(), format!("{}\n", FIRST.0)] {
        fs::write(station.path("clear.csv"), &list).unwrap();
        let file = station.path("clear.csv");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        let ran = command.args(["hsm", "keys"]).arg(&file).output().unwrap();
        let init = station.run(&["init", "--by", "operator", "--from", file.to_str().unwrap()], "");
        let printed = [ran.stdout, ran.stderr].concat();
        for said in [String::from_utf8(printed).unwrap(), init.out, init.said] {
            assert!(!said.to_uppercase().contains(&FIRST.0[..8]), "{said}");
        }
        assert_eq!((ran.status.code(), init.code), (Some(3), Some(3)), "{list}");
    }
}

#[test]
fn another_kind_of_key_does_not_come_in_under_a_name_and_a_refusal_is_on_record() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    let import = |kind| import(&station, (kind, "tdes2"), PIN_KEY.1, PIN_KEY.2);
    assert_eq!(import("pin").code, Some(0));
    let other = import("mac");
    assert_eq!(other.code, Some(1), "{}", other.out);
    assert!(other.said.contains("a key stays what it is"), "{}", other.said);
    let none = station.run(&["rotate", "zmk/bank-a", "--activate", "--by", "carol"], "");
    assert_eq!(none.code, Some(1), "{}", none.out);
    let audit = station.run(&["list", "--audit"], "").out;
    assert_eq!(audit.matches("REFUSED").count(), 2, "{audit}");
}

#[test]
fn a_generation_that_somebody_may_have_is_not_replaced() {
    let station = Station::begun();
    let rotate = |more: &[&str]| station.run(&[&["rotate", "a/b", "--by", "carol"][..], more].concat(), "");
    assert_eq!(rotate(&["--usage", "mac", "--algorithm", "tdes2"]).code, Some(0));
    assert_eq!(rotate(&[]).code, Some(0));
    let third = rotate(&[]);
    assert_eq!(third.code, Some(1), "{}", third.out);
    assert!(third.said.contains("is pending"), "{}", third.said);
    assert_eq!(rotate(&["--withdraw"]).code, Some(0));
    assert_eq!(rotate(&[]).code, Some(0));
}
