//! The end of the demo's day: what was sold is settled, and compared with what terminals and issuers say of it.

use super::OpenBank;
use super::folder::Folder;
use super::folder::LEDGER;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::recon;
use crate::cli::serve;
use crate::cli::settle;
use crate::cli::settle::OpenBooks;
use crate::ledger::Recorded;
use crate::ledger::archive::Archiver;
use crate::ledger::archive::Query;
use crate::ledger::batches;
use crate::ledger::journal;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::server::SystemClock;
use crate::settle::day::Settlement;
use crate::settle::recon::Entry;
use crate::settle::statement::Status;
use crate::settle::table::money;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;
use std::path::PathBuf;

/// Settles and reconciles every day of the folder, as `tollgate settle` and `tollgate recon` do; whether nothing is
/// open. The station has ended; `expected` is what the days must come to together, in minor units.
pub(super) fn close(
    folder: &Folder,
    banks: &[OpenBank],
    (records, expected): (&[Recorded], i64),
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let data = folder.path().join(LEDGER);
    let mut archiver = Archiver::open(journal::Folder::read_only(&data)?, &data)?;
    while !archiver.step()?.is_done() {}
    let loaded = serve::load(&folder.path().join("station.toml"))?;
    let books = OpenBooks::read(loaded, &data, (&Query::default(), None), false)?;
    let closed = batches::read(&mut journal::Folder::read_only(&data)?)?.closed;
    let mut dates: BTreeSet<BusinessDate> = banks.iter().flat_map(|(_, bank, _)| bank.days()).collect();
    dates.extend(records.iter().map(|record| record.intent.date));
    dates.extend(closed.iter().map(|batch| batch.closed_on));
    dates.insert(SystemClock::start().wall().date(books.loaded.config.defaults.offset_minutes));
    let (mut differences, mut open, mut total, mut waiting) = (Vec::new(), Vec::new(), 0, 0);
    for date in dates {
        let to = folder.path().join("settlement").join(date.to_string());
        let order = settle::Order { date, out: to, provisional: true, replace: true };
        let (settlement, _) = order.settled(&books)?;
        let clearing = clearing(folder, banks, date)?;
        let order =
            recon::Order { data: data.clone(), date, clearing, replace: true, withdraw: Vec::new(), scan: false };
        let report = order.report(Some(&books.loaded))?;
        settled(&settlement, &books, &report, out)?;
        reconciled(&report, out)?;
        total += settlement.statement.currencies().map(|(_, sums)| sums.net()).sum::<i128>();
        waiting = settlement.waiting_batches();
        differences.extend(report.not_compared);
        open = report.open;
    }
    // A visitor may have left a batch open.
    if waiting == 0 && total != i128::from(expected) {
        differences.push(format!("{total} settled, {expected} stands in the switch"));
    }
    verdict(&differences, &open, out)?;
    if folder.is_kept() {
        writeln!(out, "files in settlement, clearing and {LEDGER}/recon of {}", folder.path().display())?;
    }
    Ok(differences.is_empty() && open.is_empty())
}

/// Every issuer's files of a day, written; which are whose.
fn clearing(folder: &Folder, banks: &[OpenBank], date: BusinessDate) -> Result<Vec<(IssuerName, PathBuf)>, Failure> {
    let (to, day) = (folder.path().join("clearing"), BTreeSet::from([date]));
    let mut files = Vec::new();
    for (name, bank, _) in banks {
        let written = bank.write_clearing(&to, &day);
        let written = written.map_err(|error| Failure::new(Exit::No, format!("{}: {error}", to.display())))?;
        files.extend(written.into_iter().map(|path| (name.clone(), path)));
    }
    files.sort();
    Ok(files)
}

/// What issuers owe and what merchants get; nothing of a day on which nothing was settled.
fn settled(
    settlement: &Settlement<'_>,
    books: &OpenBooks,
    report: &recon::Report,
    out: &mut dyn Write,
) -> io::Result<()> {
    let lines: u64 = settlement.statement.currencies().map(|(_, sums)| sums.lines()).sum();
    let batches = report.batches;
    writeln!(out, "\nsettlement of {}, provisional", report.date)?;
    writeln!(
        out,
        "  {lines} transactions in {} batches: {} balanced, {} not, {} closed by an operator; {} still open",
        batches.closed,
        batches.balanced,
        batches.unbalanced,
        batches.by_operator,
        settlement.waiting_batches()
    )?;
    for (issuer, currency, sums) in settlement.statement.issuers() {
        let name = issuer.map_or_else(|| "no issuer".to_owned(), ToString::to_string);
        let (count, net) = (sums.lines(), money(sums.net(), currency));
        writeln!(out, "  {name:<17} {count:>7} transactions  {currency} {net:>15}")?;
    }
    let mut ways: BTreeMap<(Currency, &str), (u64, i128)> = BTreeMap::new();
    for payment in settlement.statement.payments(books.terms()).filter(|payment| payment.status != Status::Even) {
        let (count, sum) = ways.entry((payment.currency, payment.status.name())).or_default();
        (*count, *sum) = (*count + 1, *sum + payment.payable);
    }
    for ((currency, status), (count, sum)) in ways {
        writeln!(out, "  {count:>7} merchants {status:<27}  {currency} {:>15}", money(sum, currency))?;
    }
    for (currency, sums) in settlement.statement.currencies() {
        writeln!(out, "  {:<44}  {currency} {:>15}", "fees", money(sums.fee, currency))?;
    }
    if !settlement.exceptions.is_empty() {
        writeln!(out, "  {} exceptions: see exceptions.txt", settlement.exceptions.len())?;
    }
    Ok(())
}

fn reconciled(report: &recon::Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "reconciliation of {}", report.date)?;
    for issuer in &report.issuers {
        let (there, here) = (issuer.compared.there, issuer.compared.here);
        writeln!(
            out,
            "  {:<17} {:>7} rows in its clearing file, {} in the ledger; {} agree, {} differ",
            issuer.name.to_string(),
            there.count,
            here.count,
            issuer.compared.agreed,
            issuer.compared.differences.len()
        )?;
    }
    Ok(())
}

/// How many open differences are told one by one.
const SHOWN: usize = 20;

fn verdict(differences: &[String], open: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    for sentence in differences {
        writeln!(out, "  DIFFERENCE {sentence}")?;
    }
    for entry in open.iter().take(SHOWN) {
        let key = &entry.difference.key;
        let number = key.rrn.map_or_else(String::new, |rrn| format!(" {rrn}"));
        writeln!(
            out,
            "  DIFFERENCE {} of {}, {}{number}: {}",
            key.sort.name(),
            key.date,
            key.with,
            entry.difference.text
        )?;
    }
    if open.len() > SHOWN {
        writeln!(out, "  and {} more: `tollgate recon list` shows all", open.len() - SHOWN)?;
    }
    match differences.len() + open.len() {
        0 => writeln!(out, "differences between terminals' batches, the ledger and the clearing files: none"),
        count => writeln!(out, "{count} differences are open"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::recon::Difference;
    use crate::settle::recon::Key;
    use crate::settle::recon::Sort;
    use crate::settle::recon::State;
    use crate::settle::recon::With;

    fn said(count: u32) -> String {
        let entry = |nth: u32| {
            let with = With::Issuer(IssuerName::parse("bank-a").unwrap());
            let (date, currency) = (BusinessDate::parse("2026-11-22").unwrap(), Some(Currency::CNY));
            let key = Key { date, with, currency, sort: Sort::Amount, rrn: None, is_undo: false, nth };
            let difference = Difference { key, here: None, there: None, text: "1 here, 2 there".to_owned() };
            Entry { id: u64::from(nth), difference, state: State::Open }
        };
        let (open, mut out) = ((0..count).map(entry).collect::<Vec<_>>(), Vec::new());
        verdict(&[], &open, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn differences_that_are_not_told_one_by_one_are_counted() {
        assert!(said(25).contains("  and 5 more:") && said(25).ends_with("25 differences are open\n"));
        assert!(said(20).ends_with("20 differences are open\n") && !said(20).contains("more"));
    }
}
