//! What merchants are owed and issuers owe: fees, value dates, statements, reports. Pure: files are read and
//! written by others.

pub mod activity;
pub mod calendar;
pub mod day;
pub mod fees;
pub mod line;
pub mod recon;
pub mod slip;
pub mod statement;
pub mod table;
pub mod transaction;
mod waiting;
