//! What a mock issuer reads in a message, by roles: no dialect is named here.

use super::books::Entry;
use super::books::Reference;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::OnUnknown;
use crate::model::Pan;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Track2;

/// The card of a request.
pub(super) struct Card {
    pub(super) pan: Pan,
    pub(super) expiry: Option<Expiry>,
}

/// The card as typed or as on track 2; the switch writes the first digits of a customer's code in its place.
pub(super) fn card(message: &Message) -> Option<Card> {
    let track = message.role(Role::Track2).and_then(|track| Track2::parse(&track));
    let pan = message.role(Role::Pan).and_then(|pan| Pan::parse(&pan));
    let expiry = message.role(Role::Expiry).and_then(|expiry| Expiry::parse(&expiry));
    Some(Card { pan: pan.or_else(|| track.as_ref()?.pan())?, expiry: expiry.or_else(|| track.as_ref()?.expiry()) })
}

/// The request as the books take it; `None` if an element does not read.
pub(super) fn entry(message: &Message, kind: Kind, date: BusinessDate) -> Option<Entry> {
    let terminal = TerminalId::parse(&message.role(Role::Terminal)?)?;
    let stan = Stan::parse(&message.role(Role::Stan)?)?;
    let rrn = message.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn));
    let amount = match message.role(Role::Amount) {
        Some(amount) => Amount::parse(&amount)?,
        None if MOVES_NOTHING.contains(&kind) => Amount::ZERO,
        None => return None,
    };
    let sent = message.role(Role::TransmissionTime).and_then(|sent| sent.as_ref().try_into().ok());
    // A refund is told until it is taken, whatever its MTI.
    let advised = message.mti()?.is_advice() || kinds::of(kind).on_unknown == OnUnknown::Repeat;
    let references = [
        rrn.filter(|_| advised).map(|rrn| Reference::Advised(terminal, rrn)),
        sent.map(|sent| Reference::Sent(terminal, stan, sent)),
        local_time(message).map(|local| Reference::Local(terminal, stan, local)),
        rrn.map(|rrn| Reference::Retrieval(terminal, stan, rrn)),
        rrn.map(Reference::Number),
        sent.map(|sent| Reference::Trace(stan, sent)),
        local_time(message).map(|local| Reference::LocalTrace(stan, local)),
    ];
    Some(Entry {
        kind,
        terminal,
        merchant: message.role(Role::Merchant).and_then(|merchant| MerchantId::parse(&merchant)),
        stan,
        rrn,
        pan: card(message)?.pan,
        amount,
        currency: message.role(Role::Currency).and_then(|currency| Currency::parse(&currency)),
        date: Some(date),
        code: None,
        to: message.role(Role::ToAccount).and_then(|to| Pan::parse(&to)),
        follows: followed(message),
        references: references.into_iter().flatten().collect(),
    })
}

/// The digits that tell whose account is charged without a card: the customer's code, or what stood for it, where a
/// voucher names the payment.
pub(super) fn payment_code(message: &Message) -> Option<String> {
    let code = message.role(Role::PaymentCode).map(|code| code.to_vec());
    let of_voucher = || message.role(Role::Voucher).and_then(|_| message.role(Role::Pan)).map(|pan| pan.to_vec());
    let digits = code.or_else(of_voucher).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    String::from_utf8(digits).ok()
}

/// Kinds that need no amount.
const MOVES_NOTHING: [Kind; 3] = [Kind::Balance, Kind::Verification, Kind::ScriptNotice];

/// The ways in which a follow-up names its original, the surest first: the original's reference number, where the
/// dialect has a place of its own for it (DE 37 is the follow-up's own); the original data elements (DE 90 of 1987,
/// DE 56 of 1993) by trace number and time as they were sent to this issuer, whatever terminal it was; the voucher of
/// a payment by code. Approval code and card are looked at besides.
fn followed(message: &Message) -> Vec<Reference> {
    let number = message.role(Role::OriginalRrn).and_then(|rrn| Rrn::parse(&rrn));
    let stan = message.role(Role::OriginalStan).and_then(|stan| Stan::parse(&stan));
    let sent = message.role(Role::OriginalTransmissionTime).and_then(|sent| sent.as_ref().try_into().ok());
    let local = message.role(Role::OriginalLocalTime).and_then(|local| local.as_ref().try_into().ok());
    let voucher = message.role(Role::Voucher).and_then(|voucher| voucher.as_ref().try_into().ok());
    let references = [
        number.map(Reference::Number),
        stan.zip(sent).map(|(stan, sent)| Reference::Trace(stan, sent)),
        stan.zip(local).map(|(stan, local)| Reference::LocalTrace(stan, local)),
        voucher.map(Reference::Voucher),
    ];
    references.into_iter().flatten().collect()
}

/// The ways in which a reversal names its original; none if it names no STAN.
pub(super) fn original(message: &Message) -> Vec<Reference> {
    let read = || {
        let terminal = TerminalId::parse(&message.role(Role::Terminal)?)?;
        Some((terminal, Stan::parse(&message.role(Role::OriginalStan)?)?))
    };
    let Some((terminal, stan)) = read() else { return Vec::new() };
    let sent = message.role(Role::OriginalTransmissionTime).and_then(|sent| sent.as_ref().try_into().ok());
    let local = message.role(Role::OriginalLocalTime).and_then(|local| local.as_ref().try_into().ok());
    let rrn = message.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn));
    let references = [
        sent.map(|sent| Reference::Sent(terminal, stan, sent)),
        local.map(|local| Reference::Local(terminal, stan, local)),
        rrn.map(|rrn| Reference::Retrieval(terminal, stan, rrn)),
    ];
    references.into_iter().flatten().collect()
}

/// `YYMMDDhhmmss`, year 00 where the dialect writes none.
fn local_time(message: &Message) -> Option<[u8; 12]> {
    let mut local = *b"000000000000";
    let parts = [(Role::LocalYear, 0..2, false), (Role::LocalDate, 2..6, true), (Role::LocalTime, 6..12, true)];
    for (role, range, required) in parts {
        match message.role(role) {
            Some(value) if value.len() == range.len() => local.get_mut(range)?.copy_from_slice(&value),
            None if !required => {}
            _ => return None,
        }
    }
    Some(local)
}
