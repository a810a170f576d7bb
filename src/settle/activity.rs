//! Reports of what was asked and answered, by business date.

use super::line::settles;
use super::table::Cell;
use super::table::Table;
use super::transaction::Standing;
use super::transaction::Transaction;
use crate::ledger::kinds;
use crate::ledger::kinds::Money;
use crate::model::Currency;
use crate::model::ResponseCode;
use crate::model::TimeOfDay;
use std::collections::BTreeMap;

/// By what a report counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Business date.
    Day,
    /// Merchant.
    Merchant,
    /// Merchant and terminal.
    Terminal,
    /// Issuer.
    Issuer,
    /// DE 39, with what it means.
    Code,
    /// Hour of the day, by the terminal's clock.
    Hour,
}

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    requests: u64,
    approved: u64,
    declined: u64,
    open: u64,
    undone: u64,
    sales: (u64, i128),
    voids: (u64, i128),
    refunds: (u64, i128),
}

/// A report that grows transaction by transaction.
#[derive(Debug)]
pub struct Activity {
    by: By,
    rows: BTreeMap<(Vec<String>, Currency), Counts>,
    /// Of terminals that never settle.
    pub test_mode: u64,
}

/// The columns of the counts, behind those that say of what.
macro_rules! columns {
    ($($what:literal),*) => {
        &[
            $($what,)* "currency", "requests", "approved", "declined", "open", "undone", "approval_percent",
            "sales", "sales_amount", "voids", "voids_amount", "refunds", "refunds_amount",
        ]
    };
}

impl Activity {
    /// An empty report.
    #[must_use]
    pub fn new(by: By) -> Self {
        Self { by, rows: BTreeMap::new(), test_mode: 0 }
    }

    /// Counts a transaction; those of terminals in test mode apart.
    pub fn add(&mut self, of: &Transaction) {
        if of.test_mode {
            self.test_mode += 1;
            return;
        }
        let counts = self.rows.entry((self.key(of), of.currency)).or_default();
        counts.requests += 1;
        match of.standing {
            Standing::Open => counts.open += 1,
            Standing::Undone => counts.undone += 1,
            Standing::Nothing => counts.declined += 1,
            // The terminal was told nothing that it could count.
            Standing::DeadLetter if !of.is_approved() => counts.declined += 1,
            Standing::Approved | Standing::DeadLetter => {
                counts.approved += 1;
                // The shop was told yes; nobody pays.
                if of.standing == Standing::DeadLetter {
                    return;
                }
                let row = kinds::of(of.kind);
                let sum = match row.money {
                    Money::Taken => &mut counts.sales,
                    Money::Given => &mut counts.refunds,
                    _ if row.follows.is_some_and(|(following, _)| following == kinds::Following::Voids)
                        && settles(of.kind) =>
                    {
                        &mut counts.voids
                    }
                    _ => return,
                };
                *sum = (sum.0 + 1, sum.1 + of.approved());
            }
        }
    }

    fn key(&self, of: &Transaction) -> Vec<String> {
        let code = of.code.as_deref().unwrap_or("");
        match self.by {
            By::Day => vec![of.date.to_string()],
            By::Merchant => vec![of.merchant.to_string()],
            By::Terminal => vec![of.merchant.to_string(), of.terminal.to_string()],
            By::Issuer => vec![of.issuer.as_ref().map(ToString::to_string).unwrap_or_default()],
            By::Code => {
                let known = ResponseCode::parse(code);
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                vec![code.to_owned(), text(known.map(ResponseCode::text)), text(known.map(ResponseCode::chinese))]
            }
            By::Hour => vec![format!("{:02}", TimeOfDay::of(of.received, of.offset_minutes).hour())],
        }
    }

    /// The report.
    #[must_use]
    pub fn table(&self) -> Table {
        let (name, columns): (_, &[&str]) = match self.by {
            By::Day => ("report-day", columns!("business_date")),
            By::Merchant => ("report-merchant", columns!("merchant")),
            By::Terminal => ("report-terminal", columns!("merchant", "terminal")),
            By::Issuer => ("report-issuer", columns!("issuer")),
            By::Code => ("report-codes", columns!("code", "meaning", "meaning_zh")),
            By::Hour => ("report-hours", columns!("hour")),
        };
        let mut table = Table::new(name, columns);
        for ((key, currency), counts) in &self.rows {
            let Counts { requests, approved, declined, open, undone, sales, voids, refunds } = *counts;
            let mut row: Vec<Cell> = key.iter().map(Cell::text).collect();
            row.push(Cell::text(currency));
            row.extend([requests, approved, declined, open, undone].map(Cell::Count));
            row.push(Cell::text(percent(approved, requests)));
            for (count, amount) in [sales, voids, refunds] {
                row.extend([Cell::Count(count), Cell::Money(amount, *currency)]);
            }
            table.rows.push(row);
        }
        table
    }
}

/// With one decimal, rounded down: never 100 while one is missing.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The columns of the export: what analysis needs, and of a card only its token.
pub const EXPORT: &[&str; 20] = &[
    "business_date",
    "received",
    "rrn",
    "terminal",
    "merchant",
    "batch",
    "stan",
    "kind",
    "currency",
    "amount",
    "approved_amount",
    "standing",
    "code",
    "issuer",
    "product",
    "foreign",
    "token",
    "follows",
    "settled_on",
    "test_mode",
];

/// The cells of a transaction, in the order of [`EXPORT`].
#[must_use]
pub fn export_cells(of: &Transaction) -> Vec<Cell> {
    vec![
        Cell::text(of.date),
        Cell::text(of.received),
        Cell::text(of.rrn),
        Cell::text(of.terminal),
        Cell::text(of.merchant),
        Cell::of(of.batch),
        Cell::text(of.stan),
        Cell::text(of.kind.name()),
        Cell::text(of.currency),
        Cell::Money(i128::from(of.asked.minor()), of.currency),
        if of.is_approved() { Cell::Money(of.approved(), of.currency) } else { Cell::Nothing },
        Cell::text(of.standing.name()),
        Cell::of(of.code.as_deref()),
        Cell::of(of.issuer.as_ref()),
        Cell::text(of.product.name()),
        Cell::Truth(of.foreign),
        Cell::text(&of.token),
        of.follows.map_or(Cell::Nothing, |id| Cell::Count(id.0)),
        Cell::of(of.settles),
        Cell::Truth(of.test_mode),
    ]
}
