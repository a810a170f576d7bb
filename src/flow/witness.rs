//! Who watches a station: what happened, in terms a terminal's developer understands.

use crate::hsm::Kcv;
use crate::iso8583::DecodeError;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::model::Caller;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::risk::Hit;
use std::ops::Range;
use std::time::Duration;

/// Something that happened to one message. Carries no card data.
#[derive(Debug)]
pub enum Event<'a> {
    /// The bytes are no message of the dialect.
    Rejected {
        /// Where and why.
        error: &'a DecodeError,
    },
    /// Refused before anything was recorded.
    Refused {
        /// What is answered.
        code: ResponseCode,
        /// Which check refused.
        rule: &'static str,
    },
    /// Not answered at all.
    Silent {
        /// Why.
        why: &'static str,
    },
    /// Its MAC does not verify.
    MacFailed {
        /// Where it came from.
        from: Caller,
        /// Which bytes of the message the MAC covers.
        range: Range<usize>,
        /// The check values of the keys tried, newest first.
        tried: Vec<Kcv>,
    },
    /// Its MAC verified.
    MacVerified {
        /// Which bytes of the message the MAC covers.
        range: Range<usize>,
        /// The check value of the key, if somebody watches this terminal.
        key: Option<Kcv>,
    },
    /// A rule spoke of a request.
    Rule {
        /// What it said.
        hit: &'a Hit,
        /// Of which rules.
        version: &'a str,
        /// DE 37 of the request.
        rrn: Rrn,
    },
    /// A transaction is over and its answer stands.
    Decided {
        /// What was asked.
        kind: Kind,
        /// What was decided.
        outcome: Outcome,
        /// What is answered.
        code: ResponseCode,
        /// DE 37.
        rrn: Rrn,
        /// The rule that declined, if one did.
        rule: Option<&'a str>,
        /// Where it was sent.
        issuer: Option<&'a IssuerName>,
        /// Whether the answer was already on record.
        repeat: bool,
        /// From the complete frame to the decision.
        took: Duration,
    },
    /// A message that is owed to an issuer was tried.
    Forwarded {
        /// Which message.
        what: Owed,
        /// Towards whom.
        issuer: &'a IssuerName,
        /// DE 37 of the transaction it undoes or tells of.
        rrn: Rrn,
        /// How often it went before.
        attempts: u32,
        /// Whether the issuer acknowledged it.
        acknowledged: bool,
        /// With which answer it was refused for good, if it was.
        refused: Option<ResponseCode>,
    },
}

/// Takes events. Must not wait.
pub trait Witness: Send + Sync + 'static {
    /// Takes one event; `terminal` is known once DE 41 was read.
    fn note(&self, terminal: Option<&TerminalId>, event: &Event<'_>);

    /// Whether somebody wants details that cost an HSM call.
    fn watches(&self, terminal: &TerminalId) -> bool;
}
