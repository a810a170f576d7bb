//! What is checked at once, while a world runs.

use super::aside;
use super::coverage::Sometimes;
use super::history::Answered;
use super::history::History;
use super::history::Sent;
use super::nature::Nature;
use super::outside::Outside;
use crate::flow::Event;
use crate::flow::Witness;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::ledger::kinds;
use crate::model::Kind;
use crate::model::Ksn;
use crate::model::MessageClass;
use crate::model::ResponseCode;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::risk::Action;
use bytes::Bytes;
use std::sync::Arc;

/// DE 62 of a sign-in's answer: keys.
const KEY_DATA: u8 = 62;

/// A message of a DUKPT device that came.
pub(super) struct Shown {
    terminal: TerminalId,
    counter: u32,
    /// How far the device had come then, by what it had been answered.
    before: u32,
}

/// Where a device is, when a message of it comes.
pub(super) fn shown(outside: &Outside, terminal: TerminalId, message: &Message) -> Option<Shown> {
    let counter = Ksn::read(&message.role(Role::Ksn)?)?.counter()?;
    let before = outside.history.read(|seen| {
        let own = seen.serials.iter().filter(|(whose, ..)| *whose == terminal);
        own.map(|(_, counter, _)| *counter).max().unwrap_or(0)
    });
    Some(Shown { terminal, counter, before })
}

/// It is answered as something on record: I6, a serial number goes up, and serves one message and its copies.
pub(super) fn served(outside: &Outside, shown: Shown, unit: &Bytes) {
    let Shown { terminal, counter, before } = shown;
    outside.nature.sometimes(Sometimes::DeviceServed);
    if counter < before {
        outside.history.breach(format!("I6: {terminal}: serial number {counter} is served after {before}"));
    }
    let again = outside.history.note(|seen| {
        let mut same = seen.serials.iter().filter(|(whose, its, _)| (*whose, *its) == (terminal, counter));
        let again = same.any(|(.., of)| of != unit);
        seen.serials.push((terminal, counter, unit.clone()));
        again
    });
    if again {
        outside.history.breach(format!("I6: {terminal}: serial number {counter} is served for two messages"));
    }
}

/// An answer leaves for a terminal.
pub(super) fn answered(outside: &Outside, answer: Answered) {
    let money =
        matches!(answer.class, Some(MessageClass::Financial | MessageClass::Authorization | MessageClass::Reversal));
    if answer.class == Some(MessageClass::Reconciliation) {
        return settled(outside, answer);
    }
    if !money {
        let signs_in = outside.strict && answer.code == "00" && answer.content.iter().any(|(de, _)| *de == KEY_DATA);
        if signs_in && !aside::knows_session(outside, answer.terminal) {
            outside.history.breach(format!("I1: {} has keys that are not kept", answer.terminal));
        }
        return;
    }
    let before = outside.history.read(|seen| {
        let same = seen.answered.iter().find(|before| before.request == answer.request && before.rrn.is_some());
        same.cloned()
    });
    if let Some(before) = before {
        outside.nature.sometimes(Sometimes::DuplicateAnswered);
        let records = outside.front().map(|station| station.ledger().records()).unwrap_or_default();
        let reversal = answer.class == Some(MessageClass::Reversal);
        if !reversal && answer.rrn.is_some_and(|rrn| records.iter().all(|record| record.intent.rrn != rrn)) {
            outside.nature.sometimes(Sometimes::DuplicateClosed);
        }
        // A reversal stays pending at its terminal, whatever it is refused with; a copy under keys that are gone cannot
        // be known.
        let harmless = answer.class == Some(MessageClass::Reversal) || answer.code == "A0";
        if answer.rrn.is_none() && harmless {
            return;
        }
        if answer.rrn.is_none() {
            let (terminal, code) = (answer.terminal, &answer.code);
            outside.history.breach(format!("I6: {terminal}: a copy of what was answered is refused with {code}"));
        } else if before.content != answer.content {
            outside.history.breach(format!("I6: {}: a copy is answered differently", answer.terminal));
        }
    }
    if let Some(rrn) = answer.rrn.filter(|_| outside.strict && answer.class != Some(MessageClass::Reversal)) {
        let kept = aside::record(outside, rrn).and_then(|record| record.decided);
        if kept.is_none() {
            outside.history.breach(format!("I1: {rrn} is answered {} before the decision is kept", answer.code));
        }
    }
    outside.history.note(|seen| seen.answered.push(answer));
}

/// A message leaves for an issuer.
pub(super) fn sent(outside: &Outside, sent: Sent) {
    let breach = outside.history.read(|seen| {
        let overdone = sent.owed.is_some_and(|owed| seen.acknowledged.contains(&(sent.life, sent.rrn, owed)));
        let overdone =
            overdone.then(|| format!("I4: {} of {} leaves after it was acknowledged", sent.what(), sent.rrn));
        overdone.or_else(|| overtakes(&seen.sent, &sent)).or_else(|| jumps(&seen.sent, &sent))
    });
    if let Some(breach) = breach {
        outside.history.breach(breach);
    }
    if outside.strict {
        let kept = aside::record(outside, sent.rrn).and_then(|record| record.intent.outbound.clone());
        let kept = kept.is_some_and(|out| out.issuer == sent.issuer && (sent.is_reversal() || out.stan == sent.stan));
        if !kept {
            outside.history.breach(format!("I2: {} leaves for {} before it is kept", sent.rrn, sent.issuer));
        }
    }
    outside.history.note(|seen| seen.sent.push(sent));
}

/// I8: a request never leaves after its own reversal did.
fn overtakes(before: &[Sent], sent: &Sent) -> Option<String> {
    let overtaken = !sent.is_reversal() && before.iter().any(|other| other.is_reversal() && other.rrn == sent.rrn);
    overtaken.then(|| format!("I8: request {} leaves after its reversal", sent.rrn))
}

/// I8: of one terminal, what was owed and sent before something else is not sent again after it.
fn jumps(before: &[Sent], sent: &Sent) -> Option<String> {
    let lane = |other: &&Sent| {
        let same = (other.life, &other.issuer, other.terminal) == (sent.life, &sent.issuer, sent.terminal);
        same && other.owed.is_some()
    };
    sent.owed?;
    let last = before.iter().rfind(lane)?;
    let same = |other: &Sent| (other.rrn, other.owed) == (sent.rrn, sent.owed);
    let jumped = !same(last) && before.iter().filter(lane).any(same);
    jumped.then(|| format!("I8: {} of {} goes on after {} was begun", sent.what(), sent.rrn, last.rrn))
}

/// What an approval of a kind counts as.
fn approved(kind: Kind, code: ResponseCode) -> Option<Sometimes> {
    Some(match kind {
        Kind::SaleVoid => Sometimes::Voided,
        Kind::AuthorizationVoid => Sometimes::HoldVoided,
        Kind::Increment => Sometimes::Incremented,
        Kind::Completion => Sometimes::Completed,
        Kind::CompletionAdvice => Sometimes::CompletionAdvised,
        Kind::CompletionVoid => Sometimes::CompletionVoided,
        Kind::Refund => Sometimes::Refunded,
        Kind::OfflineSale => Sometimes::OfflineSold,
        Kind::OfflineRefund => Sometimes::OfflineRefunded,
        Kind::Adjustment => Sometimes::Adjusted,
        Kind::Transfer => Sometimes::Transferred,
        Kind::Verification => Sometimes::Verified,
        _ if code == ResponseCode::ApprovedPartial => Sometimes::Partial,
        _ => return None,
    })
}

/// I15: a terminal that was suspended when its message came is served only what is never refused.
pub(super) fn while_suspended(outside: &Outside, answer: &Answered, kind: Option<Kind>, received: Timestamp) {
    let Some(kind) = kind.filter(|kind| !matches!(kind, Kind::SignIn | Kind::SignOff | Kind::Echo)) else { return };
    let approved = ResponseCode::parse(&answer.code).is_some_and(ResponseCode::is_approval);
    let (terminal, what) = (answer.terminal, kind.name());
    if !kind.may_be_refused() {
        if answer.code == ResponseCode::TerminalForbidden.code() {
            outside.history.breach(format!("I15: {terminal} is suspended, and its {what} is refused"));
        } else if approved {
            outside.nature.sometimes(Sometimes::SuspendedServed);
        }
        return;
    }
    // What was on record before it was suspended is answered as before.
    let records = outside.front().map(|station| station.ledger().records()).unwrap_or_default();
    let fresh = |rrn| records.iter().any(|record| record.intent.rrn == rrn && record.intent.received == received);
    if approved && answer.rrn.is_some_and(fresh) {
        outside.history.breach(format!("I15: {terminal} is suspended, and its {what} is approved"));
    }
}

/// What a decline by a rule or by who stands how counts as.
fn limited(rule: &str) -> Option<Sometimes> {
    Some(match rule {
        "card-day" => Sometimes::CardLimit,
        "merchant-day" => Sometimes::MerchantLimit,
        "entry-day" => Sometimes::EntryLimit,
        "range-day" => Sometimes::RangeLimit,
        "terminal-suspended" => Sometimes::SuspendedTried,
        _ => return None,
    })
}

/// A settlement is answered: I6, the same again if it comes again.
fn settled(outside: &Outside, answer: Answered) {
    let before = outside.history.read(|seen| {
        seen.answered.iter().find(|before| before.request == answer.request && before.code == "00").cloned()
    });
    if let Some(before) = before {
        outside.nature.sometimes(Sometimes::SettlementRepeated);
        if before.content != answer.content {
            outside.history.breach(format!("I6: {}: a settlement is answered differently", answer.terminal));
        }
    }
    outside.history.note(|seen| seen.answered.push(Answered { rrn: None, ..answer }));
}

/// Counts what the station says of itself.
pub struct Watcher {
    pub(super) nature: Arc<Nature>,
    pub(super) history: Arc<History>,
    pub(super) life: u32,
}

impl Witness for Watcher {
    fn note(&self, terminal: Option<&TerminalId>, event: &Event<'_>) {
        let who = terminal.map_or("-", TerminalId::as_str);
        match event {
            Event::Decided { kind, outcome, code, rrn, rule, repeat, .. } => {
                let again = *repeat;
                let repeat = if again { ", again" } else { "" };
                self.nature.say(&format!("station: {who} {} {rrn} {outcome:?} {code}{repeat}", kind.name()));
                if *outcome == Outcome::Approved && !again {
                    approved(*kind, *code).into_iter().for_each(|rare| self.nature.sometimes(rare));
                }
                let local = rule.is_some() || matches!(*code, ResponseCode::AmountLimit | ResponseCode::RelatedInvalid);
                if kinds::of(*kind).follows.is_some() && *outcome == Outcome::Declined && local {
                    self.nature.sometimes(Sometimes::FollowUpRefused);
                }
                if let Some(rule) = rule.filter(|_| !again) {
                    limited(rule).into_iter().for_each(|rare| self.nature.sometimes(rare));
                }
                match (kind, *rule) {
                    (_, Some("stand-in")) => self.nature.sometimes(Sometimes::StandIn),
                    (Kind::Reversal, Some("original-unknown")) => self.nature.sometimes(Sometimes::Overtaken),
                    (_, Some("tombstone")) => self.nature.sometimes(Sometimes::Tombstone),
                    _ => {}
                }
            }
            Event::Refused { code, rule } => {
                self.nature.say(&format!("station: {who} refused with {code}, {rule}"));
                match *rule {
                    "duplicate-mismatch" => self.nature.sometimes(Sometimes::OtherContent),
                    // In a world nobody is signed off but by the close of a batch.
                    "batch" | "signed-off" => self.nature.sometimes(Sometimes::BatchOver),
                    "ledger-full" => self.nature.sometimes(Sometimes::DiskFull),
                    "ksn-back" => self.nature.sometimes(Sometimes::SerialBack),
                    _ => {}
                }
            }
            Event::Rule { hit, .. } => {
                self.nature.sometimes(match (hit.shadow, hit.action) {
                    (true, _) => Sometimes::RuleInShadow,
                    (_, Action::Hold) => Sometimes::Held,
                    (_, Action::Alert | Action::Allow) => Sometimes::RuleAlerted,
                    (_, Action::StepUp | Action::Decline) => Sometimes::RuleDeclined,
                });
                self.nature.say(&format!(
                    "station: {who} rule {} says {}: {}",
                    hit.rule,
                    hit.action.name(),
                    hit.evidence
                ));
            }
            Event::Silent { why } => self.nature.say(&format!("station: {who} not answered: {why}")),
            Event::Forwarded { what, rrn, attempts, acknowledged, refused, .. } => {
                let rare = match (what, refused.is_some(), acknowledged) {
                    (Owed::Reversal, true, _) => Some(Sometimes::DeadLetter),
                    (Owed::Advice, true, _) => Some(Sometimes::AdviceRefused),
                    (Owed::Advice, _, true) => Some(Sometimes::Advised),
                    _ => None,
                };
                rare.into_iter().for_each(|rare| self.nature.sometimes(rare));
                if *acknowledged {
                    self.history.note(|seen| seen.acknowledged.push((self.life, *rrn, *what)));
                }
                self.nature
                    .say(&format!("station: {what:?} of {rrn}, {attempts} tries before, acknowledged {acknowledged}"));
            }
            Event::Rejected { error } => self.nature.say(&format!("station: {who} unreadable: {error}")),
            Event::MacFailed { .. } => self.nature.say(&format!("station: {who} MAC wrong")),
            Event::MacVerified { .. } => {}
        }
    }

    fn watches(&self, _: &TerminalId) -> bool {
        false
    }
}
