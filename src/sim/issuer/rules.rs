//! How an amount chooses its answer: rows of data, printed by `tollgate issuer rules`.

use crate::model::Amount;
use crate::model::ResponseCode;
use std::fmt::Write;
use std::time::Duration;

/// The whole part of an amount that asks for trouble: 666.01 to 666.11.
pub const TROUBLE: u64 = 666;

/// What becomes of the answer to a request that asks for trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// It goes out at once.
    Plain,
    /// It goes out so much later.
    After(Duration),
    /// It goes out when the switch has stopped waiting ([`super::BankSetup::late`]).
    Late,
    /// It never goes out.
    Never,
    /// It goes out two times.
    Twice,
    /// It goes out with another STAN than the request's.
    WrongStan,
    /// It goes out with a MAC over other bytes.
    WrongMac,
    /// It goes out with an answer to the chip that the chip's issuer did not make.
    WrongArpc,
    /// Bytes that are no message go out in its place, in a frame of their own.
    Garbage,
    /// Half of it goes out, then the connection is closed.
    Torn,
    /// It goes out one byte at a time.
    Trickle,
}

/// One row of misbehaviour.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// The cents that choose it.
    pub cents: u64,
    /// Whether the request is booked as if all were well.
    pub booked: bool,
    /// What becomes of the answer.
    pub delivery: Delivery,
    /// For people.
    pub text: &'static str,
}

/// The rows of misbehaviour, by cents.
pub const TROUBLES: [Trouble; 11] = [
    row(1, true, Delivery::After(Duration::from_secs(3)), "answers after 3 s"),
    row(2, false, Delivery::Never, "no answer, not booked"),
    row(3, true, Delivery::Never, "booked, but no answer"),
    row(4, true, Delivery::Late, "booked, answers after the switch's deadline"),
    row(5, true, Delivery::Twice, "answers twice"),
    row(6, true, Delivery::WrongStan, "booked, answers with a wrong STAN"),
    row(7, true, Delivery::WrongMac, "booked, answers with a wrong MAC"),
    row(8, true, Delivery::Garbage, "booked, answers with garbage"),
    row(9, true, Delivery::Torn, "booked, closes the connection in the middle of the answer"),
    row(10, true, Delivery::Trickle, "answers one byte at a time"),
    row(11, true, Delivery::WrongArpc, "booked, answers the chip with a wrong cryptogram (DE 55, 91)"),
];

const fn row(cents: u64, booked: bool, delivery: Delivery, text: &'static str) -> Trouble {
    Trouble { cents, booked, delivery, text }
}

/// What an amount asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The answer of an issuer that has nothing against card, PIN and funds. An approval books.
    pub code: ResponseCode,
    /// Whether the request reaches the books at all.
    pub booked: bool,
    /// What becomes of the answer.
    pub delivery: Delivery,
}

/// The rule that an amount chooses. Card, PIN and funds are looked at besides.
#[must_use]
pub fn rule(amount: Amount) -> Rule {
    let (whole, cents) = (amount.minor() / 100, amount.minor() % 100);
    let trouble = TROUBLES.iter().find(|trouble| whole == TROUBLE && trouble.cents == cents);
    match trouble {
        Some(row) => Rule { code: ResponseCode::Approved, booked: row.booked, delivery: row.delivery },
        None => Rule { code: code(cents), booked: true, delivery: Delivery::Plain },
    }
}

/// The cents that make the issuer send the chip a script.
const SCRIPT: u64 = 72;

/// What an approval has for the chip to run: one script of template 2 with its identifier and one command, APPLICATION
/// UNBLOCK, whose MAC is made up. Source: EMV 4.3 Book 3, 6.5.2, 10.10.
#[must_use]
pub fn script(amount: Amount) -> Option<&'static [u8]> {
    const SCRIPTS: [u8; 20] = [0x72, 18, 0x9F, 0x18, 4, 0, 0, 0, 1, 0x86, 9, 0x84, 0x18, 0, 0, 4, 1, 2, 3, 4];
    (amount.minor() % 100 == SCRIPT).then_some(&SCRIPTS)
}

/// The answer that the cents choose.
fn code(cents: u64) -> ResponseCode {
    if cents == SCRIPT {
        return ResponseCode::Approved;
    }
    ResponseCode::parse(&format!("{cents:02}")).unwrap_or(ResponseCode::NotAuthenticated)
}

/// The rules for people, a line each.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(
        "The amount chooses the answer:\n\
         \x20 x.00    approved if the funds allow it, else 51\n\
         \x20 x.11    approved with code 11 and booked in full; x.16 likewise with 16\n\
         \x20 x.10    a sale or a hold is approved for half of it with code 10, if the funds allow that\n\
         \x20 x.72    approved, and a chip gets a script to run (DE 55)\n\
         \x20 x.cc    answered with response code cc; 05 where cc is no known code\n\
         A whole part of 666 makes trouble:\n",
    );
    for row in &TROUBLES {
        let _ = writeln!(text, "  666.{:02}  {}", row.cents, row.text);
    }
    text.push_str(
        "Before that: unknown card 14, expired card or other expiry 54, wrong CVV or iCVV 59, wrong cryptogram 05,\n\
         wrong PIN 55, wrong MAC A0.\n\
         Voids, refunds, increments, completions and adjustments name their original, or are answered 25: by its\n\
         reference number or its trace number and time. A void of other than the whole amount 64; more than the rest\n\
         of a sale, or 115 in a hundred of a hold, 61; an original that was voided, completed or refunded 12; a hold\n\
         older than 30 days 22.\n\
         Reversals are always answered at once and approved; one that comes before its original makes\n\
         the original be declined with 22. Advices (0120, 0220) are booked whatever is on\n\
         the account, once for each reference number, or refused with what their cents say. A request that comes again gets its recorded answer.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(minor: u64) -> Rule {
        rule(Amount::new(minor).unwrap())
    }

    #[test]
    fn cents_are_the_response_code() {
        let expected = [(100, "00"), (151, "51"), (155, "55"), (111, "11"), (116, "16"), (110, "10"), (102, "05")];
        for (minor, code) in expected {
            assert_eq!(of(minor).code.code(), code, "{minor}");
            assert_eq!(of(minor).delivery, Delivery::Plain);
        }
    }

    #[test]
    fn the_number_of_the_beast_makes_trouble_with_listed_cents_only() {
        assert_eq!(of(66_602), Rule { code: ResponseCode::Approved, booked: false, delivery: Delivery::Never });
        assert_eq!(of(66_610).delivery, Delivery::Trickle);
        assert_eq!(of(66_600).delivery, Delivery::Plain);
        assert_eq!(of(66_651).code.code(), "51");
        assert_eq!(of(1_066_603).code.code(), "03");
    }

    #[test]
    fn every_row_of_misbehaviour_is_printed_and_found_by_its_cents() {
        for (at, row) in TROUBLES.iter().enumerate() {
            assert_eq!(row.cents, at as u64 + 1);
            assert!(text().contains(row.text));
        }
    }
}
