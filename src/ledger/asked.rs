//! A request for a place in the ledger, and what became of it.

use super::Decided;
use super::Intent;
use super::TxnId;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::risk::Checks;
use crate::risk::RiskNote;
use std::borrow::Cow;
use std::sync::Arc;

/// An intent on its way into the ledger. One alone is judged by no rules, and brings no facts.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked.
    pub intent: Intent,
    /// The rules that judge it, in the commit that records it.
    pub checks: Option<Arc<Checks>>,
    /// What the message raised of its terminal's session facts: kept as by [`super::Ledger::note_terminal`] in the
    /// same commit, also where the intent is not, but for faults.
    pub noting: Option<SessionFacts>,
}

impl From<Intent> for Asked {
    fn from(intent: Intent) -> Self {
        Self { intent, checks: None, noting: None }
    }
}

/// What became of an intent.
#[derive(Clone, Debug)]
pub enum Intended {
    /// Recorded: go on.
    Fresh,
    /// Recorded: go on; these rules spoke of it.
    Flagged(Box<RiskNote>),
    /// Recorded: go on, and raise an alarm. An advice that does not fit what it names, for this reason: it tells
    /// what has been done and is taken, but it follows nothing, and no issuer is told. Rules may have spoken of it.
    Adrift(ResponseCode, Option<Box<RiskNote>>),
    /// Recorded as declined here, by its refusal, a rule, a counter or a tombstone; the answer stands.
    Declined(Decided, Explained),
    /// Seen before, and decided: the recorded answer.
    Duplicate(Decided),
    /// Seen before and still running under this number: await [`super::Ledger::decided`].
    Running(TxnId),
    /// The same identity with other content: 94, alarm; nothing was recorded.
    Mismatch,
    /// The terminal must sign in first (77); nothing was recorded, and the same request may come again.
    NotNow,
    /// It relies on this advice, the original or an adjustment of it, which their issuer has yet to hear of: await
    /// [`super::Ledger::told`] (an advice [`super::Ledger::decided`]), and ask again. Nothing was recorded.
    Untold(TxnId),
}

impl Intended {
    /// The rules that spoke of what was recorded just now, if any did.
    #[must_use]
    pub fn note(&self) -> Option<&RiskNote> {
        match self {
            Self::Flagged(note) => Some(note),
            Self::Adrift(_, note) | Self::Declined(_, Explained { note, .. }) => note.as_deref(),
            Self::Fresh | Self::Duplicate(_) | Self::Running(_) | Self::Mismatch | Self::NotNow | Self::Untold(_) => {
                None
            }
        }
    }
}

/// Why a request was declined here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Explained {
    /// The rule that refused it.
    pub rule: Cow<'static, str>,
    /// All rules that spoke of it, if any did.
    pub note: Option<Box<RiskNote>>,
}
