//! What a bad file is told.

use super::load;
use crate::iso8583::builtin;
use crate::iso8583::spec::Dialect;

/// A small file in which nothing is wrong.
const GOOD: &str = r#"name = "small"
title = "t"
source = "s"
oracle = "none: golden files only"
mac = [64]
[mti]
encoding = "ascii"
[bitmap]
encoding = "binary"
max = 1
[element.2]
name = "pan"
kind = "n"
prefix = "LL"
max = 19
[element.3]
name = "code"
kind = "n"
length = 6
[element.39]
name = "answer"
kind = "an"
length = 2
[element.64]
name = "mac"
kind = "b"
length = 8
[roles]
pan = "2"
processing-code = "3"
response-code = "39"
[mandatory]
"0200" = [2, 3]
[echo]
"0210" = [2]
[codes]
fallback = "05"
"00" = { code = "00", approves = true }
"05" = { code = "05" }
[[kind]]
name = "sale"
mti = "0200"
when = { processing-code = "00...." }
mandatory = [2]
"#;

fn nobody(_: &str) -> Option<String> {
    None
}

fn breaches(text: &str) -> Vec<String> {
    load("small", text, &nobody).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The good file with one replacement, and what it is told.
#[track_caller]
fn told(from: &str, to: &str, wanted: &str) {
    assert!(GOOD.contains(from), "nothing to replace: {from}");
    let found = breaches(&GOOD.replacen(from, to, 1));
    assert!(found.iter().any(|breach| breach.contains(wanted)), "{wanted:?} is not in {found:?}");
}

#[test]
fn a_good_file_is_a_dialect() {
    assert_eq!(breaches(GOOD), Vec::<String>::new());
}

#[test]
fn every_built_in_dialect_is_valid() {
    for name in builtin::names() {
        let text = builtin::text(name).unwrap();
        let loaded = load(name, text, &|parent| builtin::text(parent).map(str::to_owned));
        let complaints: Option<Vec<String>> =
            loaded.as_ref().err().map(|breaches| breaches.iter().map(ToString::to_string).collect());
        assert_eq!(complaints.unwrap_or_default(), Vec::<String>::new());
        assert!(builtin::dialect(name).is_some_and(|dialect| dialect.name() == *name));
    }
}

#[test]
fn a_breach_names_file_and_line() {
    let found = breaches(&GOOD.replace("length = 6", "lenght = 6"));
    assert!(found.contains(&"small:16: `prefix` is missing".to_owned()), "{found:?}");
    assert!(found.contains(&"small:19: unknown key `lenght`".to_owned()), "{found:?}");
}

#[test]
fn all_breaches_are_told_at_once() {
    let bad = GOOD
        .replace("length = 6", "length = 0")
        .replace("max = 19", "max = 190")
        .replace("pan = \"2\"", "pan = \"7\"")
        .replace("[2, 3]", "[2, 4]")
        .replace("\"0210\" = [2]", "\"02\" = [2, 2]")
        .replace("oracle", "oracel");
    let found = breaches(&bad);
    assert!(found.len() >= 7, "{found:#?}");
    let lines: Vec<usize> = found.iter().filter_map(|text| text.split(':').nth(1)?.parse().ok()).collect();
    assert!(lines.is_sorted(), "{found:#?}");
}

#[test]
fn impossible_rows_are_refused() {
    told("max = 19", "max = 100", "a prefix of 2 digits cannot say 100");
    told("prefix = \"LL\"", "prefix = \"XX\"", "`prefix` is L, LL, LLL or LLLL");
    told("max = 19", "max = 19\nlength = 3", "belongs to a variable length");
    told("max = 19", "max = 19\nmin = 20", "a number from 0 to 19");
    told("kind = \"n\"\nlength = 6", "kind = \"n\"\nlength = 6\nencoding = \"gbk\"", "kind n has no such encoding");
    told("max = 19", "max = 19\ncounts = \"dozens\"", "`counts` is one of digits, characters, bytes");
    told("[element.3]", "[element.65]", "element 65 has no bit in 1 bitmaps");
    told("[element.3]", "[element.1]", "`1` is no element number");
    told("max = 1\n", "max = 4\n", "a number from 1 to 3");
    told("source = \"s\"\n", "", "`source` is missing");
}

#[test]
fn rows_that_point_nowhere_are_refused() {
    told("pan = \"2\"", "pan = \"4\"", "element 4 is not defined");
    told("pan = \"2\"", "pan = \"2[0..20]\"", "element 2 ends before 20");
    told("pan = \"2\"", "pam = \"2\"", "there is no role `pam`");
    told("[2, 3]", "[2, 9]", "element 9 is not defined");
    told("\"0210\" = [2]", "\"0210\" = [5]", "element 5 is not defined");
    told("mandatory = [2]", "mandatory = [52]", "element 52 is not defined");
    told("processing-code = \"00....\"", "stan = \"1\"", "the dialect has no role `stan`");
}

#[test]
fn kinds_must_be_possible_and_tell_apart() {
    told("\"00....\"", "\"00...\"", "has 6 characters, the pattern 5");
    told("name = \"sale\"", "name = \"sail\"", "there is no such kind");
    told("mti = \"0200\"", "mti = \"0210\"", "that of a request");
    let twice = "[[kind]]\nname = \"sale\"\nmti = \"0200\"\n[[kind]]\nname = \"balance\"\nmti = \"0200\"\n";
    told("[[kind]]\n", &format!("{twice}[[kind]]\n"), "this balance cannot be told from the sale row before it");
}

#[test]
fn codes_are_unique_known_and_have_a_fallback() {
    told("\"05\" = { code = \"05\" }", "\"05\" = { code = \"00\" }", "a second code for 00");
    told("\"05\" = { code = \"05\" }", "\"00\" = { code = \"05\" }", "duplicate key");
    told("\"05\" = { code = \"05\" }", "\"005\" = { code = \"05\" }", "does not fit the element");
    told("\"05\" = { code = \"05\" }", "\"05\" = { code = \"ZZ\" }", "no such response code");
    told("fallback = \"05\"", "fallback = \"06\"", "`fallback` has no row");
    told("fallback = \"05\"\n", "", "`fallback` is missing");
}

#[test]
fn a_mac_is_the_last_element_and_fixed() {
    told("mac = [64]", "mac = [39]", "not the last of its bitmap");
    told("kind = \"b\"\nlength = 8", "kind = \"b\"\nprefix = \"LL\"\nmax = 8", "a MAC has a fixed length");
}

#[test]
fn parts_fit_their_element() {
    let parts = |text: &str| format!("length = 6\nparts = {text}");
    told(
        "length = 6",
        &parts("[{ id = \"1\", name = \"a\", length = 7 }]"),
        "the parts have 7 units, the element has 6",
    );
    told("length = 6", &parts("\"ber-tlv\""), "this layout is for kind b");
    told("length = 6", &parts("\"tlv\""), "`parts` is \"ber-tlv\"");
    told(
        "length = 8",
        "length = 8\nparts = { layout = \"ber-tlv\", rows = [{ id = \"9F\", name = \"x\" }] }",
        "no tag",
    );
    told(
        "length = 8",
        "length = 8\nparts = { layout = \"bitmapped\", bytes = 1, rows = [{ id = \"9\", name = \"x\", kind = \"n\", length = 1 }] }",
        "is its bit",
    );
}

#[test]
fn a_dialect_extends_another_row_by_row() {
    let child = "name = \"child\"\nextends = \"small\"\ndrop = [64]\nmac = []\n[defaults.n]\nencoding = \"bcd\"\n\
                 [element.39]\nname = \"answer\"\nkind = \"an\"\nlength = 3\n[codes]\nfallback = \"051\"\n";
    let child = format!("{child}\"000\" = {{ code = \"00\" }}\n");
    let parent = |name: &str| (name == "small").then(|| GOOD.to_owned());
    let found = load("child", &child, &parent).err().unwrap_or_default();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|breach| breach.starts_with("small:") && breach.contains("does not fit")), "{found:?}");
    let child = child.replace("length = 3", "length = 2").replace("051", "05").replace("\"000\"", "\"00\"");
    let child = load("child", &child, &parent).unwrap();
    assert_eq!((child.name(), child.title(), child.element(64)), ("child", "t", None));
    assert_eq!(child.element(3).map(|spec| spec.encoding), Some(crate::iso8583::Encoding::Bcd));
    assert!(child.code(b"00").is_some_and(|row| !row.approves));
}

#[test]
fn extending_in_a_circle_or_into_nothing_is_refused() {
    let around = |name: &str| Some(format!("name = \"{name}\"\nextends = \"small\"\n"));
    let found = load("small", "name = \"small\"\nextends = \"other\"\n", &around).err().unwrap_or_default();
    assert!(found.iter().any(|breach| breach.what.contains("comes back to itself")), "{found:?}");
    told("title = \"t\"", "title = \"t\"\nextends = \"x\"", "there is no dialect `x` to extend");
}

#[test]
fn a_code_that_means_approved_does_so_in_every_dialect() {
    for dialect in builtin::names().iter().filter_map(|name| builtin::dialect(name)) {
        let wrong: Vec<String> = Dialect::codes(&dialect)
            .filter(|(_, row)| row.approves != row.code.is_approval())
            .map(|(wire, _)| format!("{}: {wire}", dialect.name()))
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let found = breaches("name = \"small\"\nmac = [\n= 3\n");
    assert!(found.iter().any(|breach| breach.starts_with("small:3:")), "{found:?}");
}
