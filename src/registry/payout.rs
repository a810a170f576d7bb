//! How a merchant is paid: its category, its account, its cycle.

use super::table::{Breaches, Row};
use crate::model::Mcc;
use crate::model::TimeOfDay;

/// When a merchant has its money.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Cycle {
    /// `D0`: on the day itself, also on a holiday.
    SameDay,
    /// `T1`: on the next day on which banks work.
    #[default]
    NextWorkingDay,
}

impl Cycle {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "D0" => Some(Self::SameDay),
            "T1" => Some(Self::NextWorkingDay),
            _ => None,
        }
    }
}

/// How a merchant is paid.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payout {
    /// Its category.
    pub mcc: Option<Mcc>,
    /// The account that it registered, up to 34 letters and digits (an IBAN's length). Without one it is not paid.
    pub account: Option<Box<str>>,
    /// When it has its money.
    pub cycle: Cycle,
    /// From when on something counts as the next day's, by the terminal's clock.
    pub cut_off: Option<TimeOfDay>,
}

impl Payout {
    /// The columns `mcc`, `account`, `cycle`, `cut_off`.
    pub(super) fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        Self {
            mcc: row.optional("mcc", "4 digits", Mcc::parse, breaches),
            account: row.optional("account", "1 to 34 letters and digits", account, breaches),
            cycle: row.optional("cycle", "D0 or T1", Cycle::parse, breaches).unwrap_or_default(),
            cut_off: row.optional("cut_off", "a time as 22:30", TimeOfDay::parse, breaches),
        }
    }
}

fn account(text: &str) -> Option<Box<str>> {
    let is_account = (1..=34).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_account.then(|| text.into())
}
