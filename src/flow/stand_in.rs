//! Approving on behalf of an issuer that cannot be asked (rules of the money, 8): only if not one byte was
//! sent, never with a PIN, and only what the issuer's row allows. The issuer is told by advice.

use super::ask::Fresh;
use super::exchange::Stop;
use super::issuer::Issuer;
use super::station::{Station, World};
use crate::ledger::Answer;
use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::link::IssuerLink;
use crate::model::ApprovalCode;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::PanToken;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::StandIn;
use crate::risk::Counted;
use crate::risk::CounterKey;
use crate::risk::Reservation;
use crate::route;
use smallvec::SmallVec;

/// The rule that logs and traces name.
const RULE: &str = "stand-in";

impl<W: World> Station<W> {
    /// The card's own issuer and its permission to approve this request without it; the rule that forbids it
    /// otherwise. `None` where nothing is ever approved on its behalf.
    pub(super) fn stand_in(
        &self,
        request: &Request,
        test_mode: bool,
    ) -> Option<Result<Behalf<'_, W::Link>, &'static str>> {
        let registry = self.parts.registry.load();
        let issuer = self.issuer(registry.bins().candidates(&request.pan).first()?)?;
        let permission = registry.issuer(issuer.name())?.stand_in.as_ref()?;
        let allowed = route::stand_in(permission, request, test_mode);
        Some(allowed.map(|()| Behalf { issuer, permission: permission.clone() }))
    }

    /// Approves on behalf of the issuer that the intent names already.
    pub(super) async fn stand_in_for(&self, intent: &Intent) -> Result<Fresh, Stop> {
        let decided = self.record(intent, approval(intent)).await?;
        let issuer = intent.outbound.as_ref().map(|way| way.issuer.clone());
        Ok(Fresh { decided, issuer, rule: Some(RULE) })
    }

    /// Approves on behalf of the card's own issuer after nothing could be sent to anybody. Not where the
    /// permission counts: what is counted is reserved with the intent, and links were up then.
    pub(super) async fn stand_in_after(
        &self,
        intent: &Intent,
        request: &Request,
        tried: Option<&IssuerName>,
    ) -> Result<Option<Fresh>, Stop> {
        // A follow-up is for the issuer of its original, or for nobody.
        let alone = intent.follows.is_none();
        let Some(Ok(behalf)) = self.stand_in(request, intent.test_mode).filter(|_| alone) else { return Ok(None) };
        let Some(way) = intent.outbound.as_ref().filter(|_| !behalf.counts()) else { return Ok(None) };
        let name = behalf.issuer.name();
        if tried != Some(name) {
            let back = Outbound { issuer: name.clone(), stan: behalf.issuer.link.next_stan(), ..way.clone() };
            if let Some(decided) = self.reroute(intent, back).await? {
                return Ok(Some(Fresh { decided, issuer: tried.cloned(), rule: None }));
            }
        }
        let decided = self.record(intent, approval(intent)).await?;
        Ok(Some(Fresh { decided, issuer: Some(name.clone()), rule: Some(RULE) }))
    }
}

/// An issuer that may be stood in for.
pub(super) struct Behalf<'a, K> {
    pub(super) issuer: &'a Issuer<K>,
    permission: StandIn,
}

impl<K> Behalf<'_, K> {
    /// Whether the permission is bounded by the day.
    fn counts(&self) -> bool {
        !(self.permission.card.is_none() && self.permission.terminal.is_none())
    }

    /// What an approval takes from the day's counters, which count also where nothing bounds them.
    pub(super) fn reservations(
        &self,
        request: &Request,
        token: PanToken,
        date: BusinessDate,
    ) -> SmallVec<[Reservation; 2]> {
        let StandIn { card, terminal, .. } = &self.permission;
        let counters = [(Counted::StandInCard(token), card), (Counted::StandInTerminal(request.terminal), terminal)];
        let reservation = |(counted, limit): (_, &crate::model::DayLimit)| Reservation {
            key: CounterKey { counted, date },
            amount: request.amount,
            amount_limit: limit.amount,
            count_limit: limit.count,
        };
        counters.into_iter().map(reservation).collect()
    }
}

/// The switch's approval. Its code is of the transaction's number: the same however often it is asked for.
fn approval(intent: &Intent) -> Decision {
    let mut answer = Answer::of(ResponseCode::Approved, intent.received);
    answer.approval = ApprovalCode::parse(format!("{:06}", intent.id.0 % 1_000_000).as_bytes());
    answer.settlement = Some(intent.date);
    Decision { outcome: Outcome::Approved, answer, advise: true }
}
