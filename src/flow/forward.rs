//! Store-and-forward: what is owed to an issuer goes until it is acknowledged, first in, first out per
//! terminal, terminals side by side. Nothing expires; what is refused for good is a dead letter.

use super::age::Ages;
use super::issuer::Issuer;
use super::issuer_message;
use super::outgoing::Unready;
use super::station::{Station, World};
use super::verdict::{Verdict, verdict};
use super::walk::Walk;
use super::witness::{Event, Witness};
use crate::iso8583::Role;
use crate::ledger::Due;
use crate::ledger::Forwarded;
use crate::ledger::Ledger;
use crate::ledger::Owed;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::ResponseCode;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::time::Duration;

/// The wait after nothing could be sent.
const UNSENT_WAIT: Duration = Duration::from_millis(500);
/// How often a link that is down is looked at: the queue rests until it is up.
const LINK_LOOK: Duration = Duration::from_millis(100);
/// The first wait after a message was not acknowledged; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How many messages are on their way to one issuer at once, each of another terminal. Each waits twice for
/// the disk and once for the issuer: this many hide that.
const IN_FLIGHT: usize = 512;
/// What a code means that the issuer's dialect does not list: no approval.
const UNLISTED: ResponseCode = ResponseCode::NotAuthenticated;

impl<W: World> Station<W> {
    /// Sends what is owed to one issuer, for as long as the future is driven.
    pub async fn forward(&self, name: &IssuerName) {
        let Some(issuer) = self.issuer(name) else { return };
        let clock = &*self.parts.clock;
        let mut running = FuturesUnordered::new();
        let mut ages = Ages::default();
        let mut rest = Duration::ZERO;
        loop {
            let now = clock.monotonic();
            if ages.wants(now) {
                ages.note(self.parts.ledger.number(clock.wall().date(0)).0, now);
            }
            rest = rest.max(if issuer.link.is_up() { Duration::ZERO } else { now + LINK_LOOK });
            let resting = rest > now;
            tokio::select! {
                biased;
                Some(went) = running.next(), if !running.is_empty() => {
                    if went == Went::Hsm {
                        rest = rest.max(clock.monotonic() + UNSENT_WAIT);
                    }
                }
                () = clock.deadline(rest.saturating_sub(now)), if resting => {}
                due = self.parts.ledger.next_due(name, clock), if !resting && running.len() < IN_FLIGHT => {
                    let age = ages.at_least(due.original.id, clock.monotonic());
                    running.push(self.forward_one(issuer, due, age));
                }
            }
        }
    }

    async fn forward_one(&self, issuer: &Issuer<W::Link>, due: Due, age: Duration) -> Went {
        let tried = self.send_due(issuer, &due).await;
        let now = self.parts.clock.monotonic();
        let again = Forwarded::Retry(now + wait_after(due.attempts));
        let forwarded = match tried {
            Tried::Answered(code) => match self.judge(issuer, &due, code, age) {
                Verdict::Has => Forwarded::Acknowledged,
                Verdict::Again => again,
                Verdict::Never => Forwarded::Refused(code, self.date_of(&due)),
            },
            Tried::Unknown => again,
            Tried::NotSent | Tried::Hsm => Forwarded::Retry(now + UNSENT_WAIT),
            Tried::Unwritable => Forwarded::Refused(ResponseCode::SystemFailure, self.date_of(&due)),
        };
        self.tell(issuer, &due, forwarded);
        if let Err(fault) = self.parts.ledger.acknowledge(due.original.id, due.what, forwarded).await {
            self.ledger_stop(&fault);
        }
        if matches!(tried, Tried::Hsm) { Went::Hsm } else { Went::Somewhere }
    }

    /// The business date now, by the rule of the message's terminal; of one that left the registry by its clock.
    fn date_of(&self, due: &Due) -> BusinessDate {
        let (now, intent) = (self.parts.clock.wall(), &due.original);
        let registry = self.parts.registry.load();
        let facts = registry.terminal(intent.identity.terminal);
        facts.map_or_else(|| now.date(intent.offset_minutes), |facts| facts.date(now))
    }

    /// By the issuer's lists as they are now.
    fn judge(&self, issuer: &Issuer<W::Link>, due: &Due, code: ResponseCode, age: Duration) -> Verdict {
        let registry = self.parts.registry.load();
        let default = Default::default();
        let told = registry.issuer(issuer.name()).map_or(&default, |row| &row.told);
        verdict(told, code, due.what, due.attempts, age)
    }

    fn tell(&self, issuer: &Issuer<W::Link>, due: &Due, forwarded: Forwarded) {
        let (issuer, rrn, what) = (issuer.name(), due.original.rrn, due.what);
        let refused = match forwarded {
            Forwarded::Refused(code, _) => Some(code),
            Forwarded::Acknowledged | Forwarded::Retry(_) => None,
        };
        if let Some(code) = refused {
            let what = match what {
                Owed::Reversal => "reversal",
                Owed::Advice => "advice",
            };
            tracing::error!(event = "dead-letter", issuer = %issuer, rrn = %rrn, what, rc = %code, "an issuer refuses what it is owed for good: settle by hand");
        }
        let acknowledged = forwarded == Forwarded::Acknowledged;
        let event = Event::Forwarded { what, issuer, rrn, attempts: due.attempts, acknowledged, refused };
        self.parts.witness.note(Some(&due.original.identity.terminal), &event);
    }

    async fn send_due(&self, issuer: &Issuer<W::Link>, due: &Due) -> Tried {
        let intent = &due.original;
        if !issuer.link.is_up() {
            return Tried::NotSent;
        }
        let (Some(pan), Some(outbound)) = (self.open_pan(intent), intent.outbound.as_ref()) else {
            return Tried::Unwritable;
        };
        let dialect = &issuer.profile.dialect;
        let (stan, builder) = match due.what {
            // A repeat carries the number of what it repeats (ISO 8583:1993, 4.1.2).
            Owed::Reversal => {
                let stan = due.stan.unwrap_or_else(|| issuer.link.next_stan());
                let now = self.parts.clock.wall();
                (stan, issuer_message::reversal(dialect, due, outbound, &pan, stan, now))
            }
            Owed::Advice => {
                let followed = intent.follows.and_then(|id| self.parts.ledger.find(id));
                (outbound.stan, issuer_message::advice(dialect, due, outbound, &pan, followed.as_ref()))
            }
        };
        let outgoing = match self.prepare(issuer, builder, &Walk::unmeasured()).await {
            Ok(outgoing) => outgoing,
            Err(Unready::Hsm) => return Tried::Hsm,
            Err(Unready::Unwritable) => return Tried::Unwritable,
        };
        match self.parts.ledger.sending(intent.id, due.what, stan).await {
            Ok(true) => {}
            Ok(false) => return Tried::NotSent,
            Err(fault) => {
                self.ledger_stop(&fault);
                return Tried::NotSent;
            }
        }
        match self.send(issuer, outgoing, &Walk::unmeasured()).await {
            LinkReply::NotSent => Tried::NotSent,
            LinkReply::Unknown => Tried::Unknown,
            LinkReply::Answer(answer) => match answer.role(Role::ResponseCode) {
                Some(code) => Tried::Answered(answer.dialect().code(&code).map_or(UNLISTED, |row| row.code)),
                None => Tried::Unknown,
            },
        }
    }
}

/// What came of one try.
#[derive(Clone, Copy)]
enum Tried {
    /// The issuer answered, with a MAC that verifies.
    Answered(ResponseCode),
    /// It went, and nobody knows.
    Unknown,
    /// Nothing went.
    NotSent,
    /// Nothing went: its MAC could not be made.
    Hsm,
    /// It can never be written.
    Unwritable,
}

/// What the sender learns from one try.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Went {
    /// Nothing that concerns the others.
    Somewhere,
    /// The HSM makes no MACs: the others would fare the same.
    Hsm,
}

fn wait_after(attempts: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << attempts.min(6)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_capped() {
        let waits: Vec<u64> = [0, 1, 2, 5, 6, 7, u32::MAX].map(|n| wait_after(n).as_millis() as u64).into();
        assert_eq!(waits, [500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
    }
}
