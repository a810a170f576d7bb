//! Who takes part: terminals, merchants, issuers and card number prefixes, as one immutable table.
//!
//! The shell shares a [`Registry`] behind an `ArcSwap` and replaces it as a whole; a request that
//! began with one table ends with it. What changes while terminals trade is in [`Sessions`].

mod ahead;
mod callers;
mod days;
mod diff;
mod document;
mod downloads;
mod fleet;
mod given;
mod issuer;
mod load;
mod merchant;
mod names;
mod operators;
mod payout;
mod pin_errors;
mod regions;
mod renewal;
mod sessions;
mod sheet;
mod sign_ins;
mod state;
mod table;
mod terminals;
mod timeline;

pub use callers::{Callers, Heard};
pub use days::{ACQUIRER, Days};
pub use diff::{Change, ColumnChange, Diff, RowChange};
pub use document::Document;
pub use downloads::{Catalogue, DownloadSources, Downloads, Entry, Parameter, Parameters};
pub use fleet::FleetSources;
pub use issuer::{Issuer, Told};
pub use load::{Defaults, DukptJump, Registry, Rules, Sources};
pub use merchant::Merchant;
pub use operators::{Duty, Operators};
pub use payout::{Cycle, Payout};
pub use pin_errors::PinErrors;
pub use renewal::{RENEWAL, Renewal};
pub use sessions::{Changing, Sessions, Shown};
pub use sheet::{Cells, List, Origins, Sheet, SheetForm, SheetRow};
pub use sign_ins::{Asked, Flood, Flooded, KeyTerms, SignIns};
pub use state::MerchantState;
pub use table::{Breaches, Row, Source, rows};
pub use timeline::Later;
