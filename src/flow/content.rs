//! What two messages must share to be the same: identity and content (rules of the money, 2).

use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::iso8583::De;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Identity;
use crate::ledger::Ledger;
use crate::ledger::OriginalKey;
use crate::ledger::Scope;
use crate::model::Expiry;
use crate::model::MessageClass;
use crate::model::Request;
use crate::model::Sealer;
use crate::model::Stan;
use crate::model::TerminalFacts;
use crate::model::Timestamp;
use smallvec::SmallVec;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a repeat may change: secrets that are enciphered afresh, and when it was sent.
const NOT_CONTENT: [Role; 6] =
    [Role::PinBlock, Role::Ksn, Role::Mac, Role::TransmissionTime, Role::Track2, Role::Track3];

/// Keyed hash of all elements but those a repeat may change, and of the card, however it was read. The
/// repeat digit of the MTI is not in it.
pub(super) fn content(message: &Message, request: &Request, sealer: &impl Sealer) -> [u8; 32] {
    let dialect = message.dialect();
    let excluded: SmallVec<[De; 7]> = NOT_CONTENT
        .iter()
        .filter_map(|role| dialect.role(*role))
        .map(|row| row.de)
        .chain(dialect.mac_element(message))
        .collect();
    let mut bytes: SmallVec<[u8; 512]> = SmallVec::new();
    put_but(message, &excluded, &mut bytes);
    bytes.extend_from_slice(request.pan.clear().as_bytes());
    bytes.extend(request.expiry.map(Expiry::digits).into_iter().flatten());
    sealer.digest(&bytes)
}

/// Keyed hash of all elements but the MAC. The repeat digit of the MTI is not in it.
pub(super) fn whole(message: &Message, sealer: &impl Sealer) -> [u8; 32] {
    let excluded: SmallVec<[De; 1]> = message.dialect().mac_element(message).into_iter().collect();
    // Tracks are among them: wiped, and large enough never to move.
    let most = message.mac_input().map_or(0, <[u8]>::len) + 4 * usize::from(De::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    put_but(message, &excluded, &mut *bytes);
    sealer.digest(&bytes)
}

/// A message's type without its repeat digit, and its elements as sent, but some.
fn put_but(message: &Message, excluded: &[De], out: &mut impl Extend<u8>) {
    out.extend(message.mti().map(|mti| mti.without_repeat().digits()).into_iter().flatten());
    for element in message.elements().filter(|element| !excluded.contains(element)) {
        let raw = message.raw(element).unwrap_or_default();
        out.extend([element]);
        out.extend(u16::try_from(raw.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(raw.iter().copied());
    }
}

impl<W: World> Station<W> {
    /// The identity of this message, in its class.
    pub(super) fn identity(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Identity, Stop> {
        let message = exchange.message;
        let class = message.mti().and_then(|mti| mti.class()).ok_or(Stop::format("mti"))?;
        let stan = stan(message, Role::Stan)?;
        let scope = self.scope(exchange, facts, stan, &[class]);
        Ok(Identity { terminal: facts.terminal, stan, scope, class })
    }

    /// How a reversal names its original: by the original data element where it brings one, else by its
    /// own number, which is then the original's.
    pub(super) fn original(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<OriginalKey, Stop> {
        let message = exchange.message;
        let (role, class) = match message.role(Role::OriginalMti) {
            Some(mti) => (Role::OriginalStan, mti.get(1).copied().and_then(MessageClass::from_digit)),
            None => (Role::Stan, None),
        };
        let stan = stan(message, role)?;
        let scope = self.scope(exchange, facts, stan, class.as_ref().map_or(&ORIGINALS[..], std::slice::from_ref));
        Ok(OriginalKey { terminal: facts.terminal, stan, scope, class })
    }

    /// The batch where the dialect has one; else the local date as sent, which repeats and reversals carry
    /// unchanged; else the date of receipt, or in the first hour of a day the day before, if the number
    /// was used then: a repeat just after midnight is still a repeat.
    fn scope(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, stan: Stan, classes: &[MessageClass]) -> Scope {
        let sent = exchange.message.role(Role::Batch).or_else(|| exchange.message.role(Role::LocalDate));
        if let Some(value) = sent {
            return Scope(SmallVec::from_slice(value.get(..12).unwrap_or(&value)));
        }
        let scope = |at: Timestamp| Scope(SmallVec::from_slice(&at.date(facts.offset_minutes).month_day()));
        let (today, before) = (scope(exchange.received), scope(exchange.received.earlier(AFTER_MIDNIGHT)));
        let used = |class: &MessageClass| {
            let identity = Identity { terminal: facts.terminal, stan, scope: before.clone(), class: *class };
            self.parts.ledger.knows(&identity)
        };
        if today != before && classes.iter().any(used) { before } else { today }
    }
}

/// What a reversal that does not say can mean.
const ORIGINALS: [MessageClass; 2] = [MessageClass::Financial, MessageClass::Authorization];
/// How long after midnight a number of the day before is still meant.
const AFTER_MIDNIGHT: Duration = Duration::from_secs(3600);

fn stan(message: &Message, role: Role) -> Result<Stan, Stop> {
    message.role(role).and_then(|value| Stan::parse(&value)).ok_or(Stop::format("stan"))
}
