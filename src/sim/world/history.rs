//! What the outside saw of the station. It outlives every crash, and the checks are made of it.

use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Owed;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MessageClass;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use bytes::Bytes;
use parking_lot::Mutex;

/// An answer as it left for a terminal.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// The request's unit, to the byte.
    pub(super) request: Vec<u8>,
    pub(super) terminal: TerminalId,
    pub(super) class: Option<MessageClass>,
    /// DE 11.
    pub(super) stan: Option<Stan>,
    /// DE 39 as written.
    pub(super) code: String,
    /// DE 37: the answer is of something recorded.
    pub(super) rrn: Option<Rrn>,
    /// Every element but MAC and transmission time.
    pub(super) content: Vec<(u8, Vec<u8>)>,
}

/// A message as it left for an issuer.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Which life of the station sent it.
    pub(super) life: u32,
    pub(super) issuer: IssuerName,
    pub(super) terminal: TerminalId,
    pub(super) rrn: Rrn,
    pub(super) stan: Stan,
    /// A reversal or an advice, not a request.
    pub(super) owed: Option<Owed>,
    /// Marked as a repeat.
    pub(super) repeat: bool,
}

impl Sent {
    /// Whether it undoes something.
    pub(super) fn is_reversal(&self) -> bool {
        self.owed == Some(Owed::Reversal)
    }

    /// What it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match self.owed {
            None => "request",
            Some(Owed::Reversal) => "reversal",
            Some(Owed::Advice) => "advice",
        }
    }
}

/// A wish of a terminal to undo one of its requests, as it reached the station.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wish {
    pub(super) terminal: TerminalId,
    /// The original's number.
    pub(super) stan: Stan,
    /// The original's amount.
    pub(super) amount: Amount,
}

/// One request of a terminal's own records.
#[derive(Clone, Debug)]
pub(super) struct Deal {
    pub(super) terminal: TerminalId,
    pub(super) stan: Stan,
    pub(super) amount: Amount,
    /// The valid answer's DE 37.
    pub(super) rrn: Option<Rrn>,
    /// It was approved, and not undone.
    pub(super) approved: bool,
    pub(super) kind: Kind,
    /// Its batch, where the terminal has batches.
    pub(super) batch: BatchNumber,
    /// Which of all requests it follows.
    pub(super) follows: Option<usize>,
}

/// A batch that its terminal has settled.
#[derive(Clone, Debug)]
pub(super) struct SettledBatch {
    pub(super) terminal: TerminalId,
    pub(super) batch: BatchNumber,
    /// What the terminal claimed.
    pub(super) totals: BatchTotals,
    /// It had lost a slip.
    pub(super) lied: bool,
    /// The station had the same totals.
    pub(super) balanced: bool,
}

/// Everything that was seen.
#[derive(Default)]
pub(super) struct History(Mutex<Seen>);

/// The lists, in order of time.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) answered: Vec<Answered>,
    pub(super) sent: Vec<Sent>,
    pub(super) wishes: Vec<Wish>,
    pub(super) deals: Vec<Deal>,
    pub(super) settled: Vec<SettledBatch>,
    /// What the checks have found wrong while the world ran.
    pub(super) breaches: Vec<String>,
    /// What an issuer acknowledged: in which life, of which transaction, its reversal or its advice.
    pub(super) acknowledged: Vec<(u32, Rrn, Owed)>,
    /// Requests of which nothing left on some link: their RRNs.
    pub(super) not_sent: Vec<Rrn>,
    /// Serial numbers of DUKPT devices under which something on record was answered: whose, the counter, the unit.
    pub(super) serials: Vec<(TerminalId, u32, Bytes)>,
    /// Issuers that approved: their RRNs.
    pub(super) approvals: Vec<Rrn>,
    /// What issuers did not take for its MAC, requests and reversals: it may go once more, under the key before.
    pub(super) not_taken: Vec<(Rrn, bool)>,
}

impl History {
    /// Looks.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.0.lock())
    }

    /// Adds.
    pub(super) fn note<T>(&self, add: impl FnOnce(&mut Seen) -> T) -> T {
        add(&mut self.0.lock())
    }

    /// Something that must never be so, is.
    pub(super) fn breach(&self, what: String) {
        self.0.lock().breaches.push(what);
    }
}

impl Answered {
    /// Reads an answer to `request`.
    pub(super) fn read(request: &[u8], terminal: TerminalId, answer: &Message) -> Self {
        let dialect = answer.dialect();
        let volatile = [dialect.role(Role::TransmissionTime).map(|row| row.de), dialect.mac_element(answer)];
        let elements = answer.elements().filter(|de| !volatile.contains(&Some(*de)));
        Self {
            request: request.to_vec(),
            terminal,
            class: answer.mti().and_then(|mti| mti.class()),
            stan: answer.role(Role::Stan).and_then(|stan| Stan::parse(&stan)),
            code: answer
                .role(Role::ResponseCode)
                .map(|code| String::from_utf8_lossy(&code).into_owned())
                .unwrap_or_default(),
            rrn: answer.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn)),
            content: elements.map(|de| (de, answer.raw(de).unwrap_or_default().to_vec())).collect(),
        }
    }
}

impl Seen {
    /// Whether a request of a terminal stands: approved, not undone, not voided, and not completed.
    pub(super) fn stands(&self, at: usize) -> bool {
        let Some(deal) = self.deals.get(at).filter(|deal| deal.approved) else { return false };
        let followers = self.deals.iter().enumerate().filter(|(_, follower)| follower.follows == Some(at));
        let mut ends = followers.filter(|(_, follower)| {
            let following = kinds::of(follower.kind).follows.map(|(following, _)| following);
            matches!(following, Some(Following::Voids | Following::Completes))
        });
        let over = ends.any(|(follower, _)| self.stands(follower));
        let added = matches!(kinds::of(deal.kind).follows, Some((Following::Increments, _)));
        !over && (!added || deal.follows.is_some_and(|first| self.stands(first)))
    }

    /// What it comes to: its last adjustment that `counts` says it, if it has one.
    pub(super) fn worth(&self, at: usize, counts: impl Fn(&Deal) -> bool) -> Amount {
        let adjusts =
            |deal: &&Deal| deal.follows == Some(at) && deal.kind == Kind::Adjustment && deal.approved && counts(deal);
        let last = self.deals.iter().rfind(adjusts).or(self.deals.get(at));
        last.map_or(Amount::ZERO, |deal| deal.amount)
    }
}
