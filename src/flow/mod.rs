//! Straight lines: one asynchronous function a business process, read from top to bottom.
//!
//! A flow only sequences: it asks the HSM, the ledger, an issuer's link and the clock, and lets pure
//! rooms decide. [`Station::answer`] is the one way in for terminals, [`Station::forward`] the one
//! way out for what is owed to issuers.

mod advice;
mod age;
mod ask;
mod asking;
mod authentic;
mod authorize;
mod chip;
mod content;
mod device;
mod download;
mod duty;
mod enforce;
mod exchange;
mod forward;
mod issuer;
mod issuer_message;
mod key_change;
mod key_offer;
mod late;
mod manage;
mod original;
mod outgoing;
mod read;
mod recover;
mod remote;
mod reverse;
mod route;
mod scene;
mod sealing;
mod settle;
mod sign_in;
mod stand_in;
mod stans;
mod station;
mod upload;
mod verdict;
mod walk;
mod witness;

pub use exchange::{Door, DoorKeys};
pub use issuer::{Issuer, IssuerKeys};
pub use key_change::{KeyChangeFault, KeyChanged};
pub use sealing::{DataKeyFault, open_sealer};
pub use settle::CloseFault;
pub use station::{Parts, Station, World};
pub use walk::{Stage, Stages, Walk};
pub use witness::{Event, Witness};
