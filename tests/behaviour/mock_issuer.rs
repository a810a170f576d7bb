//! The mock issuer keeps its promises: the amount chooses the answer, and the books are right to the cent.

use crate::switch_side::Ask;
use crate::switch_side::LOCAL;
use crate::switch_side::SENT;
use crate::switch_side::SwitchSide;
use crate::switch_side::demo_bank;
use crate::switch_side::now;
use bytes::Bytes;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tollgate::channel::Profile;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::Stan;
use tollgate::model::Timestamp;
use tollgate::sim::issuer::Act;
use tollgate::sim::issuer::Bank;
use tollgate::sim::issuer::Effect;
use tollgate::sim::issuer::IssuerThread;
use tollgate::sim::issuer::books::Money;
use tollgate::sim::issuer::rules;

/// 2026-11-21, noon in Greenwich.
const NOON: Timestamp = Timestamp(1_795_262_400_000_000);
const BALANCE: u64 = 10_000_000;

/// A bank, the switch's side of its wire, and a visitor's card.
struct Table {
    bank: Arc<Bank<SoftwareHsm>>,
    side: SwitchSide,
    pan: &'static str,
    pin: &'static str,
}

/// Both of the demo's issuers: everything here holds for either, whatever its dialect.
fn tables() -> [Table; 2] {
    let of = |name, pan, pin| Table { bank: demo_bank(name), side: SwitchSide::new(name), pan, pin };
    [of("bank-a", "6225000000000253", "123456"), of("bank-b", "4111111111111111", "1234")]
}

impl Table {
    fn sale(&self, stan: u32, minor: u64) -> Ask<'static> {
        Ask { kind: Kind::Sale, stan, minor, pan: self.pan, expiry: "3012", pin: Some(self.pin) }
    }

    fn effects(&self, unit: Bytes) -> Vec<Effect> {
        now(self.bank.handle(unit, NOON))
    }

    /// The answer to a request that gets one at once.
    fn answer(&self, ask: Ask<'_>) -> Message {
        self.only_answer(self.side.sign(self.side.compose(ask)))
    }

    fn only_answer(&self, unit: Bytes) -> Message {
        let effects = self.effects(unit);
        let [Effect { after: Duration::ZERO, act: Act::Send(bytes) }] = &effects[..] else {
            panic!("not one answer at once: {effects:?}");
        };
        let answer = self.side.read(&self.side.units(bytes).remove(0));
        assert!(self.side.mac_holds(&answer));
        answer
    }

    fn code(&self, ask: Ask<'_>) -> &'static str {
        self.side.code(&self.answer(ask)).0.code()
    }

    fn reversal(&self, original: Ask<'_>, stan: u32, repeat: bool) -> &'static str {
        let answer = self.only_answer(self.side.sign(self.side.compose_reversal(original, stan, repeat)));
        self.side.code(&answer).0.code()
    }

    /// The code of a request that names the one of trace number `original` in the original data elements, and if
    /// `numbered` by its reference number too.
    fn follow(&self, kind: Kind, (stan, minor): (u32, u64), original: u32, numbered: bool) -> &'static str {
        let dialect = &self.side.profile.dialect;
        let mut builder = self.side.compose(Ask { kind, pin: None, ..self.sale(stan, minor) });
        let pattern = dialect.kind_row(kind).unwrap().when.iter().find(|(role, _)| *role == Role::ProcessingCode);
        if let Some((role, pattern)) = pattern {
            builder.role(*role, pattern.replace('.', "0").as_bytes()).unwrap();
        }
        let (stan, rrn) = (format!("{original:06}"), format!("{original:012}"));
        let values: [(Role, &[u8]); 5] = [
            (Role::OriginalMti, if dialect.role(Role::FunctionCode).is_some() { b"1200" } else { b"0200" }),
            (Role::OriginalStan, stan.as_bytes()),
            (Role::OriginalTransmissionTime, SENT),
            (Role::OriginalLocalTime, LOCAL),
            (Role::OriginalRrn, rrn.as_bytes()),
        ];
        for (role, value) in values {
            if dialect.role(role).is_some() && (numbered || role != Role::OriginalRrn) {
                builder.role(role, value).unwrap();
            }
        }
        self.side.code(&self.only_answer(self.side.sign(builder))).0.code()
    }

    /// What is on the visitor's account, in minor units.
    fn balance(&self) -> u64 {
        let accounts = self.bank.accounts();
        accounts.iter().find(|(pan, _)| pan.clear() == self.pan).unwrap().1.balance.minor()
    }
}

#[test]
fn a_sale_within_the_funds_is_approved_and_booked() {
    for table in tables() {
        let answer = table.answer(table.sale(1, 12_300));
        assert_eq!(table.side.code(&answer), (ResponseCode::Approved, true));
        assert!(answer.role(Role::ApprovalCode).is_some());
        assert_eq!(answer.role(Role::Stan).unwrap().as_str(), Some("000001"));
        assert_eq!(table.balance(), BALANCE - 12_300);
        let books = table.bank.books();
        assert_eq!((books.len(), books[0].money, books[0].entry.amount.minor()), (1, Money::Booked, 12_300));
    }
}

#[test]
fn a_sale_beyond_the_funds_is_answered_51_and_not_booked() {
    for table in tables() {
        assert_eq!(table.code(table.sale(1, BALANCE + 100)), "51");
        assert_eq!(table.code(table.sale(2, BALANCE)), "00");
        assert_eq!(table.code(table.sale(3, 100)), "51");
        assert_eq!(table.balance(), 0);
    }
}

#[test]
fn the_cents_are_the_response_code_and_a_decline_books_nothing() {
    for table in tables() {
        for (stan, cents, code) in [(1, 51, "51"), (2, 55, "55"), (3, 14, "14"), (5, 2, "05")] {
            assert_eq!(table.code(table.sale(stan, 700 + cents)), code);
        }
        assert_eq!(table.balance(), BALANCE);
    }
}

#[test]
fn eleven_and_sixteen_approve_in_full() {
    for table in tables() {
        assert_eq!(table.code(table.sale(1, 711)), "11");
        assert_eq!(table.code(table.sale(2, 716)), "16");
        assert_eq!(table.balance(), BALANCE - 711 - 716);
    }
}

#[test]
fn a_wrong_pin_an_expired_card_and_an_unknown_card_are_declined() {
    for table in tables() {
        let wrong_pin = if table.pin == "1234" { "1235" } else { "123556" };
        assert_eq!(table.code(Ask { pin: Some(wrong_pin), ..table.sale(1, 100) }), "55");
        assert_eq!(table.code(Ask { expiry: "3011", ..table.sale(2, 100) }), "54");
        assert_eq!(table.code(Ask { pan: "6225000000000261", pin: None, ..table.sale(3, 100) }), "14");
        assert_eq!(table.code(Ask { pin: None, ..table.sale(4, 100) }), "00");
        assert_eq!(table.balance(), BALANCE - 100);
        let after_its_time = Timestamp(NOON.0 + 5 * 366 * 86_400_000_000);
        let unit = table.side.sign(table.side.compose(table.sale(5, 100)));
        let effects = now(table.bank.handle(unit, after_its_time));
        let Act::Send(bytes) = &effects[0].act else { panic!("no answer") };
        let answer = table.side.read(&table.side.units(bytes).remove(0));
        assert_eq!(table.side.code(&answer).0.code(), "54");
    }
}

#[test]
fn chip_data_without_a_cryptogram_are_accepted_and_ignored() {
    for table in tables() {
        let mut builder = table.side.compose(table.sale(1, 100));
        builder.role(Role::Icc, &[0x9f, 0x36, 0x02, 0x00, 0x01]).unwrap();
        let answer = table.only_answer(table.side.sign(builder));
        assert_eq!(table.side.code(&answer).0.code(), "00");
    }
}

#[test]
fn a_balance_inquiry_tells_what_is_available() {
    for table in tables() {
        table.answer(table.sale(1, 54_400));
        let hold = Ask { kind: Kind::Authorization, ..table.sale(2, 100_000) };
        assert_eq!(table.code(hold), "00");
        let answer = table.answer(Ask { kind: Kind::Balance, ..table.sale(3, 0) });
        let amounts = answer.role(Role::AdditionalAmounts).unwrap();
        assert_eq!(amounts.as_str(), Some("1002156C000009845600"));
        assert_eq!(table.balance(), BALANCE - 54_400);
    }
}

#[test]
fn a_reversal_undoes_once_however_often_it_comes() {
    for table in tables() {
        let sale = table.sale(1, 12_300);
        table.answer(sale);
        assert_eq!(table.reversal(sale, 2, false), "00");
        assert_eq!(table.reversal(sale, 2, true), "00");
        assert_eq!(table.reversal(sale, 3, true), "00");
        assert_eq!(table.balance(), BALANCE);
        assert_eq!(table.bank.books()[0].money, Money::Undone);
    }
}

#[test]
fn a_reversal_releases_a_hold() {
    for table in tables() {
        let hold = Ask { kind: Kind::Authorization, ..table.sale(1, 12_300) };
        table.answer(hold);
        assert_eq!(table.reversal(hold, 2, false), "00");
        assert!(table.bank.accounts().iter().all(|(_, account)| account.held.minor() == 0));
    }
}

#[test]
fn a_reversal_that_overtakes_its_original_makes_it_be_declined() {
    for table in tables() {
        let sale = table.sale(1, 12_300);
        assert_eq!(table.reversal(sale, 2, false), "00");
        let answer = table.answer(sale);
        assert!(!table.side.code(&answer).1);
        assert_eq!(table.reversal(sale, 3, false), "00");
        assert_eq!(table.balance(), BALANCE);
    }
}

#[test]
fn a_reversal_that_names_no_time_finds_its_original_by_reference_number() {
    let [table, _] = tables();
    let sale = table.sale(1, 12_300);
    table.answer(sale);
    let mut reversal = table.side.compose_reversal(sale, 2, false);
    reversal.role(Role::OriginalTransmissionTime, b"0000000000").unwrap();
    let answer = table.only_answer(table.side.sign(reversal));
    assert_eq!(table.side.code(&answer).0.code(), "00");
    assert_eq!(table.balance(), BALANCE);
}

#[test]
fn the_same_request_again_gets_the_same_answer_and_is_booked_once() {
    for table in tables() {
        let first = table.answer(table.sale(1, 12_300));
        let second = table.answer(table.sale(1, 12_300));
        assert_eq!(first.body(), second.body());
        assert_eq!(table.code(table.sale(1, 12_400)), "94");
        assert_eq!(table.balance(), BALANCE - 12_300);
    }
}

#[test]
fn a_wrong_or_missing_mac_is_answered_so_and_books_nothing() {
    for table in tables() {
        let wrong = table.side.sign_wrongly(table.side.compose(table.sale(1, 100)));
        let missing = table.side.compose(table.sale(2, 100)).finish().unwrap();
        let missing = table.side.units(&table.side.profile.enclose(&missing, None).unwrap()).remove(0);
        for unit in [wrong, missing] {
            let answer = table.only_answer(unit);
            assert_eq!(table.side.code(&answer).0.code(), "A0");
        }
        assert_eq!(table.balance(), BALANCE);
        assert_eq!(table.bank.stats().mac_failures, 2);
    }
}

#[test]
fn sign_on_and_echo_are_answered() {
    for table in tables() {
        for kind in [Kind::SignIn, Kind::Echo, Kind::SignOff] {
            let (_, unit) = table.side.profile.management(kind, Stan::FIRST, NOON).unwrap();
            let answer = table.only_answer(table.side.units(&unit).remove(0));
            assert!(table.side.profile.approves(&answer));
        }
    }
}

#[test]
fn what_is_no_request_is_not_answered() {
    for table in tables() {
        let answer = table.answer(table.sale(1, 100));
        assert!(table.effects(answer.body().clone()).is_empty());
        assert!(table.effects(Bytes::from_static(b"\xdb\xdb\xdb")).is_empty());
        assert_eq!(table.bank.stats().unreadable, 2);
    }
}

#[test]
fn voids_and_refunds_find_their_original_by_reference_number_or_original_data() {
    for table in tables() {
        table.answer(table.sale(1, 30_000));
        // 1993 has no action code for a wrong original amount.
        let wrong_amount = if table.side.profile.dialect.role(Role::FunctionCode).is_some() { "05" } else { "64" };
        assert_eq!(table.follow(Kind::SaleVoid, (2, 29_900), 1, true), wrong_amount);
        assert_eq!(table.follow(Kind::SaleVoid, (3, 30_000), 9, true), "25");
        assert_eq!(table.follow(Kind::SaleVoid, (4, 30_000), 1, true), "00");
        assert_eq!(table.balance(), BALANCE);
        table.answer(table.sale(5, 30_000));
        assert_eq!(table.follow(Kind::Refund, (6, 10_000), 5, false), "00");
        assert_eq!(table.follow(Kind::Refund, (7, 20_100), 5, false), "61");
        assert_eq!(table.follow(Kind::Refund, (8, 20_000), 5, true), "00");
        assert_eq!(table.follow(Kind::SaleVoid, (9, 30_000), 5, true), "12");
        assert_eq!(table.balance(), BALANCE);
    }
}

#[test]
fn ten_cents_approve_a_sale_for_half_of_it() {
    for table in tables() {
        let answer = table.answer(table.sale(1, 710));
        assert_eq!(table.side.code(&answer), (ResponseCode::ApprovedPartial, true));
        assert_eq!(answer.role(Role::Amount).unwrap().as_str(), Some("000000000355"));
        assert_eq!(table.balance(), BALANCE - 355);
        assert_eq!(table.reversal(table.sale(1, 710), 2, false), "00");
        assert_eq!(table.balance(), BALANCE);
    }
}

#[test]
fn a_days_clearing_says_what_moved_and_not_what_was_undone_or_held() {
    for table in tables() {
        table.answer(table.sale(1, 30_000));
        assert_eq!(table.follow(Kind::Refund, (2, 10_000), 1, true), "00");
        table.answer(table.sale(3, 500));
        table.reversal(table.sale(3, 500), 4, false);
        table.answer(Ask { kind: Kind::Authorization, ..table.sale(5, 700) });
        table.answer(table.sale(6, 751));
        let [file] = &table.bank.clearing(NOON.date(480))[..] else { panic!("not one file") };
        let rows: Vec<_> = file.rows.iter().map(|row| (row.kind, row.sign.letter(), row.amount.minor())).collect();
        assert_eq!(rows, [(Kind::Sale, "D", 30_000), (Kind::Refund, "C", 10_000)]);
        assert_eq!(tollgate::settle::recon::ClearingFile::read(file.write().as_bytes()).as_ref(), Ok(file));
        // Undone on the next day, it is a row of that day.
        let tomorrow = Timestamp(NOON.0 + 86_400_000_000);
        let undo = table.side.sign(table.side.compose_reversal(table.sale(1, 30_000), 7, false));
        now(table.bank.handle(undo, tomorrow));
        let refund = Ask { kind: Kind::Refund, ..table.sale(2, 10_000) };
        now(table.bank.handle(table.side.sign(table.side.compose_reversal(refund, 8, false)), tomorrow));
        let [next] = &table.bank.clearing(tomorrow.date(480))[..] else { panic!("not one file") };
        let rows: Vec<_> = next.rows.iter().map(|row| (row.kind, row.sign.letter(), row.date)).collect();
        assert_eq!(rows, [(Kind::Reversal, "D", NOON.date(480))], "a refunded sale cannot be undone, its refund can");
        assert_eq!(table.bank.clearing(NOON.date(480)), std::slice::from_ref(file));
    }
}

/// What `666.cents` does: effects, and whether the money moved.
fn trouble(table: &Table, cents: u64) -> (Vec<Effect>, bool) {
    let before = table.balance();
    let stan = 100 + u32::try_from(cents).unwrap();
    let effects = table.effects(table.side.sign(table.side.compose(table.sale(stan, 66_600 + cents))));
    (effects, table.balance() == before - 66_600 - cents)
}

fn profile_of(table: &Table) -> &Profile {
    &table.side.profile
}

#[test]
fn six_hundred_and_sixty_six_is_late_silent_or_double() {
    for table in tables() {
        let after = |effects: &[Effect]| effects.iter().map(|effect| effect.after.as_secs()).collect::<Vec<_>>();
        let (effects, booked) = trouble(&table, 1);
        assert_eq!((after(&effects), booked), (vec![3], true));
        let (effects, booked) = trouble(&table, 2);
        assert_eq!((effects.len(), booked), (0, false));
        let (effects, booked) = trouble(&table, 3);
        assert_eq!((effects.len(), booked), (0, true));
        let (effects, booked) = trouble(&table, 4);
        assert_eq!((after(&effects), booked), (vec![6], true));
        let (effects, booked) = trouble(&table, 5);
        assert_eq!((after(&effects), booked), (vec![0, 0], true));
        assert_eq!(effects[0], effects[1]);
    }
}

#[test]
fn six_hundred_and_sixty_six_answers_what_is_not_the_answer() {
    for table in tables() {
        let sent = |effects: Vec<Effect>| match &effects[..] {
            [Effect { act: Act::Send(bytes), .. }] => table.side.units(bytes).remove(0),
            _ => panic!("not one answer"),
        };
        let (effects, booked) = trouble(&table, 6);
        let answer = table.side.read(&sent(effects));
        assert!(booked && table.side.mac_holds(&answer));
        assert_eq!(answer.role(Role::Stan).unwrap().as_str(), Some("000107"));
        let (effects, booked) = trouble(&table, 7);
        let answer = table.side.read(&sent(effects));
        assert!(booked && table.side.code(&answer).1 && !table.side.mac_holds(&answer));
        let (effects, booked) = trouble(&table, 8);
        let garbage = profile_of(&table).split(sent(effects)).unwrap();
        assert!(booked && profile_of(&table).decode(&garbage).is_err());
    }
}

#[test]
fn six_hundred_and_sixty_six_tears_and_trickles() {
    for table in tables() {
        let (effects, booked) = trouble(&table, 9);
        let [Effect { act: Act::SendAndClose(half), .. }] = &effects[..] else { panic!("does not close") };
        assert!(booked && !half.is_empty() && table.side.units(half).is_empty());
        let (effects, booked) = trouble(&table, 10);
        let [Effect { act: Act::Trickle(bytes), .. }] = &effects[..] else { panic!("does not trickle") };
        assert!(booked && table.side.units(bytes).len() == 1);
        assert_eq!(table.code(table.sale(90, 66_651)), "51");
    }
}

#[test]
fn trouble_is_undone_like_anything_else_and_never_makes_a_reversal_fail() {
    for table in tables() {
        for cents in 1..=10 {
            trouble(&table, cents);
            let stan = 100 + u32::try_from(cents).unwrap();
            assert_eq!(table.reversal(table.sale(stan, 66_600 + cents), 200 + stan, false), "00");
        }
        assert_eq!(table.balance(), BALANCE);
    }
}

/// Reads what comes until the peer closes or `units` whole units are there.
fn receive(stream: &mut TcpStream, side: &SwitchSide, units: usize) -> Vec<u8> {
    let mut received = Vec::new();
    let mut byte = [0];
    while side.units(&received).len() < units && stream.read(&mut byte).unwrap() == 1 {
        received.push(byte[0]);
    }
    received
}

#[test]
fn over_tcp_it_answers_trickles_and_closes_in_the_middle_of_a_frame() {
    let [table, _] = tables();
    let host = IssuerThread::start(Arc::clone(&table.bank), "127.0.0.1:0".parse().unwrap()).unwrap();
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut send = |stan, minor| {
        let unit = table.side.sign(table.side.compose(table.sale(stan, minor)));
        stream.write_all(&table.side.profile.enclose(&unit, None).unwrap()).unwrap();
    };
    send(1, 100);
    send(2, 66_610);
    send(3, 66_609);
    let received = receive(&mut stream, &table.side, usize::MAX);
    let units = table.side.units(&received);
    assert_eq!(units.len(), 2);
    assert!(received.len() > units.iter().map(|unit| unit.len() + 2).sum());
    assert_eq!(table.balance(), BALANCE - 100 - 66_610 - 66_609);
}

#[test]
fn the_command_prints_its_rules_and_refuses_an_issuer_that_the_station_does_not_have() {
    let mut out = Vec::new();
    let exit = run_from(["tollgate", "issuer", "rules"], &mut out).unwrap();
    assert_eq!((exit, String::from_utf8(out).unwrap()), (Exit::Ok, rules::text()));
    let failure = run_from(["tollgate", "issuer", "--name", "nobody"], &mut Vec::new()).unwrap_err();
    assert_eq!(failure.exit, Exit::Config);
}

#[test]
fn books_kept_in_a_file_are_the_same_after_a_restart_and_hold_no_card_number() {
    for (table, again) in tables().into_iter().zip(tables()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("books.log");
        assert_eq!(table.bank.keep_books(&file).unwrap(), 0);
        let approval = table.side.code(&table.answer(table.sale(1, 12_00)));
        table.code(table.sale(2, 20_00));
        table.code(table.sale(3, 20_51));
        table.reversal(table.sale(2, 20_00), 4, false);
        // The reversal of one that is yet to come.
        table.reversal(table.sale(9, 30_00), 5, false);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(table.pan), "a whole card number is in the file");
        // The last line of a killed process may be cut short.
        std::fs::write(&file, text + "{\"enter\":").unwrap();
        assert_eq!(again.bank.keep_books(&file).unwrap(), 5);
        assert_eq!(again.bank.accounts(), table.bank.accounts());
        let money = |table: &Table| table.bank.books().iter().map(|posting| posting.money).collect::<Vec<_>>();
        assert_eq!(money(&again), money(&table));
        assert_eq!(again.side.code(&again.answer(again.sale(1, 12_00))), approval, "a repeat gets the recorded answer");
        again.code(again.sale(9, 30_00));
        let last = again.bank.books().pop().map(|posting| posting.code);
        assert_eq!(last, Some(ResponseCode::RelatedFailed), "its reversal came first");
    }
}

#[test]
fn what_follows_and_what_it_follows_are_the_same_after_a_restart() {
    for (table, again) in tables().into_iter().zip(tables()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("books.log");
        table.bank.keep_books(&file).unwrap();
        table.code(table.sale(1, 12_00));
        assert_eq!(table.follow(Kind::SaleVoid, (2, 12_00), 1, true), "00");
        table.code(table.sale(3, 30_00));
        assert_eq!(table.follow(Kind::Refund, (4, 10_00), 3, true), "00");
        table.code(Ask { kind: Kind::Authorization, ..table.sale(5, 10_000) });
        assert_eq!(table.follow(Kind::Completion, (6, 11_000), 5, true), "00");
        assert_eq!(again.bank.keep_books(&file).unwrap(), 6);
        // Every field of every posting: day, money, what it follows and what follows it.
        let books = |table: &Table| format!("{:#?}", table.bank.books());
        assert_eq!(books(&again), books(&table));
        let day = *table.bank.days().first().unwrap();
        assert_eq!(again.bank.clearing(day), table.bank.clearing(day));
        // And what comes later finds them.
        for table in [&table, &again] {
            assert_ne!(table.follow(Kind::SaleVoid, (7, 12_00), 1, true), "00", "voided before");
            assert_ne!(table.follow(Kind::Refund, (8, 20_01), 3, true), "00", "more than the rest");
            assert_eq!(table.follow(Kind::Refund, (9, 20_00), 3, true), "00");
        }
        assert_eq!(books(&again), books(&table));
    }
}
