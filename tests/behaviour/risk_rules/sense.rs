//! Rules that are well written and say nothing.

use super::MONDAY;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::model::Timestamp;
use tollgate::risk::RuleSet;

/// The faults of one rule, without the file's name; its table is on line 2, what is given begins on line 4.
fn faults(rule: &str) -> Vec<String> {
    let text = format!("version = \"1\"\n[[rule]]\nid = \"a\"\n{}", rule.replace("; ", "\n"));
    let faults = RuleSet::read("risk.toml", &text).err().unwrap_or_default();
    faults.iter().map(|fault| fault.to_string().replacen("risk.toml:", "", 1)).collect()
}

fn finds(rule: &str, fault: &str) {
    let told = faults(rule);
    assert!(told.len() == 1 && told[0].starts_with(fault), "{rule}\n{told:#?}");
}

fn good(rule: &str) {
    assert_eq!(faults(rule), Vec::<String>::new(), "{rule}");
}

#[test]
fn a_rule_about_a_way_of_entry_is_not_for_others_only() {
    finds("kind = \"fallback\"; action = \"decline\"; entries = [\"chip\"]", "6: entries: fallback speaks of swipe or");
    good("kind = \"fallback\"; action = \"decline\"; entries = [\"chip\", \"swipe\"]");
    let taps = "kind = \"contactless-no-pin\"; action = \"step-up\"; most = 100";
    finds(&format!("{taps}; entries = [\"swipe\", \"chip\"]"), "7: entries: contactless-no-pin speaks of tap only");
    good(&format!("{taps}; entries = [\"tap\"]"));
}

#[test]
fn a_rule_is_for_some_kind_that_rules_are_asked_about() {
    let kinds = |kinds: &str| format!("kind = \"entry-mode\"; action = \"alert\"; kinds = [{kinds}]");
    finds(&kinds("\"reversal\", \"settlement\""), "6: kinds: no rule is asked about any of them");
    good(&kinds("\"reversal\", \"offline-sale\""));
    let ratio = "kind = \"refund-ratio\"; action = \"alert\"; percent = 30; within_s = 60; kinds = ";
    finds(&format!("{ratio}[\"sale\"]"), "8: kinds: refund-ratio takes every request it is asked about for a refund");
    finds(&format!("{ratio}[\"sale\", \"refund\"]"), "8: kinds: refund-ratio takes every request");
    good(&format!("{ratio}[\"refund\"]"));
}

#[test]
fn bounds_lie_within_the_amounts_that_a_rule_is_for() {
    let single = |more: &str| format!("kind = \"single\"; action = \"decline\"; {more}");
    finds(&single("least = 10; least_amount = 100"), "6: least: no amount that the rule is for is below it");
    finds(&single("least = 0"), "6: least: no amount");
    finds(&single("least = 1"), "6: least: no amount");
    finds(&single("most = 0"), "6: most: is passed by every amount that the rule is for");
    finds(&single("least = 11; most_amount = 10"), "6: least: is passed by every amount that the rule is for");
    finds(&single("most = 100; most_amount = 100"), "6: most: no amount that the rule is for is above it");
    finds(&single("most = 99; least_amount = 100"), "6: most: is passed by every amount that the rule is for");
    finds(&single("most = 500; least = 5; least_amount = 5"), "7: least: no amount");
    good(&single("least = 101; least_amount = 100; most = 199; most_amount = 200"));
    for passed in [
        "kind = \"daily\"; action = \"decline\"; per = \"card\"; amount = 99",
        "kind = \"velocity\"; action = \"decline\"; within_s = 60; per = \"card\"; amount = 99",
        "kind = \"contactless-no-pin\"; action = \"decline\"; most = 99",
        "kind = \"contactless-no-pin\"; action = \"decline\"; within_s = 60; sum = 99",
    ] {
        let (line, key) = (3 + passed.split("; ").count(), passed.rsplit("; ").next().unwrap());
        let key = key.split(' ').next().unwrap();
        finds(&format!("{passed}; least_amount = 100"), &format!("{line}: {key}: is passed by every amount"));
        good(&format!("{passed}; least_amount = 99"));
    }
    let taps = "kind = \"contactless-no-pin\"; action = \"decline\"; most = 500";
    finds(&format!("{taps}; most_amount = 500"), "6: most: no amount that the rule is for is above it");
    finds(&format!("{taps}; within_s = 60; sum = 499"), "6: most: one tap may be more than all of them");
    let testing = "kind = \"card-testing\"; action = \"decline\"; cards = 5; within_s = 60; most = 99";
    finds(&format!("{testing}; least_amount = 100"), "8: most: no amount that the rule is for is as small");
    let repeated = "kind = \"repeated-amounts\"; action = \"alert\"; within_s = 60";
    finds(&format!("{repeated}; count = 1"), "7: count: each purchase is one");
    good(&format!("{repeated}; count = 2"));
    let round = "kind = \"round-amounts\"; action = \"alert\"; count = 5; within_s = 60; unit = 1000";
    finds(&format!("{round}; least_amount = 1001; most_amount = 1999"), "8: unit: no amount that the rule is for");
    finds(&format!("{round}; most_amount = 999"), "8: unit: no amount that the rule is for is a whole one");
    good(&format!("{round}; least_amount = 1001; most_amount = 2000"));
}

#[test]
fn a_firmware_that_all_have_says_nothing_unless_it_is_not_known() {
    finds("kind = \"firmware\"; action = \"alert\"; least = \"0\"", "6: least: no firmware is older");
    good("kind = \"firmware\"; action = \"alert\"; least = \"0\"; unknown = true");
}

#[test]
fn entries_stand_once_and_a_list_without_any_is_no_rule() {
    let twice = "stands twice";
    for (line, rule) in [
        (6, "kind = \"always\"; action = \"alert\"; entries = [\"tap\", \"chip\", \"tap\"]"),
        (6, "kind = \"always\"; action = \"alert\"; terminals = [\"1000\", \"1000    \"]"),
        (6, "kind = \"always\"; action = \"alert\"; kinds = [\"sale\", \"sale\"]"),
        (6, "kind = \"region-jump\"; action = \"alert\"; per = [\"card\", \"card\"]"),
        (6, "kind = \"device\"; action = \"alert\"; when = [\"differs\", \"differs\"]"),
        (8, "kind = \"hours\"; action = \"alert\"; open = \"08:00\"; close = \"09:00\"; days = [\"mon\", \"mon\"]"),
        (10, "kind = \"list\"; action = \"decline\"; of = \"bin\"; list = [; \"400000\",; \"400001\",; \"400000\"; ]"),
    ] {
        let told = faults(rule);
        assert!(told.len() == 1 && told[0].contains(twice), "{rule}\n{told:#?}");
        let at: usize = told[0].split(':').next().unwrap().parse().unwrap();
        assert_eq!(at, line, "{told:?}");
    }
    let dated = "{ value = \"00000009\", until = 2027-01-01T00:00:00Z }";
    finds(
        &format!("kind = \"list\"; action = \"decline\"; of = \"terminal\"; list = [\"00000009\", {dated}]"),
        "7: list: has an entry that stands twice",
    );
    let empty = "7: list: is empty: the rule would never speak";
    finds("kind = \"list\"; action = \"decline\"; of = \"terminal\"; list = []", empty);
}

#[test]
fn a_list_and_the_filters_of_its_rule_have_somebody_in_common() {
    let of = |of: &str, list: &str, filter: &str| {
        format!("kind = \"list\"; action = \"decline\"; of = \"{of}\"; list = [{list}]; {filter}")
    };
    finds(&of("terminal", "\"00000009\"", "terminals = [\"00000008\"]"), "8: terminals: none of them is in the list");
    finds(&of("merchant", "\"9\"", "merchants = [\"8\"]"), "8: merchants: none of them is in the list");
    finds(&of("bin", "\"400000\"", "bins = [\"400001\"]"), "8: bins: none of them is in the list");
    good(&of("bin", "\"400000\", \"400001\"", "bins = [\"400001\"]"));
    good(&of("bin", "\"400000\"", "terminals = [\"00000008\"]"));
    let dated = "{ value = \"400000\", until = 2026-01-01T00:00:00Z }";
    finds(&of("bin", dated, "from = 2026-01-01T00:00:00Z"), "7: list: has an entry that ends before the rule begins");
    good(&of("bin", dated, "from = 2025-12-31T23:59:59Z"));
}

#[test]
fn what_makes_no_sense_is_told_with_all_other_faults() {
    let told = faults("kind = \"fallback\"; action = \"refuse\"; entries = [\"chip\"]; anywere = true");
    let heads: Vec<_> = told.iter().map(|fault| fault.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(heads, ["5: action:", "6: entries:", "7: unknown"], "{told:#?}");
}

#[test]
fn what_has_ended_is_told_by_the_day_and_is_no_fault_of_a_file() {
    let text = "version = \"1\"
[[rule]]
id = \"over\"
kind = \"entry-mode\"
action = \"alert\"
until = 2026-11-23T00:00:00Z
[[rule]]
id = \"some\"
kind = \"list\"
action = \"decline\"
of = \"bin\"
list = [\"400000\", { value = \"400001\", until = 2026-11-22T00:00:00Z }]
[[rule]]
id = \"all\"
kind = \"list\"
action = \"decline\"
of = \"bin\"
list = [{ value = \"400001\", until = 2026-11-22T00:00:00Z }]
";
    let rules = RuleSet::read("risk.toml", text).unwrap();
    let at = |second| Timestamp((MONDAY + second) * 1_000_000);
    assert_eq!(
        rules.lapsed(at(0)),
        [
            "rule \"over\": until 2026-11-23T00:00:00.000000Z is past: it never speaks again",
            "rule \"some\": 1 of 2 entries of its list have ended",
            "rule \"all\": every entry of its list has ended: it never speaks",
        ]
    );
    assert_eq!(rules.lapsed(at(-1)).len(), 2);
    assert_eq!(rules.lapsed(at(-86_401)), Vec::<String>::new());
}

#[test]
fn a_check_warns_of_what_has_ended_and_takes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("risk.toml");
    let rule = "[[rule]]\nid = \"over\"\nkind = \"entry-mode\"\naction = \"alert\"\nuntil = 2001-01-01T00:00:00Z\n";
    std::fs::write(&file, format!("version = \"1\"\n{rule}")).unwrap();
    let (mut out, file) = (Vec::new(), file.to_str().unwrap());
    assert_eq!(run_from(["tollgate", "risk", "check", file], &mut out).ok(), Some(Exit::Ok));
    let said = String::from_utf8(out).unwrap();
    let warned = format!("{file}: warning: rule \"over\": until 2001-01-01T00:00:00.000000Z is past");
    assert!(said.starts_with(&format!("{file}: version 1, 1 rules\n{warned}")), "{said}");
}
