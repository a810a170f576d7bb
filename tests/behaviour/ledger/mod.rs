//! The ledger: rules of the money, 1 to 5. One contract that every ledger keeps, and random histories.

mod closed;
mod contract;
mod driven;
mod follow_histories;
mod golden;
pub(crate) mod histories;
mod judged;
mod races;
pub(crate) mod shop;
mod tills;

use std::future::Future;
use std::time::Duration;
use tollgate::ledger::EmbeddedLedger;

/// Runs one behaviour on one thread. Whatever waits is woken by what it waits for, never by the timer,
/// which is here only to turn a wait without end into a failure.
fn run(behaviour: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), behaviour).await });
    ended.expect("somebody waits for what never comes");
}

contract::keeps_the_contract!(memory, EmbeddedLedger::volatile);
contract::keeps_the_contract!(durable, driven::in_memory);
contract::keeps_the_contract!(in_a_folder, driven::in_a_folder);
histories::keeps_its_invariants!(memory_histories, EmbeddedLedger::volatile);
histories::keeps_its_invariants!(durable_histories, driven::in_memory);
