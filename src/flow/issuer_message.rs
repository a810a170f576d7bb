//! What is written to issuers and read from them, in whatever dialect they speak.

use super::asking::Asking;
use super::chip;
use super::exchange::{NO_MTI, put};
use crate::iso8583::Builder;
use crate::iso8583::CodeRow;
use crate::iso8583::Dialect;
use crate::iso8583::EncodeError;
use crate::iso8583::KindRow;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::ledger::Answer;
use crate::ledger::Decision;
use crate::ledger::Due;
use crate::ledger::Intent;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::ledger::Recorded;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::EncryptedPinBlock;
use crate::model::Icc;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ProcessingCode;
use crate::model::ResponseCode;
use crate::model::Stan;
use crate::model::Timestamp;
use crate::model::Track2;
use crate::model::Voucher;
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

/// DE 26: the most digits a terminal takes.
const LONGEST_PIN: &[u8] = b"12";

/// DE 25 of a reversal, ISO 8583:1993 annex A: customer cancellation, and timeout waiting for a response.
const CANCELLED: &[u8] = b"4000";
const NOT_ANSWERED: &[u8] = b"4021";

/// The request to the issuer: what the terminal asked, in the issuer's dialect, with the switch's
/// numbers.
pub(super) fn request(
    dialect: &Arc<Dialect>,
    intent: &Intent,
    outbound: &Outbound,
    asking: &Asking,
    pin: Option<&EncryptedPinBlock>,
) -> Result<Builder, EncodeError> {
    let request = &asking.request;
    let row = dialect.kind_row(request.kind).ok_or(NO_MTI)?;
    let mut builder = start(dialect, row, row.mti, intent.processing_code)?;
    common(&mut builder, intent, &request.pan, outbound.stan, outbound.sent)?;
    if let Some(track) = request.track2.as_ref().map(Track2::clear) {
        put(&mut builder, Role::Track2, track)?;
    }
    if let Some(pin) = pin {
        put(&mut builder, Role::PinBlock, pin.as_bytes())?;
        put(&mut builder, Role::PinCapture, LONGEST_PIN)?;
    }
    if let Some(icc) = request.icc.as_ref().map(Icc::as_bytes) {
        put(&mut builder, Role::Icc, icc)?;
    }
    for (role, value) in &asking.passed {
        put(&mut builder, *role, value)?;
    }
    name_original(&mut builder, asking.original.as_ref())?;
    Ok(builder)
}

/// The transaction that a follow-up follows: its number and times as its issuer got them, its reference number,
/// approval code and voucher.
fn name_original(builder: &mut Builder, original: Option<&Recorded>) -> Result<(), EncodeError> {
    let Some(Recorded { intent, decided, .. }) = original else { return Ok(()) };
    let dialect = Arc::clone(builder.dialect());
    let places = [Role::Rrn, Role::OriginalRrn].map(|role| dialect.role(role).map(|row| row.de));
    if places[0] != places[1] {
        put(builder, Role::OriginalRrn, intent.rrn.as_bytes())?;
    }
    if let Some(outbound) = &intent.outbound {
        let row = original_row(&dialect, intent.kind)?;
        original_data(builder, row, intent, outbound)?;
    }
    let answer = decided.as_ref().map(|decided| &decided.answer);
    if let Some(approval) = answer.and_then(|answer| answer.approval) {
        put(builder, Role::ApprovalCode, approval.as_bytes())?;
    }
    if let Some(voucher) = answer.and_then(|answer| answer.voucher.as_ref()) {
        put(builder, Role::Voucher, voucher.as_bytes())?;
    }
    Ok(())
}

/// The row by which a transaction went to its issuer.
fn original_row(dialect: &Dialect, kind: Kind) -> Result<&KindRow, EncodeError> {
    dialect.kind_row(kind).or_else(|| dialect.kind_row(kind.told_as())).ok_or(NO_MTI)
}

/// The original data elements.
fn original_data(
    builder: &mut Builder,
    row: &KindRow,
    intent: &Intent,
    outbound: &Outbound,
) -> Result<(), EncodeError> {
    let local = outbound.sent.digits(intent.offset_minutes);
    put(builder, Role::OriginalMti, &row.mti.digits())?;
    put(builder, Role::OriginalStan, &outbound.stan.digits())?;
    put(builder, Role::OriginalTransmissionTime, &outbound.sent.digits(0)[2..])?;
    put(builder, Role::OriginalLocalTime, &local)?;
    put(builder, Role::OriginalAcquirer, &zero_filled(intent.acquirer.as_str()))
}

/// The reversal of a transaction whose outcome is unknown or unwanted; marked when it is a repeat.
pub(super) fn reversal(
    dialect: &Arc<Dialect>,
    due: &Due,
    outbound: &Outbound,
    pan: &Pan,
    stan: Stan,
    now: Timestamp,
) -> Result<Builder, EncodeError> {
    let intent = &due.original;
    let row = dialect.kind_row(Kind::Reversal).ok_or(NO_MTI)?;
    let original = original_row(dialect, intent.kind)?;
    let mti = if due.attempts > 0 { row.mti.repeat() } else { row.mti };
    let mut builder = start(dialect, row, mti, processing_code(original, intent.processing_code))?;
    common(&mut builder, intent, pan, stan, now)?;
    if let Some(part) = due.partial {
        put(&mut builder, Role::Amount, &part.digits())?;
    }
    if let Some(approval) = &due.approval {
        put(&mut builder, Role::ApprovalCode, approval.as_bytes())?;
    }
    if let Some(icc) = outbound.icc.as_deref().and_then(chip::of_reversal) {
        put(&mut builder, Role::Icc, &icc)?;
    }
    let reason = if due.approval.is_some() { CANCELLED } else { NOT_ANSWERED };
    put(&mut builder, Role::ReasonCode, reason)?;
    original_data(&mut builder, original, intent, outbound)?;
    Ok(builder)
}

/// The advice of an approval that was given without the issuer, or a request that goes until it is acknowledged. A repeat is the same to the bit, but for its
/// mark and its MAC: STAN and times are those of the request that never went.
pub(super) fn advice(
    dialect: &Arc<Dialect>,
    due: &Due,
    outbound: &Outbound,
    pan: &Pan,
    followed: Option<&Recorded>,
) -> Result<Builder, EncodeError> {
    let intent = &due.original;
    let row = dialect.kind_row(intent.kind.told_as()).ok_or(NO_MTI)?;
    let mti = if due.attempts > 0 { row.mti.repeat() } else { row.mti };
    let mut builder = start(dialect, row, mti, intent.processing_code)?;
    common(&mut builder, intent, pan, outbound.stan, outbound.sent)?;
    name_original(&mut builder, followed)?;
    if let Some(part) = due.partial {
        put(&mut builder, Role::Amount, &part.digits())?;
    }
    if let Some(approval) = &due.approval {
        put(&mut builder, Role::ApprovalCode, approval.as_bytes())?;
    }
    if row.mti.is_advice() {
        put(&mut builder, Role::ResponseCode, dialect.wire_code(ResponseCode::Approved).as_bytes())?;
    }
    if let Some(icc) = &outbound.icc {
        put(&mut builder, Role::Icc, icc)?;
    }
    Ok(builder)
}

/// A message of a row, with the codes by which the row is known.
fn start(dialect: &Arc<Dialect>, row: &KindRow, mti: Mti, asked: ProcessingCode) -> Result<Builder, EncodeError> {
    let mut builder = dialect.build(mti);
    for (role, pattern) in row.when.iter().filter(|(role, _)| *role != Role::ProcessingCode) {
        builder.role(*role, pattern.replace('.', "0").as_bytes())?;
    }
    put(&mut builder, Role::ProcessingCode, processing_code(row, asked).as_bytes())?;
    Ok(builder)
}

/// The processing code of a row: where it leaves a digit open (the account types), or says nothing, what
/// was asked stands.
fn processing_code(row: &KindRow, asked: ProcessingCode) -> ProcessingCode {
    let Some((_, pattern)) = row.when.iter().find(|(role, _)| *role == Role::ProcessingCode) else { return asked };
    let digits = pattern.bytes().zip(asked.as_bytes());
    let code: SmallVec<[u8; 6]> = digits.map(|(fixed, asked)| if fixed == b'.' { *asked } else { fixed }).collect();
    ProcessingCode::parse(&code).unwrap_or(asked)
}

fn common(builder: &mut Builder, intent: &Intent, pan: &Pan, stan: Stan, sent: Timestamp) -> Result<(), EncodeError> {
    let local = sent.digits(intent.offset_minutes);
    put(builder, Role::Pan, pan.clear().as_bytes())?;
    if intent.kind.moves_money() || intent.amount > Amount::ZERO {
        put(builder, Role::Amount, &intent.amount.digits())?;
    }
    put(builder, Role::TransmissionTime, &sent.digits(0)[2..])?;
    put(builder, Role::Stan, &stan.digits())?;
    put(builder, Role::LocalYear, &local[..2])?;
    put(builder, Role::LocalDate, &local[2..6])?;
    put(builder, Role::LocalTime, &local[6..])?;
    put(builder, Role::EntryMode, &intent.entry_mode.digits())?;
    put(builder, Role::Acquirer, intent.acquirer.as_str().as_bytes())?;
    put(builder, Role::Rrn, intent.rrn.as_bytes())?;
    put(builder, Role::Terminal, intent.identity.terminal.as_bytes())?;
    put(builder, Role::Merchant, intent.merchant.as_bytes())?;
    put(builder, Role::Currency, &intent.currency.digits())?;
    if let Some(expiry) = intent.expiry {
        put(builder, Role::Expiry, &expiry.digits())?;
    }
    if let Some(sequence) = &intent.card_sequence {
        put(builder, Role::CardSequence, sequence)?;
    }
    if let Some(condition) = &intent.condition_code {
        put(builder, Role::ConditionCode, condition)?;
    }
    Ok(())
}

/// Eleven digits, zero filled on the left, as original data elements write an institution.
fn zero_filled(digits: &str) -> [u8; 11] {
    let mut filled = [b'0'; 11];
    for (place, digit) in filled.iter_mut().rev().zip(digits.bytes().rev()) {
        *place = digit;
    }
    filled
}

/// What the issuer's answer decides; `None` if it says nothing that can be booked: no code, one that the
/// dialect does not list, that the issuer is still at it, another amount than was asked, a part without
/// its amount, or a part of what is done whole.
pub(super) fn decision(answer: &Message, intent: &Intent) -> Option<Decision> {
    let dialect = answer.dialect();
    let code = answer.role(Role::ResponseCode)?;
    let CodeRow { code, approves } = dialect.code(&code)?;
    let amount = answer.role(Role::Amount).and_then(|value| Amount::parse(&value));
    let partial = code == ResponseCode::ApprovedPartial;
    let fits = match amount {
        Some(part) if partial => kinds::may_be_partial(intent.kind) && Amount::ZERO < part && part < intent.amount,
        Some(whole) => whole == intent.amount,
        None => !partial,
    };
    if (approves && !fits) || code == ResponseCode::InProgress {
        return None;
    }
    let answer = Answer {
        code: of_terminal(code),
        approval: answer.role(Role::ApprovalCode).and_then(|value| ApprovalCode::parse(&value)),
        amount: amount.filter(|_| partial),
        stamped: intent.received,
        settlement: Some(intent.date),
        balance: answer.role(Role::AdditionalAmounts).and_then(|value| balances(&value)),
        icc: answer.role(Role::Icc).and_then(|value| chip::of_answer(&value)),
        voucher: answer.role(Role::Voucher).and_then(|value| Voucher::parse(&value)),
    };
    Some(Decision::of(if approves { Outcome::Approved } else { Outcome::Declined }, answer))
}

/// What a terminal is told. That our MAC or PIN block was no good there, or that we should sign in, is between us
/// and the issuer: a terminal would take it for its own, and sign in and ask again for ever.
fn of_terminal(code: ResponseCode) -> ResponseCode {
    match code {
        ResponseCode::MacFailure | ResponseCode::PinFormat | ResponseCode::SignInRequired => {
            tracing::error!(
                event = "issuer-link-refused",
                code = code.code(),
                "an issuer refuses our keys or our sign-on"
            );
            ResponseCode::SystemFailure
        }
        code => code,
    }
}

/// DE 54 if it is what it should be, balances of 20 characters each and at most six of them (ISO 8583:1987,
/// DE 54): it is kept and told again, so nothing else may hide in it.
fn balances(value: &[u8]) -> Option<Bytes> {
    const BALANCE: usize = 20;
    let is_one = |balance: &[u8]| match balance.split_at_checked(7) {
        Some((head, [sign, amount @ ..])) => {
            amount.len() == 12
                && head.iter().all(u8::is_ascii_alphanumeric)
                && matches!(sign, b'C' | b'D')
                && amount.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let fits = !value.is_empty() && value.len() <= 6 * BALANCE && value.chunks(BALANCE).all(is_one);
    fits.then(|| Bytes::copy_from_slice(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_are_kept_only_in_their_form() {
        let two = b"1002156C0000001234561001156D000000000001";
        assert_eq!(balances(two).as_deref(), Some(&two[..]));
        let seven = two[..20].repeat(7);
        let beside = [&two[..20], b"6225000000000253"].concat();
        let unsigned = b"1002156X000000123456";
        for other in [&b""[..], &two[..19], &beside, &seven, unsigned, b"1002156C00000012345A"] {
            assert_eq!(balances(other), None);
        }
    }
}
