//! What alarms there are.

use serde::Serialize;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// No link to an issuer.
    LinkDown,
    /// A terminal that was heard says nothing.
    SilentTerminal,
    /// Many requests are declined.
    DeclineSpike,
    /// Many messages with a wrong MAC.
    MacFailures,
    /// What is owed to an issuer does not go, or grows.
    QueueGrowth,
    /// A certificate ends soon, or has.
    KeyExpiry,
    /// No room for the ledger, or little.
    Disk,
    /// The wall clock was moved.
    ClockJump,
    /// A terminal asks that is suspended or terminated, or whose merchant is.
    SuspendedTerminal,
    /// A number was used again for another request.
    DuplicateMismatch,
    /// A rule of risk was hit.
    Risk,
    /// There are more alarms than are kept.
    TooMany,
}

/// How soon a person should look.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Today.
    Warning,
    /// Now: requests are declined, or will be.
    Critical,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::LinkDown,
        Self::SilentTerminal,
        Self::DeclineSpike,
        Self::MacFailures,
        Self::QueueGrowth,
        Self::KeyExpiry,
        Self::Disk,
        Self::ClockJump,
        Self::SuspendedTerminal,
        Self::DuplicateMismatch,
        Self::Risk,
        Self::TooMany,
    ];

    /// As the log and JSON write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LinkDown => "link-down",
            Self::SilentTerminal => "silent-terminal",
            Self::DeclineSpike => "decline-spike",
            Self::MacFailures => "mac-failures",
            Self::QueueGrowth => "queue-growth",
            Self::KeyExpiry => "key-expiry",
            Self::Disk => "disk",
            Self::ClockJump => "clock-jump",
            Self::SuspendedTerminal => "suspended-terminal",
            Self::DuplicateMismatch => "duplicate-mismatch",
            Self::Risk => "risk",
            Self::TooMany => "too-many",
        }
    }

    /// How soon a person should look.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::LinkDown | Self::DeclineSpike | Self::MacFailures | Self::Disk | Self::TooMany => Severity::Critical,
            Self::SilentTerminal
            | Self::QueueGrowth
            | Self::KeyExpiry
            | Self::ClockJump
            | Self::SuspendedTerminal
            | Self::DuplicateMismatch
            | Self::Risk => Severity::Warning,
        }
    }

    /// Whether it is of single events, which end by not happening again; the others are of what is so, until it is not.
    #[must_use]
    pub fn is_of_events(self) -> bool {
        matches!(self, Self::ClockJump | Self::SuspendedTerminal | Self::DuplicateMismatch | Self::Risk)
    }
}

impl Severity {
    /// As the log and JSON write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
