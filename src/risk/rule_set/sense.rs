//! Rules that are well written and say nothing: those that can never speak, and those that speak of every request.
//!
//! What depends on the day, such as an end that is past, is no fault of a file: [`RuleSet::lapsed`](super::RuleSet::lapsed).

use super::filters::{Filters, merchant, terminal};
use super::row::Row;
use crate::model::Amount;
use crate::model::Bin;
use crate::model::EntryMethod;
use crate::model::Firmware;
use crate::model::Timestamp;
use crate::risk::kind_set::KindSet;

/// What a rule is for.
pub(super) struct Narrowed<'r> {
    pub(super) name: &'r str,
    pub(super) kinds: KindSet,
    pub(super) filters: Option<&'r Filters>,
    pub(super) from: Option<Timestamp>,
}

/// Reports what the rule of a table says in vain. A value that is wrong was reported already, and is passed over here.
pub(super) fn check(row: &mut Row<'_>, rule: &Narrowed<'_>) {
    if !rule.kinds.meets(KindSet::JUDGED) {
        row.fault("kinds", "kinds: no rule is asked about any of them: reversals, settlements, uploads, management");
    }
    match rule.name {
        "fallback" => entered(row, rule, &[EntryMethod::Swipe, EntryMethod::Fallback], "swipe or fallback"),
        "contactless-no-pin" => entered(row, rule, &[EntryMethod::Tap], "tap"),
        "refund-ratio" if !rule.kinds.is_within(KindSet::REFUNDS) => {
            row.fault("kinds", "kinds: refund-ratio takes every request it is asked about for a refund; say refund");
        }
        "firmware" if is_any_firmware(row) => {
            row.fault("least", "least: no firmware is older, and unknown = true is not said: the rule never speaks");
        }
        "list" => listed(row, rule),
        _ => {}
    }
    if let Some((low, high)) = rule.filters.map_or(Some((Amount::ZERO, Amount::MAX)), Filters::amounts) {
        amounts(row, rule.name, (low.minor(), high.minor()));
    }
}

/// A rule about cards that were entered in some ways is not for others only.
fn entered(row: &mut Row<'_>, rule: &Narrowed<'_>, ways: &[EntryMethod], words: &str) {
    if rule.filters.is_some_and(|filters| !filters.may_be_entered(ways)) {
        row.fault("entries", format!("entries: {} speaks of {words} only: the rule never speaks", rule.name));
    }
}

fn is_any_firmware(row: &Row<'_>) -> bool {
    let least = row.said("least").and_then(|value| Firmware::parse(value.as_str()?));
    let unknown = row.said("unknown").is_some_and(|value| value.as_bool() == Some(true));
    least == Some(Firmware([0; 3])) && !unknown
}

/// A list, and filters of the same subjects; ends of entries, and the rule's beginning.
fn listed(row: &mut Row<'_>, rule: &Narrowed<'_>) {
    let (values, ends) = row.said_in_list("list");
    if let Some(from) = rule.from
        && ends.iter().any(|until| *until <= from)
    {
        row.fault("list", "list: has an entry that ends before the rule begins");
    }
    let (Some(filters), Some(of)) = (rule.filters, row.said("of").and_then(|value| value.as_str())) else { return };
    let any = |may: &dyn Fn(&str) -> bool| values.is_empty() || values.iter().any(|value| may(value));
    let (key, meets) = match of {
        "terminal" => ("terminals", any(&|text| terminal(text).is_none_or(|one| filters.may_be_terminal(&one)))),
        "merchant" => ("merchants", any(&|text| merchant(text).is_none_or(|one| filters.may_be_merchant(&one)))),
        "bin" => ("bins", any(&|text| Bin::parse(text.as_bytes()).is_none_or(|one| filters.may_be_bin(&one)))),
        _ => return,
    };
    if !meets {
        row.fault(key, format!("{key}: none of them is in the list: the rule never speaks"));
    }
}

/// Bounds of a rule, and the amounts it is for.
fn amounts(row: &mut Row<'_>, name: &str, (low, high): (u64, u64)) {
    let number = |row: &Row<'_>, key| row.said_number(key);
    // What asks for nothing is refused before any rule.
    let low = low.max(1);
    let never = |key: &str, than: &str| format!("{key}: no amount that the rule is for is {than}");
    let always = |key: &str| format!("{key}: is passed by every amount that the rule is for: say kind = \"always\"");
    match name {
        "single" => {
            match number(row, "least") {
                Some(least) if least <= low => row.fault("least", never("least", "below it: it never speaks")),
                Some(least) if least > high => row.fault("least", always("least")),
                _ => {}
            }
            match number(row, "most") {
                Some(most) if most >= high => row.fault("most", never("most", "above it: it never speaks")),
                Some(most) if most < low => row.fault("most", always("most")),
                _ => {}
            }
        }
        "daily" | "velocity" if number(row, "amount").is_some_and(|amount| amount < low) => {
            row.fault("amount", always("amount"));
        }
        "contactless-no-pin" => {
            let (most, sum) = (number(row, "most"), number(row, "sum"));
            match most {
                Some(most) if most >= high => row.fault("most", never("most", "above it: it never speaks")),
                Some(most) if most < low => row.fault("most", always("most")),
                Some(most) if sum.is_some_and(|sum| most > sum) => {
                    row.fault("most", "most: one tap may be more than all of them: it says nothing beside sum");
                }
                _ => {}
            }
            if sum.is_some_and(|sum| sum < low) {
                row.fault("sum", always("sum"));
            }
        }
        "card-testing" if number(row, "most").is_some_and(|most| most < low) => {
            row.fault("most", never("most", "as small: the rule never speaks"));
        }
        "repeated-amounts" if number(row, "count") == Some(1) => {
            row.fault("count", "count: each purchase is one: 2 at least")
        }
        "round-amounts" => {
            let first = |unit: u64| low.max(1).checked_next_multiple_of(unit);
            if number(row, "unit").and_then(first).is_some_and(|first| first > high) {
                row.fault("unit", never("unit", "a whole one: the rule never speaks"));
            }
        }
        _ => {}
    }
}
