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
    /// As the lists write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SameDay => "D0",
            Self::NextWorkingDay => "T1",
        }
    }

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
        let account = row.optional("account", "1 to 34 letters and digits", account, breaches);
        if account.as_deref().is_some_and(|account| is_iban(account) && !has_right_check_digits(account)) {
            row.breach("account", "account: the check digits of this IBAN are wrong", breaches);
        }
        Self {
            mcc: row.optional("mcc", "4 digits", Mcc::parse, breaches),
            account,
            cycle: row.optional("cycle", "D0 or T1", Cycle::parse, breaches).unwrap_or_default(),
            cut_off: row.optional("cut_off", "a time as 22:30", TimeOfDay::parse, breaches),
        }
    }
}

fn account(text: &str) -> Option<Box<str>> {
    let is_account = (1..=34).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_account.then(|| text.into())
}

/// Two letters, two digits, and as long as IBANs are. Small letters are the same ones.
fn is_iban(account: &str) -> bool {
    let is_long = (15..=34).contains(&account.len());
    let (letters, digits) = (account.as_bytes().get(..2), account.as_bytes().get(2..4));
    is_long
        && letters.is_some_and(|letters| letters.iter().all(u8::is_ascii_alphabetic))
        && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// ISO 13616: the number behind its first four characters, letters counted from 10, is 1 more than a multiple of 97.
fn has_right_check_digits(iban: &str) -> bool {
    let (head, tail) = iban.split_at_checked(4).unwrap_or((iban, ""));
    let rest = tail.chars().chain(head.chars()).try_fold(0, |rest: u32, character| {
        let value = character.to_digit(36)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    rest == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_has_right_check_digits_and_other_accounts_have_none() {
        for right in ["GB29NWBK60161331926819", "DE89370400440532013000", "BE68539007547034", "de89370400440532013000"]
        {
            assert!(is_iban(right) && has_right_check_digits(right), "{right}");
        }
        for wrong in ["GB29NWBK60161331926891", "DE98370400440532013000", "BE68539007547035", "de98370400440532013000"]
        {
            assert!(is_iban(wrong) && !has_right_check_digits(wrong), "{wrong}");
        }
        for other in ["TESTACCOUNT0001", "6222020200012345678", "DE89", ""] {
            assert!(!is_iban(other), "{other}");
        }
    }
}
