//! The demo's published test keys, for terminals that are told none.

use super::{PadFault, PinPad};
use crate::hsm::calculator::dukpt;
use crate::model::DeviceId;
use crate::model::Entropy;
use crate::model::TerminalId;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::server::config::NamedKey;
use crate::server::config::key_rows;
use sha2::Digest;
use sha2::Sha256;
use std::sync::Arc;
use std::sync::OnceLock;

/// `specs/demo/keys.csv`: TEST KEYS.
const KEYS: &str = include_str!("../../../specs/demo/keys.csv");

/// Profiles that the demo's doors speak.
pub const PROFILES: [&str; 3] = ["pos", "host", "dukpt"];

/// The row of a TEST key.
fn test_key(name: &str) -> Option<&'static NamedKey> {
    static ROWS: OnceLock<Vec<NamedKey>> = OnceLock::new();
    let source = Source { file: "keys.csv", text: KEYS };
    let keys = ROWS.get_or_init(|| key_rows(source, &mut Breaches::default()));
    keys.iter().find(|key| key.name.as_str() == name)
}

/// `specs/demo/devices.csv`: made-up serial numbers.
const DEVICES: &str = include_str!("../../../specs/demo/devices.csv");

/// The serial number of the demo's device of a terminal, where its lists give the terminal one.
#[must_use]
pub fn demo_serial(terminal: TerminalId) -> Option<Box<str>> {
    let rows = DEVICES.lines().filter(|line| !line.starts_with('#'));
    let mut own = rows.filter(|line| line.rsplit(',').next() == Some(terminal.as_str()));
    own.next().and_then(|line| line.split(',').next()).map(Box::from)
}

/// The demo's name of a terminal as a DUKPT device: key set FFFF98, the terminal's eight digits, E0.
#[must_use]
pub fn demo_device(terminal: TerminalId) -> Option<DeviceId> {
    DeviceId::parse(&format!("FFFF98{}E00000", terminal.as_str()))
}

/// A PIN pad that is the demo's DUKPT device of that terminal, with TEST keys. `None` for a number that is not
/// digits.
///
/// # Errors
/// As [`demo_pin_pad`].
pub fn demo_dukpt_pad(terminal: TerminalId, entropy: Arc<dyn Entropy>) -> Result<Option<PinPad>, PadFault> {
    let (Some(device), Some(base)) = (demo_device(terminal), test_key("dukpt/bdk")) else { return Ok(None) };
    let initial = dukpt::initial_key(&base.key, &device.first())?;
    PinPad::with_initial_key(&initial, device, entropy).map(Some)
}

/// The TEST master key of a terminal: its row in the demo's list, or what the row of one with its number would be.
#[must_use]
pub fn demo_master_key(terminal: TerminalId) -> Vec<u8> {
    match test_key(&format!("terminal/{}/tmk", terminal.as_str())) {
        Some(row) => row.key.to_vec(),
        None => {
            let digest = Sha256::digest(format!("tollgate demo TMK {}", terminal.as_str()));
            digest.iter().take(16).copied().collect()
        }
    }
}

/// A PIN pad with the demo's TEST keys: the terminal's own master key, or, for a door without sign-in, the
/// door's zone keys. `None` if the demo has no such terminal.
///
/// # Errors
/// [`PadFault`] if the key is of no use; the demo's are.
pub fn demo_pin_pad(
    terminal: TerminalId,
    sign_in: bool,
    entropy: Arc<dyn Entropy>,
) -> Result<Option<PinPad>, PadFault> {
    let clear = |key: &NamedKey| key.key.clone();
    if sign_in {
        let key = test_key(&format!("terminal/{}/tmk", terminal.as_str())).map(clear);
        return key.map(|key| PinPad::with_master_key(&key, entropy)).transpose();
    }
    let zone = test_key("host/zpk").map(clear).zip(test_key("host/zak").map(clear));
    zone.map(|(pin, mac)| PinPad::with_zone_keys(&pin, &mac, entropy)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_terminals_that_the_demo_has_not_are_made_as_its_own_were() {
        let listed = TerminalId::parse(b"10000010").unwrap();
        let made = Sha256::digest(b"tollgate demo TMK 10000010");
        assert_eq!(demo_master_key(listed), made[..16]);
    }
}
