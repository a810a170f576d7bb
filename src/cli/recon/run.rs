//! One business date, compared.

use super::clearing;
use super::date;
use super::now;
use super::print;
use super::store;
use super::store::Store;
use super::withdrawn;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::cli::ledger;
use crate::cli::ledger::OnRecord;
use crate::cli::serve;
use crate::cli::settle::has_ended;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::ledger::batches;
use crate::ledger::batches::ClosedBy;
use crate::ledger::journal::Folder;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::Timestamp;
use crate::server::config::Loaded;
use crate::settle::calendar::Calendar;
use crate::settle::recon::ClearingFile;
use crate::settle::recon::Compared;
use crate::settle::recon::Day;
use crate::settle::recon::Entry;
use crate::settle::recon::Event;
use crate::settle::recon::FileFacts;
use crate::settle::recon::Finding;
use crate::settle::recon::Line;
use crate::settle::recon::Lines;
use crate::settle::recon::Standing;
use crate::settle::recon::With;
use crate::settle::recon::batch_differences;
use crate::settle::recon::compare;
use clap::Args;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Which day, and what the issuers say of it
#[derive(Args, Debug)]
pub(super) struct Asked {
    /// The ledger's folder, or the one that has it as `ledger`; differences are kept in its folder `recon`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: Option<PathBuf>,
    /// The station's file, for its holidays: working days are counted without them
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    date: Option<BusinessDate>,
    /// An issuer's clearing file of that date; once for each issuer and currency
    #[arg(long, value_name = "ISSUER=FILE", value_parser = clearing)]
    clearing: Vec<(IssuerName, PathBuf)>,
    /// Take a file in place of another one of the same issuer, day and currency
    #[arg(long)]
    replace: bool,
    /// Take back the issuer's file of that date in this currency, as if it had never been given: it was another money
    #[arg(long, value_name = "ISSUER=CURRENCY", value_parser = withdrawn)]
    withdraw: Vec<(IssuerName, Currency)>,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
    /// As JSON, one object
    #[arg(long)]
    json: bool,
}

/// Which day, of which ledger, with which files.
pub(in crate::cli) struct Order {
    /// The ledger's folder.
    pub(in crate::cli) data: PathBuf,
    /// The business date.
    pub(in crate::cli) date: BusinessDate,
    /// The issuers' files.
    pub(in crate::cli) clearing: Vec<(IssuerName, PathBuf)>,
    /// Whether a file may take the place of another one.
    pub(in crate::cli) replace: bool,
    /// Files of the date that are taken back.
    pub(in crate::cli) withdraw: Vec<(IssuerName, Currency)>,
    /// Whether the journal is read even if there is an archive.
    pub(in crate::cli) scan: bool,
}

impl Asked {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let Self { data, config, date, clearing, replace, withdraw, scan, json } = self;
        let (Some(data), Some(date)) = (data, date) else {
            return Err(Failure::new(Exit::Usage, "say --data and --date; --help has examples"));
        };
        let station = config.map(|file| serve::load(&file)).transpose()?;
        let none = Calendar::default();
        let calendar = station.as_ref().map_or(&none, |station| &station.calendar);
        let report = Order { data, date, clearing, replace, withdraw, scan }.report(station.as_ref())?;
        if json {
            writeln!(out, "{}", print::report_json(&report, calendar))?;
        } else {
            print::report(&report, calendar, out)?;
        }
        Ok(if report.is_clean() { Exit::Ok } else { Exit::No })
    }
}

/// A clearing file as it was given.
struct Given {
    file: ClearingFile,
    bytes: Vec<u8>,
    facts: FileFacts,
}

/// The ledger's side of the day.
struct Here {
    /// Of the date.
    lines: Vec<Line>,
    /// Of the same families, of other dates.
    others: Vec<Line>,
}

/// How many batches were closed, and how.
#[derive(Clone, Copy, Default)]
pub(in crate::cli) struct Batches {
    pub(in crate::cli) closed: u64,
    pub(in crate::cli) balanced: u64,
    pub(in crate::cli) unbalanced: u64,
    pub(in crate::cli) by_operator: u64,
}

/// One issuer's file beside the ledger.
pub(in crate::cli) struct IssuerReport {
    pub(in crate::cli) name: IssuerName,
    pub(in crate::cli) currency: Currency,
    pub(in crate::cli) compared: Compared,
}

/// Up to where the ledger was read.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// Whatever was recorded before this instant was compared.
    pub(super) until: Timestamp,
    /// Whether that is all of the date.
    pub(super) is_over: bool,
}

/// How long after its end in UTC a date has ended in every zone.
const LATEST_END: Duration = Duration::from_secs(12 * 3600);

/// What a run found.
pub(in crate::cli) struct Report {
    pub(in crate::cli) date: BusinessDate,
    pub(super) reach: Reach,
    pub(super) withdrawn: Vec<(IssuerName, Currency)>,
    pub(in crate::cli) batches: Batches,
    pub(in crate::cli) issuers: Vec<IssuerReport>,
    /// A sentence each.
    pub(in crate::cli) not_compared: Vec<String>,
    pub(super) new: usize,
    pub(super) explained: usize,
    /// Every difference that is open, of whatever day.
    pub(in crate::cli) open: Vec<Entry>,
}

impl Report {
    /// Whether nothing is open, and every issuer was compared.
    pub(super) fn is_clean(&self) -> bool {
        self.open.is_empty() && self.not_compared.is_empty()
    }
}

impl Order {
    /// Compares, notes what was found, and says it. Without a station, dates are taken to end as late as anywhere.
    pub(in crate::cli) fn report(&self, station: Option<&Loaded>) -> Result<Report, Failure> {
        let given = self.given()?;
        let mut store = Store::open(&self.data)?;
        let mut events = self.withdrawn(&mut store)?;
        self.refuse_another(&store, &given)?;
        let (archive, reach) = self.on_record(station)?;
        let here = self.here(&archive)?;
        let (mut taken, mut issuers) = (Vec::new(), Vec::new());
        for Given { file, bytes, facts } in &given {
            let compared = self.compared(file, &here, &archive, &store)?;
            store.keep_file(file, bytes)?;
            taken.extend(store.book.take(facts.clone()));
            events.extend(store.book.note(Finding {
                date: self.date,
                with: With::Issuer(file.issuer.clone()),
                currency: Some(file.currency),
                differences: compared.differences.clone(),
                explained: compared.explained.clone(),
            }));
            issuers.push(IssuerReport { name: file.issuer.clone(), currency: file.currency, compared });
        }
        let batches = self.batches(&mut store, &mut events)?;
        // What is cut short must not say that a file was taken without what was found in it.
        events.append(&mut taken);
        store.keep(&events)?;
        for (issuer, currency) in &self.withdraw {
            store.drop_file(issuer, self.date, *currency)?;
        }
        Ok(Report {
            date: self.date,
            reach,
            withdrawn: self.withdraw.clone(),
            batches,
            issuers,
            not_compared: not_compared(&here, &store, self.date),
            new: events.iter().filter(|event| matches!(event, Event::Opened(..))).count(),
            explained: events.iter().filter(|event| matches!(event, Event::Matched(..))).count(),
            open: store.book.open().cloned().collect(),
        })
    }

    /// Reads every file before anything is noted: one that is refused refuses the run.
    fn given(&self) -> Result<Vec<Given>, Failure> {
        let (mut given, mut seen) = (Vec::new(), HashSet::new());
        for (issuer, path) in &self.clearing {
            let refuse = |what: String| Failure::new(Exit::No, format!("{}: {what}", path.display()));
            let bytes = store::read(path)?;
            let file = ClearingFile::read(&bytes).map_err(|fault| refuse(fault.to_string()))?;
            if file.issuer != *issuer {
                return Err(refuse(format!("it is the file of {}, not of {issuer}", file.issuer)));
            }
            if file.date != self.date {
                return Err(refuse(format!("it is of {}, not of {}", file.date, self.date)));
            }
            if !seen.insert((issuer.clone(), file.currency)) {
                return Err(refuse(format!("{issuer} is given twice in {}", file.currency)));
            }
            let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            let facts = FileFacts {
                issuer: file.issuer.clone(),
                date: file.date,
                currency: file.currency,
                sha256,
                rows: file.turnover().count,
            };
            given.push(Given { file, bytes, facts });
        }
        Ok(given)
    }

    /// Takes files back.
    fn withdrawn(&self, store: &mut Store) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for (issuer, currency) in &self.withdraw {
            let unknown = || format!("no file of {issuer} in {currency} was taken for {}", self.date);
            let withdrawn = store.book.withdraw(issuer, self.date, *currency);
            events.extend(withdrawn.ok_or_else(|| Failure::new(Exit::No, unknown()))?);
        }
        Ok(events)
    }

    /// The ledger to the journal's end, or at least beyond the end of the date.
    fn on_record(&self, station: Option<&Loaded>) -> Result<(Archive, Reach), Failure> {
        let begun = now();
        let is_over = |until: Timestamp| match station {
            Some(station) => has_ended(station, self.date, until),
            None => self.date < until.earlier(LATEST_END).date(0),
        };
        let reaches = |until| until >= begun || is_over(until);
        let OnRecord { archive, until, .. } =
            ledger::on_record(&self.data, &Query::default(), self.scan, Some(&reaches))?;
        Ok((archive, Reach { until, is_over: is_over(until) }))
    }

    fn refuse_another(&self, store: &Store, given: &[Given]) -> Result<(), Failure> {
        for Given { facts, .. } in given.iter().filter(|_| !self.replace) {
            let FileFacts { issuer, date, currency, .. } = facts;
            if store.book.file(issuer, *date, *currency).is_some_and(|taken| taken != facts) {
                let what = format!(
                    "another file of {issuer} of {date} was taken before; --replace takes this one in its place"
                );
                return Err(Failure::new(Exit::No, what));
            }
        }
        Ok(())
    }

    fn here(&self, archive: &Archive) -> Result<Here, Failure> {
        let mut lines = Lines::default();
        archive.dealt_on(self.date, &mut |row| lines.push(&row).map_err(Failure::from))?;
        let (lines, others) = lines.lines.into_iter().partition(|line| line.date == self.date);
        Ok(Here { lines, others })
    }

    fn compared(
        &self,
        file: &ClearingFile,
        here: &Here,
        archive: &Archive,
        store: &Store,
    ) -> Result<Compared, Failure> {
        let mut others = here.others.clone();
        let mut known: HashSet<Rrn> = here.lines.iter().chain(&here.others).map(|line| line.rrn).collect();
        for row in &file.rows {
            if known.contains(&row.rrn) {
                continue;
            }
            // With its family: what a tip moves depends on its sale.
            let mut found = Lines::default();
            archive.families_of(row.rrn, &mut |row| found.push(&row).map_err(Failure::from))?;
            known.extend(found.lines.iter().map(|line| line.rrn));
            others.append(&mut found.lines);
        }
        let mut earlier: HashMap<BusinessDate, HashSet<Rrn>> = HashMap::new();
        for line in others.iter().filter(|line| line.date < self.date) {
            if !earlier.contains_key(&line.date)
                && let Some(rows) = store.cleared(&file.issuer, line.date, file.currency)?
            {
                earlier.insert(line.date, rows);
            }
        }
        let mut later: HashMap<BusinessDate, HashSet<Rrn>> = HashMap::new();
        for date in here.lines.iter().filter_map(|line| line.undone_on).filter(|date| *date > self.date) {
            if !later.contains_key(&date)
                && let Some(rows) = store.undone(&file.issuer, date, file.currency)?
            {
                later.insert(date, rows);
            }
        }
        let entries: Vec<Entry> = store.book.entries().cloned().collect();
        let (lines, others, entries) = (&here.lines, &others, &entries);
        Ok(compare(file, &Day { lines, others, entries, earlier: &earlier, later: &later }))
    }

    /// Terminals' batches beside the ledger: what their settlements and uploads said.
    fn batches(&self, store: &mut Store, events: &mut Vec<Event>) -> Result<Batches, Failure> {
        let mut disk = Folder::read_only(&self.data)?;
        let read = batches::read(&mut disk)?;
        let mut count = Batches::default();
        for record in read.closed.iter().filter(|record| record.closed_on == self.date && !record.test_mode) {
            count.closed += 1;
            count.by_operator += u64::from(matches!(record.by, ClosedBy::Operator { .. }));
            match record.is_balanced() {
                Some(true) => count.balanced += 1,
                Some(false) => count.unbalanced += 1,
                None => {}
            }
            events.extend(store.book.note(Finding {
                date: self.date,
                with: With::Batch(record.terminal, record.batch),
                currency: None,
                differences: batch_differences(record),
                explained: Vec::new(),
            }));
        }
        Ok(count)
    }
}

/// Issuers that have something on this day, and of which no file was taken: a sentence each.
fn not_compared(here: &Here, store: &Store, date: BusinessDate) -> Vec<String> {
    let mut waiting: BTreeMap<(IssuerName, [u8; 3]), u64> = BTreeMap::new();
    let counts = |line: &&Line| line.standing == Standing::Stands && line.moves.is_some() && !line.test_mode;
    for line in here.lines.iter().filter(counts) {
        if store.book.file(&line.issuer, date, line.currency).is_none() {
            *waiting.entry((line.issuer.clone(), line.currency.digits())).or_default() += 1;
        }
    }
    let sentence = |((issuer, currency), count): ((IssuerName, [u8; 3]), u64)| {
        let currency = String::from_utf8_lossy(&currency).into_owned();
        format!("not compared: {count} of {issuer} in {currency}; its clearing file was not given")
    };
    waiting.into_iter().map(sentence).collect()
}
