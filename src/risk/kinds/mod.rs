//! The kinds of rules, one idea a file: what a rule of the kind says in a rule file, and when it speaks.

mod card_testing;
mod chip;
mod contactless;
mod daily;
mod device;
mod hours;
mod list;
mod merchant;
mod patterns;
mod pin_tries;
mod refund_ratio;
mod region;
mod single;
mod source;
mod velocity;
mod view;

pub(super) use view::{Per, View};

use super::kind_set::KindSet;
use super::rule_set::Row;
use crate::model::ResponseCode;
use crate::model::Timestamp;

/// What a rule says when it speaks.
#[derive(Debug)]
pub(super) struct Said {
    /// What it answers, unless its file says otherwise.
    pub(super) code: ResponseCode,
    /// Why, for people.
    pub(super) evidence: String,
}

impl Said {
    fn new(code: ResponseCode, evidence: impl Into<String>) -> Option<Self> {
        Some(Self { code, evidence: evidence.into() })
    }
}

/// One kind of rule.
trait Speaks: Sized {
    /// The transactions that it is for, if its file does not say.
    const SCOPE: KindSet;

    /// Its own keys. Every key it may have is asked for, whatever is wrong with others.
    fn read(row: &mut Row<'_>) -> Option<Self>;

    /// Whether it speaks of the request, and what it says.
    fn speaks(&self, view: &View<'_>) -> Option<Said>;
}

/// Declares the kinds by their names in rule files.
macro_rules! kinds {
    ($($name:literal = $kind:ident: $path:path;)+) => {
        /// What a rule looks at.
        #[derive(Debug)]
        pub(super) enum Test { $($kind($path)),+ }

        impl Test {
            /// The transactions that a kind of this name is for; `None` if there is no such kind.
            pub(super) fn scope(name: &str) -> Option<KindSet> {
                match name { $($name => Some(<$path as Speaks>::SCOPE),)+ _ => None }
            }

            /// Reads a rule of the kind of this name.
            pub(super) fn read(name: &str, row: &mut Row<'_>) -> Option<Self> {
                match name { $($name => <$path as Speaks>::read(row).map(Self::$kind),)+ _ => None }
            }

            /// Whether it speaks of the request, and what it says.
            pub(super) fn speaks(&self, view: &View<'_>) -> Option<Said> {
                match self { $(Self::$kind(kind) => kind.speaks(view)),+ }
            }
        }

        /// The names of all kinds.
        pub(super) fn kind_names() -> impl Iterator<Item = &'static str> {
            [$($name),+].into_iter()
        }
    };
}

kinds! {
    "always" = Always: list::Always;
    "single" = Single: single::Single;
    "daily" = Daily: daily::Daily;
    "velocity" = Velocity: velocity::Velocity;
    "region-jump" = RegionJump: region::RegionJump;
    "region-change" = RegionChange: region::RegionChange;
    "mcc-jump" = MccJump: merchant::MccJump;
    "merchant-name" = MerchantName: merchant::MerchantName;
    "fee-floor" = FeeFloor: merchant::FeeFloor;
    "fallback" = Fallback: chip::Fallback;
    "entry-mode" = EntryMode: chip::EntryMode;
    "contactless-no-pin" = Contactless: contactless::Contactless;
    "hours" = Hours: hours::Hours;
    "round-amounts" = RoundAmounts: patterns::RoundAmounts;
    "repeated-amounts" = RepeatedAmounts: patterns::RepeatedAmounts;
    "card-testing" = CardTesting: card_testing::CardTesting;
    "pin-tries" = PinTries: pin_tries::PinTries;
    "mac-failures" = MacFailures: source::MacFailures;
    "source-change" = SourceChange: source::SourceChange;
    "silent" = Silent: source::Silent;
    "refund-ratio" = RefundRatio: refund_ratio::RefundRatio;
    "device" = Device: device::Device;
    "firmware" = LeastFirmware: device::LeastFirmware;
    "list" = List: list::List;
}

impl Test {
    /// What a daily rule counts.
    pub(super) fn counts(&self) -> Option<Per> {
        match self {
            Self::Daily(daily) => Some(daily.per()),
            _ => None,
        }
    }

    /// Whether it counts declines: what it declines itself is none to it, or it would never end.
    pub(super) fn counts_declines(&self) -> bool {
        match self {
            Self::Velocity(velocity) => velocity.counts_declines(),
            Self::CardTesting(testing) => testing.counts_declines(),
            _ => false,
        }
    }

    /// How many entries of its list have ended by `now`, of how many.
    pub(super) fn lapsed(&self, now: Timestamp) -> (usize, usize) {
        match self {
            Self::List(list) => list.lapsed(now),
            _ => (0, 0),
        }
    }

    /// A daily rule's limits on amount and count.
    pub(super) fn limits(&self) -> Option<&daily::Daily> {
        match self {
            Self::Daily(daily) => Some(daily),
            _ => None,
        }
    }
}

/// Minor units with two decimals, as people read them; sums may pass what one amount can be.
fn money(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}
