//! `tollgate keys` as custodians and operators call it: a process a run, components on a file descriptor.

mod checked;
mod refusals;

use crate::switch::rig::await_that;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use tollgate::server::config;

/// The key 0123456789ABCDEFFEDCBA9876543210 (check value 08D7B4, in every manual) in two components. All check values
/// are by `openssl enc -des-ede` over zeros.
const FIRST: (&str, &str) = ("7C0FA2D15E9B3384E6617A0BD84C2F95", "50700C");
const SECOND: (&str, &str) = ("7D2CE7B6D730FE6B18BDC093AE181D85", "8D9307");
const WHOLE: &str = "08D7B4";
/// The AES-256 key of SP 800-38B, annex D.3, in two components; check values by `openssl mac` (CMAC of zeros).
const AES_FIRST: (&str, &str) = ("B29E04F7613AD85C7C0FA2D15E9B33845B1DE0938F27C46A01D9427BEE658F30", "5A2A6D");
const AES_SECOND: (&str, &str) = ("D2A3EFE774F0A9E2577C0C21DBE644054428CC94B446CCBD2C4152D8E77150C4", "91B2D9");
const AES_WHOLE: &str = "1A0B2D";
/// A PIN key, its check value, and itself under that key (ECB), by openssl too.
const PIN_KEY: (&str, &str, &str) = ("5D8C2FB6E19A4370F1C8A7463B0E92D5", "832DAC", "493B6DBFF5B0428B0AC23A2CDA8944C7");

/// How a run ended.
struct Ran {
    code: Option<i32>,
    out: String,
    said: String,
}

/// A station whose keys are to be made.
struct Station(tempfile::TempDir);

impl Station {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = "[station]\nname = \"keys\"\nacquirer = \"1\"\ncurrency = \"156\"\noffset_minutes = 0\n\
            [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n\
            [ledger]\nfolder = \"ledger\"\n[hsm]\nmaster = \"master.key\"\n[files]\nkeys = [\"keys.csv\"]\n";
        fs::write(folder.path().join("station.toml"), file).unwrap();
        Self(folder)
    }

    /// One with a key file already.
    fn begun() -> Self {
        let station = Self::new();
        let ran = station.run(&["init", "--by", "operator"], "");
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        station
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `tollgate keys` with this on its standard input.
    fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.arg("keys").args(arguments).arg("-c").arg(self.path("station.toml"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that refuses before it reads is gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let out = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: out.status.code(), out: text(&out.stdout), said: text(&out.stderr) }
    }

    /// A custodian enters a component.
    fn enter(&self, name: &str, by: &str, (component, check): (&str, &str), more: &[&str]) -> Ran {
        let fixed = ["ceremony", name, "--by", by, "--check", check, "--component-fd", "0"];
        let kind: &[&str] = match more.contains(&"--usage") {
            true => &[],
            false => &["--usage", "kek", "--algorithm", "tdes2"],
        };
        let ran = self.run(&[&fixed, kind, more].concat(), &format!("{component}\n"));
        for text in [&ran.out, &ran.said] {
            assert!(!text.contains(component) && !text.contains(&component[..16]), "a component is shown: {text}");
        }
        ran
    }

    /// Both custodians' runs.
    fn kek(&self, name: &str) {
        for (by, component) in [("alice", FIRST), ("bob", SECOND)] {
            let ran = self.enter(name, by, component, &[]);
            assert_eq!(ran.code, Some(0), "{}", ran.said);
        }
    }

    /// Everything that is on disk but the master key.
    fn files(&self) -> Vec<(String, String)> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files = names.filter(|name| !matches!(name.as_str(), "master.key" | "ledger"));
        files.map(|name| (name.clone(), self.text(&name))).collect()
    }
}

/// The rows of a key.
fn rows(station: &Station, name: &str) -> Vec<Vec<String>> {
    let text = station.text("keys.csv");
    let of = |line: &&str| line.starts_with(&format!("{name},"));
    text.lines().filter(of).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn two_custodians_make_a_key_in_two_runs_and_see_check_values_only() {
    let station = Station::begun();
    let first = station.enter("zmk/bank-a", "alice", FIRST, &["--whole", WHOLE]);
    assert_eq!(first.code, Some(0), "{}", first.said);
    assert!(first.out.contains(FIRST.1) && first.out.contains("another custodian"), "{}", first.out);
    assert!(rows(&station, "zmk/bank-a").is_empty(), "half a key is none");
    let second = station.enter("zmk/bank-a", "bob", SECOND, &["--whole", WHOLE]);
    assert_eq!(second.code, Some(0), "{}", second.said);
    assert!(second.out.contains(SECOND.1) && second.out.contains(WHOLE) && !second.out.contains(FIRST.1));
    let rows = rows(&station, "zmk/bank-a");
    assert_eq!(rows[0][1..6], ["kek", "tdes2", "1", "current", WHOLE]);
    assert!(rows[0][9].starts_with('D'));
    assert!(!station.path("keys.parts").exists(), "nothing waits any more");
    for (name, text) in station.files() {
        for secret in [FIRST.0, SECOND.0, "0123456789ABCDEFFEDCBA9876543210"] {
            assert!(!text.to_uppercase().contains(secret), "{name}");
        }
    }
    let listed = station.run(&["list", "--verify", "--audit"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.said);
    for words in ["alice", "bob", "component zmk/bank-a", "ceremony zmk/bank-a generation 1 check 08D7B4"] {
        assert!(listed.out.contains(words), "{words}: {}", listed.out);
    }
}

#[test]
fn an_aes_key_is_made_alike() {
    let station = Station::begun();
    let kind = ["--usage", "key-block", "--algorithm", "aes256", "--whole", AES_WHOLE];
    assert_eq!(station.enter("kbpk/bank-a", "alice", AES_FIRST, &kind).code, Some(0));
    let second = station.enter("kbpk/bank-a", "bob", AES_SECOND, &kind);
    assert_eq!(second.code, Some(0), "{}", second.said);
    assert!(second.out.contains(AES_WHOLE), "{}", second.out);
}

#[test]
fn a_part_is_no_key_and_belongs_to_its_ceremony_alone() {
    let station = Station::begun();
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &[]).code, Some(0));
    let part = station.text("keys.parts");
    let block = part.split_whitespace().nth(1).unwrap().to_owned();
    // Another's part, by a person with an editor.
    fs::write(station.path("keys.parts"), part.replace("zmk/bank-a@1", "zmk/bank-b@1")).unwrap();
    let ran = station.enter("zmk/bank-b", "bob", SECOND, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    // The part as a key of the list.
    fs::remove_file(station.path("keys.parts")).unwrap();
    let list = station.text("keys.csv") + &format!("zmk/bank-c,kek,tdes2,1,current,,,,false,{block}\n");
    fs::write(station.path("keys.csv"), list).unwrap();
    let listed = station.run(&["list", "--verify"], "");
    assert_eq!(listed.code, Some(1));
    assert!(listed.out.contains("WRONG: zmk/bank-c generation 1"), "{}", listed.out);
}

#[test]
fn what_was_entered_can_be_forgotten() {
    let station = Station::begun();
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &[]).code, Some(0));
    let kind = ["--usage", "kek", "--algorithm", "tdes2"];
    let ran = station.run(&[&["ceremony", "zmk/bank-a", "--by", "bob", "--abandon"][..], &kind].concat(), "");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(!station.path("keys.parts").exists());
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &[]).code, Some(0), "from the beginning");
}

#[test]
fn a_component_is_no_argument() {
    let station = Station::begun();
    let ran = station.run(&["ceremony", "--help"], "");
    assert!(ran.out.contains("--component-fd") && !ran.out.contains("--component <"), "{}", ran.out);
    let kind = ["--usage", "kek", "--algorithm", "tdes2", "--check", FIRST.1, "--by", "alice"];
    let ran = station.run(&[&["ceremony", "zmk/a", FIRST.0][..], &kind].concat(), "");
    assert_eq!(ran.code, Some(2), "{}", ran.said);
}

#[test]
fn a_cipher_comes_in_under_a_key_of_both_sides_and_goes_out_the_same() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    fs::write(station.path("zpk.txt"), format!("{} {}\n", &PIN_KEY.2[..16], &PIN_KEY.2[16..])).unwrap();
    let file = station.path("zpk.txt");
    let import = |check: &str| {
        let fixed = ["import", "bank-a/zpk", "--usage", "pin", "--algorithm", "tdes2", "--under", "zmk/bank-a"];
        station.run(&[&fixed[..], &["--by", "carol", "--from", file.to_str().unwrap(), "--check", check]].concat(), "")
    };
    let wrong = import("832DAD");
    assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    assert!(wrong.said.contains("check value differs"), "{}", wrong.said);
    assert_eq!(import(PIN_KEY.1).code, Some(0));
    assert_eq!(rows(&station, "bank-a/zpk")[0][1..6], ["pin", "tdes2", "1", "current", PIN_KEY.1]);
    let export = ["export", "bank-a/zpk", "--under", "zmk/bank-a", "--by", "carol"];
    // What came in from another belongs to it and does not leave again.
    let ran = station.run(&export, "");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.said.contains("may not be exported"), "{}", ran.said);
    let own = ["rotate", "bank-a/own", "--usage", "pin", "--algorithm", "tdes2", "--by", "carol"];
    assert_eq!(station.run(&own, "").code, Some(0));
    let export = ["export", "bank-a/own", "--under", "zmk/bank-a", "--by", "carol"];
    let given = station.run(&export, "");
    assert_eq!(given.code, Some(0), "{}", given.said);
    let cipher = given.out.lines().find_map(|line| line.strip_prefix("cipher")).unwrap().trim().to_owned();
    assert_eq!(cipher.len(), 32);
    let again = ["import", "bank-a/back", "--usage", "pin", "--algorithm", "tdes2", "--under", "zmk/bank-a"];
    let check = rows(&station, "bank-a/own")[0][5].clone();
    let ran = station.run(&[&again[..], &["--by", "carol", "--from", "-", "--check", &check]].concat(), &cipher);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
}

/// Takes a cipher in under the KEK of [`Station::kek`], as a key of this kind.
fn import(station: &Station, (usage, algorithm): (&str, &str), check: &str, cipher: &str) -> Ran {
    let fixed = ["import", "bank-a/key", "--usage", usage, "--algorithm", algorithm, "--under", "zmk/bank-a"];
    station.run(&[&fixed[..], &["--by", "carol", "--from", "-", "--check", check]].concat(), cipher)
}

#[test]
fn a_key_of_even_parity_comes_in_unless_the_station_wants_it_odd() {
    // PIN_KEY has bytes of even parity; real HSMs refuse such keys, or ask.
    let station = Station::begun();
    station.kek("zmk/bank-a");
    assert_eq!(import(&station, ("pin", "tdes2"), PIN_KEY.1, PIN_KEY.2).code, Some(0));
    let strict = Station::new();
    let file = strict
        .text("station.toml")
        .replace("master = \"master.key\"\n", "master = \"master.key\"\nodd_parity = true\n");
    fs::write(strict.path("station.toml"), file).unwrap();
    assert_eq!(strict.run(&["init", "--by", "operator"], "").code, Some(0));
    // Components have whatever parity they have; the key that they make gets an odd one.
    strict.kek("zmk/bank-a");
    let ran = import(&strict, ("pin", "tdes2"), PIN_KEY.1, PIN_KEY.2);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.said.contains("parity"), "{}", ran.said);
    assert!(rows(&strict, "bank-a/key").is_empty());
}

#[test]
fn a_tampered_key_block_is_refused_on_its_way_in_and_told_in_the_file() {
    let station = Station::begun();
    let kind = ["--usage", "key-block", "--algorithm", "aes256"];
    assert_eq!(station.enter("kbpk/bank-a", "alice", AES_FIRST, &kind).code, Some(0));
    assert_eq!(station.enter("kbpk/bank-a", "bob", AES_SECOND, &kind).code, Some(0));
    let made = ["rotate", "bank-a/zak", "--usage", "mac", "--algorithm", "aes128", "--under", "kbpk/bank-a"];
    let made = station.run(&[&made[..], &["--by", "carol"]].concat(), "").out;
    let block = made.lines().find_map(|line| line.strip_prefix("cipher")).unwrap().trim().to_owned();
    let import = |block: &str| {
        let fixed = ["import", "back/key", "--usage", "mac", "--algorithm", "aes128", "--under", "kbpk/bank-a"];
        station.run(&[&fixed[..], &["--by", "carol", "--from", "-"]].concat(), block)
    };
    let flipped = |at: usize| {
        let mut bytes = block.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    // In the cipher, in the MAC, and what the header says of it.
    for tampered in [flipped(20), flipped(block.len() - 1), block.replacen("M6", "D0", 1), block[..60].to_owned()] {
        assert_ne!(tampered, block);
        let ran = import(&tampered);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        assert!(ran.said.contains("key block") && !ran.said.contains(&tampered), "{}", ran.said);
    }
    assert!(rows(&station, "back/key").is_empty());
    assert_eq!(import(&block).code, Some(0), "and as it was it comes in");
    // The same in the key file itself.
    let kept = rows(&station, "bank-a/zak")[0][9].clone();
    let mut bytes = kept.clone().into_bytes();
    let last = bytes.len() - 1;
    bytes[last] = if bytes[last] == b'0' { b'1' } else { b'0' };
    let text = station.text("keys.csv").replace(&kept, &String::from_utf8(bytes).unwrap());
    fs::write(station.path("keys.csv"), text).unwrap();
    let listed = station.run(&["list", "--verify"], "");
    assert_eq!(listed.code, Some(1));
    assert!(listed.out.contains("WRONG: bank-a/zak generation 1"), "{}", listed.out);
}

#[test]
fn a_key_block_travels_under_a_key_block_key_and_keeps_its_usage() {
    let station = Station::begun();
    let kind = ["--usage", "key-block", "--algorithm", "aes256"];
    assert_eq!(station.enter("kbpk/bank-a", "alice", AES_FIRST, &kind).code, Some(0));
    assert_eq!(station.enter("kbpk/bank-a", "bob", AES_SECOND, &kind).code, Some(0));
    let made = ["rotate", "bank-a/zak", "--usage", "mac", "--algorithm", "aes128", "--under", "kbpk/bank-a"];
    let made = station.run(&[&made[..], &["--by", "carol"]].concat(), "");
    assert_eq!(made.code, Some(0), "{}", made.said);
    let block = made.out.lines().find_map(|line| line.strip_prefix("cipher")).unwrap().trim().to_owned();
    assert!(block.starts_with('D'), "{block}");
    let import = |usage: &str| {
        let fixed = ["import", "back/key", "--usage", usage, "--algorithm", "aes128", "--under", "kbpk/bank-a"];
        station.run(&[&fixed[..], &["--by", "carol", "--from", "-"]].concat(), &block)
    };
    let other = import("data");
    assert_eq!(other.code, Some(1), "{}", other.out);
    assert!(other.said.contains("usage"), "{}", other.said);
    assert_eq!(import("mac").code, Some(0));
    assert_eq!(rows(&station, "back/key")[0][5], rows(&station, "bank-a/zak")[0][5], "the same key");
}

#[test]
fn a_key_that_others_hang_on_leaves_only_when_it_is_made() {
    let station = Station::begun();
    station.kek("zmk/injector");
    let name = "terminal/10000001/tmk";
    let made = ["rotate", name, "--usage", "kek", "--algorithm", "tdes2", "--under", "zmk/injector", "--by", "carol"];
    let ran = station.run(&made, "");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.out.contains("cipher"), "{}", ran.out);
    let ran = station.run(&["export", name, "--under", "zmk/injector", "--by", "carol"], "");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
}

#[test]
fn generations_follow_each_other_and_the_station_takes_the_current_one() {
    let station = Station::begun();
    let name = "bank-a/zak";
    let states = || rows(&station, name).iter().map(|row| row[4].clone()).collect::<Vec<_>>().join(" ");
    let rotate = |more: &[&str]| station.run(&[&["rotate", name, "--by", "carol"][..], more].concat(), "");
    let none = rotate(&[]);
    assert_eq!(none.code, Some(1), "it is not said what for: {}", none.out);
    assert_eq!(rotate(&["--usage", "mac", "--algorithm", "aes128"]).code, Some(0));
    assert_eq!(states(), "current");
    assert_eq!(rotate(&["--usage", "pin", "--algorithm", "aes128"]).code, Some(1), "a key stays what it is");
    assert_eq!(rotate(&["--settle"]).code, Some(1), "there is none before");
    assert_eq!(rotate(&[]).code, Some(0));
    assert_eq!(states(), "current pending");
    assert_eq!(rotate(&["--activate"]).code, Some(0));
    assert_eq!(states(), "before current");
    let text = station.text("keys.csv");
    let loaded = config::load(&station.path("station.toml"), &|_| true);
    let names: Vec<String> = loaded
        .map_err(|breaches| format!("{breaches:?}"))
        .unwrap()
        .keys
        .names()
        .iter()
        .map(|(name, _)| name.as_str().to_owned())
        .collect();
    assert_eq!(names, [name], "one generation of two in {text}");
    assert_eq!(rotate(&["--settle"]).code, Some(0));
    assert_eq!(states(), "retired current");
    assert!(rows(&station, name)[0][9].is_empty(), "destroyed");
    assert_eq!(rotate(&[]).code, Some(0));
    assert_eq!(rotate(&["--withdraw"]).code, Some(0));
    assert_eq!(states(), "retired current retired");
    let listed = station.run(&["list", "--json", "--verify"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.out);
}

#[test]
fn the_audit_file_tells_when_it_was_changed_or_cut() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    let audit = station.text("keys.audit");
    let lines: Vec<&str> = audit.lines().collect();
    assert_eq!(lines.len(), 4, "init, two components, the key: {audit}");
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(number, _)| *number != left_out);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    for (what, text) in [
        ("a name is another", audit.replacen("alice", "mallory", 1)),
        ("a line is gone", without(1)),
        ("the last line is gone", without(3)),
        ("the last line is torn", audit.trim_end().to_owned()),
        ("there is nothing", String::new()),
    ] {
        fs::write(station.path("keys.audit"), text).unwrap();
        for arguments in [&["list"][..], &["rotate", "x/y", "--usage", "mac", "--algorithm", "des", "--by", "carol"]] {
            let ran = station.run(arguments, "");
            assert_eq!(ran.code, Some(3), "{what}: {} {}", ran.out, ran.said);
            assert!(ran.said.contains("audit"), "{what}: {}", ran.said);
        }
    }
    fs::write(station.path("keys.audit"), &audit).unwrap();
    assert_eq!(station.run(&["list"], "").code, Some(0));
}

#[test]
fn another_master_key_is_told_before_anything_is_done() {
    let station = Station::begun();
    station.kek("zmk/bank-a");
    let before = station.text("keys.csv");
    fs::remove_file(station.path("master.key")).unwrap();
    let ran = station.run(&["rotate", "zmk/bank-a", "--by", "carol"], "");
    assert_eq!(ran.code, Some(8), "{}", ran.said);
    assert!(ran.said.contains("another master key"), "{}", ran.said);
    assert_eq!(station.text("keys.csv"), before);
}

#[test]
fn test_keys_stay_out_of_stations_that_have_none() {
    let station = Station::new();
    let clear = "name,usage,algorithm,key\nhost/zpk,pin,tdes2,0123456789ABCDEFFEDCBA9876543210\n\
        host/zak,mac,tdes2,7C0FA2D15E9B3384E6617A0BD84C2F95\n";
    fs::write(station.path("clear.csv"), clear).unwrap();
    let from = station.path("clear.csv");
    let ran = station.run(&["init", "--by", "operator", "--from", from.to_str().unwrap()], "");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(rows(&station, "host/zpk")[0][5..9], ["08D7B4", "", "", "true"], "published");
    assert_eq!(rows(&station, "host/zak")[0][5..9], ["50700C", "", "", "false"], "drawn");
    assert!(!station.text("keys.csv").contains("0123456789ABCDEF"));
    let breaches = config::load(&station.path("station.toml"), &|_| true).err().unwrap();
    assert!(breaches.iter().any(|breach| breach.to_string().contains("test: is a test key")), "{breaches:?}");
    let again = station.run(&["init", "--by", "operator"], "");
    assert_eq!(again.code, Some(2), "{}", again.out);
    assert!(again.said.contains("is there already"), "{}", again.said);
}

/// What must be nowhere: components, what they make, and keys that come in, as a custodian would write them.
const SECRETS: [&str; 6] =
    [FIRST.0, SECOND.0, "0123456789ABCDEFFEDCBA9876543210", AES_FIRST.0, AES_SECOND.0, PIN_KEY.0];

fn tells(text: &str) -> Option<&'static str> {
    let plain: String = text.to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
    SECRETS.into_iter().find(|secret| plain.contains(secret) || plain.contains(&secret[..16]))
}

#[test]
fn nothing_secret_is_in_what_is_printed_or_kept() {
    let station = Station::begun();
    let mut said = Vec::new();
    let kind = ["--usage", "key-block", "--algorithm", "aes256"];
    for (name, by, component, kind) in [
        ("zmk/bank-a", "alice", FIRST, &[][..]),
        ("zmk/bank-a", "alice", SECOND, &[]),
        ("zmk/bank-a", "bob", (SECOND.0, "000000"), &[]),
        ("zmk/bank-a", "bob", (&SECOND.0[..30], SECOND.1), &[]),
        ("zmk/bank-a", "bob", SECOND, &[]),
        ("kbpk/bank-a", "alice", AES_FIRST, &kind),
        ("kbpk/bank-a", "bob", AES_SECOND, &kind),
    ] {
        said.push(station.enter(name, by, component, kind));
    }
    said.push(import(&station, ("pin", "tdes2"), "000000", PIN_KEY.2));
    said.push(import(&station, ("pin", "tdes2"), PIN_KEY.1, PIN_KEY.2));
    for line in [
        "rotate bank-a/own --usage pin --algorithm tdes2 --under zmk/bank-a --by carol",
        "export bank-a/own --under zmk/bank-a --by carol",
        "export bank-a/own --under kbpk/bank-a --by carol",
        "export zmk/bank-a --under kbpk/bank-a --by carol",
        "rotate bank-a/own --by carol",
        "rotate bank-a/own --activate --by carol",
        "list --verify --audit",
        "list --json --audit",
    ] {
        said.push(station.run(&line.split(' ').collect::<Vec<_>>(), ""));
    }
    assert_eq!(said.iter().filter(|ran| ran.code == Some(0)).count(), 12, "what is refused is refused");
    for text in said.iter().flat_map(|ran| [&ran.out, &ran.said]) {
        assert_eq!(tells(text), None, "{text}");
    }
    for (name, text) in station.files() {
        assert_eq!(tells(&text), None, "{name}");
    }
    assert!(tells("component: 7c0f a2d1 5e9b 3384").is_some(), "and it would be found");
}

#[test]
fn a_component_is_in_no_argument_and_no_variable_while_it_is_entered() {
    let station = Station::begun();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["keys", "ceremony", "zmk/bank-a", "--usage", "kek", "--algorithm", "tdes2", "--check", FIRST.1]);
    command.args(["--by", "alice", "--component-fd", "0", "-c"]).arg(station.path("station.toml"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Half of it is there, so that it has begun to read and waits for the rest.
    input.write_all(&FIRST.0.as_bytes()[..16]).unwrap();
    input.flush().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let text = |file: &str| String::from_utf8_lossy(&fs::read(process.join(file)).unwrap()).into_owned();
    // A process that has just begun has no arguments yet.
    await_that("it is that process", || text("cmdline").contains("zmk/bank-a"));
    for file in ["cmdline", "environ"] {
        assert_eq!(tells(&text(file)), None, "{file}");
    }
    input.write_all(&FIRST.0.as_bytes()[16..]).unwrap();
    drop(input);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    assert_eq!(tells(&String::from_utf8_lossy(&out.stdout)), None);
}

#[test]
fn the_manuals_example_runs_as_it_stands() {
    let manual = include_str!("../../../src/manual/keys.md");
    let script = manual.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let ran = Command::new("sh").args(["-e", "-c", script]).env("PATH", path).current_dir(&folder).output().unwrap();
    let (out, said) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{said}");
    assert!(out.contains("zmk/bank-a generation 1: check value 08D7B4, current"), "{out}");
    assert_eq!(tells(&out), None, "{out}");
    // What the page says that it prints.
    for line in manual.split("```text\n").nth(1).unwrap().split("```").next().unwrap().lines() {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn key_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let station = Station::begun();
    assert_eq!(station.enter("zmk/bank-a", "alice", FIRST, &[]).code, Some(0));
    for name in ["keys.csv", "keys.audit", "keys.parts", "master.key"] {
        assert_eq!(mode(&station.path(name)) & 0o077, 0, "{name}");
    }
    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode()
    }
}
