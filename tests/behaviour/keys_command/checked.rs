//! What `tollgate keys` notices and refuses: rows that were changed behind its back, keys that go where they do not
//! belong, what custodians said and took back.

use super::{FIRST, Ran, SECOND, Station, WHOLE, import, rows};
use std::fs;
use std::process::Command;

/// A station with keys of two banks and what became of them.
fn lived() -> Station {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    for name in ["bank-a/zpk", "bank-b/zpk"] {
        let made = station.run(&["rotate", name, "--usage", "pin", "--algorithm", "tdes2", "--by", "carol"], "");
        assert_eq!(made.code, Some(0), "{}", made.said);
    }
    for step in [&["rotate", "bank-a/zpk"][..], &["rotate", "bank-a/zpk", "--activate"], &["rotate", "bank-a/zpk"]] {
        assert_eq!(station.run(&[step, &["--by", "carol"]].concat(), "").code, Some(0));
    }
    station
}

fn verify(station: &Station) -> Ran {
    station.run(&["list", "--verify"], "")
}

#[test]
fn a_row_that_was_changed_behind_its_back_is_told() {
    let station = lived();
    let fine = verify(&station);
    assert_eq!(fine.code, Some(0), "{}", fine.out);
    let text = station.text("keys.csv");
    let row = |name: &str, generation: &str| {
        rows(&station, name).into_iter().find(|row| row[3] == generation).unwrap().join(",")
    };
    let (a, b) = (row("bank-a/zpk", "2"), row("bank-b/zpk", "1"));
    let columns = |row: &str| row.split(',').map(str::to_owned).collect::<Vec<_>>();
    // Another's block, with its own check value, so that it holds.
    let mut others = columns(&b);
    (others[5], others[9]) = (columns(&a)[5].clone(), columns(&a)[9].clone());
    let test = |row: &str, to: &str| {
        let mut row = columns(row);
        row[8] = to.to_owned();
        row.join(",")
    };
    for (what, changed, said) in [
        ("another's block", text.replace(&b, &others.join(",")), "bank-b/zpk generation 1: its check value is"),
        ("a test mark", text.replace(&b, &test(&b, "true")), "bank-b/zpk generation 1: its test mark is set"),
        (
            "states swapped",
            text.replace(",1,before,", ",1,x,").replace(",2,current,", ",2,before,").replace(",1,x,", ",1,current,"),
            "bank-a/zpk generation 2: its state is before, the audit file says current",
        ),
        ("a row that is gone", text.replace(&format!("{b}\n"), ""), "bank-b/zpk generation 1: is gone"),
        (
            "a row of another name",
            text.replace("bank-b/zpk,", "bank-c/zpk,"),
            "bank-c/zpk generation 1: no line of the audit file",
        ),
        ("a usage", text.replace(&b, &b.replace(",pin,", ",data,")), "its usage is data, the audit file says pin"),
    ] {
        assert_ne!(changed, text, "{what}");
        fs::write(station.path("keys.csv"), &changed).unwrap();
        let told = verify(&station);
        assert_eq!(told.code, Some(1), "{what}: {} {}", told.out, told.said);
        let line = told.out.lines().find(|line| line.starts_with("WRONG: ") && line.contains(said));
        assert!(line.is_some(), "{what}: {said}\n{}", told.out);
    }
    fs::write(station.path("keys.csv"), &text).unwrap();
    assert_eq!(verify(&station).code, Some(0));
}

/// The audit file as builds wrote it that noted no usage, no algorithm and no test mark, with hashes of its own.
fn as_once(station: &Station) {
    use sha2::Digest;
    let without = |line: String, name: &str| match line.find(&format!(",\"{name}\":")) {
        Some(at) => {
            let rest = &line[at + 1..];
            format!("{}{}", &line[..at], &rest[rest.find(",\"").unwrap()..])
        }
        None => line,
    };
    let (mut before, mut text) = ("0".repeat(64), String::new());
    for line in station.text("keys.audit").lines() {
        let (line, _) = line.rsplit_once(",\"hash\":\"").unwrap();
        let line = ["usage", "algorithm", "test"].into_iter().fold(line.to_owned(), without);
        let (line, _) = line.rsplit_once(",\"before\":\"").unwrap();
        let line = format!("{line},\"before\":\"{before}\"");
        let digest = sha2::Sha256::digest(format!("{line}}}").as_bytes());
        before = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{line},\"hash\":\"{before}\"}}\n");
    }
    fs::write(station.path("keys.audit"), &text).unwrap();
    let keys = station.text("keys.csv");
    let head = keys.lines().find(|line| line.starts_with("# audit ")).unwrap();
    let number = head.split(' ').nth(2).unwrap();
    fs::write(station.path("keys.csv"), keys.replace(head, &format!("# audit {number} {before}"))).unwrap();
}

#[test]
fn what_an_earlier_build_noted_is_compared_as_far_as_it_goes() {
    let station = lived();
    as_once(&station);
    assert!(!station.text("keys.audit").contains("usage"));
    let fine = verify(&station);
    assert_eq!(fine.code, Some(0), "{} {}", fine.out, fine.said);
    let swapped = station.text("keys.csv").replace(",2,current,", ",2,pending,").replace(",3,pending,", ",3,current,");
    fs::write(station.path("keys.csv"), swapped).unwrap();
    let told = verify(&station);
    assert_eq!(told.code, Some(1), "{} {}", told.out, told.said);
    assert!(told.out.contains("bank-a/zpk generation 3: its state is current"), "{}", told.out);
}

#[test]
fn what_the_first_custodian_says_of_the_whole_key_is_kept() {
    let station = Station::begun();
    let wrong = "08D7B5";
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &["--whole", wrong]).code, Some(0));
    let second = station.enter("zmk/bank-a", "bob", SECOND, &[]);
    assert_eq!(second.code, Some(1), "{}", second.out);
    assert!(second.said.contains("check value differs"), "{}", second.said);
    let other = station.enter("zmk/bank-a", "bob", SECOND, &["--whole", WHOLE]);
    assert_eq!(other.code, Some(1), "{}", other.out);
    assert!(other.said.contains("another check value of the whole key"), "{}", other.said);
    assert!(rows(&station, "zmk/bank-a").is_empty(), "nothing was made");
    let kind = ["--usage", "kek", "--algorithm", "tdes2"];
    let ran = station.run(&[&["ceremony", "zmk/bank-a", "--by", "bob", "--abandon"][..], &kind].concat(), "");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &["--whole", WHOLE]).code, Some(0));
    let second = station.enter("zmk/bank-a", "bob", SECOND, &[]);
    assert_eq!(second.code, Some(0), "{}", second.said);
}

#[test]
fn a_key_goes_out_to_those_alone_whose_it_is() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    let make = |name: &str, usage: &str| {
        let ran = station.run(&["rotate", name, "--usage", usage, "--algorithm", "tdes2", "--by", "carol"], "");
        assert_eq!(ran.code, Some(0), "{}", ran.said);
    };
    for (name, usage) in [
        ("terminal/10000001/tmk", "kek"),
        ("terminal/10000002/tmk", "kek"),
        ("terminal/10000001/tpk", "pin"),
        ("bank-a/zpk", "pin"),
    ] {
        make(name, usage);
    }
    let export = |name: &str, under: &str| station.run(&["export", name, "--under", under, "--by", "carol"], "");
    for (name, under, why) in [
        ("bank-a/zpk", "terminal/10000001/tmk", "a zone's key does not go out under a terminal's"),
        ("terminal/10000001/tpk", "zmk/bank-a", "a terminal's working key goes out under the terminal's own"),
        ("terminal/10000001/tpk", "terminal/10000002/tmk", "does not go out under another terminal's"),
    ] {
        let ran = export(name, under);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        assert!(ran.said.contains(why) && !ran.out.contains("cipher"), "{}", ran.said);
    }
    let rotated = station.run(&["rotate", "bank-a/zpk", "--under", "terminal/10000001/tmk", "--by", "carol"], "");
    assert_eq!(rotated.code, Some(1), "{}", rotated.out);
    assert_eq!(rows(&station, "bank-a/zpk").len(), 1, "nothing was made either");
    let audit = station.run(&["list", "--audit"], "").out;
    assert_eq!(audit.matches("REFUSED").count(), 4, "{audit}");
    for (name, under) in [("bank-a/zpk", "zmk/bank-a"), ("terminal/10000001/tpk", "terminal/10000001/tmk")] {
        let ran = export(name, under);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
    }
    let injector = ["rotate", "terminal/10000001/tmk", "--under", "zmk/bank-a", "--by", "carol"];
    assert_eq!(station.run(&injector, "").code, Some(0), "a master key goes to its injector");
}

#[test]
fn what_is_no_name_no_day_and_no_ceremony_is_refused() {
    let station = Station::begun();
    let kind = ["--usage", "kek", "--algorithm", "tdes2"];
    let ran = station.run(&[&["ceremony", "zmk/bank-a", "--by", "bob", "--abandon"][..], &kind].concat(), "");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.said.contains("nothing was entered for zmk/bank-a"), "{}", ran.said);
    let rotate = |name: &str, more: &[&str]| {
        let fixed = ["rotate", name, "--usage", "mac", "--algorithm", "tdes2", "--by", "carol"];
        station.run(&[&fixed, more].concat(), "")
    };
    assert_eq!(rotate("../evil", &[]).code, Some(2));
    let over = rotate("a/b", &["--not-after", "2020-01-01"]);
    assert_eq!(over.code, Some(2), "{}", over.out);
    assert!(over.said.contains("a day that is over"), "{}", over.said);
    let backwards = ["--not-before", "2999-12-31", "--not-after", "2999-01-01"];
    let ran = station.enter("zmk/bank-a", "alice", FIRST, &backwards);
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert_eq!(station.run(&["list"], "").code, Some(0), "and the file can still be read");
    assert_eq!(rotate("a/b", &["--not-after", "2999-01-01"]).code, Some(0));
    assert_eq!(import(&station, ("pin", "tdes2"), "000000", "00").code, Some(1), "there is no key to take it in under");
}

/// What a terminal shows while this command is run on it and these bytes are typed.
#[cfg(target_os = "linux")]
fn typed(station: &Station, command: &str, keys: &[u8]) -> Option<String> {
    use crate::switch::rig::await_that;
    use std::io::{Read, Write};
    use std::process::Stdio;
    let mut script = Command::new("script");
    script.args(["-qec", command, "/dev/null"]).current_dir(station.0.path());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let shown = std::sync::Arc::<parking_lot::Mutex<Vec<u8>>>::default();
    let noted = std::sync::Arc::clone(&shown);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            noted.lock().extend_from_slice(&bytes[..read]);
        }
    });
    let text = || String::from_utf8_lossy(&shown.lock()).into_owned();
    await_that("it asks", || text().contains("gives up): "));
    input.write_all(keys).unwrap();
    input.flush().unwrap();
    await_that("it ended", || text().contains("ended="));
    drop(input);
    child.wait().unwrap();
    reader.join().unwrap();
    Some(text())
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_at_the_prompt_gives_up_and_the_terminal_shows_again_what_is_typed() {
    let station = Station::begun();
    let command = format!(
        "{} keys ceremony zmk/bank-a --usage kek --algorithm tdes2 --check {} --by alice -c station.toml; \
         code=$?; stty -a; echo ended=$code",
        env!("CARGO_BIN_EXE_tollgate"),
        FIRST.1
    );
    let Some(shown) = typed(&station, &command, &[FIRST.0.as_bytes(), &[3]].concat()) else {
        assert!(std::env::var_os("TOLLGATE_REQUIRE_ALL").is_none(), "script (util-linux) makes a terminal to type at");
        println!("left out: script is not installed");
        return;
    };
    assert!(shown.contains("given up; nothing is changed") && shown.contains("ended=1"), "{shown}");
    assert!(shown.contains(" echo ") && shown.contains("isig icanon") && !shown.contains("-isig"), "{shown}");
    assert!(!shown.contains(FIRST.0), "{shown}");
    assert!(!station.path("keys.parts").exists());
    let entered = typed(&station, &command, &[FIRST.0.as_bytes(), b"\n"].concat()).unwrap();
    assert!(entered.contains("ended=0") && !entered.contains(FIRST.0), "{entered}");
    assert!(station.path("keys.parts").exists());
}

#[test]
fn a_mock_issuer_says_why_it_cannot_take_a_stations_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    for entry in fs::read_dir(&demo).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("keys.csv"), at("clear.csv")).unwrap();
    let text = fs::read_to_string(at("station.toml")).unwrap();
    fs::write(at("station.toml"), text.replace("[hsm]\n", "[hsm]\nmaster = \"master.key\"\n")).unwrap();
    let tollgate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.current_dir(&folder);
        command
    };
    let init = ["keys", "init", "-c", "station.toml", "--by", "alice", "--from", "clear.csv", "--test"];
    let ran = tollgate().args(init).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let ran = tollgate().args(["issuer", "--name", "bank-a", "-c", "station.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("as the station's HSM has it") && said.contains("in clear"), "{said}");
}
