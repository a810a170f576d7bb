//! The business date by acquirer, and what a cut-over does not do: stop anything, or close a batch.

use super::CARD_A;
use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, await_that, connect, now};
use super::slip::{Slip, last, selling, willing};
use tollgate::iso8583::Role;
use tollgate::ledger::Ledger;
use tollgate::ledger::archive::Archive;
use tollgate::ledger::archive::Query;
use tollgate::ledger::journal::Folder;
use tollgate::model::BusinessDate;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::Timestamp;
use tollgate::server::ReloadFault;

const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);

/// A zone in which it is between six and seven in the evening while a test runs, and its date.
fn evening() -> (String, BusinessDate) {
    let hour = i64::from(now().digits(0)[6] - b'0') * 10 + i64::from(now().digits(0)[7] - b'0');
    let east = if hour >= 4 { 18 - hour } else { -6 - hour };
    // The names of these zones count westwards.
    let zone = if east >= 0 { format!("Etc/GMT-{east}") } else { format!("Etc/GMT+{}", -east) };
    (zone, now().date(i16::try_from(east * 60).unwrap()))
}

fn dates(rig: &Rig, kind: Kind) -> Vec<BusinessDate> {
    let found = rig.records().into_iter().filter(|record| record.intent.kind == kind);
    found.map(|record| record.intent.date).collect()
}

#[test]
fn terminals_of_acquirers_with_other_days_trade_side_by_side() {
    let (zone, today) = evening();
    let merchants = include_str!("../../../specs/demo/merchants.csv");
    let rows = merchants.lines().map(|line| match line {
        _ if line.starts_with('#') => "\n".to_owned(),
        _ if line.starts_with("merchant,") => format!("{line},acquirer\n"),
        _ if line.starts_with("898110054110002,") => format!("{line},11111111\n"),
        _ => format!("{line},\n"),
    });
    let merchants: String = rows.collect();
    let rig = Rig::of(&Recipe {
        station: &format!("zone = \"{zone}\""),
        tables: &format!("[[acquirer]]\nacquirer = \"11111111\"\nzone = \"{zone}\"\ncut_over = \"17:00\"\n"),
        lists: &[("merchants.csv", &merchants)],
        ..Recipe::default()
    });
    let (mut one, mut other) = (rig.signed_in(10_000_001), rig.signed_in(10_000_002));
    assert_eq!(one.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    assert_eq!(other.ask(Kind::Sale, 11_00, CARD_A).code, APPROVED);
    assert_eq!(one.ask(Kind::Sale, 12_00, CARD_A).code, APPROVED);
    let tomorrow = today.tomorrow().unwrap();
    assert_eq!(dates(&rig, Kind::Sale), [today, tomorrow, today]);
}

#[test]
fn after_a_cut_over_the_batch_goes_on_and_what_comes_late_has_the_new_date() {
    let (zone, today) = evening();
    let kept = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let row = format!("zone = \"{zone}\"\ncut_over = \"00:00\"");
    let mut rig = Rig::of(&Recipe { station: &row, tables: kept, ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    let first = till.ask(Kind::Sale, 10_00, CARD_A);
    let last = till.prepare(Kind::Sale, 11_00, CARD_A);
    till.send(&last.unit);
    let answer = till.receive().unwrap();
    assert_eq!((first.code, till.judge(&last, answer.clone()).code), (APPROVED, APPROVED));
    // The next date begins, for a station that was told so.
    rig.stop();
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    std::fs::write(rig.file("station.toml"), station.replace("00:00", "17:00")).unwrap();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    // A repeat is one whatever the date, and gets what was told before.
    till.send(&last.unit);
    assert_eq!(till.receive().unwrap(), answer);
    // The terminal's reversal of a sale of yesterday arrives today.
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    let undone = till.exchange(&reversal);
    assert_eq!(undone.code, APPROVED);
    let tomorrow = today.tomorrow().unwrap();
    let rrn = undone.message.role(Role::Rrn).unwrap().to_vec();
    assert_eq!(&rrn[1..4], format!("{:03}", tomorrow.day_of_year()).as_bytes());
    // No sign-in, no settlement: the same batch, another date.
    assert_eq!(till.ask(Kind::Sale, 12_00, CARD_A).code, APPROVED);
    assert_eq!(dates(&rig, Kind::Sale), [today, today, tomorrow]);
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 22_00);
}

#[test]
fn after_a_cut_over_a_sale_is_refunded_and_not_voided_and_an_advice_is_of_the_new_date() {
    let (zone, today) = evening();
    let tomorrow = today.tomorrow().unwrap();
    let kept = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let row = format!("zone = \"{zone}\"\ncut_over = \"00:00\"");
    let (mut rig, _peer) = willing(&Recipe { station: &row, tables: kept, ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let sent = till.prepare(Kind::Sale, 20_00, CARD_A);
    let sold = till.exchange(&sent);
    assert_eq!(sold.code, APPROVED);
    rig.stop();
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    std::fs::write(rig.file("station.toml"), station.replace("00:00", "17:00")).unwrap();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    let rrn = sold.rrn.unwrap();
    let follows = |kind, number| {
        let slip = Slip::new(kind, number, 20_00).says(Role::Pan, CARD_A.as_bytes());
        slip.says(Role::OriginalRrn, rrn.as_bytes())
    };
    let (batch, stan) = (sent.message.role(Role::Batch).unwrap(), sent.message.role(Role::Stan).unwrap());
    let void = follows(Kind::SaleVoid, 901).says(Role::OriginalBatch, &batch).says(Role::OriginalStan, &stan);
    assert_eq!(void.send(&mut till).code, Some(ResponseCode::RelatedInvalid), "the batch is open, the day is over");
    // The date on the receipt is the terminal's clock's.
    let date = sold.message.role(Role::LocalDate).unwrap();
    let refund = follows(Kind::Refund, 902).says(Role::OriginalDate, &date);
    assert_eq!(refund.send(&mut till).code, APPROVED);
    let advice = Slip::new(Kind::OfflineSale, 903, 12_00).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(advice.send(&mut till).code, APPROVED);
    let dated = |kind| last(&rig, kind).intent.date;
    assert_eq!([Kind::Sale, Kind::Refund, Kind::OfflineSale].map(dated), [today, tomorrow, tomorrow]);
}

#[test]
fn what_an_issuer_refuses_for_good_is_of_the_business_date_and_not_of_the_calendars() {
    let (zone, today) = evening();
    let peer = Peer::start(|side, message, _| {
        let is_reversal = message.dialect().kind_of(message) == Some(Kind::Reversal);
        if is_reversal { vec![answer(side, message, "30", &[])] } else { Vec::new() }
    });
    let kept = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let mut rig = Rig::of(&Recipe {
        station: &format!("zone = \"{zone}\"\ncut_over = \"17:00\""),
        tables: kept,
        timeout_ms: 500,
        in_place_of_a: Some(peer.address),
        ..Recipe::default()
    });
    let mut till = rig.signed_in(10_000_001);
    await_that("the link is up", || till.ask(Kind::Sale, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    await_that("the reversal is refused", || !rig.ledger().dead_letters().is_empty());
    rig.stop();
    let mut disk = Folder::read_only(&rig.file("ledger")).unwrap();
    let (archive, _) = Archive::of(&mut disk, &Query::default()).unwrap();
    let rows = archive.find(&Query::default(), 100).unwrap();
    let refused: Vec<_> = rows.into_iter().filter_map(|row| row.undo_refused_on).collect();
    assert_eq!(refused, [today.tomorrow().unwrap().to_string()]);
}

#[test]
fn terminals_clocks_stay_where_their_rows_say() {
    let (zone, _) = evening();
    let rig = Rig::of(&Recipe { station: &format!("zone = \"{zone}\""), ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    let before = now();
    let answer = till.ask(Kind::Sale, 10_00, CARD_A);
    let (date, time) = (answer.message.role(Role::LocalDate).unwrap(), answer.message.role(Role::LocalTime).unwrap());
    let told = [&date[..], &time[..]].concat();
    let at = |moment: Timestamp| moment.digits(480)[2..].to_vec();
    assert!((at(before)..=at(now())).contains(&told));
}

#[test]
fn another_business_day_needs_a_restart() {
    let rig = Rig::of(&Recipe { station: "zone = \"Asia/Shanghai\"\ncut_over = \"23:00\"", ..Recipe::default() });
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    std::fs::write(rig.file("station.toml"), station.replace("23:00", "22:00")).unwrap();
    assert!(matches!(rig.reload(), Err(ReloadFault::NeedsRestart("a business day"))));
    std::fs::write(rig.file("station.toml"), station.replace("Asia/Shanghai", "Asia/Peking")).unwrap();
    assert!(matches!(rig.reload(), Err(ReloadFault::Breaches(_))));
    std::fs::write(rig.file("station.toml"), station).unwrap();
    rig.reload().unwrap();
}
