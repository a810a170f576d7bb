//! Three-way reconciliation: terminals' batches, the ledger, the issuers' clearing files.
//!
//! [`ClearingFile`] is what an issuer says of a day, [`Line`] what the ledger says; [`compare()`] types what does not
//! agree, and a [`DifferenceBook`] follows every difference until a later file explains it or a person clears it.

mod batch;
mod book;
mod clearing;
mod compare;
mod difference;
mod event;
mod fit;
mod line;

pub use batch::batch_differences;
pub use book::{BookFault, DifferenceBook, Entry, Finding, LONGEST_WORDS, State};
pub use clearing::{COLUMNS, ClearingFault, ClearingFile, ClearingRow, Fault, MOST_BYTES, MOST_ROWS, Sign, Turnover};
pub use compare::{Compared, Day, compare};
pub use difference::{Difference, Key, Moved, Sort, With};
pub use event::{Event, FileFacts};
pub use line::{Line, Lines, Standing, sign};
