//! Who takes part: terminals, merchants, issuers and card number prefixes, as one immutable table.
//!
//! The shell shares a [`Registry`] behind an `ArcSwap` and replaces it as a whole; a request that
//! began with one table ends with it. What changes while terminals trade is in [`Sessions`].

mod days;
mod document;
mod issuer;
mod load;
mod payout;
mod sessions;
mod table;

pub use days::{ACQUIRER, Days};
pub use document::Document;
pub use issuer::{Issuer, Told};
pub use load::{Defaults, Merchant, Registry, Sources};
pub use payout::{Cycle, Mcc, Payout, TimeOfDay};
pub use sessions::Sessions;
pub use table::{Breaches, Row, Source, rows};
