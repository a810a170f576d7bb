//! Which issuer gets a request: pure, from the card number and the health of the links. And what may be
//! approved where none can be asked.

use crate::model::BinTable;
use crate::model::IssuerName;
use crate::model::Pan;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::StandIn;

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

/// Whether `request` may be approved on behalf of its issuer, as far as the request itself goes.
///
/// # Errors
/// The rule that forbids it; logs and traces name it.
pub fn stand_in(permission: &StandIn, request: &Request, test_mode: bool) -> Result<(), &'static str> {
    let rules = [
        ("stand-in-pin", request.pin_block.is_some()),
        ("stand-in-test-mode", test_mode),
        ("stand-in-kind", !permission.kinds.contains(&request.kind)),
        ("stand-in-entry", !permission.methods.contains(&request.entry_mode.method())),
        ("stand-in-most", request.amount > permission.most),
    ];
    rules.into_iter().find(|(_, forbids)| *forbids).map_or(Ok(()), |(rule, _)| Err(rule))
}
