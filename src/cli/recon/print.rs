//! What a reconciliation found, for people and for programs.

use super::run::Batches;
use super::run::Report;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::settle::calendar::Calendar;
use crate::settle::recon::Entry;
use crate::settle::recon::Moved;
use crate::settle::recon::State;
use crate::settle::recon::Turnover;
use crate::settle::recon::With;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::Write;

/// Minor units with the currency's decimals.
fn money(minor: u128, exponent: u8) -> String {
    match 10_u128.pow(u32::from(exponent)) {
        1 => minor.to_string(),
        unit => format!("{}.{:0width$}", minor / unit, minor % unit, width = exponent.into()),
    }
}

fn moved(moved: Option<Moved>) -> String {
    moved.map_or_else(
        || "-".to_owned(),
        |Moved { sign, amount, currency }| {
            format!("{sign} {} {currency}", money(u128::from(amount.minor()), currency.exponent()))
        },
    )
}

/// A line each, and its sentence.
pub(super) fn differences(
    entries: &[&Entry],
    calendar: &Calendar,
    as_of: BusinessDate,
    out: &mut dyn Write,
) -> io::Result<()> {
    for entry in entries {
        let key = &entry.difference.key;
        let age = calendar.working_days_between(key.date, as_of);
        let rrn = key.rrn.map_or_else(|| "-".to_owned(), |rrn| rrn.to_string());
        let undo = if key.is_undo { " (its undo)" } else { "" };
        let (sort, here, there) = (key.sort.name(), moved(entry.difference.here), moved(entry.difference.there));
        writeln!(
            out,
            "{:>6}  {}  {age:>3} d  {sort:<13}  {:<15}  {rrn:<12}  here {here}, there {there}",
            entry.id,
            key.date,
            key.with.to_string(),
        )?;
        writeln!(out, "        {}{undo}{}", entry.difference.text, became(&entry.state))?;
    }
    Ok(())
}

fn became(state: &State) -> String {
    match state {
        State::Open => String::new(),
        State::Matched { date, reason } => format!("\n        explained on {date}: {reason}"),
        State::Gone => "\n        found no more when its day was compared again".to_owned(),
        State::Cleared { actor, reason, at } => format!("\n        cleared by {actor} at {at}: {reason}"),
    }
}

/// A difference as JSON.
pub(super) fn json(entry: &Entry, calendar: &Calendar, as_of: BusinessDate) -> Value {
    let key = &entry.difference.key;
    let moved = |moved: Option<Moved>| {
        moved.map(|Moved { sign, amount, currency }| {
            json!({ "sign": sign.letter(), "amount": amount.minor(), "currency": currency.to_string() })
        })
    };
    let (issuer, terminal, batch) = match &key.with {
        With::Issuer(name) => (Some(name.to_string()), None, None),
        With::Batch(terminal, batch) => (None, Some(terminal.to_string()), Some(batch.to_string())),
    };
    let state = match &entry.state {
        State::Open => json!({ "is": "open" }),
        State::Matched { date, reason } => json!({ "is": "explained", "date": date.to_string(), "reason": reason }),
        State::Gone => json!({ "is": "gone" }),
        State::Cleared { actor, reason, at } => {
            json!({ "is": "cleared", "actor": actor, "reason": reason, "at": at.to_string() })
        }
    };
    json!({
        "id": entry.id,
        "date": key.date.to_string(),
        "working_days": calendar.working_days_between(key.date, as_of),
        "type": key.sort.name(),
        "issuer": issuer,
        "terminal": terminal,
        "batch": batch,
        "rrn": key.rrn.map(|rrn| rrn.to_string()),
        "undo": key.is_undo,
        "here": moved(entry.difference.here),
        "there": moved(entry.difference.there),
        "text": entry.difference.text,
        "state": state,
    })
}

/// A whole run, for people.
pub(super) fn report(report: &Report, calendar: &Calendar, out: &mut dyn Write) -> io::Result<()> {
    let Batches { closed, balanced, unbalanced, by_operator } = report.batches;
    writeln!(out, "business date {}", report.date)?;
    if !report.reach.is_over {
        let Report { date, reach, .. } = report;
        writeln!(
            out,
            "{date} is not over: compared as far as it is on record, up to {}; compare it again",
            reach.until
        )?;
    }
    for (issuer, currency) in &report.withdrawn {
        writeln!(out, "withdrawn: the file of {issuer} in {currency}")?;
    }
    writeln!(
        out,
        "terminals  {closed} batches closed: {balanced} balanced, {unbalanced} not, {by_operator} by an operator"
    )?;
    for issuer in &report.issuers {
        let exponent = issuer.currency.exponent();
        let side = |Turnover { count, debit, credit }: Turnover| {
            format!("{count} rows, debit {}, credit {}", money(debit, exponent), money(credit, exponent))
        };
        writeln!(out, "{:<10} {} {}", issuer.name.to_string(), issuer.currency, side(issuer.compared.there))?;
        writeln!(out, "{:<10} {} {}", "  ledger", issuer.currency, side(issuer.compared.here))?;
        writeln!(out, "             {} agree, {} differ", issuer.compared.agreed, issuer.compared.differences.len())?;
    }
    for missing in &report.not_compared {
        writeln!(out, "{missing}")?;
    }
    let open: Vec<&Entry> = report.open.iter().collect();
    differences(&open, calendar, report.date, out)?;
    writeln!(out, "{} new, {} explained, {} open", report.new, report.explained, open.len())
}

/// A whole run, for programs.
pub(super) fn report_json(report: &Report, calendar: &Calendar) -> Value {
    let side = |Turnover { count, debit, credit }: Turnover| json!({ "rows": count, "debit": debit.to_string(), "credit": credit.to_string() });
    let withdrawn = |(issuer, currency): &(IssuerName, Currency)| json!({ "issuer": issuer.to_string(), "currency": currency.to_string() });
    let issuers = report.issuers.iter().map(|issuer| {
        json!({
            "issuer": issuer.name.to_string(),
            "currency": issuer.currency.to_string(),
            "file": side(issuer.compared.there),
            "ledger": side(issuer.compared.here),
            "agree": issuer.compared.agreed,
            "differ": issuer.compared.differences.len(),
        })
    });
    let Batches { closed, balanced, unbalanced, by_operator } = report.batches;
    json!({
        "date": report.date.to_string(),
        "is_over": report.reach.is_over,
        "read_up_to": report.reach.until.to_string(),
        "withdrawn": report.withdrawn.iter().map(withdrawn).collect::<Vec<_>>(),
        "batches": {
            "closed": closed, "balanced": balanced, "unbalanced": unbalanced, "by_operator": by_operator,
        },
        "issuers": issuers.collect::<Vec<_>>(),
        "not_compared": report.not_compared,
        "new": report.new,
        "explained": report.explained,
        "open": report.open.len(),
        "differences": report.open.iter().map(|entry| json(entry, calendar, report.date)).collect::<Vec<_>>(),
    })
}
