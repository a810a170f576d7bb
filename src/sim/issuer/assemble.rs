//! A mock issuer put together from a list of keys and a list of cards.

use super::bank::Bank;
use super::bank::BankSetup;
use super::bank::IssuedCard;
use crate::channel::Profile;
use crate::hsm::HsmError;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::PvKey;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::pvv;
use crate::hsm::software::SoftwareHsm;
use crate::model::Entropy;
use crate::model::IssuerName;
use crate::server::config::NamedKey;
use crate::sim::cards::TestCard;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The demo's keys, `specs/demo/keys.csv`. Published and worthless.
pub const DEMO_KEYS: &str = include_str!("../../../specs/demo/keys.csv");
/// When a late answer comes unless told otherwise: one second after the switch's default deadline.
pub const LATE: Duration = Duration::from_secs(6);
/// The PVV key index of all cards.
const INDEX: u8 = 1;

/// What a mock issuer is put together from.
pub struct Parts<'a> {
    /// Its name; of the keys those named `NAME/zak`, `NAME/zpk` and `NAME/pvk` are its own, of the
    /// cards those that name it.
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
    /// A card's PIN verification value cannot be computed.
    #[error("PIN verification value: {0}")]
    Pvv(#[from] CalcError),
}

/// Puts one together: an HSM of its own with its own three keys, and a PVV for each of its cards.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble(parts: &Parts<'_>) -> Result<Bank<SoftwareHsm>, AssembleError> {
    let mut master = Box::new(Zeroizing::new([0; 32]));
    parts.entropy.fill(master.as_mut_slice());
    let mut builder = SoftwareHsm::under(Arc::clone(&parts.entropy), master);
    let named = |suffix: &str| -> Result<(&NamedKey, KeyRef), AssembleError> {
        let name = format!("{}/{suffix}", parts.name);
        let key = parts.keys.iter().find(|key| key.name.as_str() == name).ok_or(AssembleError::Missing(name))?;
        Ok((key, KeyRef::Named(KeyName::clone(&key.name))))
    };
    let ((zak, mac_key), (zpk, pin_key), (pvk, pv_key)) = (named("zak")?, named("zpk")?, named("pvk")?);
    for key in [zak, zpk, pvk] {
        builder = builder.key(key.name.clone(), key.usage, key.algorithm, key.key.clone());
    }
    let des = DesKey::new(&pvk.key)?;
    let own = parts.cards.iter().filter(|card| card.issuer == parts.name);
    let cards = own.map(|card| issue(card, &des)).collect::<Result<_, _>>()?;
    let setup = BankSetup {
        name: parts.name.clone(),
        profile: Arc::clone(&parts.profile),
        mac_key: MacKey(mac_key),
        pin_key: PinKey(pin_key),
        pvk: PvKey(pv_key),
        late: parts.late,
        offset_minutes: 480,
    };
    Ok(Bank::new(setup, Arc::new(builder.build()?), cards))
}

fn issue(card: &TestCard, pvk: &DesKey) -> Result<IssuedCard, CalcError> {
    let [a, b, c, d] = pvv(pvk, INDEX, &ClearPin::parse(card.pin().as_bytes())?, &card.pan)?;
    Ok(IssuedCard { card: card.clone(), index_and_pvv: [b'0' + INDEX, a, b, c, d] })
}
