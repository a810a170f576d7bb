//! Sets of transaction kinds.

use crate::model::Kind;

/// Some of the transaction kinds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct KindSet(u32);

impl KindSet {
    pub(super) const fn of(kinds: &[Kind]) -> Self {
        let (mut bits, mut rest) = (0, kinds);
        while let [kind, others @ ..] = rest {
            bits |= 1 << (*kind as u32);
            rest = others;
        }
        Self(bits)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Money is asked for, or was without the issuer.
    pub(super) const SPENDING: Self = Self::of(&[
        Kind::Sale,
        Kind::Authorization,
        Kind::Increment,
        Kind::Transfer,
        Kind::OfflineSale,
        Kind::AuthorizationAdvice,
    ]);
    /// That, or an account is looked at.
    pub(super) const ASKING: Self = Self::SPENDING.and(Self::of(&[Kind::Balance, Kind::Verification]));
    /// Money is given back.
    pub(super) const REFUNDS: Self = Self::of(&[Kind::Refund, Kind::OfflineRefund]);
    /// All of these.
    pub(super) const CARDS: Self = Self::ASKING.and(Self::REFUNDS);
    /// What rules are asked about at all: the others are no requests of the ledger.
    pub(super) const JUDGED: Self = Self::CARDS.and(Self::of(&[
        Kind::SaleVoid,
        Kind::AuthorizationVoid,
        Kind::Completion,
        Kind::CompletionAdvice,
        Kind::CompletionVoid,
        Kind::Adjustment,
        Kind::ScriptNotice,
    ]));
    /// What may be refused; the other kinds never are (rules of the money, 5).
    pub(super) const REFUSED: Self = {
        let (mut set, mut rest) = (Self(0), Kind::ALL.as_slice());
        while let [kind, others @ ..] = rest {
            if kind.may_be_refused() {
                set = set.and(Self::of(&[*kind]));
            }
            rest = others;
        }
        set
    };
    /// What may bring a PIN.
    pub(super) const PIN: Self = Self::of(&[
        Kind::Sale,
        Kind::Authorization,
        Kind::Increment,
        Kind::Transfer,
        Kind::Balance,
        Kind::Verification,
        Kind::SaleVoid,
        Kind::AuthorizationVoid,
        Kind::Completion,
        Kind::CompletionVoid,
    ]);
    /// What reserves on the day's counters.
    pub(super) const RESERVING: Self = Self::of(&[Kind::Sale, Kind::Authorization, Kind::Increment, Kind::Transfer]);

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << (kind as u32)) != 0
    }

    /// Whether all of it are among those.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
