//! A terminal settles its batch (0500), or an operator does it for one that does not.

use super::exchange::{Exchange, Stop, put};
use super::station::{Station, World};
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::settlement::Totals;
use crate::iso8583::settlement::Verdict;
use crate::iso8583::settlement::parse_captured;
use crate::ledger::BatchClose;
use crate::ledger::BatchClosed;
use crate::ledger::BatchRecord;
use crate::ledger::ClosedBy;
use crate::ledger::Ledger;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::Currency;
use crate::model::MerchantId;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::model::VoidsInTotals;
use crate::mutant;
use crate::mutant::Mutant;
use bytes::Bytes;
use std::borrow::Cow;

/// How many transactions of one batch are waited for, one after the other. A terminal that settles sends none.
const WAITED_FOR: usize = 64;

/// Why an operator's close did not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CloseFault {
    /// The registry does not have the terminal.
    #[error("the station has no such terminal")]
    UnknownTerminal,
    /// It never signed in, and has no such batch.
    #[error("the terminal has no such batch")]
    UnknownBatch,
    /// It is closed and stays as it is.
    #[error("the batch is closed already")]
    Closed,
    /// A transaction of it is not decided yet.
    #[error("a transaction of the batch is still under way: try again")]
    Busy,
    /// The ledger could not keep it; the station stops.
    #[error("the ledger failed")]
    Ledger,
}

/// When and under which number an answer about a batch was made first.
struct Stamps {
    at: Timestamp,
    rrn: Rrn,
    settled: Option<BusinessDate>,
}

/// What a settlement claims.
#[derive(Clone, Copy)]
struct Claim {
    totals: BatchTotals,
    /// Whether it tells foreign cards from domestic ones; where it does not, all stand as domestic.
    apart: bool,
}

impl Claim {
    /// By whichever element the dialect has for totals; `None` if that is absent or not of its form.
    fn read(message: &Message) -> Option<Self> {
        if message.dialect().role(Role::ClosingTotals).is_some() {
            let domestic = parse_captured(&message.role(Role::ClosingTotals)?)?;
            return Some(Self { totals: BatchTotals { domestic, ..BatchTotals::default() }, apart: false });
        }
        let totals = Totals::parse(&message.role(Role::AdditionalPrivate)?)?.totals;
        Some(Self { totals, apart: true })
    }
}

impl<W: World> Station<W> {
    /// Settlement: the batch is closed and its totals are compared. Again with the same totals: the recorded
    /// answer.
    pub(super) async fn settle(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        let said = batch_of(exchange, facts)?;
        let claim = Claim::read(exchange.message).ok_or(Stop::format("batch-totals"))?;
        let said_in = exchange.message.role(Role::Currency);
        if said_in.is_some_and(|currency| Currency::parse(&currency) != Some(facts.currency)) {
            return Err(Stop::format("currency"));
        }
        let told_as = counts_itself(exchange).then_some(said);
        let (batch, known) = match told_as {
            Some(own) => self.counted_batch(exchange, facts, (own, claim))?,
            None => (said, self.parts.ledger.batch(facts.terminal, said).is_some()),
        };
        if !known && told_as.is_none() {
            let current = self.current_batch(exchange, facts)?;
            // A batch with transactions is settled whatever the session says: they must get into some batch's close.
            if current != batch && self.parts.ledger.open_batch(facts.terminal, batch).is_none() {
                return self.no_such_batch(exchange, facts, claim);
            }
        }
        let close = self.batch_close(facts, batch, exchange.received, ClosedBy::Terminal);
        let voids = exchange.door.profile.switches.voids;
        let close = BatchClose { told_as, claimed: Some(claim.totals), apart: claim.apart, voids, ..close };
        let moves_on = !known || mutant::is(Mutant::BatchMovesTwice);
        match self.close_batch(close, moves_on, |session| session).await? {
            BatchClosed::Closed { record, given_up } => {
                tell_closed(&record, &given_up);
                self.settled(exchange, facts, &record, claim)
            }
            BatchClosed::Repeat(record) => self.settled(exchange, facts, &record, claim),
            BatchClosed::Differs(_) => {
                tracing::warn!(
                    event = "settlement-differs", terminal = %facts.terminal, batch = %batch,
                    "a batch is settled again, with other totals or after an operator closed it"
                );
                self.no_such_batch(exchange, facts, claim)
            }
            BatchClosed::Running(_) => Err(Stop::code(ResponseCode::SystemFailure, "batch-busy")),
        }
    }

    /// The batch that a terminal settles which counts for itself and hears no number of the station's; and whether it
    /// has done so before, with this number and these totals, and did not hear the answer. Else it is its open one,
    /// whatever it is called here: an operator may have closed one, and the terminal begins where it likes.
    fn counted_batch(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        (own, claim): (BatchNumber, Claim),
    ) -> Result<(BatchNumber, bool), Stop> {
        let (ledger, terminal) = (&self.parts.ledger, facts.terminal);
        let current = self.current_batch(exchange, facts)?;
        // The session is a step ahead of a batch whose close waits for a transaction.
        let closing = Some(current.before()).filter(|before| ledger.open_batch(terminal, *before).is_some());
        let again = |record: &BatchRecord| record.own_number() == own && record.was_claimed(&claim.totals, claim.apart);
        let known = ledger.latest_batch(terminal, again).map(|record| (record.batch, true));
        Ok(known.unwrap_or((closing.unwrap_or(current), false)))
    }

    /// Closes a terminal's batch because a person says so: the one its session is in, or `batch`. The terminal
    /// must sign in again, and gets the next number.
    ///
    /// # Errors
    /// [`CloseFault`]; nothing was changed then.
    pub async fn close_for_operator(
        &self,
        terminal: TerminalId,
        batch: Option<BatchNumber>,
        (actor, reason): (String, String),
    ) -> Result<BatchRecord, CloseFault> {
        let facts = self.parts.registry.load().terminal(terminal).cloned();
        let facts = &*facts.ok_or(CloseFault::UnknownTerminal)?;
        // A DUKPT device has a session from its first message on, and no batch before it settles one.
        let current = self.session(&terminal).map(|session| session.batch).filter(|batch| *batch >= BatchNumber::FIRST);
        let is_current = batch.is_none();
        let batch = batch.or(current).ok_or(CloseFault::UnknownBatch)?;
        let ledger = &self.parts.ledger;
        let known = ledger.batch(terminal, batch).is_some();
        if is_current && self.is_closed_again(terminal, batch) {
            return Err(CloseFault::Closed);
        }
        if !known && current != Some(batch) && ledger.open_batch(terminal, batch).is_none() {
            return Err(CloseFault::UnknownBatch);
        }
        let by = ClosedBy::Operator { actor: Cow::Owned(actor), reason: Cow::Owned(reason) };
        let close = self.batch_close(facts, batch, self.parts.clock.wall(), by);
        let signed_off = |session| SessionFacts { signed_in: false, ..session };
        match self.close_batch(close, !known, signed_off).await {
            Ok(BatchClosed::Closed { record, given_up }) => {
                tell_closed(&record, &given_up);
                Ok(*record)
            }
            Ok(BatchClosed::Repeat(_) | BatchClosed::Differs(_)) => Err(CloseFault::Closed),
            Ok(BatchClosed::Running(_)) => Err(CloseFault::Busy),
            Err(_) => Err(CloseFault::Ledger),
        }
    }

    /// Whether an operator has closed the batch before, and the terminal has not been there since: the same order
    /// given twice must not close the next one, which is empty.
    fn is_closed_again(&self, terminal: TerminalId, batch: BatchNumber) -> bool {
        let ledger = &self.parts.ledger;
        let before = ledger.batch(terminal, batch.before());
        let by_operator = before.is_some_and(|record| matches!(record.by, ClosedBy::Operator { .. }));
        let away = self.session(&terminal).is_some_and(|session| !session.signed_in);
        by_operator && away && ledger.open_batch(terminal, batch).is_none()
    }

    fn batch_close(&self, facts: &TerminalFacts, batch: BatchNumber, received: Timestamp, by: ClosedBy) -> BatchClose {
        BatchClose {
            terminal: facts.terminal,
            batch,
            told_as: None,
            merchant: facts.merchant,
            test_mode: facts.test_mode,
            claimed: None,
            apart: true,
            voids: VoidsInTotals::default(),
            date: facts.date(received),
            received,
            by,
            session: None,
        }
    }

    /// Closes a batch once its last transaction is decided. The session goes on to the next number first, so that
    /// no further transaction comes into this one meanwhile; it is kept with the close.
    async fn close_batch(
        &self,
        close: BatchClose,
        moves_on: bool,
        change: impl FnOnce(SessionFacts) -> SessionFacts,
    ) -> Result<BatchClosed, Stop> {
        let (terminal, batch) = (close.terminal, close.batch);
        let next = |session: SessionFacts| {
            let current = session.batch.max(BatchNumber::FIRST);
            match current == batch || mutant::is(Mutant::BatchMovesTwice) {
                true => change(SessionFacts { batch: current.next(), ..session }),
                false => session,
            }
        };
        let session = moves_on.then(|| self.parts.sessions.change(terminal, next));
        let close = BatchClose { session, ..close };
        let mut closed = self.close_once(&close).await?;
        for _ in 0..WAITED_FOR {
            let BatchClosed::Running(id) = closed else { break };
            self.parts.ledger.decided(id).await.map_err(|fault| self.ledger_stop(&fault))?;
            closed = self.close_once(&close).await?;
        }
        Ok(closed)
    }

    async fn close_once(&self, close: &BatchClose) -> Result<BatchClosed, Stop> {
        self.parts.ledger.close_batch(close.clone()).await.map_err(|fault| self.ledger_stop(&fault))
    }

    /// The batch that a terminal may settle now. Where it signs in, it must have.
    fn current_batch(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<BatchNumber, Stop> {
        let session = self.session(&facts.terminal);
        let session = match exchange.door.keys.are_issued() {
            false => Some(session.unwrap_or_default()),
            true => session.filter(|session| session.signed_in),
        };
        let session = session.ok_or(Stop::code(ResponseCode::SignInRequired, "not-signed-in"))?;
        Ok(session.batch.max(BatchNumber::FIRST))
    }

    /// 00 with a verdict on each kind of cards, and the time and number of the close. Where the dialect has no place
    /// for verdicts, 95 says that the totals differ.
    fn settled(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        record: &BatchRecord,
        Claim { totals, apart }: Claim,
    ) -> Result<Bytes, Stop> {
        let verdict = |same| if same { Verdict::Balanced } else { Verdict::Unbalanced };
        let said = Totals {
            totals,
            domestic: verdict(totals.domestic == record.counted.domestic),
            foreign: verdict(totals.foreign == record.counted.foreign),
        };
        let differs = !apart && totals.together() != record.counted.together();
        let code = if differs { ResponseCode::Unbalanced } else { ResponseCode::Approved };
        let stamps = Stamps { at: record.closed_at, rrn: record.rrn, settled: Some(record.closed_on) };
        self.settlement_answer(exchange, facts, code, (said, stamps))
    }

    /// 77 and a verdict that nothing can be compared: not the terminal's open batch, nor a close that it knows.
    fn no_such_batch(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, claim: Claim) -> Result<Bytes, Stop> {
        let said = Totals { totals: claim.totals, domestic: Verdict::Error, foreign: Verdict::Error };
        let (_, rrn) = self.parts.ledger.number(facts.date(exchange.received));
        let stamps = Stamps { at: exchange.received, rrn, settled: None };
        self.settlement_answer(exchange, facts, ResponseCode::SignInRequired, (said, stamps))
    }

    fn settlement_answer(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        code: ResponseCode,
        (said, stamps): (Totals, Stamps),
    ) -> Result<Bytes, Stop> {
        let written = || {
            let mut builder = exchange.response(code)?;
            exchange.stamp(&mut builder, facts, stamps.at)?;
            put(&mut builder, Role::Acquirer, facts.acquirer.as_str().as_bytes())?;
            put(&mut builder, Role::Rrn, stamps.rrn.as_bytes())?;
            if let Some(date) = stamps.settled {
                put(&mut builder, Role::SettlementDate, &date.month_day())?;
            }
            // What was read from 62 digits can be written as 62 digits.
            put(&mut builder, Role::AdditionalPrivate, said.digits().unwrap_or_default().as_bytes())?;
            builder.finish()
        };
        let body = written().map_err(|_: EncodeError| Stop::Silent("the answer cannot be written"))?;
        self.enclose(exchange, facts, &body).ok_or(Stop::Silent("the answer cannot be enclosed"))
    }
}

/// Whether terminals of the dialect count their batches themselves, and say so in settlements only.
pub(super) fn counts_itself(exchange: &Exchange<'_>) -> bool {
    exchange.message.dialect().role(Role::ClosingBatch).is_some()
}

/// The batch that a message is about; its merchant must be the terminal's (03). Neither suspension nor expiry
/// keeps a terminal from settling.
pub(super) fn batch_of(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<BatchNumber, Stop> {
    of_merchant(exchange, facts)?;
    let message = exchange.message;
    let said = message.role(Role::Batch).or_else(|| message.role(Role::ClosingBatch));
    said.and_then(|value| BatchNumber::parse(&value)).ok_or(Stop::format("batch"))
}

/// The merchant must be the terminal's (03).
pub(super) fn of_merchant(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<(), Stop> {
    let said = exchange.message.role(Role::Merchant).and_then(|value| MerchantId::parse(&value));
    let own = said == Some(facts.merchant);
    own.then_some(()).ok_or(Stop::code(ResponseCode::MerchantInvalid, "merchant-binding"))
}

fn tell_closed(record: &BatchRecord, given_up: &[BatchNumber]) {
    let BatchRecord { terminal, batch, state, counted, claimed, .. } = record;
    let claimed = claimed.map_or("nothing".to_owned(), |claimed| claimed.to_string());
    tracing::info!(
        event = "batch-closed", terminal = %terminal, batch = %batch, state = state.name(), counted = %counted,
        claimed, "a batch takes no transactions any more"
    );
    for given_up in given_up {
        tracing::warn!(
            event = "batch-given-up", terminal = %terminal, batch = %given_up,
            "a terminal closes batches and does not upload what differs: the oldest is not awaited any more"
        );
    }
}
