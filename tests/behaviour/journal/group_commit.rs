//! Group commit, without a disk.

use super::ID;
use super::now;
use futures_util::future::join_all;
use tollgate::ledger::LedgerFault;
use tollgate::ledger::journal::Batch;
use tollgate::ledger::journal::Groups;
use tollgate::ledger::journal::Head;
use tollgate::model::Timestamp;

fn groups() -> Groups {
    Groups::new(Head::genesis(&ID))
}

fn head(batch: Batch, previous: &Head) -> Head {
    batch.seal(&ID, previous, Timestamp(0)).1
}

#[test]
fn a_ticket_is_kept_once_its_group_is_synced_and_not_before() {
    let groups = groups();
    assert!(groups.head().is_kept(), "nothing to wait for");
    let first = groups.push_encoded(&[b"one"]);
    let second = groups.push_encoded(&[b"two", b"three"]);
    let batch = groups.take().unwrap();
    let later = groups.push_encoded(&[b"four"]);
    assert_eq!((batch.number(), batch.count(), groups.durable().number), (1, 3, 0));
    assert!(!first.is_kept() && !second.is_kept());
    groups.synced(head(batch, &groups.durable()));
    assert!(first.is_kept() && second.is_kept() && !later.is_kept());
    assert!(!groups.head().is_kept(), "the last of what was pushed is meant");
    assert_eq!(groups.durable().number, 1);
    assert_eq!(now(first.kept()), Some(Ok(())));
    assert_eq!(now(later.kept()), None);
}

#[test]
fn one_batch_is_in_flight_at_a_time() {
    let groups = groups();
    assert!(groups.take().is_none(), "nothing was pushed");
    let _ = groups.push_encoded(&[b"one"]);
    let batch = groups.take().unwrap();
    let _ = groups.push_encoded(&[b"two"]);
    assert!(groups.take().is_none() && now(groups.work()).is_none());
    groups.synced(head(batch, &groups.durable()));
    assert_eq!(now(groups.work()), Some(()));
    assert_eq!(groups.take().unwrap().number(), 2);
}

#[tokio::test]
async fn everybody_who_waits_for_a_group_is_woken_by_its_sync() {
    let groups = groups();
    let tickets: Vec<_> = (0..100).map(|_| groups.push_encoded(&[b"x"])).collect();
    let waiting = join_all(tickets.into_iter().map(tollgate::ledger::journal::Ticket::kept));
    let writing = async {
        groups.work().await;
        tokio::task::yield_now().await;
        let batch = groups.take().unwrap();
        groups.synced(head(batch, &groups.durable()));
    };
    let (kept, ()) = tokio::join!(waiting, writing);
    assert!(kept.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failure_fails_every_ticket_and_every_later_push_but_nothing_that_was_kept() {
    let groups = groups();
    let kept = groups.push_encoded(&[b"one"]);
    let batch = groups.take().unwrap();
    groups.synced(head(batch, &groups.durable()));
    let writing = groups.push_encoded(&[b"two"]);
    let batch = groups.take().unwrap();
    let waiting = groups.push_encoded(&[b"three"]);
    let (first, second, ()) = tokio::join!(writing.kept(), waiting.kept(), async {
        tokio::task::yield_now().await;
        groups.fail("the disk is gone");
        groups.fail("and again");
    });
    let gone = Err(LedgerFault::Failed("the disk is gone".into()));
    assert_eq!((&first, &second), (&gone, &gone));
    assert_eq!(kept.kept().await, Ok(()));
    // A sync that says it went well after all changes nothing.
    let durable = groups.durable();
    groups.synced(head(batch, &durable));
    assert_eq!(groups.durable(), durable);
    assert_eq!(groups.push_encoded(&[b"four"]).kept().await, gone);
    assert_eq!(groups.head().kept().await, gone, "not even what needs no record is answered any more");
    assert!(groups.take().is_none() && now(groups.work()).is_some());
}

#[test]
fn a_batch_is_bounded_and_a_commit_is_never_split() {
    let groups = groups();
    let large = vec![7; 700 << 10];
    let tickets: Vec<_> = (0..3).map(|_| groups.push_encoded(&[&large, b"and its twin"])).collect();
    for (index, ticket) in tickets.iter().enumerate() {
        let batch = groups.take().unwrap();
        assert_eq!((batch.number(), batch.count()), (index as u64 + 1, 2));
        assert!(!ticket.is_kept());
        groups.synced(head(batch, &groups.durable()));
        assert!(ticket.is_kept());
    }
    assert!(groups.take().is_none() && groups.head().is_kept());
}

#[test]
fn a_commit_that_fits_no_group_stops_the_ledger() {
    let groups = groups();
    let huge = vec![7; 5 << 20];
    assert!(matches!(now(groups.push_encoded(&[&huge]).kept()), Some(Err(LedgerFault::Failed(_)))));
}

#[test]
fn after_the_close_the_writer_is_called_once_more() {
    let groups = groups();
    let ticket = groups.push_encoded(&[b"last"]);
    groups.close();
    assert_eq!(now(groups.work()), Some(()));
    let batch = groups.take().unwrap();
    groups.synced(head(batch, &groups.durable()));
    assert!(ticket.is_kept() && groups.is_closed() && groups.take().is_none());
}

#[test]
fn room_is_what_was_last_said_of_it() {
    let groups = groups();
    assert!(groups.has_room());
    groups.set_room(false);
    assert!(!groups.has_room());
}
