//! A business request: what is left of a message once its bytes are understood and proved.

use super::{
    Acquirer, Amount, BatchNumber, Currency, EncryptedPinBlock, Expiry, Icc, Kind, MerchantId, Pan, PosEntryMode,
    ProcessingCode, Rrn, Stan, TerminalId, Timestamp, Track2,
};

/// One financial request of a terminal, validated; secrets only enciphered or opaque.
///
/// Built by the flow from an authenticated message, used for risk, routing, the ledger's intent and
/// the issuer's message. Not `Clone` and without `Debug`: it owns the track and the PIN block.
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Who asks, DE 41.
    pub terminal: TerminalId,
    /// In whose shop, DE 42 as sent.
    pub merchant: MerchantId,
    /// The terminal's number for it, DE 11.
    pub stan: Stan,
    /// The terminal's batch, where the dialect has one.
    pub batch: Option<BatchNumber>,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 4; zero where the kind carries none.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// DE 2, or the number on the track.
    pub pan: Pan,
    /// DE 14, or the expiry on the track.
    pub expiry: Option<Expiry>,
    /// DE 22.
    pub entry_mode: PosEntryMode,
    /// DE 23 (`n3`).
    pub card_sequence: Option<[u8; 3]>,
    /// DE 25 (`n2`) of the 1987 dialects.
    pub condition_code: Option<[u8; 2]>,
    /// DE 35 in clear, if the card was swiped or its chip gave one.
    pub track2: Option<Track2>,
    /// DE 52.
    pub pin_block: Option<EncryptedPinBlock>,
    /// DE 55.
    pub icc: Option<Icc>,
    /// DE 32 as the switch will send it.
    pub acquirer: Acquirer,
    /// When its frame was complete.
    pub received: Timestamp,
}

/// How a later message names the one it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginalRef {
    /// Its number at the terminal, DE 11.
    pub stan: Stan,
    /// Its batch, where the dialect names one.
    pub batch: Option<BatchNumber>,
    /// Its reference number, where the dialect carries it.
    pub rrn: Option<Rrn>,
}
