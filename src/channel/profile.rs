//! Everything two parties agree on about one wire, besides the keys.

use super::framing::{FrameFault, Framing};
use super::tpdu::{Frame, Tpdu};
use crate::iso8583::Dialect;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::MtiPattern;
use crate::iso8583::Rejected;
use crate::iso8583::Role;
use crate::model::DukptScheme;
use crate::model::MacScheme;
use crate::model::PinFormat;
use crate::model::RemoteRequest;
use crate::model::VoidsInTotals;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;

/// The conventions of a wire: a profile file after validation. Immutable, shared as `Arc`.
#[derive(Clone)]
pub struct Profile {
    /// Its name: the file without `.toml`.
    pub name: Box<str>,
    /// One line for people.
    pub title: Box<str>,
    /// Where its rows come from.
    pub source: Box<str>,
    /// The language of the body.
    pub dialect: Arc<Dialect>,
    /// Where messages end.
    pub framing: Framing,
    /// The TPDU of requests that we send; `None`: the wire has none.
    pub tpdu: Option<Tpdu>,
    /// The fixed header of requests that we send; empty: the wire has none. Answers copy the request's.
    pub header: Bytes,
    /// Which hex digit of the fixed header, counted from 0, an answer may use to ask something of the terminal;
    /// `None`: none.
    pub request_digit: Option<u8>,
    /// How long a session may live without a whole message.
    pub idle: Duration,
    /// Message authentication.
    pub mac: MacRule,
    /// The PIN block format of DE 52.
    pub pin_format: PinFormat,
    /// Whether terminals sign in to get working keys.
    pub sign_in: bool,
    /// Which DUKPT terminals follow; `None`: their keys serve many messages.
    pub dukpt: Option<DukptScheme>,
    /// Bytes of the MAC key that a sign-in hands out: 8 or 16.
    pub mak_length: u8,
    /// What pairs an answer with its request, besides the class of its MTI.
    pub correlation: Vec<Role>,
    /// Where public descriptions differ.
    pub switches: Switches,
}

/// Which messages carry a MAC, and of what kind.
#[derive(Clone, Debug)]
pub struct MacRule {
    /// How it is made.
    pub scheme: MacScheme,
    /// Messages without one.
    pub without: Vec<MtiPattern>,
}

/// Points on which implementations of one dialect differ. Test them with the acquirer.
///
/// Not here, because another row says it: the padding nibble and element lengths (the dialect), the
/// MAC's algorithm and writing, the PIN block format, the length of the MAC key (the profile itself).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Switches {
    /// The first two digits of the entry mode of a QR code: `03`, `04` in older documents.
    pub qr_entry_mode: [u8; 2],
    /// Characters of the operator in a sign-in: 2 or 3, blank filled.
    pub operator_length: u8,
    /// Digits of DE 60 in a terminal's financial requests: 11, 13, 14, 17 or 19. Any is read.
    pub de60_digits: u8,
    /// Whether a terminal's reversal repeats DE 53.
    pub reversal_security_control: bool,
    /// What of DE 55 a terminal's reversal repeats.
    pub reversal_icc: ReversalIcc,
    /// What answers to management messages carry besides their echoes and the clock.
    pub management_answer: Vec<Role>,
    /// What an approved void does to the totals of a batch.
    pub voids: VoidsInTotals,
    /// The same of answers to downloads.
    pub download_answer: Vec<Role>,
    /// Most bytes of DE 62 in the answer to a download, 400 to 999.
    pub download_block: u16,
    /// What such a block begins with if more follow: `2` or `3`. The last one begins with 1, an empty one with 0.
    pub download_more: u8,
    /// Whether the date on which a public key ends is written in eight characters, not in four packed bytes.
    pub capk_expiry_text: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            qr_entry_mode: *b"03",
            operator_length: 3,
            de60_digits: 13,
            reversal_security_control: false,
            reversal_icc: ReversalIcc::Subset,
            management_answer: vec![Role::Acquirer, Role::Rrn],
            voids: VoidsInTotals::Removed,
            download_answer: vec![Role::Rrn],
            download_block: 512,
            download_more: b'2',
            capk_expiry_text: false,
        }
    }
}

/// What of the original's chip data a reversal repeats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReversalIcc {
    /// Nothing.
    None,
    /// What tells how the chip ended: 95, 9F1E, 9F10, 9F36, DF31.
    Subset,
    /// All of it.
    Full,
}

impl Profile {
    /// Whether messages of this type carry a MAC.
    #[must_use]
    pub fn mac_required(&self, mti: Mti) -> bool {
        !self.mac.without.iter().any(|pattern| pattern.matches(mti))
    }

    /// Takes a unit apart; nothing is copied.
    ///
    /// # Errors
    /// It ends inside its headers, or its TPDU is none. Nobody can be answered then.
    pub fn split(&self, unit: Bytes) -> Result<Frame, FrameFault> {
        let mut body = unit;
        let tpdu = match self.tpdu {
            None => None,
            Some(_) if body.len() < Tpdu::LENGTH => return Err(FrameFault::TpduShort),
            Some(_) => Some(Tpdu::parse(&body.split_to(Tpdu::LENGTH)).ok_or(FrameFault::NotTpdu)?),
        };
        if body.len() < self.header.len() {
            return Err(FrameFault::HeaderShort);
        }
        let header = body.split_to(self.header.len());
        Ok(Frame { tpdu, header, body })
    }

    /// A whole unit with its length header: `body` as the answer to a frame (TPDU swapped, header copied),
    /// or as a request of our own with the profile's headers.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`]: above the cap, or above what the length header can state.
    pub fn enclose(&self, body: &[u8], reply_to: Option<&Frame>) -> Result<Bytes, FrameFault> {
        match reply_to {
            Some(request) => self.put_together(request.tpdu.map(Tpdu::swapped), &request.header, body),
            None => self.put_together(self.tpdu, &self.header, body),
        }
    }

    /// An answer as by [`Self::enclose`], whose header asks something of the terminal where the profile says how.
    ///
    /// # Errors
    /// As [`Self::enclose`].
    pub fn enclose_asking(&self, body: &[u8], request: &Frame, asked: RemoteRequest) -> Result<Bytes, FrameFault> {
        let mut header = BytesMut::from(&request.header[..]);
        let place = self.request_digit.map(usize::from);
        if let Some((place, byte)) = place.and_then(|place| Some((place, header.get_mut(place / 2)?))) {
            *byte = match place % 2 {
                0 => *byte & 0x0F | asked.digit() << 4,
                _ => *byte & 0xF0 | asked.digit(),
            };
        }
        self.put_together(request.tpdu.map(Tpdu::swapped), &header, body)
    }

    /// A whole unit with its length header from a frame as it is: a request under a TPDU of its own.
    ///
    /// # Errors
    /// As [`Self::enclose`].
    pub fn enclose_frame(&self, frame: &Frame) -> Result<Bytes, FrameFault> {
        self.put_together(frame.tpdu, &frame.header, &frame.body)
    }

    fn put_together(&self, tpdu: Option<Tpdu>, header: &[u8], body: &[u8]) -> Result<Bytes, FrameFault> {
        let tpdu = tpdu.map(Tpdu::bytes);
        let tpdu = tpdu.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        let length = tpdu.len() + header.len() + body.len();
        let mut unit = BytesMut::with_capacity(self.framing.length.bytes() + length);
        self.framing.put_length(length, &mut unit)?;
        unit.put_slice(tpdu);
        unit.put_slice(header);
        unit.put_slice(body);
        Ok(unit.freeze())
    }

    /// The message in a frame.
    ///
    /// # Errors
    /// What is wrong with it and what was readable before the fault.
    pub fn decode(&self, frame: &Frame) -> Result<Message, Box<Rejected>> {
        self.dialect.decode(frame.body.clone())
    }
}
