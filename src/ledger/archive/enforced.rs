//! What people and rules did to terminals and merchants, and what was in force, into tables.

use super::ArchiveFault;
use super::feed::Feed;
use super::feed::integer;
use super::words;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::RemoteAction;
use crate::model::RemoteActions;
use crate::model::Revision;
use crate::model::Standing;
use crate::model::Subject;
use rusqlite::OptionalExtension;

const STEP: &str =
    "INSERT OR IGNORE INTO step (number, record, place, sort, subject, step, amount, asked, actor, reason,
    at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const LADDER: &str = "INSERT OR REPLACE INTO ladder (sort, subject, standing, warnings, fines, fined, asked)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const STANDS: &str = "SELECT standing, warnings, fines, fined, asked FROM ladder WHERE sort = ?1 AND subject = ?2";
const REVISION: &str = "INSERT OR IGNORE INTO revision (number, record, what, version, digest, actor, reason, at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const STANDINGS: [(&str, Standing); 3] =
    [("active", Standing::Active), ("suspended", Standing::Suspended), ("terminated", Standing::Terminated)];

fn sort_and_name(subject: &Subject) -> (&'static str, &str) {
    match subject {
        Subject::Terminal(terminal) => ("terminal", terminal.as_str()),
        Subject::Merchant(merchant) => ("merchant", merchant.as_str()),
    }
}

impl Feed<'_> {
    /// A step, and where its subject stands with it.
    pub(super) fn stepped(&self, entry: &LadderEntry) -> Result<(), ArchiveFault> {
        self.step(entry, 0)?;
        let mut ladder = self.ladder_of(&entry.subject)?;
        ladder.take(entry.clone());
        self.stands_on(&entry.subject, &ladder)
    }

    /// Where a subject stands by a snapshot, with its last steps.
    pub(super) fn laddered(&self, subject: &Subject, ladder: &Ladder) -> Result<(), ArchiveFault> {
        (0..).zip(&ladder.entries).try_for_each(|(place, entry)| self.step(entry, place))?;
        self.stands_on(subject, ladder)
    }

    /// What is in force from here on.
    pub(super) fn revised(&self, revision: &Revision) -> Result<(), ArchiveFault> {
        let Revision { what, version, digest, actor, reason, at } = revision;
        let parameters = rusqlite::params![
            integer(self.group),
            self.record,
            what.name(),
            words::printable(version),
            digest,
            words::printable(actor),
            words::printable(reason),
            at.0,
        ];
        self.run(REVISION, parameters)
    }

    fn step(&self, entry: &LadderEntry, place: i64) -> Result<(), ArchiveFault> {
        let (sort, subject) = sort_and_name(&entry.subject);
        let (amount, asked) = match entry.step {
            LadderStep::Fine(amount) => (Some(integer(amount.minor())), None),
            LadderStep::Ask(action) | LadderStep::Done(action) => (None, Some(action.name())),
            LadderStep::Warn | LadderStep::Suspend | LadderStep::Resume | LadderStep::Terminate => (None, None),
        };
        let parameters = rusqlite::params![
            integer(self.group),
            self.record,
            place,
            sort,
            subject,
            entry.step.name(),
            amount,
            asked,
            words::printable(&entry.actor),
            words::printable(&entry.reason),
            entry.at.0,
        ];
        self.run(STEP, parameters)
    }

    /// Without its steps: they are rows of their own.
    fn ladder_of(&self, subject: &Subject) -> Result<Ladder, ArchiveFault> {
        let mut statement = self.archive.connection.prepare_cached(STANDS)?;
        let row = statement.query_row(sort_and_name(subject), |row| {
            let (standing, asked): (String, String) = (row.get(0)?, row.get(4)?);
            let (warnings, fines, fined): (u32, u32, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let known = STANDINGS.iter().find(|(name, _)| *name == standing);
            let asked = asked.split(' ').filter_map(RemoteAction::parse);
            Ok(Ladder {
                standing: known.map(|(_, standing)| *standing).unwrap_or_default(),
                warnings,
                fines: (fines, fined.unsigned_abs()),
                asked: asked.fold(RemoteActions::default(), RemoteActions::with),
                ..Ladder::default()
            })
        });
        Ok(row.optional()?.unwrap_or_default())
    }

    fn stands_on(&self, subject: &Subject, ladder: &Ladder) -> Result<(), ArchiveFault> {
        let (sort, subject) = sort_and_name(subject);
        let standing = STANDINGS.iter().find(|(_, standing)| *standing == ladder.standing);
        let asked: Vec<&str> = ladder.asked.iter().map(RemoteAction::name).collect();
        let (fines, fined) = ladder.fines;
        let parameters = rusqlite::params![
            sort,
            subject,
            standing.map(|(name, _)| *name).unwrap_or_default(),
            ladder.warnings,
            fines,
            integer(fined),
            asked.join(" "),
        ];
        self.run(LADDER, parameters)
    }
}
