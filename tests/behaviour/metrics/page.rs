//! A strict reader of the text format of Prometheus, version 0.0.4, independent of what the station uses.

use std::collections::{BTreeMap, BTreeSet};

/// A page that was found to be well formed.
pub(super) struct Page {
    series: BTreeMap<String, f64>,
}

fn is_name(name: &str, colon: bool) -> bool {
    let fits = |byte: u8, first: bool| {
        byte.is_ascii_alphabetic() || byte == b'_' || colon && byte == b':' || !first && byte.is_ascii_digit()
    };
    !name.is_empty() && name.bytes().enumerate().all(|(place, byte)| fits(byte, place == 0))
}

/// Name and labels of a series; the text must be in one normal form.
fn series(text: &str) -> (String, Vec<(String, String)>) {
    let Some((name, rest)) = text.split_once('{') else { return (text.to_owned(), Vec::new()) };
    let inside = rest.strip_suffix('}').expect("a brace");
    let mut labels = Vec::new();
    let mut rest = inside;
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").expect("a label");
        assert!(is_name(label, false) && !label.starts_with("__"), "{label}");
        let end = (0..value.len())
            .find(|at| value[..=*at].ends_with('"') && !value[..*at].ends_with('\\'))
            .expect("an end of the value");
        labels.push((label.to_owned(), value[..end].to_owned()));
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let names: BTreeSet<_> = labels.iter().map(|(label, _)| label).collect();
    assert_eq!(names.len(), labels.len(), "a label twice: {text}");
    (name.to_owned(), labels)
}

fn bucket(labels: &[(String, String)]) -> (String, f64) {
    let bound = labels.iter().find(|(label, _)| label == "le").expect("le").1.clone();
    let others: Vec<String> = labels.iter().filter(|(label, _)| label != "le").map(|l| format!("{l:?}")).collect();
    (others.join(","), if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() })
}

impl Page {
    /// Reads a page; anything that is not as it should be is a panic.
    pub(super) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut families, mut all) = (BTreeSet::new(), BTreeMap::new());
        let (mut family, mut sort) = (String::new(), "");
        // Buckets of the present family, by their other labels: bounds and counts rise.
        let mut buckets: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a text");
                assert!(is_name(name, true) && !help.is_empty());
                assert!(families.insert(name.to_owned()), "{name} twice");
                let told = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("a type");
                let (typed, what) = told.split_once(' ').unwrap();
                assert_eq!(typed, name);
                assert!(matches!(what, "counter" | "gauge" | "histogram"), "{what}");
                assert_eq!(what == "counter", name.ends_with("_total"), "{name} is a {what}");
                (family, sort) = (name.to_owned(), what);
                buckets.clear();
                continue;
            }
            let (key, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let (name, labels) = series(key);
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{name} stands under {family}"));
            match (sort, suffix) {
                ("histogram", "_bucket") => {
                    let (others, bound) = bucket(&labels);
                    let last = buckets.entry(others).or_insert((-1.0, 0.0));
                    assert!(bound > last.0 && value >= last.1, "{line}");
                    *last = (bound, value);
                }
                ("histogram", "_count") => {
                    let others: Vec<String> = labels.iter().map(|label| format!("{label:?}")).collect();
                    assert_eq!(buckets.get(&others.join(",")), Some(&(f64::INFINITY, value)), "{line}");
                }
                ("histogram", "_sum") | ("counter" | "gauge", "") => {}
                other => panic!("{line}: {other:?}"),
            }
            assert!(all.insert(key.to_owned(), value).is_none(), "{key} twice");
        }
        Self { series: all }
    }

    /// The sum of a metric's series that have all of these labels, written `door="pos"`.
    pub(super) fn sum(&self, name: &str, with: &[&str]) -> f64 {
        let own = |key: &str| key.split('{').next() == Some(name) && with.iter().all(|label| key.contains(label));
        self.series.iter().filter(|(key, _)| own(key)).map(|(_, value)| value).sum()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.series.keys().any(|key| key.split('{').next() == Some(name))
    }

    /// Every value that a label has anywhere, bounds of buckets apart.
    pub(super) fn values(&self) -> BTreeSet<String> {
        self.series
            .keys()
            .flat_map(|key| series(key).1)
            .filter(|(label, _)| label != "le")
            .map(|(_, value)| value)
            .collect()
    }
}

#[test]
fn a_page_that_is_not_well_formed_is_refused() {
    let head = "# HELP a_total x\n# TYPE a_total counter\n";
    assert_eq!(Page::read(&format!("{head}a_total{{b=\"c\"}} 2\n")).sum("a_total", &["b=\"c\""]), 2.0);
    for bad in ["a_total 1", "b_total 1\n", "a_total one\n", "a_total 1\na_total 1\n", "a_total{b=\"c} 1\n"] {
        let text = format!("{head}{bad}");
        assert!(std::panic::catch_unwind(|| Page::read(&text)).is_err(), "{bad}");
    }
}
