//! Tollgate, a payment switch: terminals come in on one side speaking ISO 8583, issuers answer on the
//! other, and every request ends in exactly one of approved, declined, reversed.

pub mod channel;
pub mod cli;
pub mod flow;
pub mod fuzzing;
pub mod hsm;
pub mod iso8583;
pub mod ledger;
pub mod link;
pub mod manual;
pub mod model;
pub mod registry;
pub mod risk;
pub mod route;
pub mod server;
pub mod sim;
