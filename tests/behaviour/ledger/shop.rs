//! Requests as a small shop's terminals send them, and a clock that a test moves.

use bytes::Bytes;
use smallvec::SmallVec;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tollgate::ledger::Answer;
use tollgate::ledger::Decision;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OriginalKey;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Reversal;
use tollgate::ledger::Scope;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Clock;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::Pan;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::ResponseCode;
use tollgate::model::SealedPan;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Reservation;
use tollgate::risk::Scene;

/// What each counter of the shop may reach.
pub(crate) const AMOUNT_LIMIT: u64 = 1_000;
/// How many transactions each counter of the shop may reach.
pub(crate) const COUNT_LIMIT: u32 = 4;
/// 2026-11-21T12:00:00Z, in microseconds.
const NOON: i64 = 1_795_262_400_000_000;

pub(crate) fn issuer() -> IssuerName {
    IssuerName::parse("bank-a").unwrap()
}

pub(crate) fn terminal(number: u8) -> TerminalId {
    TerminalId::parse(format!("1000000{number}").as_bytes()).unwrap()
}

pub(crate) fn day(day: i8) -> BusinessDate {
    BusinessDate::new(2026, 11, day).unwrap()
}

fn scope() -> Scope {
    Scope(SmallVec::from_slice(b"000001"))
}

fn identity(number: u8, stan: u32, class: MessageClass) -> Identity {
    Identity { terminal: terminal(number), stan: Stan::new(stan).unwrap(), scope: scope(), class }
}

/// What the shop's terminal limits take for `amount`.
pub(crate) fn reservation(number: u8, date: BusinessDate, amount: u64) -> Reservation {
    Reservation {
        key: CounterKey { counted: Counted::Terminal(terminal(number)), date },
        amount: Amount::new(amount).unwrap(),
        amount_limit: Amount::new(AMOUNT_LIMIT),
        count_limit: Some(COUNT_LIMIT),
    }
}

/// A sale on 21 November that takes nothing from any counter.
pub(crate) fn sale<L: Ledger>(ledger: &L, number: u8, stan: u32, amount: u64) -> Intent {
    let date = day(21);
    let (id, rrn) = ledger.number(date);
    let pan = Pan::parse(b"6225000000000253").unwrap();
    let mut content = [0; 32];
    content[..8].copy_from_slice(&amount.to_be_bytes());
    let received = Timestamp(NOON + i64::from(stan) * 1_000_000);
    Intent {
        id,
        rrn,
        identity: identity(number, stan, MessageClass::Financial),
        content,
        kind: Kind::Sale,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        test_mode: false,
        date,
        received,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount: Amount::new(amount).unwrap(),
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: None,
        condition_code: None,
        expiry: None,
        pan: SealedPan::new(Bytes::from_static(b"sealed")),
        token: PanToken([7; 32]),
        masked: pan.masked(),
        refusal: None,
        reservations: SmallVec::new(),
        outbound: Some(Outbound {
            issuer: issuer(),
            stan: Stan::new(stan).unwrap(),
            sent: Timestamp(received.0 + 5_000),
            icc: None,
        }),
        follows: None,
        batch: None,
        card: CardClass::default(),
        operator: None,
        scene: Scene::default(),
        risk: None,
        echo: false,
    }
}

/// A sale that takes its amount from its terminal's counter of its date.
pub(crate) fn limited_sale<L: Ledger>(ledger: &L, number: u8, stan: u32, amount: u64) -> Intent {
    let mut intent = sale(ledger, number, stan, amount);
    intent.reservations.push(reservation(number, intent.date, amount));
    intent
}

/// `intent` as a follow-up of `original`.
pub(crate) fn following(kind: Kind, original: &Intent, intent: Intent) -> Intent {
    Intent { kind, follows: Some(original.id), ..intent }
}

/// A balance inquiry.
pub(crate) fn balance<L: Ledger>(ledger: &L, number: u8, stan: u32) -> Intent {
    Intent { kind: Kind::Balance, ..sale(ledger, number, stan, 0) }
}

/// A reversal of `original_stan` that has a number of its own; it tells no class of its original.
pub(crate) fn reversal(number: u8, stan: u32, original_stan: u32, amount: u64) -> Reversal {
    let identity = identity(number, stan, MessageClass::Reversal);
    let original = OriginalKey {
        terminal: terminal(number),
        stan: Stan::new(original_stan).unwrap(),
        scope: scope(),
        class: None,
    };
    let received = Timestamp(NOON + i64::from(stan) * 1_000_000);
    Reversal { identity, original, amount: Amount::new(amount).unwrap(), received, date: day(21) }
}

/// The decision that an issuer's answer, or its silence, leads to.
pub(crate) fn decision(outcome: Outcome, received: Timestamp) -> Decision {
    let code = match outcome {
        Outcome::Approved => ResponseCode::Approved,
        Outcome::Declined => ResponseCode::FundsInsufficient,
        Outcome::TimedOut => ResponseCode::Timeout,
    };
    let approval = (outcome == Outcome::Approved).then(|| ApprovalCode::parse(b"A1B2C3").unwrap());
    Decision::of(outcome, Answer { approval, ..Answer::of(code, received) })
}

/// Time that stands still until a test moves it.
#[derive(Clone)]
pub(crate) struct StoppedClock(std::sync::Arc<watch::Sender<Duration>>);

impl StoppedClock {
    pub(crate) fn at(now: Duration) -> Self {
        Self(std::sync::Arc::new(watch::Sender::new(now)))
    }

    pub(crate) fn move_to(&self, now: Duration) {
        self.0.send_replace(now);
    }
}

impl Clock for StoppedClock {
    fn wall(&self) -> Timestamp {
        Timestamp(NOON)
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn deadline(&self, after: Duration) -> impl Future<Output = ()> + Send + 'static {
        let clock = self.clone();
        let until = self.monotonic() + after;
        async move {
            let mut time = clock.0.subscribe();
            time.wait_for(|now| *now >= until).await.unwrap();
        }
    }
}
