//! How an issuer's chip cards make their cryptograms: agreements as values, computed only in the HSM.

use crate::model::Padding;
use crate::model::Pan;
use smallvec::SmallVec;

/// How a card's own master key follows from the issuer's (EMV Book 2, annex A1.4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MasterKeyOption {
    /// The last sixteen digits of PAN and sequence number.
    A,
    /// For PANs of more than sixteen digits a decimalized SHA-1 of both; else as A.
    B,
}

/// How a transaction's key follows from the card's master key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SessionKeyMethod {
    /// Not at all: the master key itself (Visa CVN 10).
    Master,
    /// Counter and unpredictable number (M/Chip: Mastercard CVN 16 and 17).
    MChip,
    /// Counter alone (EMV common session key, annex A1.3).
    Common,
    /// A walk down a tree (EMV2000, withdrawn): its height and how often it branches.
    Tree {
        /// Levels below the master key, 1 to 16; usually 8.
        height: u8,
        /// Branches of a node, 2 to 16; usually 4.
        branch: u8,
    },
}

/// How the key of issuer scripts follows from the card's secure messaging key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ScriptKeyMethod {
    /// The counter added to one half, its complement to the other (Visa CVN 10 and 18).
    Visa,
    /// The common method over the request's cryptogram (EMV, Mastercard, Visa CVN 22).
    Common,
}

/// A whole agreement on cryptograms.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct EmvScheme {
    /// Issuer's key to card's key.
    pub master: MasterKeyOption,
    /// Card's key to transaction's key.
    pub session: SessionKeyMethod,
    /// How the last block of the cryptogram's data is filled.
    pub padding: Padding,
    /// Keys of issuer scripts.
    pub script: ScriptKeyMethod,
}

/// A row of the table of schemes.
const fn scheme(
    master: MasterKeyOption,
    session: SessionKeyMethod,
    padding: Padding,
    script: ScriptKeyMethod,
) -> EmvScheme {
    EmvScheme { master, session, padding, script }
}

/// A cryptogram version number as cards name it, with its issuer's application.
///
/// Sources: Visa VIS and Mastercard M/Chip as published in the test vectors of open libraries.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cvn {
    /// Visa CVN 10 (0A).
    Visa10,
    /// Visa CVN 18 (12).
    Visa18,
    /// Visa CVN 22 (16).
    Visa22,
    /// Mastercard CVN 16 (10).
    Mastercard16,
    /// Mastercard CVN 17 (11): the card's counters are covered too.
    Mastercard17,
    /// Mastercard CVN 20 (14).
    Mastercard20,
    /// Mastercard CVN 21 (15): the card's counters are covered too.
    Mastercard21,
}

/// The elements of chip data that every [`Cvn`] covers, by tag and in order; a [`Cvn::tail`] follows.
pub const CRYPTOGRAM_TAGS: [&[u8]; 10] = [
    &[0x9F, 0x02],
    &[0x9F, 0x03],
    &[0x9F, 0x1A],
    &[0x95],
    &[0x5F, 0x2A],
    &[0x9A],
    &[0x9C],
    &[0x9F, 0x37],
    &[0x82],
    &[0x9F, 0x36],
];

impl Cvn {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Visa10,
        Self::Visa18,
        Self::Visa22,
        Self::Mastercard16,
        Self::Mastercard17,
        Self::Mastercard20,
        Self::Mastercard21,
    ];

    /// The agreement behind the number.
    #[must_use]
    pub fn scheme(self) -> EmvScheme {
        use MasterKeyOption::{A, B};
        use SessionKeyMethod::{Common, MChip, Master};
        match self {
            Self::Visa10 => scheme(A, Master, Padding::Zeros, ScriptKeyMethod::Visa),
            Self::Visa18 => scheme(B, Common, Padding::Bit, ScriptKeyMethod::Visa),
            Self::Visa22 => scheme(B, Common, Padding::Bit, ScriptKeyMethod::Common),
            Self::Mastercard16 | Self::Mastercard17 => scheme(A, MChip, Padding::Bit, ScriptKeyMethod::Common),
            Self::Mastercard20 | Self::Mastercard21 => scheme(A, Common, Padding::Bit, ScriptKeyMethod::Common),
        }
    }

    /// What of the issuer application data (tag 9F10) stands behind [`CRYPTOGRAM_TAGS`] in the
    /// cryptogram's data. `None` if they are too short for this version.
    #[must_use]
    pub fn tail(self, application_data: &[u8]) -> Option<SmallVec<[u8; 32]>> {
        match self {
            Self::Visa10 => application_data.get(3..7).map(SmallVec::from_slice),
            Self::Visa18 | Self::Visa22 => (application_data.len() <= 32).then(|| application_data.into()),
            Self::Mastercard16 | Self::Mastercard20 => application_data.get(2..8).map(SmallVec::from_slice),
            Self::Mastercard17 | Self::Mastercard21 => {
                let counters = application_data.get(10..18)?;
                let mut tail: SmallVec<[u8; 32]> = application_data.get(2..8)?.into();
                tail.extend_from_slice(counters);
                Some(tail)
            }
        }
    }
}

/// One card: whose keys are derived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EmvCard {
    /// Its number.
    pub pan: Pan,
    /// Its sequence number (tag 5F34), 0 to 99; 0 if it has none.
    pub sequence: u8,
}

/// What of one transaction goes into keys and cryptogram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EmvTransaction<'a> {
    /// The card's transaction counter (tag 9F36).
    pub atc: [u8; 2],
    /// The terminal's unpredictable number (tag 9F37).
    pub unpredictable: [u8; 4],
    /// The data that the cryptogram covers, not padded: at most [`MAX_CRYPTOGRAM_DATA`] bytes.
    pub data: &'a [u8],
}

/// Bytes that a cryptogram covers at most.
pub const MAX_CRYPTOGRAM_DATA: usize = 1024;

/// Which answer the card expects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ArpcSpec {
    /// Method 1: over the authorization response code; 8 bytes.
    Method1 {
        /// The code, as the card reads it (tag 8A).
        response_code: [u8; 2],
    },
    /// Method 2: over the card status update and up to 8 bytes of the issuer's own; 4 bytes.
    Method2 {
        /// The card status update.
        status_update: [u8; 4],
        /// Proprietary authentication data.
        proprietary: SmallVec<[u8; 8]>,
    },
}

/// An authorization response cryptogram: 8 bytes (method 1) or 4 (method 2).
pub type Arpc = SmallVec<[u8; 8]>;

/// What came of checking a request's cryptogram.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArqcOutcome {
    /// Whether the card made it.
    pub verdict: super::Verdict,
    /// The answer for the card, if one was asked for; never with [`NoMatch`](super::Verdict::NoMatch).
    pub arpc: Option<Arpc>,
}
