//! Routing: the longest prefix wins, then its fallback, and only links that are up.

use proptest::prelude::*;
use tollgate::model::BinPrefix;
use tollgate::model::BinTable;
use tollgate::model::CardClass;
use tollgate::model::IssuerName;
use tollgate::model::Pan;
use tollgate::model::ResponseCode;
use tollgate::route::Route;
use tollgate::route::choose;

fn issuer(name: &str) -> IssuerName {
    IssuerName::parse(name).unwrap()
}

fn table(rows: &[(&str, &[&str])]) -> BinTable {
    let mut table = BinTable::default();
    for (prefix, issuers) in rows {
        assert!(table.insert(
            BinPrefix::parse(prefix.as_bytes()).unwrap(),
            CardClass::default(),
            issuers.iter().map(|name| issuer(name))
        ));
    }
    table
}

fn pan(digits: &str) -> Pan {
    Pan::parse(digits.as_bytes()).unwrap()
}

#[test]
fn the_longest_prefix_wins() {
    let bins = table(&[("62", &["union"]), ("622500", &["bank-a"]), ("6", &["rest"])]);
    let up = |_: &IssuerName| true;
    assert_eq!(choose(&bins, &pan("6225000000000253"), up).issuer(), Some(&issuer("bank-a")));
    assert_eq!(choose(&bins, &pan("6225010000000253"), up).issuer(), Some(&issuer("union")));
    assert_eq!(choose(&bins, &pan("6011000000000004"), up).issuer(), Some(&issuer("rest")));
}

#[test]
fn the_fallback_is_taken_when_the_issuer_is_down() {
    let bins = table(&[("4", &["bank-b", "bank-c"])]);
    let card = pan("4111111111111111");
    assert_eq!(choose(&bins, &card, |name| name.as_str() != "bank-b"), Route::To(&issuer("bank-c")));
    let nobody = choose(&bins, &card, |_| false);
    assert_eq!((nobody, nobody.decline()), (Route::AllDown, Some(ResponseCode::IssuerInoperative)));
}

#[test]
fn a_shorter_prefix_does_not_stand_in_for_a_longer_one() {
    let bins = table(&[("62", &["union"]), ("622500", &["bank-a"])]);
    let card = pan("6225000000000253");
    assert_eq!(choose(&bins, &card, |name| name.as_str() == "union"), Route::AllDown);
}

#[test]
fn a_card_of_no_issuer_is_answered_15() {
    let bins = table(&[("62", &["union"])]);
    let route = choose(&bins, &pan("3530111333300000"), |_| true);
    assert_eq!((route, route.decline()), (Route::NoIssuer, Some(ResponseCode::IssuerUnknown)));
}

#[test]
fn a_prefix_with_leading_zeros_is_its_own_prefix() {
    let bins = table(&[("0062", &["zeros"]), ("62", &["union"])]);
    assert_eq!(choose(&bins, &pan("0062000000000000"), |_| true).issuer(), Some(&issuer("zeros")));
    assert_eq!(choose(&bins, &pan("6200000000000000"), |_| true).issuer(), Some(&issuer("union")));
}

#[test]
fn a_prefix_stands_once_in_a_table() {
    let mut bins = table(&[("62", &["union"])]);
    assert!(!bins.insert(BinPrefix::parse(b"62").unwrap(), CardClass::default(), [issuer("other")]));
    assert_eq!(bins.candidates(&pan("6200000000000000")), [issuer("union")]);
    assert_eq!(bins.len(), 1);
}

proptest! {
    /// Oracle: look at every row, keep the longest that the number starts with.
    #[test]
    fn the_table_agrees_with_a_scan_of_all_rows(
        rows in prop::collection::hash_map("[0-3]{1,12}", 0u8..5, 0..200),
        digits in "[0-3]{8,19}",
    ) {
        let mut bins = BinTable::default();
        for (prefix, bank) in &rows {
            bins.insert(BinPrefix::parse(prefix.as_bytes()).unwrap(), CardClass::default(), [issuer(&format!("bank-{bank}"))]);
        }
        let scanned = rows.iter().filter(|(prefix, _)| digits.starts_with(*prefix)).max_by_key(|(prefix, _)| prefix.len());
        let expected = scanned.map(|(_, bank)| issuer(&format!("bank-{bank}")));
        prop_assert_eq!(choose(&bins, &pan(&digits), |_| true).issuer(), expected.as_ref());
    }
}
