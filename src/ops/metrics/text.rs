//! Reads a page of metrics again: what `tollgate top` knows of a station.

/// The most lines that are read of a page.
const LINES: usize = 100_000;

/// One value of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name, with `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// Its labels, as they stand.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label's value; empty if it has no such label.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }
}

/// A page that cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {0} is no metric")]
pub struct TextFault(pub usize);

/// All samples of a page, in their order.
///
/// # Errors
/// The first line that is none.
pub fn read(page: &str) -> Result<Vec<Sample>, TextFault> {
    let lines = page.lines().enumerate().take(LINES);
    let told = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    told.map(|(place, line)| sample(line).ok_or(TextFault(place + 1))).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.trim().split(' ').next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Labels up to their brace, and what follows it.
fn labels(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = rest.char_indices();
        text = loop {
            match letters.next()? {
                (_, '\\') => value.push(match letters.next()?.1 {
                    'n' => '\n',
                    letter => letter,
                }),
                (at, '"') => break rest.get(at + 1..)?,
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.to_owned(), value));
        text = text.strip_prefix(',').unwrap_or(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::metrics::page::{Page, Sort};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_a_page_says_is_read_back(value in ".{0,20}", count in 0_u64..1 << 50) {
            let mut page = Page::default();
            let mut family = page.family("a_total", Sort::Counter, "a");
            family.count(&[("door", "pos"), ("what", &value)], count);
            family.count(&[], 3);
            let read = read(&page.text().replace('\r', " ")).unwrap();
            prop_assert_eq!(read.len(), 2);
            let value = value.replace('\r', " ");
            prop_assert_eq!((read[0].label("door"), read[0].label("what")), ("pos", &*value));
            prop_assert_eq!((read[0].value, read[1].value, &*read[1].name), (count as f64, 3.0, "a_total"));
        }

        #[test]
        fn anything_else_is_a_fault_and_no_panic(page in "(.{0,30}\n){0,5}") {
            let _ = read(&page);
        }
    }

    #[test]
    fn the_line_that_is_no_metric_is_named() {
        assert_eq!(read("# TYPE a gauge\na 1\na{b=\"c} 2\n"), Err(TextFault(3)));
        assert_eq!(read("a one"), Err(TextFault(1)));
    }
}
