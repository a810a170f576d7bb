//! What an HSM calls the keys of each role: three digits, which differ between houses and modes.

use super::code::KeyType;
use crate::hsm::KeyUsage;

/// A role of keys.
struct Role {
    /// As a station's configuration writes it.
    name: &'static str,
    usages: &'static [KeyUsage],
    /// Its type where nothing else is said; this house knows keys by it.
    usual: KeyType,
}

const fn role(name: &'static str, usages: &'static [KeyUsage], usual: KeyType) -> Role {
    Role { name, usages, usual }
}

const ROLES: [Role; 14] = [
    role("zmk", &[KeyUsage::Kek], KeyType::ZMK),
    role("tmk", &[KeyUsage::Kek], KeyType::TMK),
    role("zpk", &[KeyUsage::Pin], KeyType::ZPK),
    role("tpk", &[KeyUsage::Pin], KeyType::TMK),
    role("pvk", &[KeyUsage::Pvv, KeyUsage::IbmPin], KeyType::TMK),
    role("zak", &[KeyUsage::Mac], KeyType::ZAK),
    role("tak", &[KeyUsage::Mac], KeyType::TAK),
    role("zek", &[KeyUsage::Data], KeyType::ZEK),
    role("tek", &[KeyUsage::Data], KeyType::TEK),
    role("dek", &[KeyUsage::Data], KeyType::DEK),
    role("cvk", &[KeyUsage::Cvv], KeyType::CVK),
    role("bdk", &[KeyUsage::Bdk], KeyType::BDK),
    role("mk-ac", &[KeyUsage::EmvCryptogram], KeyType::MK_AC),
    role("mk-smi", &[KeyUsage::EmvIntegrity], KeyType::MK_SMI),
];

/// The types of one HSM. An HSM in PCI mode, for one, calls a terminal's PIN key 70D and its master key 80D.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyTypes([KeyType; ROLES.len()]);

impl Default for KeyTypes {
    fn default() -> Self {
        Self(ROLES.map(|role| role.usual))
    }
}

impl KeyTypes {
    /// The usual types, but for those of `rows`: a role (zmk, tmk, zpk, tpk, pvk, zak, tak, zek, tek, dek, cvk, bdk,
    /// mk-ac, mk-smi) and its type of three hex digits.
    ///
    /// # Errors
    /// What does not hold: a role that is unknown or comes twice, no type, or a type that two roles of one usage would
    /// have, so that a key's role could not be told.
    pub fn with(rows: &[(&str, &str)]) -> Result<Self, &'static str> {
        let mut types = Self::default();
        for (at, (name, code)) in rows.iter().enumerate() {
            let place = ROLES.iter().position(|role| role.name == *name).ok_or("a role that there is not")?;
            if rows.iter().take(at).any(|(before, _)| before == name) {
                return Err("a role twice");
            }
            let code = KeyType::parse(code).filter(|code| *code != KeyType::KEY_BLOCK);
            let code = code.ok_or("a type that is not three hex digits")?;
            types.0.get_mut(place).into_iter().for_each(|own| *own = code);
        }
        if types.tells_roles_apart() { Ok(types) } else { Err("one type for two roles of a usage") }
    }

    fn tells_roles_apart(&self) -> bool {
        let rows = || ROLES.iter().zip(&self.0);
        rows().all(|(role, own)| {
            let same = |(other, code): &(&Role, &KeyType)| other.usages == role.usages && *code == own;
            rows().filter(same).count() == 1
        })
    }

    /// What a command says of a key that this house knows as `known`.
    pub(super) fn told(&self, usage: KeyUsage, known: KeyType) -> KeyType {
        let mut rows = ROLES.iter().zip(&self.0);
        let row = rows.find(|(role, _)| role.usages.contains(&usage) && role.usual == known);
        row.map_or(known, |(_, own)| *own)
    }

    /// How this house knows a key that the HSM takes for `told`; `None` if no key of this usage has that type.
    pub(super) fn known(&self, usage: KeyUsage, told: KeyType) -> Option<KeyType> {
        let mut rows = ROLES.iter().zip(&self.0);
        let row = rows.find(|(role, own)| role.usages.contains(&usage) && **own == told);
        row.map(|(role, _)| role.usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_said_for_the_role_that_has_another_and_for_no_other() {
        let types = KeyTypes::with(&[("tpk", "70D"), ("tmk", "80D")]).unwrap();
        let pci = KeyType::parse("70D").unwrap();
        assert_eq!(types.told(KeyUsage::Pin, KeyType::TMK), pci);
        assert_eq!(types.told(KeyUsage::Pvv, KeyType::TMK), KeyType::TMK);
        assert_eq!(types.known(KeyUsage::Pin, pci), Some(KeyType::TMK));
        assert_eq!(types.known(KeyUsage::Pin, KeyType::TMK), None);
        assert_eq!(types.known(KeyUsage::IbmPin, KeyType::TMK), Some(KeyType::TMK));
    }

    #[test]
    fn a_table_that_cannot_be_is_refused() {
        assert!(KeyTypes::with(&[("tpk", "001")]).is_err(), "that of a zone's PIN key");
        assert!(KeyTypes::with(&[("zpk", "002"), ("tpk", "001")]).is_ok(), "they change places");
        assert!(KeyTypes::with(&[("tpk", "70D"), ("tpk", "71D")]).is_err());
        assert!(KeyTypes::with(&[("ipek", "302")]).is_err());
        assert!(KeyTypes::with(&[("tpk", "70")]).is_err());
        assert!(KeyTypes::with(&[("tpk", "FFF")]).is_err());
    }
}
