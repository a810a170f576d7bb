//! One request as rules see it.

use super::{Scene, Signs};
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::EntryMethod;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::PosEntryMode;
use crate::model::TerminalId;
use crate::model::Timestamp;

/// One request as rules see it, now or on replay: all of it is on record.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What is asked.
    pub kind: Kind,
    /// Who asks.
    pub terminal: TerminalId,
    /// In whose shop, DE 42 as sent.
    pub merchant: MerchantId,
    /// Whose card.
    pub card: PanToken,
    /// How much.
    pub amount: Amount,
    /// In what.
    pub currency: Currency,
    /// How the card was read.
    pub entry: PosEntryMode,
    /// The day it belongs to.
    pub date: BusinessDate,
    /// When its frame was complete.
    pub at: Timestamp,
    /// Minutes east of UTC of the terminal's clock.
    pub offset_minutes: i16,
    /// The rest.
    pub scene: &'a Scene,
}

impl Situation<'_> {
    /// Whether the card was held to the reader and no PIN was entered.
    #[must_use]
    pub fn is_bare_tap(&self) -> bool {
        self.entry.method() == EntryMethod::Tap && !self.scene.signs.has(Signs::PIN)
    }
}
