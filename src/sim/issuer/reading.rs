//! What a mock issuer reads in a message, by roles: no dialect is named here.

use super::books::Entry;
use super::books::Reference;
use crate::hsm::emv::Cvn;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::EntryMethod;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::OnUnknown;
use crate::model::Pan;
use crate::model::PosEntryMode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Track2;
use crate::sim::cards;
use crate::sim::chip;
use zeroize::Zeroizing;

/// The card of a request.
pub(super) struct Card {
    pub(super) pan: Pan,
    pub(super) expiry: Option<Expiry>,
}

/// The card as typed, as on track 2 or as its chip tells it; the switch writes the first digits of a customer's code
/// in its place.
pub(super) fn card(message: &Message) -> Option<Card> {
    let track = track(message);
    let pan = message.role(Role::Pan).and_then(|pan| Pan::parse(&pan)).or_else(|| track.as_ref()?.pan());
    let expiry = message.role(Role::Expiry).and_then(|expiry| Expiry::parse(&expiry));
    let expiry = expiry.or_else(|| track.as_ref()?.expiry());
    Some(Card {
        pan: pan.or_else(|| Pan::parse(&told_by_chip(message, NUMBER)?))?,
        expiry: expiry.or_else(|| Expiry::parse(told_by_chip(message, EXPIRY)?.get(..4)?)),
    })
}

/// Card number, expiry (YYMMDD) and the equivalent of track 2 in chip data. Source: EMV 4.3 Book 3, annex A.
const NUMBER: &[u8] = &[0x5A];
const EXPIRY: &[u8] = &[0x5F, 0x24];
const EQUIVALENT: &[u8] = &[0x57];

/// Packed digits of DE 55 in characters, up to the filler F; D is the separator of tracks.
fn told_by_chip(message: &Message, tag: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let icc = message.role(Role::Icc)?;
    let packed = tlv::Reader::new(&icc).find(tag)?;
    let nibbles = packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).take_while(|nibble| *nibble != 0x0F);
    let mut digits = Zeroizing::new(Vec::with_capacity(packed.len() * 2));
    digits.extend(nibbles.map(|nibble| if nibble == 0x0D { b'=' } else { b'0' + nibble }));
    Some(digits)
}

/// Track 2, or what a chip told in its place.
fn track(message: &Message) -> Option<Track2> {
    match message.role(Role::Track2) {
        Some(track) => Track2::parse(&track),
        None => Track2::parse(&told_by_chip(message, EQUIVALENT)?),
    }
}

/// What proves that a stripe or a chip was read.
pub(super) enum Proof {
    /// Nothing: no track came, or the terminal says itself that its value is worth nothing.
    None,
    /// There is a track without room for a value.
    Unreadable,
    /// A CVV under the track's service code, or an iCVV.
    Value {
        /// YYMM.
        expiry: [u8; 4],
        /// The track's, 999 for a chip.
        service_code: [u8; 3],
        /// Three digits.
        value: [u8; 3],
    },
}

/// "Chip read, the value of its track is not reliable": DE 22, positions 1 and 2.
const UNRELIABLE: &[u8] = b"95";

/// The verification value of track 2: behind expiry, service code, and five digits for a PIN's.
pub(super) fn proof(message: &Message) -> Proof {
    let mode = message.role(Role::EntryMode).and_then(|mode| PosEntryMode::parse(&mode));
    let unreliable = mode.is_some_and(|mode| mode.digits().starts_with(UNRELIABLE));
    let Some(track) = track(message).filter(|_| !unreliable) else { return Proof::None };
    let by_chip = |mode: PosEntryMode| matches!(mode.method(), EntryMethod::Chip | EntryMethod::Tap);
    // A dialect that does not say how a card was read has chip data where a chip was.
    let chip = mode.map_or_else(|| message.role(Role::Icc).is_some(), by_chip);
    let value = track.clear().split(|byte| *byte == b'=').nth(1).and_then(|rest| rest.get(12..15)?.try_into().ok());
    match (track.expiry(), track.service_code(), value) {
        (Some(expiry), Some(service_code), Some(value)) => {
            let service_code = if chip { cards::OF_A_CHIP } else { service_code };
            Proof::Value { expiry: expiry.digits(), service_code, value }
        }
        _ => Proof::Unreadable,
    }
}

/// DE 23, 0 to 99.
pub(super) fn card_sequence(message: &Message) -> Option<u8> {
    let sequence = message.role(Role::CardSequence)?;
    sequence.as_str()?.parse().ok().filter(|sequence| *sequence <= 99)
}

/// What a chip said of one transaction.
pub(super) struct Said {
    pub(super) cryptogram: [u8; 8],
    pub(super) counter: [u8; 2],
    pub(super) unpredictable: [u8; 4],
    pub(super) covered: Vec<u8>,
}

/// Whether there is a cryptogram in DE 55.
pub(super) fn has_cryptogram(icc: &[u8]) -> bool {
    tlv::Reader::new(icc).find(chip::CRYPTOGRAM).is_some()
}

/// Reads DE 55; `None` if the cryptogram, or what it covers, is not all there.
pub(super) fn said_by_chip(icc: &[u8], version: Cvn) -> Option<Said> {
    let find = |tag: &[u8]| tlv::Reader::new(icc).find(tag);
    Some(Said {
        cryptogram: find(chip::CRYPTOGRAM)?.try_into().ok()?,
        counter: find(chip::COUNTER)?.try_into().ok()?,
        unpredictable: find(chip::UNPREDICTABLE)?.try_into().ok()?,
        covered: chip::covered(icc, version)?,
    })
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
