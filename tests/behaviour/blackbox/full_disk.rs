//! A disk without room, under the real binary: a small file system of its own.

use super::counter::Counter;
use super::kill::agree;
use super::kill::verified;
use super::means::leave_out;
use super::process::Station;
use crate::switch::CARD_A;
use crate::switch::rig::await_that;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

const TABLES: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 32768\nanchor_ms = 20\n";
/// Bytes of the file system.
const SMALL: u64 = 4 << 20;

/// A mounted file system, until dropped.
struct Mount(PathBuf);

impl Mount {
    /// A small ext4 in a file; in memory where there are no loop devices. `None` if neither may be mounted.
    fn small(at: &Path, image: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let quietly = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        std::fs::File::create(image).unwrap().set_len(SMALL).unwrap();
        let mut make = Command::new("mkfs.ext4");
        let made = quietly(make.args(["-q", "-F", "-b", "4096", "-m", "0", "-O", "^has_journal"]).arg(image));
        let mounted = (made && quietly(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at)))
            || quietly(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at));
        mounted.then(|| Self(at.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        for block in [4096, 512, 1] {
            while file.write_all(&vec![7; block]).is_ok() && file.sync_data().is_ok() {}
        }
    }

    /// Makes room again.
    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a station that a failed test left behind may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Sells until the station says that it has no room.
fn sell_until_full(counter: &mut Counter) {
    for _ in 0..500 {
        let answer = counter.sell(1_00).unwrap();
        if answer.code == Some(ResponseCode::SystemFailure) {
            return;
        }
    }
    panic!("it never was full");
}

#[test]
fn without_room_sales_are_96_and_repeats_and_reversals_are_answered() {
    let mut station = Station::new(TABLES);
    let mounted = Mount::small(&station.file("disk"), &station.file("image"));
    let Some(mount) = mounted else {
        return leave_out("without_room_sales_are_96_and_repeats_and_reversals_are_answered", "nothing may be mounted");
    };
    std::fs::create_dir(station.file("disk/ledger")).unwrap();
    std::os::unix::fs::symlink("disk/ledger", station.file("ledger")).unwrap();
    station.start();
    let (mut counter, mut other) = (Counter::open(&station, 10_000_001), Counter::open(&station, 10_000_002));
    station.await_links();
    let sent = counter.till.prepare(Kind::Sale, 15_00, CARD_A);
    let (first, told) = counter.ask(&sent).unwrap();
    assert!(first.approved && other.sell(16_00).unwrap().approved);
    mount.fill();
    sell_until_full(&mut counter);
    assert!(station.log().contains("ledger-full"), "{}", station.log());
    let on_record = station.stat()["requests"].clone();
    for _ in 0..20 {
        let answer = counter.sell(2_00).unwrap();
        assert_eq!(answer.code, Some(ResponseCode::SystemFailure));
    }
    assert_eq!(on_record, station.stat()["requests"], "what was refused is not on record");
    assert_eq!(counter.repeat(&sent).unwrap(), told, "a repeat gets its answer");
    other.take_back();
    // A power cut does not make it worse.
    station.kill();
    station.start();
    for counter in [&mut counter, &mut other] {
        counter.call(&station);
    }
    assert_eq!(counter.repeat(&sent).unwrap(), told, "also after a start without room");
    assert_eq!(other.sell(2_00).unwrap().code, Some(ResponseCode::SystemFailure));
    mount.empty();
    await_that("sales are accepted again", || counter.sell(17_00).unwrap().approved);
    await_that("it says that there is room", || station.log().contains("ledger-room"));
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &[counter.belief(), other.belief()]);
}
