//! A card at the reader: how it is read decides what of it a request carries.

use super::chip::Chip;
use crate::iso8583::tlv;
use crate::model::Expiry;
use crate::model::Pan;
use crate::model::Track2;
use crate::sim::cards::TestCard;

/// How a card is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// Contact chip: track 2 and chip data.
    Chip,
    /// Magnetic stripe: track 2.
    Swipe,
    /// Contactless: track 2 and chip data.
    Tap,
    /// Typed in: number and expiry.
    Manual,
    /// QR code: its number.
    Qr,
}

impl Entry {
    /// From its name: chip, swipe, tap, manual, qr.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "chip" => Self::Chip,
            "swipe" => Self::Swipe,
            "tap" => Self::Tap,
            "manual" => Self::Manual,
            "qr" => Self::Qr,
            _ => return None,
        })
    }

    /// From DE 22; what no reader here makes is taken for typed in.
    pub(super) fn of(mode: &[u8]) -> Self {
        match mode.get(..2) {
            Some(b"05" | b"95") => Self::Chip,
            Some(b"02" | b"80" | b"90") => Self::Swipe,
            Some(b"07" | b"91" | b"96" | b"98") => Self::Tap,
            Some(b"03" | b"04") => Self::Qr,
            _ => Self::Manual,
        }
    }

    /// The first two digits of DE 22; a QR code's are the profile's choice.
    pub(super) fn digits(self, qr: [u8; 2]) -> [u8; 2] {
        match self {
            Self::Chip => *b"05",
            Self::Swipe => *b"02",
            Self::Tap => *b"07",
            Self::Manual => *b"01",
            Self::Qr => qr,
        }
    }

    /// Whether a chip speaks.
    #[must_use]
    pub fn has_chip(self) -> bool {
        matches!(self, Self::Chip | Self::Tap)
    }

    /// Whether track 2 is read.
    #[must_use]
    pub fn has_track(self) -> bool {
        matches!(self, Self::Chip | Self::Swipe | Self::Tap)
    }
}

/// A card as the reader sees it. No `Debug`, no `Clone`.
pub struct Card {
    /// Its number.
    pub pan: Pan,
    /// Its expiry.
    pub expiry: Expiry,
    /// Which of the cards with its number it is.
    pub(super) sequence: u8,
    pub(super) chip: Option<Chip>,
    /// Its chip is a copy that does not know the key.
    pub(super) forged_chip: bool,
    stripe: String,
    /// What the chip tells in place of the stripe.
    equivalent: String,
}

impl Card {
    /// A card with stripe and chip of its own.
    #[must_use]
    pub fn of(card: &TestCard) -> Self {
        let (stripe, equivalent) = (card.track2(), card.track2_equivalent());
        let (chip, sequence) = (Chip::of(card), card.sequence);
        Self { pan: card.pan, expiry: card.expiry, sequence, chip, forged_chip: false, stripe, equivalent }
    }

    /// A card by number and expiry; its track gets service code 201, and nobody's verification value.
    #[must_use]
    pub fn new(pan: Pan, expiry: Expiry) -> Self {
        let date = expiry.digits();
        Self::strange(pan, expiry, format!("{}={}2010000000", pan.clear(), String::from_utf8_lossy(&date)))
    }

    /// A card by what its stripe says. `None` if the track has no number or no expiry.
    #[must_use]
    pub fn from_track(track: &Track2) -> Option<Self> {
        let track2 = String::from_utf8(track.clear().to_vec()).ok()?;
        Some(Self::strange(track.pan()?, track.expiry()?, track2))
    }

    /// A card whose chip's key is not known: its chip tells the same track, and makes its cryptograms up.
    fn strange(pan: Pan, expiry: Expiry, track: String) -> Self {
        Self { pan, expiry, sequence: 1, chip: None, forged_chip: false, equivalent: track.clone(), stripe: track }
    }

    /// The same card with a chip that does not know its key: its cryptograms are wrong.
    #[must_use]
    pub fn with_forged_chip(self) -> Self {
        Self { forged_chip: true, ..self }
    }

    /// The same card with other verification values on its stripe and in its chip's track.
    #[must_use]
    pub fn with_wrong_value(mut self) -> Self {
        // Service code and five digits stand between expiry and verification value.
        const LAST_OF_VALUE: usize = 4 + 3 + 5 + 2;
        for track in [&mut self.stripe, &mut self.equivalent] {
            let place = track.find('=').map_or(track.len(), |separator| separator + 1 + LAST_OF_VALUE);
            if let Some(digit) = track.get(place..=place).and_then(|digit| digit.parse::<u8>().ok()) {
                track.replace_range(place..=place, &((digit + 1) % 10).to_string());
            }
        }
        self
    }

    /// Its track as a reader gets it.
    pub(super) fn track2(&self, entry: Entry) -> Option<Track2> {
        Track2::parse(if entry.has_chip() { &self.equivalent } else { &self.stripe }.as_bytes())
    }
}

/// The parts of a request's DE 55 that its reversal repeats: how the chip ended, and no cryptogram.
pub(super) fn reversal_subset(icc: &[u8]) -> Vec<u8> {
    let kept: [&[u8]; 5] = [&[0x95], &[0x9F, 0x1E], &[0x9F, 0x10], &[0x9F, 0x36], &[0xDF, 0x31]];
    let mut value = Vec::new();
    let written = kept.iter().filter_map(|tag| Some((tag, tlv::Reader::new(icc).find(tag)?)));
    let whole = written.fold(true, |whole, (tag, content)| tlv::write(tag, content, &mut value) && whole);
    if whole { value } else { Vec::new() }
}
