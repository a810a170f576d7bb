//! The settlement's figures: fees, value dates, lines, and that they add up.

use proptest::prelude::*;
use std::convert::Infallible;
use tollgate::ledger::TxnId;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::BusinessDate;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::Limits;
use tollgate::model::MerchantId;
use tollgate::model::Product;
use tollgate::model::Rrn;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::registry::Breaches;
use tollgate::registry::Days;
use tollgate::registry::Defaults;
use tollgate::registry::DownloadSources;
use tollgate::registry::FleetSources;
use tollgate::registry::Registry;
use tollgate::registry::Rules;
use tollgate::registry::Source;
use tollgate::registry::Sources;
use tollgate::settle::activity::Activity;
use tollgate::settle::activity::By;
use tollgate::settle::calendar::Calendar;
use tollgate::settle::fees::Asked;
use tollgate::settle::fees::Fees;
use tollgate::settle::line::Line;
use tollgate::settle::line::Lines;
use tollgate::settle::line::Terms;
use tollgate::settle::line::What;
use tollgate::settle::statement::Statement;
use tollgate::settle::statement::Status;
use tollgate::settle::table::Cell;
use tollgate::settle::transaction::Standing;
use tollgate::settle::transaction::Transaction;

const MERCHANTS: &str = "merchant,name,mcc,account,cycle,cut_off
898110054110001,one,5411,ACCOUNT1,T1,
898110054110002,two,5812,ACCOUNT2,D0,22:00
898110054110003,three,,,T1,
";
const FEES: &str = r#"
[[fee]]
rate = 600
[[fee]]
product = "debit"
rate = 500
cap = 2000
[[fee]]
product = "debit"
from = "2026-11-20"
rate = 400
[[fee]]
mcc = "5812"
rate = 1000
floor = 10
per_item = 5
refund = "give-back"
[[fee]]
merchant = "898110054110003"
rate = 0
per_item = 100
[[surcharge]]
rate = 20
per_payment = 300
[[surcharge]]
from = "2026-11-22"
rate = 20
per_payment = 900
"#;

struct House {
    registry: Registry,
    fees: Fees,
    calendar: Calendar,
}

impl House {
    fn new() -> Self {
        let defaults = Defaults {
            acquirer: Acquirer::parse(b"89811000").unwrap(),
            currency: Currency::CNY,
            offset_minutes: 480,
            days: Days::default(),
            limits: Limits::default(),
        };
        let registry = Registry::load(&Sources {
            defaults,
            merchants: vec![Source { file: "merchants.csv", text: MERCHANTS }],
            terminals: vec![],
            fleet: FleetSources::default(),
            issuers: vec![],
            bins: vec![],
            operators: vec![],
            downloads: DownloadSources::default(),
            rules: Rules::default(),
            profile_known: &|_| true,
        });
        let mut breaches = Breaches::default();
        let fees = Fees::load(&[Source { file: "fees.toml", text: FEES }], &mut breaches);
        let holidays = "date,day\n2026-11-23,holiday\n2026-11-28,working\n";
        let calendar = Calendar::load(&[Source { file: "holidays.csv", text: holidays }], &mut breaches);
        breaches.or(Self { registry: registry.unwrap(), fees, calendar }).unwrap()
    }

    fn terms(&self) -> Terms<'_> {
        Terms { registry: &self.registry, fees: &self.fees, calendar: &self.calendar }
    }

    fn lines(&self, from: BusinessDate, to: BusinessDate, transactions: &[Transaction]) -> Vec<Line> {
        let (mut lines, mut made) = (Lines::new(self.terms(), from, to), Vec::new());
        let mut each = |line| {
            made.push(line);
            Ok::<(), Infallible>(())
        };
        transactions.iter().for_each(|of| lines.push(of.clone(), &mut each).unwrap());
        lines.finish(&mut each).unwrap();
        made
    }

    /// What each line of a day is: sort, amount, fee.
    fn told(&self, date: BusinessDate, transactions: &[Transaction]) -> Vec<(What, i128, i128)> {
        self.lines(date, date, transactions).iter().map(|line| (line.what, line.amount, line.fee)).collect()
    }
}

fn day(day: i8) -> BusinessDate {
    BusinessDate::new(2026, 11, day).unwrap()
}

fn merchant(number: u8) -> MerchantId {
    MerchantId::parse(format!("89811005411000{number}").as_bytes()).unwrap()
}

/// A sale that was settled on `date`.
fn sale(id: u64, date: BusinessDate, amount: u64) -> Transaction {
    Transaction {
        id: TxnId(id),
        rrn: Rrn::numbered(date, id),
        date,
        // 12:00 at the terminal.
        received: Timestamp(1_795_233_600_000_000 + i64::from(date.days_since(day(21))) * 86_400_000_000),
        offset_minutes: 480,
        terminal: TerminalId::parse(b"10000001").unwrap(),
        stan: Stan::new(1).unwrap(),
        batch: None,
        lost_its_batch: false,
        merchant: merchant(1),
        kind: Kind::Sale,
        asked: Amount::new(amount).unwrap(),
        partial: None,
        currency: Currency::CNY,
        test_mode: false,
        masked_pan: "622500******0253".into(),
        token: "07".into(),
        product: Product::Unknown,
        foreign: false,
        issuer: IssuerName::parse("bank-a"),
        approval: None,
        follows: None,
        standing: Standing::Approved,
        approved: true,
        code: Some("00".into()),
        settles: Some(date),
        closed_at: None,
        undone_on: None,
        refused_on: None,
        undo_refused_on: None,
        ended: None,
    }
}

fn follow(kind: Kind, id: u64, of: &Transaction, date: BusinessDate, amount: u64) -> Transaction {
    let own = sale(id, date, amount);
    let (received, rrn, asked, partial) = (own.received, own.rrn, own.asked, None);
    Transaction {
        id: own.id,
        rrn,
        date,
        received,
        kind,
        asked,
        partial,
        follows: Some(of.id),
        settles: Some(date),
        ..of.clone()
    }
}

fn undone(of: Transaction, date: BusinessDate) -> Transaction {
    Transaction { standing: Standing::Undone, undone_on: Some(date), ended: Some(date), ..of }
}

fn fee(house: &House, product: Product, mcc: Option<&str>, whose: u8, date: BusinessDate, amount: i128) -> i128 {
    let mcc = mcc.and_then(tollgate::model::Mcc::parse);
    let asked = Asked { merchant: merchant(whose), mcc, product, foreign: false, currency: Currency::CNY, date };
    house.fees.fee(&asked).of(amount)
}

#[test]
fn fees_round_half_up_to_the_minor_unit_within_floor_and_cap_and_with_the_fixed_part_on_top() {
    let house = House::new();
    let plain = |amount| fee(&house, Product::Credit, None, 1, day(1), amount);
    // 0.6 % of 83 is 0.498, of 84 is 0.504, of 250 is 1.5.
    assert_eq!((plain(83), plain(84), plain(250), plain(249)), (0, 1, 2, 1));
    assert_eq!(fee(&house, Product::Debit, None, 1, day(1), 400_000), 2_000, "0.5 %: just the cap");
    assert_eq!(fee(&house, Product::Debit, None, 1, day(1), 90_000_000), 2_000);
    assert_eq!(fee(&house, Product::Unknown, Some("5812"), 2, day(1), 100), 15, "the floor and 5");
    assert_eq!(fee(&house, Product::Unknown, Some("5812"), 2, day(1), 10_000), 105);
}

#[test]
fn the_row_that_says_most_of_whom_it_is_for_applies_from_its_day_on() {
    let house = House::new();
    assert_eq!(fee(&house, Product::Debit, None, 1, day(19), 10_000), 50);
    assert_eq!(fee(&house, Product::Debit, None, 1, day(20), 10_000), 40, "a later row of the same product");
    assert_eq!(fee(&house, Product::Debit, Some("5812"), 1, day(20), 10_000), 105, "the category before the product");
    assert_eq!(fee(&house, Product::Debit, Some("5812"), 3, day(20), 10_000), 100, "the merchant before the category");
}

#[test]
fn a_table_of_fees_is_refused_with_every_mistake_by_line() {
    let text = "[[fee]]\nproduct = \"gold\"\nrate = 100001\n[[fee]]\nmcc = \"5411\"\nfloor = 5\ncap = 4\n\
                [[fee]]\nmcc = \"5411\"\n[[tax]]\n";
    let mut breaches = Breaches::default();
    let _ = Fees::load(&[Source { file: "fees.toml", text }], &mut breaches);
    let told: Vec<String> = breaches.into_inner().iter().map(ToString::to_string).collect();
    for wanted in [
        "fees.toml:10: unknown key \"tax\"",
        "fees.toml:2: product: is not debit, credit, prepaid, qr or unknown",
        "fees.toml:3: rate: is not a whole number from 0 to 100000",
        "fees.toml:4: floor: is above cap",
        "fees.toml:8: another row is for the same",
    ] {
        assert!(told.iter().any(|breach| breach == wanted), "{wanted} in {told:?}");
    }
}

#[test]
fn where_there_are_fees_one_row_is_for_everybody() {
    let mut breaches = Breaches::default();
    let _ = Fees::load(&[Source { file: "fees.toml", text: "[[fee]]\nmcc = \"5411\"\n" }], &mut breaches);
    let told = breaches.into_inner();
    assert_eq!(told.len(), 1);
    assert!(told[0].to_string().contains("no [[fee]] is for everybody"), "{}", told[0]);
}

#[test]
fn value_dates_skip_weekends_and_holidays_and_know_worked_weekends_and_cut_offs() {
    let house = House::new();
    let arrives = |whose: u8, date: BusinessDate, minutes: i64| {
        let mut of = Transaction { merchant: merchant(whose), ..sale(1, date, 100) };
        of.received.0 += minutes * 60_000_000;
        house.lines(date, date, &[of])[0].value_date
    };
    assert_eq!(arrives(1, day(19), 0), day(20), "Thursday: Friday");
    assert_eq!(arrives(1, day(20), 0), day(24), "Friday: over the weekend and a holiday");
    assert_eq!(arrives(1, day(27), 0), day(28), "a Saturday that is worked on");
    assert_eq!(arrives(2, day(21), 0), day(21), "D0, also on a Saturday");
    assert_eq!(arrives(2, day(21), 599), day(21), "21:59");
    assert_eq!(arrives(2, day(21), 600), day(22), "22:00: the next day's");
    assert_eq!(arrives(2, day(21), -720 - 30), day(21), "half past eleven the evening before, after a cut-over");
}

#[test]
fn a_tip_a_void_and_a_partial_approval_settle_what_stands() {
    let house = House::new();
    let first = sale(1, day(19), 10_000);
    let tip = follow(Kind::Adjustment, 2, &first, day(19), 11_500);
    assert_eq!(
        house.told(day(19), &[first.clone(), tip.clone()]),
        [(What::Sale, 10_000, 60), (What::Adjustment, 1_500, 9)]
    );
    let void = follow(Kind::SaleVoid, 3, &first, day(19), 11_500);
    let voided = house.told(day(19), &[first.clone(), tip, void]);
    assert_eq!(voided.last(), Some(&(What::Void, -11_500, -69)), "a void takes the tip back too, and the fee");
    let part = Transaction { partial: Amount::new(4_000), ..first };
    assert_eq!(house.told(day(19), &[part]), [(What::Sale, 4_000, 24)]);
}

#[test]
fn a_refund_keeps_the_fee_or_gives_it_back_in_proportion_and_whole_with_the_last_part() {
    let house = House::new();
    let kept = sale(1, day(19), 10_000);
    let refund = follow(Kind::Refund, 2, &kept, day(20), 3_000);
    assert_eq!(house.told(day(20), &[kept, refund]), [(What::Refund, -3_000, 0)]);
    let first = Transaction { merchant: merchant(2), ..sale(1, day(19), 10_001) };
    let parts: Vec<Transaction> =
        [(2, 3_333), (3, 3_334), (4, 3_334)].map(|(id, part)| follow(Kind::Refund, id, &first, day(20), part)).to_vec();
    let family: Vec<Transaction> = std::iter::once(first).chain(parts).collect();
    let paid = house.told(day(19), &family);
    assert_eq!(paid, [(What::Sale, 10_001, 105)]);
    let back = house.told(day(20), &family);
    assert_eq!(back, [(What::Refund, -3_333, -35), (What::Refund, -3_334, -35), (What::Refund, -3_334, -35)]);
}

#[test]
fn what_is_undone_after_it_was_settled_is_a_negative_line_of_its_own_day() {
    let house = House::new();
    let late = undone(sale(1, day(19), 10_000), day(20));
    assert_eq!(house.told(day(19), std::slice::from_ref(&late)), [(What::Sale, 10_000, 60)]);
    assert_eq!(house.told(day(20), std::slice::from_ref(&late)), [(What::Late, -10_000, -60)]);
    assert_eq!(house.told(day(21), &[late]), []);
    assert_eq!(house.told(day(19), &[undone(sale(1, day(19), 10_000), day(19))]), [], "on the same day: nothing");
}

#[test]
fn a_void_that_is_undone_itself_brings_its_sale_back() {
    let house = House::new();
    let first = sale(1, day(19), 10_000);
    let void = undone(follow(Kind::SaleVoid, 2, &first, day(19), 10_000), day(20));
    let family = [first, void];
    assert_eq!(house.told(day(19), &family), [(What::Sale, 10_000, 60), (What::Void, -10_000, -60)]);
    assert_eq!(house.told(day(20), &family), [(What::Late, 10_000, 60)]);
}

#[test]
fn what_waits_for_its_batch_is_of_a_test_terminal_or_holds_only_does_not_settle() {
    let house = House::new();
    let first = sale(1, day(19), 10_000);
    for nothing in [
        Transaction { settles: None, ..first.clone() },
        Transaction { test_mode: true, ..first.clone() },
        Transaction { standing: Standing::Open, approved: false, ..first.clone() },
        Transaction { standing: Standing::Nothing, approved: false, ..first.clone() },
        Transaction { standing: Standing::DeadLetter, approved: false, ..first.clone() },
        Transaction { kind: Kind::Authorization, ..first.clone() },
        Transaction { kind: Kind::Transfer, ..first.clone() },
        Transaction { kind: Kind::Balance, ..first },
    ] {
        assert_eq!(house.told(day(19), &[nothing]), []);
    }
}

#[test]
fn what_an_issuer_refused_for_good_is_in_no_sum_of_a_report() {
    let mut report = Activity::new(By::Day);
    let first = sale(1, day(19), 10_000);
    report.add(&Transaction { standing: Standing::DeadLetter, ..sale(2, day(19), 70_000) });
    report.add(&first);
    let sums: Vec<i128> = report.table().rows[0]
        .iter()
        .filter_map(|cell| if let Cell::Money(sum, _) = cell { Some(*sum) } else { None })
        .collect();
    assert_eq!(sums, [10_000, 0, 0]);
}

#[test]
fn who_has_no_account_is_held_and_who_owes_is_collected_from_and_d0_pays_its_surcharge() {
    let house = House::new();
    let mut statement = Statement::default();
    let second = Transaction { merchant: merchant(2), ..sale(2, day(19), 100_000) };
    let third = Transaction { merchant: merchant(3), ..sale(3, day(19), 5_000) };
    let unknown = Transaction { merchant: MerchantId::parse(b"898110099999999").unwrap(), ..sale(4, day(19), 700) };
    let refund = follow(Kind::Refund, 5, &sale(1, day(10), 9_000), day(19), 9_000);
    for line in house.lines(day(19), day(19), &[second, third, unknown, refund]) {
        statement.add(&line);
    }
    let told: Vec<(i128, i128, Status)> =
        statement.payments(house.terms()).map(|payment| (payment.payable, payment.surcharge, payment.status)).collect();
    // 1,000.00 less 1 % and 0.05 is 989.95; of that 0.02 % (0.198) and 3.00 for being paid today.
    let second = (100_000 - 1_005 - 320, 320, Status::Pay);
    assert_eq!(
        told,
        [(-9_000, 0, Status::Collect), second, (4_900, 0, Status::HeldNoAccount), (696, 0, Status::HeldUnknown)]
    );
}

#[test]
fn a_surcharge_is_that_of_the_date_that_is_settled_and_of_what_is_paid_on_it_alone() {
    let house = House::new();
    let early = Transaction { merchant: merchant(2), ..sale(1, day(21), 100_000) };
    let mut late = Transaction { id: TxnId(2), ..early.clone() };
    late.received.0 += 600 * 60_000_000;
    let mut statement = Statement::default();
    house.lines(day(21), day(21), &[early, late]).iter().for_each(|line| statement.add(line));
    let told: Vec<_> =
        statement.payments(house.terms()).map(|payment| (payment.value_date, payment.surcharge)).collect();
    assert_eq!(told, [(day(21), 320), (day(22), 0)], "what came after the cut-off is paid on the next day, as usual");
}

/// What a family of transactions is made of: who, how much, and on which days what happened to it.
#[derive(Clone, Debug)]
struct Story {
    who: (u8, u8, usize, bool),
    amount: u64,
    partial: Option<u64>,
    settled: i8,
    undone: Option<i8>,
    tip: Option<(u64, i8)>,
    void: Option<(i8, Option<i8>)>,
    refunds: Vec<(u64, i8, Option<i8>)>,
}

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let late = || proptest::option::weighted(0.3, 10_i8..16);
    let refunds = proptest::collection::vec((0_u64..10_000_000, 10_i8..16, late()), 0..3);
    let tip = proptest::option::of((1_u64..100_000_000, 10_i8..16));
    let void = proptest::option::weighted(0.3, (10_i8..16, late()));
    let amount = (1_u64..100_000_000, proptest::option::weighted(0.2, 1_u64..100_000_000));
    let who = (1_u8..4, 0_u8..3, 0_usize..Product::ALL.len(), any::<bool>());
    let story = (who, amount, 10_i8..16, late(), tip, void, refunds);
    let story = story.prop_map(|(who, (amount, partial), settled, undone, tip, void, refunds)| {
        let partial = partial.map(|part| part.min(amount));
        Story { who, amount, partial, settled, undone, tip, void, refunds }
    });
    proptest::collection::vec(story, 0..12)
}

fn played(stories: &[Story]) -> Vec<Vec<Transaction>> {
    let mut id = 0;
    let ends = |of: Transaction, end: Option<i8>| match end {
        Some(end) => undone(of, day(end)),
        None => of,
    };
    let mut family = |story: &Story| {
        let mut next = || {
            id += 1;
            id
        };
        let (whose, bank, product, foreign) = story.who;
        let product = Product::ALL[product];
        let issuer = IssuerName::parse(["bank-a", "bank-b", "bank-c"][usize::from(bank)]);
        let base = sale(next(), day(story.settled), story.amount);
        let partial = story.partial.and_then(Amount::new);
        let base = Transaction { merchant: merchant(whose), product, foreign, issuer, partial, ..base };
        let mut family = vec![ends(base.clone(), story.undone)];
        if let Some((amount, date)) = story.tip {
            family.push(follow(Kind::Adjustment, next(), &base, day(date), amount));
        }
        if let Some((date, end)) = story.void {
            family.push(ends(follow(Kind::SaleVoid, next(), &base, day(date), story.amount), end));
        }
        for (amount, date, end) in &story.refunds {
            family.push(ends(follow(Kind::Refund, next(), &base, day(*date), *amount), *end));
        }
        family
    };
    stories.iter().map(&mut family).collect()
}

/// What a story comes to in the end, reckoned in one go.
fn in_the_end(story: &Story) -> i128 {
    let whole = story.tip.map(|(amount, _)| amount).unwrap_or(story.partial.unwrap_or(story.amount));
    let voided = story.void.is_some_and(|(_, end)| end.is_none());
    let taken = if story.undone.is_some() || voided { 0 } else { whole };
    let refunded: u64 = story.refunds.iter().filter(|(_, _, end)| end.is_none()).map(|(amount, ..)| amount).sum();
    i128::from(taken) - i128::from(refunded)
}

proptest! {
    /// No unit appears or is lost: not between merchants and issuers, not between days, not between a day's sums
    /// and its lines, and the fees with them.
    #[test]
    fn merchants_issuers_and_lines_come_to_the_same_and_days_add_up(stories in stories()) {
        let house = House::new();
        let families = played(&stories);
        let all: Vec<Transaction> = families.iter().flatten().cloned().collect();
        let mut sum = (0, 0);
        for date in (10..16).map(day) {
            let lines = house.lines(date, date, &all);
            let mut statement = Statement::default();
            lines.iter().for_each(|line| statement.add(line));
            let of_lines = lines.iter().fold((0, 0), |sum, line| (sum.0 + line.amount, sum.1 + line.fee));
            let issuers = statement.issuers().fold((0, 0), |sum, (_, _, sums)| (sum.0 + sums.net(), sum.1 + sums.fee));
            let merchants = statement.payments(house.terms()).fold((0, 0), |sum, payment| {
                let whole = payment.payable + payment.surcharge + payment.sums.fee;
                (sum.0 + whole, sum.1 + payment.sums.fee)
            });
            prop_assert_eq!(of_lines, issuers);
            prop_assert_eq!(of_lines, merchants);
            sum = (sum.0 + of_lines.0, sum.1 + of_lines.1);
        }
        let period = house.lines(day(10), day(15), &all);
        let period = period.iter().fold((0, 0), |sum, line| (sum.0 + line.amount, sum.1 + line.fee));
        prop_assert_eq!(sum, period);
        prop_assert_eq!(sum.0, stories.iter().map(in_the_end).sum::<i128>());
    }
}
