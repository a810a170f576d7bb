//! Two readings of a station's figures, and what they say together.

use crate::ops::metrics;
use crate::ops::metrics::Sample;
use std::collections::BTreeMap;
use std::time::Instant;

/// A page of figures, and when it was read.
pub(super) struct Reading {
    samples: Vec<Sample>,
    at: Instant,
}

impl Reading {
    /// `None` of a page that is no station's.
    pub(super) fn of(page: &str, at: Instant) -> Option<Self> {
        let samples = metrics::read(page).ok()?;
        samples.iter().any(|sample| sample.name == "tollgate_build_info").then_some(Self { samples, at })
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    fn sum(&self, name: &str) -> f64 {
        self.named(name).map(|sample| sample.value).sum()
    }

    /// Added up by a label.
    fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for sample in self.named(name) {
            *sums.entry(sample.label(label).to_owned()).or_default() += sample.value;
        }
        sums
    }

    /// A histogram by a label, or the only one there is.
    fn spread(&self, name: &str, label: &str, value: &str) -> Spread {
        let own = |sample: &&Sample| label.is_empty() || sample.label(label) == value;
        let bound = |text: &str| text.parse::<f64>().ok();
        let buckets = self.samples.iter().filter(|sample| sample.name.strip_suffix("_bucket") == Some(name));
        let buckets = buckets.filter(own).filter_map(|sample| Some((bound(sample.label("le"))?, sample.value)));
        let sums = self.samples.iter().filter(|sample| sample.name.strip_suffix("_sum") == Some(name));
        Spread { buckets: buckets.collect(), sum: sums.filter(own).map(|sample| sample.value).sum() }
    }
}

/// A histogram as it is told: how many are at most each bound, infinity the last.
#[derive(Clone, Debug, Default)]
struct Spread {
    buckets: Vec<(f64, f64)>,
    sum: f64,
}

impl Spread {
    fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// What came since an earlier one; all of it if nothing did.
    fn since(&self, earlier: &Self) -> Self {
        let buckets = self.buckets.iter().zip(&earlier.buckets);
        let buckets = buckets.map(|((bound, count), (_, before))| (*bound, count - before)).collect();
        let since = Self { buckets, sum: self.sum - earlier.sum };
        if since.count() > 0.0 { since } else { self.clone() }
    }

    /// Where a share of them ends, straight through the bucket in which it lies.
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = self.count() * share;
        if rank <= 0.0 {
            return None;
        }
        let (mut low, mut below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank {
                let within = if *count > below { (rank - below) / (count - below) } else { 1.0 };
                return Some(if bound.is_finite() { low + (bound - low) * within } else { low });
            }
            (low, below) = (*bound, *count);
        }
        Some(low)
    }

    fn mean(&self) -> Option<f64> {
        (self.count() > 0.0).then(|| self.sum / self.count())
    }
}

/// What there is to see, in blocks of lines.
pub(super) struct View {
    pub(super) head: Vec<String>,
    pub(super) stages: Vec<String>,
    pub(super) answers: Vec<String>,
    pub(super) links: Vec<String>,
}

impl View {
    /// All of it, one below the other.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let blocks = [&self.head, &self.stages, &self.answers, &self.links];
        let blocks = blocks.into_iter().enumerate();
        blocks.flat_map(|(place, block)| {
            let blank = (place > 0 && !block.is_empty()).then_some("");
            blank.into_iter().chain(block.iter().map(String::as_str))
        })
    }
}

/// What an earlier and a later reading say.
pub(super) fn view(earlier: &Reading, later: &Reading) -> View {
    let seconds = later.at.duration_since(earlier.at).as_secs_f64().max(0.001);
    let rate = |name: &str| (later.sum(name) - earlier.sum(name)).max(0.0) / seconds;
    View {
        head: head(later, &rate),
        stages: stages(earlier, later, seconds),
        answers: answers(earlier, later, seconds),
        links: links(earlier, later, seconds),
    }
}

fn head(now: &Reading, rate: &dyn Fn(&str) -> f64) -> Vec<String> {
    let version = now.named("tollgate_build_info").next().map_or("", |sample| sample.label("version"));
    let ready = if now.sum("tollgate_ready") > 0.0 { "ready" } else { "NOT READY" };
    let alarms = now.by("tollgate_alarms", "severity");
    let alarms = ["critical", "warning"].map(|severity| alarms.get(severity).copied().unwrap_or(0.0));
    let mib = now.sum("process_resident_memory_bytes") / f64::from(1 << 20);
    vec![
        format!(
            "tollgate {version}  {ready}  {} workers  {} terminals known  alarms: {} critical, {} warning",
            now.sum("tollgate_workers"),
            now.sum("tollgate_terminals"),
            alarms[0],
            alarms[1],
        ),
        format!(
            "{:.1} requests/s  {} in flight  {} connections  {:.1} shed/s  {:.1} repeats/s  {} owed",
            rate("tollgate_transactions_total"),
            now.sum("tollgate_requests_in_flight"),
            now.sum("tollgate_connections"),
            rate("tollgate_requests_shed_total"),
            rate("tollgate_duplicate_requests_total"),
            now.sum("tollgate_saf_depth"),
        ),
        format!(
            "{:.0} % of a core  {mib:.0} MiB  {} descriptors  journal {:.1} groups/s, {:.1} records/s",
            rate("process_cpu_seconds_total") * 100.0,
            now.sum("process_open_fds"),
            rate("tollgate_journal_groups_total"),
            rate("tollgate_journal_records_total"),
        ),
    ]
}

fn stages(earlier: &Reading, later: &Reading, seconds: f64) -> Vec<String> {
    const WHOLE: &str = "tollgate_transaction_duration_seconds";
    const STAGE: &str = "tollgate_stage_duration_seconds";
    const JOURNAL: &str = "tollgate_journal_append_duration_seconds";
    let mut names: Vec<&str> = Vec::new();
    let counts = format!("{STAGE}_count");
    names.extend(later.samples.iter().filter(|sample| sample.name == counts).map(|sample| sample.label("stage")));
    let mut rows = vec![(WHOLE, "", "", "whole")];
    rows.extend(names.into_iter().map(|name| (STAGE, "stage", name, name)));
    rows.push((JOURNAL, "", "", "(journal)"));
    let mut lines = vec![format!("{:<10}{:>10}{:>11}{:>11}{:>11}", "stage", "per s", "p50", "p99", "mean")];
    for (metric, label, value, shown) in rows {
        let (before, now) = (earlier.spread(metric, label, value), later.spread(metric, label, value));
        if now.count() <= 0.0 {
            continue;
        }
        let (since, rate) = (now.since(&before), (now.count() - before.count()).max(0.0) / seconds);
        let [p50, p99] = [0.5, 0.99].map(|share| time(since.quantile(share)));
        lines.push(format!("{shown:<10}{rate:>10.1}{p50:>11}{p99:>11}{:>11}", time(since.mean())));
    }
    if lines.len() == 1 {
        lines.push("nothing was measured yet, or [metrics] stages = false".to_owned());
    }
    lines
}

fn answers(earlier: &Reading, later: &Reading, seconds: f64) -> Vec<String> {
    let name = "tollgate_transactions_total";
    let key = |sample: &Sample| [sample.label("outcome"), sample.label("rc"), sample.label("kind")].map(str::to_owned);
    let of = |reading: &Reading| {
        let mut sums: BTreeMap<[String; 3], f64> = BTreeMap::new();
        for sample in reading.named(name) {
            *sums.entry(key(sample)).or_default() += sample.value;
        }
        sums
    };
    let (before, now) = (of(earlier), of(later));
    let mut lines = vec![format!("{:<10}{:<6}{:<22}{:>10}{:>12}", "answers", "rc", "kind", "per s", "all")];
    for (key, count) in &now {
        let rate = (count - before.get(key).copied().unwrap_or(0.0)).max(0.0) / seconds;
        let [outcome, rc, kind] = key;
        lines.push(format!("{outcome:<10}{rc:<6}{kind:<22}{rate:>10.1}{count:>12}"));
    }
    lines
}

fn links(earlier: &Reading, later: &Reading, seconds: f64) -> Vec<String> {
    const TOOK: &str = "tollgate_link_response_duration_seconds";
    let columns = ["in flight", "asked/s", "timeouts", "late", "owed", "p50", "p99"];
    let columns: String = columns.iter().map(|name| format!("{name:>11}")).collect();
    let mut lines = vec![format!("{:<16}{:<6}{columns}", "link", "up")];
    let [asked, before] = [later, earlier].map(|reading| reading.by("tollgate_link_requests_total", "link"));
    for up in later.named("tollgate_links_up") {
        let link = up.label("link");
        let of = |name: &str| later.by(name, "link").get(link).copied().unwrap_or(0.0);
        let at = |sums: &BTreeMap<String, f64>| sums.get(link).copied().unwrap_or(0.0);
        let rate = (at(&asked) - at(&before)).max(0.0) / seconds;
        let took = later.spread(TOOK, "link", link).since(&earlier.spread(TOOK, "link", link));
        lines.push(format!(
            "{link:<16}{:<6}{:>11}{rate:>11.1}{:>11}{:>11}{:>11}{:>11}{:>11}",
            format!("{}/{}", up.value, of("tollgate_links")),
            of("tollgate_transactions_in_flight"),
            of("tollgate_timeouts_total"),
            of("tollgate_late_responses_total"),
            of("tollgate_saf_depth"),
            time(took.quantile(0.5)),
            time(took.quantile(0.99)),
        ));
    }
    lines
}

/// A time in the unit in which it is short.
fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 1e-3 => format!("{:.1} us", seconds * 1e6),
        Some(seconds) if seconds < 1.0 => format!("{:.2} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn page(sold: u32) -> String {
        format!(
            "tollgate_build_info{{version=\"9\"}} 1\ntollgate_ready 1\n\
             tollgate_transactions_total{{door=\"pos\",kind=\"sale\",outcome=\"approved\",rc=\"00\"}} {sold}\n\
             tollgate_transaction_duration_seconds_bucket{{le=\"0.001\"}} 0\n\
             tollgate_transaction_duration_seconds_bucket{{le=\"0.002\"}} {sold}\n\
             tollgate_transaction_duration_seconds_bucket{{le=\"+Inf\"}} {sold}\n\
             tollgate_transaction_duration_seconds_sum {}\ntollgate_transaction_duration_seconds_count {sold}\n\
             tollgate_links_up{{link=\"bank-a\"}} 2\ntollgate_links{{link=\"bank-a\"}} 3\n",
            f64::from(sold) * 0.0015
        )
    }

    #[test]
    fn rates_are_of_the_time_between_two_readings_and_quantiles_of_what_came_in_it() {
        let began = Instant::now();
        let earlier = Reading::of(&page(100), began).unwrap();
        let later = Reading::of(&page(300), began + Duration::from_secs(2)).unwrap();
        let view = view(&earlier, &later);
        let text: Vec<&str> = view.lines().collect();
        assert!(text[1].starts_with("100.0 requests/s"), "{text:#?}");
        assert_eq!(view.stages[1], "whole          100.0    1.50 ms    1.99 ms    1.50 ms");
        assert_eq!(view.answers[1], "approved  00    sale                       100.0         300");
        assert!(view.links[1].starts_with("bank-a          2/3"), "{text:#?}");
    }

    #[test]
    fn a_page_of_somebody_else_is_no_reading() {
        assert!(Reading::of("go_goroutines 7\n", Instant::now()).is_none());
        assert!(Reading::of("<html>", Instant::now()).is_none());
    }
}
