//! The rules that need no memory beyond the day's counters.

use super::{Counted, CounterKey, Refusal, Reservation, Situation};
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::Standing;
use crate::model::TerminalFacts;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What risk says of one request: why it is declined here, if it is, and what it takes while it lives.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// Of all rules that refuse, the one with the first code in precedence.
    pub refusal: Option<Refusal>,
    /// Made by the ledger in the commit of the intent; none with a refusal.
    pub reservations: SmallVec<[Reservation; 2]>,
}

/// What these rules look at: the same of a request that comes and of one that is on record.
#[derive(Clone, Copy)]
struct Plain {
    kind: Kind,
    merchant: MerchantId,
    currency: Currency,
    amount: Amount,
}

impl From<&Request> for Plain {
    fn from(of: &Request) -> Self {
        Self { kind: of.kind, merchant: of.merchant, currency: of.currency, amount: of.amount }
    }
}

impl From<&Situation<'_>> for Plain {
    fn from(of: &Situation<'_>) -> Self {
        Self { kind: of.kind, merchant: of.merchant, currency: of.currency, amount: of.amount }
    }
}

/// A rule's id, its answer, and whether it refuses.
type Rule = (&'static str, ResponseCode, fn(&Plain, &TerminalFacts) -> bool);

/// Rules for every kind that risk may refuse.
const PARTIES: &[Rule] = &[
    ("terminal-standing", ResponseCode::TerminalForbidden, |_, facts| facts.standing != Standing::Active),
    ("merchant-standing", ResponseCode::TerminalForbidden, |_, facts| facts.merchant_standing != Standing::Active),
    ("merchant-binding", ResponseCode::MerchantInvalid, |request, facts| request.merchant != facts.merchant),
    ("currency", ResponseCode::AmountInvalid, |request, facts| request.currency != facts.currency),
];

/// The rule for every kind that moves money: without an amount it would say nothing.
const SOMETHING: &[Rule] = &[("amount-zero", ResponseCode::AmountInvalid, |request, _| {
    request.kind.moves_money() && request.amount == Amount::ZERO
})];

/// Rules for kinds whose amount the terminal chooses.
const AMOUNTS: &[Rule] = &[
    ("amount-below-least", ResponseCode::AmountInvalid, |request, facts| {
        facts.limits.least.is_some_and(|least| request.amount < least)
    }),
    ("amount-above-most", ResponseCode::AmountLimit, |request, facts| {
        facts.limits.most.is_some_and(|most| request.amount > most)
    }),
];

/// Every rule that refuses `request`, in the order of the tables: what an explanation shows.
///
/// Reversals, advices and management are never refused (rules of the money, 5), but for an advice of nothing. A
/// balance inquiry has no amount to look at.
pub fn refusals(request: &Request, facts: &TerminalFacts) -> impl Iterator<Item = Refusal> {
    refusing(request.into(), facts)
}

/// Whether a rule of this id is one of these: no file has it.
#[must_use]
pub fn is_built_in(id: &str) -> bool {
    PARTIES.iter().chain(SOMETHING).chain(AMOUNTS).any(|(rule, ..)| *rule == id)
}

fn refusing(request: Plain, facts: &TerminalFacts) -> impl Iterator<Item = Refusal> {
    let (parties, amounts): (&[Rule], &[Rule]) = match request.kind {
        Kind::Sale | Kind::Authorization | Kind::Increment | Kind::Transfer => (PARTIES, AMOUNTS),
        kind if kind.may_be_refused() => (PARTIES, &[]),
        _ => (&[], &[]),
    };
    let all = parties.iter().chain(SOMETHING).chain(amounts);
    let refusing = all.filter(move |(_, _, refuses)| refuses(&request, facts));
    refusing.map(|(rule, code, _)| Refusal { code: *code, rule: Cow::Borrowed(rule) })
}

/// Assesses one request of a terminal on its business date. Pure.
///
/// Money is reserved even where the terminal has no limit: a limit set at noon then knows the morning.
#[must_use]
pub fn assess(request: &Request, facts: &TerminalFacts, date: BusinessDate) -> Assessment {
    assessed(request.into(), facts, date)
}

/// Assesses a request that is on record, as [`assess`] would have by these facts.
#[must_use]
pub fn assess_again(situation: &Situation<'_>, facts: &TerminalFacts) -> Assessment {
    assessed(situation.into(), facts, situation.date)
}

fn assessed(request: Plain, facts: &TerminalFacts, date: BusinessDate) -> Assessment {
    let refusal = refusing(request, facts).min_by_key(|refusal| refusal.code);
    let takes = matches!(request.kind, Kind::Sale | Kind::Authorization | Kind::Increment | Kind::Transfer)
        && refusal.is_none();
    let reservation = Reservation {
        key: CounterKey { counted: Counted::Terminal(facts.terminal), date },
        amount: request.amount,
        amount_limit: facts.limits.daily_amount,
        count_limit: facts.limits.daily_count,
    };
    Assessment { refusal, reservations: takes.then_some(reservation).into_iter().collect() }
}
