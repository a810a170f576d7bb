//! Scenarios of a merchant's day: follow-ups, offline work, settlement.

use super::plan::Manner;
use super::plan::Step;
use super::plan::Way;
use super::scenario::CARD_A;
use super::scenario::CARD_B;
use super::scenario::SLOW;
use super::scenario::Scenario;
use super::scenario::quiet;
use super::scenario::sale;
use super::scenario::scenario;
use crate::model::Kind;

/// An amount of which the issuer approves half.
const HALF: u64 = 20_10;

const fn follow(kind: Kind, percent: u64) -> Step {
    Step::Follow(kind, percent)
}

const fn hold(minor: u64) -> Step {
    Step::Buy(Kind::Authorization, minor, CARD_A, Manner::Plain)
}

/// One terminal that has done `before` when the part begins that counts.
fn till(name: &'static str, before: &[Step], steps: &[Step]) -> Scenario {
    let steps = [&[Step::SignIn], before, &[Step::Mark], steps].concat();
    scenario(name, &[(Way::Pos, &steps)], quiet())
}

/// All of them.
pub(super) fn days() -> Vec<Scenario> {
    use Manner::Plain;
    let sold = [sale(10_00, CARD_A, Plain)];
    let settle = Step::Settle { lies: false };
    let mut all = vec![
        till("sale voided", &sold, &[follow(Kind::SaleVoid, 100), follow(Kind::SaleVoid, 100)]),
        till("void undone", &sold, &[follow(Kind::SaleVoid, 100), Step::Undo]),
        till("refunded sale undone in vain", &sold, &[follow(Kind::Refund, 60), Step::Undo]),
        till("completed hold undone in vain", &[hold(10_00)], &[follow(Kind::CompletionAdvice, 90), Step::Undo]),
        till("refunds, one over the rest", &sold, &[follow(Kind::Refund, 60), follow(Kind::Refund, 60)]),
        till(
            "hold raised and completed, twice",
            &[hold(10_00)],
            &[follow(Kind::Increment, 50), follow(Kind::Completion, 100), follow(Kind::Completion, 50)],
        ),
        till(
            "completion voided, the hold too",
            &[hold(10_00), follow(Kind::Completion, 110)],
            &[follow(Kind::CompletionVoid, 100), follow(Kind::AuthorizationVoid, 100)],
        ),
        till(
            "told afterwards",
            &[hold(10_00)],
            &[
                Step::Offline(Kind::OfflineSale, 7_00, CARD_B),
                follow(Kind::CompletionAdvice, 90),
                Step::Offline(Kind::OfflineRefund, 2_00, CARD_B),
            ],
        ),
        till("tip", &sold, &[follow(Kind::Adjustment, 110)]),
        till("partial approval, voided", &[], &[sale(HALF, CARD_B, Plain), follow(Kind::SaleVoid, 100)]),
        till("partial approval, settled", &[sale(HALF, CARD_B, Plain)], &[settle]),
        till("batch settled, the next one begins", &sold, &[settle, sale(3_00, CARD_B, Plain)]),
        till("settlement repeated", &sold, &[settle, Step::RepeatLast, sale(3_00, CARD_B, Plain)]),
        till(
            "settlement repeated before a sign-in",
            &sold,
            &[settle, Step::RepeatLast, Step::SignIn, sale(3_00, CARD_B, Plain)],
        ),
        till(
            "batch settled without a slip, uploaded",
            &[sale(10_00, CARD_A, Plain), sale(4_00, CARD_B, Plain), follow(Kind::Refund, 50)],
            &[Step::Settle { lies: true }],
        ),
        till(
            "batch closed by an operator while a sale runs",
            &sold,
            &[Step::ForceClose(1_000), sale(SLOW, CARD_B, Plain), sale(2_00, CARD_A, Plain)],
        ),
        till(
            "closed by an operator, then settled by its terminal",
            &sold,
            &[Step::ForceClose(1), Step::Rest(500), settle, sale(2_00, CARD_A, Plain)],
        ),
    ];
    all.extend(terminals_own());
    all.extend(limits_given_back());
    let host = [
        Step::Mark,
        sale(10_00, CARD_A, Plain),
        follow(Kind::Refund, 50),
        hold(8_00),
        follow(Kind::Completion, 100),
        Step::Buy(Kind::Transfer, 5_00, CARD_B, Plain),
    ];
    all.push(scenario("follow-ups without batches", &[(Way::Host, &host)], quiet()));
    all
}

/// What the terminal itself must see to: what it gave back without asking, and totals whose answer it did not hear.
fn terminals_own() -> [Scenario; 2] {
    let (one, other) = (sale(10_00, CARD_A, Manner::Plain), sale(4_00, CARD_B, Manner::Plain));
    let next = [Step::SettleUnheard, Step::SignIn, Step::Settle { lies: false }, sale(3_00, CARD_B, Manner::Plain)];
    [
        till("given back offline, once over the rest", &[one], &[follow(Kind::OfflineRefund, 60); 2]),
        till("batch settled without a slip, unheard, uploaded after a sign-in", &[one, other], &next),
    ]
}

/// What a terminal's limit of a day is after something was taken back.
fn limits_given_back() -> [Scenario; 2] {
    let sold = [sale(20_00, CARD_A, Manner::Plain)];
    let voided = till("limit given back by a void", &sold, &[follow(Kind::SaleVoid, 100)]);
    let raised = [hold(10_00), follow(Kind::Increment, 50)];
    let steps = [follow(Kind::AuthorizationVoid, 100), sale(28_00, CARD_B, Manner::Plain)];
    let released = till("limit given back by a void of a hold that was raised", &raised, &steps);
    [voided, released].map(|mut limited| {
        limited.plan.daily_amount = Some(30_00);
        limited
    })
}
