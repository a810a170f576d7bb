//! I15, and I10 of counters that cross terminals.

use super::*;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::Subject;
use crate::risk::Action;
use crate::risk::Hit;
use crate::risk::RiskNote;

fn step(subject: Subject, step: LadderStep) -> Record {
    let (actor, reason) = ("zhao".into(), "why".into());
    Record::Step(Box::new(LadderEntry { subject, step, actor, reason, at: NOON }))
}

fn till() -> Subject {
    Subject::Terminal(terminal(1))
}

#[test]
fn i15_a_request_of_who_is_suspended_is_found() {
    for subject in [till(), Subject::Merchant(sale(1, 1).merchant)] {
        for taken in [LadderStep::Suspend, LadderStep::Terminate] {
            finds(I15, "let in", 2, 1, vec![vec![step(subject, taken)], vec![intended(sale(1, 1))]]);
        }
    }
    let lawful = vec![
        vec![intended(sale(1, 1)), step(till(), LadderStep::Suspend)],
        vec![intended(Intent { kind: Kind::OfflineSale, ..sale(2, 1) })],
        vec![Record::Declined(Arc::new(sale(3, 1)), answer(ResponseCode::TerminalForbidden)), approved(1)],
        vec![step(till(), LadderStep::Resume), intended(sale(4, 1))],
    ];
    assert_eq!(report(lawful).violations, []);
}

#[test]
fn i15_what_is_terminated_stays_so() {
    for taken in [LadderStep::Resume, LadderStep::Warn, LadderStep::Suspend] {
        let found = report(vec![vec![step(till(), LadderStep::Terminate), step(till(), taken)]]);
        assert!(found.violations.iter().any(|found| found.invariant == I15 && found.record == 1), "{taken:?}");
    }
    let resumed = vec![step(till(), LadderStep::Terminate), step(till(), LadderStep::Resume), intended(sale(1, 1))];
    finds(I15, "let in", 1, 1, vec![resumed]);
}

#[test]
fn i10_a_card_above_its_limit_at_two_terminals() {
    let on = |id: u64, counted| {
        let mut intent = limited(id, 600);
        intent.identity = identity(u8::try_from(id).unwrap(), 1, MessageClass::Financial);
        intent.reservations.iter_mut().for_each(|one| one.key.counted = counted);
        intended(intent)
    };
    let merchant = Counted::Merchant(sale(1, 1).merchant);
    for counted in [Counted::Card(PanToken([7; 32])), merchant, Counted::Bin(crate::model::Bin::new(1).unwrap())] {
        finds(I10, "above its limit", 2, 2, vec![vec![on(1, counted)], vec![on(2, counted)]]);
    }
}

#[test]
fn i15_a_terminal_that_a_rule_holds_is_suspended_in_the_same_commit() {
    let hit = |shadow| Hit { rule: "declines".into(), action: Action::Hold, evidence: "3 of 2".into(), shadow };
    let declined = |shadow| {
        let note = RiskNote { version: "1".into(), hits: [hit(shadow)].into_iter().collect() };
        let intent = Intent { risk: Some(Box::new(note)), ..sale(1, 1) };
        Record::Declined(Arc::new(intent), answer(ResponseCode::CountLimit))
    };
    let suspended = || step(till(), LadderStep::Suspend);
    for commits in [vec![vec![declined(false)]], vec![vec![declined(false)], vec![suspended()]]] {
        let found = report(commits).violations;
        assert!(found.iter().any(|found| found.invariant == I15 && found.what.contains("holds")), "{found:?}");
    }
    assert_eq!(report(vec![vec![declined(false), suspended()]]).violations, []);
    assert_eq!(report(vec![vec![suspended(), declined(false)]]).violations, []);
    assert_eq!(report(vec![vec![declined(true)]]).violations, []);
}
