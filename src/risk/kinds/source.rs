//! Where messages come from, and whether they come at all.

use super::{Said, Speaks, View};
use crate::model::ResponseCode;
use crate::risk::Signs;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

/// `count`: so many messages with a wrong MAC from the source within ten minutes.
#[derive(Debug)]
pub(in crate::risk) struct MacFailures {
    count: u32,
}

impl Speaks for MacFailures {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let count = row.count("count", 65_535);
        row.need("count", count).map(|count| Self { count })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let failures = u32::from(view.s.scene.mac_failures);
        let evidence = || format!("{failures} wrong MACs from the source within ten minutes");
        (failures >= self.count).then(evidence).and_then(|evidence| Said::new(ResponseCode::SecurityFailure, evidence))
    }
}

/// The message comes from another address than before.
#[derive(Debug)]
pub(in crate::risk) struct SourceChange;

impl Speaks for SourceChange {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let changed = view.s.scene.signs.has(Signs::SOURCE_CHANGED);
        changed.then(|| Said::new(ResponseCode::TerminalForbidden, "comes from another address than before"))?
    }
}

/// `for_s`: nothing was heard of the terminal for so long.
#[derive(Debug)]
pub(in crate::risk) struct Silent {
    seconds: u32,
}

impl Speaks for Silent {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let seconds = row.count("for_s", u32::MAX);
        row.need("for_s", seconds).map(|seconds| Self { seconds })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let silent = view.s.scene.silent.filter(|silent| *silent >= self.seconds)?;
        Said::new(ResponseCode::TerminalForbidden, format!("silent for {silent} s"))
    }
}
