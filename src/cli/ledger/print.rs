//! What several commands print alike.

use crate::ledger::verify::Report;
use crate::ledger::verify::Violation;
use crate::settle::table::grouped;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::Write;

/// A length for people.
pub(super) fn bytes(length: u64) -> String {
    match length {
        0..1_048_576 => format!("{} KiB", length.div_ceil(1_024)),
        _ => format!("{}.{} MiB", length >> 20, ((length & 0xF_FFFF) * 10) >> 20),
    }
}

/// Totals by business date and standing.
pub(super) fn totals(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (line, sum) in &report.totals.0 {
        let test = if line.test_mode { "  test mode" } else { "" };
        let (count, amount) = (grouped(sum.count), grouped(sum.amount));
        writeln!(out, "  {}  {}  {:12} {count:>12}  {amount:>18}{test}", line.date, line.currency, line.standing)?;
    }
    Ok(())
}

/// The same as JSON.
pub(super) fn totals_json(report: &Report) -> Value {
    let lines = report.totals.0.iter().map(|(line, sum)| {
        json!({
            "date": line.date.to_string(),
            "currency": line.currency.to_string(),
            "test_mode": line.test_mode,
            "standing": line.standing,
            "count": sum.count,
            "amount": sum.amount.to_string(),
        })
    });
    lines.collect()
}

/// What is owed, per issuer.
pub(super) fn owed(report: &Report) -> String {
    let issuers: Vec<String> =
        report.owed.iter().map(|(issuer, count)| format!("{issuer} {}", grouped(*count))).collect();
    if issuers.is_empty() { "nothing".to_owned() } else { issuers.join(", ") }
}

/// The same as JSON.
pub(super) fn owed_json(report: &Report) -> Value {
    report.owed.iter().map(|(issuer, count)| (issuer.to_string(), Value::from(*count))).collect()
}

/// A violation as JSON.
pub(super) fn violation_json(found: &Violation) -> Value {
    json!({
        "invariant": found.invariant.to_string(),
        "what": found.what,
        "transaction": found.id.map(|id| id.0),
        "rrn": found.rrn.map(|rrn| rrn.to_string()),
        "group": found.place.group,
        "record": found.record,
        "file": found.place.file,
        "offset": found.place.offset,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
