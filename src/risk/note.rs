//! What is kept of a judgement: which rules spoke, and why.

use smallvec::SmallVec;
use std::sync::Arc;

/// What a rule wants done. In order: what is later weighs more.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Let it through, whatever rules behind it say.
    Allow,
    /// Let it through and tell somebody.
    Alert,
    /// Ask for the PIN, if it brought none.
    StepUp,
    /// Decline it.
    Decline,
    /// Decline it and suspend its terminal.
    Hold,
}

impl Action {
    /// As rule files and reports write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Alert => "alert",
            Self::StepUp => "step-up",
            Self::Decline => "decline",
            Self::Hold => "hold",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Allow, Self::Alert, Self::StepUp, Self::Decline, Self::Hold];
        all.into_iter().find(|action| action.name() == name)
    }
}

/// One rule that spoke.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// The rule's id, up to 64 bytes.
    pub rule: Arc<str>,
    /// What it wants done.
    pub action: Action,
    /// Why, for people; nothing in it is secret. Up to 256 bytes.
    pub evidence: Box<str>,
    /// The rule is of the set in shadow: it only counts.
    pub shadow: bool,
}

/// The rules that spoke of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RiskNote {
    /// The version of the rules that judged it, up to 64 bytes.
    pub version: Arc<str>,
    /// Those that spoke, in the order of the file, the live set first; at most [`RiskNote::MOST`].
    pub hits: SmallVec<[Hit; 1]>,
}

impl RiskNote {
    /// The most hits that are kept.
    pub const MOST: usize = 16;
}
