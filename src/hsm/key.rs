//! How keys are spoken of outside the HSM: by name, by block, by check value; never by bytes.

use crate::model::KeyBlock;
use crate::model::KeyName;
use bytes::Bytes;
use serde::Deserialize;
use smallvec::SmallVec;
use std::fmt;

/// What a key is for. One key, one purpose (PCI PIN 19). Codes: TR-31 / ANSI X9.143 key usage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUsage {
    /// K0: enciphers other keys (TMK, ZMK).
    Kek,
    /// P0: enciphers PIN blocks (TPK, ZPK).
    Pin,
    /// M1, M3, M6: makes and checks MACs (TAK, ZAK).
    Mac,
    /// D0: enciphers data (TDK: tracks).
    Data,
    /// V2: Visa PVV.
    Pvv,
    /// V1: IBM 3624 PINs and offsets.
    IbmPin,
    /// C0: CVV, CVC, iCVV.
    Cvv,
    /// B0: base key of DUKPT devices.
    Bdk,
    /// B1: initial key of one DUKPT device.
    InitialKey,
    /// E0: issuer's master key of chip cryptograms.
    EmvCryptogram,
    /// E1: issuer's master key of enciphered issuer scripts.
    EmvConfidentiality,
    /// E2: issuer's master key of issuer scripts.
    EmvIntegrity,
    /// E4: issuer's master key of dynamic numbers (CVC3).
    EmvDynamic,
    /// K1: enciphers keys in key blocks.
    KeyBlock,
}

/// Whether a key of this usage may leave, where its block does not say: working keys may, keys that other keys hang on
/// may not.
pub(in crate::hsm) fn exportable(usage: KeyUsage) -> bool {
    match usage {
        KeyUsage::Pin | KeyUsage::Mac | KeyUsage::Data | KeyUsage::Pvv | KeyUsage::IbmPin | KeyUsage::Cvv => true,
        KeyUsage::Kek
        | KeyUsage::KeyBlock
        | KeyUsage::Bdk
        | KeyUsage::InitialKey
        | KeyUsage::EmvCryptogram
        | KeyUsage::EmvConfidentiality
        | KeyUsage::EmvIntegrity
        | KeyUsage::EmvDynamic => false,
    }
}

impl KeyUsage {
    /// Its word in lists of keys.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kek => "kek",
            Self::Pin => "pin",
            Self::Mac => "mac",
            Self::Data => "data",
            Self::Pvv => "pvv",
            Self::IbmPin => "ibm-pin",
            Self::Cvv => "cvv",
            Self::Bdk => "bdk",
            Self::InitialKey => "initial-key",
            Self::EmvCryptogram => "emv-cryptogram",
            Self::EmvConfidentiality => "emv-confidentiality",
            Self::EmvIntegrity => "emv-integrity",
            Self::EmvDynamic => "emv-dynamic",
            Self::KeyBlock => "key-block",
        }
    }
}

/// Algorithm and length of a key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// Single DES, 8 bytes: cn-pos MAKs only, a legacy exception.
    Des,
    /// Two-key TDES, 16 bytes.
    Tdes2,
    /// Three-key TDES, 24 bytes.
    Tdes3,
    /// AES, 16 bytes.
    Aes128,
    /// AES, 24 bytes.
    Aes192,
    /// AES, 32 bytes.
    Aes256,
}

impl KeyAlgorithm {
    /// Its word in lists of keys.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::Tdes2 => "tdes2",
            Self::Tdes3 => "tdes3",
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
        }
    }

    /// The key's length in bytes.
    #[must_use]
    pub fn key_length(self) -> usize {
        match self {
            Self::Des => 8,
            Self::Tdes2 | Self::Aes128 => 16,
            Self::Tdes3 | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// How a call names its key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum KeyRef {
    /// A key the HSM knows by name.
    Named(KeyName),
    /// A key that comes along in its block: working keys of terminals.
    Block(KeyBlock),
}

/// Defines a reference that only fits calls of one usage.
macro_rules! typed_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct $name(pub KeyRef);
    };
}

typed_key!(
    /// A key encrypting key: TMK, ZMK.
    Kek
);
typed_key!(
    /// A PIN key: TPK, ZPK.
    PinKey
);
typed_key!(
    /// A MAC key: TAK, ZAK.
    MacKey
);
typed_key!(
    /// A data key: TDK.
    DataKey
);
typed_key!(
    /// A PIN verification key (Visa PVV).
    PvKey
);
typed_key!(
    /// A PIN verification key (IBM 3624).
    OffsetKey
);
typed_key!(
    /// A card verification key.
    CvKey
);
typed_key!(
    /// A base derivation key of DUKPT devices.
    BdKey
);
typed_key!(
    /// An issuer's master key of chip cryptograms.
    ImkKey
);
typed_key!(
    /// An issuer's master key of issuer scripts (integrity).
    ScriptKey
);
typed_key!(
    /// An issuer's master key of dynamic card verification values.
    Cvc3Key
);
typed_key!(
    /// A key that enciphers keys in key blocks.
    BlockKek
);

/// Generations of one key that are good side by side while a change is on its way: two at most.
///
/// What is sent goes out under [`newest`](Self::newest); what comes in may still be under the one
/// before, until [`settled`](Self::settled).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Generations<K> {
    newest: K,
    before: Option<K>,
}

impl<K> Generations<K> {
    /// The first generation.
    #[must_use]
    pub fn first(key: K) -> Self {
        Self { newest: key, before: None }
    }

    /// A new generation comes; the newest becomes the one before, and that one goes.
    #[must_use]
    pub fn followed_by(self, key: K) -> Self {
        Self { newest: key, before: Some(self.newest) }
    }

    /// The overlap is over.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { newest: self.newest, before: None }
    }

    /// What to send under.
    #[must_use]
    pub fn newest(&self) -> &K {
        &self.newest
    }

    /// What to check under, in order.
    pub fn newest_first(&self) -> impl Iterator<Item = &K> {
        std::iter::once(&self.newest).chain(&self.before)
    }
}

/// A key enciphered under a key encrypting key, as it travels to or from a peer: 8 to 48 bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct WrappedKey(Bytes);

impl WrappedKey {
    /// Takes the cipher as it came.
    #[must_use]
    pub fn new(cipher: Bytes) -> Self {
        Self(cipher)
    }

    /// The cipher, for the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}

/// A key check value: the first 3 to 5 bytes of enciphered zeros (TDES) or of a CMAC (AES).
/// Public by design, and no longer than PCI PIN 15-1 permits.
#[derive(Clone, Eq, PartialEq)]
pub struct Kcv(SmallVec<[u8; 5]>);

impl Kcv {
    /// 3 to 5 bytes; anything else is `None`.
    #[must_use]
    pub fn new(value: &[u8]) -> Option<Self> {
        (3..=5).contains(&value.len()).then(|| Self(SmallVec::from_slice(value)))
    }

    /// Reads 6 to 10 hex digits, as people write it.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
        let value: Option<SmallVec<[u8; 5]>> = pairs.iter().take(6).map(byte).collect();
        value.filter(|_| rest.is_empty()).and_then(|value| Self::new(&value))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both can be of one key: as many bytes as the shorter one has are the same.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, others)| own == others)
    }
}

/// Upper-case hex.
impl fmt::Display for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
