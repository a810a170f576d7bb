//! What left the book with a closed day, as two files: the records, and the index of their keys.

use super::Found;
use super::index;
use super::index::Index;
use super::key::Key;
use super::key::Keyed;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::blocks::FileFault;
use crate::ledger::journal::blocks::FileHeader;
use crate::ledger::journal::blocks::Purpose;
use crate::ledger::journal::blocks::RecordFile;
use crate::ledger::journal::blocks::RecordPlace;
use crate::ledger::journal::blocks::RecordReader;
use crate::ledger::journal::codec;
use crate::ledger::journal::codec::Decoder;
use crate::ledger::record::Record;
use crate::ledger::standing::Departed;
use crate::model::BusinessDate;
use crate::model::Timestamp;
use parking_lot::Mutex;
use std::io;

const DAY_NEW: &str = "day.tmp";
const KEYS_NEW: &str = "keys.tmp";

/// The name of the files of a day: its date and the last closing that is in them, without the ending.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::ledger) struct DayName {
    /// Year, month, day.
    pub(in crate::ledger) date: (i16, i8, i8),
    /// Which closing, of all, was the last one in it.
    pub(in crate::ledger) closing: u64,
}

impl DayName {
    pub(in crate::ledger) fn new(date: BusinessDate, closing: u64) -> Self {
        Self { date: date.parts(), closing }
    }

    /// Whether what left is in it: each file of a day goes on where the one before ended.
    pub(super) fn has(&self, departed: &Departed) -> bool {
        self.date == departed.date.parts() && self.closing >= departed.closing
    }

    /// From the name of the file of records; `None` if it is no such file.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let mut parts = file.strip_prefix("day-")?.strip_suffix(".tgd")?.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
            part.parse::<u64>().ok()
        };
        let (year, month, day, closing) = (number(4)?, number(2)?, number(2)?, number(10)?);
        let date = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        let name = Self { date, closing };
        (name.records() == file).then_some(name)
    }

    fn stem(&self) -> String {
        let (year, month, day) = self.date;
        format!("day-{year:04}-{month:02}-{day:02}-{:010}", self.closing)
    }

    /// The file of records.
    pub(in crate::ledger) fn records(&self) -> String {
        self.stem() + ".tgd"
    }

    /// The index of their keys.
    pub(in crate::ledger) fn keys(&self) -> String {
        self.stem() + ".tgk"
    }
}

/// Writes the files of a day from what left by one or more closings of it, in order.
pub(in crate::ledger) fn write<D: Disk>(
    disk: &mut D,
    id: JournalId,
    departed: &[Departed],
    wall: Timestamp,
) -> io::Result<Option<DayName>> {
    let Some(last) = departed.last() else { return Ok(None) };
    let name = DayName::new(last.date, last.closing);
    let head = Head { number: last.closing, hash: [0; 32] };
    let header = FileHeader { purpose: Purpose::Day, id, head, created: wall };
    let mut file = RecordFile::create(disk.clone(), DAY_NEW, &header)?;
    for departed in departed {
        for standing in &departed.transactions {
            file.append(|out| codec::encode(&Record::Standing(Box::new(standing.clone())), out))?;
        }
        for kept in &departed.reversals {
            file.append(|out| codec::encode(&Record::Reversal(Box::new(kept.clone())), out))?;
        }
    }
    file.finish(&name.records())?;
    Ok(Some(name))
}

/// An open day. What is looked up mostly is not there, which the index says without the files.
pub(super) struct Day<D: Disk> {
    name: DayName,
    index: Index,
    files: Mutex<Files<D>>,
}

struct Files<D: Disk> {
    disk: D,
    records: RecordReader<D::File>,
    keys: D::File,
}

impl<D: Disk> Day<D> {
    /// Opens a day; an index that is missing or damaged is made again from the records.
    pub(super) fn open(mut disk: D, name: DayName, id: JournalId) -> Result<Self, FileFault> {
        let records = RecordReader::open(&mut disk, &name.records(), Purpose::Day)?;
        if records.header.id != id || records.header.head.number != name.closing {
            return Err(FileFault::Foreign);
        }
        let of = (&id, name.closing);
        let (index, keys) = match Index::open(&mut disk, &name.keys(), of) {
            Ok(index) => index,
            Err(_) => {
                let mut keys = keys_of(&mut disk, &records, Keyed(id))?;
                index::write(&mut disk, KEYS_NEW, &name.keys(), of, &mut keys)?;
                Index::open(&mut disk, &name.keys(), of)?
            }
        };
        Ok(Self { name, index, files: Mutex::new(Files { disk, records, keys }) })
    }
}

pub(super) fn keys_of<D: Disk>(
    disk: &mut D,
    records: &RecordReader<D::File>,
    keyed: Keyed,
) -> Result<Vec<(Key, RecordPlace)>, FileFault> {
    let (mut keys, mut decoder) = (Vec::new(), Decoder::default());
    records.read(disk, &mut |place, bytes| {
        let of_one = match decoder.decode(bytes)? {
            Record::Standing(standing) => keyed.of_transaction(&standing),
            Record::Reversal(kept) => keyed.of_reversal(&kept),
            _ => return Err(codec::CodecFault::Tag),
        };
        keys.extend(of_one.into_iter().map(|key| (key, place)));
        Ok(())
    })?;
    Ok(keys)
}

/// Something that left with closed days and can be asked.
pub(super) trait Asked: Send + Sync {
    /// Adds what the keys find.
    fn find(&self, keys: &[Key], found: &mut Vec<Found>) -> Result<(), FileFault>;
    /// Which day.
    fn name(&self) -> DayName;
}

impl<D: Disk> Asked for Day<D> {
    fn find(&self, keys: &[Key], found: &mut Vec<Found>) -> Result<(), FileFault> {
        for key in keys.iter().filter(|key| self.index.may_have(key)) {
            let mut files = self.files.lock();
            let Files { disk, records, keys } = &mut *files;
            for place in self.index.find(disk, keys, key)? {
                let bytes = records.one(disk, place)?;
                let record =
                    Decoder::default().decode(&bytes).map_err(|fault| FileFault::Record(place.block, fault))?;
                found.push(Found { closing: self.name.closing, record });
            }
        }
        Ok(())
    }

    fn name(&self) -> DayName {
        self.name
    }
}
