//! What a terminal is, at which shop it stands, and which device it is today: as the registry says.

use super::{BusinessDate, EntryMethod, Firmware, Mcc, NetworkPolicy, Region};
use std::fmt;
use std::sync::Arc;

/// What the registry says of a terminal beside what it needs to trade. Everything may be unknown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Site {
    /// The shop that it stands in, shared with the shop's other terminals.
    pub shop: Arc<Shop>,
    /// Where it stands: its own region, else its shop's.
    pub region: Option<Region>,
    /// What kind of terminal it is.
    pub class: Option<TerminalClass>,
    /// How it can read cards, and whether it takes PINs.
    pub capabilities: Option<Capabilities>,
    /// Which addresses it may come from.
    pub network: NetworkPolicy,
    /// The device that it is.
    pub hardware: Option<Arc<Hardware>>,
    /// What only people read.
    pub papers: Option<Box<Papers>>,
}

/// What terminals of one merchant have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shop {
    /// Its name as receipts print it; may be Chinese. To be compared with DE 43.
    pub name: Box<str>,
    /// Its name in English.
    pub name_en: Option<Box<str>>,
    /// What it trades in.
    pub mcc: Option<Mcc>,
    /// Where it is.
    pub region: Option<Region>,
}

/// A device, as its maker and its custodian describe it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hardware {
    /// Its serial number.
    pub serial: Box<str>,
    /// Its model.
    pub model: Option<Arc<str>>,
    /// Who made it.
    pub maker: Option<Arc<str>>,
    /// What it runs.
    pub firmware: Option<Firmware>,
    /// The number of its certificate.
    pub certification: Option<Arc<str>>,
    /// The last day on which that holds.
    pub certified_until: Option<BusinessDate>,
    /// Who answers for it.
    pub custodian: Option<Arc<str>>,
}

/// What no rule asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Papers {
    /// Where it stands, in words.
    pub address: Option<Arc<str>>,
    /// Who answers for it.
    pub custodian: Option<Arc<str>>,
    /// The template that its row is filled from.
    pub template: Option<Arc<str>>,
    /// The group that it belongs to.
    pub group: Option<Arc<str>>,
}

/// What kind of terminal it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TerminalClass {
    /// At a counter, on a line.
    Fixed,
    /// Carried about, over a mobile network.
    Mobile,
    /// Carried about within the shop.
    Wireless,
    /// Nobody stands beside it.
    Unattended,
}

impl TerminalClass {
    const NAMES: [(&'static str, Self); 4] = [
        ("fixed", Self::Fixed),
        ("mobile", Self::Mobile),
        ("wireless", Self::Wireless),
        ("unattended", Self::Unattended),
    ];

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, class)| *class == self).map_or("", |(name, _)| name)
    }
}

/// What a terminal can do with a card.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Reads magnetic stripes.
    pub const STRIPE: Self = Self(1);
    /// Reads chips.
    pub const CHIP: Self = Self(1 << 1);
    /// Reads contactless cards.
    pub const TAP: Self = Self(1 << 2);
    /// Card numbers may be typed.
    pub const MANUAL: Self = Self(1 << 3);
    /// Reads payment codes.
    pub const CODE: Self = Self(1 << 4);
    /// Takes PINs.
    pub const PIN: Self = Self(1 << 5);

    const NAMES: [(&'static str, Self); 6] = [
        ("stripe", Self::STRIPE),
        ("chip", Self::CHIP),
        ("tap", Self::TAP),
        ("manual", Self::MANUAL),
        ("code", Self::CODE),
        ("pin", Self::PIN),
    ];

    /// One of them, from its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// These and those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a card can have been entered like that. What a request does not say is not held against it; after a chip
    /// that failed it was the stripe.
    #[must_use]
    pub fn reads(self, method: EntryMethod) -> bool {
        match method {
            EntryMethod::Unspecified | EntryMethod::Other => true,
            EntryMethod::Manual => self.has(Self::MANUAL),
            EntryMethod::Swipe | EntryMethod::Fallback => self.has(Self::STRIPE),
            EntryMethod::Code => self.has(Self::CODE),
            EntryMethod::Chip => self.has(Self::CHIP),
            EntryMethod::Tap => self.has(Self::TAP),
        }
    }
}

/// As the lists write them: `stripe+chip`.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (name, _) in Self::NAMES.iter().filter(|(_, one)| self.has(*one)) {
            write!(f, "{before}{name}")?;
            before = "+";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_reads_what_it_says_that_it_reads() {
        let [stripe, pin] = ["stripe", "pin"].map(|name| Capabilities::parse(name).unwrap());
        let both = stripe.with(pin);
        assert_eq!((both.to_string(), both.has(pin), both.has(Capabilities::CHIP)), ("stripe+pin".into(), true, false));
        assert!(both.reads(EntryMethod::Fallback) && both.reads(EntryMethod::Unspecified));
        assert!(!both.reads(EntryMethod::Chip) && !both.reads(EntryMethod::Tap) && !both.reads(EntryMethod::Manual));
        assert_eq!(Capabilities::parse("stripes"), None);
    }
}
