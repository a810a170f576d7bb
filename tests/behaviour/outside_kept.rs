//! The simulated outside over the life of its process: issuers' books and terminals' records in files.

use crate::pos_host::Books;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tollgate::channel::builtin::profile;
use tollgate::model::Currency;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::sim::cards;
use tollgate::sim::load::{Belief, Live, Plan, go_on};
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::drive::Target;
use tollgate::sim::till_roll::TillRoll;

fn plan(address: String, trouble: u16) -> Plan {
    let setup = Setup {
        profile: profile("pos").unwrap(),
        terminal: TerminalId::parse(b"10000001").unwrap(),
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits::default(),
    };
    let within = Duration::from_millis(500);
    let target = Target { address, tls: None, connect_within: Duration::from_secs(5), answer_within: within };
    Plan {
        terminals: vec![setup],
        target,
        cards: cards::demo(),
        rate: 100.0,
        declines: 100,
        trouble,
        seed: 7,
        follow_ups: 0,
        batch: None,
    }
}

/// Terminals that trade until `enough` sales went out; then they end well, or are gone in the midst of it.
async fn life(file: &Path, plan: &Plan, enough: u64, ends_well: bool) -> Vec<Belief> {
    let roll = Arc::new(TillRoll::open(file).unwrap());
    let live = Arc::new(Live::new().unwrap());
    let (stop, stopped) = watch::channel(false);
    let seen = Arc::clone(&live);
    let work = go_on(plan, Some(&roll), &live, &stopped);
    let watch = async {
        while seen.sent.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send(true).unwrap();
        if ends_well {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        beliefs = work => beliefs.unwrap(),
        () = watch => Vec::new(),
    }
}

#[tokio::test]
async fn terminals_that_were_killed_know_what_they_sold_and_undo_what_they_do_not() {
    let (folder, books) = (tempfile::tempdir().unwrap(), Books::default());
    let file = folder.path().join("terminals.log");
    let plan = plan(books.host(), 300);
    for enough in [5, 9, 3] {
        life(&file, &plan, enough, false).await;
    }
    // The last line of a killed process may be cut short, also inside a character.
    let mut text = std::fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"terminal\":\"100000\xe5");
    std::fs::write(&file, &text).unwrap();
    let quiet = Plan { rate: 0.0, ..plan };
    let beliefs = life(&file, &quiet, 0, true).await;
    let [belief] = &beliefs[..] else { panic!("one terminal") };
    assert!(!belief.unresolved && !belief.sales.is_empty());
    assert_eq!((belief.sales.len() as u64, belief.amount().minor()), books.standing());
    let text = std::fs::read_to_string(&file).unwrap();
    for card in cards::demo() {
        assert!(!text.contains(card.pan.clear()), "no card number leaves a terminal in clear");
    }
}
