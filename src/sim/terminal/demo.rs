//! The demo's published test keys, for terminals that are told none.

use super::{PadFault, PinPad};
use crate::model::Entropy;
use crate::model::TerminalId;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::server::config::NamedKey;
use crate::server::config::key_rows;
use std::sync::Arc;
use std::sync::OnceLock;

/// `specs/demo/keys.csv`: TEST KEYS.
const KEYS: &str = include_str!("../../../specs/demo/keys.csv");

/// Profiles that the demo's doors speak.
pub const PROFILES: [&str; 2] = ["pos", "host"];

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
    static ROWS: OnceLock<Vec<NamedKey>> = OnceLock::new();
    let source = Source { file: "keys.csv", text: KEYS };
    let keys = ROWS.get_or_init(|| key_rows(source, &mut Breaches::default()));
    let find = |name: &str| keys.iter().find(|key| key.name.as_str() == name);
    let clear = |key: &NamedKey| key.key.clone();
    if sign_in {
        let key = find(&format!("terminal/{}/tmk", terminal.as_str())).map(clear);
        return key.map(|key| PinPad::with_master_key(&key, entropy)).transpose();
    }
    let zone = find("host/zpk").map(clear).zip(find("host/zak").map(clear));
    zone.map(|(pin, mac)| PinPad::with_zone_keys(&pin, &mac, entropy)).transpose()
}
