//! How slips, advices and what is pending stand in a state file. What a file of an older terminal lacks is
//! read as nothing; card numbers and payment codes are sealed.

use super::Entry;
use super::account::Account;
use super::log::{Advice, Closing, Log, Settled, Step};
use super::memory::Undo;
use super::pin_pad::{PinPad, hex, unhex};
use super::slip::{Slip, Standing};
use crate::iso8583::De;
use crate::iso8583::Mti;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::Rrn;
use crate::model::Side;
use crate::model::Stan;
use crate::model::Sum;
use serde::Deserialize;
use serde::Serialize;

/// What it takes to undo one request.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUndo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    mti: String,
    stan: u32,
    amount: u64,
    card: Option<String>,
    elements: Vec<(De, String)>,
    transmission_time: String,
    local_time: String,
    approval: Option<String>,
    reason: String,
    own_stan: Option<u32>,
    attempts: u32,
}

impl RawUndo {
    pub(super) fn of(undo: &Undo, pad: &PinPad) -> Self {
        Self {
            kind: Some(undo.kind.name().to_owned()),
            mti: undo.mti.as_str().to_owned(),
            stan: undo.stan.value(),
            amount: undo.amount.minor(),
            card: undo.pan.as_ref().and_then(|pan| pad.seal(pan.clear())).map(|block| hex(&block)),
            elements: undo.elements.iter().map(|(de, value)| (*de, hex(value))).collect(),
            transmission_time: text(&undo.sent.0),
            local_time: text(&undo.sent.1),
            approval: undo.approval.map(|code| code.as_str().to_owned()),
            reason: text(&undo.reason),
            own_stan: undo.own_stan.map(Stan::value),
            attempts: undo.attempts,
        }
    }

    pub(super) fn read(&self, pad: &PinPad) -> Option<Undo> {
        let mti = Mti::parse(self.mti.as_bytes())?;
        // Older terminals knew sales and authorizations, told apart by their type.
        let kind = match &self.kind {
            Some(name) => kind(name)?,
            None if self.mti.get(1..2) == Some("1") => Kind::Authorization,
            None => Kind::Sale,
        };
        Some(Undo {
            kind,
            mti,
            stan: Stan::new(self.stan)?,
            amount: Amount::new(self.amount)?,
            pan: optional(self.card.as_deref(), |sealed| Pan::parse(opened(sealed, pad)?.as_bytes()))?,
            elements: elements(&self.elements)?,
            sent: (self.transmission_time.as_bytes().try_into().ok()?, self.local_time.as_bytes().try_into().ok()?),
            approval: optional(self.approval.as_deref(), |code| ApprovalCode::parse(code.as_bytes()))?,
            reason: self.reason.as_bytes().try_into().ok()?,
            own_stan: optional(self.own_stan, Stan::new)?,
            attempts: self.attempts,
        })
    }
}

/// A terminal's [`Log`].
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    slips: Vec<RawSlip>,
    before: Vec<RawSlip>,
    advices: Vec<RawAdvice>,
    closing: Option<RawClosing>,
    settled: Option<RawSettled>,
}

impl RawLog {
    pub(super) fn of(log: &Log, pad: &PinPad) -> Self {
        Self {
            slips: log.slips.iter().map(|slip| RawSlip::of(slip, pad)).collect(),
            before: log.before.iter().map(|slip| RawSlip::of(slip, pad)).collect(),
            advices: log.advices.iter().map(|advice| RawAdvice::of(advice, pad)).collect(),
            closing: log.closing.as_ref().map(RawClosing::of),
            settled: log.settled.as_ref().map(RawSettled::of),
        }
    }

    pub(super) fn read(&self, pad: &PinPad) -> Option<Log> {
        Some(Log {
            slips: self.slips.iter().map(|slip| slip.read(pad)).collect::<Option<_>>()?,
            before: self.before.iter().map(|slip| slip.read(pad)).collect::<Option<_>>()?,
            advices: self.advices.iter().map(|advice| advice.read(pad)).collect::<Option<_>>()?,
            closing: optional(self.closing.as_ref(), RawClosing::read)?,
            settled: optional(self.settled.as_ref(), RawSettled::read)?,
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawSlip {
    kind: String,
    mti: String,
    stan: u32,
    batch: u32,
    amount: u64,
    tip: u64,
    /// `card` or `code`, and the sealed digits.
    account: Option<(String, String)>,
    expiry: Option<String>,
    entry: String,
    rrn: Option<String>,
    approval: Option<String>,
    at: Option<(String, String)>,
    code: String,
    original: Option<u32>,
    voucher: Option<String>,
    sent: Option<(String, String)>,
    #[serde(default)]
    foreign: bool,
    operator: Option<String>,
    standing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

impl RawSlip {
    fn of(slip: &Slip, pad: &PinPad) -> Self {
        Self {
            kind: slip.kind.name().to_owned(),
            mti: slip.mti.as_str().to_owned(),
            stan: slip.stan.value(),
            batch: slip.batch.value(),
            amount: slip.amount.minor(),
            tip: slip.tip.minor(),
            account: sealed(slip.account.as_ref(), pad),
            expiry: slip.expiry.map(|expiry| text(&expiry.digits())),
            entry: text(&slip.entry.digits(*b"03")),
            rrn: slip.rrn.map(|rrn| rrn.to_string()),
            approval: slip.approval.map(|code| code.to_string()),
            at: slip.at.map(|(date, time)| (text(&date), text(&time))),
            code: slip.code.clone(),
            original: slip.original.map(Stan::value),
            voucher: slip.voucher.clone(),
            sent: slip.sent.map(|(transmission, local)| (text(&transmission), text(&local))),
            foreign: slip.foreign,
            operator: slip.operator.clone(),
            standing: match slip.standing {
                Standing::Stands => "stands",
                Standing::Voided => "voided",
                Standing::Refused => "refused",
            }
            .to_owned(),
            certificate: slip.certificate.as_deref().map(hex),
        }
    }

    fn read(&self, pad: &PinPad) -> Option<Slip> {
        Some(Slip {
            kind: kind(&self.kind)?,
            mti: Mti::parse(self.mti.as_bytes())?,
            stan: Stan::new(self.stan)?,
            batch: BatchNumber::new(self.batch)?,
            amount: Amount::new(self.amount)?,
            tip: Amount::new(self.tip)?,
            account: account(self.account.as_ref(), pad)?,
            expiry: optional(self.expiry.as_deref(), |date| Expiry::parse(date.as_bytes()))?,
            entry: Entry::of(self.entry.as_bytes()),
            rrn: optional(self.rrn.as_deref(), |rrn| Rrn::parse(rrn.as_bytes()))?,
            approval: optional(self.approval.as_deref(), |code| ApprovalCode::parse(code.as_bytes()))?,
            at: pair(self.at.as_ref())?,
            code: self.code.clone(),
            original: optional(self.original, Stan::new)?,
            voucher: self.voucher.clone(),
            sent: pair(self.sent.as_ref())?,
            foreign: self.foreign,
            operator: self.operator.clone(),
            standing: match self.standing.as_str() {
                "stands" => Standing::Stands,
                "voided" => Standing::Voided,
                "refused" => Standing::Refused,
                _ => return None,
            },
            certificate: optional(self.certificate.as_deref(), unhex)?,
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawAdvice {
    kind: String,
    stan: u32,
    account: Option<(String, String)>,
    elements: Vec<(De, String)>,
    attempts: u32,
}

impl RawAdvice {
    fn of(advice: &Advice, pad: &PinPad) -> Self {
        Self {
            kind: advice.kind.name().to_owned(),
            stan: advice.stan.value(),
            account: sealed(advice.account.as_ref(), pad),
            elements: advice.elements.iter().map(|(de, value)| (*de, hex(value))).collect(),
            attempts: advice.attempts,
        }
    }

    fn read(&self, pad: &PinPad) -> Option<Advice> {
        Some(Advice {
            kind: kind(&self.kind)?,
            stan: Stan::new(self.stan)?,
            account: account(self.account.as_ref(), pad)?,
            elements: elements(&self.elements)?,
            attempts: self.attempts,
            is_asked: false,
        })
    }
}

/// Counts and amounts: domestic debit and credit, foreign debit and credit.
type RawTotals = [(u32, u64); 4];

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawClosing {
    batch: u32,
    stan: u32,
    /// Files of older terminals do not say: it may have gone out.
    #[serde(default = "once")]
    attempts: u32,
    totals: RawTotals,
    step: String,
    done: usize,
    balanced: bool,
    upload: Option<u32>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawSettled {
    batch: u32,
    totals: RawTotals,
    balanced: bool,
}

impl RawSettled {
    fn of(settled: &Settled) -> Self {
        let Settled { batch, totals, balanced } = *settled;
        Self { batch: batch.value(), totals: raw_totals(totals), balanced }
    }

    fn read(&self) -> Option<Settled> {
        let batch = BatchNumber::new(self.batch)?;
        Some(Settled { batch, totals: read_totals(self.totals), balanced: self.balanced })
    }
}

fn raw_totals(BatchTotals { domestic, foreign }: BatchTotals) -> RawTotals {
    [domestic.debit, domestic.credit, foreign.debit, foreign.credit].map(|sum| (sum.count, sum.amount))
}

fn read_totals(raw: RawTotals) -> BatchTotals {
    let [debit, credit, foreign_debit, foreign_credit] = raw.map(|(count, amount)| Sum { count, amount });
    BatchTotals { domestic: Side { debit, credit }, foreign: Side { debit: foreign_debit, credit: foreign_credit } }
}

fn once() -> u32 {
    1
}

impl RawClosing {
    fn of(closing: &Closing) -> Self {
        let (step, done) = match closing.step {
            Step::Totals => ("totals", 0),
            Step::Details(done) => ("details", done),
            Step::Notices(done) => ("notices", done),
            Step::Certificates(done) => ("certificates", done),
            Step::End => ("end", 0),
        };
        Self {
            batch: closing.batch.value(),
            stan: closing.stan.value(),
            attempts: closing.attempts,
            totals: raw_totals(closing.totals),
            balanced: closing.balanced,
            step: step.to_owned(),
            done,
            upload: closing.upload.map(Stan::value),
        }
    }

    fn read(&self) -> Option<Closing> {
        Some(Closing {
            batch: BatchNumber::new(self.batch)?,
            stan: Stan::new(self.stan)?,
            attempts: self.attempts,
            totals: read_totals(self.totals),
            balanced: self.balanced,
            step: match self.step.as_str() {
                "totals" => Step::Totals,
                "details" => Step::Details(self.done),
                "notices" => Step::Notices(self.done),
                "certificates" => Step::Certificates(self.done),
                "end" => Step::End,
                _ => return None,
            },
            upload: optional(self.upload, Stan::new)?,
        })
    }
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Absent stays absent; what is there must be readable.
fn optional<T, V>(raw: Option<T>, read: impl FnOnce(T) -> Option<V>) -> Option<Option<V>> {
    match raw {
        None => Some(None),
        Some(raw) => read(raw).map(Some),
    }
}

fn pair<const A: usize, const B: usize>(raw: Option<&(String, String)>) -> Option<Option<([u8; A], [u8; B])>> {
    optional(raw, |(one, other)| Some((one.as_bytes().try_into().ok()?, other.as_bytes().try_into().ok()?)))
}

fn elements(raw: &[(De, String)]) -> Option<Vec<(De, Vec<u8>)>> {
    raw.iter().map(|(de, value)| Some((*de, unhex(value)?))).collect()
}

fn sealed(account: Option<&Account>, pad: &PinPad) -> Option<(String, String)> {
    let account = account?;
    let class = if account.is_code() { "code" } else { "card" };
    Some((class.to_owned(), hex(&pad.seal(account.clear())?)))
}

fn account(raw: Option<&(String, String)>, pad: &PinPad) -> Option<Option<Account>> {
    optional(raw, |(class, sealed)| {
        let digits = opened(sealed, pad)?;
        match class.as_str() {
            "card" => Pan::parse(digits.as_bytes()).map(|pan| Account::card(&pan)),
            "code" => Account::code(&digits),
            _ => None,
        }
    })
}

fn opened(sealed: &str, pad: &PinPad) -> Option<zeroize::Zeroizing<String>> {
    pad.open(unhex(sealed)?.try_into().ok()?)
}
