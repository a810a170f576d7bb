//! Cards that are entered in a way that is beneath them.

use super::{Said, Speaks, View};
use crate::model::EntryMethod;
use crate::model::ResponseCode;
use crate::risk::Signs;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

/// A chip card by its stripe at a terminal that reads chips; `anywhere = true`: at any terminal.
#[derive(Debug)]
pub(in crate::risk) struct Fallback {
    anywhere: bool,
}

impl Speaks for Fallback {
    const SCOPE: KindSet = KindSet::ASKING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        Some(Self { anywhere: row.flag("anywhere") })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let signs = view.s.scene.signs;
        let by_stripe = matches!(view.s.entry.method(), EntryMethod::Swipe | EntryMethod::Fallback);
        let could = self.anywhere || signs.has(Signs::CHIP_TERMINAL);
        (by_stripe && could && signs.has(Signs::CHIP_CARD))
            .then(|| Said::new(ResponseCode::FallbackForbidden, "a chip card by its stripe"))?
    }
}

/// The card was entered in a way that the terminal does not have.
#[derive(Debug)]
pub(in crate::risk) struct EntryMode;

impl Speaks for EntryMode {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let digits = view.s.entry.digits();
        let way = || String::from_utf8_lossy(&digits).into_owned();
        let evidence = || format!("DE 22 {} is beyond what the terminal can", way());
        let beyond = view.s.scene.signs.has(Signs::BEYOND_CAPABILITIES);
        beyond.then(evidence).and_then(|evidence| Said::new(ResponseCode::TerminalForbidden, evidence))
    }
}
