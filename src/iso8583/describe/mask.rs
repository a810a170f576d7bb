//! What may be shown.

use crate::iso8583::parts::Part;
use crate::iso8583::spec::ElementKind;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::Length;
use crate::iso8583::spec::Sensitivity;
use std::borrow::Cow;

/// Digits of the shortest card number that we take for one.
const SHORTEST_PAN: u16 = 8;

/// No more stars than this: the length of a secret is told, its bulk is not printed.
const STARS: usize = 32;

/// Whether anything was hidden while a description was made, and whether to hide at all.
pub(super) struct Mask {
    unmask: bool,
    pub(super) hidden: bool,
}

impl Mask {
    pub(super) fn new(unmask: bool) -> Self {
        Self { unmask, hidden: false }
    }

    /// The text of a whole element, as its row allows; it is no less sensitive than any of its parts.
    pub(super) fn element<'t>(&mut self, spec: &ElementSpec, text: &'t str) -> Cow<'t, str> {
        let inside = spec.parts.iter().any(|part| part.sensitivity.is_some_and(|inner| inner != Sensitivity::Plain));
        let sensitivity = match of_element(spec) {
            Sensitivity::Plain if inside => Sensitivity::Secret,
            own => own,
        };
        self.show(sensitivity, text)
    }

    /// The text of a part; one that nobody described is as sensitive as its element.
    pub(super) fn part<'t>(&mut self, spec: &ElementSpec, part: &Part, text: &'t str) -> Cow<'t, str> {
        self.show(part.sensitivity.unwrap_or_else(|| of_element(spec)), text)
    }

    /// Bytes that were not decoded: hidden, whatever they are.
    pub(super) fn rest<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.show(Sensitivity::Secret, text)
    }

    fn show<'t>(&mut self, sensitivity: Sensitivity, text: &'t str) -> Cow<'t, str> {
        if self.unmask || sensitivity == Sensitivity::Plain || text.is_empty() {
            return Cow::Borrowed(text);
        }
        self.hidden = true;
        Cow::Owned(match sensitivity {
            Sensitivity::Pan => card_number(text),
            _ => "*".repeat(text.chars().count().min(STARS)),
        })
    }
}

/// What the row says, or the safe guess: secret if a card number would fit.
fn of_element(spec: &ElementSpec) -> Sensitivity {
    let (Length::Fixed(most) | Length::Variable { max: most, .. }) = spec.length;
    let digits = if spec.kind == ElementKind::B { most.saturating_mul(2) } else { most };
    let guess = if digits < SHORTEST_PAN { Sensitivity::Plain } else { Sensitivity::Secret };
    spec.sensitivity.unwrap_or(guess)
}

/// First six and last four of at least thirteen characters; of fewer only the last four, of less than eight none.
///
/// Source: PCI DSS 3.4.1.
fn card_number(text: &str) -> String {
    let length = text.chars().count();
    let (front, back) = match length {
        13.. => (6, 4),
        8.. => (0, 4),
        _ => (0, 0),
    };
    let shown = |at: usize| at < front || at >= length - back;
    text.chars().enumerate().map(|(at, letter)| if shown(at) { letter } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::card_number;

    #[test]
    fn a_card_number_shows_at_most_first_six_and_last_four() {
        assert_eq!(card_number("6225000000000253"), "622500******0253");
        assert_eq!(card_number("6225000000000"), "622500***0000");
        assert_eq!(card_number("622500000000"), "********0000");
        assert_eq!(card_number("6225000"), "*******");
    }
}
