//! The format: golden files that stay readable forever, and a manual that shows them as they are.

use super::*;
use sha2::Digest;
use sha2::Sha256;
use std::path::PathBuf;

const SEGMENT: &str = "segment-00000000000000000001.tgj";

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden/journal/v1"].iter().collect()
}

fn golden() -> Image {
    [SEGMENT, "anchor"].map(|name| (name.to_owned(), std::fs::read(folder().join(name)).unwrap())).into()
}

/// The groups of the golden journal.
fn groups() -> Vec<Records> {
    let record = |text: &[u8]| [b"\x7f", text].concat();
    vec![vec![record(b"first"), record(b"second")], vec![record(b"third")]]
}

#[test]
fn the_golden_journal_is_readable() {
    let (replayed, seen) = read(&MemoryDisk::of(&golden())).unwrap();
    assert_eq!((seen, replayed.id, replayed.anchor.head()), (groups(), ID, replayed.head));
}

/// `UPDATE_GOLDEN=1 cargo test` writes the files; they may only be new ones, for a new version of the format.
#[test]
fn the_same_groups_are_the_same_bytes() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    for group in groups() {
        write(&mut journal, &group);
    }
    journal.anchor.step().unwrap();
    let image = disk.synced();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        image.iter().for_each(|(name, bytes)| std::fs::write(folder().join(name), bytes).unwrap());
    }
    assert!(image == golden());
}

/// CRC-32C, bit by bit (iSCSI, RFC 3720 section 12.1), apart from the crate that the journal uses.
fn crc32c(parts: &[&[u8]]) -> [u8; 4] {
    let sum = parts.concat().iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 })
    });
    (sum ^ u32::MAX).to_be_bytes()
}

/// The tables of the manual, read by hand.
#[test]
fn the_golden_journal_is_what_the_manual_says() {
    assert_eq!(crc32c(&[b"123456789"]), 0xE306_9283_u32.to_be_bytes(), "the check value of CRC-32C");
    let golden = golden();
    let segment = &golden[SEGMENT];
    let genesis = Sha256::digest(ID.0);
    let stamp = |second: i64| (1_795_305_600_000_000 + second * 1_000_000).to_be_bytes();
    assert_eq!(segment.len(), 8192);
    assert_eq!(segment[0..8], *b"TGSEGMNT");
    assert_eq!(segment[8..16], [0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(segment[16..32], ID.0);
    assert_eq!(segment[32..40], 1_u64.to_be_bytes());
    assert_eq!(segment[40..72], genesis[..]);
    assert_eq!(segment[72..80], stamp(0));
    assert_eq!(segment[80..88], 8192_u64.to_be_bytes());
    assert_eq!(segment[4092..4096], crc32c(&[&segment[..4092]]));

    let first = &segment[4096..4608];
    assert_eq!(first[0..8], [b'T', b'G', b'R', b'P', 0, 1, 0, 0]);
    assert_eq!(first[8..16], 1_u64.to_be_bytes());
    assert_eq!(first[16..24], stamp(0));
    assert_eq!(first[24..56], genesis[..]);
    assert_eq!(first[56..64], [0, 0, 0, 2, 0, 0, 0, 21]);
    assert_eq!(first[64..85], *b"\0\0\0\x06\x7ffirst\0\0\0\x07\x7fsecond");
    assert_eq!(first[85..89], crc32c(&[&ID.0, &first[..85]]));

    let second = &segment[4608..5120];
    assert_eq!(second[8..16], 2_u64.to_be_bytes());
    assert_eq!(second[16..24], stamp(1));
    assert_eq!(second[24..56], Sha256::digest(&first[..89])[..]);
    assert_eq!(second[74..78], crc32c(&[&ID.0, &second[..74]]));
    assert!(segment[5120..].iter().all(|byte| *byte == 0));

    let slots = &golden["anchor"];
    assert_eq!(slots.len(), 1024);
    for (at, number, hash) in [(0, 0_u64, genesis), (512, 2, Sha256::digest(&second[..78]))] {
        let slot = &slots[at..at + 512];
        assert_eq!(slot[0..16], *b"TGANCHOR\0\x01\0\0\0\0\0\0");
        assert_eq!(slot[16..32], ID.0);
        assert_eq!(slot[32..40], number.to_be_bytes());
        assert_eq!(slot[40..72], hash[..]);
        assert_eq!(slot[508..512], crc32c(&[&slot[..508]]));
    }
}

/// As `hexdump -C` prints it.
fn hexdump(bytes: &[u8]) -> String {
    let mut lines = String::new();
    let mut repeated = false;
    let rows: Vec<&[u8]> = bytes.chunks(16).collect();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && rows[index - 1] == *row {
            lines.push_str(if repeated { "" } else { "*\n" });
            repeated = true;
            continue;
        }
        repeated = false;
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = row.iter().map(|b| if (32..127).contains(b) { char::from(*b) } else { '.' }).collect();
        lines += &format!("{:08x}  {}  {}  |{text}|\n", index * 16, hex[..8].join(" "), hex[8..].join(" "));
    }
    lines + &format!("{:08x}\n", bytes.len())
}

#[test]
fn the_manual_shows_the_golden_journal() {
    let manual = include_str!("../../../src/manual/journal_format.md");
    for (name, bytes) in golden() {
        let dump = hexdump(&bytes);
        assert!(manual.contains(&dump), "the manual should show `{name}` as\n{dump}");
    }
}
