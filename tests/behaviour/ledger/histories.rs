//! Random histories. After each step the records are compared with what the invariants allow:
//! I3 one decision; I4 exactly one reversal of what must be undone; I8 first in, first out per
//! terminal, one in flight; I10 counters are the sum of what is live; I11 closed batches stay as they are.

use super::shop::*;
use super::tills::Tills;
use futures_util::poll;
use proptest::prelude::*;
use std::collections::HashMap;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tollgate::ledger::Answer;
use tollgate::ledger::Effect;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::ledger::Reversed;
use tollgate::ledger::TxnId;
use tollgate::model::Kind;
use tollgate::model::PanToken;
use tollgate::model::ResponseCode;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Reservation;

/// One thing that happens. Numbers are few, so that messages meet their copies and reversals.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Intend { terminal: u8, stan: u32, amount: u64, day: i8, inquiry: bool },
    Decide { pick: usize, outcome: Outcome },
    Reverse { terminal: u8, stan: u32, original: u32, amount: u64 },
    Late { pick: usize, outcome: Outcome },
    Take,
    Acknowledge { pick: usize, how: u8 },
    Wait,
    Settle { terminal: u8, wrong: bool },
    Upload { terminal: u8, pick: usize },
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = || prop_oneof![Just(Outcome::Approved), Just(Outcome::Declined), Just(Outcome::TimedOut)];
    let amount = || prop_oneof![4 => Just(200u64), 1 => Just(500u64)];
    let step = prop_oneof![
        6 => (1..3u8, 1..12u32, amount(), 21..23i8, proptest::bool::weighted(0.1)).prop_map(
            |(terminal, stan, amount, day, inquiry)| Step::Intend { terminal, stan, amount, day, inquiry }),
        5 => (any::<usize>(), outcome()).prop_map(|(pick, outcome)| Step::Decide { pick, outcome }),
        3 => (1..3u8, 20..24u32, 1..12u32, amount()).prop_map(
            |(terminal, stan, original, amount)| Step::Reverse { terminal, stan, original, amount }),
        1 => (any::<usize>(), outcome()).prop_map(|(pick, outcome)| Step::Late { pick, outcome }),
        3 => Just(Step::Take),
        3 => (any::<usize>(), 0..5u8).prop_map(|(pick, how)| Step::Acknowledge { pick, how }),
        1 => Just(Step::Wait),
        1 => (1..3u8, proptest::bool::weighted(0.3)).prop_map(|(terminal, wrong)| Step::Settle { terminal, wrong }),
        1 => (1..3u8, any::<usize>()).prop_map(|(terminal, pick)| Step::Upload { terminal, pick }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What a watcher remembers of a history.
struct Watcher {
    clock: StoppedClock,
    decisions: HashMap<TxnId, (Outcome, Answer)>,
    late: HashMap<TxnId, Outcome>,
    /// What was ever owed, per terminal, in order.
    owed: HashMap<TerminalId, Vec<TxnId>>,
    in_flight: Vec<TxnId>,
    attempts: HashMap<TxnId, u32>,
    tills: Tills,
}

pub(crate) async fn keep_the_invariants<L: Ledger>(ledger: L, steps: Vec<Step>) {
    let mut watcher = Watcher {
        clock: StoppedClock::at(Duration::from_secs(1)),
        decisions: HashMap::new(),
        late: HashMap::new(),
        owed: HashMap::new(),
        in_flight: Vec::new(),
        attempts: HashMap::new(),
        tills: Tills::default(),
    };
    for step in steps {
        watcher.take_step(&ledger, step).await;
        watcher.look(&ledger.records(), &ledger);
    }
}

impl Watcher {
    async fn take_step<L: Ledger>(&mut self, ledger: &L, step: Step) {
        match step {
            Step::Intend { terminal, stan, amount, day: date, inquiry } => {
                let mut intent = sale(ledger, terminal, stan, amount);
                intent.kind = if inquiry { Kind::Balance } else { Kind::Sale };
                intent.date = day(date);
                intent.batch = Some(self.tills.batch(terminal));
                // Two cards, at all terminals.
                intent.token = PanToken([u8::try_from(stan % 2).unwrap(); 32]);
                for counted in counted(&intent) {
                    let own = reservation(terminal, intent.date, amount);
                    let key = CounterKey { counted, ..own.key };
                    intent.reservations.push(Reservation { key, ..own });
                }
                intend(ledger, intent).await;
            }
            Step::Decide { pick, outcome } => {
                let Some(record) = picked(ledger, pick) else { return };
                let standing = ledger.decide(record.intent.id, decision(outcome, record.intent.received)).await;
                let (standing, before) = (standing.unwrap(), record.decided);
                assert_eq!(standing.outcome, before.map_or(outcome, |before| before.outcome), "I3");
            }
            Step::Reverse { terminal, stan, original, amount } => {
                reverse(ledger, terminal, stan, original, amount).await;
            }
            Step::Late { pick, outcome } => {
                let Some(record) = picked(ledger, pick) else { return };
                let Some(outbound) = &record.intent.outbound else { return };
                ledger.note_late(&outbound.issuer, record.intent.rrn, outcome).await.unwrap();
            }
            Step::Take => self.take(ledger).await,
            Step::Acknowledge { pick, how } => self.acknowledge(ledger, pick, how).await,
            Step::Settle { terminal, wrong } => self.tills.settle(ledger, terminal, wrong).await,
            Step::Upload { terminal, pick } => self.tills.upload(ledger, terminal, pick).await,
            Step::Wait => self.clock.move_to(tollgate::model::Clock::monotonic(&self.clock) + Duration::from_secs(1)),
        }
    }

    /// I8: whatever is handed out is the oldest of its terminal, and the only one in flight.
    async fn take<L: Ledger>(&mut self, ledger: &L) {
        let bank = issuer();
        let Poll::Ready(due) = poll!(pin!(ledger.next_due(&bank, &self.clock))) else { return };
        let id = due.original.id;
        let terminal = due.original.identity.terminal;
        let oldest = self.owed[&terminal].iter().find(|id| is_reversing(ledger, **id)).copied();
        assert_eq!(oldest, Some(id), "I8: order");
        assert!(!self.in_flight.contains(&id), "I8: one in flight");
        assert_eq!(due.attempts, self.attempts.get(&id).copied().unwrap_or(0));
        self.in_flight.push(id);
    }

    async fn acknowledge<L: Ledger>(&mut self, ledger: &L, pick: usize, how: u8) {
        if self.in_flight.is_empty() {
            return;
        }
        let id = self.in_flight.remove(pick % self.in_flight.len());
        let now = tollgate::model::Clock::monotonic(&self.clock);
        let (forwarded, effect) = match how {
            0 => (Forwarded::Refused(ResponseCode::FormatError, day(21)), Effect::DeadLetter),
            1 => (Forwarded::Retry(now), Effect::Reversing),
            2 => (Forwarded::Retry(now + Duration::from_secs(2)), Effect::Reversing),
            _ => (Forwarded::Acknowledged, Effect::Reversed),
        };
        // What cannot even be made is refused without having gone.
        if effect != Effect::DeadLetter {
            *self.attempts.entry(id).or_default() += 1;
            assert!(ledger.sending(id, Owed::Reversal, Stan::FIRST).await.unwrap());
        }
        ledger.acknowledge(id, Owed::Reversal, forwarded).await.unwrap();
        assert_eq!(ledger.find(id).unwrap().effect, effect);
    }

    fn look<L: Ledger>(&mut self, records: &[Recorded], ledger: &L) {
        for record in records {
            self.look_at(record);
        }
        for (key, (amount, count)) in live(records) {
            assert!(amount <= AMOUNT_LIMIT && count <= COUNT_LIMIT, "I10: {key:?} {amount} {count}");
        }
        let reversing = records.iter().filter(|record| record.effect == Effect::Reversing).count();
        assert_eq!(ledger.owed().iter().map(|(_, count)| count).sum::<usize>(), reversing, "I4: all are queued");
        let open = records.iter().filter(|record| record.decided.is_none()).map(|record| record.intent.id);
        assert_eq!(ledger.open_intents(), open.collect::<Vec<_>>());
        self.tills.look(ledger);
    }

    fn look_at(&mut self, record: &Recorded) {
        let id = record.intent.id;
        match (&record.decided, self.decisions.get(&id)) {
            (None, before) => assert!(before.is_none(), "I3: a decision went away"),
            (Some(now), None) => {
                self.decisions.insert(id, (now.outcome, now.answer.clone()));
            }
            (Some(now), Some(before)) => assert_eq!((now.outcome, &now.answer), (before.0, &before.1), "I3"),
        }
        let outcome = record.decided.as_ref().map(|decided| decided.outcome);
        let undone = record.effect != Effect::Live;
        let queue = self.owed.entry(record.intent.identity.terminal).or_default();
        if undone && !queue.contains(&id) {
            assert_eq!(record.effect, Effect::Reversing, "I4: it begins by being owed");
            queue.push(id);
        }
        assert!(undone || !queue.contains(&id), "I4: what was owed does not come alive");
        let unknown = outcome == Some(Outcome::TimedOut) && record.intent.kind == Kind::Sale;
        assert!(!unknown || undone, "I4: a timeout without its reversal");
        assert!(!undone || matches!(outcome, Some(Outcome::TimedOut | Outcome::Approved)));
        assert!(!undone || record.intent.kind == Kind::Sale, "an inquiry was reversed");
        if let Some(late) = record.late {
            self.late.insert(id, late);
        }
        assert_eq!(record.late, self.late.get(&id).copied(), "a late answer went away");
    }
}

/// I10, seen from outside: an intent is declined 61 or 65 exactly when the live ones leave no room.
async fn intend<L: Ledger>(ledger: &L, intent: Intent) {
    let before = ledger.records();
    let known = before.iter().find(|record| record.intent.identity == intent.identity);
    let sums = live(&before);
    let sum = |counted| sums.get(&CounterKey { counted, date: intent.date }).copied().unwrap_or_default();
    let sums = counted(&intent).map(sum);
    let limited = intent.kind == Kind::Sale;
    let over_amount = limited && sums.iter().any(|(amount, _)| amount + intent.amount.minor() > AMOUNT_LIMIT);
    let over_count = limited && sums.iter().any(|(_, count)| count + 1 > COUNT_LIMIT);
    let told = ledger.intend(intent.clone()).await.unwrap();
    match (known, told) {
        (Some(known), Intended::Mismatch) => assert_ne!(known.intent.content, intent.content),
        (Some(known), Intended::Running(id)) => {
            assert_eq!((known.intent.id, known.intent.content), (id, intent.content));
            assert!(known.decided.is_none());
        }
        (Some(known), Intended::Duplicate(decided)) => {
            let recorded = known.decided.as_ref().unwrap();
            assert_eq!(
                (decided.outcome, decided.answer, decided.rrn),
                (recorded.outcome, recorded.answer.clone(), known.intent.rrn)
            );
        }
        (None, Intended::Fresh) => assert!(!over_amount && !over_count, "I10: above the limit"),
        (None, Intended::Declined(decided, _)) => match decided.answer.code {
            ResponseCode::AmountLimit => assert!(over_amount, "I10: declined with room left"),
            ResponseCode::CountLimit => assert!(over_count && !over_amount, "I10: declined with room left"),
            code => assert_eq!(code, ResponseCode::RelatedInvalid),
        },
        (known, told) => panic!("known {known:?}, told {told:?}"),
    }
}

async fn reverse<L: Ledger>(ledger: &L, terminal: u8, stan: u32, original: u32, amount: u64) {
    let asked = reversal(terminal, stan, original, amount);
    let meant = |record: &&Recorded| {
        record.intent.identity.terminal == asked.identity.terminal && record.intent.identity.stan == asked.original.stan
    };
    let before = ledger.records();
    let target = before.iter().find(meant);
    match ledger.reverse(asked.clone()).await.unwrap() {
        Reversed::Unknown(_) => assert!(target.is_none()),
        Reversed::Moot(..) | Reversed::NotYet => panic!("nothing follows a sale here"),
        Reversed::CardDiffers => panic!("it brings no card"),
        Reversed::AmountDiffers => assert_ne!(target.unwrap().intent.amount, asked.amount),
        Reversed::Accepted(_) | Reversed::Repeat(_) => {
            let Some(record) = target.and_then(|target| ledger.find(target.intent.id)) else { return };
            let outcome = record.decided.map(|decided| decided.outcome);
            assert!(outcome.is_some(), "a reversed sale still runs");
            let stands = record.effect == Effect::Live && record.intent.kind == Kind::Sale;
            assert!(!stands || outcome == Some(Outcome::Declined), "an accepted reversal undoes");
        }
    }
}

fn is_reversing<L: Ledger>(ledger: &L, id: TxnId) -> bool {
    ledger.find(id).is_some_and(|record| record.effect == Effect::Reversing)
}

fn picked<L: Ledger>(ledger: &L, pick: usize) -> Option<Recorded> {
    let mut records = ledger.records();
    (!records.is_empty()).then(|| records.swap_remove(pick % records.len()))
}

/// What a sale is counted for.
fn counted(intent: &Intent) -> [Counted; 2] {
    [Counted::Terminal(intent.identity.terminal), Counted::Card(intent.token)]
}

/// Sum and count of live reservations per counter.
fn live(records: &[Recorded]) -> HashMap<CounterKey, (u64, u32)> {
    let mut sums = HashMap::new();
    let is_live = |record: &&Recorded| {
        let approved = record.decided.as_ref().is_none_or(|decided| decided.outcome == Outcome::Approved);
        approved && record.effect == Effect::Live
    };
    for record in records.iter().filter(is_live).filter(|record| record.intent.kind == Kind::Sale) {
        for counted in counted(&record.intent) {
            let sum: &mut (u64, u32) = sums.entry(CounterKey { counted, date: record.intent.date }).or_default();
            sum.0 += record.intent.amount.minor();
            sum.1 += 1;
        }
    }
    sums
}

/// The property, for the ledger that `$make` makes of a capacity.
macro_rules! keeps_its_invariants {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            proptest::proptest! {
                #[test]
                fn any_history_keeps_the_invariants(steps in histories::steps()) {
                    run(histories::keep_the_invariants($make(1_000), steps));
                }
            }
        }
    };
}
pub(super) use keeps_its_invariants;
