//! What a key may do: our usages and algorithms as ANSI X9.143 writes them, and back.

use crate::hsm::DataKeyPurpose;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;

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
}

/// The part of a header that decides about use.
pub(super) struct Attributes {
    /// What for.
    pub(super) usage: KeyUsage,
    /// Algorithm and length, from header and key together.
    pub(super) algorithm: KeyAlgorithm,
    mode: u8,
    exportability: u8,
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
        (KeyUsage::Pvv, _) => (*b"V2", b'V'),
    };
    written(usage, family, mode, exportability)
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
/// lets it protect PINs and tracks; a PVV key is double length.
pub(super) fn fits(usage: KeyUsage, algorithm: KeyAlgorithm, single_des: bool) -> bool {
    match (usage, algorithm) {
        (KeyUsage::Mac, _) => true,
        (KeyUsage::Pvv, _) => algorithm == KeyAlgorithm::Tdes2,
        (KeyUsage::Pin | KeyUsage::Data, KeyAlgorithm::Des) => single_des,
        (KeyUsage::Kek, KeyAlgorithm::Des) => false,
        (KeyUsage::Pin | KeyUsage::Data | KeyUsage::Kek, _) => true,
    }
}

impl Attributes {
    /// Reads a header for a key of `length` bytes.
    pub(super) fn read(header: &Header, length: usize, single_des: bool) -> Result<Self, KeyFault> {
        let usage = match &header.usage {
            b"K0" => KeyUsage::Kek,
            b"P0" => KeyUsage::Pin,
            b"M0" | b"M1" | b"M3" | b"M6" => KeyUsage::Mac,
            b"D0" => KeyUsage::Data,
            b"V2" => KeyUsage::Pvv,
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
        Ok(Self { usage, algorithm, mode: header.mode, exportability: header.exportability })
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
        };
        self.usage == usage && modes.contains(&self.mode)
    }

    /// Whether the key may leave in a form without a header: `S` only, for `E` demands a key block.
    pub(super) fn may_leave_bare(&self) -> bool {
        self.exportability == b'S'
    }
}
