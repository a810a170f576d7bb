//! `tollgate recon` on a past day: what does not agree is typed, followed, explained or cleared.

use super::Kept;
use super::a_past_day;
use super::text;
use crate::ledger::shop::day;
use crate::ledger::shop::following;
use crate::ledger::shop::reversal;
use crate::ledger::shop::sale;
use crate::switch_side::demo_bank;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Reversal;
use tollgate::ledger::archive::Archiver;
use tollgate::ledger::journal::Folder;
use tollgate::model::BusinessDate;
use tollgate::model::Kind;
use tollgate::settle::recon::ClearingFile;
use tollgate::settle::recon::DifferenceBook;
use tollgate::settle::recon::State;

/// The rows of [`super::a_day`] that its issuer must clear: a sale, and another with its void.
const RIGHT: [&str; 3] = [
    "632500000001,sale,10000001,898110054110001,900,156,D,622500******0253,2026-11-21,A1B2C3",
    "632500000006,sale,10000002,898110054110001,700,156,D,622500******0253,2026-11-21,A1B2C3",
    "632500000007,sale-void,10000002,,700,156,C,622500******0253,2026-11-21,",
];
/// The one that its terminal undid.
const UNDONE: &str = "632500000004,sale,10000002,,400,156,D,622500******0253,2026-11-21,";

/// A file of these rows; its trailer holds.
fn file(date: &str, currency: &str, rows: &[&str]) -> String {
    let sum = |sign: &str| -> u64 {
        let of = rows.iter().map(|row| row.split(',').collect::<Vec<_>>()).filter(|row| row[6] == sign);
        of.map(|row| row[4].parse::<u64>().unwrap()).sum()
    };
    let names = "rrn,kind,terminal,merchant,amount,currency,sign,card,date,approval";
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let (count, debit, credit) = (rows.lines().count(), sum("D"), sum("C"));
    format!("tollgate-clearing,1,bank-a,{date},{currency}\n{names}\n{rows}trailer,{count},{debit},{credit}\n")
}

struct Desk(TempDir);

impl Desk {
    fn open() -> Self {
        Self(a_past_day())
    }

    /// Of a ledger in which this happened.
    fn of(happens: impl FnOnce(&Kept<Folder>)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(Folder::open(folder.path()).unwrap());
        happens(&kept);
        kept.anchor();
        Self(folder)
    }

    fn data(&self) -> &str {
        text(self.0.path())
    }

    /// Runs `tollgate recon ..`: exit code, and what it printed, the failure's text included.
    fn recon(&self, arguments: &[&str]) -> (Exit, String) {
        let mut out = Vec::new();
        let outcome = run_from([&["tollgate", "recon"], arguments, &["--data", self.data()]].concat(), &mut out);
        let text = String::from_utf8(out).unwrap();
        match outcome {
            Ok(exit) => (exit, text),
            Err(failure) => (failure.exit, text + &failure.message),
        }
    }

    fn compare(&self, date: &str, content: &str, more: &[&str]) -> (Exit, String) {
        let path = self.0.path().join("given.csv");
        std::fs::write(&path, content).unwrap();
        let given = format!("bank-a={}", text(&path));
        self.recon(&[&["--date", date, "--clearing", &given], more].concat())
    }

    /// Compares the day with these rows.
    fn day(&self, rows: &[&str]) -> (Exit, String) {
        self.compare("2026-11-21", &file("2026-11-21", "156", rows), &["--replace"])
    }

    fn kept(&self) -> String {
        std::fs::read_to_string(self.0.path().join("recon/differences.jsonl")).unwrap()
    }

    /// Type and state of every difference so far.
    fn book(&self) -> Vec<(&'static str, bool)> {
        let book = DifferenceBook::read(&self.kept()).unwrap();
        book.entries().map(|entry| (entry.difference.key.sort.name(), entry.state == State::Open)).collect()
    }
}

#[track_caller]
fn says(outcome: &(Exit, String), exit: Exit, words: &[&str]) {
    assert_eq!(outcome.0, exit, "{}", outcome.1);
    for word in words {
        assert!(outcome.1.contains(word), "{word} is not in\n{}", outcome.1);
    }
}

#[test]
fn a_day_on_which_everything_agrees_leaves_nothing_open() {
    let desk = Desk::open();
    let report = desk.day(&RIGHT);
    says(&report, Exit::Ok, &["3 rows, debit 16.00, credit 7.00", "3 agree, 0 differ", "0 open"]);
    assert!(desk.book().is_empty());
}

#[test]
fn what_an_issuer_does_not_have_is_missing_there_until_a_later_file_brings_it() {
    let desk = Desk::open();
    says(&desk.day(&RIGHT[1..]), Exit::No, &["missing-there", "632500000001", "here D 9.00 156, there -"]);
    // The same again changes nothing.
    let kept = desk.kept();
    says(&desk.day(&RIGHT[1..]), Exit::No, &["0 new", "1 open"]);
    assert_eq!(desk.kept(), kept);
    let late = "632500000001,sale,10000001,,900,156,D,622500******0253,2026-11-22,";
    let next = file("2026-11-22", "156", &[late]);
    says(&desk.compare("2026-11-22", &next, &[]), Exit::Ok, &["0 new, 1 explained, 0 open"]);
    says(&desk.compare("2026-11-22", &next, &[]), Exit::Ok, &["0 new, 0 explained, 0 open"]);
    says(&desk.recon(&["list", "--all"]), Exit::Ok, &["explained on 2026-11-22: it came in the file of 2026-11-22"]);
}

#[test]
fn what_only_an_issuer_has_is_missing_here_with_a_reason() {
    let desk = Desk::open();
    let stranger = "632500000099,sale,10000001,,100,156,D,622500******0253,2026-11-21,";
    let declined = "632500000009,sale,10000003,,999,156,D,622500******0253,2026-11-21,";
    let report = desk.day(&[&RIGHT[..], &[stranger, declined]].concat());
    says(&report, Exit::No, &["the ledger has no such transaction", "here it is declined with 51", "2 open"]);
    assert_eq!(desk.book(), [("missing-here", true); 2]);
}

#[test]
fn other_amounts_directions_and_moneys_are_typed() {
    let desk = Desk::open();
    let less = RIGHT[0].replace(",900,", ",800,");
    let round = RIGHT[1].replace(",D,", ",C,");
    let report = desk.day(&[&less, &round, RIGHT[2]]);
    says(&report, Exit::No, &["900 here, 800 there", "the other way round", "here D 9.00 156, there D 8.00 156"]);
    assert_eq!(desk.book(), [("amount", true); 2]);
    let dollars: Vec<String> = RIGHT.iter().map(|row| row.replace(",156,", ",840,")).collect();
    let dollars: Vec<&str> = dollars.iter().map(String::as_str).collect();
    let desk = Desk::open();
    let report = desk.compare("2026-11-21", &file("2026-11-21", "840", &dollars), &[]);
    says(&report, Exit::No, &["156 here, 840 there", "not compared: 3 of bank-a in 156"]);
    assert_eq!(desk.book(), [("currency", true); 3]);
}

#[test]
fn a_row_that_comes_twice_is_a_duplicate_in_one_file_and_over_two() {
    let desk = Desk::open();
    says(&desk.day(&[&RIGHT[..], &RIGHT[..1]].concat()), Exit::No, &["duplicate", "2 times in one file"]);
    let again = RIGHT[0].replace("2026-11-21", "2026-11-22");
    let report = desk.compare("2026-11-22", &file("2026-11-22", "156", &[&again]), &[]);
    says(&report, Exit::No, &["bank-a had it before, in its file of 2026-11-21", "2 open"]);
    assert_eq!(desk.book(), [("duplicate", true); 2]);
}

#[test]
fn a_reversal_that_the_issuer_shows_later_is_late_until_its_file_comes() {
    let desk = Desk::open();
    let report = desk.day(&[&RIGHT[..], &[UNDONE]].concat());
    says(&report, Exit::No, &["late-reversal", "undone here, and its reversal is still on its way"]);
    let undo = UNDONE.replace(",sale,", ",reversal,").replace(",D,", ",C,");
    let report = desk.compare("2026-11-22", &file("2026-11-22", "156", &[&undo]), &[]);
    says(&report, Exit::Ok, &["1 explained, 0 open"]);
    // Both in one file are nothing to speak of.
    let desk = Desk::open();
    says(&desk.day(&[&RIGHT[..], &[UNDONE, &undo]].concat()), Exit::Ok, &["0 open"]);
}

#[test]
fn a_difference_is_cleared_once_by_somebody_for_a_reason() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    let clear = |id: &str, actor: &str, reason: &str| desk.recon(&["clear", id, "--actor", actor, "--reason", reason]);
    says(&clear("1", "li.na", " "), Exit::Usage, &["the reason"]);
    says(&clear("2", "li.na", "paid"), Exit::No, &["there is no difference 2"]);
    says(&desk.recon(&["list", "--as-of", "2026-11-25"]), Exit::No, &["  3 d  missing-there", "1 open"]);
    says(&clear("1", "li.na", "paid by bank-a by hand, letter 118"), Exit::Ok, &["cleared by li.na; 0 open"]);
    says(&clear("1", "li.na", "again"), Exit::No, &["it was cleared before"]);
    says(&desk.recon(&["list", "--all"]), Exit::Ok, &["cleared by li.na at", "letter 118"]);
    // Comparing again does not open it again.
    says(&desk.day(&RIGHT[1..]), Exit::Ok, &["0 new", "0 open"]);
}

#[test]
fn what_is_found_no_more_when_its_day_is_compared_again_is_gone() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    says(&desk.day(&RIGHT), Exit::Ok, &["0 open"]);
    assert_eq!(desk.book(), [("missing-there", false)]);
    // And open again, under a new number, should it come back.
    says(&desk.day(&RIGHT[1..]), Exit::No, &["1 new", "1 open"]);
}

#[test]
fn a_file_that_is_cut_short_changed_or_another_days_is_refused_whole() {
    let whole = file("2026-11-21", "156", &RIGHT);
    let cut = whole.rsplit_once("trailer").unwrap().0.to_owned();
    let in_a_row = whole[..whole.len() - 60].to_owned();
    let in_the_trailer = whole.trim_end().to_owned();
    let refused: Vec<(String, &str)> = vec![
        (cut.clone(), "the file is cut short"),
        (in_a_row, "the file is cut short"),
        (in_the_trailer, "the file is cut short"),
        (String::new(), "not a clearing file"),
        (whole.replace(",900,156,D", ",901,156,D"), "sum of debits"),
        (whole.replace("trailer,3", "trailer,4"), "counts 4 rows and there are 3"),
        (whole.clone() + &whole, "something follows the trailer"),
        (whole.replace("******", "123456"), "not masked"),
        (whole.replacen(",156,D", ",840,D", 1), "currency 840 in a file of 156"),
        (whole.replace("898110054110001,900", "898110054110001,9x0"), "line 3: amount"),
        (whole.replace("bank-a", "bank-b"), "it is the file of bank-b, not of bank-a"),
        (file("2026-11-20", "156", &[]), "it is of 2026-11-20, not of 2026-11-21"),
    ];
    for (content, why) in refused {
        let desk = Desk::open();
        says(&desk.compare("2026-11-21", &content, &[]), Exit::No, &[why]);
        assert!(!desk.0.path().join("recon/differences.jsonl").exists(), "{why}: something was noted");
    }
}

#[test]
fn the_same_file_twice_changes_nothing_and_another_one_needs_a_word() {
    let desk = Desk::open();
    let whole = file("2026-11-21", "156", &RIGHT);
    says(&desk.compare("2026-11-21", &whole, &[]), Exit::Ok, &["0 open"]);
    let kept = desk.kept();
    says(&desk.compare("2026-11-21", &whole, &[]), Exit::Ok, &["0 open"]);
    assert_eq!(desk.kept(), kept);
    let other = file("2026-11-21", "156", &RIGHT[1..]);
    says(
        &desk.compare("2026-11-21", &other, &[]),
        Exit::No,
        &["another file of bank-a of 2026-11-21 was taken before"],
    );
    says(&desk.compare("2026-11-21", &other, &["--replace"]), Exit::No, &["1 open"]);
    let path = desk.0.path().join("given.csv");
    let given = format!("bank-a={}", text(&path));
    let twice = desk.recon(&["--date", "2026-11-21", "--clearing", &given, "--clearing", &given]);
    says(&twice, Exit::No, &["bank-a is given twice in 156"]);
}

#[test]
fn an_issuer_whose_file_is_not_given_is_said_to_be_missing() {
    let desk = Desk::open();
    says(&desk.recon(&["--date", "2026-11-21"]), Exit::No, &["not compared: 3 of bank-a in 156"]);
}

#[test]
fn a_book_that_was_cut_short_goes_on_and_a_damaged_one_is_not_believed() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    let path = desk.0.path().join("recon/differences.jsonl");
    let kept = desk.kept();
    // Cut short inside a character.
    let torn = [kept.as_bytes(), "{\"cleared\":{\"id\":1,\"actor\":\"\u{674e}".as_bytes()].concat();
    std::fs::write(&path, &torn[..torn.len() - 1]).unwrap();
    says(&desk.recon(&["list"]), Exit::No, &["1 open"]);
    assert_eq!(std::fs::read(&path).unwrap().len(), torn.len() - 1, "a look changes nothing");
    says(&desk.day(&RIGHT[1..]), Exit::No, &["1 open"]);
    assert_eq!(desk.kept(), kept);
    std::fs::write(&path, [kept.as_bytes(), b"\xe6\n"].concat()).unwrap();
    says(&desk.recon(&["list"]), Exit::Usage, &["line 3 is no event of a book of differences"]);
    std::fs::write(&path, "nonsense\n".to_owned() + &kept).unwrap();
    says(&desk.recon(&["list"]), Exit::Usage, &["line 1 is no event of a book of differences"]);
}

/// The sale of [`a_past_day`] that is missing there, as it comes a day late.
fn a_day_late(amount: u64) -> String {
    file("2026-11-22", "156", &[&format!("632500000001,sale,10000001,,{amount},156,D,622500******0253,2026-11-22,")])
}

#[test]
fn what_a_person_cleared_stays_so_and_what_then_comes_by_file_is_a_new_difference() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    let paid = ["clear", "1", "--actor", "li.na", "--reason", "paid by bank-a by hand"];
    says(&desk.recon(&paid), Exit::Ok, &["0 open"]);
    let twice = desk.compare("2026-11-22", &a_day_late(900), &[]);
    says(&twice, Exit::No, &["duplicate", "its difference 1 was cleared by a person before", "0 explained, 1 open"]);
    says(&desk.recon(&["list", "--all"]), Exit::No, &["cleared by li.na at", "paid by bank-a by hand"]);
    let kept = desk.kept();
    says(&desk.compare("2026-11-22", &a_day_late(900), &[]), Exit::No, &["0 new", "1 open"]);
    assert_eq!(desk.kept(), kept);
}

#[test]
fn a_file_that_takes_the_place_of_one_that_explained_more_opens_what_that_had_explained() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    says(&desk.compare("2026-11-22", &a_day_late(900), &[]), Exit::Ok, &["1 explained, 0 open"]);
    let nothing = file("2026-11-22", "156", &[]);
    says(&desk.compare("2026-11-22", &nothing, &["--replace"]), Exit::No, &["missing-there", "1 open"]);
    assert_eq!(desk.book(), [("missing-there", true)], "under its old number");
    says(&desk.compare("2026-11-22", &a_day_late(900), &["--replace"]), Exit::Ok, &["1 explained, 0 open"]);
}

#[test]
fn other_amounts_are_another_difference_and_an_open_one_has_those_of_the_last_comparison() {
    let desk = Desk::open();
    let with = |amount: &str| RIGHT[0].replace(",900,", &format!(",{amount},"));
    says(&desk.day(&[&with("800"), RIGHT[1], RIGHT[2]]), Exit::No, &["900 here, 800 there"]);
    says(
        &desk.day(&[&with("899"), RIGHT[1], RIGHT[2]]),
        Exit::No,
        &["900 here, 899 there", "there D 8.99 156", "1 open"],
    );
    says(&desk.recon(&["clear", "1", "--actor", "li.na", "--reason", "a cent"]), Exit::Ok, &["0 open"]);
    says(&desk.day(&[&with("1"), RIGHT[1], RIGHT[2]]), Exit::No, &["900 here, 1 there", "1 new", "1 open"]);
    assert_eq!(desk.book(), [("amount", false), ("amount", true)], "what was cleared stays on record");
}

#[test]
fn what_was_cleared_stays_cleared_when_its_file_comes_back_after_another_one() {
    let desk = Desk::open();
    let with = |amount: &str| desk.day(&[&RIGHT[0].replace(",900,", &format!(",{amount},")), RIGHT[1], RIGHT[2]]);
    says(&with("899"), Exit::No, &["1 open"]);
    says(&desk.recon(&["clear", "1", "--actor", "li.na", "--reason", "a cent"]), Exit::Ok, &["0 open"]);
    says(&with("1"), Exit::No, &["900 here, 1 there", "1 new", "1 open"]);
    says(&with("899"), Exit::Ok, &["0 new", "0 open"]);
    says(&desk.recon(&["list", "--all"]), Exit::Ok, &["cleared by li.na", "found no more when its day was"]);
    let kept = desk.kept();
    says(&with("899"), Exit::Ok, &["0 new", "0 open"]);
    assert_eq!(desk.kept(), kept, "the same again changes nothing");
    says(&with("1"), Exit::No, &["900 here, 1 there", "1 new", "1 open"]);
    assert_eq!(desk.book(), [("amount", false), ("amount", false), ("amount", true)]);
}

#[test]
fn what_the_journal_has_behind_its_archive_is_read_before_a_day_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    kept.end(sale(&kept.ledger, 1, 1, 100), Outcome::Approved);
    kept.anchor();
    let mut archiver = Archiver::open(Folder::read_only(folder.path()).unwrap(), folder.path()).unwrap();
    while !archiver.step().unwrap().is_done() {}
    // Then the machine stops, before the anchor says so.
    kept.end(sale(&kept.ledger, 1, 2, 200), Outcome::Approved);
    drop(kept);
    let desk = Desk(folder);
    let second = PAID.replace("632500000001", "632500000002").replace(",100,", ",200,");
    says(&desk.day(&[PAID, &second]), Exit::Ok, &["2 agree, 0 differ", "0 open"]);
    let station = format!("{}/specs/demo/station.toml", env!("CARGO_MANIFEST_DIR"));
    let again = desk.compare("2026-11-21", &file("2026-11-21", "156", &[PAID, &second]), &["-c", &station]);
    says(&again, Exit::Ok, &["2 agree, 0 differ", "0 open"]);
}

#[test]
fn a_day_that_is_not_over_is_compared_as_far_as_it_went_and_that_is_said() {
    let desk = Desk::open();
    says(&desk.recon(&["--date", "2999-12-31"]), Exit::Ok, &["2999-12-31 is not over: compared as far as", "0 open"]);
    says(&desk.recon(&["--date", "2999-12-31", "--json"]), Exit::Ok, &["\"is_over\":false"]);
    says(&desk.recon(&["--date", "2020-03-05", "--json"]), Exit::Ok, &["\"is_over\":true"]);
    let (exit, said) = desk.recon(&["--date", "2020-03-05"]);
    assert!(exit == Exit::Ok && !said.contains("over"), "{said}");
}

#[test]
fn a_file_in_the_wrong_money_is_withdrawn_and_the_right_one_taken() {
    let desk = Desk::open();
    let dollars: Vec<String> = RIGHT.iter().map(|row| row.replace(",156,", ",840,")).collect();
    let dollars: Vec<&str> = dollars.iter().map(String::as_str).collect();
    says(&desk.compare("2026-11-21", &file("2026-11-21", "840", &dollars), &[]), Exit::No, &["3 open"]);
    let right = file("2026-11-21", "156", &RIGHT);
    let report = desk.compare("2026-11-21", &right, &["--withdraw", "bank-a=840"]);
    says(&report, Exit::Ok, &["withdrawn: the file of bank-a in 840", "3 agree, 0 differ", "0 open"]);
    assert!(!desk.0.path().join("recon/bank-a-2026-11-21-840.csv").exists());
    // It was never taken: it may come again, right this time, without a word.
    says(&desk.compare("2026-11-21", &file("2026-11-21", "840", &[]), &[]), Exit::Ok, &["0 open"]);
    let kept = desk.kept();
    let unknown = desk.recon(&["--date", "2026-11-21", "--withdraw", "bank-a=978"]);
    says(&unknown, Exit::No, &["no file of bank-a in 978 was taken for 2026-11-21"]);
    let both = desk.compare("2026-11-21", &right, &["--withdraw", "bank-a=156"]);
    says(&both, Exit::Ok, &["3 agree, 0 differ", "0 open"]);
    assert!(desk.kept().starts_with(&kept));
    says(&desk.recon(&["--date", "2026-11-21", "--withdraw", "bank-a=CNY"]), Exit::Usage, &["an issuer's name, `=`"]);
}

#[test]
fn a_file_that_was_withdrawn_explains_nothing_any_more() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    says(&desk.compare("2026-11-22", &a_day_late(900), &[]), Exit::Ok, &["1 explained, 0 open"]);
    let withdrawn = desk.recon(&["--date", "2026-11-22", "--withdraw", "bank-a=156"]);
    says(&withdrawn, Exit::No, &["missing-there", "1 open"]);
    assert_eq!(desk.book(), [("missing-there", true)], "under its old number");
}

#[test]
fn copies_of_files_are_their_owners_alone_whatever_lay_there() {
    let desk = Desk::open();
    let folder = desk.0.path().join("recon");
    std::fs::create_dir(&folder).unwrap();
    for left in ["bank-a-2026-11-21-156.new", "bank-a-2026-11-21-156.csv.new"] {
        std::fs::write(folder.join(left), "left over").unwrap();
        std::fs::set_permissions(folder.join(left), Permissions::from_mode(0o644)).unwrap();
    }
    says(&desk.day(&RIGHT), Exit::Ok, &["0 open"]);
    let mode = std::fs::metadata(folder.join("bank-a-2026-11-21-156.csv")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_is_noted_as_taken_behind_what_was_found_in_it() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    let kept = desk.kept();
    let lines: Vec<&str> = kept.lines().collect();
    assert!(lines[0].contains("\"opened\"") && lines[1].contains("\"file\"") && lines.len() == 2, "{kept}");
}

#[test]
fn a_folder_without_a_ledger_has_no_book_and_is_not_given_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ledger")).unwrap();
    let desk = Desk(folder);
    for said in [&["list"][..], &["clear", "1", "--actor", "a", "--reason", "b"], &["--date", "2026-11-21"]] {
        says(&desk.recon(said), Exit::Usage, &["/ledger: there is no ledger in this folder"]);
    }
    assert_eq!(std::fs::read_dir(desk.0.path()).unwrap().count(), 1, "nothing was made");
    assert_eq!(std::fs::read_dir(desk.0.path().join("ledger")).unwrap().count(), 0, "nothing was made");
    let desk = Desk::open();
    says(&desk.recon(&["list"]), Exit::Ok, &["0 open"]);
    assert!(!desk.0.path().join("recon").exists(), "a look makes nothing");
}

/// A sale of 100 and a tip of 10 on the 21st; its terminal undoes the sale on `undone`.
fn tipped(undone: Option<i8>) -> Desk {
    Desk::of(|kept| {
        let paid = kept.end(sale(&kept.ledger, 1, 1, 100), Outcome::Approved);
        kept.end(following(Kind::Adjustment, &paid, sale(&kept.ledger, 1, 2, 110)), Outcome::Approved);
        if let Some(date) = undone {
            kept.wait(kept.ledger.reverse(Reversal { date: day(date), ..reversal(1, 3, 1, 100) })).unwrap();
        }
    })
}

const PAID: &str = "632500000001,sale,10000001,,100,156,D,622500******0253,2026-11-21,";
const TIP: &str = "632500000002,adjustment,10000001,,10,156,D,622500******0253,2026-11-21,";

/// The undo of a row.
fn undo(row: &str) -> String {
    row.replace(",sale,", ",reversal,").replace(",adjustment,", ",reversal,").replace(",D,", ",C,")
}

#[test]
fn a_tip_goes_with_the_sale_that_its_terminal_undid() {
    says(&tipped(Some(21)).day(&[]), Exit::Ok, &["0 open"]);
    let desk = tipped(Some(22));
    says(&desk.day(&[PAID, TIP]), Exit::Ok, &["2 agree, 0 differ", "0 open"]);
    let undone = [undo(PAID), undo(TIP)];
    let undone = file("2026-11-22", "156", &[&undone[0], &undone[1]]);
    says(&desk.compare("2026-11-22", &undone, &[]), Exit::Ok, &["2 agree, 0 differ", "0 open"]);
}

#[test]
fn a_tip_that_comes_in_a_later_file_is_compared_with_what_it_added() {
    let desk = tipped(None);
    says(&desk.day(&[PAID]), Exit::No, &["missing-there", "here D 0.10 156", "1 open"]);
    let late = file("2026-11-22", "156", &[&TIP.replace("2026-11-21", "2026-11-22")]);
    says(&desk.compare("2026-11-22", &late, &[]), Exit::Ok, &["1 agree, 0 differ", "1 explained, 0 open"]);
}

#[test]
fn a_day_that_is_compared_again_after_its_sale_was_undone_says_the_same_as_before() {
    let desk = tipped(Some(22));
    let (first, second) = ([PAID, TIP], [undo(PAID), undo(TIP)]);
    says(&desk.day(&first), Exit::Ok, &["0 open"]);
    let second = file("2026-11-22", "156", &[&second[0], &second[1]]);
    says(&desk.compare("2026-11-22", &second, &[]), Exit::Ok, &["0 open"]);
    let kept = desk.kept();
    says(&desk.day(&first), Exit::Ok, &["2 agree, 0 differ", "0 new", "0 open"]);
    assert_eq!(desk.kept(), kept);
    // Where the later file came first, and without the reversals, this one tells that they are missing.
    let desk = tipped(Some(22));
    says(&desk.compare("2026-11-22", &file("2026-11-22", "156", &[]), &[]), Exit::Ok, &["0 open"]);
    says(&desk.day(&first), Exit::No, &["late-reversal", "2 open"]);
    // And where it came after this one, it tells it itself, once.
    let desk = tipped(Some(22));
    says(&desk.day(&first), Exit::Ok, &["0 open"]);
    says(&desk.compare("2026-11-22", &file("2026-11-22", "156", &[]), &[]), Exit::No, &["missing-there", "2 open"]);
    says(&desk.day(&first), Exit::No, &["0 new", "2 open"]);
}

#[test]
fn a_row_of_another_card_terminal_merchant_or_kind_is_a_difference_of_that_type() {
    let with = |from: &str, to: &str| RIGHT[0].replace(from, to);
    let cases = [
        (with("622500******0253", "622500******9999"), "card", "another card there"),
        (with(",10000001,", ",10000002,"), "terminal", "10000001 here, 10000002 there"),
        (with("898110054110001", "898110054110002"), "merchant", "898110054110001 here, 898110054110002 there"),
        (with(",sale,", ",offline-sale,"), "kind", "sale here, offline-sale there"),
    ];
    for (row, sort, text) in &cases {
        let desk = Desk::open();
        let told = desk.day(&[row, RIGHT[1], RIGHT[2]]);
        says(&told, Exit::No, &[sort, text, "2 agree, 1 differ", "1 open"]);
        assert!(!told.1.contains("******"), "no card data: {}", told.1);
        assert_eq!(desk.book(), [(*sort, true)]);
        says(&desk.day(&RIGHT), Exit::Ok, &["3 agree, 0 differ", "0 open"]);
    }
    let desk = Desk::open();
    let wrong =
        with("622500******0253", "622500******9999").replace(",10000001,", ",10000002,").replace(",900,", ",901,");
    says(&desk.day(&[&wrong, RIGHT[1], RIGHT[2]]), Exit::No, &["card", "terminal", "900 here, 901 there", "3 open"]);
}

#[test]
fn another_wrong_terminal_is_another_difference_than_the_one_that_was_cleared() {
    let desk = Desk::open();
    let with = |terminal: &str| desk.day(&[&RIGHT[0].replace(",10000001,", terminal), RIGHT[1], RIGHT[2]]);
    says(&with(",10000002,"), Exit::No, &["10000001 here, 10000002 there", "1 open"]);
    says(&desk.recon(&["clear", "1", "--actor", "li.na", "--reason", "moved"]), Exit::Ok, &["0 open"]);
    says(&with(",10000002,"), Exit::Ok, &["0 new", "0 open"]);
    says(&with(",10000003,"), Exit::No, &["10000001 here, 10000003 there", "1 new", "1 open"]);
}

#[test]
fn a_row_that_comes_late_or_undoes_is_of_the_same_card_too() {
    let desk = Desk::open();
    desk.day(&RIGHT[1..]);
    let late = a_day_late(900).replace("0253", "9999");
    says(&desk.compare("2026-11-22", &late, &[]), Exit::No, &["1 explained", "another card there", "1 open"]);
    let desk = tipped(Some(22));
    says(&desk.day(&[PAID, TIP]), Exit::Ok, &["0 open"]);
    let undone = [undo(PAID).replace(",10000001,", ",10000002,"), undo(TIP)];
    let undone = file("2026-11-22", "156", &[&undone[0], &undone[1]]);
    says(&desk.compare("2026-11-22", &undone, &[]), Exit::No, &["1 agree, 1 differ", "terminal", "1 open"]);
}

#[test]
fn what_a_mock_issuer_writes_reads_back() {
    let bank = demo_bank("bank-a");
    let [file] = &bank.clearing(BusinessDate::parse("2026-11-21").unwrap())[..] else { panic!("not one file") };
    assert_eq!(ClearingFile::read(file.write().as_bytes()).as_ref(), Ok(file));
    let folder = tempfile::tempdir().unwrap();
    assert!(bank.write_clearing(folder.path(), &bank.days()).unwrap().is_empty(), "nothing has moved yet");
    let written = bank.write_clearing(folder.path(), &[file.date].into()).unwrap();
    assert_eq!(std::fs::read_to_string(&written[0]).unwrap(), file.write(), "an empty day has a file too");
}
