//! Which issuer gets a request: pure, from the card number and the health of the links.

use crate::model::BinTable;
use crate::model::IssuerName;
use crate::model::Pan;
use crate::model::ResponseCode;

/// What the table and the links say of one card number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route<'a> {
    /// Send it there.
    To(&'a IssuerName),
    /// The table names issuers, and no link to any of them is up.
    AllDown,
    /// The table names nobody.
    NoIssuer,
}

impl<'a> Route<'a> {
    /// The issuer, if there is one.
    #[must_use]
    pub fn issuer(self) -> Option<&'a IssuerName> {
        match self {
            Self::To(issuer) => Some(issuer),
            Self::AllDown | Self::NoIssuer => None,
        }
    }

    /// What is answered where there is no issuer: 91 if all links are down, 15 if nobody issued it.
    #[must_use]
    pub fn decline(self) -> Option<ResponseCode> {
        match self {
            Self::To(_) => None,
            Self::AllDown => Some(ResponseCode::IssuerInoperative),
            Self::NoIssuer => Some(ResponseCode::IssuerUnknown),
        }
    }
}

/// Chooses the first issuer that is `up`, of those behind the longest prefix of `pan`: the issuer
/// first, then its fallback.
///
/// After a request that was not sent, ask again with an `up` that says no to the issuer tried.
pub fn choose<'a>(bins: &'a BinTable, pan: &Pan, up: impl Fn(&IssuerName) -> bool) -> Route<'a> {
    match bins.candidates(pan) {
        [] => Route::NoIssuer,
        issuers => issuers.iter().find(|issuer| up(issuer)).map_or(Route::AllDown, Route::To),
    }
}
