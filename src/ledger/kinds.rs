//! What each kind of transaction means to the money (rules of the money, 1). One row a kind.

use super::TxnId;
use crate::model::Kind;
use crate::model::OnUnknown;

/// What an approval of a kind does to the cardholder's account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// It is taken, and settled.
    Taken,
    /// It is held, and not settled.
    Held,
    /// It is given back, and settled.
    Given,
    /// It is taken for another account, and never settled to the merchant.
    Moved,
    /// It stays as it is.
    Untouched,
}

/// What a follow-up does to the transaction it follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Following {
    /// Cancels it whole: once, for its own amount, while nothing else was done to it.
    Voids,
    /// Takes what it holds: once, up to [`FollowTerms::completion_percent`] of it.
    Completes,
    /// Gives its money back: as often as there is a rest.
    Refunds,
    /// Holds more.
    Increments,
    /// Changes its amount.
    Adjusts,
}

/// How a follow-up may name its original.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FoundBy {
    /// The original's batch or date, and its STAN.
    Number,
    /// The original's reference number.
    Rrn,
    /// The original's approval code, and the card.
    Approval,
    /// The voucher of a payment by code.
    Voucher,
}

/// What an acquirer allows follow-ups, beyond what the table says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FollowTerms {
    /// The most of a hold that a completion may take, in hundredths: hotels and fuel pumps end above their
    /// estimate. 100 to [`FollowTerms::MOST_PERCENT`].
    pub completion_percent: u16,
    /// The most that an adjustment makes of what was approved, in hundredths: tips have an end. 100 to
    /// [`FollowTerms::MOST_ADJUSTED`].
    pub adjustment_percent: u16,
    /// Days after which a hold is not completed, added to or voided any more.
    pub completion_days: u16,
    /// Days after which nothing is refunded any more.
    pub refund_days: u16,
    /// Whether an offline refund may name no original: then nothing bounds what a terminal gives away.
    pub refund_without_original: bool,
}

impl FollowTerms {
    /// The highest [`FollowTerms::completion_percent`].
    pub const MOST_PERCENT: u16 = 150;

    /// The highest [`FollowTerms::adjustment_percent`].
    pub const MOST_ADJUSTED: u16 = 1_000;

    /// What the acquirers of mainland China are known to allow: 115 percent, 30 days, 30 days. A tip is at most half of
    /// what is paid.
    pub const USUAL: Self = Self {
        completion_percent: 115,
        adjustment_percent: 150,
        completion_days: 30,
        refund_days: 30,
        refund_without_original: false,
    };
}

impl Default for FollowTerms {
    fn default() -> Self {
        Self::USUAL
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effects {
    /// What follows when nobody knows whether the issuer did it.
    pub on_unknown: OnUnknown,
    /// What an approval does.
    pub money: Money,
    /// Whether it takes reservations from counters while it is live.
    pub reserves: bool,
    /// Whether it tells what has been done already (x120, x220): it is accepted at once, whatever the risk and
    /// the limits.
    pub is_advice: bool,
    /// What it does, and to transactions of which kinds.
    pub follows: Option<(Following, &'static [Kind])>,
}

/// The row of `kind`.
#[must_use]
pub const fn of(kind: Kind) -> Effects {
    use Following::{Adjusts, Completes, Increments, Refunds, Voids};
    use OnUnknown::{Nothing, Repeat, Reverse};
    match kind {
        Kind::Sale => row(Reverse, Money::Taken, true, None),
        Kind::Authorization => row(Reverse, Money::Held, true, None),
        Kind::Increment => row(Reverse, Money::Held, true, Some((Increments, &[Kind::Authorization]))),
        Kind::Completion => row(Reverse, Money::Taken, false, Some((Completes, &[Kind::Authorization]))),
        Kind::SaleVoid => row(Reverse, Money::Untouched, false, Some((Voids, &[Kind::Sale, Kind::OfflineSale]))),
        Kind::AuthorizationVoid => row(Reverse, Money::Untouched, false, Some((Voids, &[Kind::Authorization]))),
        Kind::CompletionVoid => row(Reverse, Money::Untouched, false, Some((Voids, COMPLETIONS))),
        Kind::Refund => row(Repeat, Money::Given, false, Some((Refunds, SETTLED))),
        Kind::CompletionAdvice => advice(Money::Taken, Some((Completes, &[Kind::Authorization]))),
        Kind::OfflineSale => advice(Money::Taken, None),
        Kind::AuthorizationAdvice => advice(Money::Held, None),
        Kind::Transfer => row(Reverse, Money::Moved, true, None),
        Kind::OfflineRefund => advice(Money::Given, Some((Refunds, SETTLED))),
        Kind::ScriptNotice => advice(Money::Untouched, None),
        Kind::Adjustment => advice(Money::Untouched, Some((Adjusts, &[Kind::Sale, Kind::OfflineSale]))),
        Kind::Reversal => advice(Money::Untouched, None),
        Kind::Balance
        | Kind::Verification
        | Kind::SignIn
        | Kind::SignOff
        | Kind::Echo
        | Kind::Settlement
        | Kind::BatchUpload
        | Kind::Download
        | Kind::KeyChange => row(Nothing, Money::Untouched, false, None),
    }
}

/// How a follow-up of a kind names its original, the surest first. What a message brings must all agree.
#[must_use]
pub const fn found_by(kind: Kind) -> &'static [FoundBy] {
    use FoundBy::{Approval, Number, Rrn, Voucher};
    match kind {
        Kind::SaleVoid | Kind::CompletionVoid => &[Number, Voucher, Rrn],
        Kind::AuthorizationVoid | Kind::Increment | Kind::Completion | Kind::CompletionAdvice => {
            &[Number, Approval, Rrn]
        }
        Kind::Refund | Kind::OfflineRefund => &[Rrn, Voucher, Number],
        Kind::Adjustment | Kind::ScriptNotice => &[Number, Rrn],
        _ => &[],
    }
}

/// Whether it may follow nothing where the acquirer says so ([`FollowTerms::refund_without_original`]).
#[must_use]
pub const fn may_stand_alone(kind: Kind) -> bool {
    matches!(kind, Kind::OfflineRefund)
}

/// Whether the original must be of the same terminal, batch and business date: while its batch is open, a sale
/// is voided; later it is refunded.
#[must_use]
pub const fn same_batch(kind: Kind) -> bool {
    matches!(kind, Kind::SaleVoid | Kind::CompletionVoid)
}

/// Whether a follow-up that does not fit its original is refused. Adjustments tell what the receipt says, and
/// are not: one that does not fit is kept and follows nothing, for settlement to look at. An advice of a
/// completion takes money, and is refused.
#[must_use]
pub const fn must_fit(kind: Kind) -> bool {
    !matches!(kind, Kind::Adjustment)
}

/// Whether rules remember a kind: what moves, holds or lets go money, and what looks at a card.
#[must_use]
pub fn is_remembered(kind: Kind) -> bool {
    kind.moves_money() || matches!(kind, Kind::Balance | Kind::Verification)
}

/// Whether it adds to a hold.
#[must_use]
pub const fn adds(kind: Kind) -> bool {
    matches!(of(kind).follows, Some((Following::Increments, _)))
}

/// Whether an issuer may approve a part of a kind (10): of what takes or holds money while the customer stands
/// there. Nobody cancels, gives back or transfers by halves.
#[must_use]
pub const fn may_be_partial(kind: Kind) -> bool {
    matches!(kind, Kind::Sale | Kind::Authorization | Kind::Increment | Kind::Completion)
}

/// Whether an adjustment makes another amount of a kind.
#[must_use]
pub fn is_adjustable(kind: Kind) -> bool {
    matches!(of(Kind::Adjustment).follows, Some((Following::Adjusts, adjusted)) if adjusted.contains(&kind))
}

const COMPLETIONS: &[Kind] = &[Kind::Completion, Kind::CompletionAdvice];
const SETTLED: &[Kind] = &[Kind::Sale, Kind::OfflineSale, Kind::Completion, Kind::CompletionAdvice];

type Follows = Option<(Following, &'static [Kind])>;

const fn row(on_unknown: OnUnknown, money: Money, reserves: bool, follows: Follows) -> Effects {
    Effects { on_unknown, money, reserves, is_advice: false, follows }
}

const fn advice(money: Money, follows: Follows) -> Effects {
    Effects { on_unknown: OnUnknown::Repeat, money, reserves: false, is_advice: true, follows }
}

/// The first of the transactions that settle together: the one whose money a void, a refund or an adjustment is
/// about; else the transaction itself. A completion is a first one: what it completes moved no money.
#[must_use]
pub fn family_of(kind: Kind, id: TxnId, follows: Option<TxnId>) -> TxnId {
    let row = of(kind);
    let is_about_money = match row.follows {
        Some((Following::Voids, voided)) => voided.iter().any(|kind| of(*kind).money == Money::Taken),
        Some((Following::Refunds | Following::Adjusts, _)) => true,
        Some((Following::Completes | Following::Increments, _)) | None => false,
    };
    follows.filter(|_| is_about_money).unwrap_or(id)
}
