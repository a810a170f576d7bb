//! What a switch that was stopped knows when it starts again.

use super::rig::{Rig, Till, await_that, connect, now, receive};
use super::{CARD_A, CARD_B};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;
use tollgate::channel::Deframer;
use tollgate::channel::builtin::profile;
use tollgate::iso8583::Mti;
use tollgate::ledger::Effect;
use tollgate::ledger::Outcome;
use tollgate::ledger::journal::Fault;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::server::Ending;
use tollgate::server::hsm::HsmFault;
use tollgate::server::master::MasterFault;
use tollgate::server::run::StartFault;
use tollgate::server::station::BuildFault;
use tollgate::sim::issuer::IssuerThread;

const SALE: Kind = Kind::Sale;
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);

#[test]
fn a_repeat_after_a_restart_gets_the_recorded_answer_at_any_door() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    let sent = till.prepare(SALE, 15_00, CARD_A);
    till.send(&sent.unit);
    let first = till.receive().unwrap();
    rig.stop();
    let found = rig.start_again().found.unwrap();
    assert!(!found.is_new && found.transactions >= 1 && found.torn.is_none());
    for door in ["pos", "side"] {
        let mut line = connect(rig.door(door));
        line.write_all(&sent.unit).unwrap();
        assert_eq!(receive(&mut line).unwrap(), first, "door {door}");
    }
    assert_eq!(Rig::booked(&rig.bank_a), 15_00);
}

#[test]
fn keys_and_sign_offs_outlive_the_switch() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let mut fresh = rig.signed_in(10_000_002);
    let mut off = rig.signed_in(10_000_003);
    super::sessions::sign_off(&mut off);
    rig.stop();
    rig.start_again();
    rig.await_links();
    for till in [&mut till, &mut fresh, &mut off] {
        till.line = connect(rig.door("pos"));
    }
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED, "keys that were in use");
    assert_eq!(fresh.ask(SALE, 10_00, CARD_A).code, APPROVED, "keys that were handed out and not used yet");
    assert_eq!(off.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::SignInRequired));
    assert_eq!(Rig::booked(&rig.bank_a), 30_00);
}

#[test]
fn what_was_open_is_decided_by_the_next_start_and_undone() {
    let mut rig = Rig::kept(30_000);
    let mut till = rig.signed_in(10_000_001);
    let sent = till.prepare(SALE, 66_603, CARD_A);
    till.send(&sent.unit);
    await_that("the bank has booked it", || Rig::booked(&rig.bank_a) == 66_603);
    rig.stop();
    assert!(till.receive().is_none(), "nobody was told anything");
    let recovered = rig.start_again();
    assert_eq!((recovered.open, recovered.owed), (1, 1));
    let mut copy = Till::new(&rig, 10_000_001, "pos");
    copy.send(&sent.unit);
    let answer = copy.receive().unwrap();
    assert_eq!(till.judge(&sent, answer).code, Some(ResponseCode::Timeout));
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 0);
    let record = rig.records().into_iter().find(|record| record.intent.amount.minor() == 66_603).unwrap();
    assert_eq!(record.decided.map(|decided| decided.outcome), Some(Outcome::TimedOut));
    assert_eq!(record.effect, Effect::Reversed);
}

#[test]
fn numbers_go_on_where_they_were() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    till.ask(SALE, 10_00, CARD_A);
    let last = |rig: &Rig| rig.records().into_iter().next_back().unwrap().intent;
    let before = last(&rig);
    rig.stop();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    till.ask(SALE, 10_00, CARD_A);
    let after = last(&rig);
    assert!(after.id > before.id && after.rrn != before.rrn);
    let [before, after] = [before, after].map(|intent| intent.outbound.clone().unwrap().stan.value());
    let moved = (after + 999_999 - before) % 999_999;
    assert!((10_000..20_000).contains(&moved), "the trace number moved on by {moved}");
}

#[test]
fn what_is_owed_stays_owed_and_the_drain_does_not_wait_for_it() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 12_00, CARD_B).code, APPROVED);
    let address = silence(&mut rig);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    assert_eq!(rig.drain(), Ending::Drained);
    assert_eq!((Rig::booked(&rig.bank_b), rig.start_again().owed), (12_00, 1));
    rig.bank_b.1 = Some(IssuerThread::start(rig.bank_b.0.clone(), address).unwrap());
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_b), 0);
}

#[test]
fn an_owed_reversal_that_may_have_gone_goes_as_a_repeat() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 12_00, CARD_B).code, APPROVED);
    let heard = listen_only(silence(&mut rig));
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    let next_reversal = || loop {
        let mti = heard.recv_timeout(Duration::from_secs(30)).unwrap();
        if mti.as_str().get(1..2) == Some("4") {
            return mti;
        }
    };
    next_reversal();
    rig.stop();
    rig.start_again();
    assert_eq!(next_reversal().as_str().get(3..), Some("1"), "the other side may know it already");
}

#[test]
fn a_station_that_owes_an_issuer_without_a_row_does_not_start() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 12_00, CARD_B).code, APPROVED);
    silence(&mut rig);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    rig.stop();
    let (issuers, bins) = (rig.file("issuers.toml"), rig.file("bins.csv"));
    let rows = std::fs::read_to_string(&issuers).unwrap();
    let of_a = rows.split("[[issuer]]").filter(|row| !row.contains("\"bank-b\"")).collect::<Vec<_>>();
    std::fs::write(&issuers, of_a.join("[[issuer]]")).unwrap();
    std::fs::write(&bins, "prefix,issuer,fallback\n62,bank-a,\n").unwrap();
    let fault = rig.try_run().err();
    assert!(
        matches!(&fault, Some(StartFault::Stranded { issuer, count: 1 }) if issuer.as_str() == "bank-b"),
        "{fault:?}"
    );
    std::fs::write(&issuers, rows).unwrap();
    assert_eq!(rig.start_again().owed, 1, "the refusal changed nothing");
}

/// Takes bank B off its address.
fn silence(rig: &mut Rig) -> SocketAddr {
    let thread = rig.bank_b.1.take().unwrap();
    let address = thread.address();
    drop(thread);
    address
}

/// A host at bank B's address that reads and never answers: the types of what it hears.
fn listen_only(address: SocketAddr) -> mpsc::Receiver<Mti> {
    let (heard, hearing) = mpsc::channel();
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let heard = heard.clone();
            std::thread::spawn(move || {
                let bank = profile("bank-b").unwrap();
                let mut deframer = Deframer::new(bank.framing);
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    deframer.push(&buffer[..read]);
                    while let Ok(Some(unit)) = deframer.next() {
                        let message = bank.decode(&bank.split(unit).unwrap()).unwrap();
                        // The test may be over already.
                        let _ = heard.send(message.mti().unwrap());
                    }
                }
            });
        }
    });
    hearing
}

fn refusal(rig: &Rig) -> BuildFault {
    match rig.try_run().err() {
        Some(StartFault::Build(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_station_in_the_same_folder_is_refused() {
    let rig = Rig::kept(5_000);
    let fault = refusal(&rig);
    assert!(matches!(&fault, BuildFault::Journal(fault) if matches!(fault.fault, Fault::InUse)), "{fault}");
    assert_eq!(rig.signed_in(10_000_001).ask(SALE, 10_00, CARD_A).code, APPROVED);
}

#[test]
fn a_ledger_is_not_opened_without_its_own_master_key() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    till.ask(SALE, 10_00, CARD_A);
    rig.stop();
    let (master, aside) = (rig.file("master.key"), rig.file("aside"));
    std::fs::rename(&master, &aside).unwrap();
    assert!(matches!(refusal(&rig), BuildFault::Hsm(HsmFault::Master(MasterFault::Missing { .. }))));
    assert!(!master.exists(), "no other key is made in its place");
    let text = std::fs::read_to_string(&aside).unwrap();
    let other = text.replace('0', "1").replace('A', "2");
    write_private(&master, &other);
    let fault = refusal(&rig);
    assert!(matches!(fault, BuildFault::Foreign { .. }));
    for word in ["master.key", "ledger", "[hsm] master"] {
        assert!(fault.to_string().contains(word), "{fault}");
    }
    write_private(&master, "no key");
    assert!(matches!(refusal(&rig), BuildFault::Hsm(HsmFault::Master(MasterFault::Form(_)))));
    std::fs::rename(&aside, &master).unwrap();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED, "the refusals changed nothing");
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::kept(5_000);
    rig.stop();
    let mode = |path| std::fs::metadata(rig.file(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("master.key"), mode("ledger")), (0o600, 0o700));
    std::fs::set_permissions(rig.file("master.key"), PermissionsExt::from_mode(0o640)).unwrap();
    assert!(matches!(refusal(&rig), BuildFault::Hsm(HsmFault::Master(MasterFault::Exposed(_)))));
}

fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
