//! What settlement and reconciliation ask: which transactions a day moves.

use super::Archive;
use super::ArchiveFault;
use super::Row;
use super::row;
use crate::model::BusinessDate;
use crate::model::Rrn;
use rusqlite::types::Value;

impl Archive {
    /// Shows every transaction of the families of which something was settled, undone or refused for good from one
    /// date to another; family by family, and the transactions of a family in order of their numbers.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn moved<E: From<ArchiveFault>>(
        &self,
        (from, to): (BusinessDate, BusinessDate),
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = format!(
            "SELECT {} FROM txn WHERE family IN (
                SELECT family FROM txn WHERE settled_on BETWEEN ?1 AND ?2
                UNION SELECT family FROM txn WHERE undone_on BETWEEN ?1 AND ?2
                UNION SELECT family FROM txn WHERE refused_on BETWEEN ?1 AND ?2
                UNION SELECT family FROM txn WHERE undo_refused_on BETWEEN ?1 AND ?2)
            ORDER BY family, id",
            row::COLUMNS
        );
        self.rows(&statement, [text(from), text(to)], visit)
    }

    /// Shows every transaction of the families of which something was asked or undone on a business date; family by
    /// family, and the transactions of a family in order of their numbers.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn dealt_on<E: From<ArchiveFault>>(
        &self,
        date: BusinessDate,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = format!(
            "SELECT {} FROM txn WHERE family IN (
                SELECT family FROM txn WHERE business_date = ?1
                UNION SELECT family FROM txn WHERE undone_on = ?1)
            ORDER BY family, id",
            row::COLUMNS
        );
        self.rows(&statement, [text(date)], visit)
    }

    /// Shows every transaction of the business dates up to `date` in the families of which something is not decided,
    /// or approved in a batch that was not closed by then; family by family, and the transactions of a family in
    /// order of their numbers.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn unsettled<E: From<ArchiveFault>>(
        &self,
        date: BusinessDate,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = format!(
            "SELECT {} FROM txn WHERE family IN (
                SELECT family FROM txn WHERE standing = 'open' AND business_date <= ?1
                UNION SELECT family FROM txn WHERE settled_on IS NULL AND outcome = 'approved' AND business_date <= ?1
                UNION SELECT family FROM txn WHERE settled_on > ?1 AND outcome = 'approved' AND business_date <= ?1)
            AND business_date <= ?1 ORDER BY family, id",
            row::COLUMNS
        );
        self.rows(&statement, [text(date)], visit)
    }

    /// The transactions of the families of which one has this reference number; family by family, and the
    /// transactions of a family in order of their numbers.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn families_of<E: From<ArchiveFault>>(
        &self,
        rrn: Rrn,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = format!(
            "SELECT {} FROM txn WHERE family IN (SELECT family FROM txn WHERE rrn = ?1) ORDER BY family, id",
            row::COLUMNS
        );
        self.rows(&statement, [Value::Text(rrn.as_str().to_owned())], visit)
    }

    fn rows<const N: usize, E: From<ArchiveFault>>(
        &self,
        statement: &str,
        parameters: [Value; N],
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let fault = |fault: rusqlite::Error| E::from(ArchiveFault::from(fault));
        let mut statement = self.connection.prepare(statement).map_err(fault)?;
        let mut rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(fault)?;
        while let Some(found) = rows.next().map_err(fault)? {
            visit(row::read(found).map_err(fault)?)?;
        }
        Ok(())
    }
}

fn text(date: BusinessDate) -> Value {
    Value::Text(date.to_string())
}
