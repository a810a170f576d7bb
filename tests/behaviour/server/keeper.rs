//! The threads that make a ledger durable, on a real folder.

use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Found;
use tollgate::ledger::Ledger;
use tollgate::ledger::journal::MIN_SEGMENT_BYTES;
use tollgate::model::SessionFacts;
use tollgate::model::TerminalId;
use tollgate::server::SystemEntropy;
use tollgate::server::config::Keeping;
use tollgate::server::keeper;
use tollgate::server::keeper::Keeper;

/// Segments as short as they can be, so that there are many.
fn open(folder: &Path) -> (EmbeddedLedger, Found, Keeper) {
    let anchor = Duration::from_millis(1);
    let keeping = Keeping { segment_bytes: MIN_SEGMENT_BYTES, anchor, ..Keeping::default() };
    let opened = keeper::open(folder, &keeping, &SystemEntropy).unwrap();
    Keeper::start(opened, folder, &keeping, CancellationToken::new()).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn what_was_answered_is_there_after_many_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, found, keeper) = open(folder.path());
    assert!(found.is_new);
    let terminal = TerminalId::parse(b"10000001").unwrap();
    let facts = |version| SessionFacts { version, ..SessionFacts::default() };
    block_on(async {
        for version in 1..=300 {
            ledger.note_terminal(terminal, facts(version)).await.unwrap();
        }
    });
    assert_eq!(keeper.close(), None);
    let segments = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(segments > 20, "{segments} files");
    let (ledger, found, _keeper) = open(folder.path());
    assert_eq!((ledger.terminal(terminal), found.groups), (Some(facts(300)), 300));
}
