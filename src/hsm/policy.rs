//! Which PIN block format may become which. Above every backend, so that none can be talked round.

use super::HsmError;
use crate::model::PinFormat;

/// The translation matrix of ISO 9564-1 and PCI PIN requirement 3, with its three switches.
///
/// Fixed rows: format 2 neither way (it belongs inside chip cards), and nothing that binds a PAN
/// becomes format 1, which binds none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TranslationPolicy {
    /// Formats 0 and 3 to 4 and back: permitted by PCI's supplement on format 4 (2021), not by an
    /// ANSI X9.8 of before format 4. On by default.
    pub mixes_format_4: bool,
    /// Format 1 to format 1. Off by default.
    pub keeps_format_1: bool,
    /// Another PAN on the way out, 4 to 4 only and only if the change itself is authenticated.
    /// Off by default.
    pub changes_pan_in_format_4: bool,
}

impl Default for TranslationPolicy {
    fn default() -> Self {
        Self { mixes_format_4: true, keeps_format_1: false, changes_pan_in_format_4: false }
    }
}

impl TranslationPolicy {
    /// Decides one translation. `pan_change`: the block is to leave under another PAN than it came.
    ///
    /// # Errors
    /// [`HsmError::Policy`] naming the rule.
    pub fn check(&self, from: PinFormat, to: PinFormat, pan_change: bool) -> Result<(), HsmError> {
        use PinFormat::{Iso0, Iso1, Iso2, Iso3, Iso4};
        let permitted = match (from, to) {
            (Iso2, _) | (_, Iso2) => return Err(HsmError::Policy("PIN block format 2 is not translated")),
            (Iso1, Iso1) => self.keeps_format_1,
            (_, Iso1) => return Err(HsmError::Policy("a PIN block bound to a PAN does not become format 1")),
            (Iso1, _) => true,
            (Iso0 | Iso3, Iso4) | (Iso4, Iso0 | Iso3) => self.mixes_format_4,
            (Iso0 | Iso3, Iso0 | Iso3) | (Iso4, Iso4) => true,
        };
        let pan_rule = !pan_change || (from == Iso4 && to == Iso4 && self.changes_pan_in_format_4);
        match (permitted, pan_rule) {
            (true, true) => Ok(()),
            (false, _) => Err(HsmError::Policy("PIN block format translation")),
            (true, false) => Err(HsmError::Policy("PIN block moved to another PAN")),
        }
    }
}
