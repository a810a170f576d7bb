//! Where a request goes: by its card, or where its original went.

use super::asking::Asking;
use super::issuer::Issuer;
use super::station::{Station, World};
use crate::ledger::kinds;
use crate::link::IssuerLink;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::PanToken;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::route;
use smallvec::SmallVec;

/// How a fresh request is decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Its issuer is asked.
    Ask,
    /// No link to any issuer is up, and the card's own may be stood in for.
    StandIn,
    /// It tells what has been done: it is approved, and its issuer told afterwards.
    Tell,
}

/// Where a request goes and how; or why it goes nowhere.
pub(super) struct Chosen<'a, K> {
    pub(super) way: Way,
    pub(super) issuer: Result<&'a Issuer<K>, Refusal>,
    /// What else is reserved.
    pub(super) reservations: SmallVec<[Reservation; 2]>,
}

impl<'a, K> Chosen<'a, K> {
    fn of(way: Way, issuer: Result<&'a Issuer<K>, Refusal>) -> Self {
        Self { way, issuer, reservations: SmallVec::new() }
    }
}

fn refusal(code: ResponseCode) -> Refusal {
    Refusal { code, rule: "route".into() }
}

impl<W: World> Station<W> {
    /// Where `asking` goes. A follow-up goes where its original went, whatever the routes say now, or nowhere; an
    /// advice waits for a link that is down.
    pub(super) fn choose(
        &self,
        asking: &Asking,
        test_mode: bool,
        token: PanToken,
        date: BusinessDate,
    ) -> Chosen<'_, W::Link> {
        let request = &asking.request;
        let tells = kinds::of(request.kind).is_advice;
        let asked_before = asking.original.as_ref().and_then(|original| original.intent.outbound.as_ref());
        if let Some(way) = asked_before {
            // One that left the station's file knows the original; no other does.
            let issuer = self.issuer(&way.issuer).filter(|issuer| tells || issuer.link.is_up());
            let issuer = issuer.ok_or(refusal(ResponseCode::IssuerInoperative));
            return Chosen::of(if tells { Way::Tell } else { Way::Ask }, issuer);
        }
        if tells {
            let registry = self.parts.registry.load();
            let own = registry.bins().candidates(&request.pan).first().and_then(|name| self.issuer(name));
            return Chosen::of(Way::Tell, own.ok_or(refusal(ResponseCode::IssuerUnknown)));
        }
        self.choose_by_card(request, test_mode, token, date)
    }

    fn choose_by_card(
        &self,
        request: &Request,
        test_mode: bool,
        token: PanToken,
        date: BusinessDate,
    ) -> Chosen<'_, W::Link> {
        let unrouted = match self.route(request, &[]) {
            Ok(issuer) => return Chosen::of(Way::Ask, Ok(issuer)),
            Err(unrouted) => unrouted,
        };
        match self.stand_in(request, test_mode) {
            Some(Ok(behalf)) if unrouted.code == ResponseCode::IssuerInoperative => Chosen {
                reservations: behalf.reservations(request, token, date),
                ..Chosen::of(Way::StandIn, Ok(behalf.issuer))
            },
            Some(Err(rule)) => Chosen::of(Way::Ask, Err(Refusal { rule: rule.into(), ..unrouted })),
            _ => Chosen::of(Way::Ask, Err(unrouted)),
        }
    }

    /// The issuer to ask: the longest BIN's or its fallback, of those whose link is up and
    /// that were not tried.
    pub(super) fn route(&self, request: &Request, tried: &[IssuerName]) -> Result<&Issuer<W::Link>, Refusal> {
        let registry = self.parts.registry.load();
        let up =
            |name: &IssuerName| !tried.contains(name) && self.issuer(name).is_some_and(|issuer| issuer.link.is_up());
        let route = route::choose(registry.bins(), &request.pan, up);
        let code = route.decline().unwrap_or(ResponseCode::IssuerInoperative);
        route.issuer().and_then(|name| self.issuer(name)).ok_or(refusal(code))
    }

    pub(super) fn issuer(&self, name: &IssuerName) -> Option<&Issuer<W::Link>> {
        self.issuers.iter().find(|issuer| issuer.name() == name)
    }
}
