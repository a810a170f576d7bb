//! Whether the HSM has the keys that the lists state: there, of that kind, with that check value.
//!
//! Doors and issuers are nothing without theirs, so those are asked for before a station opens a door. Terminals have
//! keys by the thousand, and a network HSM as many commands a second as it has: theirs are asked for behind the start.

use super::config::{Need, StatedKey};
use crate::hsm::Backend;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::MacKey;
use crate::hsm::Which;
use crate::hsm::software::SoftwareHsm;
use crate::model::Breach;
use futures_util::future::join_all;
use std::collections::VecDeque;
use std::time::Duration;

/// For one key.
const CTX: Ctx = Ctx { within: Duration::from_secs(2) };
/// Keys that are asked for at once, and behind the start in one look.
const AT_ONCE: usize = 16;
/// Bytes of a check value that every HSM tells.
const CHECK: usize = 3;
/// What a MAC is tried over.
const SAMPLE: &[u8] = b"0800 probe of a MAC key";

/// What came of asking for a key.
enum Probed {
    /// It is what the list says.
    Holds,
    /// It is not: why.
    Wrong(String),
    /// The HSM did not say.
    Unsaid(HsmError),
}

/// What a start found out.
#[derive(Default)]
pub(super) struct Found {
    /// What keeps the station from starting.
    pub(super) faults: Vec<Breach>,
    /// What is wrong with keys that nobody needs.
    pub(super) warnings: Vec<Breach>,
    /// Keys that are still to be asked for.
    pub(super) left: VecDeque<StatedKey>,
}

/// The check value of a key, if it is another than the stated one.
///
/// # Errors
/// The HSM's: there is no such key, or it does not hold.
pub async fn other_check<H: Hsm>(
    hsm: &H,
    ctx: &Ctx,
    key: &KeyRef,
    stated: Option<&Kcv>,
) -> Result<Option<Kcv>, HsmError> {
    let found = hsm.key_check_value(ctx, key, CHECK).await?;
    Ok(stated.is_some_and(|stated| !stated.agrees(&found)).then_some(found))
}

/// What is wrong with the kind of a key that a software HSM has.
///
/// # Errors
/// As [`other_check`].
pub fn other_kind(
    hsm: &SoftwareHsm,
    key: &KeyRef,
    (usage, algorithm): (KeyUsage, KeyAlgorithm),
) -> Result<Option<String>, HsmError> {
    let (found, length) = hsm.kind_of(key)?;
    Ok(match (found == usage, length == algorithm) {
        (true, true) => None,
        (false, _) => Some(format!("its block is a key of usage {}, not {}", found.word(), usage.word())),
        (true, false) => Some(format!("its block is a key of {}, not {}", length.word(), algorithm.word())),
    })
}

async fn asked(backend: &Backend, key: &StatedKey) -> Result<Option<String>, HsmError> {
    let reference = KeyRef::Named(key.name.clone());
    match backend.which() {
        Which::Software(hsm) => {
            if let Some(fault) = other_kind(hsm, &reference, (key.usage, key.algorithm))? {
                return Ok(Some(fault));
            }
        }
        // Nothing else is asked of a token.
        Which::Pkcs11(_) if key.usage != KeyUsage::Mac => return Ok(None),
        Which::Pkcs11(_) | Which::Payshield(_) => {}
    }
    if other_check(backend, &CTX, &reference, key.check.as_ref()).await?.is_some() {
        return Ok(Some("its check value is another than the one stated here".to_owned()));
    }
    if !matches!(backend.which(), Which::Payshield(_)) {
        // A key may be there and still make no such MAC: of the other family, or in a token without its left half.
        let mac_key = MacKey(reference);
        for scheme in &key.schemes {
            backend.mac_generate(&CTX, &mac_key, scheme, SAMPLE).await?;
        }
    }
    Ok(None)
}

async fn probe(backend: &Backend, key: &StatedKey) -> Probed {
    match asked(backend, key).await {
        Ok(None) => Probed::Holds,
        Ok(Some(fault)) => Probed::Wrong(fault),
        Err(HsmError::Key { name, fault: KeyFault::Missing }) if name == key.name.as_str() => {
            Probed::Wrong("the HSM has no such key".to_owned())
        }
        Err(HsmError::Key { name, fault }) if name == key.name.as_str() => Probed::Wrong(fault.to_string()),
        Err(fault @ HsmError::Key { .. }) => Probed::Wrong(fault.to_string()),
        Err(fault) => Probed::Unsaid(fault),
    }
}

fn breach(key: &StatedKey, fault: &str) -> Breach {
    Breach::new(&key.file, key.line, format!("key {}: {fault}", key.name.as_str()))
}

/// Asks for the keys that a station needs, before it opens a door.
pub(super) async fn at_start(backend: &Backend, stated: &[StatedKey]) -> Found {
    let (mut found, is_far) = (Found::default(), matches!(backend.which(), Which::Payshield(_)));
    let (now, later): (Vec<_>, Vec<_>) = stated.iter().partition(|key| key.need == Need::Station || !is_far);
    found.left.extend(later.into_iter().cloned());
    for some in now.chunks(AT_ONCE) {
        let probed = join_all(some.iter().map(|key| probe(backend, key))).await;
        for (key, probed) in some.iter().zip(probed) {
            match probed {
                Probed::Holds => {}
                Probed::Wrong(fault) if key.need == Need::Nobody => found.warnings.push(breach(key, &fault)),
                Probed::Wrong(fault) => found.faults.push(breach(key, &fault)),
                Probed::Unsaid(_) => found.left.push_front(StatedKey::clone(key)),
            }
        }
    }
    found
}

/// Asks for some of the keys that are left, and says what is wrong with them.
pub(super) async fn behind(backend: &Backend, left: &mut VecDeque<StatedKey>) {
    let some: Vec<StatedKey> = left.drain(..left.len().min(AT_ONCE)).collect();
    let probed = join_all(some.iter().map(|key| probe(backend, key))).await;
    for (key, probed) in some.into_iter().zip(probed) {
        let (file, line, name) = (&*key.file, key.line, key.name.as_str());
        match probed {
            Probed::Holds => {}
            Probed::Wrong(fault) if key.need == Need::Nobody => {
                tracing::warn!(
                    event = "hsm-key",
                    file,
                    line,
                    key = name,
                    fault,
                    "a key that nobody needs does not hold"
                );
            }
            Probed::Wrong(fault) => {
                tracing::error!(event = "hsm-key", file, line, key = name, fault, "the HSM's key is not the list's");
            }
            Probed::Unsaid(fault @ (HsmError::Unsupported(_) | HsmError::Policy(_))) => {
                tracing::warn!(event = "hsm-key", file, line, key = name, fault = %fault, "the HSM does not say what key it has");
            }
            Probed::Unsaid(_) => left.push_back(key),
        }
    }
}
