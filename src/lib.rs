//! Tollgate, a payment switch: terminals come in on one side speaking ISO 8583, issuers answer on the
//! other, and every request ends in exactly one of approved, declined, reversed.
//!
//! The rooms, in the order in which a request meets them:
//!
//! * [`model`]: the nouns of the trade, well formed by birth and masked by default.
//! * [`server`]: the shell. Workers, doors, TLS, sessions, limits, drain; puts a station together.
//! * [`channel`]: one wire's conventions. Framing, TPDU, headers, profiles.
//! * [`iso8583`]: the codec. Bytes to message as a dialect says, and back.
//! * [`registry`]: terminals, merchants, issuers, BINs: one immutable table, and the live sessions.
//! * [`flow`]: straight lines. Sign-in, authorize, reverse, store-and-forward.
//! * [`hsm`]: keys. The trait, and the software HSM.
//! * [`risk`], [`route`]: pure decisions.
//! * [`ledger`]: money's memory. Kinds, lifecycle, the book.
//! * [`link`]: the issuer side. Correlation and connections.
//! * [`settle`]: what merchants are owed and issuers owe. Fees, value dates, statements, reports.
//! * [`ops`]: who watches over a station, who tells its figures, and who tries rules on the past.
//! * [`sim`]: the world outside. Cards, issuers that misbehave, terminals.
//! * [`cli`]: one file a subcommand.
//!
//! [`manual`] is prose; `tests/tidy.rs` keeps who may import whom.

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
pub mod mutant;
pub mod ops;
pub mod registry;
pub mod risk;
pub mod route;
pub mod server;
pub mod settle;
pub mod sim;
