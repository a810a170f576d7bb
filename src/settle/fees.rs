//! What a merchant pays for a transaction: a table of rows, the most specific of which applies.

use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Mcc;
use crate::model::MerchantId;
use crate::model::Priced;
use crate::model::Product;
use crate::model::Rates;
use crate::registry::Breaches;
use crate::registry::Document;
use crate::registry::Row;
use crate::registry::Source;

/// Thousandths of a percent of one: a rate of 600 is 0.600 %.
const WHOLE: i128 = 100_000;

const FEE: &[&str; 11] =
    &["merchant", "mcc", "product", "foreign", "currency", "from", "rate", "floor", "cap", "per_item", "refund"];
const SURCHARGE: &[&str; 6] = &["merchant", "mcc", "currency", "from", "rate", "per_payment"];

/// What becomes of the fee when money of a sale is given back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Refunds {
    /// The fee was earned by the sale and is kept.
    #[default]
    Keep,
    /// The merchant gets the refunded part of the fee back.
    GiveBack,
}

/// What a fee is made of. Amounts in minor units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fee {
    /// Of the amount, in thousandths of a percent: 600 is 0.600 %. At most 100,000.
    pub rate: u32,
    /// The least that the rate comes to.
    pub floor: Option<Amount>,
    /// The most that the rate comes to.
    pub cap: Option<Amount>,
    /// On top, for each transaction.
    pub per_item: Amount,
    /// What a refund does to it.
    pub refunds: Refunds,
}

impl Fee {
    /// The fee of `amount` minor units, not negative: the rate's part, rounded half up to the minor unit, not
    /// below the floor and not above the cap; and the fixed part on top.
    #[must_use]
    pub fn of(&self, amount: i128) -> i128 {
        let part = rounded(amount * i128::from(self.rate), WHOLE);
        let part = self.floor.map_or(part, |floor| part.max(floor.minor().into()));
        let part = self.cap.map_or(part, |cap| part.min(cap.minor().into()));
        part + i128::from(self.per_item.minor())
    }
}

/// `numerator / denominator`, both not negative, rounded half up.
pub(super) fn rounded(numerator: i128, denominator: i128) -> i128 {
    (2 * numerator + denominator) / (2 * denominator)
}

/// What is on top where a merchant is paid on the same day.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Surcharge {
    /// Of the payment, in thousandths of a percent.
    pub rate: u32,
    /// For each payment, in minor units.
    pub per_payment: Amount,
}

impl Surcharge {
    /// The surcharge on a payment of `net` minor units, rounded half up; nothing on what is not paid out.
    #[must_use]
    pub fn of(&self, net: i128) -> i128 {
        if net <= 0 {
            return 0;
        }
        rounded(net * i128::from(self.rate), WHOLE) + i128::from(self.per_payment.minor())
    }
}

/// Whom a row is for. What it leaves out fits everybody.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Whom {
    merchant: Option<MerchantId>,
    mcc: Option<Mcc>,
    product: Option<Product>,
    foreign: Option<bool>,
    currency: Option<Currency>,
    from: Option<BusinessDate>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Whose transaction.
    pub merchant: MerchantId,
    /// The merchant's category, where the registry has one.
    pub mcc: Option<Mcc>,
    /// What kind of card.
    pub product: Product,
    /// Whether the card is of another country.
    pub foreign: bool,
    /// In which currency.
    pub currency: Currency,
    /// On which day it is settled.
    pub date: BusinessDate,
}

impl Whom {
    fn fits(&self, asked: &Asked) -> bool {
        self.merchant.is_none_or(|merchant| merchant == asked.merchant)
            && self.mcc.is_none_or(|mcc| asked.mcc == Some(mcc))
            && self.product.is_none_or(|product| product == asked.product)
            && self.foreign.is_none_or(|foreign| foreign == asked.foreign)
            && self.currency.is_none_or(|currency| currency == asked.currency)
            && self.from.is_none_or(|from| from <= asked.date)
    }

    /// The merchant says most, then the category, the product, where the card is from, the currency; among
    /// equals the latest.
    fn weight(&self) -> impl Ord + use<> {
        let said = [
            self.merchant.is_some(),
            self.mcc.is_some(),
            self.product.is_some(),
            self.foreign.is_some(),
            self.currency.is_some(),
        ];
        (said, self.from)
    }

    fn is_for_all(&self) -> bool {
        *self == Self::default()
    }
}

/// The fees of a station. Empty: nobody pays any.
#[derive(Clone, Debug, Default)]
pub struct Fees {
    fees: Vec<(Whom, Fee)>,
    surcharges: Vec<(Whom, Surcharge)>,
}

impl Fees {
    /// Reads files of `[[fee]]` and `[[surcharge]]`. Where there is any `[[fee]]`, one must be for everybody and
    /// every day, so that no transaction is without.
    pub fn load(sources: &[Source<'_>], breaches: &mut Breaches) -> Self {
        let mut fees = Self::default();
        for source in sources {
            let document = Document::parse(*source, breaches);
            document.only(&["fee", "surcharge"], breaches);
            document.tables("fee", FEE, breaches, |row, breaches| fees.add_fee(row, breaches));
            document.tables("surcharge", SURCHARGE, breaches, |row, breaches| fees.add_surcharge(row, breaches));
        }
        let file = sources.first().map_or("", |source| source.file);
        if !fees.fees.is_empty() && !fees.fees.iter().any(|(whom, _)| whom.is_for_all()) {
            breaches.add(file, 1, "no [[fee]] is for everybody: one must name nobody and no day");
        }
        fees
    }

    fn add_fee<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let whom = whom(row, breaches);
        let rate = rate(row, breaches);
        let mut amount = |column: &str| row.optional(column, MINOR, |text| Amount::parse(text.as_bytes()), breaches);
        let (floor, cap, per_item) = (amount("floor"), amount("cap"), amount("per_item").unwrap_or_default());
        if floor.zip(cap).is_some_and(|(floor, cap)| floor > cap) {
            breaches.add(row.file(), row.line(), "floor: is above cap");
        }
        let switch = |text: &str| match text {
            "keep" => Some(Refunds::Keep),
            "give-back" => Some(Refunds::GiveBack),
            _ => None,
        };
        let refunds = row.optional("refund", "keep or give-back", switch, breaches).unwrap_or_default();
        if self.fees.iter().any(|(other, _)| *other == whom) {
            breaches.add(row.file(), row.line(), "another row is for the same");
        }
        self.fees.push((whom, Fee { rate, floor, cap, per_item, refunds }));
    }

    fn add_surcharge<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let whom = whom(row, breaches);
        let rate = rate(row, breaches);
        let per_payment = row.optional("per_payment", MINOR, |text| Amount::parse(text.as_bytes()), breaches);
        if self.surcharges.iter().any(|(other, _)| *other == whom) {
            breaches.add(row.file(), row.line(), "another row is for the same");
        }
        self.surcharges.push((whom, Surcharge { rate, per_payment: per_payment.unwrap_or_default() }));
    }

    /// The row that says most of whom it is for, among those that fit; no fee if there is no row at all.
    #[must_use]
    pub fn fee(&self, asked: &Asked) -> Fee {
        best(&self.fees, asked)
    }

    /// The same of surcharges.
    #[must_use]
    pub fn surcharge(&self, asked: &Asked) -> Surcharge {
        best(&self.surcharges, asked)
    }
}

impl Rates for Fees {
    fn rate(&self, priced: &Priced) -> Option<u16> {
        if self.fees.is_empty() {
            return None;
        }
        let Priced { merchant, mcc, card, currency, date } = *priced;
        let asked = Asked { merchant, mcc, product: card.product, foreign: card.foreign, currency, date };
        u16::try_from(self.fee(&asked).rate / 10).ok()
    }
}

fn best<T: Copy + Default>(rows: &[(Whom, T)], asked: &Asked) -> T {
    let fitting = rows.iter().filter(|(whom, _)| whom.fits(asked));
    fitting.max_by_key(|(whom, _)| whom.weight()).map(|(_, row)| *row).unwrap_or_default()
}

const MINOR: &str = "an amount in minor units";

fn rate<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> u32 {
    let rate = row.bounded("rate", 0, 0..=100_000, breaches);
    rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or_default()
}

fn whom<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Whom {
    Whom {
        merchant: row.optional("merchant", "15 characters", |text| MerchantId::parse(text.as_bytes()), breaches),
        mcc: row.optional("mcc", "4 digits", Mcc::parse, breaches),
        product: row.optional("product", "debit, credit, prepaid, qr or unknown", Product::parse, breaches),
        foreign: row.optional("foreign", "true or false", |text| text.parse().ok(), breaches),
        currency: row.optional("currency", "3 digits", |text| Currency::parse(text.as_bytes()), breaches),
        from: row.optional("from", "a date as 2026-11-22", BusinessDate::parse, breaches),
    }
}
