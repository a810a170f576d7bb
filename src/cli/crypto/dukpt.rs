//! `tollgate crypto dukpt`.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::desk::Desk;
use super::desk::Family;
use super::desk::KeyManner;
use super::desk::KeyText;
use super::desk::hex_of;
use super::desk::refused;
use super::desk::usage;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::dukpt::Direction;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::dukpt::aes;
use crate::hsm::calculator::dukpt::tdes;
use crate::model::Ksn;
use std::io::Write;
use zeroize::Zeroizing;

/// Keys of a DUKPT device: initial key, transaction key, working keys
#[derive(Debug, clap::Args)]
#[command(after_help = "The serial number's length says which: 10 bytes TDES (X9.24-1), 12 bytes AES (X9.24-3). \
                        A counter of zero shows the initial key alone.")]
pub(super) struct Dukpt {
    /// The base key: hex (test keys only), a file, or `-`
    #[arg(long)]
    bdk: KeyText,
    /// The key serial number, as hex
    #[arg(long)]
    ksn: String,
    #[command(flatten)]
    manner: KeyManner,
}

/// What the working keys are for, in the words of the standards.
const PURPOSES: [(&str, Purpose); 5] = [
    ("PIN key", Purpose::Pin),
    ("MAC key, request", Purpose::Mac(Direction::Request)),
    ("MAC key, response", Purpose::Mac(Direction::Response)),
    ("data key, request", Purpose::Data(Direction::Request)),
    ("data key, response", Purpose::Data(Direction::Response)),
];

impl Dukpt {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let ksn = Ksn::new(&hex_of("KSN", &self.ksn)?).ok_or_else(|| usage("KSN: not 10 or 12 bytes"))?;
        let family = if ksn.as_bytes().len() == 12 { Family::Aes } else { Family::Des };
        let mut desk = Desk::with_keys(self.manner);
        let bdk = desk.key("base key", &self.bdk, family)?;
        desk.given("KSN", format!("{ksn:?}"));
        let initial = match family {
            Family::Des => tdes::initial_key(&bdk, &ksn).map(|key| Zeroizing::new(key.to_vec())),
            Family::Aes => aes::initial_key(&bdk, &ksn),
        };
        let initial = initial.map_err(refused)?;
        desk.found_key("initial key", &initial, family);
        let mut exit = Exit::Ok;
        match dukpt::counter(&ksn) {
            Err(_) => {
                desk.found("counter", "none that a device uses");
                exit = Exit::No;
            }
            Ok(counter) => {
                desk.found("counter", counter);
                transaction(&mut desk, &initial, &ksn, family)?;
            }
        }
        desk.close(exit, out)
    }
}

/// Notes the transaction's key and what follows from it.
fn transaction(desk: &mut Desk, initial: &[u8], ksn: &Ksn, family: Family) -> Result<(), Failure> {
    if family == Family::Aes {
        let key = aes::transaction_key(initial, ksn).map_err(refused)?;
        desk.found_key("transaction key", &key, family);
        let kind = aes::Derived::of_length(initial.len()).map_err(refused)?;
        for (label, purpose) in PURPOSES {
            desk.found_key(label, &aes::working_key(&key, ksn, purpose, kind).map_err(refused)?, family);
        }
        return Ok(());
    }
    let initial = initial.try_into().map(Zeroizing::new).map_err(|_| usage("base key: not double length"))?;
    let key = tdes::transaction_key(&initial, ksn).map_err(refused)?;
    desk.found_key("transaction key", key.as_slice(), family);
    for (label, purpose) in PURPOSES {
        desk.found_key(label, tdes::working_key(&key, purpose).map_err(refused)?.as_slice(), family);
    }
    Ok(())
}
