//! The ledger: rules of the money, 1 to 5. One contract that every ledger keeps, and random histories.

mod contract;
mod histories;
mod shop;

use std::future::Future;
use tollgate::ledger::MemoryLedger;

/// Runs one behaviour on one thread, without a timer: whatever waits is woken by what it waits for.
fn run(behaviour: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(behaviour);
}

contract::keeps_the_contract!(memory, MemoryLedger::new);
histories::keeps_its_invariants!(memory_histories, MemoryLedger::new);
