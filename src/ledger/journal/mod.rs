//! The journal: facts in groups, one write and one sync a group, each group chained to the one before.
//!
//! [`Groups`] gathers what is to be kept, a [`Writer`] keeps it, [`replay()`] reads it again. All of it is
//! generic over [`Disk`], so that the simulated world runs this very code on a disk that forgets, tears,
//! fails and fills. The bytes are described in [`crate::manual::journal_format`].

pub mod anchor;
mod batch;
pub mod blocks;
pub mod codec;
mod cursor;
mod disk;
mod fault;
pub mod format;
mod groups;
pub mod layout;
pub mod memory;
pub mod replay;
pub mod segments;
mod spare;
mod start;
mod ticket;
mod writer;

pub use anchor::AnchorKeeper;
pub use batch::Batch;
pub use codec::CodecFault;
pub use disk::Disk;
pub use fault::{Fault, JournalFault, Place};
pub use format::{Group, Head, JournalId};
pub use groups::{BATCH_BYTES, Groups};
pub use memory::MemoryDisk;
pub use replay::{RecordFault, Replayed, Torn, Visit, replay};
pub use segments::Folder;
pub use spare::{Prepared, Preparer};
pub use start::{MIN_SEGMENT_BYTES, Opened, Options, SEGMENT_BYTES, open};
pub use ticket::Ticket;
pub use writer::{Step, Writer};
