//! Records into tables.

use super::Archive;
use super::ArchiveFault;
use super::Query;
use super::words;
use crate::ledger::Answer;
use crate::ledger::BatchRecord;
use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Outbound;
use crate::ledger::TxnId;
use crate::ledger::history::Reader;
use crate::ledger::journal::Group;
use crate::ledger::kinds;
use crate::ledger::lifecycle::State;
use crate::ledger::record::KeptReversal;
use crate::ledger::record::Record;
use crate::ledger::record::Standing;
use crate::ledger::verify::standing;
use crate::model::BusinessDate;
use crate::model::ResponseCode;
use crate::model::Timestamp;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use std::collections::HashSet;

/// A number as SQLite keeps it: what does not fit, which no number of a ledger does, becomes the largest.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Feeds an archive with what is read. A fault is kept until [`Feed::finish`]; nothing is fed after it.
pub(super) struct Feed<'a> {
    pub(super) archive: &'a Archive,
    /// Only the transactions that it asks for, and what concerns them.
    wanted: Option<&'a Query>,
    ids: HashSet<TxnId>,
    pub(super) group: u64,
    wall: Timestamp,
    pub(super) record: i64,
    fault: Option<ArchiveFault>,
}

impl Reader for Feed<'_> {
    fn departed(&mut self, record: &Record) {
        self.record(record);
        if let Record::Standing(standing) = record
            && self.fault.is_none()
            && (self.wanted.is_none() || self.ids.contains(&standing.intent.id))
        {
            self.fault = self.left(standing).err();
        }
    }

    // What closed days and a snapshot say is counted together, as if it were group 0.
    fn snapshot(&mut self, _begins: bool) {}

    fn group(&mut self, group: &Group<'_>) {
        (self.group, self.wall, self.record) = (group.header.number, group.header.wall, 0);
    }

    fn record(&mut self, record: &Record) {
        if self.fault.is_none() && self.wants(record) {
            self.fault = self.feed(record).err();
        }
        self.record += 1;
    }

    fn group_ends(&mut self) {}
}

const INTENDED: &str = "INSERT OR IGNORE INTO txn (id, rrn, business_date, terminal, stan, scope, merchant, kind,
    processing_code, amount, currency, entry_mode, received, test_mode, masked_pan, token, issuer, issuer_stan,
    follows, rule, offset_minutes, batch, product, foreign_card, operator, family, settled_on, risk, standing,
    attempts, closed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
    ?24, ?25, ?26, ?27, ?28, 'open', 0, 0)";
const DECIDED: &str = "UPDATE txn SET outcome = ?2, code = ?3, approval = ?4, approved_amount = ?5, standing = ?6,
    decided = ?7 WHERE id = ?1";
const BATCH: &str = "INSERT OR REPLACE INTO batch (number, rrn, terminal, batch, merchant, test_mode, state, closed_on,
    closed_at, balanced, differences) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const SETTLED: &str = "UPDATE txn SET settled_on = ?4, settled_at = ?5
    WHERE terminal = ?1 AND batch = ?2 AND batch IS NOT NULL AND settled_at IS NULL AND id < ?3";
const IN_ITS_BATCH: &str = "UPDATE txn SET (settled_on, settled_at) = (SELECT closed_on, closed_at FROM batch
    WHERE batch.terminal = txn.terminal AND batch.batch = txn.batch AND batch.number > txn.id ORDER BY number LIMIT 1)
    WHERE id = ?1 AND batch IS NOT NULL AND settled_at IS NULL AND EXISTS (SELECT 1 FROM batch
    WHERE batch.terminal = txn.terminal AND batch.batch = txn.batch AND batch.number > txn.id)";
const REVERSAL: &str = "INSERT OR IGNORE INTO reversal (id, rrn, business_date, terminal, stan, original,
    original_stan, amount, received, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

impl<'a> Feed<'a> {
    pub(super) fn new(archive: &'a Archive, wanted: Option<&'a Query>) -> Self {
        Self { archive, wanted, ids: HashSet::new(), group: 0, wall: Timestamp(0), record: 0, fault: None }
    }

    /// Says whether everything was fed.
    pub(super) fn finish(self) -> Result<(), ArchiveFault> {
        self.fault.map_or(Ok(()), Err)
    }

    /// Whether the record concerns a transaction that is asked for.
    fn wants(&mut self, record: &Record) -> bool {
        let Some(query) = self.wanted else { return true };
        match record {
            Record::Intended(intent) | Record::Declined(intent, _) => {
                let is_wanted = query.is_for(intent);
                if is_wanted {
                    self.ids.insert(intent.id);
                }
                is_wanted || intent.follows.is_some_and(|followed| self.ids.contains(&followed))
            }
            Record::Reversal(kept) => {
                let undoes = kept.original.is_some_and(|original| self.ids.contains(&original));
                undoes || query.is_for_reversal(kept)
            }
            Record::Rerouted(id, _)
            | Record::Decided(id, ..)
            | Record::Moved(id, _)
            | Record::Attempted(id, _)
            | Record::Refused(id, ..)
            | Record::Late(id, _) => self.ids.contains(id),
            Record::Closed(_) => true,
            Record::Standing(standing) => {
                let is_wanted = query.is_for(&standing.intent);
                if is_wanted {
                    self.ids.insert(standing.intent.id);
                }
                is_wanted
            }
            Record::Terminal(..) | Record::DataKey(..) | Record::Stan(..) | Record::Marks(_) | Record::Zone(..) => {
                false
            }
            Record::Batch(_) => true,
            Record::Uploaded(..) | Record::Opened(..) => false,
            Record::Remembered(_) | Record::Step(_) | Record::Ladder(..) | Record::Revision(_) => false,
        }
    }

    fn feed(&self, record: &Record) -> Result<(), ArchiveFault> {
        match record {
            Record::Intended(intent) => self.intended(intent, &words::intended(intent)),
            Record::Declined(intent, answer) => self.declined(intent, answer),
            Record::Rerouted(id, outbound) => self.rerouted(*id, outbound),
            Record::Decided(id, decision, to) => self.decided(*id, decision, *to),
            Record::Moved(id, to) => self.moved(*id, *to, words::moved(*to)),
            Record::Attempted(id, stan) => self.attempted(*id, &stan.to_string()),
            Record::Refused(id, code, to, date) => self.refused(*id, *code, *to, *date),
            Record::Late(id, outcome) => {
                let late = words::outcome(*outcome);
                self.run("UPDATE txn SET late = ?2 WHERE id = ?1", (integer(id.0), late))?;
                self.event(*id, &words::late(*outcome))
            }
            Record::Reversal(kept) => self.reversal(kept),
            Record::Closed(date) => {
                let finished = "UPDATE txn SET closed = 1 WHERE business_date = ?1 AND closed = 0
                    AND standing NOT IN ('open', 'advising', 'reversing')";
                self.run(finished, [date.to_string()])?;
                let closed = "INSERT OR REPLACE INTO day (business_date, number) VALUES (?1, ?2)";
                self.run(closed, (date.to_string(), integer(self.group)))
            }
            Record::Standing(standing) => self.stands(standing),
            Record::Terminal(..) | Record::DataKey(..) | Record::Stan(..) | Record::Marks(_) | Record::Zone(..) => {
                Ok(())
            }
            Record::Batch(batch) => self.batch(batch),
            Record::Uploaded(..) | Record::Opened(..) | Record::Remembered(_) => Ok(()),
            Record::Step(entry) => self.stepped(entry),
            Record::Ladder(subject, ladder) => self.laddered(subject, ladder),
            Record::Revision(revision) => self.revised(revision),
        }
    }

    pub(super) fn run(&self, statement: &str, parameters: impl Params) -> Result<(), ArchiveFault> {
        self.archive.connection.prepare_cached(statement)?.execute(parameters)?;
        Ok(())
    }

    fn event(&self, id: TxnId, what: &str) -> Result<(), ArchiveFault> {
        let insert = "INSERT OR IGNORE INTO event (id, number, record, at, what) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.run(insert, (integer(id.0), integer(self.group), self.record, self.wall.0, what))
    }

    fn intended(&self, intent: &Intent, what: &str) -> Result<(), ArchiveFault> {
        if self.wanted.is_none() || self.ids.contains(&intent.id) {
            self.enter(intent)?;
            self.event(intent.id, what)?;
        }
        match intent.follows {
            Some(followed) => self.event(followed, &words::followed_by(intent)),
            None => Ok(()),
        }
    }

    fn enter(&self, intent: &Intent) -> Result<(), ArchiveFault> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let outbound = intent.outbound.as_ref();
        let parameters = rusqlite::params![
            integer(intent.id.0),
            intent.rrn.as_str(),
            intent.date.to_string(),
            intent.identity.terminal.as_str(),
            intent.identity.stan.to_string(),
            text(&intent.identity.scope.0),
            intent.merchant.as_str(),
            intent.kind.name(),
            intent.processing_code.as_str(),
            integer(intent.amount.minor()),
            intent.currency.to_string(),
            text(&intent.entry_mode.digits()),
            intent.received.0,
            intent.test_mode,
            intent.masked.to_string(),
            intent.token.0,
            outbound.map(|outbound| outbound.issuer.as_str()),
            outbound.map(|outbound| outbound.stan.to_string()),
            intent.follows.map(|id| integer(id.0)),
            intent.refusal.as_ref().map(|refusal| refusal.rule.as_ref()),
            intent.offset_minutes,
            intent.batch.map(|batch| batch.to_string()),
            intent.card.product.name(),
            intent.card.foreign,
            intent.operator.as_ref().map(|operator| operator.as_str().to_owned()),
            integer(kinds::family_of(intent.kind, intent.id, intent.follows).0),
            intent.batch.is_none().then(|| intent.date.to_string()),
            intent.risk.as_deref().map(words::risk),
        ];
        self.run(INTENDED, parameters)
    }

    fn declined(&self, intent: &Intent, answer: &Answer) -> Result<(), ArchiveFault> {
        self.intended(intent, &words::declined(intent, answer.code))?;
        let parameters = (integer(intent.id.0), "declined", answer.code.code(), None::<&str>, None::<i64>);
        let (id, outcome, code, approval, amount) = parameters;
        self.run(DECIDED, (id, outcome, code, approval, amount, "declined", self.wall.0))
    }

    /// A transaction as it stands: of a snapshot, where the groups that led to it are gone, or come back from its
    /// closed day.
    fn stands(&self, standing: &Standing) -> Result<(), ArchiveFault> {
        let (intent, state) = (&standing.intent, standing.state);
        self.enter(intent)?;
        let update = "UPDATE txn SET outcome = ?2, code = ?3, approval = ?4, approved_amount = ?5, standing = ?6,
            late = ?7, attempts = ?8, refused = ?9, closed = 0,
            undone_on = CASE WHEN ?10 THEN (SELECT min(business_date) FROM reversal WHERE original = ?1) END
            WHERE id = ?1";
        let answer = standing.answer.as_ref();
        let parameters = rusqlite::params![
            integer(intent.id.0),
            state.outcome().map(words::outcome),
            answer.map(|answer| answer.code.code()),
            answer.and_then(|answer| answer.approval).map(|approval| approval.as_str().to_owned()),
            answer.and_then(|answer| answer.amount).map(|amount| integer(amount.minor())),
            self::standing(state),
            standing.late.map(words::outcome),
            standing.attempts,
            standing.refused.map(|code| code.code()),
            // A reversal that undid nothing gives it no date.
            matches!(state, State::Reversing(_) | State::Reversed(_) | State::Irreversible(_)),
        ];
        self.run(update, parameters)?;
        self.run(IN_ITS_BATCH, [integer(intent.id.0)])?;
        self.event(intent.id, words::stands(intent, state).as_str())
    }

    /// A batch takes no transactions any more: those that are in it settle on its date.
    fn batch(&self, batch: &BatchRecord) -> Result<(), ArchiveFault> {
        let parameters = rusqlite::params![
            integer(batch.number.0),
            batch.rrn.as_str(),
            batch.terminal.as_str(),
            batch.batch.to_string(),
            batch.merchant.as_str(),
            batch.test_mode,
            batch.state.name(),
            batch.closed_on.to_string(),
            batch.closed_at.0,
            batch.is_balanced(),
            integer(batch.differences.len() as u64),
        ];
        self.run(BATCH, parameters)?;
        let (terminal, number) = (batch.terminal.as_str(), batch.batch.to_string());
        let (date, at) = (batch.closed_on.to_string(), batch.closed_at.0);
        self.run(SETTLED, (terminal, number, integer(batch.number.0), date, at))
    }

    /// It left with its day, before the first group that is there. If nothing tells any more when its batch was
    /// closed, it counts on its own date.
    fn left(&self, standing: &Standing) -> Result<(), ArchiveFault> {
        let intent = &standing.intent;
        let closed = "UPDATE txn SET closed = 1, settled_on = coalesce(settled_on, business_date) WHERE id = ?1";
        self.run(closed, [integer(intent.id.0)])?;
        self.run("INSERT OR IGNORE INTO day (business_date, number) VALUES (?1, 0)", [intent.date.to_string()])
    }

    fn rerouted(&self, id: TxnId, outbound: &Outbound) -> Result<(), ArchiveFault> {
        let update = "UPDATE txn SET issuer = ?2, issuer_stan = ?3 WHERE id = ?1";
        self.run(update, (integer(id.0), outbound.issuer.as_str(), outbound.stan.to_string()))?;
        self.event(id, &words::rerouted(outbound))
    }

    fn decided(&self, id: TxnId, decision: &Decision, to: State) -> Result<(), ArchiveFault> {
        let answer = &decision.answer;
        let approval = answer.approval.map(|approval| approval.as_str().to_owned());
        let amount = answer.amount.map(|amount| integer(amount.minor()));
        let (outcome, code) = (words::outcome(decision.outcome), answer.code.code());
        self.run(DECIDED, (integer(id.0), outcome, code, approval, amount, standing(to), self.wall.0))?;
        self.event(id, &words::decided(decision, to))
    }

    fn moved(&self, id: TxnId, to: State, what: &str) -> Result<(), ArchiveFault> {
        self.run("UPDATE txn SET standing = ?2 WHERE id = ?1", (integer(id.0), standing(to)))?;
        self.event(id, what)
    }

    fn attempted(&self, id: TxnId, stan: &str) -> Result<(), ArchiveFault> {
        let update = "UPDATE txn SET attempts = attempts + 1 WHERE id = ?1 RETURNING standing, attempts";
        let mut update = self.archive.connection.prepare_cached(update)?;
        let row = update.query_row([integer(id.0)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        let (standing, attempts) = row.optional()?.unwrap_or_default();
        self.event(id, &words::sent(&standing, stan, attempts))
    }

    /// The message itself may be refused, and later its reversal too.
    fn refused(
        &self,
        id: TxnId,
        code: ResponseCode,
        to: State,
        date: Option<BusinessDate>,
    ) -> Result<(), ArchiveFault> {
        let date = date.map_or_else(|| self.calendar_date(id), Ok)?.to_string();
        let refused = match to {
            State::Irreversible(_) => "UPDATE txn SET refused = ?2, undo_refused_on = ?3 WHERE id = ?1",
            _ => "UPDATE txn SET refused = ?2, refused_on = ?3 WHERE id = ?1",
        };
        self.run(refused, (integer(id.0), code.code(), date))?;
        self.moved(id, to, &words::refused(code, to))
    }

    /// That of its terminal's clock at the time of the group: earlier releases did not keep the business date.
    fn calendar_date(&self, id: TxnId) -> Result<BusinessDate, ArchiveFault> {
        let offset = "SELECT offset_minutes FROM txn WHERE id = ?1";
        let offset = self.archive.connection.prepare_cached(offset)?.query_row([integer(id.0)], |row| row.get(0));
        Ok(self.wall.date(offset.optional()?.unwrap_or_default()))
    }

    fn reversal(&self, kept: &KeptReversal) -> Result<(), ArchiveFault> {
        let reversal = &kept.reversal;
        let parameters = rusqlite::params![
            integer(kept.number.0),
            kept.rrn.as_str(),
            reversal.date.to_string(),
            reversal.identity.terminal.as_str(),
            reversal.identity.stan.to_string(),
            kept.original.map(|id| integer(id.0)),
            reversal.original.stan.to_string(),
            integer(reversal.amount.minor()),
            reversal.received.0,
            kept.answer.code.code(),
        ];
        self.run(REVERSAL, parameters)?;
        self.event(kept.number, &words::reversal(kept))?;
        match kept.original {
            Some(original) => {
                // Not if it undoes nothing: what it undoes has moved in the same group.
                let undone =
                    "UPDATE txn SET undone_on = coalesce(undone_on, ?2) WHERE id = ?1 AND standing = 'reversing'";
                self.run(undone, (integer(original.0), reversal.date.to_string()))?;
                self.event(original, &words::undone_by(kept))
            }
            None => Ok(()),
        }
    }
}
