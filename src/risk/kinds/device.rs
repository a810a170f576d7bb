//! Devices that are not what the registry knows.

use super::{Said, Speaks, View};
use crate::model::Firmware;
use crate::model::ResponseCode;
use crate::risk::Signs;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

const TROUBLES: [(&str, Signs, &str); 3] = [
    ("unknown", Signs::DEVICE_UNKNOWN, "the registry knows no device of the terminal"),
    ("differs", Signs::DEVICE_DIFFERS, "the device's serial number is not the registered one"),
    ("expired", Signs::CERTIFICATION_EXPIRED, "the device's certification has expired"),
];

/// `when`: unknown, differs, expired; all of them if left out.
#[derive(Debug)]
pub(in crate::risk) struct Device {
    when: [bool; 3],
}

impl Speaks for Device {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let when = row.list("when", "one of unknown, differs, expired", |word| {
            TROUBLES.iter().position(|(name, ..)| *name == word)
        });
        let looked_at = |place: usize| when.as_ref().is_none_or(|when| when.contains(&place));
        Some(Self { when: std::array::from_fn(looked_at) })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let signs = view.s.scene.signs;
        let looked_at = TROUBLES.iter().zip(self.when).filter(|(_, looked_at)| *looked_at);
        let (_, _, evidence) = looked_at.map(|(trouble, _)| trouble).find(|(_, sign, _)| signs.has(*sign))?;
        Said::new(ResponseCode::TerminalForbidden, *evidence)
    }
}

/// `least`: the oldest firmware that is served. `unknown = true`: none that is not known is.
#[derive(Debug)]
pub(in crate::risk) struct LeastFirmware {
    least: Firmware,
    unknown: bool,
}

impl Speaks for LeastFirmware {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let least = row.text("least", "a version, such as 2.1.0", Firmware::parse);
        let least = row.need("least", least);
        let unknown = row.flag("unknown");
        Some(Self { least: least?, unknown })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        match view.s.scene.firmware {
            Some(firmware) if firmware < self.least => {
                let evidence = format!("firmware {firmware}, at least {}", self.least);
                Said::new(ResponseCode::TerminalForbidden, evidence)
            }
            None if self.unknown => Said::new(ResponseCode::TerminalForbidden, "firmware not known"),
            _ => None,
        }
    }
}
