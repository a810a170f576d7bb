//! A book is what its dump rebuilds, whatever happened to it.

use super::*;
use crate::ledger::Answer;
use crate::ledger::DataKeyName;
use crate::ledger::Decision;
use crate::ledger::Forwarded;
use crate::ledger::Identity;
use crate::ledger::Intended;
use crate::ledger::Intent;
use crate::ledger::OriginalKey;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::ledger::Reversal;
use crate::ledger::Scope;
use crate::ledger::journal::codec;
use crate::ledger::journal::codec::arbitrary::Make;
use crate::ledger::journal::codec::arbitrary::Source;
use crate::ledger::plan::Planned;
use crate::ledger::plan::Room;
use crate::ledger::record::Marks;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::Kind;
use crate::model::LadderEntry;
use crate::model::MerchantId;
use crate::model::MessageClass;
use crate::model::PanToken;
use crate::model::ResponseCode;
use crate::model::Revised;
use crate::model::Revision;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::risk::Counted;
use crate::risk::CounterKey;
use crate::risk::Reservation;
use proptest::prelude::*;
use smallvec::SmallVec;

const ROOM: Room = Room { capacity: 10_000, on_disk: true };
const OUTCOMES: [Outcome; 3] = [Outcome::Approved, Outcome::Declined, Outcome::TimedOut];
const KINDS: [Kind; 11] = [
    Kind::Sale,
    Kind::Sale,
    Kind::Authorization,
    Kind::AuthorizationVoid,
    Kind::Increment,
    Kind::SaleVoid,
    Kind::Completion,
    Kind::CompletionVoid,
    Kind::Refund,
    Kind::OfflineSale,
    Kind::Balance,
];

/// What a history did, and the book it led to.
#[derive(Default)]
struct History {
    book: Book,
    records: Vec<Record>,
    next: u64,
}

fn day(number: u8) -> BusinessDate {
    BusinessDate::new(2026, 11, 21 + i8::try_from(number % 2).unwrap()).unwrap()
}

fn issuer(number: u8) -> IssuerName {
    IssuerName::parse(["bank-a", "bank-b"][usize::from(number % 2)]).unwrap()
}

fn merchant() -> MerchantId {
    MerchantId::parse(b"898110054110001").unwrap()
}

fn terminal(number: u8) -> TerminalId {
    TerminalId::parse(format!("1000000{}", number % 3).as_bytes()).unwrap()
}

fn identity(terminal_number: u8, stan: u8, class: MessageClass) -> Identity {
    let stan = Stan::new(u32::from(stan % 40) + 1).unwrap();
    Identity { terminal: terminal(terminal_number), stan, scope: Scope::default(), class }
}

impl History {
    fn keep<T>(&mut self, planned: Planned<T>) {
        let Ok(commit) = planned else { return };
        for record in commit.records {
            self.book.apply(&record);
            self.records.push(record);
        }
    }

    fn note(&mut self, record: Record) {
        self.book.apply(&record);
        self.records.push(record);
    }

    fn number(&mut self, date: BusinessDate) -> (TxnId, Rrn) {
        self.next += 1;
        (TxnId(self.next), Rrn::numbered(date, self.next))
    }

    fn picked(&self, pick: u8) -> TxnId {
        let ids: Vec<TxnId> = self.book.entries.keys().copied().collect();
        ids.get(usize::from(pick) % ids.len().max(1)).copied().unwrap_or_default()
    }

    fn intent(&mut self, [a, b, c, d]: [u8; 4]) -> Intent {
        let date = day(a);
        let (id, rrn) = self.number(date);
        let kind = KINDS[usize::from(b) % KINDS.len()];
        let followed = self.book.entries.get(&self.picked(d)).map(|entry| (entry.intent.id, entry.intent.amount));
        let follows = crate::ledger::kinds::of(kind).follows.and(followed);
        let amount = follows.map_or(Amount::new(u64::from(c % 4)).unwrap(), |(_, amount)| amount);
        let key = CounterKey { counted: Counted::Terminal(terminal(a)), date };
        let reservation = Reservation { key, amount, amount_limit: None, count_limit: Some(8) };
        let token = PanToken([c % 3; 32]);
        let key = CounterKey { counted: Counted::Card(token), date };
        let card = Reservation { key, amount, amount_limit: None, count_limit: None };
        let outbound = Outbound { issuer: issuer(d), stan: Stan::FIRST, sent: Timestamp(i64::from(a)), icc: None };
        Intent {
            id,
            rrn,
            identity: identity(a, c, MessageClass::Financial),
            kind,
            date,
            amount,
            currency: Currency::CNY,
            test_mode: false,
            refusal: None,
            reservations: SmallVec::from_slice(&[reservation, card]),
            token,
            merchant: merchant(),
            received: Timestamp(i64::from(a) * 60_000_000),
            outbound: (c > 20).then_some(outbound),
            // An advice may name what nobody knows.
            follows: follows.map(|(id, _)| if kind == Kind::CompletionAdvice { TxnId(9_999) } else { id }),
            ..Intent::make(&mut Source::new(vec![a, b, c, d]))
        }
    }

    /// A step on the ladder, or a revision.
    fn enforce(&mut self, is_step: bool, [a, b, c, d]: [u8; 4]) {
        let (actor, reason, at) = ("zhao".into(), "why".into(), Timestamp(i64::from(d)));
        if is_step {
            let subject = if a % 3 == 0 { Subject::Merchant(merchant()) } else { Subject::Terminal(terminal(a)) };
            let step = Make::make(&mut Source::new(vec![b % 7, c, d]));
            return self.keep(self.book.plan_step(LadderEntry { subject, step, actor, reason, at }));
        }
        let what = Source::new(vec![b]).one_of(&Revised::ALL);
        let version = c.to_string().into();
        self.keep(self.book.plan_revision(Revision { what, version, digest: [0; 32], actor, reason, at }));
    }

    fn step(&mut self, [what, a, b, c, d]: [u8; 5]) {
        let id = self.picked(a);
        let outcome = OUTCOMES[usize::from(b) % OUTCOMES.len()];
        match what % 16 {
            0..=3 => {
                let intent = self.intent([a, b, c, d]);
                let planned: Planned<Intended> = self.book.plan_intent((intent, None), ROOM, false);
                self.keep(planned);
            }
            4 | 5 => {
                let answer = Answer::of(ResponseCode::Approved, Timestamp(i64::from(c)));
                let decision = Decision { outcome, answer, advise: d > 128 };
                self.keep(self.book.plan_decision(id, decision));
            }
            6 => {
                let date = day(a);
                let own = identity(a, b, MessageClass::Reversal);
                let other = identity(a, c, MessageClass::Financial);
                let class = (d % 2 == 0).then_some(MessageClass::Financial);
                let amount = self.book.identities.request(&other).and_then(|id| self.book.entries.get(&id));
                let amount = amount.map_or(Amount::ZERO, |entry| entry.intent.amount);
                let original = OriginalKey { terminal: own.terminal, stan: other.stan, scope: other.scope, class };
                let reversal = Reversal { identity: own, original, amount, received: Timestamp(0), date };
                let number = self.number(date);
                self.keep(self.book.plan_reversal((reversal, None), number, ROOM));
            }
            7 => {
                let Some(rrn) = self.book.entries.get(&id).map(|entry| entry.intent.rrn) else { return };
                self.keep(self.book.plan_late(&issuer(c), rrn, outcome));
            }
            8 => {
                let what = if b % 2 == 0 { Owed::Advice } else { Owed::Reversal };
                self.keep(self.book.plan_sending(id, what, Stan::new(u32::from(c) + 1).unwrap()));
            }
            9 => {
                let what = if b % 2 == 0 { Owed::Advice } else { Owed::Reversal };
                let refused = Forwarded::Refused(ResponseCode::FormatError, day(b));
                let fared = if c % 3 == 0 { refused } else { Forwarded::Acknowledged };
                self.keep(self.book.plan_acknowledgement(id, what, fared));
            }
            10 => {
                let outbound = Outbound { issuer: issuer(c), stan: Stan::FIRST, sent: Timestamp(1), icc: None };
                self.keep(self.book.plan_reroute(id, outbound));
            }
            11 => self.note(match b % 3 {
                0 => Record::Terminal(terminal(c), SessionFacts { version: u64::from(d), ..SessionFacts::default() }),
                1 => Record::DataKey(DataKeyName::Seal(day(c)), KeyBlock::new("block")),
                _ => Record::Stan(issuer(c), Stan::new(u32::from(d) + 1).unwrap()),
            }),
            12 | 13 => self.enforce(what % 2 == 0, [a, b, c, d]),
            _ => self.note(Record::Closed(day(b))),
        }
    }
}

fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Book {
    let mut book = Book::default();
    records.into_iter().for_each(|record| book.apply(record));
    book
}

fn written(records: impl Iterator<Item = Record>) -> Vec<Vec<u8>> {
    let bytes = |record| {
        let mut out = Vec::new();
        codec::encode(&record, &mut out);
        out
    };
    records.map(bytes).collect()
}

/// Everything in the book that answers may depend on, in an order of its own.
fn told(book: &Book) -> Vec<String> {
    let mut all: Vec<String> = book.entries.values().map(|entry| format!("{entry:?}")).collect();
    all.extend(book.rrns.iter().map(|row| format!("{row:?}")));
    all.extend(book.followers.iter().map(|row| format!("{row:?}")));
    all.extend(book.identities.told());
    all.extend(book.counters.all().map(|row| format!("{row:?}")));
    all.extend(book.owed.iter().flat_map(|(issuer, queue)| queue.all().map(move |id| format!("{issuer} {id:?}"))));
    all.extend(book.memory.rows().iter().map(|row| format!("{row:?}")));
    all.push(format!("{:?} {:?}", book.ladders, book.revisions));
    all.extend([format!("{:?} {:?} {:?}", book.terminals, book.data_keys, book.stans), format!("{:?}", book.marks)]);
    all.sort_unstable();
    all
}

fn steps() -> impl Strategy<Value = Vec<[u8; 5]>> {
    proptest::collection::vec(any::<[u8; 5]>(), 1..200)
}

proptest! {
    #[test]
    fn a_book_is_what_its_dump_rebuilds(steps in steps()) {
        let mut history = History::default();
        steps.into_iter().for_each(|step| history.step(step));
        let dump: Vec<Record> = history.book.dump().collect();
        let again = fold(&dump);
        prop_assert_eq!(told(&again), told(&history.book));
        prop_assert_eq!(written(again.dump()), written(history.book.dump()));
    }

    /// A snapshot anywhere in a history changes nothing of what comes after it.
    #[test]
    fn what_happens_after_a_dump_happens_to_the_rebuilt_book_too(steps in steps(), cut in any::<prop::sample::Index>()) {
        let mut history = History::default();
        steps.into_iter().for_each(|step| history.step(step));
        let (before, after) = history.records.split_at(cut.index(history.records.len() + 1));
        let mut again = fold(&fold(before).dump().collect::<Vec<_>>());
        after.iter().for_each(|record| again.apply(record));
        prop_assert_eq!(told(&again), told(&history.book));
    }

    /// The counters hold what is live and nothing else, also after days were closed.
    #[test]
    fn nothing_is_left_of_a_book_whose_days_are_closed(steps in steps()) {
        let mut history = History::default();
        steps.into_iter().for_each(|step| history.step(step));
        for number in [0, 1, 0, 1] {
            history.note(Record::Closed(day(number)));
        }
        let book = &history.book;
        let waits = |entry: &Entry| book.followers.contains_key(&entry.intent.id);
        prop_assert!(book.entries.values().all(|entry| !entry.state.is_finished() || waits(entry)));
        if book.entries.is_empty() {
            prop_assert!(book.followers.is_empty() && book.rrns.is_empty());
            prop_assert_eq!(book.identities.told(), Vec::<String>::new());
            prop_assert_eq!(book.counters.all().count(), 0);
        }
    }
}

#[test]
fn what_left_with_a_closed_day_is_handed_over_in_order() {
    let mut history = History::default();
    for stan in 0..3 {
        let intent = history.intent([0, 0, stan, 0]);
        history.note(Record::Declined(Arc::new(intent), Answer::of(ResponseCode::FundsInsufficient, Timestamp(0))));
    }
    history.note(Record::Closed(day(1)));
    assert!(history.book.take_departed().is_empty(), "nothing of that day was there");
    history.note(Record::Closed(day(0)));
    let departed = history.book.take_departed();
    let ids: Vec<u64> = departed[0].transactions.iter().map(|standing| standing.intent.id.0).collect();
    assert_eq!((ids, departed[0].closing, departed[0].date), (vec![1, 2, 3], 2, day(0)));
    assert_eq!(history.book.marks, Marks { last: TxnId(3), closings: 2 });
}
