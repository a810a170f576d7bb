//! A mock issuer: a bank's host with accounts, PINs and books, which misbehaves when the amount asks.
//!
//! [`rules`] says what an amount asks for, [`books`] keeps the money.

pub mod books;
pub mod rules;
