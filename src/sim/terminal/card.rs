//! A card at the reader: how it is read decides what of it a request carries.

use crate::iso8583::tlv;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Expiry;
use crate::model::Icc;
use crate::model::Pan;
use crate::model::Track2;
use crate::sim::cards::TestCard;
use bytes::Bytes;

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
    track2: String,
}

impl Card {
    /// A card with a track 2 of its own.
    #[must_use]
    pub fn of(card: &TestCard) -> Self {
        Self { pan: card.pan, expiry: card.expiry, track2: card.track2() }
    }

    /// A card by number and expiry; its track gets service code 201.
    #[must_use]
    pub fn new(pan: Pan, expiry: Expiry) -> Self {
        let date = expiry.digits();
        let track2 = format!("{}={}2010000000", pan.clear(), String::from_utf8_lossy(&date));
        Self { pan, expiry, track2 }
    }

    /// A card by what its stripe says. `None` if the track has no number or no expiry.
    #[must_use]
    pub fn from_track(track: &Track2) -> Option<Self> {
        let track2 = String::from_utf8(track.clear().to_vec()).ok()?;
        Some(Self { pan: track.pan()?, expiry: track.expiry()?, track2 })
    }

    /// Its track.
    pub(super) fn track2(&self) -> Option<Track2> {
        Track2::parse(self.track2.as_bytes())
    }
}

/// What the chip's part of a request is made of.
pub(super) struct Chip {
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    /// YYMMDD.
    pub(super) date: [u8; 6],
    pub(super) counter: u32,
    pub(super) cryptogram: [u8; 8],
    pub(super) unpredictable: [u8; 4],
}

impl Chip {
    /// DE 55 of a request, in the order in which terminals send it. The cryptogram is made up: issuers of
    /// the demo do not verify it.
    pub(super) fn request(&self, pan: &Pan) -> Option<Icc> {
        let counter = u16::try_from(self.counter % 65_536).unwrap_or_default().to_be_bytes();
        let currency = bcd(&[b"0".as_slice(), &self.currency.digits()].concat());
        let date = bcd(&self.date);
        let amount = bcd(&self.amount.digits());
        let aid: &[u8] = match pan.clear().as_bytes().first() {
            Some(b'4') => &[0xA0, 0, 0, 0, 0x03, 0x10, 0x10],
            Some(b'5') => &[0xA0, 0, 0, 0, 0x04, 0x10, 0x10],
            _ => &[0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01],
        };
        let sequence = bcd(format!("{:08}", self.counter % 100_000_000).as_bytes());
        let parts: [(&[u8], &[u8]); 20] = [
            (&[0x9F, 0x26], &self.cryptogram),
            (&[0x9F, 0x27], &[0x80]),
            (&[0x9F, 0x10], &[0x07, 0x00, 0x01, 0x03, 0xA0, 0xA0, 0x12, 0x01]),
            (&[0x9F, 0x37], &self.unpredictable),
            (&[0x9F, 0x36], &counter),
            (&[0x95], &[0x00, 0x00, 0x00, 0x04, 0xE8]),
            (&[0x9A], &date),
            (&[0x9C], &[0x00]),
            (&[0x9F, 0x02], &amount),
            (&[0x5F, 0x2A], &currency),
            (&[0x82], &[0x7C, 0x00]),
            (&[0x9F, 0x1A], &currency),
            (&[0x9F, 0x03], &[0; 6]),
            (&[0x9F, 0x33], &[0xE0, 0xE1, 0xC8]),
            (&[0x9F, 0x34], &[0x42, 0x03, 0x00]),
            (&[0x9F, 0x35], &[0x22]),
            (&[0x9F, 0x1E], b"TOLLGATE"),
            (&[0x84], aid),
            (&[0x9F, 0x09], &[0x02, 0x00]),
            (&[0x9F, 0x41], &sequence),
        ];
        let mut value = Vec::with_capacity(160);
        parts.iter().all(|(tag, content)| tlv::write(tag, content, &mut value)).then(|| Icc::new(Bytes::from(value)))
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

fn bcd(digits: &[u8]) -> Vec<u8> {
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | (digit & 0x0F))).collect()
}
