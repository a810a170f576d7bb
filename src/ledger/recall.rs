//! The ledger's questions to closed days. A transaction that left the book and is followed, reversed or
//! answered late comes back into it, in the commit of what it came back for.

use super::Asked;
use super::Decided;
use super::Decision;
use super::EmbeddedLedger;
use super::Identity;
use super::Intended;
use super::Ledger;
use super::LedgerFault;
use super::OriginalKey;
use super::Outcome;
use super::Recorded;
use super::Reversal;
use super::Reversed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::closed::ClosedDays;
use super::closed::Key;
use super::closed::Memory;
use super::embedded::Kept;
use super::identities::can_be_one;
use super::journal::Ticket;
use super::plan::Planned;
use super::record::Commit;
use super::record::KeptReversal;
use super::record::Record;
use super::record::Records;
use super::record::Standing;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::PanToken;
use crate::model::Rrn;
use parking_lot::MutexGuard;

/// More follow-ups of follow-ups than there are.
const ROUNDS: usize = 16;

impl EmbeddedLedger {
    /// Takes the book, with what closed days know of the keys and of what those transactions follow. The files
    /// are read before the book is taken, mostly not at all.
    pub(super) fn remember(
        &self,
        keys: impl FnOnce(&ClosedDays) -> Vec<Key>,
    ) -> Result<(MutexGuard<'_, Kept>, Memory), LedgerFault> {
        let Some(closed) = &self.closed else { return Ok((self.kept.lock(), Memory::default())) };
        let kept = self.kept.lock();
        if closed.is_empty() {
            return Ok((kept, Memory::default()));
        }
        drop(kept);
        let mut keys = keys(closed);
        let mut rounds = 0;
        loop {
            let files = closed.files();
            // What cannot be read is not unknown: nothing may be decided on it.
            let found = files.find(&keys).map_err(|_| LedgerFault::Full)?;
            let kept = self.kept.lock();
            let Some(memory) = closed.memory(&files, found, &keys) else { continue };
            let missing = memory.missing().filter(|id| !kept.book.entries.contains_key(id));
            let missing: Vec<Key> = missing.map(|id| closed.keyed.id(id)).filter(|key| !keys.contains(key)).collect();
            if missing.is_empty() || rounds == ROUNDS {
                return Ok((kept, memory));
            }
            keys.extend(missing);
            rounds += 1;
        }
    }

    /// Plans and keeps, `line` being back in the book by then.
    pub(super) fn keep_with<T>(
        &self,
        kept: &mut Kept,
        line: Vec<Standing>,
        plan: impl FnOnce(&Book) -> Planned<T>,
    ) -> Result<(T, Ticket), LedgerFault> {
        let line = line.into_iter().filter(|standing| !kept.book.entries.contains_key(&standing.intent.id));
        let back: Records = line.map(|standing| Record::Standing(Box::new(standing))).collect();
        for record in &back {
            kept.book.apply(record);
        }
        let planned = plan(&kept.book);
        let new = planned.as_ref().map_or(&[][..], |commit| &commit.records);
        let all: Records = back.iter().chain(new).cloned().collect();
        let ticket = self.push(&all);
        for record in new {
            self.take_in(kept, record, &ticket);
        }
        planned.map(|commit| (commit.reply, ticket))
    }

    /// An intent whose identity the book does not know, after what closed days know of it; and its terminal's facts.
    pub(super) fn intend_after(&self, asked: Asked) -> Result<(Intended, Ticket), LedgerFault> {
        let Asked { intent, checks, noting: facts } = asked;
        let terminal = intent.identity.terminal;
        let (identity, date) = (intent.identity.clone(), intent.date);
        let (mut kept, memory) = self.remember(|closed| {
            let followed = intent.follows.map(|id| closed.keyed.id(id));
            [closed.keyed.request(&identity)].into_iter().chain(followed).collect()
        })?;
        if kept.book.identities.request(&identity).is_none()
            && let Some(known) = memory
                .transaction(|standing| standing.intent.identity == identity && can_be_one(standing.intent.date, date))
        {
            let same = known.intent.content == intent.content;
            let told =
                Entry::standing(known).decided().filter(|_| same).map_or(Intended::Mismatch, Intended::Duplicate);
            let note = |book: &Book| facts.and_then(|facts| book.note(terminal, facts)).into_iter().collect();
            return self.keep_with(&mut kept, Vec::new(), |book| Ok(Commit { records: note(book), reply: told }));
        }
        let buried = memory.reversal(|kept| kept.buries(&identity) && can_be_one(kept.reversal.date, date)).is_some();
        let line = intent.follows.map(|id| memory.line(id)).unwrap_or_default();
        let room = self.room();
        self.keep_with(&mut kept, line, |book| {
            let mut commit = book.plan_intent((intent, checks.as_deref()), room, buried)?;
            commit.records.extend(facts.and_then(|facts| book.note(terminal, facts)));
            Ok(commit)
        })
    }

    /// A decision, also of what was decided and left with its day: the loser of the race reads the winner.
    pub(super) fn decide_after(&self, id: TxnId, decision: Decision) -> Result<(Decided, Ticket), LedgerFault> {
        let kept = self.kept.lock();
        let (mut kept, memory) = if kept.book.entries.contains_key(&id) {
            (kept, Memory::default())
        } else {
            drop(kept);
            self.remember(|closed| vec![closed.keyed.id(id)])?
        };
        self.keep_with(&mut kept, memory.line(id), |book| book.plan_decision(id, decision))
    }

    /// A terminal's reversal; its original may have left with its day, and comes back for it.
    pub(super) fn reverse_after(
        &self,
        reversal: Reversal,
        card: Option<PanToken>,
    ) -> Result<(Reversed, Ticket), LedgerFault> {
        let number = self.number(reversal.date);
        let terminal = reversal.identity.terminal;
        let (mut kept, memory) = self.remember(|closed| {
            let own = closed.keyed.reversal(&reversal.identity);
            vec![own, closed.keyed.original(terminal, &reversal.original)]
        })?;
        let same = |kept: &KeptReversal| {
            kept.reversal.identity == reversal.identity
                && kept.reversal.original == reversal.original
                && can_be_one(kept.reversal.date, reversal.date)
        };
        if let Some(known) = memory.reversal(same).filter(|_| kept.book.identities.reversal(&reversal).is_none()) {
            return Ok((Reversed::Repeat(known.decided()), self.head()));
        }
        // Nobody reverses another terminal's transaction.
        let key = OriginalKey { terminal, ..reversal.original.clone() };
        let line = Self::original_line(&kept.book, &memory, &key, reversal.date);
        let room = self.room();
        self.keep_with(&mut kept, line, |book| book.plan_reversal((reversal, card), number, room))
    }

    /// A late answer; what it answers comes back only if it says something new.
    pub(super) fn note_late_after(
        &self,
        issuer: &IssuerName,
        rrn: Rrn,
        outcome: Outcome,
    ) -> Result<(Option<TxnId>, Ticket), LedgerFault> {
        let (mut kept, memory) = self.remember(|closed| vec![closed.keyed.rrn(rrn)])?;
        let asked = |standing: &Standing| {
            let outbound = standing.intent.outbound.as_ref();
            standing.intent.rrn == rrn && outbound.is_some_and(|outbound| outbound.issuer == *issuer)
        };
        let known = memory.transaction(asked).filter(|_| !kept.book.rrns.contains_key(&rrn));
        let Some(standing) = known else {
            return self.keep_with(&mut kept, Vec::new(), |book| book.plan_late(issuer, rrn, outcome));
        };
        let id = standing.intent.id;
        if standing.late == Some(outcome) || standing.late == Some(Outcome::Approved) {
            return Ok((Some(id), self.head()));
        }
        self.keep_with(&mut kept, memory.line(id), |book| book.plan_late(issuer, rrn, outcome))
    }

    /// The line of the original that a reversal names, if the book does not know it.
    pub(super) fn original_line(book: &Book, memory: &Memory, key: &OriginalKey, date: BusinessDate) -> Vec<Standing> {
        if book.identities.original(key).is_some() {
            return Vec::new();
        }
        let means =
            |standing: &Standing| key.means(&standing.intent.identity) && can_be_one(standing.intent.date, date);
        let original = memory.transaction(means);
        original.map(|standing| memory.line(standing.intent.id)).unwrap_or_default()
    }

    /// A transaction of a closed day, as it stands.
    pub(super) fn recorded_before(
        &self,
        key: impl FnOnce(&ClosedDays) -> Key,
        wanted: impl Fn(&Standing) -> bool,
    ) -> Option<Recorded> {
        let (_, memory) = self.remember(|closed| vec![key(closed)]).ok()?;
        memory.transaction(wanted).map(Standing::recorded)
    }

    /// The decision of a transaction that is not in the book any more.
    pub(super) fn decided_before(&self, id: TxnId) -> Result<Decided, LedgerFault> {
        let recorded = self.recorded_before(|closed| closed.keyed.id(id), |standing| standing.intent.id == id);
        recorded.and_then(|recorded| recorded.decided).ok_or(LedgerFault::Unknown)
    }
}

impl OriginalKey {
    /// Whether it names the request of this identity.
    pub(super) fn means(&self, identity: &Identity) -> bool {
        self.terminal == identity.terminal
            && self.stan == identity.stan
            && self.scope == identity.scope
            && self.class.is_none_or(|class| class == identity.class)
    }
}

impl KeptReversal {
    /// Whether it came before the request of this identity, which must be declined then.
    fn buries(&self, identity: &Identity) -> bool {
        let original = &self.reversal.original;
        let key = OriginalKey { terminal: self.reversal.identity.terminal, ..original.clone() };
        self.original.is_none() && key.means(identity)
    }
}

impl Standing {
    /// The whole record.
    pub(super) fn recorded(&self) -> Recorded {
        let entry = Entry::standing(self);
        Recorded {
            effect: self.followers.effect(self.state.effect()),
            adjusted: self.followers.adjusted(self.intent.kind),
            decided: entry.decided(),
            intent: entry.intent,
            late: self.late,
        }
    }
}
