//! The scanner watched while it finds something: each rule is given a text that breaks it, and one that only looks so.

use crate::lex;
use crate::paths;
use crate::rules;

fn tokens(text: &str) -> Vec<lex::Token> {
    lex::read(text).tokens
}

fn strangers(file: &str, text: &str) -> Vec<String> {
    rules::strangers(file, &paths::of(&tokens(text)))
}

fn io(file: &str, text: &str) -> Vec<String> {
    rules::io(file, &tokens(text), &paths::of(&tokens(text)))
}

fn form(text: &str) -> Vec<String> {
    rules::import_form("src/flow/sale.rs", &paths::of(&tokens(text)))
}

fn words(text: &str) -> Vec<String> {
    tokens(text).iter().filter_map(|t| t.word().map(str::to_owned)).collect()
}

#[test]
fn comments_and_strings_leave_no_words() {
    assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
    assert_eq!(words(r#"a "b \" c" d b"e" f c"g" h"#), ["a", "d", "f", "h"]);
    assert_eq!(words("a r\"b\\\" c r#\"d \" e\"# f br##\"g\"# h\"## i"), ["a", "c", "f", "i"]);
    assert_eq!(words("/// a\n//! b\nc"), ["c"]);
}

#[test]
fn quotes_tell_characters_from_lifetimes() {
    assert_eq!(words(r"a '\'' b '\u{41}' c '/' d b'x' e"), ["a", "b", "c", "d", "e"]);
    assert_eq!(words("fn f<'a>(x: &'a str) {}"), ["fn", "f", "x", "str"]);
    assert_eq!(words("'\"' a \"b\""), ["a"]);
}

#[test]
fn raw_identifiers_are_words_and_numbers_are_not() {
    assert_eq!(words("r#type 0x1F 1_000u64 b r"), ["type", "b", "r"]);
}

#[test]
fn unfinished_text_still_ends() {
    assert_eq!(words("a \"b"), ["a"]);
    assert_eq!(words("a /* b"), ["a"]);
    assert_eq!(words("a r#\"b\""), ["a"]);
    assert_eq!(words("a '\\"), ["a"]);
}

#[test]
fn groups_are_opened_and_aliases_dropped() {
    let found = paths::of(&tokens("pub use a::{b::{c, d}, self, e as f, g::*};"));
    let found: Vec<String> = found.iter().map(|path| path.parts.join("::")).collect();
    assert_eq!(found, ["a::b::c", "a::b::d", "a", "a::e", "a::g::*"]);
}

#[test]
fn an_import_against_the_table_is_found() {
    assert_eq!(strangers("src/model/card.rs", "use crate::ledger::Book;").len(), 1);
    assert_eq!(strangers("src/risk/mod.rs", "use crate::ledger::Book;").len(), 1);
    assert_eq!(strangers("src/ledger/book.rs", "use crate::risk::Verdict;"), [""; 0]);
    assert_eq!(strangers("src/cli/demo.rs", "use crate::sim::Station;"), [""; 0]);
    assert_eq!(strangers("src/server/mod.rs", "use crate::sim::Station;").len(), 1);
}

#[test]
fn an_import_in_an_expression_a_group_a_macro_or_a_test_is_found() {
    assert_eq!(strangers("src/model/card.rs", "fn f() { crate::flow::run() }").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "use crate::{flow, model};").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "type T = <u8 as crate::flow::Step>::Out;").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "macro_rules! m { () => { $crate::flow::run() } }").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "#[cfg(test)] mod tests { use crate::flow::run; }").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "use crate::*;").len(), 1);
}

#[test]
fn an_import_up_through_super_is_found() {
    assert_eq!(strangers("src/model/card.rs", "use super::super::flow::run;").len(), 1);
    assert_eq!(strangers("src/model/mod.rs", "use super::flow::run;").len(), 1);
    assert_eq!(strangers("src/model/mod.rs", "mod tests { use super::flow; }"), [""; 0]);
    assert_eq!(strangers("src/model/mod.rs", "mod tests { mod deep {} } use super::flow::run;").len(), 1);
    assert_eq!(strangers("src/model/card.rs", "use super::number::Stan;"), [""; 0]);
}

#[test]
fn what_only_looks_like_an_import_is_not_one() {
    let text = "// crate::flow::run\n/* use crate::flow; */ const A: &str = \"use crate::flow;\";";
    assert_eq!(strangers("src/model/card.rs", text), [""; 0]);
    assert_eq!(strangers("tests/behaviour/main.rs", "use crate::flow::x;"), [""; 0]);
}

#[test]
fn a_room_that_is_not_on_the_plan_is_found() {
    assert_eq!(strangers("src/attic/mod.rs", "").len(), 1);
}

#[test]
fn io_in_a_room_that_decides_is_found() {
    for text in [
        "use tokio::net::TcpStream;",
        "use tokio::{sync, time};",
        "use tokio::time;",
        "use tokio as t;",
        "use std::{fs::File, io};",
        "use std::*;",
        "fn f() { std::thread::yield_now() }",
        "fn f() { tokio::spawn(g()) }",
        "fn f() { let t = Instant::now(); }",
        "type T = std::time::SystemTime;",
        "fn f() { getrandom::fill(&mut b) }",
        "use rand::Rng;",
        "fn f() { jiff::Timestamp::now() }",
    ] {
        assert_eq!(io("src/flow/sale.rs", text).len(), 1, "{text}");
    }
}

#[test]
fn what_only_looks_like_io_is_not() {
    for text in [
        "use tokio::sync::mpsc;",
        "use tokio_util::bytes;",
        "use std::time::Duration;",
        "use core::net::SocketAddr;",
        "/// Not std::net and no Instant.\nconst A: &str = \"tokio::spawn\";",
        "let rand = 1; let instant = rand;",
        "tokio::select! { a = b => c }",
        "use std::io;",
    ] {
        assert_eq!(io("src/flow/sale.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn io_is_granted_by_module() {
    let text = "use std::net::TcpStream;";
    for file in ["src/link/tcp.rs", "src/link/tcp/dial.rs", "src/ledger/journal/segments.rs", "src/sim/pos.rs"] {
        assert_eq!(io(file, text), [""; 0], "{file}");
    }
    for file in ["src/link/mod.rs", "src/link/tcp_names.rs", "src/ledger/journal/mod.rs", "src/sim/world/disk.rs"] {
        assert_eq!(io(file, text).len(), 1, "{file}");
    }
}

#[test]
fn imports_in_the_wrong_form_are_found() {
    assert_eq!(form("use crate::model::Pan;\nuse crate::model::{Amount, Stan};"), [""; 0]);
    assert_eq!(form("use crate::{hsm::Hsm};").len(), 1);
    assert_eq!(form("use crate::model::{card::{Pan}};").len(), 1);
    assert_eq!(form("use crate::model::Pan; use crate::model::Stan;").len(), 1);
    assert_eq!(form("use std::{fs, io};"), [""; 0]);
}

#[test]
fn a_relaxed_lint_without_a_reason_is_found() {
    let allows = |text: &str| rules::allows("src/lib.rs", &lex::read(text)).len();
    assert_eq!(allows("#[allow(dead_code)]\nfn f() {}"), 1);
    assert_eq!(allows("#![expect(clippy::panic)]"), 1);
    assert_eq!(allows("#[cfg_attr(test, allow(unused))]"), 1);
    assert_eq!(allows("/// What it does.\n#[allow(dead_code)]"), 1);
    assert_eq!(allows("#[allow(dead_code, reason = \"used by a feature\")]"), 0);
    assert_eq!(allows("// The standard names it so.\n#[allow(dead_code)]"), 0);
    assert_eq!(allows("#[derive(Debug)]\nfn allow(x: u8) {}"), 0);
}

#[test]
fn a_long_function_is_found() {
    let long = |lines: usize| {
        let text = format!("fn f(a: [u8; 2]) -> u8 {{\n{}// not code\n\n}}\nfn g();", "x();\n".repeat(lines));
        rules::long_functions("src/lib.rs", &tokens(&text)).len()
    };
    assert_eq!(long(70), 0);
    assert_eq!(long(71), 1);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(rules::long_file("a.rs", &"\n".repeat(600)), [""; 0]);
    assert_eq!(rules::long_file("a.rs", &"\n".repeat(601)).len(), 1);
}

#[test]
fn a_name_without_a_subject_is_found() {
    assert_eq!(rules::empty_names("src/flow/utils.rs").len(), 1);
    assert_eq!(rules::empty_names("tests/common/mod.rs").len(), 1);
    assert_eq!(rules::empty_names("src/flow/reverse.rs"), [""; 0]);
}

#[test]
fn a_mention_of_a_machine_is_found() {
    assert_eq!(rules::foreign("a.md", concat!("see /wo", "rk/main")).len(), 1);
    assert_eq!(rules::foreign("a.md", "see the manual"), [""; 0]);
}

#[test]
fn a_stranger_at_the_top_is_found() {
    let top = |name: &str| rules::top_level(&[name.to_owned()]).len();
    assert_eq!(top("docs"), 1);
    assert_eq!(top("src"), 0);
    assert_eq!(top(".ci"), 0);
}
