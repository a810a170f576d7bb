//! The invariants, each a function from what the outside saw and what the ledger says to what is wrong.

use super::history::Seen;
use super::records::Records;
use crate::ledger::BatchState;
use crate::ledger::Effect;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::Outcome;
use crate::ledger::Recorded;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MessageClass;
use crate::model::OnUnknown;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::sim::issuer::books::Money;
use crate::sim::issuer::books::Posting;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Decisions as they were seen before, by their numbers.
pub(super) type Decisions = BTreeMap<Rrn, (Outcome, ResponseCode)>;

/// What must hold after every start and at the end.
pub(super) fn always(seen: &Seen, records: &Records, decisions: &mut Decisions, breaches: &mut Vec<String>) {
    answers_are_kept(seen, records, breaches);
    messages_are_kept(seen, records, breaches);
    decisions_stand(records, decisions, breaches);
    reversals_have_reasons(seen, records, breaches);
    nothing_goes_twice(seen, records, breaches);
}

/// I1: what a terminal was told is on record, with the same code.
fn answers_are_kept(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    let mut numbers = BTreeMap::new();
    for answer in &seen.answered {
        let Some(rrn) = answer.rrn else { continue };
        // A repeat may be marked, or written anew under other keys, and is the same request.
        let reversal = answer.class == Some(MessageClass::Reversal);
        let of = (answer.terminal, answer.class, answer.stan.filter(|_| !reversal));
        if *numbers.entry(rrn).or_insert(of) != of {
            breaches.push(format!("the number {rrn} was told about two requests"));
        }
        if answer.class == Some(MessageClass::Reversal) {
            continue;
        }
        let kept = records.get(rrn).and_then(|record| record.decided.as_ref());
        match kept {
            None => breaches.push(format!("I1: {rrn} was answered {} and no decision is kept", answer.code)),
            Some(decided) if !says(decided.answer.code, &answer.code) => {
                let kept = decided.answer.code;
                breaches.push(format!("I1: {rrn} was answered {} and is kept as {kept}", answer.code));
            }
            Some(_) => {}
        }
    }
}

/// Whether a dialect's code can stand for a canonical one: by approval, where the codes differ.
fn says(code: ResponseCode, wire: &str) -> bool {
    code.code() == wire || ResponseCode::parse(wire).is_none_or(|wire| wire.is_approval() == code.is_approval())
}

/// I2: what an issuer was sent is on record, with the same numbers.
fn messages_are_kept(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    for sent in &seen.sent {
        let kept = records.get(sent.rrn).and_then(|record| record.intent.outbound.as_ref());
        let holds = kept.is_some_and(|out| out.issuer == sent.issuer && (sent.is_reversal() || out.stan == sent.stan));
        if !holds {
            let what = sent.what();
            breaches.push(format!("I2: {what} {} left for {} and is not kept so", sent.rrn, sent.issuer));
        }
    }
}

/// I3, I7: a decision seen once is seen for ever.
fn decisions_stand(records: &Records, decisions: &mut Decisions, breaches: &mut Vec<String>) {
    for (rrn, record) in records.iter() {
        let Some(decided) = &record.decided else { continue };
        let now = (decided.outcome, decided.answer.code);
        if (now.0 == Outcome::Approved) != now.1.is_approval() {
            breaches.push(format!("I3: {rrn} is {:?} and says {}", now.0, now.1));
        }
        let before = *decisions.entry(rrn).or_insert(now);
        if before != now {
            breaches.push(format!("I3: {rrn} was {before:?} and is {now:?}"));
        }
    }
}

/// I4, I5: what timed out is being reversed, what was approved only if its terminal wished it.
fn reversals_have_reasons(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    for (rrn, record) in records.iter() {
        let Some(decided) = &record.decided else { continue };
        let undoable =
            kinds::of(record.intent.kind).on_unknown == OnUnknown::Reverse && record.intent.outbound.is_some();
        let undone = records.was_undone(record);
        if decided.outcome == Outcome::TimedOut && undoable && !undone {
            breaches.push(format!("I4: {rrn} timed out and nothing undoes it"));
        }
        let sent = seen.sent.iter().any(|sent| sent.is_reversal() && sent.rrn == rrn);
        if decided.outcome == Outcome::Approved && (undone || sent) && !wished(seen, record) {
            breaches.push(format!("I5: {rrn} was approved and is undone, and its terminal never asked"));
        }
        if decided.outcome == Outcome::Declined && sent {
            breaches.push(format!("I5: {rrn} was declined and is undone"));
        }
    }
}

fn wished(seen: &Seen, record: &Recorded) -> bool {
    let identity = &record.intent.identity;
    seen.wishes.iter().any(|wish| wish.terminal == identity.terminal && wish.stan == identity.stan)
}

/// I6: a request leaves once, whatever copies of it come; I4: and its reversal under one identity.
fn nothing_goes_twice(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    let mut gone = BTreeSet::new();
    for sent in seen.sent.iter().filter(|sent| sent.owed.is_none()) {
        let Some(record) = records.get(sent.rrn) else { continue };
        let identity = &record.intent.identity;
        let again = !gone.insert((identity.terminal, identity.stan, identity.scope.0.clone(), class(identity.class)));
        if again && !seen.not_taken.contains(&(sent.rrn, false)) {
            breaches.push(format!("I6: {} left for an issuer again", sent.rrn));
        }
    }
}

fn class(class: MessageClass) -> u8 {
    u8::from(class == MessageClass::Authorization)
}

/// What rules remember and who was warned is known from the disk too.
pub(super) fn is_remembered(running: &EmbeddedLedger, on_disk: &EmbeddedLedger) -> Option<String> {
    let told = |ledger: &EmbeddedLedger| {
        let ladders = ledger.ladders();
        (ledger.remembered(), ladders)
    };
    let ((memory, ladders), (kept, kept_ladders)) = (told(running), told(on_disk));
    if memory != kept {
        return Some(format!("what rules remember is lost: {} rows of {}", kept.len(), memory.len()));
    }
    (ladders != kept_ladders)
        .then(|| format!("the ladder is lost: {} subjects of {}", kept_ladders.len(), ladders.len()))
}

/// What must hold when nothing is under way any more.
pub(super) fn at_rest(
    seen: &Seen,
    records: &Records,
    books: &[(IssuerName, Vec<Posting>)],
    breaches: &mut Vec<String>,
) {
    for (rrn, record) in records.iter() {
        if record.decided.is_none() {
            breaches.push(format!("I13: {rrn} was never decided"));
        }
        if matches!(record.effect, Effect::Reversing | Effect::Advising) {
            breaches.push(format!("I13: what is owed for {rrn} never came to an end"));
        }
    }
    repeats_are_marked(seen, breaches);
    issuers_agree(records, books, breaches);
    terminals_agree(seen, records, breaches);
    follow_ups_fit(seen, records, breaches);
}

/// A reversal that went before is marked as a repeat.
fn repeats_are_marked(seen: &Seen, breaches: &mut Vec<String>) {
    let mut gone: BTreeSet<(Rrn, bool)> = BTreeSet::new();
    for sent in seen.sent.iter().filter(|sent| sent.owed.is_some()) {
        // The mark may come too early: it is durable before the message leaves, and a crash may be between.
        let what = (sent.rrn, sent.is_reversal());
        if !gone.insert(what) && !sent.repeat && !seen.not_taken.contains(&what) {
            breaches.push(format!("{}: what is owed for it went before and is not marked as a repeat", sent.rrn));
        }
    }
}

/// I9, one half: what stands in an issuer's books stands in the ledger, to the cent, and the other way round.
fn issuers_agree(records: &Records, books: &[(IssuerName, Vec<Posting>)], breaches: &mut Vec<String>) {
    let mut booked = BTreeSet::new();
    for (issuer, postings) in books {
        for posting in postings.iter().filter(|posting| stands_booked(postings, posting)) {
            let Some(rrn) = posting.entry.rrn else { continue };
            booked.insert(rrn);
            let stands = records.get(rrn).is_some_and(|record| {
                let asked = record.intent.outbound.as_ref().is_some_and(|out| out.issuer == *issuer);
                let same = records.lives(record) && records.worth(record) == posting.amount;
                asked && (same || records.is_disputed(record))
            });
            if !stands {
                let what = posting.entry.kind.name();
                breaches.push(format!("I9: {rrn} ({what}) stands in the books of {issuer} and not in the ledger"));
            }
        }
    }
    for (rrn, record) in records.living().filter(|(_, record)| !records.is_disputed(record)) {
        if !booked.contains(&rrn) {
            breaches
                .push(format!("I9: {rrn} stands in the ledger and in no issuer's books ({:?})", record.intent.kind));
        }
    }
}

/// Whether the money of a posting moved, and stayed.
fn stands_booked(postings: &[Posting], posting: &Posting) -> bool {
    let first = posting.follows.and_then(|first| postings.get(first));
    let added = posting.entry.kind == Kind::Increment;
    let stands = matches!(posting.money, Money::Booked | Money::Held | Money::Given);
    stands && (!added || first.is_some_and(|first| first.money == Money::Held))
}

/// I9, the other half: what a terminal gave goods for stands in the ledger, and the other way round.
fn terminals_agree(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    let mut sold = BTreeSet::new();
    for (at, deal) in seen.deals.iter().enumerate() {
        if kinds::of(deal.kind).money == kinds::Money::Untouched || !seen.stands(at) {
            continue;
        }
        let Some(rrn) = deal.rrn else {
            breaches.push(format!("I9: {} sold without a number", deal.terminal));
            continue;
        };
        sold.insert(rrn);
        let record = records.get(rrn);
        // A tip on what an issuer would not undo is kept for a person, and changes no amount.
        let disputed = record.is_some_and(|record| records.is_disputed(record));
        let worth = seen.worth(at, |tip| !disputed || !tip.rrn.is_some_and(|rrn| records.follows_nothing(rrn)));
        if !record.is_some_and(|record| records.lives(record) && records.worth(record) == worth) {
            let (terminal, what, worth) = (deal.terminal, deal.kind.name(), worth.minor());
            let kept = records.get(rrn).map(|record| (record.effect, records.worth(record).minor()));
            breaches.push(format!("I9: {terminal} has {rrn} ({what}, {worth}), and the ledger has {kept:?}"));
        }
    }
    for (rrn, record) in records.living() {
        if !sold.contains(&rrn) {
            let (terminal, what) = (record.intent.identity.terminal, record.intent.kind.name());
            breaches.push(format!("I9: {rrn} ({what}) stands in the ledger, and {terminal} has it not"));
        }
    }
}

/// I9: no follow-up leaves that takes or gives more than its original has left.
fn follow_ups_fit(seen: &Seen, records: &Records, breaches: &mut Vec<String>) {
    let asked: BTreeSet<Rrn> = seen.sent.iter().filter(|sent| sent.owed.is_none()).map(|sent| sent.rrn).collect();
    for (rrn, record) in records.iter().filter(|(rrn, _)| asked.contains(rrn)) {
        let Some(original) = record.intent.follows.and_then(|id| records.by_id(id)) else { continue };
        let before = records.living().map(|(_, other)| other).filter(|other| {
            (other.intent.follows, other.intent.kind) == (record.intent.follows, record.intent.kind)
                && other.intent.id < record.intent.id
        });
        let taken: u64 = before.map(|other| records.worth(other).minor()).sum();
        let fits = match kinds::of(record.intent.kind).follows {
            Some((Following::Refunds, _)) => taken + record.intent.amount.minor() <= records.worth(original).minor(),
            Some((Following::Completes, _)) => taken == 0,
            _ => true,
        };
        if !fits {
            breaches.push(format!("I9: {rrn} ({}) goes beyond its original", record.intent.kind.name()));
        }
    }
}

/// I9, I11: what a terminal that lost nothing claimed is what its batch came to, and its batches follow each other.
pub(super) fn batches_agree(seen: &Seen, ledger: &EmbeddedLedger, breaches: &mut Vec<String>) {
    for settled in &seen.settled {
        let (terminal, batch) = (settled.terminal, settled.batch);
        let record = ledger.batch(terminal, batch);
        let same = record.is_some_and(|record| record.counted == settled.totals);
        if same != settled.balanced || !(same || settled.lied) {
            breaches.push(format!("I9: batch {batch} of {terminal} was settled, and its totals differ"));
        }
    }
    for (terminal, session) in ledger.terminals() {
        let mut next = None;
        for record in ledger.batches(terminal) {
            if matches!(record.state, BatchState::Unbalanced | BatchState::Uploading) {
                breaches.push(format!("I9: the upload of batch {} of {terminal} never ended", record.batch));
            }
            if next.is_some_and(|next| next != record.batch) {
                breaches.push(format!("I11: there is a gap before batch {} of {terminal}", record.batch));
            }
            next = Some(record.batch.next());
        }
        if next.is_some_and(|next| next != session.batch) {
            breaches.push(format!("I11: {terminal} is in batch {}, which is not the next one", session.batch));
        }
    }
}
