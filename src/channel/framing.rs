//! Where one message ends and the next begins in a stream of bytes. Sans-IO: bytes in, units out.

use bytes::{BufMut, Bytes, BytesMut};
use zeroize::Zeroizing;

/// How the length of a unit is written in front of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LengthHeader {
    /// Two bytes, binary, big endian. The most common one.
    Binary2Be,
    /// Two bytes, binary, little endian.
    Binary2Le,
    /// Four bytes, binary, big endian.
    Binary4Be,
    /// Four bytes, binary, little endian.
    Binary4Le,
    /// Two bytes, four BCD digits.
    Bcd2,
    /// Four ASCII digits.
    Ascii4,
}

impl LengthHeader {
    /// Every header with its name in profiles and on the command line.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("binary-2-be", Self::Binary2Be),
        ("binary-2-le", Self::Binary2Le),
        ("binary-4-be", Self::Binary4Be),
        ("binary-4-le", Self::Binary4Le),
        ("bcd-2", Self::Bcd2),
        ("ascii-4", Self::Ascii4),
    ];

    /// By its name in [`Self::ALL`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, header)| *header)
    }

    /// Its name in profiles and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, header)| *header == self).map_or("", |(name, _)| name)
    }

    /// Bytes of the header itself.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Binary2Be | Self::Binary2Le | Self::Bcd2 => 2,
            Self::Binary4Be | Self::Binary4Le | Self::Ascii4 => 4,
        }
    }

    /// The largest number it can state.
    #[must_use]
    pub fn largest(self) -> usize {
        match self {
            Self::Binary2Be | Self::Binary2Le => usize::from(u16::MAX),
            Self::Binary4Be | Self::Binary4Le => usize::try_from(u32::MAX).unwrap_or(usize::MAX),
            Self::Bcd2 | Self::Ascii4 => 9_999,
        }
    }

    /// The number in `head`; `None` if `head` has not the header's size or a digit is none.
    fn read(self, head: &[u8]) -> Option<usize> {
        let decimal = |digits: &[u8]| {
            let digit = |sum, digit: &u8| (*digit < 10).then(|| sum * 10 + usize::from(*digit));
            digits.iter().try_fold(0, digit)
        };
        match (self, head) {
            (Self::Binary2Be, &[a, b]) => Some(usize::from(u16::from_be_bytes([a, b]))),
            (Self::Binary2Le, &[a, b]) => Some(usize::from(u16::from_le_bytes([a, b]))),
            (Self::Binary4Be, &[a, b, c, d]) => usize::try_from(u32::from_be_bytes([a, b, c, d])).ok(),
            (Self::Binary4Le, &[a, b, c, d]) => usize::try_from(u32::from_le_bytes([a, b, c, d])).ok(),
            (Self::Bcd2, &[a, b]) => decimal(&[a >> 4, a & 15, b >> 4, b & 15]),
            (Self::Ascii4, &[a, b, c, d]) => decimal(&[a, b, c, d].map(|digit| digit.wrapping_sub(b'0'))),
            _ => None,
        }
    }

    /// Writes `number`, which must not be above [`Self::largest`].
    fn write(self, number: u32, out: &mut BytesMut) {
        let digit = |place: u32| u8::try_from(number / place % 10).unwrap_or_default();
        match self {
            Self::Binary2Be => out.put_uint(u64::from(number), 2),
            Self::Binary2Le => out.put_uint_le(u64::from(number), 2),
            Self::Binary4Be => out.put_u32(number),
            Self::Binary4Le => out.put_u32_le(number),
            Self::Bcd2 => out.put_slice(&[digit(1000) << 4 | digit(100), digit(10) << 4 | digit(1)]),
            Self::Ascii4 => out.put_slice(&[1000, 100, 10, 1].map(|place| b'0' + digit(place))),
        }
    }
}

/// One peer's framing: the length header and what it may state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Framing {
    /// How the length is written.
    pub length: LengthHeader,
    /// Whether the length counts the header's own bytes.
    pub counts_itself: bool,
    /// The longest unit that is read or written, in bytes without the length header.
    pub cap: usize,
    /// Whether a unit of length zero is a sign of life; if not, it is a fault.
    pub zero_is_keep_alive: bool,
}

impl Framing {
    /// The default of [`Self::cap`]: 4 KiB.
    pub const CAP: usize = 4096;

    /// `length` not counting itself, with the default cap, zero length as a sign of life.
    #[must_use]
    pub fn new(length: LengthHeader) -> Self {
        Self { length, counts_itself: false, cap: Self::CAP, zero_is_keep_alive: true }
    }

    /// The length of the unit after the header `head`.
    fn unit_length(&self, head: &[u8]) -> Result<usize, FrameFault> {
        let stated = self.length.read(head).ok_or(FrameFault::LengthNotDecimal)?;
        let own = if self.counts_itself { self.length.bytes() } else { 0 };
        let length = stated.checked_sub(own).ok_or(FrameFault::LengthBelowHeader)?;
        match length {
            0 if !self.zero_is_keep_alive => Err(FrameFault::ZeroLength),
            _ if length > self.cap => Err(FrameFault::TooLong { length, cap: self.cap }),
            _ => Ok(length),
        }
    }

    /// Writes the length header of a unit of `length` bytes.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`] if the unit is above the cap, or above what the header can state.
    pub fn put_length(&self, length: usize, out: &mut BytesMut) -> Result<(), FrameFault> {
        let own = if self.counts_itself { self.length.bytes() } else { 0 };
        let most = self.cap.min(self.length.largest() - own);
        let stated = u32::try_from(length + own).ok().filter(|_| length <= most);
        self.length.write(stated.ok_or(FrameFault::TooLong { length, cap: most })?, out);
        Ok(())
    }
}

/// Why bytes are not a frame of their profile. Carries lengths, never content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameFault {
    /// A decimal length header holds something else than digits.
    #[error("length header is not decimal")]
    LengthNotDecimal,
    /// The length counts its own header and is smaller than it.
    #[error("length is smaller than its own header")]
    LengthBelowHeader,
    /// A zero length where the profile has no keep-alive.
    #[error("length is zero")]
    ZeroLength,
    /// Longer than the profile allows.
    #[error("length {length} exceeds {cap}")]
    TooLong {
        /// What the header states, or what was to be written.
        length: usize,
        /// The profile's cap.
        cap: usize,
    },
    /// The unit ends inside the TPDU.
    #[error("unit ends inside the TPDU")]
    TpduShort,
    /// The first byte of the TPDU is not `60`.
    #[error("TPDU does not begin with 60")]
    NotTpdu,
    /// The unit ends inside the fixed header.
    #[error("unit ends inside the header")]
    HeaderShort,
}

/// Cuts a stream into units (what follows a length header). Where the stream was cut before does not
/// matter.
///
/// PIN blocks and keys pass here, so what was read is wiped: units when the last who holds one lets go, the
/// rest when it was taken out.
///
/// Memory: what was pushed and not yet taken, at most one push more than the cap; between messages
/// nothing. A length over the cap is refused before a byte is reserved for it. After a fault the
/// stream has no meaning any more: every later call gives the same fault and further bytes are dropped.
pub struct Deframer {
    framing: Framing,
    kept: Zeroizing<Vec<u8>>,
    /// How many bytes of it were taken.
    taken: usize,
    fault: Option<FrameFault>,
}

/// A unit that is wiped when the last who holds it lets go.
fn unit(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() { Bytes::new() } else { Bytes::from_owner(Zeroizing::new(bytes.to_vec())) }
}

impl Deframer {
    /// The least that is reserved for a remainder, so that its first bytes do not reallocate each.
    const REMAINDER: usize = 64;

    /// At the beginning of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, kept: Zeroizing::default(), taken: 0, fault: None }
    }

    /// Takes what was read. Call [`Self::next`] until it gives `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        // A vector that grows by itself leaves what it held behind.
        if self.kept.capacity() - self.kept.len() < bytes.len() {
            self.hold(self.pending() + bytes.len());
        }
        self.kept.extend_from_slice(bytes);
    }

    /// The next whole unit; an empty one is a sign of life. `None`: more bytes are needed.
    ///
    /// # Errors
    /// Any of the length faults of [`FrameFault`]; the connection is of no more use.
    #[expect(clippy::should_implement_trait, reason = "a fault is not an end: this is no iterator")]
    pub fn next(&mut self) -> Result<Option<Bytes>, FrameFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let header = self.framing.length.bytes();
        let left = self.kept.get(self.taken..).unwrap_or_default();
        let whole = match left.get(..header).map(|head| self.framing.unit_length(head)) {
            None => header,
            Some(Ok(unit)) => header + unit,
            Some(Err(fault)) => {
                self.fault = Some(fault);
                self.clear();
                return Err(fault);
            }
        };
        let Some(unit) = left.get(header..whole).map(unit) else {
            self.keep_remainder(whole);
            return Ok(None);
        };
        self.taken += whole;
        Ok(Some(unit))
    }

    /// Bytes of an unfinished unit, its length header included. Zero between messages, and after a fault.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.kept.len() - self.taken
    }

    fn clear(&mut self) {
        self.kept = Zeroizing::default();
        self.taken = 0;
    }

    /// Moves what is left into memory of `room` bytes; where it was is wiped.
    fn hold(&mut self, room: usize) {
        let mut own = Zeroizing::new(Vec::with_capacity(room));
        own.extend_from_slice(self.kept.get(self.taken..).unwrap_or_default());
        self.kept = own;
        self.taken = 0;
    }

    /// Moves an unfinished unit of `whole` bytes out of a large read, so that it does not hold it.
    fn keep_remainder(&mut self, whole: usize) {
        let room = whole.max(Self::REMAINDER);
        if self.pending() == 0 {
            self.clear();
        } else if self.taken > 0 || self.kept.capacity() < whole || self.kept.capacity() > 2 * room {
            self.hold(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framings() -> impl Strategy<Value = Framing> {
        (0..LengthHeader::ALL.len(), any::<bool>())
            .prop_map(|(index, counts_itself)| Framing { counts_itself, ..Framing::new(LengthHeader::ALL[index].1) })
    }

    fn stream_of(framing: &Framing, units: &[Vec<u8>]) -> BytesMut {
        let mut stream = BytesMut::new();
        for unit in units {
            framing.put_length(unit.len(), &mut stream).unwrap();
            stream.put_slice(unit);
        }
        stream
    }

    proptest! {
        #[test]
        fn chunking_never_changes_what_is_read(
            framing in framings(),
            units in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cuts in prop::collection::vec(1usize..700, 1..40),
        ) {
            let stream = stream_of(&framing, &units);
            let mut deframer = Deframer::new(framing);
            let (mut read, mut rest) = (Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                deframer.push(chunk);
                while let Some(unit) = deframer.next().unwrap() { read.push(unit.to_vec()) }
                rest = after;
            }
            prop_assert_eq!(read, units);
            prop_assert_eq!(deframer.pending(), 0);
        }

        #[test]
        fn whatever_comes_the_deframer_keeps_less_than_one_unit(
            framing in framings(),
            reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..10),
        ) {
            let mut deframer = Deframer::new(framing);
            for read in &reads {
                deframer.push(read);
                while let Ok(Some(unit)) = deframer.next() { prop_assert!(unit.len() <= framing.cap) }
                prop_assert!(deframer.pending() < framing.cap + 4);
                prop_assert!(deframer.kept.capacity() <= 4 * (framing.cap + 4));
            }
        }
    }

    #[test]
    fn every_length_header_is_written_as_its_name_says() {
        for (name, plain, counting) in [
            ("binary-2-be", &[0x01, 0x02][..], &[0x01, 0x04][..]),
            ("binary-2-le", &[0x02, 0x01], &[0x04, 0x01]),
            ("binary-4-be", &[0, 0, 0x01, 0x02], &[0, 0, 0x01, 0x06]),
            ("binary-4-le", &[0x02, 0x01, 0, 0], &[0x06, 0x01, 0, 0]),
            ("bcd-2", &[0x02, 0x58], &[0x02, 0x60]),
            ("ascii-4", b"0258", b"0262"),
        ] {
            for (counts_itself, expected) in [(false, plain), (true, counting)] {
                let framing = Framing { counts_itself, ..Framing::new(LengthHeader::parse(name).unwrap()) };
                let mut out = BytesMut::new();
                framing.put_length(0x102, &mut out).unwrap();
                assert_eq!(&out[..], expected, "{name}, counting itself: {counts_itself}");
                assert_eq!(framing.unit_length(&out), Ok(0x102));
            }
            assert_eq!(LengthHeader::parse(name).unwrap().name(), name);
        }
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_anything_is_reserved() {
        let mut deframer = Deframer::new(Framing::new(LengthHeader::Binary4Be));
        deframer.push(&[0xff; 4]);
        let fault = FrameFault::TooLong { length: 0xffff_ffff, cap: 4096 };
        assert_eq!(deframer.next(), Err(fault));
        deframer.push(&[0; 100]);
        assert_eq!((deframer.next(), deframer.pending(), deframer.kept.capacity()), (Err(fault), 0, 0));
    }

    #[test]
    fn a_length_at_the_cap_is_read_and_one_more_is_not() {
        let framing = Framing::new(LengthHeader::Binary2Be);
        assert_eq!(framing.unit_length(&[0x10, 0x00]), Ok(4096));
        assert_eq!(framing.unit_length(&[0x10, 0x01]), Err(FrameFault::TooLong { length: 4097, cap: 4096 }));
        assert!(framing.put_length(4097, &mut BytesMut::new()).is_err());
        let ascii = Framing { cap: 20_000, counts_itself: true, ..Framing::new(LengthHeader::Ascii4) };
        assert!(ascii.put_length(9_995, &mut BytesMut::new()).is_ok());
        assert!(ascii.put_length(9_996, &mut BytesMut::new()).is_err());
    }

    #[test]
    fn bad_length_headers_are_named() {
        let ascii = Framing { counts_itself: true, ..Framing::new(LengthHeader::Ascii4) };
        assert_eq!(ascii.unit_length(b"00x1"), Err(FrameFault::LengthNotDecimal));
        assert_eq!(ascii.unit_length(b"0003"), Err(FrameFault::LengthBelowHeader));
        assert_eq!(ascii.unit_length(b"0004"), Ok(0));
        let strict = Framing { zero_is_keep_alive: false, ..Framing::new(LengthHeader::Bcd2) };
        assert_eq!(strict.unit_length(&[0x0a, 0x00]), Err(FrameFault::LengthNotDecimal));
        assert_eq!(strict.unit_length(&[0, 0]), Err(FrameFault::ZeroLength));
    }

    #[test]
    fn an_unfinished_unit_does_not_hold_a_large_read() {
        let mut deframer = Deframer::new(Framing::new(LengthHeader::Binary2Be));
        let mut read = stream_of(&deframer.framing, &vec![vec![7; 98]; 600]);
        read.put_slice(&[0, 98, 7]);
        deframer.push(&read);
        let mut units = 0;
        while deframer.next().unwrap().is_some() {
            units += 1;
        }
        assert_eq!((units, deframer.pending()), (600, 3));
        assert!(deframer.kept.capacity() <= 200);
        deframer.push(&[7; 97]);
        assert!(deframer.next().unwrap().is_some());
        assert!(deframer.next().unwrap().is_none());
        assert_eq!(deframer.kept.capacity(), 0);
    }
}
