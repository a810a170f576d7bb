//! The house rules as a test: who may import whom, who may touch the world, how long a thing may get.
//!
//! Every rule runs over the whole tree, and every rule is shown to fail on a text that breaks it.
// A test says what it found by panicking; the lints' own exception does not reach what tests share.
#![allow(clippy::unwrap_used)]

#[path = "tidy/lex.rs"]
mod lex;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/scanner.rs"]
mod scanner;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// One file of the repository, by its path from the top with forward slashes.
struct File {
    name: String,
    text: String,
}

/// All text files of the repository, build products and caches left out.
fn tree() -> Vec<File> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(top, top, &mut files);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(files.len() > 10, "the tree was not found");
    files
}

fn collect(top: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
        let last = name.rsplit('/').next().unwrap_or_default();
        if matches!(last, "target" | ".git" | ".venv" | "artifacts" | "corpus" | "__pycache__") {
            continue;
        }
        if path.is_dir() {
            collect(top, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(File { name, text });
        }
    }
}

fn code(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.name.ends_with(".rs"))
}

#[track_caller]
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches\n{}", breaches.len(), breaches.join("\n"));
}

fn on_paths(rule: impl Fn(&str, &[paths::Path]) -> Vec<String>) -> Vec<String> {
    let files = tree();
    code(&files).flat_map(|file| rule(&file.name, &paths::of(&lex::read(&file.text).tokens))).collect()
}

#[test]
fn every_room_imports_only_what_the_table_grants() {
    none(&on_paths(rules::strangers));
}

#[test]
fn imports_of_our_own_are_one_a_line_and_not_nested() {
    none(&on_paths(rules::import_form));
}

#[test]
fn only_the_shell_touches_sockets_disks_threads_clocks_and_randomness() {
    let files = tree();
    let breaches: Vec<_> = code(&files)
        .flat_map(|file| {
            let tokens = lex::read(&file.text).tokens;
            rules::io(&file.name, &tokens, &paths::of(&tokens))
        })
        .collect();
    none(&breaches);
}

#[test]
fn every_relaxed_lint_has_a_reason() {
    let files = tree();
    none(&code(&files).flat_map(|file| rules::allows(&file.name, &lex::read(&file.text))).collect::<Vec<_>>());
}

#[test]
fn functions_and_files_stay_short() {
    let files = tree();
    let functions = code(&files).flat_map(|file| rules::long_functions(&file.name, &lex::read(&file.text).tokens));
    let sources = files
        .iter()
        .filter(|file| [".rs", ".py", ".sh"].iter().any(|end| file.name.ends_with(end)) || file.name == "tests/all");
    none(&functions.chain(sources.flat_map(|file| rules::long_file(&file.name, &file.text))).collect::<Vec<_>>());
}

#[test]
fn files_are_named_after_a_subject() {
    none(&tree().iter().flat_map(|file| rules::empty_names(&file.name)).collect::<Vec<_>>());
}

#[test]
fn the_project_stands_alone() {
    none(&tree().iter().flat_map(|file| rules::foreign(&file.name, &file.text)).collect::<Vec<_>>());
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    none(&rules::top_level(&names));
}
