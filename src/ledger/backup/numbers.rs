//! Where the numbers of a restored ledger go on.

use super::BackupFault;
use crate::ledger::TxnId;
use crate::ledger::durable::fold;
use crate::ledger::housekeeper;
use crate::ledger::housekeeper::Loaded;
use crate::ledger::journal;
use crate::ledger::journal::Disk;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::ledger::journal::Prepared;
use crate::ledger::journal::Step;
use crate::ledger::journal::codec::Decoder;
use crate::ledger::record::Marks;
use crate::ledger::record::Record;
use crate::model::Timestamp;

/// How many numbers a restored ledger leaves out: more than may have been given out since its backup was made.
pub const SKIPPED: u64 = 1_000_000;

/// Puts the leap on record: one more group, with what the book counts.
pub(super) fn skip<T: Disk>(to: &mut T, now: Timestamp) -> Result<(), BackupFault> {
    let Loaded { mut book, head, .. } = housekeeper::load(to)?;
    let mut decoder = Decoder::default();
    let options = Options::new(JournalId([0; 16]));
    let opened = journal::open(to.clone(), &options, head, &mut |group| fold(&mut book, &mut decoder, group))?;
    let last = TxnId(book.marks.last.0.saturating_add(SKIPPED));
    let ticket = opened.groups.push(&[Record::Marks(Marks { last, ..book.marks })]);
    let (mut writer, mut preparer, mut anchor) = (opened.writer, opened.preparer, opened.anchor);
    while !ticket.is_kept() {
        match writer.step(now)? {
            Step::Wrote(_) => {}
            Step::Blocked => {
                if let Prepared::Refused(error) = preparer.step()? {
                    return Err(BackupFault::Io(to.folder(), error));
                }
            }
            Step::Idle | Step::Ended => {
                return Err(BackupFault::Unproved("it does not take another group".to_owned()));
            }
        }
    }
    anchor.step()?;
    Ok(())
}
