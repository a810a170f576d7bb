//! What settlement and reconciliation ask: which transactions a day moves.

use super::Archive;
use super::ArchiveFault;
use super::Row;
use super::row;
use crate::model::BusinessDate;
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
                UNION SELECT family FROM txn WHERE refused_on BETWEEN ?1 AND ?2)
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

    /// Shows, in order of their numbers, what is not decided of the business dates up to `date`, and what is
    /// approved of them in batches that were not closed by then.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn unsettled<E: From<ArchiveFault>>(
        &self,
        date: BusinessDate,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = format!(
            "SELECT {} FROM txn WHERE id IN (
                SELECT id FROM txn WHERE standing = 'open'
                UNION SELECT id FROM txn WHERE settled_on IS NULL AND outcome = 'approved'
                UNION SELECT id FROM txn WHERE settled_on > ?1 AND outcome = 'approved')
            AND business_date <= ?1 ORDER BY id",
            row::COLUMNS
        );
        self.rows(&statement, [text(date)], visit)
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
