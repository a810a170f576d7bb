//! The world outside, for demonstrations and tests: cards and issuers that behave as they are told.
//!
//! It uses the other rooms by their public names only, as a stranger would.

pub mod bench;
pub mod cards;
pub mod certificates;
pub mod chip;
pub mod issuer;
pub mod load;
mod teller;
pub mod terminal;
pub mod till_roll;
pub mod world;
