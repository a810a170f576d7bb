//! The house rules, each a function from a file to the breaches in it.

use crate::lex::Source;
use crate::lex::Token;
use crate::paths::Path;

/// A room's place in the house.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// The rooms it may import besides itself; `*` is all of them.
    pub(crate) may_import: &'static [&'static str],
    pub(crate) io: Io,
}

/// Where a room may name sockets, disks, threads, clocks and randomness.
pub(crate) enum Io {
    No,
    /// In all of the room.
    Yes,
    /// Only in these of its modules.
    OnlyIn(&'static [&'static str]),
    /// In all of it except these modules.
    NotIn(&'static [&'static str]),
}

const SHELL_SEES: &[&str] =
    &["model", "iso8583", "channel", "hsm", "registry", "risk", "route", "ledger", "flow", "link", "settle"];
/// Who watches over a station sees all of it.
const OPS_SEES: &[&str] =
    &["model", "iso8583", "channel", "hsm", "registry", "risk", "route", "ledger", "flow", "link", "settle", "server"];
const SIM_SEES: &[&str] = &[
    "model", "iso8583", "channel", "hsm", "registry", "risk", "route", "ledger", "flow", "link", "settle", "server",
    "ops",
];

/// Who may import whom. Money walks one way, so does this table: a row names only rows above it.
pub(crate) const ROOMS: &[Room] = &[
    Room { name: "model", may_import: &[], io: Io::No },
    Room { name: "iso8583", may_import: &["model"], io: Io::No },
    Room { name: "channel", may_import: &["model", "iso8583"], io: Io::No },
    Room { name: "hsm", may_import: &["model"], io: Io::OnlyIn(&["payshield", "pkcs11"]) },
    Room { name: "registry", may_import: &["model"], io: Io::No },
    Room { name: "risk", may_import: &["model"], io: Io::No },
    Room { name: "route", may_import: &["model"], io: Io::No },
    Room {
        name: "ledger",
        may_import: &["model", "risk"],
        io: Io::OnlyIn(&["journal/segments", "archive", "postgres"]),
    },
    Room { name: "link", may_import: &["model", "channel", "hsm"], io: Io::OnlyIn(&["tcp", "http"]) },
    Room {
        name: "flow",
        may_import: &["model", "iso8583", "channel", "hsm", "registry", "risk", "route", "ledger", "link"],
        io: Io::No,
    },
    Room { name: "settle", may_import: &["model", "ledger", "registry"], io: Io::No },
    Room { name: "server", may_import: SHELL_SEES, io: Io::Yes },
    Room { name: "ops", may_import: OPS_SEES, io: Io::Yes },
    Room { name: "sim", may_import: SIM_SEES, io: Io::NotIn(&["world"]) },
    Room { name: "cli", may_import: &["*"], io: Io::Yes },
    Room { name: "manual", may_import: &[], io: Io::No },
    // Known bugs that tests plant; every room may ask whether one of them is there.
    Room { name: "mutant", may_import: &[], io: Io::No },
    // The properties that fuzz targets and property tests share, and the two crate roots.
    Room { name: "fuzzing", may_import: &["*"], io: Io::No },
    Room { name: "lib", may_import: &["*"], io: Io::No },
    Room { name: "main", may_import: &["*"], io: Io::Yes },
];

/// Paths that touch the world. `tokio::sync` does not: it waits, but for ourselves.
const IO_PATHS: &[&[&str]] = &[
    &["tokio", "net"],
    &["tokio", "fs"],
    &["tokio", "time"],
    &["tokio", "spawn"],
    &["tokio", "task"],
    &["tokio", "runtime"],
    &["std", "net"],
    &["std", "fs"],
    &["std", "thread"],
    &["rand"],
    &["getrandom"],
    // jiff's clock, by the names it is called by.
    &["jiff", "Timestamp", "now"],
    &["jiff", "Zoned", "now"],
    &["Zoned", "now"],
];
const IO_WORDS: &[&str] = &["Instant", "SystemTime"];

/// `src/link/mux/wait.rs` is room `link`, module `mux/wait`, three modules below the crate root.
struct Place<'a> {
    room: &'a str,
    module: String,
    depth: usize,
}

fn place(file: &str) -> Option<Place<'_>> {
    let inside = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let (room, module) = inside.split_once('/').unwrap_or((inside, ""));
    let depth = if matches!(inside, "lib" | "main") { 0 } else { inside.split('/').count() };
    Some(Place { room, module: module.to_owned(), depth })
}

impl Io {
    fn allows(&self, module: &str) -> bool {
        let within = |names: &[&str]| {
            names
                .iter()
                .any(|name| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::OnlyIn(names) => within(names),
            Self::NotIn(names) => !within(names),
        }
    }
}

fn room_row(file: &str) -> Option<Result<(Place<'_>, &'static Room), String>> {
    let place = place(file)?;
    Some(match ROOMS.iter().find(|room| room.name == place.room) {
        Some(row) => Ok((place, row)),
        None => Err(format!("{file}: `{}` is no room of the house", place.room)),
    })
}

/// Imports that the table does not grant, whether by `use`, in an expression or up through `super`.
pub(crate) fn strangers(file: &str, paths: &[Path]) -> Vec<String> {
    let (place, row) = match room_row(file) {
        None => return Vec::new(),
        Some(Err(breach)) => return vec![breach],
        Some(Ok(found)) => found,
    };
    let mut breaches = Vec::new();
    for path in paths {
        let Some(seen) = room_of(path, place.depth) else { continue };
        let known =
            seen == "mutant" || seen == place.room || row.may_import.contains(&"*") || row.may_import.contains(&seen);
        if !known {
            breaches.push(format!("{file}:{}: `{}` may not import `{seen}`", path.line, place.room));
        }
    }
    breaches
}

/// The first segment below the crate root that an absolute path names, `super` counted.
fn room_of(path: &Path, depth: usize) -> Option<&str> {
    let first = path.parts.first()?;
    let up = path.parts.iter().take_while(|part| *part == "super").count();
    let at = match first.as_str() {
        "crate" => 1,
        "self" if depth + path.inline_depth == 0 => 1,
        "super" if up >= depth + path.inline_depth => up,
        _ => return None,
    };
    path.parts.get(at).map(String::as_str)
}

/// How imports are written: one room a line, so that a reader and a search find every one of them.
pub(crate) fn import_form(file: &str, paths: &[Path]) -> Vec<String> {
    let ours = |path: &&Path| path.imported && path.parts.first().is_some_and(|first| first == "crate");
    let mut breaches = Vec::new();
    for path in paths.iter().filter(ours) {
        if path.group_at_root || path.groups > 1 {
            breaches.push(format!("{file}:{}: one `use crate::room::..` a line, no nested groups", path.line));
        }
    }
    let mut lines: Vec<usize> = paths.iter().filter(ours).filter(|p| p.groups == 0).map(|p| p.line).collect();
    lines.sort_unstable();
    for pair in lines.windows(2).filter(|pair| pair[0] == pair[1]) {
        breaches.push(format!("{file}:{}: two imports on one line", pair[0]));
    }
    breaches.dedup();
    breaches
}

/// Sockets, disks, threads, clocks and randomness in rooms that only decide.
pub(crate) fn io(file: &str, tokens: &[Token], paths: &[Path]) -> Vec<String> {
    let Some(Ok((place, row))) = room_row(file) else { return Vec::new() };
    if row.io.allows(&place.module) {
        return Vec::new();
    }
    let words = tokens.iter().filter_map(|token| {
        let word = token.word()?;
        IO_WORDS.contains(&word).then(|| (token.line, word.to_owned()))
    });
    let named = paths.iter().filter(|path| names_io(path)).map(|path| (path.line, path.parts.join("::")));
    let mut found: Vec<_> = words.chain(named).collect();
    found.sort();
    found.dedup();
    found.iter().map(|(line, what)| format!("{file}:{line}: `{}` may not name `{what}`", place.room)).collect()
}

/// A path below an IO path, or an import of something that holds one (`use tokio as t`, `use std::*`).
fn names_io(path: &Path) -> bool {
    let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
    let open: &[&str] = parts.strip_suffix(&["*"]).unwrap_or(&parts);
    IO_PATHS.iter().any(|io| parts.starts_with(io) || (path.imported && !open.is_empty() && io.starts_with(open)))
}

/// Every relaxed lint says why: `reason = ".."`, or a comment on the line above or the same line.
pub(crate) fn allows(file: &str, source: &Source) -> Vec<String> {
    let tokens = &source.tokens;
    let mut breaches = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.is('#')) {
        let open = if tokens.get(at + 1).is_some_and(|t| t.is('!')) { at + 2 } else { at + 1 };
        if !tokens.get(open).is_some_and(|t| t.is('[')) {
            continue;
        }
        let inside: Vec<&str> = tokens[open..].iter().take_while(|t| !t.is(']')).filter_map(Token::word).collect();
        let relaxes = match inside.first() {
            Some(&"cfg_attr") => inside.iter().any(|word| matches!(*word, "allow" | "expect")),
            Some(first) => matches!(*first, "allow" | "expect"),
            None => false,
        };
        let said = source.comments.iter().any(|line| *line == token.line || *line + 1 == token.line);
        if relaxes && !inside.contains(&"reason") && !said {
            breaches.push(format!("{file}:{}: a relaxed lint without a reason", token.line));
        }
    }
    breaches
}

/// Longest function body in lines that hold code, its braces not counted.
const FUNCTION_LINES: usize = 70;

/// Functions too long to be read at once.
pub(crate) fn long_functions(file: &str, tokens: &[Token]) -> Vec<String> {
    let starts = (0..tokens.len()).filter(|i| tokens[*i].word() == Some("fn"));
    let mut breaches = Vec::new();
    for start in starts {
        let Some(name) = tokens.get(start + 1).and_then(Token::word) else { continue };
        let Some(open) = body(tokens, start) else { continue };
        let close = closing(tokens, open);
        let mut lines: Vec<usize> = tokens[open + 1..close].iter().map(|token| token.line).collect();
        lines.dedup();
        if lines.len() > FUNCTION_LINES {
            breaches.push(format!("{file}:{}: `{name}` has {} lines", tokens[start].line, lines.len()));
        }
    }
    breaches
}

/// The brace that opens the body of the function at `start`; `None` for a declaration.
fn body(tokens: &[Token], start: usize) -> Option<usize> {
    let mut brackets = 0_i32;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        if token.is('(') || token.is('[') {
            brackets += 1;
        } else if token.is(')') || token.is(']') {
            brackets -= 1;
        } else if token.is('{') && brackets == 0 {
            return Some(at);
        } else if token.is(';') && brackets == 0 {
            return None;
        }
    }
    None
}

fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        depth += i32::from(token.is('{')) - i32::from(token.is('}'));
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Longest source file.
const FILE_LINES: usize = 600;

/// Files too long for one subject.
pub(crate) fn long_file(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= FILE_LINES { Vec::new() } else { vec![format!("{file}: {lines} lines, {FILE_LINES} at most")] }
}

/// Files and folders named after no subject.
pub(crate) fn empty_names(file: &str) -> Vec<String> {
    const EMPTY: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];
    let stems = file.split('/').map(|part| part.split('.').next().unwrap_or(part));
    stems.filter(|stem| EMPTY.contains(stem)).map(|stem| format!("{file}: `{stem}` names no subject")).collect()
}

/// Words that only make sense on one machine, or to people who have papers that this repository has not.
/// In pieces, so that this file does not hold them itself.
const FOREIGN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("../", "shared"),
    concat!("shared", "/reference"),
    concat!("shared", "/vectors"),
    concat!("shared", "/design"),
    concat!("design", ".md"),
    concat!("idioms", ".md"),
    concat!("crates", ".md"),
    concat!("hsm", ".md"),
    concat!("cn-pos", ".md"),
    concat!("requirements", ".md"),
];

/// Mentions of a machine or of papers outside the repository.
pub(crate) fn foreign(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let hits = lines
        .flat_map(|(i, line)| FOREIGN.iter().filter(move |word| line.contains(**word)).map(move |word| (i + 1, *word)));
    hits.map(|(line, word)| format!("{file}:{line}: mentions `{word}`")).collect()
}

/// What may lie at the top of the repository besides dot-files.
const TOP: &[&str] =
    &["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "src", "benches", "fuzz", "specs", "tests", "target"];

/// Names at the top that the house has no place for.
pub(crate) fn top_level(names: &[String]) -> Vec<String> {
    let strangers = names.iter().filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()));
    strangers.map(|name| format!("{name}: nothing of this name belongs at the top of the repository")).collect()
}
