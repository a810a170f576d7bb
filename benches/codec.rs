//! Cost of decode, of reading values and of encode, by dialect.

#![expect(clippy::expect_used, reason = "a bench that cannot run has nobody to answer to")]

mod auth;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use std::hint::black_box;
use std::sync::Arc;
use tollgate::iso8583::Dialect;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Role;
use tollgate::iso8583::builtin;
use tollgate::iso8583::tlv;

/// The message in another dialect: the elements that it has and that take these values.
fn message(dialect: &Arc<Dialect>) -> bytes::Bytes {
    let version = if dialect.name().starts_with("iso93") { b"1100" } else { b"0100" };
    let mut builder = dialect.build(Mti::parse(version).expect("four digits"));
    for (de, value) in auth::AUTH {
        // Dialects differ in widths; an element that does not fit is left out.
        let _ = builder.set(*de, value);
    }
    builder.finish().expect("a whole message")
}

fn codec(criterion: &mut Criterion) {
    for name in builtin::names() {
        let dialect = builtin::dialect(name).expect("a built-in dialect");
        let body = message(&dialect);
        criterion.bench_function(&format!("decode/{name}"), |bench| {
            bench.iter(|| dialect.decode(black_box(&body).clone()));
        });
        criterion.bench_function(&format!("encode/{name}"), |bench| bench.iter(|| message(black_box(&dialect))));
        let decoded = dialect.decode(body.clone()).expect("a whole message");
        criterion.bench_function(&format!("roles/{name}"), |bench| {
            bench.iter(|| {
                for role in [Role::Pan, Role::Amount, Role::Stan, Role::Terminal, Role::Rrn] {
                    black_box(black_box(&decoded).role(role));
                }
            });
        });
    }
    let chip = auth::AUTH.last().expect("chip data").1;
    criterion.bench_function("tlv/walk", |bench| bench.iter(|| tlv::walk(black_box(chip), &mut |_, _| ())));
}

criterion_group!(benches, codec);
criterion_main!(benches);
