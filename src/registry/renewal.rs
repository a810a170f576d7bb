//! When terminals are to sign in again.

use super::table::{Breaches, Row};
use crate::model::TerminalFacts;
use crate::model::Timestamp;
use std::time::Duration;

/// The columns of `[keys]`.
pub const RENEWAL: &[&str; 8] = &[
    "max_age_h",
    "refuse_age_h",
    "sign_in_after",
    "dukpt_jump",
    "key_overlap_s",
    "sign_ins_per_terminal",
    "sign_ins_per_source",
    "pin_errors",
];

const HOUR: Duration = Duration::from_secs(3_600);

/// How old working keys may get. Without any of these they serve until the next sign-in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Renewal {
    ask: Option<Duration>,
    refuse: Option<Duration>,
    sign_in_after: Option<Timestamp>,
}

impl Renewal {
    /// Reads the table `[keys]`.
    #[must_use]
    pub fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        let mut hours = |column: &str| {
            let hours = row.bounded(column, 0, 1..=87_600, breaches).filter(|_| row.has(column));
            hours.and_then(|hours| u32::try_from(hours).ok()).map(|hours| HOUR * hours)
        };
        let (ask, refuse) = (hours("max_age_h"), hours("refuse_age_h"));
        if ask.zip(refuse).is_some_and(|(ask, refuse)| ask >= refuse) {
            row.breach("refuse_age_h", "refuse_age_h: is not above max_age_h", breaches);
        }
        Self { ask, refuse, sign_in_after: sign_in_after(row, breaches) }
    }

    /// Whether a terminal is asked to sign in again: its keys were handed out at `issued`, or nobody knows when.
    #[must_use]
    pub fn asks(&self, facts: &TerminalFacts, issued: Option<Timestamp>, now: Timestamp) -> bool {
        let forced = self.sign_in_after.max(facts.sign_in_after).filter(|after| *after <= now);
        forced.is_some_and(|after| issued.is_none_or(|issued| issued < after)) || older(self.ask, issued, now)
    }

    /// Whether keys are too old for anything but reversals and repeats.
    #[must_use]
    pub fn refuses(&self, issued: Option<Timestamp>, now: Timestamp) -> bool {
        older(self.refuse, issued, now)
    }
}

fn older(most: Option<Duration>, issued: Option<Timestamp>, now: Timestamp) -> bool {
    most.is_some_and(|most| issued.is_none_or(|issued| issued < now.earlier(most)))
}

/// A column with an instant.
pub(super) fn sign_in_after<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Timestamp> {
    row.optional("sign_in_after", "a time such as 2026-11-22T03:00:00+08:00", Timestamp::parse, breaches)
}
