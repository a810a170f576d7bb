//! Records to bytes and back: a tag, then fields in fixed order. Described table by table in
//! [`crate::manual::journal_format`]; what was written once is readable for ever.
//!
//! Whatever can be written can be read, and there is one way to write a value: bytes that are read are
//! written again as they were.

mod additions;
#[cfg(test)]
pub(in crate::ledger) mod arbitrary;
mod closed;
mod facts;
mod ladder;
mod nouns;
#[cfg(test)]
mod tests;
mod wire;

use crate::ledger::record::Record;
use additions::Additions;
use wire::Input;
use wire::Names;
use wire::Wire;

/// Why bytes are not a record. Never names a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodecFault {
    /// The first byte is no tag of this version.
    #[error("unknown record tag")]
    Tag,
    /// The record ends inside a field.
    #[error("the record ends inside a field")]
    Short,
    /// Bytes are left behind the last field.
    #[error("bytes are left behind the last field")]
    Trailing,
    /// A field holds what it cannot hold.
    #[error("no {0}")]
    Value(&'static str),
}

/// Declares which tag is which record and what its fields are, in the order in which they are written. Those that
/// came later are written as additions of the record.
macro_rules! tags {
    ($($tag:literal = $variant:ident($($field:ident),+) $(later ($($later:ident),+))?;)+) => {
        fn put(record: &Record, out: &mut Vec<u8>) {
            match record {
                $(Record::$variant($($field),+ $(, $($later),+)?) => {
                    $($(let _ = $later;)+)?
                    out.push($tag);
                    $($field.put(out);)+
                })+
            }
        }

        fn record(tag: u8, input: &mut Input<'_>) -> Result<Record, CodecFault> {
            match tag {
                $($tag => {
                    $(let $field = Wire::take(input)?;)+
                    $($(let $later = Default::default();)+)?
                    Ok(Record::$variant($($field),+ $(, $($later),+)?))
                })+
                _ => Err(CodecFault::Tag),
            }
        }

        /// Every tag.
        pub const TAGS: &[u8] = &[$($tag,)+ additions::TAG];

        #[cfg(test)]
        impl arbitrary::Make for Record {
            fn make(source: &mut arbitrary::Source) -> Self {
                match source.one_of(&[$($tag),+]) {
                    $($tag => {
                        $(let $field = arbitrary::Make::make(source);)+
                        $($(let $later = arbitrary::Make::make(source);)+)?
                        Record::$variant($($field),+ $(, $($later),+)?)
                    })+
                    _ => unreachable!("no other tag"),
                }
            }
        }
    };
}

tags! {
    1 = Intended(intent);
    2 = Declined(intent, answer);
    3 = Rerouted(id, outbound);
    4 = Decided(id, decision, state);
    5 = Moved(id, state);
    6 = Attempted(id, stan);
    7 = Refused(id, code, state) later (date);
    8 = Late(id, outcome);
    9 = Reversal(kept);
    10 = Terminal(terminal, facts);
    11 = DataKey(name, block);
    12 = Stan(issuer, stan);
    13 = Closed(date);
    14 = Standing(standing);
    15 = Marks(marks);
    17 = Batch(record);
    18 = Uploaded(terminal, batch, group);
    19 = Opened(terminal, batch);
    20 = Zone(issuer, facts);
    21 = Remembered(row);
    22 = Step(entry);
    23 = Ladder(subject, ladder);
    24 = Revision(revision);
}

/// Appends the record's bytes: tag and payload, without a length.
pub(in crate::ledger) fn encode(record: &Record, out: &mut Vec<u8>) {
    let additions = Additions::of(record);
    if additions.is_empty() {
        return put(record, out);
    }
    out.push(additions::TAG);
    put(record, out);
    additions.put(out);
}

/// Reads records. Names that come again and again are kept once.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Decoder(Names);

impl Decoder {
    /// Reads a record from exactly these bytes.
    ///
    /// # Errors
    /// [`CodecFault`], if they are not one.
    pub(in crate::ledger) fn decode(&mut self, bytes: &[u8]) -> Result<Record, CodecFault> {
        let (tag, rest) = bytes.split_first().ok_or(CodecFault::Short)?;
        let mut input = Input::new(rest, &mut self.0);
        let record = if *tag == additions::TAG {
            let inner = record(input.byte()?, &mut input)?;
            Additions::take(&mut input)?.added_to(inner)?
        } else {
            record(*tag, &mut input)?
        };
        if input.is_empty() { Ok(record) } else { Err(CodecFault::Trailing) }
    }
}

/// Reads one record from exactly these bytes.
///
/// # Errors
/// [`CodecFault`], if they are not one.
#[allow(dead_code, reason = "for those who read single records; replay keeps a decoder")]
pub(in crate::ledger) fn decode(bytes: &[u8]) -> Result<Record, CodecFault> {
    Decoder::default().decode(bytes)
}

/// Reads a record and writes it again, which gives the same bytes: what a fuzzer checks.
///
/// # Errors
/// [`CodecFault`], if the bytes are no record.
pub fn recode(bytes: &[u8]) -> Result<Vec<u8>, CodecFault> {
    let mut out = Vec::with_capacity(bytes.len());
    encode(&decode(bytes)?, &mut out);
    Ok(out)
}

/// Reads a record and tells what it says, for people: masked as everything here, one field a line.
///
/// # Errors
/// [`CodecFault`], if the bytes are no record.
pub fn describe(bytes: &[u8]) -> Result<String, CodecFault> {
    Ok(format!("{:#?}\n", decode(bytes)?))
}
