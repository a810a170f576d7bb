//! Everything on record, in order: what a snapshot says, then every group of the journal.

use super::TxnId;
use super::journal::Disk;
use super::journal::Group;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::Place;
use super::journal::RecordFault;
use super::journal::Replayed;
use super::journal::codec;
use super::journal::format::GROUP_HEADER;
use super::journal::format::GroupHeader;
use super::journal::format::SEGMENT_HEADER;
use super::journal::format::padded;
use super::journal::layout;
use super::journal::replay;
use super::record::Record;
use super::verify::Verifier;
use super::verify::Violation;
use crate::model::Timestamp;
