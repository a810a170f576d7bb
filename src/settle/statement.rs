//! What a day comes to: per merchant, terminal, issuer, product, currency.

use super::fees::Asked;
use super::line::Line;
use super::line::Terms;
use super::line::What;
use super::table::Cell;
use super::table::Table;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::MerchantId;
use crate::model::Product;
use crate::model::TerminalId;
use crate::registry::Cycle;
use std::collections::BTreeMap;

/// So many lines of so much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Lines.
    pub count: u64,
    /// Minor units.
    pub amount: i128,
}

/// What lines come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    of: [Sum; What::ALL.len()],
    /// What is kept from merchants for them.
    pub fee: i128,
}

impl Sums {
    fn add(&mut self, line: &Line) {
        if let Some(sum) = self.of.get_mut(line.what as usize) {
            *sum = Sum { count: sum.count + 1, amount: sum.amount + line.amount };
        }
        self.fee += line.fee;
    }

    fn join(&mut self, other: &Self) {
        for (sum, other) in self.of.iter_mut().zip(other.of) {
            *sum = Sum { count: sum.count + other.count, amount: sum.amount + other.amount };
        }
        self.fee += other.fee;
    }

    /// Of the lines of this sort.
    #[must_use]
    pub fn of(&self, what: What) -> Sum {
        self.of.get(what as usize).copied().unwrap_or_default()
    }

    /// What issuers owe for all lines.
    #[must_use]
    pub fn net(&self) -> i128 {
        self.of.iter().map(|sum| sum.amount).sum()
    }

    /// How many lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.of.iter().map(|sum| sum.count).sum()
    }

    fn cells(&self, currency: Currency) -> Vec<Cell> {
        let mut cells = vec![Cell::text(currency)];
        for sum in self.of {
            cells.extend([Cell::Count(sum.count), Cell::Money(sum.amount, currency)]);
        }
        cells.extend([Cell::Money(self.net(), currency), Cell::Money(self.fee, currency)]);
        cells
    }
}

/// Whether a merchant is paid what it is owed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// To its account.
    Pay,
    /// It owes more than it is owed: the amount is collected from it.
    Collect,
    /// Nothing to pay.
    Even,
    /// Not paid: it has no registered account.
    HeldNoAccount,
    /// Not paid: the registry does not know it.
    HeldUnknown,
}

impl Status {
    /// The words in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::Collect => "collect",
            Self::Even => "even",
            Self::HeldNoAccount => "held: no registered account",
            Self::HeldUnknown => "held: merchant not in the registry",
        }
    }

    /// Whether somebody must see to it.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::HeldNoAccount | Self::HeldUnknown)
    }
}

/// What one merchant gets on one day, in one currency.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Who.
    pub merchant: MerchantId,
    /// In which currency.
    pub currency: Currency,
    /// When it has it.
    pub value_date: BusinessDate,
    /// What for.
    pub sums: Sums,
    /// What the same day costs it.
    pub surcharge: i128,
    /// Net, less fees and surcharge; negative is owed by the merchant.
    pub payable: i128,
    /// Whether it is paid.
    pub status: Status,
    /// Where to.
    pub account: Option<Box<str>>,
    /// The names on its receipts.
    pub name: Box<str>,
}

/// All lines of a day or several, added up.
#[derive(Debug, Default)]
pub struct Statement {
    /// By value date, and the date on which it was settled.
    merchants: BTreeMap<(MerchantId, Currency, BusinessDate, BusinessDate), Sums>,
    terminals: BTreeMap<(MerchantId, TerminalId, Currency), Sums>,
    issuers: BTreeMap<(Option<IssuerName>, Currency), Sums>,
    products: BTreeMap<(&'static str, bool, Currency), Sums>,
    currencies: BTreeMap<Currency, Sums>,
}

/// The columns of the sums, with some before and some behind; all tables have them in this order.
macro_rules! columns {
    ([$($before:literal),*], [$($after:literal),*]) => {
        &[
            $($before,)*
            "currency", "sales", "sales_amount", "adjustments", "adjustments_amount", "voids", "voids_amount",
            "refunds", "refunds_amount", "late", "late_amount", "net", "fee",
            $($after,)*
        ]
    };
}

impl Statement {
    /// Adds a line everywhere.
    pub fn add(&mut self, line: &Line) {
        let Line { transaction: of, settled, value_date, .. } = line;
        let currency = of.currency;
        let Self { merchants, terminals, issuers, products, currencies } = self;
        merchants.entry((of.merchant, currency, *value_date, *settled)).or_default().add(line);
        terminals.entry((of.merchant, of.terminal, currency)).or_default().add(line);
        match issuers.get_mut(&(of.issuer.clone(), currency)) {
            Some(sums) => sums.add(line),
            None => issuers.entry((of.issuer.clone(), currency)).or_default().add(line),
        }
        products.entry((of.product.name(), of.foreign, currency)).or_default().add(line);
        currencies.entry(currency).or_default().add(line);
    }

    /// What all lines of a currency come to.
    pub fn currencies(&self) -> impl Iterator<Item = (Currency, &Sums)> {
        self.currencies.iter().map(|(currency, sums)| (*currency, sums))
    }

    /// What each issuer's lines come to.
    pub fn issuers(&self) -> impl Iterator<Item = (Option<&IssuerName>, Currency, &Sums)> {
        self.issuers.iter().map(|((issuer, currency), sums)| (issuer.as_ref(), *currency, sums))
    }

    /// What each merchant gets, by merchant, currency and value date.
    pub fn payments(&self, terms: Terms<'_>) -> impl Iterator<Item = Payment> {
        self.merchants.iter().map(move |((id, currency, value_date, settled), sums)| {
            let merchant = terms.registry.merchant(*id);
            let payout = merchant.map(|merchant| &merchant.payout);
            let asked = Asked {
                merchant: *id,
                mcc: payout.and_then(|payout| payout.mcc),
                product: Product::Unknown,
                foreign: false,
                currency: *currency,
                date: *settled,
            };
            let net = sums.net() - sums.fee;
            let same_day = value_date <= settled && payout.is_some_and(|payout| payout.cycle == Cycle::SameDay);
            let surcharge = if same_day { terms.fees.surcharge(&asked).of(net) } else { 0 };
            let payable = net - surcharge;
            let account = payout.and_then(|payout| payout.account.clone());
            let status = match (payout, &account) {
                _ if payable == 0 => Status::Even,
                (None, _) => Status::HeldUnknown,
                (Some(_), None) => Status::HeldNoAccount,
                _ if payable < 0 => Status::Collect,
                _ => Status::Pay,
            };
            let name = merchant.map_or_else(Box::default, |merchant| merchant.name.clone());
            let (merchant, currency, value_date, sums) = (*id, *currency, *value_date, *sums);
            Payment { merchant, currency, value_date, sums, surcharge, payable, status, account, name }
        })
    }

    /// Merchants: what each is owed, and when.
    #[must_use]
    pub fn merchants_table(&self, terms: Terms<'_>) -> Table {
        let columns = columns!(["merchant", "name", "value_date"], ["surcharge", "payable", "status", "account"]);
        let mut table = Table::new("merchants", columns);
        for payment in self.payments(terms) {
            let mut row = vec![Cell::text(payment.merchant), Cell::text(&payment.name), Cell::text(payment.value_date)];
            row.extend(payment.sums.cells(payment.currency));
            row.push(Cell::Money(payment.surcharge, payment.currency));
            row.push(Cell::Money(payment.payable, payment.currency));
            row.push(Cell::text(payment.status.name()));
            row.push(Cell::of(payment.account));
            table.rows.push(row);
        }
        table
    }

    /// Merchants, whenever they are paid.
    #[must_use]
    pub fn sums_by_merchant(&self) -> Table {
        let mut merchants: BTreeMap<(MerchantId, Currency), Sums> = BTreeMap::new();
        for ((merchant, currency, ..), sums) in &self.merchants {
            merchants.entry((*merchant, *currency)).or_default().join(sums);
        }
        let mut table = Table::new("period-merchants", columns!(["merchant"], []));
        for ((merchant, currency), sums) in &merchants {
            table.rows.push([Cell::text(merchant)].into_iter().chain(sums.cells(*currency)).collect());
        }
        table
    }

    /// Terminals.
    #[must_use]
    pub fn terminals_table(&self) -> Table {
        let mut table = Table::new("terminals", columns!(["merchant", "terminal"], []));
        for ((merchant, terminal, currency), sums) in &self.terminals {
            let who = [Cell::text(merchant), Cell::text(terminal)];
            table.rows.push(who.into_iter().chain(sums.cells(*currency)).collect());
        }
        table
    }

    /// Issuers: what each owes, `net`.
    #[must_use]
    pub fn issuers_table(&self) -> Table {
        let mut table = Table::new("issuers", columns!(["issuer"], []));
        for ((issuer, currency), sums) in &self.issuers {
            table.rows.push([Cell::of(issuer.as_ref())].into_iter().chain(sums.cells(*currency)).collect());
        }
        table
    }

    /// Card products, at home and abroad.
    #[must_use]
    pub fn products_table(&self) -> Table {
        let mut table = Table::new("products", columns!(["product", "foreign"], []));
        for ((product, foreign, currency), sums) in &self.products {
            let what = [Cell::text(product), Cell::Truth(*foreign)];
            table.rows.push(what.into_iter().chain(sums.cells(*currency)).collect());
        }
        table
    }

    /// Currencies, with what is paid, collected and held of it.
    #[must_use]
    pub fn currencies_table(&self, terms: Terms<'_>) -> Table {
        let mut table = Table::new("currencies", columns!([], ["surcharge", "payable", "paid", "collected", "held"]));
        for (currency, sums) in &self.currencies {
            let (mut surcharge, mut payable, mut ways) = (0, 0, [0; 3]);
            for payment in self.payments(terms).filter(|payment| payment.currency == *currency) {
                surcharge += payment.surcharge;
                payable += payment.payable;
                let way = match payment.status {
                    Status::Pay | Status::Even => 0,
                    Status::Collect => 1,
                    Status::HeldNoAccount | Status::HeldUnknown => 2,
                };
                ways[way] += payment.payable;
            }
            let mut row = sums.cells(*currency);
            row.extend([surcharge, payable].into_iter().chain(ways).map(|minor| Cell::Money(minor, *currency)));
            table.rows.push(row);
        }
        table
    }
}
