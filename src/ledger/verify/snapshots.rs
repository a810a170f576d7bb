//! Snapshots and closed days, compared with what the journal itself leads to.

use super::days::Days;
use super::fold::TOLD;
use super::fold::Verifier;
use super::invariant::Invariant;
use super::invariant::Violation;
use crate::ledger::history;
use crate::ledger::history::Reader;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Group;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::Place;
use crate::ledger::journal::blocks::Purpose;
use crate::ledger::journal::blocks::RecordReader;
use crate::ledger::journal::codec::Decoder;
use crate::ledger::journal::layout;
use crate::ledger::record::Record;
use crate::ledger::record::Standing;

/// A verifier that looks at each snapshot when it has come to its group.
pub(super) struct Beside<D: Disk> {
    pub(super) verifier: Verifier,
    disk: D,
    /// By their groups, as they were when reading began.
    pub(super) snapshots: Vec<u64>,
    pub(super) days: Days,
    in_snapshot: bool,
    /// The group that was just read, if there is a snapshot of it.
    due: Option<Head>,
}

impl<D: Disk> Beside<D> {
    pub(super) fn new(disk: &mut D) -> Result<Self, JournalFault> {
        let snapshots = history::snapshots(disk)?;
        let days = Days::new(disk, &snapshots)?;
        let verifier = Verifier::default();
        Ok(Self { verifier, disk: disk.clone(), snapshots, days, in_snapshot: false, due: None })
    }
}

impl<D: Disk> Reader for Beside<D> {
    fn departed(&mut self, record: &Record) {
        self.verifier.departed(record);
    }

    fn snapshot(&mut self, begins: bool) {
        self.in_snapshot = begins;
        self.verifier.snapshot(begins);
    }

    fn group(&mut self, group: &Group<'_>) {
        self.due = self.snapshots.contains(&group.header.number).then(|| group.head());
        self.verifier.group(group);
    }

    fn record(&mut self, record: &Record) {
        self.verifier.record(record);
        self.days.record(record, self.in_snapshot);
    }

    fn group_ends(&mut self) {
        self.verifier.group_ends();
        if let Some(head) = self.due.take() {
            self.verifier.compare(&mut self.disk, head);
        }
    }
}

impl Verifier {
    /// Whether the snapshot after this group says what the journal leads to.
    fn compare<D: Disk>(&mut self, disk: &mut D, head: Head) {
        let name = layout::snapshot_name(head.number);
        let file = match RecordReader::open(disk, &name, Purpose::Snapshot) {
            Ok(file) => file,
            // Superseded and removed meanwhile, by a station that runs.
            Err(_) if disk.list().is_ok_and(|names| !names.contains(&name)) => return,
            Err(fault) => return self.hurt(&name, 0, &fault.to_string()),
        };
        self.counts.snapshots += 1;
        if file.header.head != head {
            return self.hurt(&name, 0, "the snapshot is of another group, or of another journal");
        }
        let (mut decoder, mut seen, mut differs) = (Decoder::default(), 0, None);
        let read = file.read(disk, &mut |place, bytes| {
            if let Record::Standing(standing) = decoder.decode(bytes)? {
                seen += 1;
                if !self.agrees(&standing) {
                    differs.get_or_insert((place.block, standing.intent.id.0));
                }
            }
            Ok(())
        });
        match (read, differs) {
            (Err(fault), _) => self.hurt(&name, 0, &fault.to_string()),
            (Ok(_), Some((at, id))) => {
                self.hurt(&name, at, &format!("transaction {id} does not stand as the journal says"))
            }
            (Ok(_), None) if seen != self.open.len() => {
                self.hurt(&name, 0, "transactions are missing from the snapshot")
            }
            (Ok(_), None) => *self.counts.checks.entry(Invariant::I12).or_default() += 1,
        }
    }

    fn agrees(&self, standing: &Standing) -> bool {
        self.open.get(&standing.intent.id).is_some_and(|txn| {
            txn.rrn == standing.intent.rrn
                && txn.asked == standing.intent.amount
                && txn.partial == standing.answer.as_ref().and_then(|answer| answer.amount)
                && (txn.state, txn.late, txn.attempts) == (standing.state, standing.late, standing.attempts)
        })
    }

    /// Whether the journal goes as far as its snapshots.
    pub(super) fn ends(&mut self, snapshots: &[u64], head: u64) {
        for beyond in snapshots.iter().filter(|number| **number > head) {
            self.hurt(&layout::snapshot_name(*beyond), 0, "there is a snapshot of a group that the journal has not");
        }
    }

    fn hurt(&mut self, name: &str, at: u64, what: &str) {
        *self.counts.checks.entry(Invariant::I12).or_default() += 1;
        self.counts.violations += 1;
        if self.violations.len() < TOLD {
            let (place, what) = (Place::new(name, at, 0), what.to_owned());
            self.violations.push(Violation { invariant: Invariant::I12, what, id: None, rrn: None, place, record: 0 });
        }
    }
}
