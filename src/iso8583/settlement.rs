//! What settlement messages carry in DE 48 of the `cn-pos` dialect, as its digits: totals of a batch (0500),
//! its transactions (0320), how many there were; and in DE 63 of the `nac-pos` dialect: totals.
//!
//! Source: public terminal and host sources of Q/CUP 009 links; public descriptions of Hypercom terminals. Every reader takes what a peer sent: what is not
//! of the form is `None`.

use crate::model::Amount;
use crate::model::BatchTotals;
use crate::model::Pan;
use crate::model::Side;
use crate::model::Stan;
use crate::model::Sum;

/// Digits of totals in DE 63 of `nac-pos`: six times 15.
pub const CAPTURED_DIGITS: usize = 90;

/// Reads 90 digits: sales and refunds, count (3) and amount (12) each, of cards in general, of debit cards, and of
/// cards that were authorized only; all of them together. `None` if they cannot be counted.
#[must_use]
pub fn parse_captured(digits: &[u8]) -> Option<Side> {
    if digits.len() != CAPTURED_DIGITS {
        return None;
    }
    let mut side = Side::default();
    for (at, pair) in digits.chunks_exact(15).enumerate() {
        let (count, amount) = pair.split_at_checked(3)?;
        let sum = Sum { count: u32::try_from(number(count)?).ok()?, amount: number(amount)? };
        let of = if at % 2 == 0 { &mut side.debit } else { &mut side.credit };
        *of = of.with(sum)?;
    }
    Some(side)
}

/// Digits of totals: twice 31, domestic cards and foreign ones.
pub const TOTALS_DIGITS: usize = 62;
/// The most transactions in one message.
pub const DETAILS_AT_MOST: usize = 8;
const SIDE_DIGITS: usize = 31;
const DETAIL_DIGITS: usize = 40;

/// What the switch says of one kind of cards: the last digit of its 31.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// 0: in a request.
    Asked,
    /// 1: the terminal's totals are the switch's.
    Balanced,
    /// 2: they are not.
    Unbalanced,
    /// 3: they cannot be compared.
    Error,
}

impl Verdict {
    fn digit(self) -> u8 {
        match self {
            Self::Asked => b'0',
            Self::Balanced => b'1',
            Self::Unbalanced => b'2',
            Self::Error => b'3',
        }
    }

    fn parse(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Asked,
            b'1' => Self::Balanced,
            b'2' => Self::Unbalanced,
            b'3' => Self::Error,
            _ => return None,
        })
    }
}

/// Totals as they stand in a message, with what is said of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Totals {
    /// The sums.
    pub totals: BatchTotals,
    /// Of domestic cards.
    pub domestic: Verdict,
    /// Of foreign ones.
    pub foreign: Verdict,
}

impl Totals {
    /// Reads 62 digits: of each kind of cards debit amount (12) and count (3), credit amount and count, verdict.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if digits.len() != TOTALS_DIGITS {
            return None;
        }
        let (domestic, foreign) = digits.split_at_checked(SIDE_DIGITS)?;
        let ((domestic, of_domestic), (foreign, of_foreign)) = (side(domestic)?, side(foreign)?);
        Some(Self { totals: BatchTotals { domestic, foreign }, domestic: of_domestic, foreign: of_foreign })
    }

    /// The 62 digits; `None` if a count is above 999 or an amount above twelve digits.
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        let mut out = String::with_capacity(TOTALS_DIGITS);
        for (side, verdict) in [(self.totals.domestic, self.domestic), (self.totals.foreign, self.foreign)] {
            for sum in [side.debit, side.credit] {
                if sum.count > 999 || sum.amount > Amount::MAX.minor() {
                    return None;
                }
                out.push_str(&format!("{:012}{:03}", sum.amount, sum.count));
            }
            out.push(char::from(verdict.digit()));
        }
        Some(out)
    }
}

fn side(digits: &[u8]) -> Option<(Side, Verdict)> {
    let (debit, rest) = digits.split_at_checked(15)?;
    let (credit, verdict) = rest.split_at_checked(15)?;
    Some((Side { debit: sum(debit)?, credit: sum(credit)? }, Verdict::parse(*verdict.first()?)?))
}

fn sum(digits: &[u8]) -> Option<Sum> {
    let (amount, count) = digits.split_at_checked(12)?;
    Some(Sum { count: u32::try_from(number(count)?).ok()?, amount: number(amount)? })
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// One transaction of an upload (60.3 = 201).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Detail {
    /// Of a foreign card: type 01.
    pub foreign: bool,
    /// The transaction's trace number.
    pub stan: Stan,
    /// Its card; `None` where the twenty digits are no card number.
    pub pan: Option<Pan>,
    /// Its amount.
    pub amount: Amount,
}

impl Detail {
    /// Reads a count of two digits and so many transactions of forty: type (2), STAN (6), card number (20, zeros
    /// in front), amount (12).
    #[must_use]
    pub fn parse_all(digits: &[u8]) -> Option<Vec<Self>> {
        let (count, rest) = digits.split_at_checked(2)?;
        let count = usize::try_from(number(count)?).ok()?;
        if count > DETAILS_AT_MOST || rest.len() != count * DETAIL_DIGITS {
            return None;
        }
        rest.chunks_exact(DETAIL_DIGITS).map(Self::parse).collect()
    }

    fn parse(digits: &[u8]) -> Option<Self> {
        let (card_type, rest) = digits.split_at_checked(2)?;
        let (stan, rest) = rest.split_at_checked(6)?;
        let (pan, amount) = rest.split_at_checked(20)?;
        let foreign = match card_type {
            b"00" => false,
            b"01" => true,
            _ => return None,
        };
        let zeros = pan.iter().take_while(|digit| **digit == b'0').count();
        Some(Self {
            foreign,
            stan: Stan::parse(stan)?,
            // Of a payment code of twenty digits the first nineteen stand for it, as in the ledger.
            pan: pan.get(zeros..).map(|digits| digits.get(..Pan::MOST).unwrap_or(digits)).and_then(Pan::parse),
            amount: Amount::parse(amount)?,
        })
    }

    /// The digits of up to eight transactions; `None` if there are more.
    #[must_use]
    pub fn digits_of(details: &[Self]) -> Option<String> {
        if details.len() > DETAILS_AT_MOST {
            return None;
        }
        let mut out = format!("{:02}", details.len());
        for Self { foreign, stan, pan, amount } in details {
            let pan = pan.as_ref().map_or("", Pan::clear);
            out.push_str(&format!("{:02}{stan}{pan:0>20}{:012}", u8::from(*foreign), amount.minor()));
        }
        Some(out)
    }
}

/// Reads the four digits at an upload's end: how many transactions there were.
#[must_use]
pub fn parse_count(digits: &[u8]) -> Option<u32> {
    number(digits).filter(|_| digits.len() == 4).and_then(|count| u32::try_from(count).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// DE 48 of frames that another encoder made.
    const ASKED: &str = "00000004512300200000000010000100000000000000000000000000000000";
    const BALANCED: &str = "00000004512300200000000010000110000000000000000000000000000001";
    const DETAILS: &str = "0200000002000062250000000002530000000001230000000800006225000000000253000000045000";

    #[test]
    fn totals_are_read_and_written_as_another_encoder_writes_them() {
        let asked = Totals::parse(ASKED.as_bytes()).unwrap();
        assert_eq!(asked.totals.domestic.debit, Sum { count: 2, amount: 45_123 });
        assert_eq!(asked.totals.domestic.credit, Sum { count: 1, amount: 100 });
        assert_eq!((asked.totals.foreign, asked.domestic), (Side::default(), Verdict::Asked));
        assert_eq!(asked.digits().unwrap(), ASKED);
        let balanced = Totals { domestic: Verdict::Balanced, foreign: Verdict::Balanced, ..asked };
        assert_eq!(balanced.digits().unwrap(), BALANCED);
    }

    #[test]
    fn details_are_read_and_written_as_another_encoder_writes_them() {
        let details = Detail::parse_all(DETAILS.as_bytes()).unwrap();
        let told: Vec<_> = details.iter().map(|one| (one.foreign, one.stan.value(), one.amount.minor())).collect();
        assert_eq!(told, [(false, 2, 123), (false, 8, 45_000)]);
        assert!(details.iter().all(|one| one.pan.unwrap().clear() == "6225000000000253"));
        assert_eq!(Detail::digits_of(&details).unwrap(), DETAILS);
        assert_eq!(parse_count(b"0002"), Some(2));
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        let short = &ASKED.as_bytes()[1..];
        assert_eq!(Totals::parse(short), None);
        assert_eq!(Totals::parse(&[b'4'; 62]), None, "no such verdict");
        assert_eq!(Detail::parse_all(b"01"), None);
        assert_eq!(Detail::parse_all(&[b'9'; 362]), None, "more than eight");
        assert_eq!(Detail::parse_all(b"0102000001000062250000000002530000000001230"), None);
        let of_none = format!("0102000001{:020}{:012}", 0, 1);
        assert_eq!(Detail::parse_all(of_none.as_bytes()), None, "no such type of card");
        assert_eq!((parse_count(b"00002"), parse_count(b"a002")), (None, None));
    }

    proptest! {
        #[test]
        fn any_digits_are_refused_or_written_again_as_they_were(digits in "[0-9]{0,400}") {
            if let Some(totals) = Totals::parse(digits.as_bytes()) {
                prop_assert_eq!(totals.digits().unwrap(), digits.clone());
            }
            // Twenty digits of a code are not written again.
            let whole = |one: &Detail| one.pan.is_some_and(|pan| pan.clear().len() < Pan::MOST);
            if let Some(details) = Detail::parse_all(digits.as_bytes()).filter(|all| all.iter().all(whole)) {
                prop_assert_eq!(Detail::digits_of(&details).unwrap(), digits);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Totals::parse(&bytes).is_none() || bytes.len() == TOTALS_DIGITS);
            prop_assert!(Detail::parse_all(&bytes).is_none_or(|all| all.len() <= DETAILS_AT_MOST));
            prop_assert!(parse_captured(&bytes).is_none() || bytes.len() == CAPTURED_DIGITS);
            prop_assert!(parse_count(&bytes).is_none_or(|count| count <= 9_999));
        }
    }

    #[test]
    fn captured_totals_are_those_of_all_sorts_of_cards() {
        let digits = format!("002{:012}001{:012}001{:012}000{:012}{}", 300, 5, 40, 0, "0".repeat(30));
        let side = parse_captured(digits.as_bytes()).unwrap();
        assert_eq!((side.debit, side.credit), (Sum { count: 3, amount: 340 }, Sum { count: 1, amount: 5 }));
        assert_eq!(parse_captured(&digits.as_bytes()[1..]), None);
        assert_eq!(parse_captured(&[b'x'; 90]), None);
    }

    #[test]
    fn what_the_digits_cannot_say_is_not_written() {
        let mut totals = Totals::parse(ASKED.as_bytes()).unwrap();
        totals.totals.domestic.debit.count = 1_000;
        assert_eq!(totals.digits(), None);
    }
}
