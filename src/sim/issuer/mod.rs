//! A mock issuer: a bank's host with accounts, PINs and books, which misbehaves when the amount asks.
//!
//! [`rules`] says what an amount asks for, [`books`] keeps the money, [`Bank`] does what one message
//! wants without knowing a socket, [`IssuerThread`] puts it on the wire.

mod assemble;
mod bank;
mod book_file;
pub mod books;
mod checks;
mod clearing;
mod host;
mod reading;
mod reply;
pub mod rules;
mod zone;

pub use assemble::{AssembleError, DEMO_KEYS, LATE, Parts, assemble};
pub use bank::{Act, Bank, BankSetup, BankStats, Effect, IssuedCard};
pub use checks::{CheckKeys, PinOnFile};
pub use host::{IssuerThread, serve};
