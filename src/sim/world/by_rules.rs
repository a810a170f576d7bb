//! Scenarios of limits that cross terminals, and of terminals that a rule holds.

use super::plan::Manner;
use super::plan::Step;
use super::plan::Way;
use super::rules::Rules;
use super::scenario::CARD_A;
use super::scenario::CARD_B;
use super::scenario::Scenario;
use super::scenario::quiet;
use super::scenario::sale;
use super::scenario::scenario;

/// An amount that issuers decline.
const DECLINED: u64 = 10_51;

/// All of them.
pub(super) fn by_rules() -> [Scenario; 4] {
    use Manner::Plain;
    let sold = sale(20_00, CARD_A, Plain);
    let one = [Step::Mark, sold, Step::Undo, sale(DECLINED, CARD_A, Plain), sold];
    let other = [Step::Rest(9_000), sold, sale(20_00, CARD_B, Plain)];
    let card =
        scenario("card's limit over two terminals, given back", &[(Way::Host, &one), (Way::Host, &other)], quiet());
    let shop =
        scenario("shop's limit over two terminals, given back", &[(Way::Host, &one), (Way::Host, &other)], quiet());
    let next_day = [Step::Mark, sold, Step::ClockJump(600), Step::Rest(5_000), Step::Undo];
    let after = [Step::Rest(2_000), sold];
    let midnight = [(Way::Host, &next_day[..]), (Way::Host, &after[..])];
    let midnight = scenario("undone on the next day, the card used again", &midnight, quiet());
    let declined = sale(DECLINED, CARD_A, Plain);
    let held = [Step::SignIn, sold, Step::Mark, declined, declined, sold, sold, Step::Undo, Step::Rest(11_000), sold];
    let back = [Step::Settle { lies: false }, Step::Rest(65_000), sold];
    let held = scenario("terminal held, served and resumed", &[(Way::Pos, &[&held[..], &back].concat())], quiet());
    let of = |mut scenario: Scenario, rules| {
        scenario.plan.rules = rules;
        scenario
    };
    [
        of(card, Rules { card: 30_00, ..Rules::WIDE }),
        of(shop, Rules { merchant: 30_00, ..Rules::WIDE }),
        midnight,
        of(held, Rules { holds: true, ..Rules::WIDE }),
    ]
}
