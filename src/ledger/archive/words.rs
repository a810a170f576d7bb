//! Records in plain words. Card numbers masked; nothing else of a card.

use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::ledger::lifecycle::State;
use crate::ledger::lifecycle::Undone;
use crate::ledger::record::KeptReversal;
use crate::ledger::verify::standing;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::ResponseCode;
use crate::risk::Hit;
use crate::risk::RiskNote;

/// `12.00 156`.
pub(super) fn money(amount: Amount, currency: Currency) -> String {
    let minor = amount.minor();
    match 10_u64.pow(u32::from(currency.exponent())) {
        1 => format!("{minor} {currency}"),
        unit => format!("{}.{:0width$} {currency}", minor / unit, minor % unit, width = currency.exponent().into()),
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved => "approved",
        Outcome::Declined => "declined",
        Outcome::TimedOut => "timed-out",
    }
}

fn code(code: ResponseCode) -> String {
    format!("{code} {}", code.text())
}

fn way(outbound: &Outbound) -> String {
    format!("{} under STAN {}", outbound.issuer, outbound.stan)
}

/// The rules that spoke, one a line: `velocity (decline, rules 7): 6 in 600 s`.
pub(super) fn risk(note: &RiskNote) -> String {
    let hit = |hit: &Hit| {
        let shadow = if hit.shadow { ", in shadow" } else { "" };
        let version = printable(&note.version);
        format!(
            "{} ({}{shadow}, rules {version}): {}",
            printable(&hit.rule),
            hit.action.name(),
            printable(&hit.evidence)
        )
    };
    note.hits.iter().map(hit).collect::<Vec<_>>().join("\n")
}

/// On one line, whoever wrote it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The rules that spoke, behind what happened.
fn spoke(intent: &Intent) -> String {
    let note = intent.risk.as_deref();
    note.map(|note| format!("; rules spoke: {}", risk(note).replace('\n', "; "))).unwrap_or_default()
}

pub(super) fn intended(intent: &Intent) -> String {
    let money = money(intent.amount, intent.currency);
    let way = intent.outbound.as_ref().map_or(", told to no issuer".to_owned(), |out| format!(", for {}", way(out)));
    let follows = intent.follows.map(|id| format!(", follows transaction {}", id.0)).unwrap_or_default();
    format!("intended: {} {money}, card {}{way}{follows}{}", intent.kind.name(), intent.masked, spoke(intent))
}

pub(super) fn declined(intent: &Intent, by: ResponseCode) -> String {
    let rule = intent.refusal.as_ref().map(|refusal| format!(", rule {}", refusal.rule)).unwrap_or_default();
    let money = money(intent.amount, intent.currency);
    let (kind, spoke) = (intent.kind.name(), spoke(intent));
    format!("declined here: {kind} {money}, card {}: {}{rule}{spoke}", intent.masked, code(by))
}

pub(super) fn rerouted(outbound: &Outbound) -> String {
    format!("goes another way, nothing was sent on the first: for {}", way(outbound))
}

pub(super) fn decided(decision: &Decision, to: State) -> String {
    let answer = &decision.answer;
    let approval = answer.approval.map(|approval| format!(", approval code {approval}")).unwrap_or_default();
    let partial = answer.amount.map(|amount| format!(", for {} minor units only", amount.minor())).unwrap_or_default();
    let then = match to {
        State::Reversing(_) => "; a reversal is owed",
        State::Advising => "; the issuer is owed the message",
        _ => "",
    };
    format!("decided: {}, {}{approval}{partial}{then}", outcome(decision.outcome), code(answer.code))
}

pub(super) fn moved(to: State) -> &'static str {
    match to {
        State::Open => "open again",
        State::Stands(_) => "acknowledged: the issuer has the message",
        State::Advising => "the issuer is owed the message",
        State::Reversing(Undone::Approval) => "the terminal undoes the approval: a reversal is owed",
        State::Reversing(Undone::Silence) => "a reversal is owed",
        State::Reversed(_) => "acknowledged: the issuer has the reversal",
        State::Irreversible(_) => "dead letter: the issuer will never take the reversal",
        State::Unadvised => "dead letter: the issuer will never take the message",
    }
}

/// A message went, or may have: of a transaction that stands so.
pub(super) fn sent(standing: &str, stan: &str, attempts: i64) -> String {
    let what = if standing == "advising" { "the message" } else { "the reversal" };
    format!("{what} goes to the issuer under STAN {stan}, attempt {attempts}")
}

pub(super) fn refused(by: ResponseCode, to: State) -> String {
    format!("the issuer refuses it for good: {}; {}", code(by), moved(to))
}

pub(super) fn late(of: Outcome) -> String {
    format!("late answer: {}; the decision stands", outcome(of))
}

/// A transaction that comes as it stands, without its history.
pub(super) fn stands(intent: &Intent, state: State) -> String {
    let money = money(intent.amount, intent.currency);
    format!("on record as: {} {money}, card {}, {}", intent.kind.name(), intent.masked, standing(state))
}

/// What a reversal says of itself.
pub(super) fn reversal(kept: &KeptReversal) -> String {
    let original = match kept.original {
        Some(id) => format!("transaction {}", id.0),
        None => "a transaction that is not known; should it come, it is declined".to_owned(),
    };
    let stan = kept.reversal.original.stan;
    format!("the terminal reverses its STAN {stan}, {original}; answered {}", code(kept.answer.code))
}

/// The same in the timeline of what it undoes.
pub(super) fn undone_by(kept: &KeptReversal) -> String {
    let KeptReversal { reversal, rrn, answer, .. } = kept;
    format!("the terminal reverses it: STAN {}, RRN {rrn}; answered {}", reversal.identity.stan, code(answer.code))
}

/// A follow-up in the timeline of what it follows.
pub(super) fn followed_by(intent: &Intent) -> String {
    let money = money(intent.amount, intent.currency);
    format!("followed by {} {money}, transaction {}, RRN {}", intent.kind.name(), intent.id.0, intent.rrn)
}
