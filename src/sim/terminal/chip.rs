//! A chip at the reader: what it says of a request, and whether it believes what its issuer answers.

use super::card::Card;
use super::pin_pad::{PinPad, hex, unhex};
use super::request::Sent;
use super::{Entry, Terminal};
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::calculator::emv::answer_key;
use crate::hsm::calculator::emv::arpc;
use crate::hsm::calculator::emv::cryptogram;
use crate::hsm::calculator::emv::session_key;
use crate::hsm::emv::Cvn;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Icc;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::Stan;
use crate::sim::cards::TestCard;
use crate::sim::chip;
use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Issuer application data of a chip whose key nobody knows here.
const OF_NO_ISSUER: [u8; 8] = [0x07, 0x00, 0x01, 0x03, 0xA0, 0xA0, 0x12, 0x01];

/// What a chip makes of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChipCheck {
    /// No chip waits for it: none was read, it is gone as a contactless card is, or its key is not known here.
    None,
    /// The answer has nothing for it; it goes by the host's word, as after a stand-in approval.
    Missing,
    /// Its issuer has answered.
    Ok,
    /// What the answer has for it is not its issuer's: it declines.
    Wrong,
}

/// The secret part of a chip card. No `Debug`, no `Clone`.
pub(super) struct Chip {
    version: Cvn,
    key: EmvKey,
}

impl Chip {
    /// The chip of a personalised card.
    pub(super) fn of(card: &TestCard) -> Option<Self> {
        Some(Self { version: card.chip?, key: card.chip_key()?.clone() })
    }
}

/// What the terminals' memory has of chips: their counters, which the chips would keep themselves, and how often one
/// refused an answer.
#[derive(Clone, Default)]
pub struct Chips {
    counters: HashMap<Pan, u16>,
    /// Answers that a chip did not believe.
    pub refused: u32,
}

impl Chips {
    /// The number of a card's next transaction: from 1, and from 1 again where a real card would be used up.
    fn count(&mut self, pan: &Pan) -> u16 {
        let counter = self.counters.entry(*pan).or_default();
        *counter = counter.checked_add(1).unwrap_or(1);
        *counter
    }
}

/// [`Chips`] as a state file has them: the numbers of cards are sealed.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChips {
    counters: BTreeMap<String, u16>,
    refused: u32,
}

impl RawChips {
    pub(super) fn of(chips: &Chips, pad: &PinPad) -> Self {
        let sealed = chips.counters.iter().filter_map(|(pan, counter)| Some((hex(&pad.seal(pan.clear())?), *counter)));
        Self { counters: sealed.collect(), refused: chips.refused }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counters.is_empty() && self.refused == 0
    }

    /// `None` under another key.
    pub(super) fn read(&self, pad: &PinPad) -> Option<Chips> {
        let open = |(sealed, counter): (&String, &u16)| {
            let number = pad.open(unhex(sealed)?.try_into().ok()?)?;
            Some((Pan::parse(number.as_bytes())?, *counter))
        };
        let counters = self.counters.iter().map(open).collect::<Option<_>>()?;
        Some(Chips { counters, refused: self.refused })
    }
}

/// A chip in the reader that waits for its issuer's answer.
pub(super) struct Waiting {
    kind: Kind,
    stan: Stan,
    version: Cvn,
    arqc: [u8; 8],
    key: EmvKey,
}

/// What the chip's part of a request is made of.
pub(super) struct Insertion {
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    /// YYMMDD.
    pub(super) date: [u8; 6],
    pub(super) stan: Stan,
    pub(super) unpredictable: [u8; 4],
    /// Stands for the cryptogram of a chip whose key nobody knows here.
    pub(super) made_up: [u8; 8],
}

impl Insertion {
    /// DE 55 without its cryptogram, in the order in which terminals send it.
    fn objects(&self, pan: &Pan, atc: u16, application_data: &[u8], arqc: [u8; 8]) -> Option<Vec<u8>> {
        let currency = bcd(&[b"0".as_slice(), &self.currency.digits()].concat());
        let (date, amount) = (bcd(&self.date), bcd(&self.amount.digits()));
        let aid: &[u8] = match pan.clear().as_bytes().first() {
            Some(b'4') => &[0xA0, 0, 0, 0, 0x03, 0x10, 0x10],
            Some(b'5') => &[0xA0, 0, 0, 0, 0x04, 0x10, 0x10],
            _ => &[0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01],
        };
        let sequence = bcd(format!("{:08}", self.stan.value()).as_bytes());
        let parts: [(&[u8], &[u8]); 20] = [
            (chip::CRYPTOGRAM, &arqc),
            (&[0x9F, 0x27], &[0x80]),
            (chip::APPLICATION_DATA, application_data),
            (chip::UNPREDICTABLE, &self.unpredictable),
            (chip::COUNTER, &atc.to_be_bytes()),
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
        let mut value = Vec::with_capacity(192);
        parts.iter().all(|(tag, content)| tlv::write(tag, content, &mut value)).then_some(value)
    }

    /// DE 55 of a chip whose key nobody knows here: its cryptogram is made up.
    fn of_strange(&self, pan: &Pan) -> Option<Vec<u8>> {
        let atc = u16::try_from(self.stan.value() % 65_536).unwrap_or_default();
        self.objects(pan, atc, &OF_NO_ISSUER, self.made_up)
    }

    /// DE 55 with the chip's cryptogram, and the chip as it waits for the answer.
    fn of_chip(&self, pan: &Pan, chip: &Chip, atc: u16, kind: Kind) -> Option<(Vec<u8>, Waiting)> {
        let (version, scheme) = (chip.version, chip.version.scheme());
        let application_data = chip::application_data(version);
        let unsigned = self.objects(pan, atc, &application_data, [0; 8])?;
        let session = session_key(scheme.session, &chip.key, atc.to_be_bytes(), self.unpredictable).ok()?;
        let arqc = cryptogram(&session, scheme.padding, &chip::covered(&unsigned, version)?).ok()?;
        let key = answer_key(&scheme, &chip.key, atc.to_be_bytes()).ok()?;
        let signed = self.objects(pan, atc, &application_data, arqc)?;
        Some((signed, Waiting { kind, stan: self.stan, version, arqc, key }))
    }
}

impl Terminal {
    /// What the chip says of a request. A chip that stays in the reader waits for the answer afterwards.
    pub(super) fn read_chip(&mut self, card: &Card, (entry, kind): (Entry, Kind), shown: &Insertion) -> Option<Icc> {
        let mut waiting = None;
        let mut said = match &card.chip {
            None => shown.of_strange(&card.pan)?,
            Some(chip) => {
                let atc = self.memory.chips.count(&card.pan);
                let (said, waits) = shown.of_chip(&card.pan, chip, atc, kind)?;
                waiting = Some(waits).filter(|_| entry == Entry::Chip);
                said
            }
        };
        self.in_reader = waiting;
        if card.forged_chip {
            spoil(&mut said);
        }
        Some(Icc::new(Bytes::from(said)))
    }

    /// What the chip that asked makes of the answer. One that refuses is counted.
    pub(super) fn show_chip(&mut self, sent: &Sent, answer: &Message) -> ChipCheck {
        let stan = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan));
        let waits = |chip: &&Waiting| chip.kind == sent.kind && Some(chip.stan) == stan;
        let Some(chip) = self.in_reader.as_ref().filter(waits) else { return ChipCheck::None };
        let said =
            answer.role(Role::Icc).and_then(|icc| Some(tlv::Reader::new(&icc).find(chip::AUTHENTICATION)?.to_vec()));
        let Some(said) = said else { return ChipCheck::Missing };
        if chip.believes(&said) {
            return ChipCheck::Ok;
        }
        self.memory.chips.refused = self.memory.chips.refused.saturating_add(1);
        ChipCheck::Wrong
    }
}

impl Waiting {
    fn believes(&self, said: &[u8]) -> bool {
        let Some((came, spec)) = chip::read_authentication(self.version, said) else { return false };
        arpc(&self.key, self.arqc, &spec).is_ok_and(|made| made == came)
    }
}

/// A copy of a chip does not know its key: the last byte of its cryptogram, which comes first in DE 55, is another.
fn spoil(icc: &mut [u8]) {
    if let Some(last) = icc.get_mut(10) {
        *last ^= 0xFF;
    }
}

fn bcd(digits: &[u8]) -> Vec<u8> {
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | (digit & 0x0F))).collect()
}
