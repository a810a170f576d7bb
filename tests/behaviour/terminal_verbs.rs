//! The verbs of `tollgate terminal` one after the other, at every door of a real station.

use crate::switch::rig::{Recipe, Rig};
use crate::terminal_switch::{closed, run_at};
use std::path::Path;
use tempfile::TempDir;
use tollgate::cli::Exit;
use tollgate::sim::certificates;

/// A station with a door of mutual TLS, and a terminal's papers and memory.
struct Shop {
    rig: Rig,
    papers: TempDir,
    memory: TempDir,
    door: &'static str,
}

impl Shop {
    fn at(door: &'static str) -> Self {
        let papers = tempfile::tempdir().unwrap();
        certificates::write(papers.path()).unwrap();
        let file = |name: &str| papers.path().join(name).display().to_string();
        let tables = format!(
            "[[door]]\nname = \"tls\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\ncertificate = \"{}\"\n\
             private_key = \"{}\"\nclient_ca = \"{}\"\nclient_certificates = \"required\"\n",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        );
        let rig = Rig::of(&Recipe { timeout_ms: 2_000, tables: &tables, ..Recipe::default() });
        Self { rig, papers, memory: tempfile::tempdir().unwrap(), door }
    }

    fn run(&self, arguments: &[&str]) -> (Exit, String) {
        let file = |name: &str| self.papers.path().join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
        let papers = ["--ca", &ca, "--cert", &cert, "--key", &key];
        let papers = if self.door == "tls" { &papers[..] } else { &[] };
        run_at(&self.rig, self.door, self.memory.path(), &[papers, arguments].concat())
    }

    /// It goes as it should.
    fn done(&self, arguments: &[&str]) -> String {
        let (exit, out) = self.run(arguments);
        assert_eq!(exit, Exit::Ok, "{} at {}: {out}", arguments.join(" "), self.door);
        out
    }

    /// It is declined with a code.
    fn declined(&self, arguments: &[&str], code: &str) {
        let (exit, out) = self.run(arguments);
        assert_eq!(exit, Exit::No, "{} at {}: {out}", arguments.join(" "), self.door);
        assert!(out.contains(&format!(" {code} ")), "{code} to {} at {}: {out}", arguments.join(" "), self.door);
    }

    /// What an account of bank A has, and what is held on it.
    fn account(&self, card: &str) -> (u64, u64) {
        self.rig.await_undone();
        let accounts = self.rig.bank_a.0.accounts();
        let (_, account) = accounts.iter().find(|(pan, _)| pan.clear() == card).unwrap();
        (account.balance.minor(), account.held.minor())
    }
}

const VISITOR: &str = "6225000000000253";
const OTHER: &str = "6225000000010005";
/// What the visitor has at first.
const BALANCE: u64 = 10_000_000;

/// Every verb that follows another, and what is left on the card.
fn a_day_of_follow_ups(shop: &Shop) {
    shop.done(&["sale", "12.00"]);
    shop.done(&["void"]);
    assert_eq!(shop.account(VISITOR), (BALANCE, 0));
    shop.done(&["sale", "10.00"]);
    shop.done(&["tip", "1.00"]);
    shop.done(&["void"]);
    assert_eq!(shop.account(VISITOR), (BALANCE, 0), "a tip is voided with its sale");
    shop.done(&["sale", "20.00"]);
    shop.done(&["tip", "3.00"]);
    shop.done(&["refund", "5.00"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 18_00, 0));
    shop.done(&["preauth", "100.00"]);
    shop.done(&["increment", "50.00"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 18_00, 15_000));
    shop.done(&["complete", "170.00"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 18_800, 0));
    shop.done(&["complete-void"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 18_00, 15_000));
    shop.done(&["preauth-void"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 18_00, 0));
    shop.done(&["preauth", "60.00"]);
    shop.done(&["complete-advice", "60.00"]);
    shop.done(&["offline-sale", "9.00"]);
    shop.done(&["upload"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 87_00, 0));
    shop.done(&["sale", "1.00"]);
    shop.done(&["reversal"]);
    shop.done(&["balance"]);
    assert_eq!(shop.account(VISITOR), (BALANCE - 87_00, 0));
}

#[test]
fn a_day_of_follow_ups_at_the_door_pos_is_on_the_card_and_balances() {
    let shop = Shop::at("pos");
    a_day_of_follow_ups(&shop);
    let out = shop.done(&["settle"]);
    let record = closed(&shop.rig, 1);
    assert_eq!(record.is_balanced(), Some(true), "{out}");
    let debit = record.counted.domestic.debit;
    assert_eq!((debit.count, debit.amount), (3, 92_00), "a sale with its tip, a completion, an offline sale");
}

#[test]
fn a_day_of_follow_ups_at_the_door_host_is_on_the_card() {
    let shop = Shop::at("host");
    a_day_of_follow_ups(&shop);
    assert_eq!(shop.run(&["settle"]).0, Exit::No, "that dialect has no batches");
}

#[test]
fn a_day_of_follow_ups_over_tls_is_on_the_card_and_balances() {
    let shop = Shop::at("tls");
    a_day_of_follow_ups(&shop);
    shop.done(&["settle"]);
    assert_eq!(closed(&shop.rig, 1).is_balanced(), Some(true));
}

#[test]
fn a_transfer_moves_money_between_cards_and_never_to_the_shop() {
    for door in ["pos", "host"] {
        let shop = Shop::at(door);
        let before = shop.account(OTHER).0;
        shop.done(&["transfer", "10.00", "--to", OTHER]);
        assert_eq!((shop.account(VISITOR).0, shop.account(OTHER).0), (BALANCE - 10_00, before + 10_00), "{door}");
        shop.done(&["reversal"]);
        assert_eq!((shop.account(VISITOR).0, shop.account(OTHER).0), (BALANCE, before), "{door}");
        shop.declined(&["transfer", "10.00", "--to", VISITOR], "12");
        shop.declined(&["transfer", "10.51", "--to", OTHER], "51");
        shop.done(&["transfer", "2.00", "--to", "6217000000000000001"]);
        assert_eq!(shop.account(VISITOR), (BALANCE - 2_00, 0), "{door}: to another bank");
        if door == "pos" {
            shop.done(&["settle"]);
            let record = closed(&shop.rig, 1);
            assert_eq!(record.is_balanced(), Some(true));
            assert_eq!(record.counted.domestic.debit.count, 0, "nothing of it is the shop's");
        }
    }
}

#[test]
fn a_card_is_verified_without_a_payment() {
    for door in ["pos", "host"] {
        let shop = Shop::at(door);
        shop.done(&["verify"]);
        shop.declined(&["verify", "--pin", "000000"], "55");
        let nobody = card_file(shop.memory.path(), "6225000000000261=30122010000000000");
        shop.declined(&["verify", "--card-file", &nobody, "--no-pin"], "14");
        assert_eq!(shop.account(VISITOR), (BALANCE, 0));
        assert_eq!(Rig::booked(&shop.rig.bank_a), 0);
    }
}

fn card_file(folder: &Path, track: &str) -> String {
    let path = folder.join("card");
    std::fs::write(&path, track).unwrap();
    path.display().to_string()
}

#[test]
fn what_cannot_be_followed_is_declined_with_its_code() {
    let shop = Shop::at("pos");
    shop.done(&["preauth", "100.00"]);
    shop.declined(&["complete", "115.01"], "64");
    shop.declined(&["increment", "50.51"], "51");
    shop.done(&["complete", "115.00"]);
    shop.declined(&["complete", "1.00", "--of", "2"], "12");
    assert_eq!(shop.run(&["increment", "1.00", "--of", "77"]).0, Exit::Usage, "nobody knows it");
    assert_eq!(shop.account(VISITOR), (BALANCE - 11_500, 0));
}

#[test]
fn what_follows_a_sale_made_offline_is_made_after_the_host_was_told_of_it() {
    for door in ["pos", "host"] {
        let shop = Shop::at(door);
        shop.done(&["sale", "1.00"]);
        shop.done(&["offline-sale", "7.00"]);
        shop.done(&["refund", "2.00"]);
        shop.done(&["offline-sale", "9.00"]);
        shop.done(&["void"]);
        shop.done(&["offline-sale", "20.00"]);
        shop.done(&["tip", "2.00"]);
        assert_eq!(shop.account(VISITOR), (BALANCE - 1_00 - 5_00 - 22_00, 0), "{door}");
        if door == "pos" {
            shop.done(&["settle"]);
            assert_eq!(closed(&shop.rig, 1).is_balanced(), Some(true));
        }
    }
}

#[test]
fn what_the_host_would_not_take_when_it_was_told_cannot_be_given_back() {
    let shop = Shop::at("pos");
    let nobody = card_file(shop.memory.path(), "9999990000000006=30122010000000000");
    shop.done(&["sale", "1.00"]);
    shop.done(&["offline-sale", "7.00", "--card-file", &nobody, "--no-pin"]);
    let (exit, out) = shop.run(&["refund"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("the host did not take what this follows"), "{out}");
    assert!(!out.contains("-> 0220 refund"), "nothing else is given back in its place: {out}");
    assert_eq!(shop.account(VISITOR), (BALANCE - 1_00, 0));
}

#[test]
fn a_supervisor_signs_in_anew_at_a_terminal_where_nobody_said_who_it_is() {
    let tables = "[operators]\nsupervisor_for = [\"refund\"]\n";
    let rig = Rig::of(&Recipe { tables, ..Recipe::default() });
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run_at(&rig, "pos", folder.path(), arguments);
    let (exit, out) = run(&["sale", "10.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (_, out) = run(&["refund", "1.00"]);
    assert!(out.contains("<- 0230 58"), "{out}");
    let (exit, out) = run(&["--operator", "00", "refund", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("-> 0800 sign-in"), "{out}");
}
