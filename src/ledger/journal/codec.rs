//! Records to bytes and back.

use crate::ledger::record::Record;

/// Why bytes are not a record. Never names a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodecFault {
    /// The first byte is no tag of this version.
    #[error("unknown record tag")]
    Tag,
}

/// Appends the record's bytes: tag and payload, without a length.
pub(in crate::ledger) fn encode(_record: &Record, out: &mut Vec<u8>) {
    out.push(0);
}

/// Reads a record from exactly these bytes.
///
/// # Errors
/// [`CodecFault`], if they are not one.
#[allow(dead_code, reason = "the seam of the record codec")]
pub(in crate::ledger) fn decode(_bytes: &[u8]) -> Result<Record, CodecFault> {
    Err(CodecFault::Tag)
}
