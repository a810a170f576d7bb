//! What is asked for.

use super::ArchiveFault;
use super::Row;
use super::feed::integer;
use super::row;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::record::KeptReversal;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use rusqlite::Connection;
use rusqlite::types::Value;

/// Which transactions: those that everything said here fits. What is not said fits all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// The ledger's number.
    pub id: Option<TxnId>,
    /// DE 37.
    pub rrn: Option<Rrn>,
    /// DE 41.
    pub terminal: Option<TerminalId>,
    /// DE 11 of the terminal.
    pub stan: Option<Stan>,
    /// The last digits of the card number: one to four.
    pub card_ends: Option<String>,
    /// DE 4.
    pub amount: Option<Amount>,
    /// The first business date.
    pub from: Option<BusinessDate>,
    /// The last business date.
    pub to: Option<BusinessDate>,
    /// The last so many of them, by number.
    pub most: Option<usize>,
}

impl Query {
    /// Whether it asks for this transaction.
    pub(super) fn is_for(&self, intent: &Intent) -> bool {
        let ends = |ends: &str| intent.masked.to_string().ends_with(ends);
        fits(self.id, intent.id)
            && fits(self.rrn, intent.rrn)
            && fits(self.terminal, intent.identity.terminal)
            && fits(self.stan, intent.identity.stan)
            && fits(self.amount, intent.amount)
            && self.from.is_none_or(|from| from <= intent.date)
            && self.to.is_none_or(|to| intent.date <= to)
            && self.card_ends.as_deref().is_none_or(ends)
    }

    /// Whether it asks for this reversal by one of its own numbers.
    pub(super) fn is_for_reversal(&self, kept: &KeptReversal) -> bool {
        self.id == Some(kept.number) || self.rrn == Some(kept.rrn)
    }

    pub(super) fn each<E: From<ArchiveFault>>(
        &self,
        connection: &Connection,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let (statement, parameters) = self.statement();
        let fault = |fault: rusqlite::Error| E::from(ArchiveFault::from(fault));
        let mut statement = connection.prepare(&statement).map_err(fault)?;
        let mut rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(fault)?;
        while let Some(found) = rows.next().map_err(fault)? {
            visit(row::read(found).map_err(fault)?)?;
        }
        Ok(())
    }

    pub(super) fn reversals(&self, connection: &Connection) -> Result<Vec<TxnId>, ArchiveFault> {
        let mut select = connection.prepare("SELECT id FROM reversal WHERE id = ?1 OR rrn = ?2 ORDER BY id")?;
        let (id, rrn) = (self.id.map(|id| integer(id.0)), self.rrn.map(|rrn| rrn.as_str().to_owned()));
        let ids = select.query_map((id, rrn), |row| Ok(TxnId(row.get::<_, i64>(0)?.unsigned_abs())))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn statement(&self) -> (String, Vec<Value>) {
        let text = |text: &str| Value::Text(text.to_owned());
        let wanted: [(&str, Option<Value>); 8] = [
            ("id = ?", self.id.map(|id| Value::Integer(integer(id.0)))),
            ("rrn = ?", self.rrn.map(|rrn| text(rrn.as_str()))),
            ("terminal = ?", self.terminal.map(|terminal| text(terminal.as_str()))),
            ("stan = ?", self.stan.map(|stan| text(&stan.to_string()))),
            ("amount = ?", self.amount.map(|amount| Value::Integer(integer(amount.minor())))),
            ("business_date >= ?", self.from.map(|date| text(&date.to_string()))),
            ("business_date <= ?", self.to.map(|date| text(&date.to_string()))),
            ("masked_pan LIKE ?", self.card_ends.as_ref().map(|ends| text(&format!("%{ends}")))),
        ];
        let said: Vec<(&str, Value)> = wanted.into_iter().filter_map(|(what, value)| Some((what, value?))).collect();
        let clauses: Vec<&str> = said.iter().map(|(what, _)| *what).collect();
        let fits = if clauses.is_empty() { "1".to_owned() } else { clauses.join(" AND ") };
        let columns = row::COLUMNS;
        let statement = match self.most {
            None => format!("SELECT {columns} FROM txn WHERE {fits} ORDER BY id"),
            Some(most) => format!(
                "SELECT * FROM (SELECT {columns} FROM txn WHERE {fits} ORDER BY id DESC LIMIT {most}) ORDER BY id"
            ),
        };
        (statement, said.into_iter().map(|(_, value)| value).collect())
    }
}

fn fits<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
    wanted.is_none_or(|wanted| wanted == is)
}
