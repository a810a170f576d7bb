//! Every kind of record as bytes, and what they say. Written once, readable for ever.

use super::driven;
use super::shop::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tollgate::ledger::Asked;
use tollgate::ledger::BatchClose;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::DataKeyName;
use tollgate::ledger::Decision;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::UploadedItem;
use tollgate::ledger::journal::codec;
use tollgate::model::BatchNumber;
use tollgate::model::BatchTotals;
use tollgate::model::Bin;
use tollgate::model::CardClass;
use tollgate::model::Firmware;
use tollgate::model::IssuerName;
use tollgate::model::KeyBlock;
use tollgate::model::KeyName;
use tollgate::model::Kind;
use tollgate::model::Ksn;
use tollgate::model::LadderEntry;
use tollgate::model::LadderStep;
use tollgate::model::Mcc;
use tollgate::model::Opening;
use tollgate::model::Operator;
use tollgate::model::Product;
use tollgate::model::Region;
use tollgate::model::RemoteAction;
use tollgate::model::ResponseCode;
use tollgate::model::Revised;
use tollgate::model::Revision;
use tollgate::model::SerialMark;
use tollgate::model::SessionFacts;
use tollgate::model::Stan;
use tollgate::model::Subject;
use tollgate::model::VoidsInTotals;
use tollgate::model::WorkingKeys;
use tollgate::model::ZoneFacts;
use tollgate::model::ZoneLine;
use tollgate::risk::Checks;
use tollgate::risk::Refusal;
use tollgate::risk::RuleSet;
use tollgate::risk::Scene;
use tollgate::risk::Signs;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden/journal/records"].iter().collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

/// A day in the shop that leaves a record of every tag.
async fn day_in_the_shop<L: Ledger>(ledger: &L) {
    let keys = WorkingKeys {
        generation: 1,
        pin: KeyBlock::new("PIN"),
        mac: KeyBlock::new("MAC"),
        data: None,
        opening: Opening::default(),
    };
    ledger.note_terminal(terminal(1), SessionFacts::default().signed_in(keys)).await.unwrap();
    ledger.keep_data_key(DataKeyName::Seal(day(21)), KeyBlock::new("SEAL")).await.unwrap();
    ledger.keep_stan(&issuer(), Stan::new(12_345).unwrap()).await.unwrap();
    let refusal = Some(Refusal { code: ResponseCode::AmountLimit, rule: "amount-above-most".into() });
    ledger.intend(Intent { refusal, ..sale(ledger, 1, 1, 500) }).await.unwrap();
    let paid = limited_sale(ledger, 1, 2, 100);
    ledger.intend(paid.clone()).await.unwrap();
    let other = Outbound { stan: Stan::new(77).unwrap(), ..paid.outbound.clone().unwrap() };
    ledger.reroute(paid.id, other).await.unwrap();
    ledger.decide(paid.id, decision(Outcome::Approved, paid.received)).await.unwrap();
    ledger.note_late(&issuer(), paid.rrn, Outcome::Approved).await.unwrap();
    ledger.reverse(reversal(1, 3, 2, 100)).await.unwrap();
    assert!(ledger.sending(paid.id, Owed::Reversal, Stan::new(78).unwrap()).await.unwrap());
    ledger.acknowledge(paid.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    let told = sale(ledger, 2, 1, 200);
    ledger.intend(told.clone()).await.unwrap();
    let advised = Decision { advise: true, ..decision(Outcome::Approved, told.received) };
    ledger.decide(told.id, advised).await.unwrap();
    let refused = Forwarded::Refused(ResponseCode::FormatError, day(22));
    ledger.acknowledge(told.id, Owed::Advice, refused).await.unwrap();
    let void = following(Kind::SaleVoid, &told, sale(ledger, 2, 2, 200));
    ledger.intend(void).await.unwrap();
    ledger.close_day(day(22)).await.unwrap();
}

/// What came into the format later.
async fn later<L: Ledger>(ledger: &L) {
    let paid = Intent {
        batch: BatchNumber::new(7),
        card: CardClass { product: Product::Qr, foreign: true, ..CardClass::default() },
        operator: Operator::parse(b"01"),
        ..sale(ledger, 2, 3, 300)
    };
    ledger.intend(paid.clone()).await.unwrap();
    ledger.decide(paid.id, decision(Outcome::Approved, paid.received)).await.unwrap();
    let ksn = Ksn::read(b"FFFF9876543210E00001").unwrap();
    let serial = Some(SerialMark { ksn, content: [7; 32] });
    ledger.note_terminal(terminal(3), SessionFacts { version: 1, serial, ..SessionFacts::default() }).await.unwrap();
    let batch = paid.batch.unwrap();
    let close = BatchClose {
        terminal: terminal(2),
        batch,
        told_as: None,
        apart: true,
        merchant: paid.merchant,
        test_mode: false,
        claimed: Some(BatchTotals::default()),
        voids: VoidsInTotals::Credit,
        date: day(21),
        received: paid.received,
        by: ClosedBy::Terminal,
        session: None,
    };
    ledger.close_batch(close.clone()).await.unwrap();
    let item = UploadedItem { stan: paid.identity.stan, foreign: false, amount: paid.amount, token: None };
    ledger.note_items(terminal(2), batch, [item].into_iter().collect()).await.unwrap();
    ledger.intend(Intent { batch: BatchNumber::new(8), ..sale(ledger, 2, 4, 300) }).await.unwrap();
    let by = ClosedBy::Operator { actor: "alice".into(), reason: "till is broken".into() };
    let keys = |generation| WorkingKeys {
        generation,
        pin: KeyBlock::new("PIN"),
        mac: KeyBlock::new("MAC"),
        data: None,
        opening: Opening { operator: Operator::parse(b"01"), at: Some(paid.received) },
    };
    let used = SessionFacts::default().signed_in(keys(1)).verified_under(1, None).signed_in(keys(2));
    let before = used.verified_under(2, Some(paid.received)).signed_in(keys(3)).signed_in(keys(4));
    ledger.note_terminal(terminal(2), before).await.unwrap();
    let own = BatchClose { terminal: terminal(3), told_as: BatchNumber::new(57), ..close.clone() };
    ledger.close_batch(BatchClose { by, claimed: None, ..close }).await.unwrap();
    ledger.close_batch(own).await.unwrap();
    let first = ZoneLine::new(KeyName::parse("bank-a/zak").unwrap()).offered(KeyBlock::new("D-first"));
    let line = first.proven(1, paid.received).offered(KeyBlock::new("D-second"));
    let facts = ZoneFacts { version: 3, pin: None, mac: Some(line) };
    ledger.note_zone(&IssuerName::parse("bank-a").unwrap(), facts).await.unwrap();
}

/// What rules see and say, what is done to terminals, what is in force.
async fn enforced<L: Ledger>(ledger: &L) {
    let rules = "version = \"7\"\n[[rule]]\nid = \"other-address\"\nkind = \"source-change\"\naction = \"alert\"\n";
    let live = Arc::new(RuleSet::read("risk.toml", rules).unwrap());
    let scene = Scene {
        region: Region::new(1_100),
        home: Region::new(2_900),
        mcc: Mcc::new(5_411),
        registered_mcc: Mcc::new(5_812),
        bin: Bin::new(622_500),
        firmware: Firmware::parse("2.1"),
        fee: Some(38),
        silent: Some(3_600),
        mac_failures: 2,
        signs: Signs::PIN.with(Signs::SOURCE_CHANGED),
    };
    let intent = Intent { scene, ..sale(ledger, 3, 5, 300) };
    let checks = Some(Arc::new(Checks { live, shadow: None }));
    ledger.intend(Asked { checks, ..intent.clone().into() }).await.unwrap();
    let fine = LadderStep::Fine(intent.amount);
    for step in [fine, LadderStep::Suspend, LadderStep::Ask(RemoteAction::Download)] {
        let subject = Subject::Terminal(terminal(3));
        let (actor, reason, at) = ("zhao".into(), "seen on camera".into(), intent.received);
        ledger.step(LadderEntry { subject, step, actor, reason, at }).await.unwrap();
    }
    let (actor, reason, at) = ("zhao".into(), "reload".into(), intent.received);
    let revision = Revision { what: Revised::Rules, version: "7".into(), digest: [9; 32], actor, reason, at };
    ledger.revise(revision).await.unwrap();
}

/// A request that was declined by a rule that counts declines.
async fn echoing<L: Ledger>(ledger: &L) {
    let rule = "[[rule]]\nid = \"many-declines\"\nkind = \"velocity\"\naction = \"decline\"\nper = \"card\"\n\
                within_s = 60\ncounting = \"declines\"\ncount = 1\n";
    let live = Arc::new(RuleSet::read("risk.toml", &format!("version = \"8\"\n{rule}")).unwrap());
    let checks = Some(Arc::new(Checks { live, shadow: None }));
    let declined = sale(ledger, 1, 1, 100);
    ledger.intend(declined.clone()).await.unwrap();
    ledger.decide(declined.id, decision(Outcome::Declined, declined.received)).await.unwrap();
    ledger.intend(Asked { checks, ..sale(ledger, 1, 2, 100).into() }).await.unwrap();
}

/// Records that were given an addition after their tags had golden files: when a refusal was, how far a DUKPT device
/// has come, what a terminal calls its batch.
const WITH_ADDITION: [[u8; 2]; 3] = [[16, 7], [16, 10], [16, 17]];

/// Session facts with further generations of keys.
const GENERATIONS: &str = "16-10-12";

/// A request that rules spoke of.
const JUDGED: &str = "16-01-14";

/// A request that is no decline to rules that count declines.
const ECHO: &str = "16-02-15";

/// The name of a record's golden file.
fn name(record: &[u8]) -> String {
    if record.starts_with(&[16, 2]) && codec::describe(record).is_ok_and(|told| told.contains("echo: true")) {
        return ECHO.to_owned();
    }
    if record.starts_with(&[16, 1]) && codec::describe(record).is_ok_and(|told| told.contains("risk: Some")) {
        return JUDGED.to_owned();
    }
    if record.starts_with(&[16, 10]) && codec::describe(record).is_ok_and(|told| told.contains("before_until: Some")) {
        return GENERATIONS.to_owned();
    }
    let added = WITH_ADDITION.iter().find(|added| record.starts_with(*added));
    added.map_or_else(|| format!("{:02}", record[0]), |[tag, inner]| format!("{tag:02}-{inner:02}"))
}

/// By the name of its file, the first record of each.
fn records() -> BTreeMap<String, Vec<u8>> {
    let mut records = BTreeMap::new();
    super::run(async {
        let ledger = driven::in_memory(100);
        day_in_the_shop(&ledger).await;
        let newer = driven::in_memory(100);
        later(&newer).await;
        let newest = driven::in_memory(100);
        enforced(&newest).await;
        let echo = driven::in_memory(100);
        echoing(&echo).await;
        let first = ledger.written().into_iter().chain(ledger.dump());
        let then = first.chain(newer.written()).chain(newer.dump());
        for record in then.chain(newest.written()).chain(newest.dump()).chain(echo.written()) {
            records.entry(name(&record)).or_insert(record);
        }
    });
    records
}

/// `UPDATE_GOLDEN=1 cargo test` writes the bytes of tags that have none, and all texts. Bytes that are there are
/// never written again: somebody's journal has them.
#[test]
fn every_record_is_read_as_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        fs::create_dir_all(folder()).unwrap();
        for (name, record) in records() {
            let path = folder().join(format!("{name}.hex"));
            if !path.exists() {
                fs::write(path, hex(&record)).unwrap();
            }
        }
    }
    let names = codec::TAGS.iter().map(|tag| name(&[*tag])).chain(WITH_ADDITION.iter().map(|added| name(added)));
    let names = names.chain([GENERATIONS, JUDGED, ECHO].map(str::to_owned));
    for said in names {
        let path = folder().join(format!("{said}.hex"));
        let bytes = unhex(&fs::read_to_string(&path).unwrap());
        assert_eq!(name(&bytes), said);
        let told = codec::describe(&bytes).unwrap();
        if update {
            fs::write(path.with_extension("txt"), &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(path.with_extension("txt")).unwrap(), "{path:?}");
        assert_eq!(codec::recode(&bytes).unwrap(), bytes, "{path:?}");
    }
}

#[test]
fn what_is_written_today_is_what_the_golden_files_hold() {
    for (name, record) in records() {
        assert_eq!(hex(&record), fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap());
    }
}
