//! Which keys are test keys: those that were published, and those that nobody would draw. Which cards are test cards.

use crate::model::Pan;

/// Keys of standards, manuals and open test suites.
const PUBLISHED: &str = include_str!("published_keys.txt");

/// Card numbers of standards, open test suites and payment services.
const PUBLISHED_CARDS: &str = include_str!("published_cards.txt");

/// The demo's cards: a list with the number first.
const DEMO_CARDS: &str = include_str!("../../../specs/demo/cards.csv");

/// Whether a card number is a well-known test number: published, or one of the demo's.
pub(super) fn is_test_card(pan: &Pan) -> bool {
    let number = |line: &'static str| line.split(',').next();
    PUBLISHED_CARDS.lines().chain(DEMO_CARDS.lines().filter_map(number)).any(|known| known == pan.clear())
}

/// Whether a key is a well-known test key. Parity bits do not count.
///
/// Published: on the list beside this file. Regular: at most a byte in four is different from all
/// others, or its nibbles or bytes climb or fall in even steps; of drawn keys less than one in 10^20
/// is.
pub(in crate::cli) fn is_test_key(key: &[u8]) -> bool {
    is_regular(key) || published().any(|known| same(&known, key))
}

/// The list, without its comments.
fn published() -> impl Iterator<Item = Vec<u8>> {
    let lines = PUBLISHED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| super::super::input::from_hex(line.as_bytes()))
}

/// Equal but for parity.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a ^ b) & 0xFE == 0)
}

/// Whether it looks written, not drawn.
fn is_regular(key: &[u8]) -> bool {
    let mut different: Vec<u8> = key.to_vec();
    different.sort_unstable();
    different.dedup();
    let nibbles: Vec<u8> = key.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).collect();
    let climbs = |values: &[u8], modulus: u16| {
        let step = |pair: &[u8]| (u16::from(pair[1]) + modulus - u16::from(pair[0])) % modulus;
        let mut steps = values.windows(2).map(step);
        let first = steps.next();
        steps.all(|step| Some(step) == first)
    };
    let halves_climb = |modulus, values: &[u8]| values.chunks(values.len().min(16)).all(|half| climbs(half, modulus));
    different.len() <= key.len() / 4 || climbs(key, 256) || halves_climb(16, &nibbles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::input::from_hex;

    #[test]
    fn written_and_published_keys_are_test_keys_and_drawn_ones_are_not() {
        for key in [
            "0123456789ABCDEFFEDCBA9876543210", // written
            "0022446688AACCEE1133557799BBDDFF", // climbs, but for one step in the middle
            "11111111111111112222222222222222",
            "000102030405060708090A0B0C0D0E0F",
            "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6", // published
            "89E98DF7931545F234BC7446FD3E390D",                                 // published, other parity
        ] {
            assert_eq!(is_test_key(&from_hex(key.as_bytes()).unwrap()), !key.starts_with("0022"), "{key}");
        }
        // Drawn for this test.
        for key in ["7C0FA2D15E9B3384E6617A0BD84C2F95", "B29E04F7613AD85C", "5B1DE0938F27C46A01D9427BEE658F30A7C41288"]
        {
            assert!(!is_test_key(&from_hex(key.as_bytes()).unwrap()), "{key}");
        }
    }

    #[test]
    fn published_cards_and_the_demos_are_test_cards_and_others_are_not() {
        let known = |number: &str| is_test_card(&Pan::parse(number.as_bytes()).unwrap());
        assert!(PUBLISHED_CARDS.lines().filter(|line| !line.starts_with('#')).all(known));
        assert!(known("6225000000000253") && known("4012345678909"));
        // Made up for this test.
        assert!(!known("6225880137046219") && !known("411111111111111"));
    }

    #[test]
    fn the_list_is_readable() {
        assert!(published().count() >= 45);
        assert!(PUBLISHED.lines().all(|line| line.starts_with('#') || from_hex(line.as_bytes()).is_some()));
    }
}
