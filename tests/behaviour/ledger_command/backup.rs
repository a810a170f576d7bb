//! `tollgate ledger backup` and `restore`.

use super::*;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A backup of [`a_day`], made while the ledger was in use.
fn a_backup() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy) = (folder.path().join("live"), folder.path().join("copy"));
    let kept = a_day(&live);
    let (exit, said) = ledger(&["backup", text(&live), text(&copy)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("chain, anchor and") && said.contains("2026-11-21  156  reversed"), "{said}");
    drop(kept);
    (folder, copy)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_backup_of_a_ledger_in_use_restores_to_a_ledger_that_goes_on() {
    let (folder, copy) = a_backup();
    let new = folder.path().join("new");
    let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("restored and proved"), "{said}");
    let export = |folder: &Path| ledger(&["export", text(folder)]).1;
    assert_eq!(export(&new), export(&folder.path().join("live")));
    assert!(!folder.path().join("new.part").exists());
    let kept = Kept::open(Folder::open(&new).unwrap());
    assert_eq!(kept.ledger.open_intents().len(), 1);
    kept.end(sale(&kept.ledger, 3, 30, 5), Outcome::Approved);
    kept.anchor();
    assert_eq!(ledger(&["verify", text(&new)]).0, Exit::Ok);
}

#[test]
fn what_comes_after_the_anchor_is_not_in_the_backup_and_what_comes_before_is() {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy) = (folder.path().join("live"), folder.path().join("copy"));
    let kept = a_day(&live);
    kept.end(sale(&kept.ledger, 3, 30, 5), Outcome::Approved);
    assert_eq!(ledger(&["backup", text(&live), text(&copy)]).0, Exit::Ok);
    assert_eq!(ledger(&["export", text(&copy)]).1.lines().count(), 8);
    assert_eq!(ledger(&["verify", text(&copy)]).0, Exit::Ok, "no torn end, no lost one");
    kept.anchor();
    let later = folder.path().join("later");
    assert_eq!(ledger(&["backup", text(&live), text(&later)]).0, Exit::Ok);
    assert_eq!(ledger(&["export", text(&later)]).1.lines().count(), 9);
}

#[test]
fn its_check_sums_are_those_of_its_files() {
    let (_folder, copy) = a_backup();
    let sums =
        std::process::Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&copy).output();
    assert!(sums.unwrap().status.success());
    let manifest: Value = serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    let totals = manifest["totals"].as_array().unwrap();
    let approved = totals.iter().find(|total| total["standing"] == "approved").unwrap();
    assert_eq!((&approved["count"], &approved["amount"]), (&3.into(), &"2300".into()));
}

#[test]
fn a_flipped_byte_anywhere_in_a_backup_is_refused_and_leaves_nothing_behind() {
    let (folder, copy) = a_backup();
    let new = folder.path().join("new");
    for file in files(&copy).iter().filter(|file| !file.ends_with("lock")) {
        let whole = fs::read(file).unwrap();
        for at in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut rotten = whole.clone();
            rotten[at] ^= 0x20;
            fs::write(file, rotten).unwrap();
            let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
            assert_eq!(exit, Exit::No, "{} at {at}: {said}", file.display());
            assert!(!new.exists() && !folder.path().join("new.part").exists());
        }
        fs::write(file, whole).unwrap();
    }
    assert_eq!(ledger(&["restore", text(&copy), text(&new)]).0, Exit::Ok, "whole again");
}

#[test]
fn a_file_missing_or_cut_is_refused() {
    let (folder, copy) = a_backup();
    let new = folder.path().join("new");
    for file in files(&copy).iter().filter(|file| !file.ends_with("lock")) {
        let whole = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
        assert_eq!(exit, Exit::No, "{} missing: {said}", file.display());
        fs::write(file, &whole[..whole.len() - 1]).unwrap();
        let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
        assert_eq!(exit, Exit::No, "{} cut: {said}", file.display());
        assert!(!new.exists());
        fs::write(file, whole).unwrap();
    }
}

/// Writes a changed manifest with the sums that belong to it, as somebody would who means harm.
fn forge(copy: &Path, change: impl Fn(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(copy.join("manifest.json"), manifest.to_string()).unwrap();
    let names: Vec<String> =
        files(copy).iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let names = names.iter().filter(|name| !matches!(name.as_str(), "SHA256SUMS" | "lock"));
    let sums = std::process::Command::new("sha256sum").args(names).current_dir(copy).output().unwrap();
    fs::write(copy.join("SHA256SUMS"), sums.stdout).unwrap();
}

#[test]
fn totals_that_do_not_add_up_are_refused_although_every_check_sum_is_right() {
    let (folder, copy) = a_backup();
    forge(&copy, |manifest| manifest["totals"][0]["amount"] = "1".into());
    let (exit, said) = ledger(&["restore", text(&copy), text(&folder.path().join("new"))]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("totals are not those of the manifest"), "{said}");
}

#[test]
fn a_manifest_that_names_files_elsewhere_is_refused() {
    let (folder, copy) = a_backup();
    fs::write(folder.path().join("escaped"), b"x").unwrap();
    forge(&copy, |manifest| manifest["files"][0]["name"] = "../escaped".into());
    let (exit, said) = ledger(&["restore", text(&copy), text(&folder.path().join("new"))]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("names what is no file of a ledger"), "{said}");
}

#[test]
fn nothing_is_ever_overwritten() {
    let (folder, copy) = a_backup();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("somebody's"), b"work").unwrap();
    for arguments in [["restore", text(&copy), text(&full)], ["backup", text(&folder.path().join("live")), text(&full)]]
    {
        let (exit, said) = ledger(&arguments);
        assert_eq!(exit, Exit::Usage, "{said}");
        assert!(said.contains("there are files already"), "{said}");
    }
    assert_eq!(files(&full).len(), 1);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(ledger(&["restore", text(&copy), text(&empty)]).0, Exit::Ok, "an empty folder is free");
    fs::create_dir(folder.path().join("new.part")).unwrap();
    let (exit, said) = ledger(&["restore", text(&copy), text(&folder.path().join("new"))]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("new.part is left from a run that did not end"), "{said}");
}

#[test]
fn a_folder_that_is_no_backup_is_no_backup() {
    let (folder, _copy) = a_backup();
    let (exit, said) = ledger(&["restore", text(&folder.path().join("live")), text(&folder.path().join("new"))]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("no whole backup"), "{said}");
    assert_eq!(ledger(&["restore", "nowhere", text(&folder.path().join("new"))]).0, Exit::Usage);
}

#[test]
fn a_backup_that_fails_leaves_nothing_in_the_way_of_the_next() {
    let (folder, _copy) = a_backup();
    let (live, next) = (folder.path().join("live"), folder.path().join("next"));
    let segment = files(&live).into_iter().find(|file| file.extension().is_some_and(|end| end == "tgj")).unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut hurt = whole.clone();
    hurt[600] ^= 1;
    fs::write(&segment, hurt).unwrap();
    assert_ne!(ledger(&["backup", text(&live), text(&next)]).0, Exit::Ok);
    assert!(!next.exists() && !folder.path().join("next.part").exists());
    fs::write(&segment, whole).unwrap();
    assert_eq!(ledger(&["backup", text(&live), text(&next)]).0, Exit::Ok);
}
