//! How far a merchant has come: from its application to its end.

use crate::model::Standing;

/// The life of a merchant. Only an active one trades.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MerchantState {
    /// It has asked to be taken on.
    Applied,
    /// Somebody looks into it.
    Reviewing,
    /// It trades.
    #[default]
    Active,
    /// Not for now.
    Suspended,
    /// Never again.
    Closed,
}

use MerchantState::{Active, Applied, Closed, Reviewing, Suspended};

/// Each state, and those that may follow it at once.
const STEPS: [(MerchantState, &[MerchantState]); 5] = [
    (Applied, &[Reviewing, Closed]),
    (Reviewing, &[Applied, Active, Closed]),
    (Active, &[Suspended, Closed]),
    (Suspended, &[Active, Closed]),
    (Closed, &[]),
];

impl MerchantState {
    const NAMES: [(&'static str, Self); 5] = [
        ("applied", Applied),
        ("reviewing", Reviewing),
        ("active", Active),
        ("suspended", Suspended),
        ("closed", Closed),
    ];

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    /// What that means for its terminals: who is not active yet is served as one that is suspended.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            Active => Standing::Active,
            Applied | Reviewing | Suspended => Standing::Suspended,
            Closed => Standing::Terminated,
        }
    }

    /// The state that the older column `standing` speaks of.
    #[must_use]
    pub fn of(standing: Standing) -> Self {
        match standing {
            Standing::Active => Active,
            Standing::Suspended => Suspended,
            Standing::Terminated => Closed,
        }
    }

    /// Whether this state may follow `from` at once.
    #[must_use]
    pub fn may_follow(self, from: Self) -> bool {
        STEPS.iter().any(|(state, next)| *state == from && next.contains(&self))
    }

    /// Whether a merchant may have come from `from` to this state between two looks at the lists, by any number of
    /// steps.
    #[must_use]
    pub fn may_come_of(self, from: Self) -> bool {
        let mut reached = vec![from];
        let mut next = 0;
        while let Some(state) = reached.get(next).copied() {
            next += 1;
            for (_, follows) in STEPS.iter().filter(|(known, _)| *known == state) {
                let new: Vec<_> = follows.iter().filter(|state| !reached.contains(state)).copied().collect();
                reached.extend(new);
            }
        }
        reached.contains(&self)
    }
}
