//! What is found.

use super::ArchiveFault;
use super::feed::integer;
use crate::ledger::TxnId;
use crate::model::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

/// One transaction, as [`super::SCHEMA`] says column by column. The card number is masked, the token in hex.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// The ledger's number.
    pub id: u64,
    /// DE 37.
    pub rrn: String,
    /// YYYY-MM-DD.
    pub business_date: String,
    /// When its frame was complete, RFC 3339 UTC.
    pub received: String,
    /// DE 41.
    pub terminal: String,
    /// DE 11.
    pub stan: String,
    /// Batch, or local date.
    pub scope: String,
    /// DE 42.
    pub merchant: String,
    /// sale, refund, ..
    pub kind: String,
    /// DE 3.
    pub processing_code: String,
    /// DE 4, minor units.
    pub amount: i64,
    /// DE 49.
    pub currency: String,
    /// DE 22.
    pub entry_mode: String,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// First six and last four.
    pub masked_pan: String,
    /// Keyed token of the card number, hex.
    pub token: String,
    /// Over whose link it went.
    pub issuer: Option<String>,
    /// DE 11 there.
    pub issuer_stan: Option<String>,
    /// The number of what it follows.
    pub follows: Option<i64>,
    /// The rule that declined it here.
    pub rule: Option<String>,
    /// approved, declined, timed-out; none while open.
    pub outcome: Option<String>,
    /// DE 39.
    pub code: Option<String>,
    /// DE 38.
    pub approval: Option<String>,
    /// A partial approval's amount, minor units.
    pub approved_amount: Option<i64>,
    /// What stands of it.
    pub standing: String,
    /// When it was decided, RFC 3339 UTC.
    pub decided: Option<String>,
    /// Outcome of an answer after the decision.
    pub late: Option<String>,
    /// How often what its issuer is owed may have gone.
    pub attempts: i64,
    /// DE 39 of an issuer that refused what it is owed.
    pub refused: Option<String>,
    /// Its business date was closed after it was finished.
    pub closed: bool,
    /// Minutes east of UTC of its terminal's clock.
    pub offset_minutes: i16,
    /// The terminal's batch, where the dialect has batches.
    pub batch: Option<String>,
    /// debit, credit, prepaid, qr, unknown.
    pub product: String,
    /// Of another country.
    pub foreign: bool,
    /// Who was signed in at the terminal.
    pub operator: Option<String>,
    /// The business date on which its batch was closed; its own where there are no batches.
    pub settled_on: Option<String>,
    /// When its batch was closed, RFC 3339 UTC.
    pub settled: Option<String>,
    /// The business date on which its terminal reversed it.
    pub undone_on: Option<String>,
    /// The business date on which its issuer refused its advice for good.
    pub refused_on: Option<String>,
    /// The business date on which its issuer refused its reversal for good.
    pub undo_refused_on: Option<String>,
    /// The rules that spoke of it, with action, version and evidence; one a line.
    pub risk: Option<String>,
    /// `received` in microseconds since 1970.
    #[serde(skip)]
    pub received_micros: i64,
    /// `settled` in microseconds since 1970.
    #[serde(skip)]
    pub settled_micros: Option<i64>,
}

pub(super) const COLUMNS: &str = "id, rrn, business_date, received, terminal, stan, scope, merchant, kind,
    processing_code, amount, currency, entry_mode, test_mode, masked_pan, token, issuer, issuer_stan, follows, rule,
    outcome, code, approval, approved_amount, standing, decided, late, attempts, refused, closed,
    offset_minutes, batch, product, foreign_card, operator, settled_on, settled_at, undone_on, refused_on,
    undo_refused_on, risk";

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let time = |micros: i64| Timestamp(micros).to_string();
    let token: [u8; 32] = row.get(15)?;
    Ok(Row {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        rrn: row.get(1)?,
        business_date: row.get(2)?,
        received: time(row.get(3)?),
        terminal: row.get(4)?,
        stan: row.get(5)?,
        scope: row.get(6)?,
        merchant: row.get(7)?,
        kind: row.get(8)?,
        processing_code: row.get(9)?,
        amount: row.get(10)?,
        currency: row.get(11)?,
        entry_mode: row.get(12)?,
        test_mode: row.get(13)?,
        masked_pan: row.get(14)?,
        token: hex(&token),
        issuer: row.get(16)?,
        issuer_stan: row.get(17)?,
        follows: row.get(18)?,
        rule: row.get(19)?,
        outcome: row.get(20)?,
        code: row.get(21)?,
        approval: row.get(22)?,
        approved_amount: row.get(23)?,
        standing: row.get(24)?,
        decided: row.get::<_, Option<i64>>(25)?.map(time),
        late: row.get(26)?,
        attempts: row.get(27)?,
        refused: row.get(28)?,
        closed: row.get(29)?,
        offset_minutes: row.get(30)?,
        batch: row.get(31)?,
        product: row.get(32)?,
        foreign: row.get(33)?,
        operator: row.get(34)?,
        settled_on: row.get(35)?,
        settled: row.get::<_, Option<i64>>(36)?.map(time),
        undone_on: row.get(37)?,
        refused_on: row.get(38)?,
        undo_refused_on: row.get(39)?,
        risk: row.get(40)?,
        received_micros: row.get(3)?,
        settled_micros: row.get(36)?,
    })
}

fn hex(bytes: &[u8]) -> String {
    let nibble = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 15)]).collect()
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Event {
    /// When, by the group's time, RFC 3339 UTC.
    pub at: String,
    /// The group.
    pub group: u64,
    /// Which record of it, from 0.
    pub record: i64,
    /// What, in words.
    pub what: String,
}

pub(super) fn timeline(connection: &Connection, id: TxnId) -> Result<Vec<Event>, ArchiveFault> {
    let select = "SELECT at, number, record, what FROM event WHERE id = ?1 ORDER BY number, record";
    let mut select = connection.prepare_cached(select)?;
    let events = select.query_map([integer(id.0)], |row| {
        Ok(Event {
            at: Timestamp(row.get(0)?).to_string(),
            group: row.get::<_, i64>(1)?.unsigned_abs(),
            record: row.get(2)?,
            what: row.get(3)?,
        })
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}
