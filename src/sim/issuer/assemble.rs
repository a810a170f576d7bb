//! A mock issuer put together from a list of keys and a list of cards.

use super::bank::Bank;
use super::bank::BankSetup;
use super::bank::IssuedCard;
use super::checks::CheckKeys;
use super::checks::PinOnFile;
use super::checks::ibm_rule;
use crate::channel::Profile;
use crate::hsm::CvKey;
use crate::hsm::HsmError;
use crate::hsm::ImkKey;
use crate::hsm::Kek;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::OffsetKey;
use crate::hsm::PinKey;
use crate::hsm::PvKey;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::ibm::DecimalizationTable;
use crate::hsm::calculator::ibm::ValidationData;
use crate::hsm::calculator::ibm::pin_offset;
use crate::hsm::calculator::pvv;
use crate::hsm::software::SoftwareHsm;
use crate::model::Entropy;
use crate::model::IssuerName;
use crate::server::config::NamedKey;
use crate::sim::cards;
use crate::sim::cards::PinCheck;
use crate::sim::cards::TestCard;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The demo's keys, `specs/demo/keys.csv`. Published and worthless.
pub const DEMO_KEYS: &str = cards::DEMO_KEYS;
/// When a late answer comes unless told otherwise: one second after the switch's default deadline.
pub const LATE: Duration = Duration::from_secs(6);
/// The PVV key index of all cards.
const INDEX: u8 = 1;

/// What a mock issuer is put together from.
pub struct Parts<'a> {
    /// Its name; of the keys those named `NAME/zak`, `NAME/zpk` and `NAME/pvk` are its own, of the
    /// cards those that name it. With `NAME/pgk` it checks PINs by offset too, with `NAME/cvk` what tracks prove,
    /// with `NAME/imk` the cryptograms of chips, with `NAME/zmk` its zone keys change.
    pub name: IssuerName,
    /// Its wire conventions.
    pub profile: Arc<Profile>,
    /// Keys in clear, its own and others'.
    pub keys: &'a [NamedKey],
    /// Cards, its own and others'.
    pub cards: &'a [TestCard],
    /// When an answer that is to be late comes.
    pub late: Duration,
    /// For its HSM.
    pub entropy: Arc<dyn Entropy>,
}

/// Why a mock issuer cannot be put together.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AssembleError {
    /// One of its three keys is not in the list.
    #[error("key {0} is not in the list of keys")]
    Missing(String),
    /// A key does not hold.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// What is to be kept of a card's PIN cannot be computed.
    #[error("PIN verification value: {0}")]
    Pin(#[from] CalcError),
}

/// Puts one together: an HSM of its own with its own keys, and for each of its cards what checks the PIN.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble(parts: &Parts<'_>) -> Result<Bank<SoftwareHsm>, AssembleError> {
    let mut master = Box::new(Zeroizing::new([0; 32]));
    parts.entropy.fill(master.as_mut_slice());
    let own = |what: &str| parts.own_key(what);
    let needed = |what: &str| own(what).ok_or_else(|| AssembleError::Missing(format!("{}/{what}", parts.name)));
    let (zak, zpk, pvk) = (needed("zak")?, needed("zpk")?, needed("pvk")?);
    let (pgk, cvk, imk, zmk) = (own("pgk"), own("cvk"), own("imk"), own("zmk"));
    let mut builder = SoftwareHsm::under(Arc::clone(&parts.entropy), master);
    for key in [Some(zak), Some(zpk), Some(pvk), pgk, cvk, imk, zmk].into_iter().flatten() {
        builder = builder.key(key.name.clone(), key.usage, key.algorithm, key.key.clone());
    }
    let cards = parts.cards.iter().filter(|card| card.issuer == parts.name);
    let cards = cards.map(|card| parts.issue(card, pvk)).collect::<Result<_, _>>()?;
    let setup = BankSetup {
        name: parts.name.clone(),
        profile: Arc::clone(&parts.profile),
        mac_key: MacKey(named(zak)),
        pin_key: PinKey(named(zpk)),
        master_key: zmk.map(|key| Kek(named(key))),
        keys: CheckKeys {
            pvv: PvKey(named(pvk)),
            offset: pgk.map(|key| OffsetKey(named(key))),
            cvv: cvk.map(|key| CvKey(named(key))),
            chip: imk.map(|key| ImkKey(named(key))),
        },
        late: parts.late,
        offset_minutes: 480,
    };
    Ok(Bank::new(setup, Arc::new(builder.build()?), cards))
}

fn named(key: &NamedKey) -> KeyRef {
    KeyRef::Named(KeyName::clone(&key.name))
}

impl<'a> Parts<'a> {
    fn own_key(&self, what: &str) -> Option<&'a NamedKey> {
        let name = format!("{}/{what}", self.name);
        self.keys.iter().find(|key| key.name.as_str() == name)
    }

    /// What is kept to check a card's PIN.
    fn issue(&self, card: &TestCard, pvk: &NamedKey) -> Result<IssuedCard, AssembleError> {
        let pin = ClearPin::parse(card.pin().as_bytes())?;
        let pin = match card.pin_check {
            PinCheck::Pvv => PinOnFile::Pvv(b'0' + INDEX, pvv(&DesKey::new(&pvk.key)?, INDEX, &pin, &card.pan)?),
            PinCheck::Offset => {
                let pgk = self.own_key("pgk").ok_or_else(|| AssembleError::Missing(format!("{}/pgk", self.name)))?;
                let (key, rule) = (DesKey::new(&pgk.key)?, ibm_rule(&card.pan));
                let data = ValidationData::of_pan(&card.pan, rule.start, rule.length, rule.pad)?;
                PinOnFile::Offset(pin_offset(&key, &DecimalizationTable::USUAL, &data, &pin, pin.length())?)
            }
        };
        Ok(IssuedCard { card: card.clone(), pin })
    }
}
