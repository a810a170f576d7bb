//! What may be on record once: numbers, reference numbers, identities, reversals.

use crate::ledger::Identity;
use crate::ledger::OriginalKey;
use crate::ledger::Scope;
use crate::ledger::TxnId;
use crate::ledger::identities::can_be_one;
use crate::model::BusinessDate;
use crate::model::MessageClass;
use crate::model::Rrn;
use crate::model::SerialMark;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

/// Terminal, trace number, scope with its length, class (255: any).
type Key = [u8; 25];
const ANY: u8 = 255;

const CLASSES: [MessageClass; 7] = [
    MessageClass::Authorization,
    MessageClass::Financial,
    MessageClass::FileAction,
    MessageClass::Reversal,
    MessageClass::Reconciliation,
    MessageClass::Administrative,
    MessageClass::NetworkManagement,
];

/// A set of numbers that mostly rise by one: a bit each.
#[derive(Debug, Default)]
struct Bits(BTreeMap<u64, Box<[u64; 64]>>);

impl Bits {
    /// False if it was in.
    fn insert(&mut self, number: u64) -> bool {
        let page = self.0.entry(number >> 12).or_insert_with(|| Box::new([0; 64]));
        let Some(word) = usize::try_from(number >> 6 & 63).ok().and_then(|word| page.get_mut(word)) else {
            return true;
        };
        let bit = 1 << (number & 63);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }
}

/// Everything that has been used up.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    ids: Bits,
    rrns: HashSet<(BusinessDate, Rrn)>,
    requests: HashMap<Key, (TxnId, BusinessDate)>,
    reversals: HashMap<(Key, Key), BusinessDate>,
    tombstones: HashMap<Key, BusinessDate>,
    serials: HashMap<TerminalId, SerialMark>,
}

impl Numbers {
    /// False if the number was used before.
    pub(super) fn id(&mut self, id: TxnId) -> bool {
        self.ids.insert(id.0)
    }

    /// False if the reference number was used before on that date.
    pub(super) fn rrn(&mut self, date: BusinessDate, rrn: Rrn) -> bool {
        self.rrns.insert((date, rrn))
    }

    /// False if the request was on record before.
    pub(super) fn request(&mut self, identity: &Identity, id: TxnId, date: BusinessDate) -> bool {
        let before = self.requests.insert(key_of(identity), (id, date));
        before.is_none_or(|(_, before)| !can_be_one(before, date))
    }

    /// False if the same reversal of the same original was on record before. Leaves a tombstone if there is none.
    pub(super) fn reversal(&mut self, identity: &Identity, original: &OriginalKey, date: BusinessDate) -> bool {
        let before = self.reversals.insert((key_of(identity), original_key(identity.terminal, original)), date);
        before.is_none_or(|before| !can_be_one(before, date))
    }

    /// Remembers that the original of a reversal was not known.
    pub(super) fn bury(&mut self, terminal: TerminalId, original: &OriginalKey, date: BusinessDate) {
        self.tombstones.insert(original_key(terminal, original), date);
    }

    /// Whether a reversal came before this request.
    pub(super) fn is_buried(&self, identity: &Identity) -> bool {
        if self.tombstones.is_empty() {
            return false;
        }
        let mut key = key_of(identity);
        if self.tombstones.contains_key(&key) {
            return true;
        }
        key[24] = ANY;
        self.tombstones.contains_key(&key)
    }

    /// The latest request that a reversal can mean.
    pub(super) fn original(&self, terminal: TerminalId, original: &OriginalKey) -> Option<TxnId> {
        let classes = CLASSES.iter().filter(|class| original.class.is_none_or(|wanted| wanted == **class));
        let keys = classes.map(|class| key(terminal, original.stan, &original.scope, class_digit(*class)));
        keys.filter_map(|key| self.requests.get(&key)).map(|(id, _)| *id).max()
    }

    /// False if the terminal's DUKPT device has gone back.
    pub(super) fn serial(&mut self, terminal: TerminalId, facts: &SessionFacts) -> bool {
        let Some(mark) = facts.serial else { return true };
        let before = self.serials.insert(terminal, mark).filter(|before| before.device() == mark.device());
        before.is_none_or(|before| before.ksn.counter() <= mark.ksn.counter())
    }

    /// Forgets the tombstones of a closed day.
    pub(super) fn close(&mut self, date: BusinessDate) {
        self.tombstones.retain(|_, buried| *buried != date);
    }
}

fn class_digit(class: MessageClass) -> u8 {
    CLASSES.iter().zip(0..).find(|(known, _)| **known == class).map_or(ANY - 1, |(_, digit)| digit)
}

fn key_of(identity: &Identity) -> Key {
    key(identity.terminal, identity.stan, &identity.scope, class_digit(identity.class))
}

fn original_key(terminal: TerminalId, original: &OriginalKey) -> Key {
    key(terminal, original.stan, &original.scope, original.class.map_or(ANY, class_digit))
}

fn key(terminal: TerminalId, stan: Stan, scope: &Scope, class: u8) -> Key {
    let [_, high, middle, low] = stan.value().to_be_bytes();
    let length = u8::try_from(scope.0.len()).unwrap_or(u8::MAX);
    let parts = terminal.as_bytes().iter().chain([&high, &middle, &low]).copied();
    let scope = scope.0.iter().copied().chain(std::iter::repeat(0)).take(12);
    let mut out = [0; 25];
    for (place, byte) in out.iter_mut().zip(parts.chain(scope).chain([length, class])) {
        *place = byte;
    }
    out
}
