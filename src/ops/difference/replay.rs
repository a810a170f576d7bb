//! The ledger's past requests, each decided by two stations with the same function: what differs between the two is
//! reported. Whatever else decided then — sessions, PINs, originals, issuers — is the same to both, and does not matter.

use super::super::backtest::Span;
use super::super::backtest::Tally;
use super::super::backtest::past_rule;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::judged::Visitor;
use crate::ledger::kinds;
use crate::model::Bin;
use crate::model::BinTable;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::ResponseCode;
use crate::registry::Registry;
use crate::risk;
use crate::risk::CounterKey;
use crate::risk::Fate;
use crate::risk::Memory;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::risk::RuleSet;
use crate::risk::Sums;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::fmt::Display;

/// One of the two stations.
#[derive(Clone, Copy, Debug)]
pub struct Counterpart<'a> {
    /// Its lists and routes.
    pub registry: &'a Registry,
    /// The rules that decide in it.
    pub rules: &'a RuleSet,
}

/// What a station makes of a request, as far as lists, routes, limits and rules go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ruled<'a> {
    /// Declined, and why.
    Declined(Refusal),
    /// Sent to this issuer, if its link is up.
    To(&'a IssuerName),
    /// Let through; where to does not depend on what is compared, or cannot be told.
    Passed,
}

impl Display for Ruled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declined(Refusal { code, rule }) => write!(f, "{code} {rule}"),
            Self::To(issuer) => write!(f, "to {issuer}"),
            Self::Passed => write!(f, "passed"),
        }
    }
}

/// One request that would be decided or routed otherwise.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Turned {
    /// The ledger's number.
    pub number: u64,
    /// DE 37.
    pub rrn: String,
    /// DE 41.
    pub terminal: String,
    /// What was asked.
    pub kind: &'static str,
    /// The card, masked.
    pub card: String,
    /// Minor units.
    pub amount: u64,
    /// DE 49.
    pub currency: String,
    /// What the old station makes of it: `to` its issuer, `passed`, or the code and the rule that declines it.
    pub old: String,
    /// What the new one does.
    pub new: String,
    /// Why a rule of a file declines it.
    pub evidence: String,
}

/// How many requests turned from one ruling to another.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Rulings {
    /// As [`Turned::old`].
    pub old: String,
    /// As [`Turned::new`].
    pub new: String,
    /// Which requests.
    pub requests: Tally,
}

/// What came of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Decisions {
    /// Requests that were compared.
    pub compared: u64,
    /// Of these, declined then for a reason that neither station's lists, routes, limits and rules have to do with.
    pub stood: u64,
    /// Let through by the old station, declined by the new one.
    pub declined: Tally,
    /// Declined by the old station, let through by the new one.
    pub passed: Tally,
    /// Declined by both, for different reasons.
    pub otherwise: Tally,
    /// Let through by both, to different issuers.
    pub routed: Tally,
    /// Let through by both; whether to different issuers cannot be told from the digits of the card on record.
    pub untold: Tally,
    /// What turned into what.
    pub reasons: Vec<Rulings>,
    /// The first changes, in the ledger's order.
    pub changes: Vec<Turned>,
}

impl Decisions {
    /// The most rows of [`Decisions::reasons`].
    pub const REASONS: usize = 1_000;

    /// Whether every request would have been decided and routed as before, as far as can be told.
    #[must_use]
    pub fn are_the_same(&self) -> bool {
        let Self { declined, passed, otherwise, routed, untold, .. } = self;
        [declined, passed, otherwise, routed, untold].into_iter().all(|tally| tally.count == 0)
    }
}

/// Goes over a ledger for two stations.
pub struct Comparison<'a> {
    old: Seat<'a>,
    new: Seat<'a>,
    ways: HashMap<Option<Bin>, Ways<'a>>,
    span: Span,
    most: usize,
    /// The newest date that was met: what is long before it is forgotten.
    newest: Option<BusinessDate>,
    reasons: BTreeMap<(String, String), Tally>,
    report: Decisions,
}

impl<'a> Comparison<'a> {
    /// Compares two stations on the requests of a span; at most so many changes are listed.
    #[must_use]
    pub fn new(old: Counterpart<'a>, new: Counterpart<'a>, span: Span, most: usize) -> Self {
        Self {
            old: Seat::new(old),
            new: Seat::new(new),
            ways: HashMap::new(),
            span,
            most,
            newest: None,
            reasons: BTreeMap::new(),
            report: Decisions::default(),
        }
    }

    /// What came of it.
    #[must_use]
    pub fn report(self) -> Decisions {
        let rows = self.reasons.into_iter().take(Decisions::REASONS);
        let reasons = rows.map(|((old, new), requests)| Rulings { old, new, requests }).collect();
        Decisions { reasons, ..self.report }
    }

    fn compare(&mut self, intent: &Intent, old: &Judged<'a>, new: &Judged<'a>, is_untold: bool) {
        let report = &mut self.report;
        report.compared += 1;
        if stands(intent) {
            report.stood += 1;
            return;
        }
        let tally = match (&old.ruled, &new.ruled) {
            (Ruled::Declined(old), Ruled::Declined(new)) if old == new => return,
            (Ruled::Declined(_), Ruled::Declined(_)) => &mut report.otherwise,
            (Ruled::Declined(_), _) => &mut report.passed,
            (_, Ruled::Declined(_)) => &mut report.declined,
            _ if is_untold => return report.untold.add(intent.currency, intent.amount),
            (old, new) if old == new => return,
            _ => &mut report.routed,
        };
        tally.add(intent.currency, intent.amount);
        let (was, would) = (old.ruled.to_string(), new.ruled.to_string());
        self.reasons.entry((was.clone(), would.clone())).or_default().add(intent.currency, intent.amount);
        if report.changes.len() < self.most {
            let evidence = if new.evidence.is_empty() { &old.evidence } else { &new.evidence };
            report.changes.push(Turned {
                number: intent.id.0,
                rrn: intent.rrn.to_string(),
                terminal: intent.identity.terminal.to_string(),
                kind: intent.kind.name(),
                card: intent.masked.to_string(),
                amount: intent.amount.minor(),
                currency: intent.currency.to_string(),
                old: was,
                new: would,
                evidence: evidence.clone(),
            });
        }
    }

    /// A new day: nothing is asked of counters of days long gone.
    fn turn_to(&mut self, date: BusinessDate) {
        if self.newest.is_none_or(|newest| date > newest) {
            self.newest = Some(date);
            self.old.forget(date);
            self.new.forget(date);
        }
    }
}

impl Visitor for Comparison<'_> {
    fn asked(
        &mut self,
        intent: &Intent,
        memory: &Memory,
        sums: &impl Sums,
        declined: bool,
    ) -> SmallVec<[Reservation; 2]> {
        self.turn_to(intent.date);
        let bin = intent.scene.bin.or_else(|| Bin::parse(intent.masked.as_str().as_bytes().get(..6)?));
        let (old, new) = (&self.old, &self.new);
        let by_card = self.ways.entry(bin).or_insert_with(|| ways(old.of.registry.bins(), new.of.registry.bins(), bin));
        // A follow-up goes where its original went, whatever the routes say now.
        let ways = if intent.follows.is_some() { Ways::default() } else { *by_card };
        let (was, would) = (old.judge(intent, memory, sums, ways.old), new.judge(intent, memory, sums, ways.new));
        let counted = self.counted(intent);
        if !stands(intent) && kinds::of(intent.kind).reserves {
            self.old.count(intent, declined, &was, &counted);
            self.new.count(intent, declined, &would, &counted);
        }
        if self.span.has(intent.received) {
            self.compare(intent, &was, &would, ways.is_untold);
        }
        let known = |key| intent.reservations.iter().any(|reserved| reserved.key == key);
        counted.into_iter().filter(|reservation| !known(reservation.key)).collect()
    }

    fn stood(&mut self, intent: &Intent) -> SmallVec<[Reservation; 2]> {
        self.counted(intent)
    }

    fn fared(&mut self, intent: &Intent, from: Fate, to: Fate) {
        self.old.fared(intent, from, to);
        self.new.fared(intent, from, to);
    }
}

impl Comparison<'_> {
    /// What either station's rules count of a request.
    fn counted(&self, intent: &Intent) -> SmallVec<[Reservation; 2]> {
        let situation = intent.situation();
        let mut counted = risk::counted(self.old.of.rules, &situation);
        let more = risk::counted(self.new.of.rules, &situation);
        let more: SmallVec<[Reservation; 2]> =
            more.into_iter().filter(|one| counted.iter().all(|known| known.key != one.key)).collect();
        counted.extend(more);
        counted
    }
}

/// What a full counter of a terminal's day refuses by.
const TERMINAL_DAILY: &str = "terminal-daily";
/// By which names full counters refuse that lists and rules limit.
const COUNTERS: [&str; 5] = [TERMINAL_DAILY, "card-daily", "merchant-daily", "range-daily", "entry-daily"];

/// Whether it was declined then for a reason that has nothing to do with what is compared: it would be again.
fn stands(intent: &Intent) -> bool {
    let Some(refusal) = &intent.refusal else { return false };
    let rule = &*refusal.rule;
    // A link that was down is no matter of routes.
    let is_unrouted = rule == "route" && refusal.code == ResponseCode::IssuerUnknown;
    past_rule(intent).is_none() && !risk::is_built_in(rule) && !COUNTERS.contains(&rule) && !is_unrouted
}

/// What a station makes of a request, and why.
struct Judged<'a> {
    ruled: Ruled<'a>,
    evidence: String,
}

/// One of the two stations, and how its day would differ from the one on record.
struct Seat<'a> {
    of: Counterpart<'a>,
    /// What its counters hold more than those on record, or less.
    moved: HashMap<CounterKey, (i128, i64)>,
    /// What was let through and it would have declined: while it lives, it is on the counters on record and not on its.
    turned: HashMap<TxnId, BusinessDate>,
}

impl<'a> Seat<'a> {
    fn new(of: Counterpart<'a>) -> Self {
        Self { of, moved: HashMap::new(), turned: HashMap::new() }
    }

    fn judge(&self, intent: &Intent, memory: &Memory, sums: &impl Sums, way: Way<'a>) -> Judged<'a> {
        let situation = intent.situation();
        let declined = |refusal| Judged { ruled: Ruled::Declined(refusal), evidence: String::new() };
        let Some(facts) = self.of.registry.terminal(situation.terminal) else {
            return declined(Refusal { code: ResponseCode::TerminalUnknown, rule: "terminal-unknown".into() });
        };
        let sums = OwnSums { recorded: sums, moved: &self.moved };
        let assessment = risk::assess_again(&situation, facts);
        let nobody = || Refusal { code: ResponseCode::IssuerUnknown, rule: "route".into() };
        let first = assessment.refusal.or_else(|| (way == Way::Nobody).then(nobody));
        // Where a rule refuses the same request, it says more than the binding of the merchant.
        let (binding, own) = match first {
            Some(refusal) if refusal.rule == "merchant-binding" => (Some(refusal), None),
            own => (None, own),
        };
        if let Some(refusal) = own {
            return declined(refusal);
        }
        let judgement = risk::judge(self.of.rules, &situation, memory, &sums);
        if let Some(refusal) = judgement.refusal {
            let hits = judgement.note.iter().flat_map(|note| &note.hits);
            let own = hits.into_iter().find(|hit| *hit.rule == *refusal.rule && !hit.shadow);
            let evidence = own.map(|hit| hit.evidence.to_string()).unwrap_or_default();
            return Judged { ruled: Ruled::Declined(refusal), evidence };
        }
        let full = || {
            assessment.reservations.iter().find_map(|reservation| {
                let (amount, count) = sums.sum(&reservation.key);
                reservation.refusal(amount, count).map(|code| Refusal { code, rule: TERMINAL_DAILY.into() })
            })
        };
        if let Some(refusal) = binding.or_else(full) {
            return declined(refusal);
        }
        let ruled = match way {
            Way::To(issuer) => Ruled::To(issuer),
            Way::Nobody | Way::Somewhere => Ruled::Passed,
        };
        Judged { ruled, evidence: String::new() }
    }

    /// Its counters go another way than those on record where it decides otherwise than was decided.
    fn count(&mut self, intent: &Intent, declined: bool, judged: &Judged<'_>, counted: &[Reservation]) {
        let declines = matches!(judged.ruled, Ruled::Declined(_));
        if declined == declines {
            return;
        }
        let own = CounterKey { counted: risk::Counted::Terminal(intent.identity.terminal), date: intent.date };
        let taken = intent.reservations.iter().chain(counted).map(|reservation| reservation.key);
        let mut keys: SmallVec<[CounterKey; 4]> = taken.chain(declined.then_some(own)).collect();
        let mut seen = SmallVec::<[CounterKey; 4]>::new();
        keys.retain(|key| {
            let is_new = !seen.contains(key);
            seen.push(*key);
            is_new
        });
        if declines {
            self.turned.insert(intent.id, intent.date);
        }
        self.shift(&keys, intent, if declines { -1 } else { 1 });
    }

    fn fared(&mut self, intent: &Intent, from: Fate, to: Fate) {
        let by = match (from == Fate::Live, to == Fate::Live) {
            (true, false) => 1,
            (false, true) => -1,
            _ => return,
        };
        if self.turned.contains_key(&intent.id) {
            let keys: SmallVec<[CounterKey; 4]> = intent.reservations.iter().map(|one| one.key).collect();
            self.shift(&keys, intent, by);
        }
    }

    fn shift(&mut self, keys: &[CounterKey], intent: &Intent, by: i8) {
        for key in keys {
            let (amount, count) = self.moved.entry(*key).or_default();
            *amount = amount.saturating_add(i128::from(intent.amount.minor()) * i128::from(by));
            *count = count.saturating_add(i64::from(by));
        }
    }

    /// Drops what is more than two days old.
    fn forget(&mut self, newest: BusinessDate) {
        let is_young = |date: BusinessDate| newest.days_after(date) <= 2;
        self.moved.retain(|key, _| is_young(key.date));
        self.turned.retain(|_, date| is_young(*date));
    }
}

/// The day's counters as they would be.
struct OwnSums<'s, S> {
    recorded: &'s S,
    moved: &'s HashMap<CounterKey, (i128, i64)>,
}

impl<S: Sums> Sums for OwnSums<'_, S> {
    fn sum(&self, key: &CounterKey) -> (u64, u32) {
        let (amount, count) = self.recorded.sum(key);
        let Some((more, times)) = self.moved.get(key) else { return (amount, count) };
        let amount = i128::from(amount).saturating_add(*more).clamp(0, i128::from(u64::MAX));
        let count = i64::from(count).saturating_add(*times).clamp(0, i64::from(u32::MAX));
        (u64::try_from(amount).unwrap_or(u64::MAX), u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// Where a station's routes send a card.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Way<'a> {
    /// To this issuer.
    To(&'a IssuerName),
    /// No prefix fits.
    Nobody,
    /// The digits on record do not tell.
    #[default]
    Somewhere,
}

/// Where the two stations' routes send a card.
#[derive(Clone, Copy, Debug, Default)]
struct Ways<'a> {
    old: Way<'a>,
    new: Way<'a>,
    /// Whether they may differ by digits that are not on record.
    is_untold: bool,
}

/// By the first six digits of a card, where they are on record.
fn ways<'a>(old: &'a BinTable, new: &'a BinTable, bin: Option<Bin>) -> Ways<'a> {
    let Some(bin) = bin else { return Ways { is_untold: old != new, ..Ways::default() } };
    let [(old, longer), (new, longer_now)] = [old, new].map(|table| {
        let (first, longer) = table.of_bin(bin);
        let longer: Vec<_> = longer.into_iter().map(|row| (row.prefix, row.issuers.first())).collect();
        (first, longer)
    });
    let way = |first: Option<&'a IssuerName>| first.map_or(Way::Nobody, Way::To);
    let agree = longer.iter().all(|(_, issuer)| *issuer == old) && longer_now.iter().all(|(_, issuer)| *issuer == new);
    if agree {
        return Ways { old: way(old), new: way(new), is_untold: false };
    }
    Ways { is_untold: old != new || longer != longer_now, ..Ways::default() }
}
