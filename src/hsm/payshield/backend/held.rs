//! Keys of the trait as the HSM knows them: by configured name, or in a block that travels.

use crate::hsm::HsmError;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::key::HostKey;
use crate::hsm::payshield::key::Scheme;
use crate::hsm::payshield::key_types::KeyTypes;

/// A key as a command names it.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) usage: KeyUsage,
    pub(super) algorithm: KeyAlgorithm,
    /// The role.
    pub(super) key_type: KeyType,
    /// What a command says of it, unless it is a key block.
    pub(super) told: KeyType,
    pub(super) key: HostKey,
}

/// What a block of this backend begins with.
const MARK: &str = "payshield";

const USAGES: &[(KeyUsage, &str)] = &[
    (KeyUsage::Kek, "K0"),
    (KeyUsage::Pin, "P0"),
    (KeyUsage::Mac, "M0"),
    (KeyUsage::Data, "D0"),
    (KeyUsage::Pvv, "V2"),
    (KeyUsage::Cvv, "C0"),
    (KeyUsage::Bdk, "B0"),
    (KeyUsage::EmvCryptogram, "E0"),
    (KeyUsage::EmvIntegrity, "E2"),
    (KeyUsage::IbmPin, "V1"),
    (KeyUsage::KeyBlock, "K1"),
];

const ALGORITHMS: &[(KeyAlgorithm, &str)] = &[
    (KeyAlgorithm::Des, "D1"),
    (KeyAlgorithm::Tdes2, "T2"),
    (KeyAlgorithm::Tdes3, "T3"),
    (KeyAlgorithm::Aes128, "A1"),
    (KeyAlgorithm::Aes192, "A2"),
    (KeyAlgorithm::Aes256, "A3"),
];

impl Held {
    /// A key that is in no list.
    pub(super) fn travelling(
        types: &KeyTypes,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        key_type: KeyType,
        key: HostKey,
    ) -> Self {
        Self { name: "block".into(), usage, algorithm, key_type, told: types.told(usage, key_type), key }
    }

    /// The key type that a command says: a key block says itself.
    pub(super) fn wire_type(&self) -> KeyType {
        if self.key.scheme() == Scheme::Block { KeyType::KEY_BLOCK } else { self.told }
    }

    /// The same key as a block to keep: `payshield/usage/algorithm/type/key`.
    pub(super) fn block(&self) -> Option<KeyBlock> {
        let usage = USAGES.iter().find(|(usage, _)| *usage == self.usage)?.1;
        let algorithm = ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == self.algorithm)?.1;
        let (key_type, key) = (self.key_type.as_str(), self.key.as_str());
        Some(KeyBlock::new(&format!("{MARK}/{usage}/{algorithm}/{key_type}/{key}")))
    }

    /// Undoes [`Held::block`].
    pub(super) fn open(block: &KeyBlock, types: &KeyTypes) -> Result<Self, HsmError> {
        let mut parts = block.as_str().splitn(5, '/');
        let read = |parts: &mut std::str::SplitN<'_, char>| {
            if parts.next()? != MARK {
                return None;
            }
            let (usage, algorithm) = (parts.next()?, parts.next()?);
            let usage = USAGES.iter().find(|(_, code)| *code == usage)?.0;
            let algorithm = ALGORITHMS.iter().find(|(_, code)| *code == algorithm)?.0;
            let key_type = KeyType::parse(parts.next()?)?;
            Some(Self::travelling(types, (usage, algorithm), key_type, HostKey::parse(parts.next()?)?))
        };
        read(&mut parts).ok_or_else(|| HsmError::Key { name: "block".into(), fault: KeyFault::Block })
    }

    /// The key, if it is for this and the HSM takes it for one of these.
    pub(super) fn must_be(self, usage: KeyUsage, types: &[KeyType]) -> Result<Self, HsmError> {
        if self.usage == usage && types.contains(&self.key_type) { Ok(self) } else { Err(self.fault(KeyFault::Usage)) }
    }

    /// A fault of this key.
    pub(super) fn fault(&self, fault: KeyFault) -> HsmError {
        HsmError::Key { name: self.name.clone(), fault }
    }
}
