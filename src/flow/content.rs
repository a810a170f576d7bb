//! What two messages must share to be the same: identity and content (rules of the money, 2).

use super::exchange::{Exchange, Stop};
use crate::iso8583::De;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Identity;
use crate::ledger::OriginalKey;
use crate::ledger::Scope;
use crate::model::MessageClass;
use crate::model::Sealer;
use crate::model::Stan;
use crate::model::TerminalFacts;
use smallvec::SmallVec;

/// What a repeat may change: secrets that are enciphered afresh, and when it was sent.
const NOT_CONTENT: [Role; 4] = [Role::PinBlock, Role::Mac, Role::TransmissionTime, Role::Track3];

/// Keyed hash of all elements but those a repeat may change. The repeat digit of the MTI is not in it.
pub(super) fn content(message: &Message, sealer: &impl Sealer) -> [u8; 32] {
    let dialect = message.dialect();
    let excluded: SmallVec<[De; 6]> = NOT_CONTENT
        .iter()
        .filter_map(|role| dialect.role(*role))
        .map(|row| row.de)
        .chain(dialect.mac_element(message))
        .collect();
    let mut bytes: SmallVec<[u8; 512]> = SmallVec::new();
    bytes.extend(message.mti().map(|mti| mti.without_repeat().digits()).into_iter().flatten());
    for element in message.elements().filter(|element| !excluded.contains(element)) {
        let raw = message.raw(element).unwrap_or_default();
        bytes.push(element);
        bytes.extend_from_slice(&u16::try_from(raw.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(raw);
    }
    sealer.digest(&bytes)
}

/// The identity of this message, in its class.
pub(super) fn identity(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Identity, Stop> {
    let message = exchange.message;
    Ok(Identity {
        terminal: facts.terminal,
        stan: stan(message, Role::Stan)?,
        scope: scope(exchange, facts),
        class: message.mti().and_then(|mti| mti.class()).ok_or(Stop::format("mti"))?,
    })
}

/// How a reversal names its original: by the original data element where it brings one, else by its
/// own number, which is then the original's.
pub(super) fn original(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<OriginalKey, Stop> {
    let message = exchange.message;
    let scope = scope(exchange, facts);
    match message.role(Role::OriginalMti) {
        Some(mti) => Ok(OriginalKey {
            terminal: facts.terminal,
            stan: stan(message, Role::OriginalStan)?,
            scope,
            class: mti.get(1).copied().and_then(MessageClass::from_digit),
        }),
        None => Ok(OriginalKey { terminal: facts.terminal, stan: stan(message, Role::Stan)?, scope, class: None }),
    }
}

fn stan(message: &Message, role: Role) -> Result<Stan, Stop> {
    message.role(role).and_then(|value| Stan::parse(&value)).ok_or(Stop::format("stan"))
}

/// The batch where the dialect has one; else the local date as sent, which repeats and reversals
/// carry unchanged; else the date of receipt.
fn scope(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Scope {
    let sent = exchange.message.role(Role::Batch).or_else(|| exchange.message.role(Role::LocalDate));
    Scope(match sent {
        Some(value) => SmallVec::from_slice(value.get(..12).unwrap_or(&value)),
        None => SmallVec::from_slice(&exchange.received.date(facts.offset_minutes).month_day()),
    })
}
