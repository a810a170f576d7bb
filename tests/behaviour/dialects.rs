//! The dialects that come with the program.

use std::sync::Arc;

use tollgate::iso8583::Dialect;
use tollgate::iso8583::builtin;
use tollgate::iso8583::spec_file;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

/// Every built-in dialect.
fn all() -> impl Iterator<Item = Arc<Dialect>> {
    builtin::names().iter().map(|name| builtin::dialect(name).unwrap())
}

#[test]
fn every_built_in_dialect_loads_without_a_breach() {
    for name in builtin::names() {
        let text = builtin::text(name).unwrap();
        let loaded = spec_file::load(name, text, &|parent| builtin::text(parent).map(str::to_owned));
        let breaches = loaded.err().unwrap_or_default();
        assert!(breaches.is_empty(), "{}", breaches.iter().map(|breach| format!("{breach}\n")).collect::<String>());
    }
}

/// Rules of the money, 7: what a dialect's rows call approved is what the canonical codes call approved.
#[test]
fn what_a_dialect_calls_approved_is_what_the_model_calls_approved() {
    for dialect in all() {
        assert!(dialect.codes().count() > 40, "{}", dialect.name());
        for (wire, row) in dialect.codes() {
            assert_eq!(row.approves, row.code.is_approval(), "{} {wire}", dialect.name());
        }
    }
}

/// A code without a row of its own may lose its detail, never its meaning.
#[test]
fn no_approval_is_ever_written_as_a_decline_nor_the_other_way_round() {
    for dialect in all() {
        for code in ResponseCode::ALL {
            let wire = dialect.wire_code(*code);
            let read = dialect.code(wire.as_bytes()).unwrap();
            assert_eq!(read.approves, code.is_approval(), "{}: {code} is written {wire}", dialect.name());
        }
    }
}

#[test]
fn a_code_without_a_row_is_no_approval() {
    for dialect in all() {
        for wire in ["", "0", "ZZ", "777", "7777", "0000000"] {
            assert!(dialect.code(wire.as_bytes()).is_none(), "{} {wire}", dialect.name());
        }
    }
}

#[test]
fn every_dialect_knows_how_to_sell_authorize_inquire_reverse_and_greet() {
    for dialect in all() {
        for kind in [Kind::Sale, Kind::Authorization, Kind::Balance, Kind::Reversal, Kind::SignIn, Kind::Echo] {
            assert!(dialect.kind_row(kind).is_some(), "{} has no {}", dialect.name(), kind.name());
        }
    }
}

#[test]
fn a_dialect_without_a_foreign_oracle_says_so() {
    let without: Vec<_> = all().filter(|dialect| dialect.oracle().starts_with("none")).collect();
    let names: Vec<_> = without.iter().map(|dialect| dialect.name()).collect();
    assert_eq!(names, ["iso2003-binary", "nac-pos"]);
}

#[test]
fn every_row_names_its_source() {
    for dialect in all() {
        for element in dialect.elements() {
            assert!(!element.source.is_empty(), "{} {}", dialect.name(), element.number);
        }
    }
}
