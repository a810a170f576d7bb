//! The journal: facts in groups, one write and one sync a group, each group chained to the one before.
//!
//! [`Groups`] gathers what is to be kept, the writer keeps it, replay reads it again. All of it is
//! generic over [`Disk`], so that the simulated world runs this very code on a disk that forgets, tears,
//! fails and fills. The bytes are described in [`crate::manual::journal_format`].

mod batch;
pub(in crate::ledger) mod codec;
mod disk;
mod fault;
pub mod format;
mod groups;
mod ticket;

pub use batch::Batch;
pub use codec::CodecFault;
pub use disk::Disk;
pub use fault::{Fault, JournalFault, Place};
pub use format::{Head, JournalId};
pub use groups::{BATCH_BYTES, Groups};
pub use ticket::Ticket;
