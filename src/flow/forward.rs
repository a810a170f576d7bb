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
use futures_util::stream::FuturesUnordered;
use std::time::Duration;

/// The wait when nothing could be sent.
const UNSENT_WAIT: Duration = Duration::from_millis(500);
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
            self.parts.ledger.decide(*id, Decision::of(Outcome::TimedOut, answer)).await?;
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
        let tried = self.send_reversal(issuer, &due).await;
        let now = self.parts.clock.monotonic();
        let forwarded = match tried {
            Tried::Answered(code) if self.settles(code, &due) => Forwarded::Acknowledged,
            Tried::Answered(code) if refuses(code) => Forwarded::Refused(code),
            Tried::Answered(_) | Tried::Unknown => Forwarded::Retry(now + wait_after(due.attempts)),
            Tried::NotSent => Forwarded::Retry(now + UNSENT_WAIT),
            Tried::Unwritable => Forwarded::Refused(ResponseCode::SystemFailure),
        };
        let acknowledged = forwarded == Forwarded::Acknowledged;
        if let Forwarded::Refused(code) = forwarded {
            let (issuer, rrn) = (issuer.name(), due.original.rrn);
            tracing::error!(event = "dead-letter", issuer = %issuer, rrn = %rrn, rc = %code, "an issuer refuses a reversal for good");
        }
        let refused = match forwarded {
            Forwarded::Refused(code) => Some(code),
            _ => None,
        };
        let event = Event::Forwarded {
            what: due.what,
            issuer: issuer.name(),
            rrn: due.original.rrn,
            attempts: due.attempts,
            acknowledged,
            refused,
        };
        self.parts.witness.note(Some(&due.original.identity.terminal), &event);
        if let Err(fault) = self.parts.ledger.acknowledge(due.original.id, due.what, forwarded).await {
            self.ledger_stop(&fault);
        }
    }

    async fn send_reversal(&self, issuer: &Issuer<W::Link>, due: &Due) -> Tried {
        let intent = &due.original;
        if !issuer.link.is_up() {
            return Tried::NotSent;
        }
        let (Some(pan), Some(outbound)) = (self.open_pan(intent), intent.outbound.as_ref()) else {
            return Tried::Unwritable;
        };
        let (stan, now) = (issuer.link.next_stan(), self.parts.clock.wall());
        let builder = issuer_message::reversal(&issuer.profile.dialect, due, outbound, &pan, stan, now);
        match self.parts.ledger.sending(intent.id, due.what, stan).await {
            Ok(true) => {}
            Ok(false) => return Tried::NotSent,
            Err(fault) => {
                self.ledger_stop(&fault);
                return Tried::NotSent;
            }
        }
        match self.exchange_with(issuer, builder).await {
            // Its MAC could not be made, which is the HSM's matter: the reversal waits for it.
            None | Some(LinkReply::NotSent) => Tried::NotSent,
            Some(LinkReply::Unknown) => Tried::Unknown,
            Some(LinkReply::Answer(answer)) => {
                let code = answer.role(Role::ResponseCode);
                let row = code.and_then(|code| answer.dialect().code(&code));
                row.map_or(Tried::Unknown, |row| Tried::Answered(row.code))
            }
        }
    }

    /// Whether an answer ends a reversal. *Original not found* does only when the original cannot be on
    /// its way any more: reversals go over a connection of their own and may overtake it.
    fn settles(&self, code: ResponseCode, due: &Due) -> bool {
        let sent = due.original.outbound.as_ref().map_or(due.original.received, |outbound| outbound.sent);
        let age = self.parts.clock.wall().0.saturating_sub(sent.0);
        code.is_approval() || (code == ResponseCode::OriginalNotFound && age > ON_ITS_WAY_MICROS)
    }
}

/// What came of one try.
enum Tried {
    /// The issuer answered, with a MAC that verifies.
    Answered(ResponseCode),
    /// It went, and nobody knows.
    Unknown,
    /// Nothing went.
    NotSent,
    /// It can never be written.
    Unwritable,
}

/// How long a request may be on its way to an issuer, in microseconds: a minute.
const ON_ITS_WAY_MICROS: i64 = 60_000_000;

/// Answers after which the same message would only get the same answer.
fn refuses(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::FormatError | ResponseCode::RelatedInvalid | ResponseCode::FunctionUnsupported)
}

fn wait_after(attempts: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << attempts.min(6)).min(LONGEST_WAIT)
}
