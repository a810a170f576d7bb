//! What a terminal tells has been done: approved at once, and its issuer told by store-and-forward.

use super::ask::Fresh;
use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::iso8583::Role;
use crate::ledger::Answer;
use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Outcome;
use crate::model::ApprovalCode;
use crate::model::ResponseCode;

impl<W: World> Station<W> {
    /// Offline sales and refunds, completion advices, adjustments, script results: the terminal is answered once
    /// they are durable. The approval code is the terminal's, or that of the authorization it completes.
    pub(super) async fn take_advice(&self, intent: &Intent, exchange: &Exchange<'_>) -> Result<Fresh, Stop> {
        let mut answer = Answer::of(ResponseCode::Approved, intent.received);
        answer.approval = exchange.message.role(Role::ApprovalCode).and_then(|code| ApprovalCode::parse(&code));
        answer.settlement = Some(intent.date);
        let decided = self.record(intent, Decision { outcome: Outcome::Approved, answer, advise: true }).await?;
        let issuer = intent.outbound.as_ref().map(|way| way.issuer.clone());
        Ok(Fresh { decided, issuer, rule: None })
    }
}
