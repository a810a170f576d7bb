//! What an issuer's answer to a reversal or an advice means. Pure: two lists and two exceptions.

use crate::ledger::Owed;
use crate::model::ResponseCode;
use crate::registry::Told;
use std::time::Duration;

/// How long a request may be on its way to an issuer. Reversals go over a connection of their own and may
/// overtake what they undo.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// After so many tries a reversal has been going for more than a minute (0.5, 1, 2, 4, 8, 16, 30 s between
/// them). What it undoes may have left just before it, as an advice that was owed for hours.
const A_MINUTE: u32 = 7;

/// What becomes of the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The issuer has it.
    Has,
    /// It goes again.
    Again,
    /// It will never be taken: a person must look.
    Never,
}

/// Judges `code` by the issuer's lists. *Original not found* ends a reversal once the original, intended at
/// least `age` ago, and an advice of it cannot arrive any more; *duplicate* ends a message that went before.
pub(super) fn verdict(told: &Told, code: ResponseCode, what: Owed, attempts: u32, age: Duration) -> Verdict {
    if code.is_approval() || told.accepted.contains(&code) {
        return Verdict::Has;
    }
    if told.retry.contains(&code) {
        return Verdict::Again;
    }
    match (code, what) {
        (ResponseCode::OriginalNotFound, Owed::Reversal) if age > ON_ITS_WAY && attempts >= A_MINUTE => Verdict::Has,
        (ResponseCode::OriginalNotFound, Owed::Reversal) => Verdict::Again,
        (ResponseCode::DuplicateMismatch, _) if attempts > 0 => Verdict::Has,
        _ => Verdict::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Again, Has, Never};
    use super::*;

    const YOUNG: Duration = Duration::from_secs(59);
    const OLD: Duration = Duration::from_secs(61);

    /// By the default lists.
    fn of(code: &str, what: Owed, attempts: u32, age: Duration) -> Verdict {
        verdict(&Told::default(), ResponseCode::parse(code).unwrap(), what, attempts, age)
    }

    #[test]
    fn every_code_is_in_one_list_or_a_dead_letter() {
        for code in ResponseCode::ALL {
            let expected = match code.code() {
                "00" | "10" | "11" | "16" | "A2" | "A4" | "A5" | "A6" => Has,
                "09" | "68" | "77" | "90" | "91" | "92" | "96" | "98" | "A0" => Again,
                _ => Never,
            };
            assert_eq!(of(code.code(), Owed::Advice, 0, OLD), expected, "{code}");
        }
    }

    #[test]
    fn original_not_found_ends_a_reversal_once_the_original_cannot_come_any_more() {
        assert_eq!(of("25", Owed::Reversal, 9, YOUNG), Again);
        assert_eq!(of("25", Owed::Reversal, A_MINUTE - 1, OLD), Again);
        assert_eq!(of("25", Owed::Reversal, A_MINUTE, OLD), Has);
        assert_eq!(of("25", Owed::Advice, 0, OLD), Never);
    }

    #[test]
    fn duplicate_ends_a_repeat_and_nothing_else() {
        assert_eq!(of("94", Owed::Advice, 1, YOUNG), Has);
        assert_eq!(of("94", Owed::Reversal, 1, YOUNG), Has);
        assert_eq!(of("94", Owed::Reversal, 0, YOUNG), Never);
    }

    #[test]
    fn an_issuers_own_lists_come_first() {
        let codes = |codes: &[&str]| codes.iter().map(|code| ResponseCode::parse(code).unwrap()).collect();
        let told = Told { accepted: codes(&["25", "12"]), retry: codes(&["94", "30"]) };
        let of = |code| verdict(&told, ResponseCode::parse(code).unwrap(), Owed::Reversal, 1, YOUNG);
        assert_eq!(["25", "12", "94", "30", "91", "00"].map(of), [Has, Has, Again, Again, Never, Has]);
    }
}
