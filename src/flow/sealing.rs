//! Card numbers at rest: which key seals those of a business date, and where it comes from.
//!
//! The HSM makes every data key, and the ledger keeps its block before anything is sealed under it. Where
//! two make the key of one date at once, the block that was kept first is everybody's.

use super::exchange::Stop;
use super::station::{Station, World};
use crate::hsm::Ctx;
use crate::hsm::DataKeyPurpose;
use crate::hsm::DataKeySealer;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::KeyBlock;
use crate::hsm::KeyRing;
use crate::hsm::OpenedDataKey;
use crate::ledger::DataKeyName;
use crate::ledger::Intent;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::model::BusinessDate;
use crate::model::Entropy;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Sealer;
use std::sync::Arc;
use std::time::Duration;

/// How long the HSM may take for one key at start.
const AT_START: Ctx = Ctx { within: Duration::from_secs(10) };

/// A data key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyFault {
    /// A block in the ledger does not open: most likely it was made under another master key.
    #[error("{}: {fault}", of(*name))]
    Foreign {
        /// Whose block.
        name: DataKeyName,
        /// What the HSM says.
        fault: HsmError,
    },
    /// The HSM cannot make one.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The ledger cannot keep one.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// A key by its name, for people.
fn of(name: DataKeyName) -> String {
    match name {
        DataKeyName::Token => "the token key".to_owned(),
        DataKeyName::Seal(date) => format!("the sealing key of {date}"),
    }
}

fn purpose(name: DataKeyName) -> DataKeyPurpose {
    match name {
        DataKeyName::Token => DataKeyPurpose::Token,
        DataKeyName::Seal(_) => DataKeyPurpose::Seal,
    }
}

/// The station's sealer: opens every data key on record, and makes the token key if there is none yet.
///
/// # Errors
/// A key that does not open or cannot be made: the station must not start.
pub async fn open_sealer<H: Hsm, L: Ledger>(
    hsm: &H,
    ledger: &L,
    entropy: Arc<dyn Entropy>,
) -> Result<DataKeySealer, DataKeyFault> {
    let sealer = DataKeySealer::new(&data_key(hsm, ledger, AT_START, DataKeyName::Token).await?, entropy)?;
    for (name, block) in ledger.data_keys() {
        if let DataKeyName::Seal(date) = name {
            sealer.add(date, &open(hsm, AT_START, name, &block).await?)?;
        }
    }
    Ok(sealer)
}

/// The data key on record, opened; a fresh one, kept first, if there is none.
async fn data_key<H: Hsm, L: Ledger>(
    hsm: &H,
    ledger: &L,
    ctx: Ctx,
    name: DataKeyName,
) -> Result<OpenedDataKey, DataKeyFault> {
    let known = ledger.data_keys().into_iter().find(|(kept, _)| *kept == name);
    if let Some((_, block)) = known {
        return open(hsm, ctx, name, &block).await;
    }
    let (made, opened) = hsm.data_key_new(&ctx, purpose(name)).await?;
    let kept = ledger.keep_data_key(name, made.clone()).await?;
    if kept == made { Ok(opened) } else { open(hsm, ctx, name, &kept).await }
}

async fn open<H: Hsm>(hsm: &H, ctx: Ctx, name: DataKeyName, block: &KeyBlock) -> Result<OpenedDataKey, DataKeyFault> {
    let opened = hsm.data_key_open(&ctx, purpose(name), block).await;
    opened.map_err(|fault| match fault {
        HsmError::Key { .. } => DataKeyFault::Foreign { name, fault },
        other => DataKeyFault::Hsm(other),
    })
}

impl<W: World> Station<W> {
    /// Sees to it that card numbers of `date` can be sealed, before anything is recorded.
    pub(super) async fn ready_to_seal(&self, date: BusinessDate) -> Result<(), Stop> {
        if self.parts.sealer.knows(date) {
            return Ok(());
        }
        let name = DataKeyName::Seal(date);
        let key = data_key(&*self.parts.hsm, &*self.parts.ledger, Self::ctx(), name).await;
        let key = key.and_then(|key| Ok(self.parts.sealer.add(date, &key)?));
        key.map_err(|fault| match fault {
            DataKeyFault::Ledger(fault) => self.ledger_stop(&fault),
            DataKeyFault::Hsm(_) | DataKeyFault::Foreign { .. } => {
                tracing::error!(event = "hsm-fault", fault = %fault, "no key to seal card numbers with");
                Stop::code(ResponseCode::SystemFailure, "hsm")
            }
        })
    }

    /// The card number of a recorded transaction. `None` is our fault, and logged.
    pub(super) fn open_pan(&self, intent: &Intent) -> Option<Pan> {
        let opened = self.parts.sealer.open(intent.date, &intent.pan, &intent.id.0.to_be_bytes());
        let opened = opened.inspect_err(|fault| {
            tracing::error!(event = "seal-fault", rrn = %intent.rrn, fault = %fault, "a card number does not open");
        });
        opened.ok()
    }
}
