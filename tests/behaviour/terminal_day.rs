//! `tollgate terminal`: the verbs after a sale, whole days from scripts, receipts, and what a killed process
//! leaves, against a host that keeps books of its own.

use crate::pos_host::Books;
use std::path::Path;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::registry::Source;
use tollgate::sim::terminal::day;
use tollgate::sim::terminal::state_file::StateFile;

fn run(address: &str, folder: &Path, arguments: &[&str]) -> (Exit, String) {
    let state = folder.join("terminal.json");
    let common = ["tollgate", "terminal", "--timeout", "1", "--connect", address, "--state", state.to_str().unwrap()];
    let mut out = Vec::new();
    let ended = run_from(common.iter().chain(arguments), &mut out);
    let (exit, message) = match ended {
        Ok(exit) => (exit, String::new()),
        Err(failure) => (failure.exit, failure.message),
    };
    (exit, String::from_utf8(out).unwrap() + &message)
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("day.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const DAY: &str = r#"
title = "A day"

[[step]]
do = "sign-in"
operator = "01"

[[step]]
do = "sale"
name = "one"
amount = "12.00"

[[step]]
do = "sale"
name = "two"
amount = "30.00"
times = 9

[[step]]
do = "sale"
amount = "5.51"
expect = "51"

[[step]]
do = "sale"
amount = "666.02"
expect = "silence"

[[step]]
do = "void"
of = "one"

[[step]]
do = "void"
of = "one"
expect = "12"

[[step]]
do = "refund"
of = "two"
amount = "10.00"

[[step]]
do = "preauth"
name = "room"
amount = "100.00"

[[step]]
do = "complete"
of = "room"
amount = "110.00"

[[step]]
do = "offline-sale"
amount = "7.00"

[[step]]
do = "tip"
of = "two"
tip = "3.00"

[[step]]
do = "settle"
"#;

#[test]
fn a_whole_day_from_a_script_ends_balanced() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let file = script(folder.path(), DAY);
    let (exit, out) = run(&books.host(), folder.path(), &["day", "--script", &file]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("balanced") && out.contains("21 steps, all as expected"), "{out}");
    let proof = vec!["203 ".to_owned(); 9];
    assert_eq!(books.uploads(), [&proof[..], &["207 00".to_owned()]].concat(), "chips' certificates, then the end");
    assert!(!out.contains("6225000000000253"), "{out}");
}

#[test]
fn a_terminal_that_lost_a_slip_uploads_the_others_and_the_day_says_unbalanced() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let lying = DAY.replace("do = \"settle\"", "do = \"settle\"\nlie = 2\nexpect = \"unbalanced\"");
    let file = script(folder.path(), &lying);
    let (exit, out) = run(&books.host(), folder.path(), &["day", "--script", &file]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert_eq!(books.uploads(), ["201 08", "201 02", "206 ", "202 00"]);
}

#[test]
fn a_step_that_ends_otherwise_is_named_and_the_day_ends_with_1() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let text = "[[step]]\ndo = \"sale\"\namount = \"5.51\"\n[[step]]\ndo = \"echo\"\n";
    let (exit, out) = run(&books.host(), folder.path(), &["day", "--script", &script(folder.path(), text)]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("WRONG, expected 00") && out.contains("2 steps, 1 not as expected"), "{out}");
}

#[test]
fn a_script_with_mistakes_is_refused_with_all_of_them_by_line() {
    let text =
        "[[step]]\ndo = \"sell\"\n[[step]]\ndo = \"void\"\n[[step]]\ndo = \"sale\"\namount = \"1.5\"\ncard = \"x\"\n";
    let breaches = day::parse(Source { file: "day.toml", text }).err().unwrap();
    let lines: Vec<usize> = breaches.iter().map(|breach| breach.line).collect();
    assert_eq!(lines, [1, 3, 5, 5, 5], "{breaches:?}");
    let unknown = day::parse(Source { file: "day.toml", text: "[[step]]\ndo = \"echo\"\ncolour = 1\n" });
    assert_eq!(unknown.err().unwrap()[0].line, 3);
}

#[test]
fn the_example_day_is_read() {
    let text = include_str!("../../specs/demo/day.toml");
    let day = day::parse(Source { file: "day.toml", text }).map_err(|breaches| format!("{breaches:?}")).unwrap();
    assert!(day.steps.len() > 15);
}

#[test]
fn verbs_find_what_they_follow_and_print_both_copies() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    let run = |arguments: &[&str]| run(&address, folder.path(), arguments);
    assert_eq!(run(&["--operator", "07", "sale", "12.00"]).0, Exit::Ok);
    assert_eq!(run(&["sale", "20.00"]).0, Exit::Ok);
    let (exit, out) = run(&["void"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    for wanted in [
        "-> 0200 sale-void  20.00  622500******0253  STAN 000004",
        "商户存根 MERCHANT COPY",
        "持卡人存根 CARDHOLDER COPY",
        "交易类型 TYPE: 消费撤销 VOID",
        "原凭证号 ORIGINAL: 000003",
        "操作员 OPERATOR: 07",
        "RMB -20.00",
        "持卡人签名 SIGNATURE",
    ] {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
    let (exit, out) = run(&["refund", "5.00", "--of", "2", "--copies", "merchant"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("-> 0220 refund  5.00") && !out.contains("CARDHOLDER COPY"), "{out}");
    let (_, out) = run(&["reprint", "3"]);
    assert!(out.contains("重打印 REPRINT") && out.contains("已撤销 voided"), "{out}");
    let (_, out) = run(&["log"]);
    assert!(out.contains("totals: debit 1/1200 credit 1/500"), "{out}");
    let (exit, out) = run(&["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(
        out.contains("结算单 SETTLEMENT") && out.contains("对账平 BALANCED") && out.contains("1 / RMB 12.00"),
        "{out}"
    );
    let (_, out) = run(&["log"]);
    assert!(out.contains("batch 000008") && out.contains("debit 0/0"), "{out}");
    assert_eq!(run(&["refund", "--of", "99"]).0, Exit::Usage);
    for secret in ["6225000000000253", "123456"] {
        assert!(!out.contains(secret), "{secret} in {out}");
    }
}

#[test]
fn an_offline_sale_without_a_connection_is_told_when_there_is_one() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let address = books.host();
    assert_eq!(run(&address, folder.path(), &["sign-in"]).0, Exit::Ok);
    let (exit, out) = run(&nobody, folder.path(), &["offline-sale", "9.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("离线消费 OFFLINE SALE"), "{out}");
    assert_eq!(run(&nobody, folder.path(), &["settle"]).0, Exit::NoConnection);
    let (exit, out) = run(&address, folder.path(), &["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (told, claimed) = (out.find("-> 0220 offline-sale  9.00"), out.find("-> 0500 settlement"));
    assert!(told.is_some() && told < claimed, "{out}");
    assert!(out.contains("对账平"), "{out}");
}

/// A terminal as a process of its own, killed with -9 as soon as `until` holds.
fn killed(address: &str, folder: &Path, arguments: &[&str], until: impl Fn() -> bool) {
    let state = folder.join("terminal.json");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["terminal", "--timeout", "60", "--connect", address, "--state", state.to_str().unwrap()])
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while !until() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it never came so far");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_terminal_killed_in_the_middle_of_a_sale_undoes_it_before_the_next_one() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    killed(&address, folder.path(), &["sale", "666.02"], || books.standing().0 == 1);
    let (exit, out) = run(&address, folder.path(), &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (reversal, sale) = (out.find("-> 0400 reversal  666.02"), out.find("-> 0200 sale  1.00"));
    assert!(reversal.is_some() && reversal < sale, "{out}");
    assert_eq!(books.standing(), (1, 100));
    assert_eq!(run(&address, folder.path(), &["settle"]).0, Exit::Ok);
}

#[test]
fn a_terminal_killed_in_the_middle_of_an_upload_goes_on_where_it_was() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    for _ in 0..3 {
        assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
    }
    books.say_nothing_to(Some("0320"));
    killed(&address, folder.path(), &["settle", "--lie", "2"], || books.swallowed() == 1);
    books.say_nothing_to(None);
    assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::No, "the settlement ends first");
    let (exit, out) = run(&address, folder.path(), &["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(!out.contains("-> 0500"), "the totals were compared already: {out}");
    assert_eq!(books.uploads(), ["201 02", "202 00"]);
    assert!(out.contains("UNBALANCED"), "{out}");
}

#[test]
fn another_card_than_the_logs_is_presented_again_on_request() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    let named = ["refund", "5.00", "--rrn", "632600000001", "--date", "1121", "--present", "--card", "visitor-b"];
    let (exit, out) = run(&address, folder.path(), &named);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("411111******1111") && out.contains("卡组织 ORGANISATION: VIS"), "{out}");
}

#[test]
fn an_upload_is_ended_after_a_sign_in_in_the_middle_of_it() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    for _ in 0..2 {
        assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
    }
    books.say_nothing_to(Some("0320"));
    assert_eq!(run(&address, folder.path(), &["settle", "--lie", "2"]).0, Exit::Timeout);
    books.say_nothing_to(None);
    assert_eq!(run(&address, folder.path(), &["sign-in"]).0, Exit::Ok);
    let (exit, out) = run(&address, folder.path(), &["settle", "--operator", "02"]);
    assert_eq!((exit, books.uploads()), (Exit::Ok, vec!["201 01".to_owned(), "202 00".to_owned()]), "{out}");
    assert!(out.contains("UNBALANCED"), "{out}");
}

#[test]
fn a_batch_that_balanced_is_closed_whether_or_not_its_end_is_answered() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
    books.say_nothing_to(Some("0320"));
    let (exit, out) = run(&address, folder.path(), &["settle"]);
    assert_eq!((exit, books.swallowed()), (Exit::Ok, 3), "{out}");
    assert!(out.contains("对账平"), "{out}");
    assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
}

#[test]
fn a_batch_that_balanced_has_its_sheet_whatever_is_said_of_its_end() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    for _ in 0..2 {
        assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
    }
    books.refuse_uploads();
    let (exit, out) = run(&address, folder.path(), &["settle"]);
    assert_eq!((exit, books.uploads()), (Exit::Ok, ["203 ", "203 ", "207 00"].map(str::to_owned).to_vec()), "{out}");
    assert!(out.contains("对账平") && !out.contains("the host had closed"), "{out}");
    assert_eq!(run(&address, folder.path(), &["sale", "1.00"]).0, Exit::Ok);
}

#[test]
fn an_approval_that_says_nothing_of_the_totals_settles_nothing() {
    let (books, folder) = (Books::default(), tempfile::tempdir().unwrap());
    let address = books.host();
    for verb in [&["sale", "1.00"][..], &["settle"], &["sale", "2.00"]] {
        assert_eq!(run(&address, folder.path(), verb).0, Exit::Ok);
    }
    books.give_no_verdict();
    let (exit, out) = run(&address, folder.path(), &["settle"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("not settled yet") && !out.contains("对账平"), "{out}");
}

#[test]
fn a_state_file_is_its_owners_and_one_terminals_at_a_time() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("terminal.json");
    let held = StateFile::open(&path).unwrap();
    let (exit, out) = run("127.0.0.1:1", folder.path(), &["log"]);
    assert_eq!(exit, Exit::Config);
    assert!(out.contains("another terminal uses this state file"), "{out}");
    held.write("{}").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
