//! A run as one page that needs nothing else: the latency spectrum, the seconds, and the report's figures.

use super::print;
use crate::sim::bench::summary::Summary;
use crate::sim::bench::tally::Tally;
use hdrhistogram::Histogram;
use std::fmt::Write;

/// A chart's size, and the room around it for numbers.
const WIDE: f64 = 860.0;
const HIGH: f64 = 300.0;
const EDGE: f64 = 60.0;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#1c2733;\
background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}pre{background:#f3f5f7;padding:1em;overflow:auto}\
svg{width:100%;height:auto}text{font-size:12px;fill:#56646f}.axis{stroke:#ccd4da;stroke-width:1}\
path{fill:none;stroke-width:2}.a{stroke:#0b62c4}.b{stroke:#c4590b}.ka{color:#0b62c4}.kb{color:#c4590b}\
@media(prefers-color-scheme:dark){body{background:#14191e;color:#dbe2e8}pre{background:#1e252c}text{fill:#93a1ac}.axis{stroke:#37424c}}";

/// The page.
pub(super) fn report(summary: &Summary, tally: &Tally) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = print::report(&mut text, summary);
    let text = String::from_utf8_lossy(&text);
    let verdict = if summary.passed { "✓ passed" } else { "✗ failed" };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>tollgate bench: {verdict}</title><style>{STYLE}</style>\n<h1>{verdict}: {} against {}</h1>\n<p>{}, {} \
         terminals, {} connections, profile {}, tollgate {}</p>\n",
        escaped(&summary.plan.load),
        escaped(&summary.plan.target),
        escaped(&summary.started),
        summary.plan.terminals,
        summary.plan.connections,
        escaped(&summary.plan.profile),
        escaped(&summary.tollgate),
    );
    page += "<h2>Latency spectrum, ms</h2><p><b class=\"ka\">from schedule</b> · <b class=\"kb\">from send</b>: where they \
             part, requests waited to be sent.</p>\n";
    page += &spectrum(&[&tally.from_schedule, &tally.from_send]);
    page += "<h2>A second</h2><p><b class=\"ka\">sent</b> · <b class=\"kb\">answered</b></p>\n";
    let seconds = |which: fn(&crate::sim::bench::tally::Interval) -> u64| {
        tally.intervals.iter().enumerate().map(|(at, interval)| (at as f64, which(interval) as f64)).collect::<Vec<_>>()
    };
    page +=
        &chart(&[seconds(|interval| interval.sent), seconds(|interval| interval.answered)], |at| format!("{at:.0} s"));
    page += "<h2>99th percentile from schedule, ms, by second</h2>\n";
    let slow = tally.intervals.iter().enumerate().map(|(at, interval)| (at as f64, p99(&interval.spectrum))).collect();
    page += &chart(&[slow], |at| format!("{at:.0} s"));
    let _ = write!(page, "<h2>Report</h2>\n<pre>{}</pre>\n</html>\n", escaped(text.trim()));
    page
}

/// Latency over nines: each step right leaves out ten times fewer.
fn spectrum(histograms: &[&Histogram<u64>]) -> String {
    let line = |histogram: &&Histogram<u64>| {
        let steps = histogram.iter_quantiles(4).filter(|step| step.quantile_iterated_to() < 1.0);
        let nines = |quantile: f64| -(1.0 - quantile).log10();
        steps
            .map(|step| (nines(step.quantile_iterated_to()), step.value_iterated_to() as f64 / 1e3))
            .collect::<Vec<_>>()
    };
    chart(&histograms.iter().map(line).collect::<Vec<_>>(), |nines| {
        let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
        if nines < 0.1 {
            "0 %".to_owned()
        } else {
            format!("{percent:.*} %", (nines.round() as usize).saturating_sub(1))
        }
    })
}

/// The 99th percentile of a second in milliseconds.
fn p99(spectrum: &[(u64, u64)]) -> f64 {
    let all: u64 = spectrum.iter().map(|(_, count)| count).sum();
    let mut left = all / 100;
    for (value, count) in spectrum.iter().rev() {
        if *count > left {
            return *value as f64 / 1e3;
        }
        left -= count;
    }
    0.0
}

/// Lines over one axis, with a number here and there.
fn chart(lines: &[Vec<(f64, f64)>], name: impl Fn(f64) -> String) -> String {
    let most = |pick: fn(&(f64, f64)) -> f64| lines.iter().flatten().map(pick).fold(0.0, f64::max);
    let (right, top) = (most(|point| point.0).max(1.0), most(|point| point.1).max(1e-3) * 1.05);
    let x = |at: f64| EDGE + at / right * (WIDE - EDGE - 10.0);
    let y = |value: f64| HIGH - 30.0 - value / top * (HIGH - 40.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\">");
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let (value, at) = (top * part, right * part);
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{EDGE}\" x2=\"{WIDE}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text x=\"{1:.1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{3}</text><text x=\"{4:.1}\" y=\"{5:.1}\" text-anchor=\"middle\">{6}</text>",
            y(value),
            EDGE - 6.0,
            y(value) + 4.0,
            if top < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") },
            x(at).min(WIDE - 24.0),
            HIGH - 8.0,
            escaped(&name(at)),
        );
    }
    for (line, class) in lines.iter().zip(["a", "b"]) {
        let points = line
            .iter()
            .enumerate()
            .map(|(at, (left, value))| format!("{}{:.1} {:.1}", if at == 0 { 'M' } else { 'L' }, x(*left), y(*value)));
        let _ = write!(svg, "<path class=\"{class}\" d=\"{}\"/>", points.collect::<String>());
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_else_and_shows_no_markup_of_others() {
        let mut tally = Tally::new(0).unwrap();
        tally.left(0, false, 1_000);
        tally.came("00", (0, 1_000), 5_000_000);
        tally.finish(2_000_000_000);
        let mut summary = Summary::of(&tally, 2.0, false);
        summary.plan.target = "<script>alert(1)</script>".to_owned();
        let page = report(&summary, &tally);
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
        assert_eq!(page.matches("<svg").count(), 3);
    }
}
