//! What a key may do: our usages and algorithms as ANSI X9.143 writes them, and back.

use crate::hsm::DataKeyPurpose;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::exportable;
use crate::model::MacAlgorithm;

/// One use of one key by one operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    /// Encipher a key for a peer.
    WrapKey,
    /// Decipher a key from a peer.
    UnwrapKey,
    /// Take a PIN block in.
    DecryptPin,
    /// Give a PIN block out.
    EncryptPin,
    /// Make a MAC.
    MakeMac,
    /// Check a MAC.
    CheckMac,
    /// Decipher a track.
    DecryptTrack,
    /// Check a PVV.
    CheckPvv,
    /// Make a PVV.
    MakePvv,
    /// Check an IBM offset.
    CheckOffset,
    /// Make an IBM offset.
    MakeOffset,
    /// Check a card verification value.
    CheckCvv,
    /// Make a card verification value.
    MakeCvv,
    /// Derive a DUKPT device's keys.
    DeriveDevice,
    /// Derive cards' cryptogram keys.
    DeriveCryptogram,
    /// Derive cards' script keys.
    DeriveScript,
    /// Derive cards' CVC3 keys.
    DeriveCvc3,
    /// Write a key block for a peer.
    WrapBlock,
    /// Open a peer's key block.
    UnwrapBlock,
}

/// The part of a header that decides about use.
pub(super) struct Attributes {
    /// What for.
    pub(super) usage: KeyUsage,
    /// Algorithm and length, from header and key together.
    pub(super) algorithm: KeyAlgorithm,
    code: [u8; 2],
    mode: u8,
    exportability: u8,
    version: [u8; 2],
    /// How many optional blocks came with it, and these.
    optional: (u8, String),
}

/// A header for a key made or taken in here. The mode is as wide as the usage needs, no wider.
pub(super) fn header(usage: KeyUsage, algorithm: KeyAlgorithm, exportability: u8) -> Header {
    let family = match algorithm {
        KeyAlgorithm::Des => b'D',
        KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => b'T',
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => b'A',
    };
    let (usage, mode) = match (usage, family) {
        (KeyUsage::Kek, _) => (*b"K0", b'B'),
        (KeyUsage::Pin, _) => (*b"P0", b'B'),
        (KeyUsage::Mac, b'D') => (*b"M1", b'C'),
        (KeyUsage::Mac, b'T') => (*b"M3", b'C'),
        (KeyUsage::Mac, _) => (*b"M6", b'C'),
        (KeyUsage::Data, _) => (*b"D0", b'D'),
        (KeyUsage::Pvv, _) => (*b"V2", b'C'),
        (KeyUsage::IbmPin, _) => (*b"V1", b'C'),
        (KeyUsage::Cvv, _) => (*b"C0", b'C'),
        (KeyUsage::Bdk, _) => (*b"B0", b'X'),
        (KeyUsage::InitialKey, _) => (*b"B1", b'X'),
        (KeyUsage::EmvCryptogram, _) => (*b"E0", b'X'),
        (KeyUsage::EmvConfidentiality, _) => (*b"E1", b'X'),
        (KeyUsage::EmvIntegrity, _) => (*b"E2", b'X'),
        (KeyUsage::EmvDynamic, _) => (*b"E4", b'X'),
        (KeyUsage::KeyBlock, _) => (*b"K1", b'B'),
    };
    written(usage, family, mode, exportability)
}

/// The same rule as [`exportable`], as headers write it.
pub(super) fn exportability(usage: KeyUsage) -> u8 {
    if exportable(usage) { b'S' } else { b'N' }
}

/// The header of a data key. Mode B keeps it apart from a terminal's data key, which is D.
pub(super) fn data_key_header(purpose: DataKeyPurpose) -> Header {
    match purpose {
        DataKeyPurpose::Seal => written(*b"D0", b'A', b'B', b'N'),
        DataKeyPurpose::Token => written(*b"M7", b'H', b'G', b'N'),
    }
}

/// A header without optional blocks and without a version.
fn written(usage: [u8; 2], algorithm: u8, mode: u8, exportability: u8) -> Header {
    Header {
        form: Form::D,
        usage,
        algorithm,
        mode,
        version: *b"00",
        exportability,
        optional_count: 0,
        optional: String::new(),
    }
}

/// Whether a key of `algorithm` may have `usage`: single DES makes MACs only, unless `single_des`
/// lets it protect PINs and tracks; what cards and verification values are made with is double length.
pub(super) fn fits(usage: KeyUsage, algorithm: KeyAlgorithm, single_des: bool) -> bool {
    let single = algorithm == KeyAlgorithm::Des;
    match usage {
        KeyUsage::Mac => true,
        KeyUsage::Pin | KeyUsage::Data => single_des || !single,
        KeyUsage::Kek | KeyUsage::KeyBlock => !single,
        KeyUsage::IbmPin => matches!(algorithm, KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3),
        KeyUsage::Bdk | KeyUsage::InitialKey => !single && algorithm != KeyAlgorithm::Tdes3,
        KeyUsage::Pvv
        | KeyUsage::Cvv
        | KeyUsage::EmvCryptogram
        | KeyUsage::EmvConfidentiality
        | KeyUsage::EmvIntegrity
        | KeyUsage::EmvDynamic => algorithm == KeyAlgorithm::Tdes2,
    }
}

impl Attributes {
    /// Reads a header for a key of `length` bytes.
    pub(super) fn read(header: &Header, length: usize, single_des: bool) -> Result<Self, KeyFault> {
        if header.version.first() == Some(&b'c') {
            // A component of a key (X9.143, key version number) is none.
            return Err(KeyFault::Usage);
        }
        let usage = match &header.usage {
            b"K0" => KeyUsage::Kek,
            b"P0" => KeyUsage::Pin,
            b"M0" | b"M1" | b"M3" | b"M6" => KeyUsage::Mac,
            b"D0" => KeyUsage::Data,
            b"V2" => KeyUsage::Pvv,
            b"V1" => KeyUsage::IbmPin,
            b"C0" => KeyUsage::Cvv,
            b"B0" => KeyUsage::Bdk,
            b"B1" => KeyUsage::InitialKey,
            b"E0" => KeyUsage::EmvCryptogram,
            b"E1" => KeyUsage::EmvConfidentiality,
            b"E2" => KeyUsage::EmvIntegrity,
            b"E4" => KeyUsage::EmvDynamic,
            b"K1" => KeyUsage::KeyBlock,
            _ => return Err(KeyFault::Usage),
        };
        let algorithm = match (header.algorithm, length) {
            (b'D', 8) => KeyAlgorithm::Des,
            (b'T', 16) => KeyAlgorithm::Tdes2,
            (b'T', 24) => KeyAlgorithm::Tdes3,
            (b'A', 16) => KeyAlgorithm::Aes128,
            (b'A', 24) => KeyAlgorithm::Aes192,
            (b'A', 32) => KeyAlgorithm::Aes256,
            (b'D' | b'T' | b'A', _) => return Err(KeyFault::Length),
            _ => return Err(KeyFault::Algorithm),
        };
        if !fits(usage, algorithm, single_des) {
            return Err(KeyFault::Algorithm);
        }
        Ok(Self {
            usage,
            algorithm,
            code: header.usage,
            mode: header.mode,
            exportability: header.exportability,
            version: header.version,
            optional: (header.optional_count, header.optional.clone()),
        })
    }

    /// Whether usage and mode permit `what`.
    pub(super) fn allow(&self, what: Use) -> bool {
        let (usage, modes): (KeyUsage, &[u8]) = match what {
            Use::WrapKey => (KeyUsage::Kek, b"BE"),
            Use::UnwrapKey => (KeyUsage::Kek, b"BD"),
            Use::DecryptPin => (KeyUsage::Pin, b"BD"),
            Use::EncryptPin => (KeyUsage::Pin, b"BE"),
            Use::MakeMac => (KeyUsage::Mac, b"CG"),
            Use::CheckMac => (KeyUsage::Mac, b"CV"),
            Use::DecryptTrack => (KeyUsage::Data, b"BD"),
            Use::CheckPvv => (KeyUsage::Pvv, b"CV"),
            Use::MakePvv => (KeyUsage::Pvv, b"CG"),
            Use::CheckOffset => (KeyUsage::IbmPin, b"CV"),
            Use::MakeOffset => (KeyUsage::IbmPin, b"CG"),
            Use::CheckCvv => (KeyUsage::Cvv, b"CV"),
            Use::MakeCvv => (KeyUsage::Cvv, b"CG"),
            Use::DeriveDevice => (KeyUsage::Bdk, b"X"),
            Use::DeriveCryptogram => (KeyUsage::EmvCryptogram, b"X"),
            Use::DeriveScript => (KeyUsage::EmvIntegrity, b"X"),
            Use::DeriveCvc3 => (KeyUsage::EmvDynamic, b"X"),
            Use::WrapBlock => (KeyUsage::KeyBlock, b"BE"),
            Use::UnwrapBlock => (KeyUsage::KeyBlock, b"BD"),
        };
        self.usage == usage && modes.contains(&self.mode)
    }

    /// Whether a MAC key is for this algorithm (X9.143 table 2): M0 and M1 are algorithm 1, to which the UnionPay fold
    /// belongs, M6 is CMAC. M3, algorithm 3, is also what TDES keys get that are made here before anybody knows for
    /// which algorithm, so it makes all of that family.
    pub(super) fn makes(&self, algorithm: MacAlgorithm) -> bool {
        let is_cmac = matches!(algorithm, MacAlgorithm::AesCmac | MacAlgorithm::TdesCmac);
        match &self.code {
            b"M0" => algorithm == MacAlgorithm::Alg1,
            b"M1" => matches!(algorithm, MacAlgorithm::Alg1 | MacAlgorithm::CupEcb),
            b"M3" => algorithm != MacAlgorithm::AesCmac,
            b"M6" => is_cmac,
            _ => false,
        }
    }

    /// The mode that a key keeps which comes in from a peer: its own if that is this usage's or a part
    /// of it, `None` if it would do what no such key does here. Data keys only decipher: what deciphers
    /// and enciphers is the mode of the keys that seal card numbers.
    pub(super) fn kept_mode(&self) -> Option<u8> {
        let modes: &[u8] = match self.usage {
            KeyUsage::Data => return matches!(self.mode, b'B' | b'D').then_some(b'D'),
            KeyUsage::Kek | KeyUsage::Pin | KeyUsage::KeyBlock => b"BED",
            KeyUsage::Mac | KeyUsage::Pvv | KeyUsage::IbmPin | KeyUsage::Cvv => b"CGV",
            KeyUsage::Bdk
            | KeyUsage::InitialKey
            | KeyUsage::EmvCryptogram
            | KeyUsage::EmvConfidentiality
            | KeyUsage::EmvIntegrity
            | KeyUsage::EmvDynamic => b"X",
        };
        modes.contains(&self.mode).then_some(self.mode)
    }

    /// The header that says this again.
    pub(super) fn header(&self) -> Header {
        let same = header(self.usage, self.algorithm, self.exportability);
        let (optional_count, optional) = self.optional.clone();
        Header { usage: self.code, mode: self.mode, version: self.version, optional_count, optional, ..same }
    }

    /// Whether the key may leave in a key block.
    pub(super) fn may_leave_in_a_block(&self) -> bool {
        matches!(self.exportability, b'E' | b'S')
    }

    /// Whether the key may leave in a form without a header: `S` only, for `E` demands a key block.
    pub(super) fn may_leave_bare(&self) -> bool {
        self.exportability == b'S'
    }
}
