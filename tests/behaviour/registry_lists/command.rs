//! `tollgate registry` as an operator calls it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use tollgate::cli::Exit;
use tollgate::cli::run_from;

/// A copy of the demo's files.
struct Station(tempfile::TempDir);

impl Station {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Runs `tollgate registry VERB -c station.toml …`.
    fn run(&self, verb: &str, arguments: &[&str]) -> (Exit, String) {
        let file = self.path("station.toml").display().to_string();
        run(&[&[verb, "-c", &file], arguments].concat())
    }

    /// The same, signed.
    fn signed(&self, verb: &str, arguments: &[&str]) -> (Exit, String) {
        self.run(verb, &[arguments, &["--actor", "alice", "--reason", "a test"]].concat())
    }
}

fn run(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate", "registry"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

#[test]
fn a_station_in_order_is_counted_and_one_that_is_not_has_every_breach_told() {
    let station = Station::new();
    let (exit, said) = station.run("check", &[]);
    assert_eq!((exit, said.as_str()), (Exit::Ok, "in order: 200 merchants (200 active), 200 terminals, 10 devices\n"));
    station.write("devices.csv", "serial,check,terminal\n7700100015,luhn,10000001\nA-1,,99999999\n");
    let (exit, said) = station.run("check", &[]);
    assert_eq!(exit, Exit::Config);
    assert!(said.contains("devices.csv:2: serial: its check digit is wrong"), "{said}");
    assert!(said.contains("devices.csv:3: terminal 99999999 is not listed"), "{said}");
}

#[test]
fn what_is_exported_and_imported_again_changes_nothing() {
    let station = Station::new();
    for (list, file) in [("merchants", "merchants.csv"), ("terminals", "terminals.csv"), ("devices", "devices.csv")] {
        for (form, name) in [("csv", "rows.csv"), ("toml", "rows.toml")] {
            let (exit, rows) = station.run("export", &[list, "--format", form]);
            assert_eq!(exit, Exit::Ok);
            let rows = station.write(name, &rows);
            let (exit, said) = station.signed("import", &[list, &rows, "--replace"]);
            assert_eq!(exit, Exit::Ok, "{said}");
            assert!(said.starts_with("nothing differs\n"), "{said}");
            assert!(station.text(file).starts_with("# The demo's"), "the head of the file stays");
        }
    }
}

#[test]
fn many_terminals_are_made_rehearsed_and_brought_in_and_who_did_it_is_kept() {
    let station = Station::new();
    let templates =
        station.text("station.toml").replace("# templates = [\"templates.toml\"]", "templates = [\"templates.toml\"]");
    station.write("station.toml", &templates);
    station.write("templates.toml", "[[template]]\ntemplate = \"counter\"\nclass = \"fixed\"\nmaster_key = \"none\"\n");
    let merchant = "898110054110001";
    let (_, rows) =
        run(&["make", "--from", "20000001", "--count", "500", "--template", "counter", "--merchant", merchant]);
    assert_eq!(rows.lines().count(), 501);
    assert_eq!(rows.lines().last(), Some("20000500,counter,898110054110001"));
    let (before, rows) = (station.text("terminals.csv"), station.write("new.csv", &rows));
    let (exit, said) = station.signed("import", &["terminals", &rows, "--dry-run"]);
    assert_eq!((exit, said.lines().rev().nth(1)), (Exit::Ok, Some("500 rows added, 0 changed, 0 removed")));
    assert_eq!((station.text("terminals.csv"), station.path("station.toml.changes.jsonl").exists()), (before, false));
    let (exit, said) = station.signed("import", &["terminals", &rows]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(station.run("check", &[]).1.contains("700 terminals"));
    let kept = station.text("station.toml.changes.jsonl");
    let line: serde_json::Value = serde_json::from_str(kept.lines().last().unwrap()).unwrap();
    assert_eq!((line["actor"].as_str(), line["reason"].as_str()), (Some("alice"), Some("a test")));
    assert_eq!(line["what"], "import of 500 terminals");
    assert_eq!(line["after"].as_str().unwrap().len(), 64);
}

#[test]
fn nothing_is_written_of_rows_of_which_the_last_is_wrong() {
    let station = Station::new();
    let before = station.text("terminals.csv");
    let rows = "terminal,merchant\n10000001,898110054110001\n20000001,898110054119999\n";
    let rows = station.write("new.csv", rows);
    let (exit, said) = station.signed("import", &["terminals", &rows]);
    assert_eq!(exit, Exit::Config);
    assert!(said.contains("nothing was written") && said.contains("merchant 898110054119999 is not listed"), "{said}");
    assert_eq!(station.text("terminals.csv"), before);
    let unknown = station.write("new.csv", "terminal,colour\n20000001,red\n");
    assert!(station.signed("import", &["terminals", &unknown]).1.contains("unknown column \"colour\""));
}

#[test]
fn another_device_takes_a_terminals_place() {
    let station = Station::new();
    let spare = "7700100998";
    let (exit, said) = station.signed("swap", &["10000001", spare]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("~ terminal 10000001  device 7700100014 -> 7700100998"), "{said}");
    assert!(said.contains("it must sign in") && said.contains("Its batch goes on"), "{said}");
    let row =
        |serial: &str| station.text("devices.csv").lines().find(|line| line.starts_with(serial)).unwrap().to_owned();
    assert!(row(spare).ends_with(",10000001") && row("7700100014").ends_with(','));
    let (exit, said) = station.signed("swap", &["10000001", spare]);
    assert_eq!(exit, Exit::No, "{said}");
    let (exit, said) = station.signed("swap", &["10000001", "A-9"]);
    assert!(exit == Exit::Usage && said.contains("device A-9 is not listed"), "{said}");
}

#[test]
fn a_device_that_another_terminal_has_is_taken_from_there_only_if_that_is_said() {
    let station = Station::new();
    let before = station.text("devices.csv");
    let (exit, said) = station.signed("swap", &["10000001", "7700100022"]);
    assert_eq!(exit, Exit::No, "{said}");
    assert!(
        said.contains("device 7700100022 is at terminal 10000002") && said.contains("--take-from 10000002"),
        "{said}"
    );
    let (exit, said) = station.signed("swap", &["10000001", "7700100022", "--take-from", "10000003"]);
    assert!(exit == Exit::Usage && said.contains("device 7700100022 is at terminal 10000002"), "{said}");
    let (exit, said) = station.signed("swap", &["10000001", "7700100998", "--take-from", "10000003"]);
    assert!(exit == Exit::Usage && said.contains("device 7700100998 is at no terminal"), "{said}");
    assert_eq!(station.text("devices.csv"), before, "nothing was written");
    let (exit, said) = station.signed("swap", &["10000001", "7700100022", "--take-from", "10000002"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("terminal 10000002 has no device now"), "{said}");
    let row =
        |serial: &str| station.text("devices.csv").lines().find(|line| line.starts_with(serial)).unwrap().to_owned();
    assert!(station.run("check", &[]).0 == Exit::Ok && row("7700100022").ends_with(",10000001"));
    // Where the terminals' rows name their devices, it is the same.
    let terminals = "terminal,merchant,device\n10000001,898110054110001,7700100014\n10000002,898110054110002,7700100022\n\
        10000003,898110054110003,\n10000004,898110054110004,\n";
    station.write("terminals.csv", terminals);
    station.write("devices.csv", "serial,terminal\n7700100014,\n7700100022,\n7700100030,10000003\n7700100998,\n");
    assert_eq!(station.signed("swap", &["10000001", "7700100022"]).0, Exit::No);
    assert_eq!(station.signed("swap", &["10000001", "7700100022", "--take-from", "10000002"]).0, Exit::Ok);
    assert!(station.text("terminals.csv").contains("10000001,898110054110001,7700100022\n10000002,898110054110002,\n"));
    // From one list to the other, and from one that is terminated without a word.
    let (exit, said) = station.signed("swap", &["10000003", "7700100022", "--take-from", "10000001"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(!station.text("terminals.csv").contains("7700100022"));
    assert!(station.text("devices.csv").contains("7700100022,10000003\n7700100030,\n"));
    station.write(
        "terminals.csv",
        "terminal,merchant,standing\n10000001,898110054110001,\n10000003,898110054110003,terminated\n",
    );
    let (exit, said) = station.signed("swap", &["10000001", "7700100022"]);
    assert_eq!(exit, Exit::Ok, "{said}");
}

#[test]
fn a_breach_of_imported_rows_has_the_line_of_the_file_that_was_brought_in() {
    let station = Station::new();
    let rows =
        "# new ones\nterminal,merchant\n20000001,898110054110001\n\n20000002,898110054119999\n2,898110054110001\n";
    let rows = station.write("new.csv", rows);
    let (exit, said) = station.signed("import", &["terminals", &rows]);
    assert_eq!(exit, Exit::Config);
    assert!(said.contains("new.csv:5: merchant 898110054119999 is not listed"), "{said}");
    assert!(said.contains("new.csv:6: terminal: is not 8 characters") && !said.contains("terminals.csv:"), "{said}");
    let toml = "[[terminal]]\nterminal = \"20000001\"\nmerchant = \"898110054110001\"\n\n[[terminal]]\n\
        terminal = \"20000002\"\nclass = \"round\"\nmerchant = \"898110054119999\"\n";
    let rows = station.write("new.toml", toml);
    let (_, said) = station.signed("import", &["terminals", &rows]);
    assert!(said.contains("new.toml:7: class: is not"), "{said}");
    assert!(said.contains("new.toml:8: merchant 898110054119999 is not listed"), "{said}");
    // A row that was there and fits no more keeps the line that it has in its own file.
    let merchants = station.text("merchants.csv").replace("898110054110003,", "898110054119993,");
    station.write("merchants.csv", &merchants);
    let rows = station.write("new.csv", "terminal,merchant\n20000001,898110054110001\n");
    let (_, said) = station.signed("import", &["terminals", &rows]);
    assert!(said.contains("terminals.csv:7: merchant 898110054110003 is not listed"), "{said}");
}

#[test]
fn what_is_no_text_has_the_line_of_its_first_bad_byte() {
    let station = Station::new();
    let spoil = |name: &str, line: usize| {
        let text = station.text(name);
        let at = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
        let mut bytes = text.into_bytes();
        bytes[at] = 0xD6;
        fs::write(station.path(name), &bytes).unwrap();
    };
    spoil("merchants.csv", 7);
    spoil("risk.toml", 3);
    let (exit, said) = station.run("check", &[]);
    assert_eq!(exit, Exit::Config);
    assert!(said.contains("merchants.csv:7: is not UTF-8 text"), "{said}");
    assert!(said.contains("risk.toml:3: is not UTF-8 text"), "{said}");
    spoil("station.toml", 6);
    let (exit, said) = station.run("check", &[]);
    assert!(exit == Exit::Config && said.contains("station.toml:6: is not UTF-8 text"), "{said}");
    let station = Station::new();
    let rows = station.path("new.csv");
    fs::write(&rows, b"terminal,merchant\n20000001,898110054110001\n\xFF\n").unwrap();
    let (exit, said) = station.signed("import", &["terminals", &rows.display().to_string()]);
    assert!(exit == Exit::Config && said.contains("new.csv:3: is not UTF-8 text"), "{said}");
}

#[test]
fn a_key_that_a_terminal_lacks_is_told_where_its_row_stands_also_in_toml() {
    let station = Station::new();
    let file = station.text("station.toml").replace("\"terminals.csv\"", "\"terminals.csv\", \"more.toml\"");
    station.write("station.toml", &file);
    let rows = "[[terminal]]\nmerchant = \"898110054110001\"\nmaster_key = \"none\"\nterminal = \"20000001\"\n\
        [[terminal]]\nmerchant = \"898110054110001\"\nterminal = \"20000002\"\nmaster_key = \"nobody/tmk\"\n";
    station.write("more.toml", rows);
    let (exit, said) = station.run("check", &[]);
    assert_eq!(exit, Exit::Config);
    assert!(said.contains("more.toml:7: terminal 20000002: key nobody/tmk is not in the list of keys"), "{said}");
}

#[test]
fn an_import_of_nothing_writes_nothing_and_says_so() {
    let station = Station::new();
    let before = station.text("terminals.csv");
    for rows in ["terminal,merchant\n", "terminal,merchant\n10000001,898110054110001\n"] {
        let rows = station.write("new.csv", rows);
        let (exit, said) = station.signed("import", &["terminals", &rows]);
        assert_eq!(exit, Exit::Ok, "{said}");
        assert!(said.contains("nothing was written") && !said.contains("is written"), "{said}");
        assert_eq!(station.text("terminals.csv"), before);
    }
    assert!(!station.path("station.toml.changes.jsonl").exists());
}

#[test]
fn two_stations_are_compared() {
    let (old, new) = (Station::new(), Station::new());
    let compare = || {
        let [one, other] = [&old, &new].map(|station| station.path("station.toml").display().to_string());
        run(&["diff", &one, &other])
    };
    assert_eq!(compare(), (Exit::Ok, "nothing differs\n".to_owned()));
    let merchants = new.text("merchants.csv").replace("898110054110001,示范商店001", "898110054110001,新店");
    new.write("merchants.csv", &merchants);
    new.write("bins.csv", "prefix,issuer\n62,bank-a\n");
    let (exit, said) = compare();
    assert_eq!(exit, Exit::No);
    assert!(said.contains("~ merchant 898110054110001  name 示范商店001 -> 新店"), "{said}");
    assert!(said.contains("also bins"), "{said}");
}

#[test]
fn an_empty_list_has_every_column_and_can_be_read() {
    for list in ["merchants", "terminals", "devices", "templates", "groups", "regions"] {
        let (exit, text) = run(&["template", list]);
        assert_eq!(exit, Exit::Ok);
        let header = text.lines().nth(1).unwrap();
        assert!(header.contains(list.trim_end_matches('s')) || header.starts_with("serial"), "{header}");
    }
}

#[test]
fn rows_that_are_brought_in_at_once_are_all_there() {
    let station = Station::new();
    let rows: Vec<String> = (0..4)
        .map(|run| {
            let row = format!("terminal,merchant,master_key\n2000000{run},898110054110001,none\n");
            station.write(&format!("new{run}.csv"), &row)
        })
        .collect();
    std::thread::scope(|scope| {
        for rows in &rows {
            scope.spawn(|| {
                let (exit, said) = station.signed("import", &["terminals", rows]);
                assert_eq!(exit, Exit::Ok, "{said}");
            });
        }
    });
    let (exit, said) = station.run("check", &[]);
    assert!(exit == Exit::Ok && said.contains("204 terminals"), "{said}");
    assert_eq!(station.text("station.toml.changes.jsonl").lines().count(), 4);
}

#[test]
fn rows_for_later_are_told_and_kept() {
    let station = Station::new();
    let rows = |class: &str| {
        let text =
            format!("terminal,merchant,class,from\n10000001,898110054110001,{class},2099-01-01T00:00:00+08:00\n");
        station.write("new.csv", &text)
    };
    let told = |said: &str, sign: &str| {
        said.starts_with(&format!("{sign} terminal 10000001  from 20"))
            && said.contains("0 rows added, 0 changed, 0 removed; 1 row for later")
    };
    let (exit, said) = station.signed("import", &["terminals", &rows("fixed"), "--dry-run"]);
    assert!(exit == Exit::Ok && told(&said, "+") && said.ends_with("nothing was written\n"), "{said}");
    let (exit, said) = station.signed("import", &["terminals", &rows("fixed")]);
    assert!(exit == Exit::Ok && told(&said, "+") && said.contains("is written"), "{said}");
    let kept = station.text("station.toml.changes.jsonl");
    let line: serde_json::Value = serde_json::from_str(kept.lines().last().unwrap()).unwrap();
    assert_eq!((&line["rows"][0]["id"], &line["rows"][0]["change"]), (&"10000001".into(), &"added".into()));
    assert!(line["rows"][0]["from"].is_string(), "{line}");
    let (_, said) = station.signed("import", &["terminals", &rows("fixed")]);
    assert!(said.starts_with("nothing differs\n"), "{said}");
    let (_, said) = station.signed("import", &["terminals", &rows("mobile")]);
    assert!(told(&said, "~"), "{said}");
}

#[test]
fn a_list_behind_a_link_is_written_where_the_link_leads() {
    let station = Station::new();
    fs::create_dir(station.path("kept")).unwrap();
    fs::rename(station.path("terminals.csv"), station.path("kept/ours.csv")).unwrap();
    std::os::unix::fs::symlink("kept/ours.csv", station.path("terminals.csv")).unwrap();
    let rows = station.write("new.csv", "terminal,merchant,master_key\n20000001,898110054110001,none\n");
    let (exit, said) = station.signed("import", &["terminals", &rows]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(fs::symlink_metadata(station.path("terminals.csv")).unwrap().is_symlink());
    assert!(station.text("kept/ours.csv").contains("20000001,898110054110001"));
}
