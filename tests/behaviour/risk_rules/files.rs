//! What a rule file may not say, and where the fault is told to be.

use proptest::prelude::*;
use tollgate::risk::RuleSet;

fn faults(text: &str) -> Vec<String> {
    RuleSet::read("risk.toml", text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The faults of one rule, without the file's name; its table is on line 2.
fn of_rule(rule: &str) -> Vec<String> {
    let faults = faults(&format!("version = \"1\"\n[[rule]]\nid = \"a\"\n{rule}"));
    faults.into_iter().map(|fault| fault.replacen("risk.toml:", "", 1)).collect()
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_line() {
    let text = "verson = \"1\"

[[rule]]
id = \"a\"
kind = \"singel\"
action = \"decline\"

[[rule]]
id = \"a\"
kind = \"velocity\"
action = \"refuse\"
per = \"card\"
within = 60
within_s = 0
count = 0

[[rule]]
kind = \"daily\"
action = \"decline\"
per = \"shop\"
";
    let expected = [
        "risk.toml:1: version: is missing",
        "risk.toml:1: unknown key \"verson\"; did you mean \"version\"?",
        "risk.toml:5: kind: \"singel\" is none of the kinds of rules; did you mean \"single\"?",
        "risk.toml:9: id: \"a\" stands twice",
        "risk.toml:11: action: is not one of allow, alert, step-up, decline, hold",
        "risk.toml:13: unknown key \"within\"",
        "risk.toml:14: within_s: is not a whole number from 1 to 86400",
        "risk.toml:15: count: is not a whole number from 1 to 1000000",
        "risk.toml:17: id: is missing",
        "risk.toml:17: kind: daily needs amount, count or both",
        "risk.toml:20: per: is not one of terminal, merchant, card, bin, entry",
    ];
    let faults = faults(text);
    for (told, expected) in faults.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_where_it_breaks() {
    let faults = faults("version = \"1\"\n[[rule]]\nid = \"a\nkind = \"single\"\n");
    assert!(faults.iter().any(|fault| fault.starts_with("risk.toml:3: ")), "{faults:?}");
    assert!(RuleSet::read("risk.toml", "version = \"1\"\nrule = 7\n").is_err());
    assert!(RuleSet::read("risk.toml", "version = \"1\"\nrule = [7]\n").is_err());
}

#[test]
fn windows_are_from_one_second_to_one_day() {
    for (window, good) in [("0", false), ("1", true), ("86400", true), ("86401", false), ("-5", false), ("1.5", false)]
    {
        let rule = format!("kind = \"velocity\"\naction = \"alert\"\nper = \"card\"\ncount = 1\nwithin_s = {window}");
        assert_eq!(of_rule(&rule).is_empty(), good, "{window}");
    }
    let missing = of_rule("kind = \"velocity\"\naction = \"alert\"\nper = \"card\"\ncount = 1");
    assert_eq!(missing, ["2: within_s: is missing"]);
}

#[test]
fn contradictions_are_told() {
    for (rule, fault) in [
        ("kind = \"single\"\naction = \"decline\"\nleast = 5\nmost = 4", "6: least: is above most: no amount fits"),
        (
            "kind = \"always\"\naction = \"decline\"\nleast_amount = 5\nmost_amount = 4",
            "6: least_amount: is above most_amount: no request fits",
        ),
        (
            "kind = \"entry-mode\"\naction = \"alert\"\nfrom = 2026-01-02T00:00:00Z\nuntil = 2026-01-02T08:00:00+08:00",
            "7: until: is not after from: the rule never holds",
        ),
        ("kind = \"always\"\naction = \"allow\"", "4: kind: always without any condition; say for which requests"),
        (
            "kind = \"velocity\"\naction = \"allow\"\nper = \"card\"\nwithin_s = 1\ncount = 1",
            "5: action: allow goes with kind always or list; velocity says what is wrong",
        ),
        (
            "kind = \"always\"\naction = \"step-up\"\nkinds = [\"refund\"]",
            "5: action: step-up, but nothing that the rule is for is ever asked for a PIN",
        ),
        (
            "kind = \"always\"\naction = \"decline\"\nkinds = [\"reversal\", \"settlement\"]",
            "6: kinds: none of them is ever refused: reversals, advices and management; say alert",
        ),
        ("kind = \"entry-mode\"\naction = \"alert\"\ncode = \"59\"", "6: code: a rule that says alert answers nothing"),
        (
            "kind = \"entry-mode\"\naction = \"decline\"\ncode = \"00\"",
            "6: code: is not a response code of two characters that declines",
        ),
        (
            "kind = \"entry-mode\"\naction = \"alert\"\nstep = \"fine\"",
            "6: step: a fine needs its amount, fine = minor units above 0",
        ),
        ("kind = \"entry-mode\"\naction = \"alert\"\nfine = 5", "6: fine: goes with step = \"fine\""),
        ("kind = \"entry-mode\"\naction = \"hold\"\nstep = \"warn\"", "6: step: a rule that holds suspends already"),
        (
            "kind = \"hours\"\naction = \"alert\"\nopen = \"08:00\"\nclose = \"08:00\"",
            "7: close: is the same as open: never closed, or never open",
        ),
        (
            "kind = \"contactless-no-pin\"\naction = \"alert\"\nmost = 1\nwithin_s = 60",
            "7: within_s: goes with sum or count, and they with it",
        ),
        ("kind = \"list\"\naction = \"decline\"\nof = \"card\"", "2: list: is missing"),
        (
            "kind = \"list\"\naction = \"decline\"\nof = \"card\"\nlist = [\"6225880000000001\"]",
            "7: list: has an entry that is not a card's token, 64 hexadecimal digits, or { value = \"..\", until = .. }",
        ),
        ("kind = \"always\"\naction = \"decline\"\nbins = []", "6: bins: is empty; leave it out"),
        ("kind = \"device\"\naction = \"alert\"\nleast = 5", "6: unknown key \"least\""),
    ] {
        let told = of_rule(rule);
        assert!(told.iter().any(|told| told.starts_with(fault)), "{rule}\n{told:#?}");
    }
}

#[test]
fn files_have_bounds() {
    let rules = |count: usize| {
        let rule = |at| format!("[[rule]]\nid = \"r{at}\"\nkind = \"entry-mode\"\naction = \"alert\"\n");
        format!("version = \"1\"\n{}", (0..count).map(rule).collect::<String>())
    };
    assert_eq!(faults(&rules(RuleSet::MOST)), Vec::<String>::new());
    assert_eq!(faults(&rules(RuleSet::MOST + 1)), ["risk.toml:1026: more than 256 rules"]);
    let list = |count: usize| {
        let entries: String = (0..count).map(|at| format!("\"{at:08}\",")).collect();
        format!(
            "version = \"1\"\n[[rule]]\nid = \"a\"\nkind = \"list\"\naction = \"decline\"\nof = \"terminal\"\nlist = [{entries}]"
        )
    };
    assert_eq!(faults(&list(100_000)), Vec::<String>::new());
    assert_eq!(faults(&list(100_001)), ["risk.toml:7: more than 100000 list entries in the file"]);
}

#[test]
fn a_fault_names_no_card_number() {
    let told = of_rule("kind = \"list\"\naction = \"decline\"\nof = \"card\"\nlist = [\"6225880000000001\"]");
    assert!(told.iter().all(|fault| !fault.contains("622588")), "{told:?}");
}

#[test]
fn the_digest_names_the_text() {
    let read = |text: &str| RuleSet::read("risk.toml", text).unwrap();
    let (one, other) = (read("version = \"1\""), read("version = \"1\" "));
    assert_ne!(one.digest(), other.digest());
    assert_eq!(one.digest(), read("version = \"1\"").digest());
    assert_eq!(&*one.version, "1");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(version|kind|id|rule|list|[a-z_]{1,4}|[\\[\\]{}=\",.0-9\n#'-]| ){0,80}") {
        let _ = RuleSet::read("risk.toml", &text);
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_reader_panic(
        from in 0..RuleSet::SAMPLE.len(), length in 0_usize..60, put in "[\\[\\]{}=\", \na0-9-]{0,6}",
    ) {
        let start = RuleSet::SAMPLE.floor_char_boundary(from);
        let end = RuleSet::SAMPLE.floor_char_boundary((start + length).min(RuleSet::SAMPLE.len()));
        let text = format!("{}{put}{}", &RuleSet::SAMPLE[..start], &RuleSet::SAMPLE[end..]);
        let lines = text.lines().count() + 1;
        for breach in RuleSet::read("risk.toml", &text).err().unwrap_or_default() {
            prop_assert!((1..=lines).contains(&breach.line), "{breach}");
        }
    }
}
