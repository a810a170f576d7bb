//! Transaction kinds: what a message asks for, whatever its dialect calls it.

use serde::Deserialize;

/// What a request asks for. Dialects say in rows which MTI and codes mean which kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Goods against money, now (0200).
    Sale,
    /// A hold on money (0100).
    Authorization,
    /// What is on the account (0200/31, 0100/31). Moves nothing.
    Balance,
    /// Cancels an approved sale, whole (0200/20).
    SaleVoid,
    /// Cancels an approved authorization (0100/20).
    AuthorizationVoid,
    /// Holds more on top of an authorization (0100).
    Increment,
    /// Takes what an authorization holds, asking the issuer (0200).
    Completion,
    /// Takes what an authorization holds, telling the issuer (0220).
    CompletionAdvice,
    /// Cancels a completion; the authorization holds again (0200/20).
    CompletionVoid,
    /// Gives money of a sale or completion back, whole or in parts (0220, 0200/20).
    Refund,
    /// A sale that was made without the issuer, told afterwards (0220).
    OfflineSale,
    /// A sale's amount changes after the fact: a tip (0220).
    Adjustment,
    /// Undo of a request that was not answered, or whose answer could not be used (0400, 0420).
    Reversal,
    /// A terminal or a link opens its day and gets working keys (0800).
    SignIn,
    /// It closes its day (0820).
    SignOff,
    /// Is anybody there? (0800, 0820)
    Echo,
    /// A hold that was made without the issuer, told afterwards (0120).
    AuthorizationAdvice,
    /// Does the card exist, and may it be used (0100/33). Moves nothing.
    Verification,
    /// Money leaves the card for another account; the merchant is no party to it.
    Transfer,
    /// Money given back without the issuer, told afterwards (0220/20).
    OfflineRefund,
    /// What a chip made of the issuer's script (0620).
    ScriptNotice,
    /// A terminal closes its batch: its totals against the switch's (0500).
    Settlement,
    /// The items of a batch whose totals differ, one by one (0320).
    BatchUpload,
    /// A terminal fetches parameters, CA public keys or applications (0800, 0820).
    Download,
    /// A zone key changes between the switch and an issuer (0800).
    KeyChange,
}

impl Kind {
    /// Every kind, in the order of their declaration. Their places in it are what a journal writes: only
    /// ever add at the end.
    pub const ALL: [Self; 25] = [
        Self::Sale,
        Self::Authorization,
        Self::Balance,
        Self::SaleVoid,
        Self::AuthorizationVoid,
        Self::Increment,
        Self::Completion,
        Self::CompletionAdvice,
        Self::CompletionVoid,
        Self::Refund,
        Self::OfflineSale,
        Self::Adjustment,
        Self::Reversal,
        Self::SignIn,
        Self::SignOff,
        Self::Echo,
        Self::AuthorizationAdvice,
        Self::Verification,
        Self::Transfer,
        Self::OfflineRefund,
        Self::ScriptNotice,
        Self::Settlement,
        Self::BatchUpload,
        Self::Download,
        Self::KeyChange,
    ];

    /// The kind's name in dialect files, logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Authorization => "authorization",
            Self::Balance => "balance",
            Self::SaleVoid => "sale-void",
            Self::AuthorizationVoid => "authorization-void",
            Self::Increment => "increment",
            Self::Completion => "completion",
            Self::CompletionAdvice => "completion-advice",
            Self::CompletionVoid => "completion-void",
            Self::Refund => "refund",
            Self::OfflineSale => "offline-sale",
            Self::Adjustment => "adjustment",
            Self::Reversal => "reversal",
            Self::SignIn => "sign-in",
            Self::SignOff => "sign-off",
            Self::Echo => "echo",
            Self::AuthorizationAdvice => "authorization-advice",
            Self::Verification => "verification",
            Self::Transfer => "transfer",
            Self::OfflineRefund => "offline-refund",
            Self::ScriptNotice => "script-notice",
            Self::Settlement => "settlement",
            Self::BatchUpload => "batch-upload",
            Self::Download => "download",
            Self::KeyChange => "key-change",
        }
    }

    /// How the issuer is told of an approval that was given without it (x120, x220): the kind of the advice.
    /// What has no advice of its own is told as itself, again.
    #[must_use]
    pub fn told_as(self) -> Self {
        match self {
            Self::Sale => Self::OfflineSale,
            Self::Authorization => Self::AuthorizationAdvice,
            Self::Completion => Self::CompletionAdvice,
            other => other,
        }
    }

    /// Whether the kind moves or reads an account: such a message carries a MAC and reaches an issuer. The
    /// others are between the terminal and the switch.
    #[must_use]
    pub fn is_financial(self) -> bool {
        let management = [
            Self::SignIn,
            Self::SignOff,
            Self::Echo,
            Self::Settlement,
            Self::BatchUpload,
            Self::Download,
            Self::KeyChange,
        ];
        !management.contains(&self)
    }

    /// Whether a request of this kind may be refused for what rules, limits or the standing of its terminal say. Reversals,
    /// advices and management never are (rules of the money, 5).
    #[must_use]
    pub const fn may_be_refused(self) -> bool {
        match self {
            Self::Sale
            | Self::Authorization
            | Self::Increment
            | Self::Transfer
            | Self::Balance
            | Self::Verification
            | Self::SaleVoid
            | Self::AuthorizationVoid
            | Self::Completion
            | Self::CompletionVoid
            | Self::Refund => true,
            Self::CompletionAdvice
            | Self::OfflineSale
            | Self::AuthorizationAdvice
            | Self::Adjustment
            | Self::Reversal
            | Self::SignIn
            | Self::SignOff
            | Self::Echo
            | Self::OfflineRefund
            | Self::ScriptNotice
            | Self::Settlement
            | Self::BatchUpload
            | Self::Download
            | Self::KeyChange => false,
        }
    }

    /// Whether its amount is money that moves, or is held or let go: such a message has one, and it is not zero.
    #[must_use]
    pub fn moves_money(self) -> bool {
        let looks = [Self::Balance, Self::Verification, Self::ScriptNotice, Self::Reversal];
        self.is_financial() && !looks.contains(&self)
    }
}

/// What follows when nobody knows whether the issuer did it. Rules of the money, 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnUnknown {
    /// A reversal goes until it is acknowledged.
    Reverse,
    /// The message itself goes again until it is acknowledged.
    Repeat,
    /// Nothing was moved: nothing follows.
    Nothing,
}

/// The class of a message, the part of its MTI that belongs to a transaction's identity.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MessageClass {
    /// x1xx
    Authorization,
    /// x2xx
    Financial,
    /// x3xx
    FileAction,
    /// x4xx
    Reversal,
    /// x5xx
    Reconciliation,
    /// x6xx
    Administrative,
    /// x8xx
    NetworkManagement,
}

impl MessageClass {
    /// From the second digit of an MTI, as ASCII.
    #[must_use]
    pub fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'1' => Self::Authorization,
            b'2' => Self::Financial,
            b'3' => Self::FileAction,
            b'4' => Self::Reversal,
            b'5' => Self::Reconciliation,
            b'6' => Self::Administrative,
            b'8' => Self::NetworkManagement,
            _ => return None,
        })
    }
}
