//! The dialects that come with the program.

use std::sync::Arc;

use tollgate::iso8583::Dialect;
use tollgate::iso8583::Role;
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
    assert_eq!(names, ["iso2003-binary", "nac-pos", "nac-dukpt"]);
}

#[test]
fn every_row_names_its_source() {
    for dialect in all() {
        for element in dialect.elements() {
            assert!(!element.source.is_empty(), "{} {}", dialect.name(), element.number);
        }
    }
}

/// A POS terminal's day in every dialect that can carry it.
#[test]
fn every_dialect_voids_refunds_holds_and_completes() {
    let kinds = [
        Kind::SaleVoid,
        Kind::Refund,
        Kind::AuthorizationVoid,
        Kind::Verification,
        Kind::OfflineSale,
        Kind::OfflineRefund,
        Kind::Adjustment,
    ];
    let more = [
        Kind::Increment,
        Kind::Completion,
        Kind::CompletionAdvice,
        Kind::CompletionVoid,
        Kind::Transfer,
        Kind::ScriptNotice,
    ];
    for dialect in all() {
        let holds = if dialect.name().starts_with("nac-") { &[][..] } else { &more };
        for kind in kinds.iter().chain(holds) {
            assert!(dialect.kind_row(*kind).is_some(), "{} has no {}", dialect.name(), kind.name());
        }
    }
}

/// What is written by the first row of a kind is read as that kind.
#[test]
fn what_the_row_of_a_kind_writes_is_read_as_that_kind() {
    for dialect in all() {
        for row in dialect.kinds() {
            let mut builder = dialect.build(row.mti);
            for (role, pattern) in &row.when {
                builder.role(*role, pattern.replace('.', "0").as_bytes()).unwrap();
            }
            let message = dialect.decode(builder.finish().unwrap()).unwrap();
            assert_eq!(dialect.kind_of(&message), Some(row.kind), "{} {:?}", dialect.name(), row.when);
        }
    }
}

#[test]
fn a_role_may_live_in_a_tagged_part() {
    let dialect = builtin::dialect("cn-pos").unwrap();
    let mut builder = dialect.build(dialect.kind_row(Kind::Sale).unwrap().mti);
    builder.role(Role::PaymentCode, b"6221234567890123456").unwrap();
    builder.role(Role::Voucher, b"20261122000000000001").unwrap();
    let message = dialect.decode(builder.finish().unwrap()).unwrap();
    assert_eq!(message.value(59).unwrap().as_bytes(), b"A30196221234567890123456A402020261122000000000001");
    assert_eq!(message.role(Role::PaymentCode).unwrap().as_bytes(), b"6221234567890123456");
    assert_eq!(message.role(Role::Voucher).unwrap().as_bytes(), b"20261122000000000001");
    assert!(message.role(Role::Track2).is_none());
}
