//! All figures of a station, added up over its workers.

use super::Sources;
use super::health::Readiness;
use super::page::{Family, Page, Sort};
use super::process::Process;
use crate::flow::Stage;
use crate::hsm::HsmCounts;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Spread;
use crate::server::LinkFigures;
use crate::server::meter::Count;
use crate::server::meter::DoorMeter;
use crate::server::meter::JournalMeter;
use crate::server::meter::NotIn;
use crate::server::meter::WorkerMeter;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The page that Prometheus reads.
pub(super) fn page(sources: &Sources) -> String {
    let mut page = Page::default();
    let workers = sources.gauges.meter().workers();
    station(&mut page, sources, workers.len());
    transactions(&mut page, &workers);
    stages(&mut page, &workers);
    doors(&mut page, &workers);
    links(&mut page, sources);
    journal(&mut page, sources);
    hsm(&mut page, sources);
    process(&mut page);
    page.text()
}

fn station(page: &mut Page, sources: &Sources, workers: usize) {
    let version = env!("CARGO_PKG_VERSION");
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    page.family("tollgate_build_info", Sort::Gauge, "What runs.").count(&[("version", version), ("build", build)], 1);
    page.family("tollgate_workers", Sort::Gauge, "Worker threads.").count(&[], workers as u64);
    let is_ready = Readiness::look(sources).is_ready();
    page.family("tollgate_ready", Sort::Gauge, "Whether /readyz says 200.").count(&[], is_ready.into());
    let registry = sources.gauges.registry();
    let terminals = registry.terminals().count() as u64;
    page.family("tollgate_terminals", Sort::Gauge, "Terminals in the registry.").count(&[], terminals);
    let merchants = registry.merchants().count() as u64;
    page.family("tollgate_merchants", Sort::Gauge, "Merchants in the registry.").count(&[], merchants);
    if let Some(alarms) = &sources.alarms {
        let mut family = page.family("tollgate_alarms", Sort::Gauge, "Alarms that are not over.");
        for (severity, count) in alarms.open() {
            family.count(&[("severity", severity.name())], count as u64);
        }
    }
}

/// What an answer comes to.
fn outcome(code: Option<ResponseCode>) -> &'static str {
    match code {
        None => "silent",
        Some(code) if code.is_approval() => "approved",
        Some(
            ResponseCode::SystemFailure
            | ResponseCode::Timeout
            | ResponseCode::IssuerInoperative
            | ResponseCode::FormatError
            | ResponseCode::MacFailure,
        ) => "error",
        Some(_) => "declined",
    }
}

fn transactions(page: &mut Page, workers: &[Arc<WorkerMeter>]) {
    let mut answers: BTreeMap<(&str, &str, &str), (&str, u64)> = BTreeMap::new();
    for door in workers.iter().flat_map(|worker| &worker.doors) {
        for (kind, code, count) in door.answers() {
            let (kind, rc) = (kind.map_or("none", Kind::name), code.map_or("none", ResponseCode::code));
            answers.entry((&door.door, kind, rc)).or_insert((outcome(code), 0)).1 += count;
        }
    }
    let help = "Requests of terminals that are over, by what was asked and answered.";
    let mut family = page.family("tollgate_transactions_total", Sort::Counter, help);
    for ((door, kind, rc), (outcome, count)) in &answers {
        family.count(&[("door", door), ("kind", kind), ("outcome", outcome), ("rc", rc)], *count);
    }
}

fn stages(page: &mut Page, workers: &[Arc<WorkerMeter>]) {
    let measured: Vec<_> = workers.iter().filter_map(|worker| worker.stages.as_ref()).collect();
    if measured.is_empty() {
        return;
    }
    let mut whole = Spread::default();
    measured.iter().for_each(|stages| stages.merge_whole(&mut whole));
    let help = "From a whole frame to its answer.";
    page.family("tollgate_transaction_duration_seconds", Sort::Histogram, help).durations(&[], &whole);
    let help = "What a request spends where; read and write once for all requests that go together.";
    let mut family = page.family("tollgate_stage_duration_seconds", Sort::Histogram, help);
    for stage in Stage::ALL {
        let mut spread = Spread::default();
        measured.iter().for_each(|stages| stages.merge(stage, &mut spread));
        family.durations(&[("stage", stage.name())], &spread);
    }
}

fn doors(page: &mut Page, workers: &[Arc<WorkerMeter>]) {
    let mut doors: BTreeMap<&str, Vec<&DoorMeter>> = BTreeMap::new();
    for door in workers.iter().flat_map(|worker| &worker.doors) {
        doors.entry(&door.door).or_default().push(door);
    }
    let all = |meters: &[&DoorMeter], of: fn(&DoorMeter) -> &Count| meters.iter().map(|door| of(door).get()).sum();
    let less = |meters: &[&DoorMeter], more: fn(&DoorMeter) -> &Count, less: fn(&DoorMeter) -> &Count| {
        // What is over is read first: it is never more than what began.
        let over: u64 = all(meters, less);
        u64::saturating_sub(all(meters, more), over)
    };
    let mut family = page.family("tollgate_requests_in_flight", Sort::Gauge, "Requests being served.");
    doors.iter().for_each(|(door, own)| family.count(&[("door", door)], less(own, |d| &d.taken, |d| &d.done)));
    let mut family = page.family("tollgate_connections", Sort::Gauge, "Connections of terminals.");
    doors.iter().for_each(|(door, own)| family.count(&[("door", door)], less(own, |d| &d.opened, |d| &d.closed)));
    /// A counter: its name, what it says, where it stands.
    type Row = (&'static str, &'static str, fn(&DoorMeter) -> &Count);
    let rows: [Row; 6] = [
        ("tollgate_connections_opened_total", "Connections let in.", |d| &d.opened),
        ("tollgate_connections_closed_total", "Connections that are over.", |d| &d.closed),
        ("tollgate_frames_total", "Whole frames that came.", |d| &d.frames),
        ("tollgate_requests_shed_total", "Requests refused for want of room.", |d| &d.shed),
        ("tollgate_duplicate_requests_total", "Repeats that got the recorded answer.", |d| &d.repeats),
        ("tollgate_sessions_rejected_total", "Connections closed for what came.", |d| &d.rejected),
    ];
    for (name, help, of) in rows {
        let mut family = page.family(name, Sort::Counter, help);
        doors.iter().for_each(|(door, own)| family.count(&[("door", door)], all(own, of)));
    }
    let help = "Frames that could be answered and are no message of the dialect.";
    let mut family = page.family("tollgate_codec_errors_total", Sort::Counter, help);
    doors.iter().for_each(|(door, own)| family.count(&[("door", door)], all(own, |d| &d.unreadable)));
    let mut family = page.family("tollgate_bytes_total", Sort::Counter, "Bytes from and to terminals.");
    for (door, own) in &doors {
        family.count(&[("door", door), ("direction", "in")], all(own, |d| &d.bytes_in));
        family.count(&[("door", door), ("direction", "out")], all(own, |d| &d.bytes_out));
    }
    let mut family = page.family("tollgate_connections_refused_total", Sort::Counter, "Connections not let in.");
    for (door, own) in &doors {
        for reason in NotIn::ALL {
            let count = own.iter().filter_map(|door| door.not_in.get(reason as usize)).map(Count::get).sum();
            family.count(&[("door", door), ("reason", reason.name())], count);
        }
    }
}

fn links(page: &mut Page, sources: &Sources) {
    let figures = sources.gauges.link_figures();
    let mut each = |name, sort, help: &str, of: &dyn Fn(&LinkFigures, &str, &mut Family<'_>)| {
        let mut family = page.family(name, sort, help);
        figures.iter().for_each(|link| of(link, link.issuer.as_str(), &mut family));
    };
    /// A figure of a link: its name, its sort, what it says, where it stands.
    type Row = (&'static str, Sort, &'static str, fn(&LinkFigures) -> u64);
    let rows: [Row; 12] = [
        ("tollgate_link_up", Sort::Gauge, "Whether any worker reaches the issuer.", |l| u64::from(l.up > 0)),
        ("tollgate_links", Sort::Gauge, "Links to the issuer, one a worker and one for what is owed.", |l| l.of as u64),
        ("tollgate_links_up", Sort::Gauge, "Links that are up.", |l| l.up as u64),
        ("tollgate_link_connections", Sort::Gauge, "Connections that are up.", |l| l.stats.up as u64),
        ("tollgate_transactions_in_flight", Sort::Gauge, "Requests the issuer has not answered yet.", |l| {
            l.stats.mux.in_flight as u64
        }),
        ("tollgate_link_requests_total", Sort::Counter, "Requests taken.", |l| l.stats.mux.registered),
        ("tollgate_link_answers_total", Sort::Counter, "Answers in time.", |l| l.stats.mux.answered),
        ("tollgate_timeouts_total", Sort::Counter, "Requests whose fate is unknown.", |l| l.stats.mux.given_up),
        ("tollgate_late_responses_total", Sort::Counter, "Answers after that.", |l| l.stats.mux.late),
        ("tollgate_link_not_sent_total", Sort::Counter, "Requests of which not one byte left.", |l| l.stats.not_sent),
        ("tollgate_link_connected_total", Sort::Counter, "Connections that came up.", |l| l.stats.connected),
        ("tollgate_link_lost_total", Sort::Counter, "Connections that were lost.", |l| l.stats.lost),
    ];
    for (name, sort, help, value) in rows {
        each(name, sort, help, &|link, issuer, family| family.count(&[("link", issuer)], value(link)));
    }
    let help = "Messages of issuers that nobody waits for, and units that are no message.";
    each("tollgate_unmatched_responses_total", Sort::Counter, help, &|link, issuer, family| {
        let stats = &link.stats;
        for (reason, count) in [
            ("unmatched", stats.mux.unmatched),
            ("repeated", stats.mux.repeated),
            ("garbage", stats.garbage),
            ("no-answer", stats.no_answer),
        ] {
            family.count(&[("link", issuer), ("reason", reason)], count);
        }
    });
    let help = "From a request to its answer, where stages are measured.";
    each("tollgate_link_response_duration_seconds", Sort::Histogram, help, &|link, issuer, family| {
        family.durations(&[("link", issuer)], &link.answers);
    });
    let owed = sources.gauges.owed();
    let help = "Reversals and advices that the issuer is owed.";
    each("tollgate_saf_depth", Sort::Gauge, help, &|link, issuer, family| {
        let count = owed.iter().filter(|(owed, _)| *owed == link.issuer).map(|(_, count)| *count as u64).sum();
        family.count(&[("link", issuer)], count);
    });
}

fn journal(page: &mut Page, sources: &Sources) {
    let is_up = !sources.gauges.has_failed();
    page.family("tollgate_journal_up", Sort::Gauge, "Whether the ledger can be written.").count(&[], is_up.into());
    if let Some(free) = sources.gauges.disk_free() {
        let help = "Bytes free where the ledger is.";
        page.family("tollgate_journal_free_bytes", Sort::Gauge, help).count(&[], free);
    }
    let journal = &sources.gauges.meter().journal;
    let (mut append, mut sizes) = (Spread::default(), Spread::default());
    append.take_in(&journal.append);
    sizes.take_in(&journal.sizes);
    let help = "Sealing, writing and syncing a group.";
    page.family("tollgate_journal_append_duration_seconds", Sort::Histogram, help).durations(&[], &append);
    #[allow(clippy::cast_precision_loss, reason = "a figure")]
    let (record, records) = (JournalMeter::RECORD as f64, journal.records.get() as f64);
    let help = "Records of a group.";
    page.family("tollgate_journal_batch_records", Sort::Histogram, help).spread(&[], &sizes, record, records);
    for (name, help, count) in [
        ("tollgate_journal_groups_total", "Groups made durable.", &journal.groups),
        ("tollgate_journal_records_total", "Records made durable.", &journal.records),
        ("tollgate_journal_bytes_total", "Bytes made durable.", &journal.bytes),
    ] {
        page.family(name, Sort::Counter, help).count(&[], count.get());
    }
}

fn hsm(page: &mut Page, sources: &Sources) {
    let device = sources.gauges.hsm_product();
    let up = sources.gauges.meter().hsm_is_there();
    page.family("tollgate_hsm_up", Sort::Gauge, "Whether the HSM answers.").count(&[("device", &device)], up.into());
    let counts = sources.gauges.hsm();
    let HsmCounts { calls, unavailable, timed_out, busy, key, unsupported, policy, input, backend, pin_blocks } =
        counts;
    let mut family = page.family("tollgate_hsm_commands_total", Sort::Counter, "Calls of the HSM, by their end.");
    for (result, count) in [
        ("ok", calls.saturating_sub(counts.faults() + pin_blocks)),
        ("unavailable", unavailable),
        ("timeout", timed_out),
        ("busy", busy),
        ("key", key),
        ("unsupported", unsupported),
        ("policy", policy),
        ("input", input),
        ("backend", backend),
        ("pin-block", pin_blocks),
    ] {
        family.count(&[("device", &device), ("result", result)], count);
    }
}

fn process(page: &mut Page) {
    let Process { resident_bytes, open_descriptors, cpu_seconds, threads } = Process::look();
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in use.", resident_bytes),
        ("process_open_fds", "Open file descriptors.", open_descriptors),
        ("process_threads", "Threads.", threads),
    ] {
        if let Some(value) = value {
            page.family(name, Sort::Gauge, help).count(&[], value);
        }
    }
    if let Some(seconds) = cpu_seconds {
        page.family("process_cpu_seconds_total", Sort::Counter, "Processor time.").value(&[], seconds);
    }
}

/// The health of each link.
pub(super) fn links_json(sources: &Sources) -> Value {
    let owed = sources.gauges.owed();
    let links = sources.gauges.link_figures().into_iter().map(|LinkFigures { issuer, up, of, stats, answers }| {
        let owed: usize = owed.iter().filter(|(name, _)| *name == issuer).map(|(_, count)| *count).sum();
        let ms = |share| answers.quantile(share).as_secs_f64() * 1e3;
        json!({
            "issuer": issuer.as_str(), "is_up": up > 0, "links_up": up, "links": of, "connections": stats.up,
            "in_flight": stats.mux.in_flight, "requests": stats.mux.registered, "answers": stats.mux.answered,
            "timeouts": stats.mux.given_up, "late": stats.mux.late, "not_sent": stats.not_sent, "lost": stats.lost,
            "owed": owed, "p50_ms": ms(0.5), "p99_ms": ms(0.99),
        })
    });
    json!({ "schema": "tollgate/links/v1", "links": links.collect::<Vec<_>>() })
}
