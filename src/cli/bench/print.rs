//! What a run says: thresholds first.

use crate::model::Currency;
use crate::settle::table::grouped;
use crate::settle::table::money;
use crate::sim::bench::Glimpse;
use crate::sim::bench::Signed;
use crate::sim::bench::summary::KneeStep;
use crate::sim::bench::summary::PlanFacts;
use crate::sim::bench::summary::Quantiles;
use crate::sim::bench::summary::Summary;
use crate::sim::bench::summary::Verified;
use crate::sim::bench::tally::Fault;
use std::io;
use std::io::Write;

/// Differences that are printed; all are in the summary.
const SHOWN: usize = 20;

/// Before it begins.
pub(super) fn opening(out: &mut dyn Write, plan: &PlanFacts, signed: &Signed) -> io::Result<()> {
    writeln!(
        out,
        "{} @ {}, profile {}: {} of {} terminals ready, {} connections, seed {}",
        plan.load, plan.target, plan.profile, signed.ready, plan.terminals, plan.connections, plan.seed
    )?;
    for (why, many) in &signed.troubles {
        writeln!(out, "  {many} not: {why}")?;
    }
    out.flush()
}

/// A line that is drawn over itself.
pub(super) fn progress(glimpse: &Glimpse) {
    let (since, of) = (glimpse.since.as_secs_f64(), glimpse.of.as_secs_f64());
    let done = ((since / of.max(1e-9)).min(1.0) * 20.0) as usize;
    eprint!(
        "\r{since:6.1} s  {}{}  {} sent  {} answered  p99 {}  wrong {} \x1b[K",
        "█".repeat(done),
        "░".repeat(20 - done),
        grouped(glimpse.sent),
        grouped(glimpse.answered),
        millis(glimpse.p99 as f64),
        grouped(glimpse.faults),
    );
}

/// Takes that line away.
pub(super) fn wipe() {
    eprint!("\r\x1b[K");
}

/// One rate of a search.
pub(super) fn step(out: &mut dyn Write, step: &KneeStep) -> io::Result<()> {
    let (mark, p99) = (if step.kept { '✓' } else { '✗' }, millis(step.p99_us as f64));
    writeln!(out, "  {mark} {:>9.1}/s   achieved {:>9.1}/s   p99 {p99}", step.rate, step.achieved)?;
    out.flush()
}

/// The whole report.
pub(super) fn report(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    if summary.interrupted {
        writeln!(out, "\nSTOPPED after {:.1} s: what follows is of that time", summary.measured_s)?;
    }
    writeln!(out, "\nTHRESHOLDS")?;
    for judged in &summary.thresholds {
        let mark = if judged.kept { '✓' } else { '✗' };
        writeln!(out, "  {mark} {:<20} {:>14}", judged.threshold, judged.found)?;
    }
    results(out, summary)?;
    wrong(out, summary)?;
    if let Some(cpu) = &summary.cpu {
        let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.1} %"));
        write!(
            out,
            "  Processor share [generator, switch, issuers]            {:.1} %  {}  {}",
            cpu.generator_percent,
            share(cpu.switch_percent),
            share(cpu.issuers_percent)
        )?;
        match cpu.switch_us_per_answer {
            Some(each) => writeln!(out, "   the switch {each:.1} us an answer")?,
            None => writeln!(out)?,
        }
    }
    if let Some(knee) = &summary.knee {
        writeln!(out, "KNEE  {:.1}/s, the highest of {} rates that was kept", knee.rate, knee.steps.len())?;
    }
    if let Some(verified) = &summary.verify {
        verify(out, verified)?;
    }
    let machine = &summary.machine;
    writeln!(out, "  Machine  {}, {} cores, {} MB, {}", machine.cpu, machine.cores, machine.memory_mb, machine.kernel)
}

fn verify(out: &mut dyn Write, verified: &Verified) -> io::Result<()> {
    let [clients, ledger, issuers] =
        [verified.clients, verified.ledger, verified.issuers].map(|minor| money(i128::from(minor), Currency::CNY));
    writeln!(out, "VERIFY [terminals, ledger, issuers]  {clients}  {ledger}  {issuers}")?;
    for difference in verified.differences.iter().take(SHOWN) {
        writeln!(out, "  DIFFERENCE {difference}")?;
    }
    match verified.differences.len() {
        0 => writeln!(out, "  they agree to the cent, transaction by transaction"),
        many => writeln!(out, "  {many} differences"),
    }
}

fn results(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let (requests, rates, lag) = (&summary.requests, &summary.throughput, &summary.lag_us);
    let [scheduled, sent, answered] = [requests.scheduled, requests.sent, requests.answered].map(grouped);
    writeln!(out, "RESULTS of {:.1} s", summary.measured_s)?;
    writeln!(out, "  Requests [scheduled, sent, answered]                    {scheduled}  {sent}  {answered}")?;
    writeln!(
        out,
        "  Throughput [offered, achieved]                          {:.1}/s  {:.1}/s",
        rates.offered, rates.achieved
    )?;
    let starved = requests.starved + requests.unsent;
    let verdict = match (lag.kept, starved) {
        (false, _) => "the generator was late: it is the bottleneck".to_owned(),
        (true, 0) => "the generator kept up".to_owned(),
        (true, many) => format!("{} found no terminal free: the host is slow, or there are too few", grouped(many)),
    };
    writeln!(
        out,
        "  Schedule lag [mean, p99, max]                           {}  {}  {}   ({verdict})",
        millis(lag.mean),
        millis(lag.p99 as f64),
        millis(lag.max as f64)
    )?;
    writeln!(
        out,
        "  Latency from schedule [p50 p90 p99 p99.9 p99.99 max]    {}",
        latencies(&summary.latency_us.from_schedule)
    )?;
    writeln!(
        out,
        "  Latency from send     [p50 p90 p99 p99.9 p99.99 max]    {}",
        latencies(&summary.latency_us.from_send)
    )?;
    let share = |count: u64| 100.0 * count as f64 / (requests.answered.max(1)) as f64;
    let codes: Vec<String> = summary
        .codes
        .iter()
        .map(|(code, count)| format!("{code} x {} ({:.2} %)", grouped(*count), share(*count)))
        .collect();
    writeln!(out, "  Response codes                                          {}", codes.join("   "))?;
    writeln!(
        out,
        "  Besides [sign-ins reversals repeats, reversed, cut]     {}  {}  {}",
        grouped(requests.besides),
        grouped(requests.reversed),
        grouped(requests.cut)
    )
}

/// What went wrong, under its own name.
fn wrong(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let counted = |name: &str| summary.faults.get(name).copied().unwrap_or_default();
    let happened: Vec<_> = Fault::ALL.iter().filter(|(_, name, _)| counted(name) > 0).collect();
    if happened.is_empty() {
        writeln!(out, "  Every answer was checked, and right")?;
    }
    for (_, name, text) in happened {
        writeln!(out, "  {name:<18} {:>10}   {text}", grouped(counted(name)))?;
    }
    if !summary.elements.is_empty() {
        let named: Vec<String> =
            summary.elements.iter().map(|(role, many)| format!("{role} x {}", grouped(*many))).collect();
        writeln!(out, "  elements that differed: {}", named.join(", "))?;
    }
    if summary.requests.unsent > 0 {
        writeln!(
            out,
            "  {:<18} {:>10}   fell due and found no terminal free until the end",
            "unsent",
            grouped(summary.requests.unsent)
        )?;
    }
    if summary.reconnects + summary.refused > 0 {
        let (again, refused) = (grouped(summary.reconnects), grouped(summary.refused));
        writeln!(out, "  connections made again {again}, attempts that failed {refused}")?;
    }
    Ok(())
}

fn latencies(quantiles: &Quantiles) -> String {
    let Quantiles { p50, p90, p99, p99_9, p99_99, max, .. } = *quantiles;
    let each: Vec<String> =
        [p50, p90, p99, p99_9, p99_99, max].map(|micros| format!("{:.2}", micros as f64 / 1e3)).into();
    format!("{} ms", each.join("  "))
}

fn millis(micros: f64) -> String {
    format!("{:.2} ms", micros / 1e3)
}
