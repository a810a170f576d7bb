//! Terminals behind a NAC settle: totals in DE 63, 95 where they differ, an upload of each transaction, and the end.

use super::rig::{KEPT, Recipe, Rig, Till, await_that, now};
use super::settlement::{command, verified};
use super::{CARD_A, CARD_B};
use tollgate::channel::builtin::profile;
use tollgate::cli::Exit;
use tollgate::iso8583::Message;
use tollgate::iso8583::Mti;
use tollgate::ledger::BatchRecord;
use tollgate::ledger::BatchState;
use tollgate::ledger::Ledger;
use tollgate::model::BatchNumber;
use tollgate::model::Currency;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;

const TERMINAL: &[u8] = b"10000001";
const MERCHANT: &[u8] = b"898110054110001";
const DOOR: &str = "[[door]]\nname = \"nac\"\nlisten = \"127.0.0.1:0\"\nprofile = \"nac\"\npin_key = \"host/zpk\"\n\
    mac_key = \"host/zak\"\n";

/// A station with a door for a NAC, and one terminal behind it.
struct Counter {
    rig: Rig,
    till: Till,
    stan: u32,
}

/// An approved request: its card, number and amount, and the reference number that it was given.
#[derive(Clone)]
struct Done {
    code: &'static str,
    card: &'static str,
    stan: u32,
    minor: u64,
    rrn: Vec<u8>,
}

impl Counter {
    fn open() -> Self {
        Self::ruled("", &[])
    }

    /// A station with further tables and files.
    fn ruled(tables: &str, lists: &[(&str, &str)]) -> Self {
        let tables = format!("{DOOR}{KEPT}{tables}");
        let rig = Rig::of(&Recipe { tables: &tables, timeout_ms: 10_000, lists, ..Recipe::default() });
        let till = Self::till(&rig);
        Self { rig, till, stan: 0 }
    }

    /// The terminal with a line of its own.
    fn till(rig: &Rig) -> Till {
        let setup = Setup {
            profile: profile("nac").unwrap(),
            terminal: TerminalId::parse(TERMINAL).unwrap(),
            merchant: MerchantId::parse(MERCHANT).unwrap(),
            currency: Currency::CNY,
            offset_minutes: 480,
            encrypt_tracks: false,
            habits: Habits::default(),
        };
        Till::of(rig, setup, "nac")
    }

    /// One message and its answer, as bytes and read.
    fn exchange(&mut self, mti: &[u8; 4], fields: &[(u8, &[u8])]) -> (Vec<u8>, Message) {
        self.tell(mti, fields);
        self.hear()
    }

    fn hear(&mut self) -> (Vec<u8>, Message) {
        let profile = profile("nac").unwrap();
        let unit = self.till.receive().unwrap();
        (unit.to_vec(), profile.decode(&profile.split(unit).unwrap()).ok().unwrap())
    }

    /// One message; its answer is still to come.
    fn tell(&mut self, mti: &[u8; 4], fields: &[(u8, &[u8])]) {
        let profile = profile("nac").unwrap();
        let mti = Mti::parse(mti).unwrap();
        let mut message = profile.dialect.build(mti);
        for (de, value) in fields.iter().chain(&[(24, &b"003"[..]), (41, TERMINAL), (42, MERCHANT)]) {
            message.set(*de, value).unwrap();
        }
        let body = if profile.mac_required(mti) {
            let unsigned = message.finish_unsigned().unwrap();
            let mac = self.till.terminal.pad().mac(&profile.mac.scheme, unsigned.mac_input()).unwrap();
            unsigned.sign(&mac).unwrap()
        } else {
            message.finish().unwrap()
        };
        self.till.send(&profile.enclose(&body, None).unwrap());
    }

    fn next_stan(&mut self) -> u32 {
        self.stan += 1;
        self.stan
    }

    /// A request at the counter that must be approved.
    fn request(&mut self, code: &'static str, card: &'static str, minor: u64, original: Option<&Done>) -> Done {
        let stan = self.ask(code, card, minor, original);
        let (_, answer) = self.hear();
        assert_eq!(answer.value(39).unwrap().to_vec(), b"00", "{code} of {minor}");
        Done { code, card, stan, minor, rrn: answer.value(37).unwrap().to_vec() }
    }

    /// A request; its answer is still to come.
    fn ask(&mut self, code: &'static str, card: &'static str, minor: u64, original: Option<&Done>) -> u32 {
        let original = original.map(|original| (37, &original.rrn[..]));
        self.ask_with(code, card, minor, original)
    }

    /// The same with one more element.
    fn ask_with(&mut self, code: &str, card: &str, minor: u64, more: Option<(u8, &[u8])>) -> u32 {
        let stan = self.next_stan();
        let (number, amount, local) = (format!("{stan:06}"), format!("{minor:012}"), now().digits(480));
        let mut fields: Vec<(u8, &[u8])> = vec![
            (2, card.as_bytes()),
            (3, code.as_bytes()),
            (4, amount.as_bytes()),
            (11, number.as_bytes()),
            (12, &local[6..]),
            (13, &local[2..6]),
            (14, b"3012"),
            (22, b"012"),
            (25, b"00"),
            (49, b"156"),
        ];
        fields.extend(more);
        self.tell(b"0200", &fields);
        stan
    }

    fn sale(&mut self, card: &'static str, minor: u64) -> Done {
        self.request("000000", card, minor, None)
    }

    /// 0500 and the code of its answer, and the answer's bytes.
    fn settle(&mut self, code: &str, batch: &str, totals: &str) -> (Vec<u8>, String) {
        self.ask_to_settle(code, batch, totals);
        self.settled()
    }

    fn ask_to_settle(&mut self, code: &str, batch: &str, totals: &str) {
        let stan = format!("{:06}", self.next_stan());
        let fields: [(u8, &[u8]); 4] =
            [(3, code.as_bytes()), (11, stan.as_bytes()), (60, batch.as_bytes()), (63, totals.as_bytes())];
        self.tell(b"0500", &fields);
    }

    fn settled(&mut self) -> (Vec<u8>, String) {
        let (unit, answer) = self.hear();
        (unit, String::from_utf8(answer.value(39).unwrap().to_vec()).unwrap())
    }

    /// 0320 of one transaction: the elements of its request, a number of its own, and in DE 60 the request's.
    fn upload(&mut self, done: &Done, minor: u64) -> String {
        let (stan, amount) = (format!("{:06}", self.next_stan()), format!("{minor:012}"));
        let original = format!("0200{:06}{:12}", done.stan, "");
        let fields: [(u8, &[u8]); 9] = [
            (2, done.card.as_bytes()),
            (3, done.code.as_bytes()),
            (4, amount.as_bytes()),
            (11, stan.as_bytes()),
            (14, b"3012"),
            (22, b"012"),
            (25, b"00"),
            (37, &done.rrn),
            (60, original.as_bytes()),
        ];
        let (_, answer) = self.exchange(b"0320", &fields);
        String::from_utf8(answer.value(39).unwrap().to_vec()).unwrap()
    }

    fn record(&self, batch: u32) -> BatchRecord {
        let terminal = TerminalId::parse(TERMINAL).unwrap();
        self.rig.ledger().batch(terminal, BatchNumber::new(batch).unwrap()).expect("it is closed")
    }
}

/// DE 63: sales and refunds of cards in general, then nothing of debit cards, then nothing that was only authorized.
fn totals(sales: &[u64], refunds: &[u64]) -> String {
    let sum = |all: &[u64]| format!("{:03}{:012}", all.len(), all.iter().sum::<u64>());
    format!("{}{}{}", sum(sales), sum(refunds), "0".repeat(60))
}

#[test]
fn a_batch_with_the_hosts_totals_is_closed_at_once_and_the_same_again_gets_the_same_answer() {
    let mut counter = Counter::open();
    let sale = counter.sale(CARD_A, 10_00);
    counter.sale(CARD_B, 20_00);
    let voided = counter.sale(CARD_A, 7_00);
    counter.request("020000", CARD_A, 7_00, Some(&voided));
    counter.request("200000", CARD_A, 4_00, Some(&sale));
    let claimed = totals(&[10_00, 20_00], &[4_00]);
    let (_, code) = counter.settle("920000", "000001", &claimed);
    assert_eq!(code, "00");
    let record = counter.record(1);
    assert_eq!((record.is_balanced(), record.counted.count()), (Some(true), 3));
    assert_eq!(record.counted.foreign.debit.count, 1, "the ledger tells foreign cards apart all the same");
    counter.stan -= 1;
    let (_, again) = counter.settle("920000", "000001", &claimed);
    assert_eq!(again, "00", "the terminal did not hear it the first time");
    counter.sale(CARD_A, 1_00);
    assert_eq!(counter.settle("920000", "000002", &totals(&[1_00], &[])).1, "00", "the next batch");
}

#[test]
fn other_totals_are_answered_95_and_the_uploaded_batch_is_closed_with_its_differences() {
    let mut counter = Counter::open();
    let (one, two) = (counter.sale(CARD_A, 10_00), counter.sale(CARD_B, 20_00));
    let lost = counter.sale(CARD_A, 30_00);
    let refund = counter.request("200000", CARD_A, 4_00, Some(&one));
    let claimed = totals(&[10_00, 25_00], &[4_00]);
    assert_eq!(counter.settle("920000", "000001", &claimed).1, "95");
    assert_eq!(counter.settle("920000", "000001", &claimed).1, "95", "until it uploads");
    let after = counter.sale(CARD_A, 5_00);
    for (done, minor) in [(&one, 10_00), (&two, 25_00), (&refund, 4_00)] {
        assert_eq!(counter.upload(done, minor), "00");
        assert_eq!(counter.upload(done, minor), "00", "once more changes nothing");
    }
    assert_eq!(counter.settle("960000", "000001", &claimed).1, "00");
    let record = counter.record(1);
    assert_eq!((record.state, record.items), (BatchState::Closed, 3));
    let told: Vec<_> = record.differences.iter().map(|one| (one.what.name(), one.stan.value())).collect();
    assert_eq!(told, [("amount", two.stan), ("missing-there", lost.stan)]);
    assert_eq!(counter.settle("960000", "000001", &claimed).1, "00", "the end again");
    assert_eq!(counter.record(1).differences.len(), 2);
    assert_eq!(
        counter.settle("920000", "000002", &totals(&[after.minor], &[])).1,
        "00",
        "what came after is in the next"
    );
}

#[test]
fn what_is_no_settlement_of_an_open_batch_changes_nothing() {
    let mut counter = Counter::open();
    let sale = counter.sale(CARD_A, 10_00);
    let claimed = totals(&[10_00], &[]);
    assert_eq!(counter.upload(&sale, 10_00), "77", "nothing was settled");
    assert_eq!(counter.settle("920000", "000001", &claimed[1..]).1, "30", "89 digits");
    assert_eq!(counter.settle("920000", "0000x1", &claimed).1, "30");
    assert_eq!(counter.settle("960000", "000001", &claimed).1, "77", "it is still open");
    assert_eq!(counter.settle("920000", "000001", &claimed).1, "00");
}

/// It was at another host before, or was exchanged: nothing tells it the station's numbers.
#[test]
fn a_terminal_settles_by_a_count_of_its_own() {
    let mut counter = Counter::open();
    counter.sale(CARD_A, 10_00);
    let first = totals(&[10_00], &[]);
    assert_eq!(counter.settle("920000", "000057", &first).1, "00");
    counter.stan -= 1;
    let stamps =
        |answer: &Message| (answer.value(12).map(|value| value.to_vec()), answer.value(37).map(|v| v.to_vec()));
    counter.ask_to_settle("920000", "000057", &first);
    let once = stamps(&counter.hear().1);
    counter.sale(CARD_B, 7_00);
    counter.ask_to_settle("920000", "000057", &first);
    let again = counter.hear().1;
    assert_eq!(stamps(&again), once, "also with a sale in the next batch");
    assert_eq!(again.value(39).unwrap().to_vec(), b"00");
    assert_eq!(counter.settle("920000", "000058", &totals(&[7_00], &[])).1, "00");
    counter.sale(CARD_A, 3_00);
    assert_eq!(counter.settle("920000", "000001", &totals(&[3_00], &[])).1, "00", "a count that begins again");
    let told: Vec<_> = (1..=3).map(|batch| counter.record(batch).told_as.map(BatchNumber::value)).collect();
    assert_eq!(told, [Some(57), Some(58), Some(1)]);
    let shown = command(&["show", "--terminal", "10000001", "--batch", "1"], &counter.rig).1;
    assert!(shown.contains("its terminal calls it 000057"), "{shown}");
    counter.rig.stop();
    verified(&counter.rig);
    counter.rig.start_again();
    counter.till = Counter::till(&counter.rig);
    counter.ask_to_settle("920000", "000058", &totals(&[7_00], &[]));
    assert_eq!(counter.settled().1, "00", "known after a restart");
    assert_eq!(counter.rig.ledger().batches(TerminalId::parse(TERMINAL).unwrap()).len(), 3);
}

#[test]
fn a_batch_that_an_operator_closed_does_not_lock_its_terminal_out() {
    let mut counter = Counter::open();
    counter.sale(CARD_A, 10_00);
    let close = ["close", "--terminal", "10000001", "--batch", "1", "--actor", "alice", "--reason", "month's end"];
    let (exit, told) = command(&close, &counter.rig);
    assert_eq!(exit, Exit::Ok, "{told}");
    let after = counter.sale(CARD_B, 7_00);
    assert_eq!(counter.settle("920000", "000001", &totals(&[10_00, 7_00], &[])).1, "95", "the operator took a part");
    assert_eq!(counter.upload(&after, 7_00), "00");
    assert_eq!(counter.settle("960000", "000001", &totals(&[10_00, 7_00], &[])).1, "00");
    assert_eq!((counter.record(2).state, counter.record(2).differences.len()), (BatchState::Closed, 0));
    counter.sale(CARD_A, 3_00);
    assert_eq!(counter.settle("920000", "000002", &totals(&[3_00], &[])).1, "00");
    assert_eq!(counter.record(3).is_balanced(), Some(true));
    counter.rig.stop();
    verified(&counter.rig);
    counter.rig.start_again();
}

#[test]
fn uploads_belong_to_the_batch_that_awaits_them() {
    let mut counter = Counter::open();
    let (one, two) = (counter.sale(CARD_A, 10_00), counter.sale(CARD_B, 20_00));
    let claimed = totals(&[10_00, 25_00], &[]);
    assert_eq!(counter.settle("920000", "000001", &claimed).1, "95");
    assert_eq!(counter.upload(&one, 10_00), "00");
    counter.sale(CARD_A, 3_00);
    let close = ["close", "--terminal", "10000001", "--batch", "2", "--actor", "alice", "--reason", "month's end"];
    assert_eq!(command(&close, &counter.rig).0, Exit::Ok);
    assert_eq!(counter.upload(&two, 25_00), "00");
    assert_eq!(counter.settle("960000", "000001", &claimed).1, "00");
    let told: Vec<_> = counter.record(1).differences.iter().map(|one| (one.what.name(), one.stan.value())).collect();
    assert_eq!(told, [("amount", two.stan)]);
    assert_eq!(counter.upload(&two, 25_00), "00", "none awaits any more");
}

#[test]
fn an_uploaded_transaction_without_its_number_is_a_format_error_and_no_end() {
    let mut counter = Counter::open();
    let sale = counter.sale(CARD_A, 10_00);
    assert_eq!(counter.settle("920000", "000001", &totals(&[11_00], &[])).1, "95");
    let stan = format!("{:06}", counter.next_stan());
    for short in ["000001", "0200", "020000001"] {
        let fields: [(u8, &[u8]); 7] = [
            (2, CARD_A.as_bytes()),
            (3, b"000000"),
            (4, b"000000001000"),
            (11, stan.as_bytes()),
            (22, b"012"),
            (25, b"00"),
            (60, short.as_bytes()),
        ];
        let (_, answer) = counter.exchange(b"0320", &fields);
        assert_eq!(answer.value(39).unwrap().to_vec(), b"30", "DE 60 of {}", short.len());
    }
    assert_eq!(counter.record(1).state, BatchState::Unbalanced, "it has not ended");
    assert_eq!(counter.upload(&sale, 10_00), "00");
}

#[test]
fn a_settlement_again_while_the_first_waits_for_a_sale_closes_no_other_batch() {
    let mut counter = Counter::open();
    counter.ask("000000", CARD_A, 66_601, None);
    await_that("the bank has it", || Rig::booked(&counter.rig.bank_a) == 66_601);
    let sale = std::mem::replace(&mut counter.till, Counter::till(&counter.rig));
    let claimed = totals(&[66_601], &[]);
    counter.ask_to_settle("920000", "000041", &claimed);
    let terminal = TerminalId::parse(TERMINAL).unwrap();
    await_that("the session has moved on", || counter.rig.live_batch(terminal) == 2);
    let first = std::mem::replace(&mut counter.till, Counter::till(&counter.rig));
    let after = counter.sale(CARD_B, 5_00);
    counter.ask_to_settle("920000", "000041", &claimed);
    assert_eq!(counter.settled().1, "00");
    counter.till = first;
    assert_eq!(counter.settled().1, "00");
    counter.till = sale;
    assert_eq!(counter.hear().1.value(39).unwrap().to_vec(), b"00");
    assert_eq!(counter.rig.ledger().batches(terminal).len(), 1);
    assert_eq!(counter.settle("920000", "000042", &totals(&[after.minor], &[])).1, "00");
}

#[test]
fn a_slip_that_calls_the_merchant_otherwise_than_the_registry_is_noticed() {
    let rule = "version = \"n\"\n[[rule]]\nid = \"slip\"\nkind = \"merchant-name\"\naction = \"decline\"\n";
    let mut counter = Counter::ruled("[risk]\nrules = \"risk.toml\"\n", &[("risk.toml", rule)]);
    let merchants = std::fs::read_to_string(counter.rig.file("merchants.csv")).unwrap();
    let row = merchants.lines().find(|line| line.starts_with("898110054110001")).unwrap();
    let own = row.split(',').nth(2).unwrap().to_owned();
    assert!(own.len() > 8 && own.is_ascii(), "{own}");
    let place = |name: &str| format!("{name:<40.40}");
    for (name, code) in [
        (place(&own), "00"),
        (place(&own.to_uppercase()), "00"),
        (place(&format!("{own} BEIJING CN")), "00"),
        (place(&own[..6]), "00"),
        (place("GOLD AND JEWELS LTD"), "03"),
        (place(&format!("NOT {own}")), "03"),
    ] {
        counter.ask_with("000000", CARD_A, 10_00, Some((43, name.as_bytes())));
        assert_eq!(counter.hear().1.value(39).unwrap().to_vec(), code.as_bytes(), "{name:?}");
    }
    assert_eq!(counter.sale(CARD_A, 10_00).minor, 10_00, "a slip that says nothing says nothing wrong");
    let records = counter.rig.records();
    let rules = records.iter().filter_map(|record| record.intent.refusal.as_ref()).map(|refusal| &*refusal.rule);
    assert_eq!(rules.collect::<Vec<_>>(), ["slip", "slip"]);
}
