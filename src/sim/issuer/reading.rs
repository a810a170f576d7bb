//! What a mock issuer reads in a message, by roles: no dialect is named here.

use super::books::Entry;
use super::books::Reference;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Expiry;
use crate::model::Kind;
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

/// The card as typed or as on track 2.
pub(super) fn card(message: &Message) -> Option<Card> {
    let track = message.role(Role::Track2).and_then(|track| Track2::parse(&track));
    let pan = message.role(Role::Pan).and_then(|pan| Pan::parse(&pan));
    let expiry = message.role(Role::Expiry).and_then(|expiry| Expiry::parse(&expiry));
    Some(Card { pan: pan.or_else(|| track.as_ref()?.pan())?, expiry: expiry.or_else(|| track.as_ref()?.expiry()) })
}

/// The request as the books take it; `None` if an element does not read.
pub(super) fn entry(message: &Message, kind: Kind) -> Option<Entry> {
    let terminal = TerminalId::parse(&message.role(Role::Terminal)?)?;
    let stan = Stan::parse(&message.role(Role::Stan)?)?;
    let rrn = message.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn));
    let amount = match message.role(Role::Amount) {
        Some(amount) => Amount::parse(&amount)?,
        None if kind == Kind::Balance => Amount::ZERO,
        None => return None,
    };
    let sent = message.role(Role::TransmissionTime).and_then(|sent| sent.as_ref().try_into().ok());
    let advised = message.mti()?.is_advice();
    let references = [
        rrn.filter(|_| advised).map(|rrn| Reference::Advised(terminal, rrn)),
        sent.map(|sent| Reference::Sent(terminal, stan, sent)),
        local_time(message).map(|local| Reference::Local(terminal, stan, local)),
        rrn.map(|rrn| Reference::Retrieval(terminal, stan, rrn)),
    ];
    Some(Entry {
        kind,
        terminal,
        stan,
        rrn,
        pan: card(message)?.pan,
        amount,
        currency: message.role(Role::Currency).and_then(|currency| Currency::parse(&currency)),
        references: references.into_iter().flatten().collect(),
    })
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
