//! Store-and-forward: what is owed to an issuer goes until it is acknowledged. And recovery, which
//! is not a special path: every open intent is decided timed out.

use super::issuer::Issuer;
use super::issuer_message;
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::iso8583::Role;
use crate::ledger::Answer;
use crate::ledger::Decision;
use crate::ledger::Due;
use crate::ledger::Forwarded;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::ledger::Outcome;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::ResponseCode;
use crate::model::Sealer;
use futures_util::stream::FuturesUnordered;
use std::time::Duration;

/// The first wait after a reversal was not acknowledged; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How many reversals of one issuer are on their way at once, each of another terminal.
const IN_FLIGHT: usize = 64;

impl<W: World> Station<W> {
    /// Decides every open intent timed out, before the first door opens.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn recover(&self) -> Result<usize, LedgerFault> {
        let open = self.parts.ledger.open_intents();
        for id in &open {
            let Some(record) = self.parts.ledger.find(*id) else { continue };
            let answer = Answer::of(ResponseCode::Timeout, record.intent.received);
            self.parts.ledger.decide(*id, Decision { outcome: Outcome::TimedOut, answer }).await?;
        }
        Ok(open.len())
    }

    /// Sends what is owed to one issuer, for as long as the future is driven.
    pub async fn forward(&self, name: &IssuerName) {
        let Some(issuer) = self.issuer(name) else { return };
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = futures_util::StreamExt::next(&mut running), if !running.is_empty() => {}
                due = self.parts.ledger.next_due(name, &*self.parts.clock), if running.len() < IN_FLIGHT => {
                    running.push(self.forward_one(issuer, due));
                }
            }
        }
    }

    async fn forward_one(&self, issuer: &Issuer<W::Link>, due: Due) {
        let forwarded = match self.send_reversal(issuer, &due).await {
            Some(code) if settled(code) => Forwarded::Acknowledged,
            Some(ResponseCode::FormatError) => Forwarded::Refused(ResponseCode::FormatError),
            _ => Forwarded::Retry(self.parts.clock.monotonic() + wait_after(due.attempts)),
        };
        let acknowledged = forwarded == Forwarded::Acknowledged;
        if let Forwarded::Refused(code) = forwarded {
            let (issuer, rrn) = (issuer.name(), due.original.rrn);
            tracing::error!(event = "dead-letter", issuer = %issuer, rrn = %rrn, rc = %code, "an issuer refuses a reversal for good");
        }
        let event =
            Event::Forwarded { issuer: issuer.name(), rrn: due.original.rrn, attempts: due.attempts, acknowledged };
        self.parts.witness.note(Some(&due.original.identity.terminal), &event);
        if let Err(fault) = self.parts.ledger.acknowledge(due.original.id, forwarded).await {
            self.ledger_stop(&fault);
        }
    }

    /// Sends one reversal; the issuer's canonical answer, if one came that can be trusted.
    async fn send_reversal(&self, issuer: &Issuer<W::Link>, due: &Due) -> Option<ResponseCode> {
        let outbound = due.original.outbound.as_ref()?;
        if !issuer.link.is_up() {
            return None;
        }
        let pan = self.parts.sealer.open(&due.original.pan, &due.original.id.0.to_be_bytes()).ok()?;
        let (stan, now) = (issuer.link.next_stan(), self.parts.clock.wall());
        let builder = issuer_message::reversal(&issuer.profile.dialect, due, outbound, &pan, stan, now);
        let LinkReply::Answer(answer) = self.exchange_with(issuer, builder).await? else { return None };
        let code = answer.role(Role::ResponseCode)?;
        answer.dialect().code(&code).map(|row| row.code)
    }
}

/// Answers to a reversal that end it: done, or nothing there to undo.
fn settled(code: ResponseCode) -> bool {
    code.is_approval() || matches!(code, ResponseCode::OriginalNotFound | ResponseCode::RelatedInvalid)
}

fn wait_after(attempts: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << attempts.min(6)).min(LONGEST_WAIT)
}
