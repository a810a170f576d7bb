//! The manual's table of faults names tests that there are.

use std::collections::BTreeSet;
use std::path::Path;

/// Rows that the table must have; the others are of stations of several nodes, or of long runs.
const ROWS: [std::ops::RangeInclusive<u32>; 2] = [1..=26, 32..=36];

fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let tests = text.split("#[test]").skip(1).chain(text.split("#[tokio::test]").skip(1));
            let named = tests.filter_map(|test| test.split("fn ").nth(1)?.split(['(', '<']).next());
            names.extend(named.map(str::to_owned));
        }
    }
}

#[test]
fn every_fault_of_the_manual_has_tests_and_they_are_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    functions(&top.join("tests"), &mut names);
    let page = include_str!("../../src/manual/faults.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.parse::<u32>().ok()?, cells.nth(2)?))
    });
    let mut seen = BTreeSet::new();
    for (number, tests) in rows {
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty() && seen.insert(number), "row {number}");
        for test in tests {
            assert!(names.contains(test), "row {number}: there is no test `{test}`");
        }
    }
    assert_eq!(seen, ROWS.into_iter().flatten().collect());
    let last = page.rsplit('`').nth(1).unwrap();
    assert!(names.contains(last), "there is no test `{last}`");
}
