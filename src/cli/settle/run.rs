//! One settlement.

use super::Books;
use super::OpenBooks;
use super::date;
use super::folder::Folder;
use super::folder::MANIFEST;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::archive::Query;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::server::SystemClock;
use crate::settle::day::LINE;
use crate::settle::day::Settlement;
use crate::settle::day::cells;
use crate::settle::line::Line;
use crate::settle::statement::Status;
use crate::settle::table::CsvLines;
use crate::settle::table::Table;
use crate::settle::table::json_line;
use crate::settle::table::money;
use clap::Args;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    books: Books,
    /// The business date to settle
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date, required = true)]
    date: Option<BusinessDate>,
    /// The folder to write to; made if it is not there
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
    /// Settle what there is of a date that is not over; marked as such, and replaced by the next run
    #[arg(long)]
    provisional: bool,
    /// Write other files in the place of those that are there
    #[arg(long)]
    replace: bool,
    /// Print settlement.json instead of the summary
    #[arg(long)]
    json: bool,
}

/// What is settled, and where to.
pub(in crate::cli) struct Order {
    /// Which business date.
    pub(in crate::cli) date: BusinessDate,
    /// The folder of its files.
    pub(in crate::cli) out: PathBuf,
    /// Also if the date is not over.
    pub(in crate::cli) provisional: bool,
    /// Whether files that say something else are replaced.
    pub(in crate::cli) replace: bool,
}

impl Run {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let Self { books, date: Some(date), out: Some(to), provisional, replace, json } = self else {
            return Err(Failure::new(Exit::Usage, "say --date and --out"));
        };
        // Follow-ups and reversals may be of other dates.
        let books = books.open_past(&Query::default(), (!provisional).then_some(date))?;
        let order = Order { date, out: to, provisional, replace };
        let (settlement, manifest) = order.settled(&books)?;
        match json {
            true => writeln!(out, "{manifest:#}")?,
            false => order.summary(&books, &settlement, out)?,
        }
        Ok(Exit::Ok)
    }
}

impl Order {
    /// Settles, and writes all files; what was settled, and the list of the files.
    pub(in crate::cli) fn settled<'a>(&self, books: &'a OpenBooks) -> Result<(Settlement<'a>, Value), Failure> {
        self.over(books)?;
        let mut folder = Folder::open(&self.out)?;
        let before = folder.manifest();
        self.same_date(before.as_ref())?;
        let settled = self.settle(books, &mut folder);
        let done = settled.and_then(|settlement| {
            let manifest = self.files(books, &settlement, &mut folder)?;
            Ok((settlement, manifest))
        });
        match done {
            Ok(done) => {
                let was_provisional = before.is_some_and(|before| before["provisional"] == true);
                folder.keep(self.replace || was_provisional)?;
                Ok(done)
            }
            Err(failure) => {
                folder.discard();
                Err(failure)
            }
        }
    }

    /// A date is over when it is so for every terminal, and everything of it was read.
    fn over(&self, books: &OpenBooks) -> Result<(), Failure> {
        let now = SystemClock::start().wall();
        let today = books.date_at(now);
        if self.provisional {
            return Ok(());
        }
        if self.date < today {
            return books.has_all_of(self.date);
        }
        let message = format!("{} is not over: it is {today}. --provisional settles what there is so far", self.date);
        Err(Failure::new(Exit::No, message))
    }

    fn same_date(&self, before: Option<&Value>) -> Result<(), Failure> {
        match before.and_then(|before| before["date"].as_str()) {
            Some(date) if date != self.date.to_string() => {
                let message = format!("{}: holds the settlement of {date}", self.out.display());
                Err(Failure::new(Exit::No, message))
            }
            _ => Ok(()),
        }
    }

    /// Makes the lines, and writes them as they come.
    fn settle<'a>(&self, books: &'a OpenBooks, folder: &mut Folder) -> Result<Settlement<'a>, Failure> {
        let mut settlement = Settlement::new(books.terms(), self.date);
        books.archive.unsettled(self.date, &mut |row| settlement.unsettled(row).map_err(Failure::from))?;
        settlement.unsettled_end();
        if settlement.has_open() && !self.provisional {
            let names = settlement.exceptions.iter().take(5).map(|exception| exception.transaction.rrn.to_string());
            let message = format!(
                "{} transactions are not decided, {}: a station decides what is open when it starts, and within its \
                 issuers' timeouts while it runs. --provisional settles what is",
                settlement.exceptions.len(),
                names.collect::<Vec<_>>().join(", ")
            );
            return Err(Failure::new(Exit::No, message));
        }
        let (mut csv, mut json) = (folder.begin("lines.csv")?, folder.begin("lines.jsonl")?);
        let mut csv_lines = CsvLines::new(&mut csv, LINE)?;
        let mut each = |line: &Line| -> Result<(), Failure> {
            let cells = cells(line);
            csv_lines.row(&cells)?;
            Ok(json_line(LINE, &cells, &mut json)?)
        };
        books.archive.moved((self.date, self.date), &mut |row| settlement.moved(row, &mut each))?;
        settlement.finish(&mut each)?;
        csv_lines.finish()?;
        folder.end("lines.csv", csv)?;
        folder.end("lines.jsonl", json)?;
        Ok(settlement)
    }

    /// Writes every table, and the list of all files; returns the list.
    fn files(&self, books: &OpenBooks, settlement: &Settlement<'_>, folder: &mut Folder) -> Result<Value, Failure> {
        let about = self.about(books);
        for table in settlement.tables() {
            for form in ["csv", "json", "txt"] {
                let name = format!("{}.{form}", table.name);
                let mut file = folder.begin(&name)?;
                match form {
                    "csv" => table.csv(&mut file)?,
                    "json" => table.json(&about, &mut file)?,
                    _ => self.titled(&table, &mut file)?,
                }
                folder.end(&name, file)?;
            }
        }
        let files = folder.written.iter();
        let files = files.map(|file| json!({"name": file.name, "bytes": file.bytes, "sha256": file.sha256}));
        let totals = settlement.statement.currencies().map(|(currency, sums)| {
            let (net, fee) = (sums.net().to_string(), sums.fee.to_string());
            json!({"currency": currency.to_string(), "lines": sums.lines(), "net": net, "fee": fee})
        });
        let mut manifest = Map::new();
        manifest.insert("schema".to_owned(), "tollgate/settlement/v1".into());
        manifest.extend(about);
        manifest.insert("totals".to_owned(), totals.collect());
        manifest.insert("exceptions".to_owned(), settlement.exceptions.len().into());
        manifest.insert("test_mode_left_out".to_owned(), settlement.test_mode.into());
        manifest.insert("files".to_owned(), files.collect());
        let manifest = Value::Object(manifest);
        let mut file = folder.begin(MANIFEST)?;
        writeln!(file, "{manifest:#}")?;
        folder.end(MANIFEST, file)?;
        Ok(manifest)
    }

    fn about(&self, books: &OpenBooks) -> Map<String, Value> {
        let station = books.loaded.config.name.to_string();
        let about = [
            ("station", station.into()),
            ("date", self.date.to_string().into()),
            ("provisional", self.provisional.into()),
        ];
        about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn titled(&self, table: &Table, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{} of {}{}\n", table.name, self.date, self.mark())?;
        Ok(table.text(out)?)
    }

    fn mark(&self) -> &'static str {
        if self.provisional { " (PROVISIONAL: the date may not be over)" } else { "" }
    }

    fn summary(&self, books: &OpenBooks, settlement: &Settlement<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "settlement of {}{}", self.date, self.mark())?;
        for (currency, sums) in settlement.statement.currencies() {
            let (net, fee) = (money(sums.net(), currency), money(sums.fee, currency));
            writeln!(out, "  {currency}  {} lines, net {net}, fees {fee}", sums.lines())?;
        }
        let payments: Vec<_> = settlement.statement.payments(books.terms()).collect();
        for status in [Status::Pay, Status::Collect, Status::HeldNoAccount, Status::HeldUnknown] {
            let count = payments.iter().filter(|payment| payment.status == status).count();
            if count > 0 {
                writeln!(out, "  {count} x {}", status.name())?;
            }
        }
        for held in payments.iter().filter(|payment| payment.status.is_held()) {
            let amount = money(held.payable, held.currency);
            eprintln!("note: merchant {}: {amount} {} {}", held.merchant, held.currency, held.status.name());
        }
        if !settlement.exceptions.is_empty() {
            eprintln!("note: {} exceptions: see exceptions.txt", settlement.exceptions.len());
        }
        if settlement.test_mode > 0 {
            writeln!(out, "  {} approvals of terminals in test mode left out", settlement.test_mode)?;
        }
        writeln!(out, "files in {}", self.out.display())?;
        Ok(())
    }
}
