//! Ledgers that were hurt while nobody looked: a start says so and changes nothing, or cuts what nobody was
//! told of and says that.

use super::counter::Counter;
use super::kill::agree;
use super::kill::verified;
use super::process::Station;
use super::process::copy;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::verify::verify;

const TABLES: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 16384\nanchor_ms = 20\n";
/// The exit code of a start whose ledger is damaged.
const DAMAGED: Option<i32> = Some(7);

/// A station that has sold over several segments and ended, and a copy of its ledger as it was then.
struct Patient {
    station: Station,
    counter: Counter,
}

/// Where the last group is.
struct Last {
    file: String,
    begins: u64,
    ends: u64,
}

impl Patient {
    fn new() -> Self {
        let mut station = Station::new(TABLES);
        station.start();
        let mut counter = Counter::open(&station, 10_000_001);
        station.await_links();
        for amount in 1..=25 {
            assert!(counter.sell(amount * 100).unwrap().approved);
        }
        assert!(station.stop().success());
        let patient = Self { station, counter };
        assert!(patient.segments().len() >= 3, "{:?}", patient.segments());
        copy(&patient.station.file("ledger"), &patient.station.file("well"));
        patient
    }

    /// The ledger as it was before it was hurt.
    fn heal(&self) {
        std::fs::remove_dir_all(self.station.file("ledger")).unwrap();
        copy(&self.station.file("well"), &self.station.file("ledger"));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.station.file("ledger").join(name)
    }

    /// Names of its segments, in order.
    fn segments(&self) -> Vec<String> {
        let mut names: Vec<String> = contents(&self.station.file("ledger")).into_keys().collect();
        names.retain(|name| name.starts_with("segment-"));
        names
    }

    fn last(&self) -> Last {
        let report = verify(&mut Folder::read_only(&self.station.file("ledger")).unwrap()).unwrap();
        let journal = report.journal.unwrap();
        let end = journal.end.unwrap();
        Last { file: end.file, begins: end.offset - journal.last, ends: end.offset }
    }

    fn write(&self, name: &str, bytes: &[u8], at: u64) {
        let file = OpenOptions::new().write(true).open(self.file(name)).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    /// The start is refused, naming all of `words` and what to do; nothing is changed by it.
    fn is_refused(&mut self, what: &str, words: &[&str]) {
        let before = contents(&self.station.file("ledger"));
        let (code, said) = self.station.refusal();
        assert_eq!(code, DAMAGED, "{what}: {said}");
        for word in [words, &["at byte", "tollgate ledger verify"]].concat() {
            assert!(said.contains(word), "{what}: no `{word}` in: {said}");
        }
        assert!(before == contents(&self.station.file("ledger")), "{what}: it was changed");
        assert!(!self.station.ledger("verify", &[]).status.success(), "{what}: verify sees nothing");
        self.heal();
    }

    /// It starts, says that it cut something at `offset`, and everything that was told to anybody is there.
    fn is_cut(&mut self, what: &str, offset: u64) {
        let said = self.station.log().len();
        self.station.start();
        let log = self.station.log().get(said..).unwrap_or_default().to_owned();
        assert!(log.contains("\"torn\"") && log.contains(&offset.to_string()), "{what}: {log}");
        self.counter.call(&self.station);
        self.station.await_links();
        assert!(self.counter.sell(50_00).unwrap().approved, "{what}");
        assert!(self.station.stop().success());
        verified(&self.station);
        agree(&self.station, &[self.counter.belief()]);
    }
}

/// The files of a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn what_was_written_and_never_synced_is_cut_and_said() {
    let mut patient = Patient::new();
    let last = patient.last();
    let group = std::fs::read(patient.file(&last.file)).unwrap();
    let group = group[usize::try_from(last.begins).unwrap()..usize::try_from(last.ends).unwrap()].to_vec();
    // What a power cut leaves of a group that was being written: noise, its head without its end, its end alone.
    let noise: Vec<u8> = (0..900u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect();
    let written = group.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut headless = group.clone();
    headless[..16].fill(0xA5);
    let torn = [("noise", noise), ("half a group", group[..written / 2].to_vec()), ("a garbled group", headless)];
    for (what, bytes) in torn {
        let ends = patient.last();
        patient.write(&ends.file, &bytes, ends.ends);
        patient.is_cut(what, ends.ends);
    }
}

#[test]
fn a_ledger_that_ends_too_early_is_refused() {
    let mut patient = Patient::new();
    let last = patient.last();
    let zeros = vec![0; usize::try_from(last.ends - last.begins).unwrap()];
    patient.write(&last.file, &zeros, last.begins);
    patient.is_refused("the last group is zeroed", &[&last.file, &last.begins.to_string(), "group", "anchor"]);
    patient.write(&last.file, b"rot", last.begins + 70);
    patient.is_refused("the last group is rotten", &[&last.file, &last.begins.to_string(), "group", "anchor"]);
    let file = OpenOptions::new().write(true).open(patient.file(&last.file)).unwrap();
    file.set_len(last.begins).unwrap();
    patient.is_refused("the last segment is cut short", &[&last.file]);
    std::fs::remove_file(patient.file(&last.file)).unwrap();
    patient.is_refused("the last segment is missing", &["group", "anchor"]);
}

#[test]
fn rot_in_what_was_kept_is_refused_by_its_place() {
    let mut patient = Patient::new();
    let segments = patient.segments();
    for (name, at) in [(&segments[0], 4096 + 100), (&segments[1], 4096 + 1024), (&segments[1], 20)] {
        let whole = std::fs::read(patient.file(name)).unwrap();
        let byte = whole[usize::try_from(at).unwrap()];
        patient.write(name, &[byte ^ 0x10], at);
        patient.is_refused("one bit is wrong", &[name]);
    }
    std::fs::remove_file(patient.file(&segments[1])).unwrap();
    patient.is_refused("a segment is missing", &["group", "goes on"]);
    let (first, second) = (patient.file(&segments[0]), patient.file(&segments[1]));
    std::fs::copy(second, first).unwrap();
    patient.is_refused("a segment under another's name", &[&segments[0]]);
}

#[test]
fn another_ledgers_files_are_refused() {
    let (mut patient, stranger) = (Patient::new(), Patient::new());
    std::fs::copy(stranger.file("anchor"), patient.file("anchor")).unwrap();
    patient.is_refused("another ledger's anchor", &["another journal"]);
    let name = patient.segments()[0].clone();
    std::fs::copy(stranger.file(&name), patient.file(&name)).unwrap();
    patient.is_refused("another ledger's segment", &[&name, "another journal"]);
    std::fs::remove_file(patient.file("anchor")).unwrap();
    patient.is_refused("no anchor", &["no anchor"]);
    patient.write("anchor", &[0; 1024], 0);
    patient.is_refused("an anchor of zeros", &["anchor"]);
    // Well again, as if nothing had been tried.
    patient.station.start();
    patient.counter.call(&patient.station);
    assert!(patient.station.stop().success());
    agree(&patient.station, &[patient.counter.belief()]);
}

#[test]
fn a_second_process_on_the_same_ledger_is_refused_and_the_first_goes_on() {
    let mut station = Station::new(TABLES);
    station.start();
    let mut counter = Counter::open(&station, 10_000_001);
    station.await_links();
    let second = station.command().output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(6), "{said}");
    assert!(said.contains("another process uses this folder"), "{said}");
    assert!(station.runs() && counter.sell(10_00).unwrap().approved);
    assert!(station.stop().success());
    agree(&station, &[counter.belief()]);
}
