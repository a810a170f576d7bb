//! A page of metrics: the text format of Prometheus, version 0.0.4.

use crate::model::Spread;
use std::fmt::Write;

/// Of what sort a metric is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sort {
    Counter,
    Gauge,
    Histogram,
}

/// The text, family by family.
#[derive(Default)]
pub(super) struct Page(String);

/// A label's name, and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

impl Page {
    /// The next family. Its samples follow.
    pub(super) fn family(&mut self, name: &'static str, sort: Sort, help: &str) -> Family<'_> {
        let sort = match sort {
            Sort::Counter => "counter",
            Sort::Gauge => "gauge",
            Sort::Histogram => "histogram",
        };
        // A string takes whatever is written to it.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {sort}");
        Family { page: &mut self.0, name }
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

/// One metric, by its labels.
pub(super) struct Family<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Family<'_> {
    /// A count.
    pub(super) fn count(&mut self, labels: &[Label<'_>], value: u64) {
        self.line("", labels, &value.to_string());
    }

    /// Any other value.
    pub(super) fn value(&mut self, labels: &[Label<'_>], value: f64) {
        self.line("", labels, &value.to_string());
    }

    /// A histogram. `unit` is what a bound of a spread is divided by.
    pub(super) fn spread(&mut self, labels: &[Label<'_>], spread: &Spread, unit: f64, sum: f64) {
        let mut bucket = |bound: &str, count: u64| {
            let labels: Vec<Label<'_>> = labels.iter().copied().chain([("le", bound)]).collect();
            self.line("_bucket", &labels, &count.to_string());
        };
        #[allow(clippy::cast_precision_loss, reason = "bounds are powers of two")]
        for (bound, count) in Spread::bounds().zip(spread.up_to()) {
            bucket(&(bound as f64 / unit).to_string(), count);
        }
        bucket("+Inf", spread.count());
        self.line("_sum", labels, &sum.to_string());
        self.line("_count", labels, &spread.count().to_string());
    }

    /// A histogram of durations, in seconds.
    pub(super) fn durations(&mut self, labels: &[Label<'_>], spread: &Spread) {
        self.spread(labels, spread, 1e9, spread.sum().as_secs_f64());
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], value: &str) {
        self.page.push_str(self.name);
        self.page.push_str(suffix);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.page.push(if place == 0 { '{' } else { ',' });
            self.page.push_str(label);
            self.page.push_str("=\"");
            for letter in text.chars() {
                match letter {
                    '\\' => self.page.push_str("\\\\"),
                    '"' => self.page.push_str("\\\""),
                    '\n' => self.page.push_str("\\n"),
                    letter => self.page.push(letter),
                }
            }
            self.page.push('"');
        }
        if !labels.is_empty() {
            self.page.push('}');
        }
        self.page.push(' ');
        self.page.push_str(value);
        self.page.push('\n');
    }
}
