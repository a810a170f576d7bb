//! The clearing file: what an issuer says that moved on one business date. The manual's chapter on clearing
//! explains it column by column.

use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MaskedPan;
use crate::model::MerchantId;
use crate::model::Rrn;
use crate::model::TerminalId;
use std::fmt;
use std::fmt::Write;

/// The names of a row's columns: the second line of a file.
pub const COLUMNS: [&str; 10] =
    ["rrn", "kind", "terminal", "merchant", "amount", "currency", "sign", "card", "date", "approval"];
/// The first word of the first line.
const HEADER: &str = "tollgate-clearing";
/// The version of the format: the second word.
const VERSION: &str = "1";
/// The first word of the last line.
const TRAILER: &str = "trailer";
/// The most rows of one file.
pub const MOST_ROWS: usize = 5_000_000;
/// The most bytes of one file, which [`MOST_ROWS`] do not reach.
pub const MOST_BYTES: u64 = 1 << 30;

/// Which way the money of a row goes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Sign {
    /// `D`: taken from the cardholder, owed by the issuer.
    Debit,
    /// `C`: given to the cardholder, owed to the issuer.
    Credit,
}

impl Sign {
    /// The letter in files.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Debit => "D",
            Self::Credit => "C",
        }
    }

    /// From its letter.
    #[must_use]
    pub fn parse(letter: &str) -> Option<Self> {
        match letter {
            "D" => Some(Self::Debit),
            "C" => Some(Self::Credit),
            _ => None,
        }
    }

    /// The other way.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// One movement of money.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClearingRow {
    /// DE 37 of the request; of a `reversal`, of what was undone.
    pub rrn: Rrn,
    /// What moved it; `reversal` is the undo of something cleared on an earlier day.
    pub kind: Kind,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42, where the issuer was told it.
    pub merchant: Option<MerchantId>,
    /// How much.
    pub amount: Amount,
    /// Which way.
    pub sign: Sign,
    /// Whose card: first six and last four digits.
    pub card: MaskedPan,
    /// The issuer's day on which it came: the file's, or of a `reversal` the earlier one of its original.
    pub date: BusinessDate,
    /// DE 38.
    pub approval: Option<ApprovalCode>,
}

/// One file: one issuer, one business date, one currency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClearingFile {
    /// Whose.
    pub issuer: IssuerName,
    /// Which day, by the issuer's calendar.
    pub date: BusinessDate,
    /// Of every row.
    pub currency: Currency,
    /// In the issuer's order.
    pub rows: Vec<ClearingRow>,
}

/// How many rows and how much money, each way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Turnover {
    /// Rows or lines.
    pub count: u64,
    /// Minor units taken from cardholders.
    pub debit: u128,
    /// Minor units given to cardholders.
    pub credit: u128,
}

impl Turnover {
    /// Counts one more.
    pub fn add(&mut self, sign: Sign, amount: Amount) {
        self.count += 1;
        let sum = match sign {
            Sign::Debit => &mut self.debit,
            Sign::Credit => &mut self.credit,
        };
        *sum += u128::from(amount.minor());
    }
}

/// Why a file is refused, whole. Says the line; never a value of a row.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ClearingFault {
    /// Which line, from one.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What may be wrong with a clearing file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// It does not begin as one.
    #[error("not a clearing file: it must begin with `{HEADER},{VERSION},ISSUER,DATE,CURRENCY`")]
    Header,
    /// The second line.
    #[error("the second line must name the columns: {}", COLUMNS.join(","))]
    Names,
    /// It is not text.
    #[error("not UTF-8 text")]
    NotText,
    /// A row of other length.
    #[error("{0} columns, not 10")]
    Columns(usize),
    /// A value that does not read.
    #[error("{0}: not {1}")]
    Value(&'static str, &'static str),
    /// Card data that do not belong into a file.
    #[error("card: not masked as first six and last four digits; a clearing file never has whole card numbers")]
    Unmasked,
    /// A row in a money that is not the file's.
    #[error("currency {0} in a file of {1}")]
    Currency(Currency, Currency),
    /// A row of another day.
    #[error("a row of {0} in a file of {1}")]
    Day(BusinessDate, BusinessDate),
    /// The last line is missing.
    #[error("the file is cut short: it ends without its trailer")]
    Truncated,
    /// A trailer that does not read.
    #[error("the trailer must be `{TRAILER},ROWS,DEBITS,CREDITS`")]
    Trailer,
    /// Rows are missing, or too many.
    #[error("the trailer counts {said} rows and there are {found}")]
    Count {
        /// What the trailer says.
        said: u64,
        /// What is there.
        found: u64,
    },
    /// An amount was changed, or a row exchanged.
    #[error("the trailer's sum of {0} is not the sum of the rows")]
    Sum(&'static str),
    /// Something follows the trailer: two files in one.
    #[error("something follows the trailer")]
    AfterTrailer,
    /// More than anybody clears in a day.
    #[error("more than {MOST_ROWS} rows")]
    TooLong,
}

impl ClearingFile {
    /// Its rows, counted and summed.
    #[must_use]
    pub fn turnover(&self) -> Turnover {
        let mut turnover = Turnover::default();
        self.rows.iter().for_each(|row| turnover.add(row.sign, row.amount));
        turnover
    }

    /// The file as text; [`ClearingFile::read`] reads it back.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = format!("{HEADER},{VERSION},{},{},{}\n", self.issuer, self.date, self.currency);
        text.push_str(&COLUMNS.join(","));
        text.push('\n');
        for row in &self.rows {
            let merchant = row.merchant.map(|merchant| merchant.to_string()).unwrap_or_default();
            let approval = row.approval.map(|approval| approval.to_string()).unwrap_or_default();
            let (kind, amount, currency) = (row.kind.name(), row.amount.minor(), self.currency);
            let ClearingRow { rrn, terminal, sign, card, date, .. } = row;
            let [terminal, merchant, approval] = [terminal.as_str(), &merchant, &approval].map(plain);
            let _ = writeln!(
                text,
                "{rrn},{kind},{terminal},{merchant},{amount},{currency},{sign},{card},{date},{approval}"
            );
        }
        let Turnover { count, debit, credit } = self.turnover();
        let _ = writeln!(text, "{TRAILER},{count},{debit},{credit}");
        text
    }

    /// Reads a whole file. The first fault refuses all of it: half a day is not compared.
    ///
    /// # Errors
    /// [`ClearingFault`].
    pub fn read(bytes: &[u8]) -> Result<Self, ClearingFault> {
        let at = |line, fault| ClearingFault { line, fault };
        let text = std::str::from_utf8(bytes).map_err(|_| at(1, Fault::NotText))?;
        let mut lines = (1..).zip(text.lines());
        let first = lines.next().map(|(_, line)| line).unwrap_or_default();
        let mut file = header(first).ok_or(at(1, Fault::Header))?;
        let (_, names) = lines.next().ok_or(at(2, Fault::Truncated))?;
        if names.split(',').ne(COLUMNS) {
            return Err(at(2, Fault::Names));
        }
        let mut last = 2;
        while let Some((number, line)) = lines.next() {
            if let Some(trailer) = line.strip_prefix(TRAILER) {
                let is_whole = text.ends_with('\n');
                file.holds(trailer, is_whole).map_err(|fault| at(number, fault))?;
                return match lines.next() {
                    None => Ok(file),
                    Some((number, _)) => Err(at(number, Fault::AfterTrailer)),
                };
            }
            last = number;
            if file.rows.len() >= MOST_ROWS {
                return Err(at(number, Fault::TooLong));
            }
            match row(line, &file) {
                Ok(row) => file.rows.push(row),
                // The last line of a file that was cut in the middle of it.
                Err(_) if !text.ends_with('\n') && lines.next().is_none() => return Err(at(number, Fault::Truncated)),
                Err(fault) => return Err(at(number, fault)),
            }
        }
        Err(at(last + 1, Fault::Truncated))
    }

    fn holds(&self, trailer: &str, is_whole: bool) -> Result<(), Fault> {
        let numbers: Option<Vec<u128>> = trailer.split(',').skip(1).map(|number| number.parse().ok()).collect();
        // Without its end of line the last number may have lost digits.
        if !is_whole {
            return Err(Fault::Truncated);
        }
        let Some([count, debit, credit]) = numbers.as_deref() else { return Err(Fault::Trailer) };
        let there = self.turnover();
        if *count != u128::from(there.count) {
            let said = u64::try_from(*count).unwrap_or(u64::MAX);
            return Err(Fault::Count { said, found: there.count });
        }
        match (*debit == there.debit, *credit == there.credit) {
            (false, _) => Err(Fault::Sum("debits")),
            (_, false) => Err(Fault::Sum("credits")),
            _ => Ok(()),
        }
    }
}

/// Without the blanks that fill it on the right; a comma, which no number of the trade has, as `_`.
pub(super) fn plain(value: &str) -> String {
    value.trim_end().replace(',', "_")
}

fn header(line: &str) -> Option<ClearingFile> {
    let values: Vec<&str> = line.split(',').collect();
    let [HEADER, VERSION, issuer, date, currency] = values[..] else { return None };
    Some(ClearingFile {
        issuer: IssuerName::parse(issuer)?,
        date: BusinessDate::parse(date)?,
        currency: Currency::parse(currency.as_bytes())?,
        rows: Vec::new(),
    })
}

fn row(line: &str, file: &ClearingFile) -> Result<ClearingRow, Fault> {
    let values: Vec<&str> = line.split(',').take(COLUMNS.len() + 1).collect();
    let [rrn, kind, terminal, merchant, amount, currency, sign, card, date, approval] = values[..] else {
        return Err(Fault::Columns(line.split(',').count()));
    };
    let wrong = Fault::Value;
    let currency = Currency::parse(currency.as_bytes()).ok_or(wrong("currency", "three digits"))?;
    if currency != file.currency {
        return Err(Fault::Currency(currency, file.currency));
    }
    let kind = kind_of(kind).ok_or(wrong("kind", "a kind that moves money, or reversal"))?;
    let date = BusinessDate::parse(date).ok_or(wrong("date", "a date as 2026-11-22"))?;
    let is_undo = kind == Kind::Reversal;
    if (date != file.date && !is_undo) || date > file.date {
        return Err(Fault::Day(date, file.date));
    }
    Ok(ClearingRow {
        rrn: Rrn::parse(rrn.as_bytes()).ok_or(wrong("rrn", "12 letters or digits"))?,
        kind,
        terminal: padded(terminal)
            .and_then(|id: [u8; 8]| TerminalId::parse(&id))
            .ok_or(wrong("terminal", "up to 8 characters"))?,
        merchant: optional(merchant, |text| padded(text).and_then(|id: [u8; 15]| MerchantId::parse(&id)))
            .ok_or(wrong("merchant", "up to 15 characters"))?,
        amount: Amount::parse(amount.as_bytes()).ok_or(wrong("amount", "up to 12 digits, minor units"))?,
        sign: Sign::parse(sign).ok_or(wrong("sign", "D or C"))?,
        card: MaskedPan::parse(card.as_bytes()).ok_or(Fault::Unmasked)?,
        date,
        approval: optional(approval, |text| padded(text).and_then(|code: [u8; 6]| ApprovalCode::parse(&code)))
            .ok_or(wrong("approval", "up to 6 characters"))?,
    })
}

/// A kind by its name, if it is one that clears.
fn kind_of(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).filter(|kind| super::line::clears(*kind))
}

/// `None` if it is there and does not read.
fn optional<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// With the blanks that fill it on the right, which a file leaves out.
fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut filled = [b' '; N];
    filled.get_mut(..text.len()).filter(|_| !text.is_empty())?.copy_from_slice(text.as_bytes());
    Some(filled)
}
