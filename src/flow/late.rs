//! An issuer answers after the decision: recorded, and nothing else (rules of the money, 4).

use super::station::{Station, World};
use crate::channel::Received;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::ledger::Outcome;
use crate::model::IssuerName;
use crate::model::MessageClass;
use crate::model::Rrn;

impl<W: World> Station<W> {
    /// Notes a late answer, if its MAC verifies and it answers a request. Late answers to reversals and advices
    /// say nothing: those go again until one is answered in time.
    pub async fn late(&self, issuer: &IssuerName, received: Received) {
        let Some(issuer) = self.issuer(issuer) else { return };
        let message = &received.message;
        let class = message.mti().filter(|mti| !mti.is_advice()).and_then(|mti| mti.class());
        let request = matches!(class, Some(MessageClass::Authorization | MessageClass::Financial));
        let Some(rrn) = message.role(Role::Rrn).and_then(|value| Rrn::parse(&value)) else { return };
        if !request || !self.issuer_authentic(issuer, message).await {
            return;
        }
        let row = message.role(Role::ResponseCode).and_then(|code| message.dialect().code(&code));
        let approved = row.is_some_and(|row| row.approves);
        let outcome = if approved { Outcome::Approved } else { Outcome::Declined };
        tracing::warn!(event = "late-answer", issuer = %issuer.name(), rrn = %rrn, approved, "answered after the decision");
        match self.parts.ledger.note_late(issuer.name(), rrn, outcome).await {
            // An RRN of before a restart, or of nobody, is the issuer's matter.
            Ok(_) | Err(LedgerFault::Unknown) => {}
            Err(fault) => drop(self.ledger_stop(&fault)),
        }
    }
}
