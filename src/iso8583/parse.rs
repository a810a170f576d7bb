//! Bytes to [`Message`]: one pass over the set bits.

use super::MAX_BODY;
use super::bitmap::Bitmap;
use super::bitmap::Bits;
use super::class::Class;
use super::class::Nibbles;
use super::class::Text;
use super::error::De;
use super::error::DecodeError;
use super::error::Fault;
use super::error::Path;
use super::message::Message;
use super::message::Rejected;
use super::message::Span;
use super::mti::Mti;
use super::spec::Dialect;
use super::spec::MtiEncoding;
use super::spec::Side;
use super::wire::Parsed;
use super::wire::Stop;
use super::wire::stop;
use bytes::Bytes;
use nom::bytes::complete::take;
use std::sync::Arc;

impl Dialect {
    /// Reads a body: the bytes from the MTI on, without any framing.
    ///
    /// Nothing is copied, and nothing is allocated unless the body is refused. Every byte of every element is
    /// checked against its class; the inside of a composite only where its row says `strict`.
    ///
    /// # Errors
    /// The first fault, with its place, and what was read before it.
    pub fn decode(self: &Arc<Self>, body: Bytes) -> Result<Message, Box<Rejected>> {
        let mut message = Message {
            dialect: Arc::clone(self),
            body,
            mti: None,
            bitmaps: 0,
            present: Bitmap::default(),
            spans: [Span::default(); 193],
        };
        match fill(&mut message) {
            Ok(()) => Ok(message),
            Err(error) => Err(Box::new(Rejected { error, partial: message })),
        }
    }
}

/// Reads the whole body into the message's spans.
#[inline]
fn fill(message: &mut Message) -> Result<(), DecodeError> {
    let Message { dialect, body, mti, bitmaps, present, spans } = message;
    let input: &[u8] = body;
    let length = input.len();
    if length > MAX_BODY {
        return Err(DecodeError {
            path: Path::End,
            offset: MAX_BODY,
            fault: Fault::Oversize { length, max: MAX_BODY },
        });
    }
    let (rest, found) = read_mti(dialect.mti, input).map_err(|fault| place(Path::Mti, length, &fault))?;
    *mti = Some(found);
    let (mut rest, (bitmap, count)) =
        Bitmap::read(dialect.bitmap, dialect.bitmaps, rest).map_err(|fault| place(Path::Bitmap, length, &fault))?;
    *bitmaps = count;
    for (index, word) in bitmap.0.iter().enumerate().take(count.into()) {
        for bit in Bits::of(*word) {
            let number = index * 64 + usize::from(bit) + 1;
            let (Some(wire), Some(span)) = (dialect.wires.get(number), spans.get_mut(number)) else { continue };
            let (after, (units, value)) = match wire.split(rest) {
                Ok(split) => split,
                Err(fault) => {
                    *present = before(bitmap, number);
                    return Err(place(Path::De(De::try_from(number).unwrap_or(De::MAX)), length, &fault));
                }
            };
            *span = Span { start: (length - after.len() - value.len()) as u16, units: units as u16 };
            rest = after;
            if wire.strict {
                *present = before(bitmap, number);
                super::parts::check(dialect, number, value, length - after.len() - value.len())?;
            }
        }
    }
    *present = bitmap;
    if rest.is_empty() {
        Ok(())
    } else {
        let offset = length - rest.len();
        Err(DecodeError { path: Path::End, offset, fault: Fault::Trailing { bytes: rest.len() } })
    }
}

/// The elements below `number`.
#[cold]
fn before(bitmap: Bitmap, number: usize) -> Bitmap {
    let mut below = Bitmap::default();
    bitmap.elements().filter(|de| usize::from(*de) < number).for_each(|de| below.put(de, true));
    below
}

/// Turns "so many bytes were left" into "so many bytes from the start".
#[cold]
fn place(path: Path, length: usize, fault: &nom::Err<Stop>) -> DecodeError {
    let stop = match fault {
        nom::Err::Error(stop) | nom::Err::Failure(stop) => *stop,
        nom::Err::Incomplete(_) => Stop { left: 0, fault: Fault::Short },
    };
    DecodeError { path, offset: length.saturating_sub(stop.left), fault: stop.fault }
}

/// The message type indicator.
#[inline]
fn read_mti(encoding: MtiEncoding, input: &[u8]) -> Parsed<'_, Mti> {
    let bytes: usize = if encoding == MtiEncoding::Bcd { 2 } else { 4 };
    let (rest, wire) = take(bytes)(input)?;
    let mti = match encoding {
        MtiEncoding::Ascii => Mti::parse(wire),
        MtiEncoding::Ebcdic => Mti::parse(&super::encoding::read(Class::Ebcdic037(Text::Digits), wire, 4, false)),
        MtiEncoding::Bcd => Mti::parse(&super::encoding::read(Class::Bcd(Nibbles::Digits, Side::Left), wire, 4, false)),
    };
    mti.map(|mti| (rest, mti)).ok_or_else(|| stop(input, Fault::NotDigits))
}
