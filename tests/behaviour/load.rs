//! Simulated terminals: what they believe is what the host booked, trouble or not.

use crate::pos_host::Books;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tollgate::channel::builtin::profile;
use tollgate::model::Currency;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::sim::cards;
use tollgate::sim::load::Live;
use tollgate::sim::load::Plan;
use tollgate::sim::load::run;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::drive::Target;

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
    let target = Target {
        address,
        tls: None,
        connect_within: Duration::from_secs(5),
        answer_within: Duration::from_millis(500),
    };
    let cards = cards::demo();
    Plan {
        terminals: vec![setup],
        target,
        cards,
        rate: 100.0,
        declines: 200,
        trouble,
        seed: 7,
        follow_ups: 0,
        batch: Some(5),
    }
}

/// Runs until `enough` sales went out.
async fn traffic(plan: Plan, enough: u64) -> (Arc<Live>, Vec<tollgate::sim::load::Belief>) {
    let live = Arc::new(Live::new().unwrap());
    let (stop, stopped) = watch::channel(false);
    let seen = Arc::clone(&live);
    let (beliefs, ()) = tokio::join!(async { run(&plan, &live, &stopped).await.unwrap() }, async {
        while seen.sent.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send(true).unwrap();
    });
    (live, beliefs)
}

#[tokio::test]
async fn terminals_believe_what_the_host_booked() {
    let books = Books::default();
    let (live, beliefs) = traffic(plan(books.host(), 0), 30).await;
    let [belief] = &beliefs[..] else { panic!("one terminal") };
    assert!(!belief.unresolved && !belief.sales.is_empty());
    assert_eq!((belief.sales.len() as u64, belief.amount().minor()), books.standing());
    assert_eq!(live.codes().get("00").copied(), Some(belief.sales.len() as u64));
    assert!(live.codes().len() > 1, "some were declined: {:?}", live.codes());
    assert!(live.latency(0.5) > Duration::ZERO);
}

#[tokio::test]
async fn what_was_booked_and_not_answered_is_undone() {
    let books = Books::default();
    let (live, beliefs) = traffic(plan(books.host(), 300), 12).await;
    let [belief] = &beliefs[..] else { panic!("one terminal") };
    let silent = live.silent.load(Ordering::Relaxed);
    assert!(silent > 0 && !belief.unresolved);
    assert_eq!((belief.sales.len() as u64, belief.amount().minor()), books.standing());
}

#[tokio::test]
async fn batches_are_settled_when_they_are_long_enough_and_at_the_end() {
    let books = Books::default();
    let (live, beliefs) = traffic(plan(books.host(), 100), 30).await;
    assert!(live.balanced.load(Ordering::Relaxed) >= 2);
    let (unbalanced, unsettled) = (live.unbalanced.load(Ordering::Relaxed), live.unsettled.load(Ordering::Relaxed));
    assert_eq!((unbalanced, unsettled, beliefs.len()), (0, 0, 1));
}
