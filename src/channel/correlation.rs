//! What pairs an answer with its request, and what tells the terminals of one connection apart.

use super::profile::Profile;
use super::tpdu::Frame;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::MessageClass;
use crate::model::TerminalId;
use smallvec::SmallVec;

/// Pairs an answer with its request: the profile's correlation roles and the class of the MTI.
///
/// Request and answer give the same key. No `Debug`: a profile may correlate by sensitive elements.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct CorrelationKey(SmallVec<[u8; 64]>);

impl CorrelationKey {
    /// Stands for an element that the message does not carry; an element of length zero is another thing.
    const ABSENT: [u8; 2] = [0xff, 0xff];

    /// `class` and, of each role in turn, length and value.
    fn new(class: MessageClass, message: &Message, roles: &[Role]) -> Self {
        let mut key = SmallVec::new();
        key.push(class_digit(class));
        for role in roles {
            match message.role(*role).and_then(|value| Some((u16::try_from(value.len()).ok()?, value))) {
                Some((length, value)) => {
                    key.extend_from_slice(&length.to_be_bytes());
                    key.extend_from_slice(&value);
                }
                None => key.extend_from_slice(&Self::ABSENT),
            }
        }
        Self(key)
    }

    /// The class and each role's bytes, in the profile's order.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (class, mut rest) = self.0.split_at(self.0.len().min(1));
        std::iter::once(class).chain(std::iter::from_fn(move || {
            let (length, after) = rest.split_at_checked(2)?;
            let bytes = if length == Self::ABSENT { 0 } else { usize::from(length[0]) << 8 | usize::from(length[1]) };
            let part = rest.get(..2 + bytes)?;
            rest = after.get(bytes..)?;
            Some(part)
        }))
    }
}

fn class_digit(class: MessageClass) -> u8 {
    match class {
        MessageClass::Authorization => b'1',
        MessageClass::Financial => b'2',
        MessageClass::FileAction => b'3',
        MessageClass::Reversal => b'4',
        MessageClass::Reconciliation => b'5',
        MessageClass::Administrative => b'6',
        MessageClass::NetworkManagement => b'8',
    }
}

impl Profile {
    /// The key of `message`, request or answer alike. `None` without an MTI of a known class or without
    /// a STAN: such a message answers nothing.
    #[must_use]
    pub fn correlation_key(&self, message: &Message) -> Option<CorrelationKey> {
        let class = message.mti()?.class()?;
        message.role(Role::Stan)?;
        Some(CorrelationKey::new(class, message, &self.correlation))
    }

    /// By which of the profile's roles two keys of it differ: why an answer did not match. `mti` stands
    /// for the class.
    pub fn key_differences<'a>(
        &'a self,
        one: &'a CorrelationKey,
        other: &'a CorrelationKey,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let names = std::iter::once("mti").chain(self.correlation.iter().map(|role| role.as_str()));
        let pairs = one.parts().zip(other.parts());
        names.zip(pairs).filter(|(_, (one, other))| one != other).map(|(name, _)| name)
    }

    /// Which terminal of its connection `message` belongs to.
    #[must_use]
    pub fn lane(&self, frame: &Frame, message: &Message) -> LaneKey {
        let terminal = message.role(Role::Terminal);
        let class = message.mti().and_then(|mti| mti.class());
        LaneKey {
            undoes: class == Some(MessageClass::Reversal),
            source: frame.tpdu.map(|tpdu| tpdu.source),
            terminal: terminal.and_then(|terminal| TerminalId::parse(&terminal)),
        }
    }
}

/// One terminal among those that share a connection: its line at the concentrator and its own number.
///
/// Frames of one lane are served one after the other, lanes at the same time. It says nothing about who
/// the terminal is: anyone can write both numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LaneKey {
    /// Source address of the TPDU, where the profile has one.
    pub source: Option<[u8; 2]>,
    /// DE 41, if it was readable.
    pub terminal: Option<TerminalId>,
    /// Whether it is the terminal's second lane, for reversals: they must not wait for what they undo.
    pub undoes: bool,
}

/// One message as it came from a peer, with the headers its answer needs.
pub struct Received {
    /// Headers and body.
    pub frame: Frame,
    /// The body, decoded.
    pub message: Message,
}
