//! The enforcement ladder: warned, fined, suspended, terminated. Pure: what was done to a subject leads to where it is.

use super::Amount;
use super::MerchantId;
use super::Standing;
use super::TerminalId;
use super::Timestamp;
use std::collections::VecDeque;

/// Who stands on a ladder.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// A terminal, DE 41.
    Terminal(TerminalId),
    /// A merchant, DE 42: all of its terminals.
    Merchant(MerchantId),
}

/// What a terminal is asked to do, at its next sign-in or echo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RemoteAction {
    /// Sign in again.
    SignIn,
    /// Fetch its lists.
    Download,
    /// Have its software upgraded.
    Upgrade,
}

impl RemoteAction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SignIn, Self::Download, Self::Upgrade];

    /// As commands and reports write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Download => "download",
            Self::Upgrade => "upgrade",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    fn bit(self) -> u8 {
        match self {
            Self::SignIn => 1,
            Self::Download => 1 << 1,
            Self::Upgrade => 1 << 2,
        }
    }
}

/// A set of remote actions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RemoteActions(u8);

impl RemoteActions {
    /// Whether it is among them.
    #[must_use]
    pub fn has(self, action: RemoteAction) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those and this.
    #[must_use]
    pub fn with(self, action: RemoteAction) -> Self {
        Self(self.0 | action.bit())
    }

    /// Those but this.
    #[must_use]
    pub fn without(self, action: RemoteAction) -> Self {
        Self(self.0 & !action.bit())
    }

    /// Those of the set, in the order of the enum.
    pub fn iter(self) -> impl Iterator<Item = RemoteAction> {
        RemoteAction::ALL.into_iter().filter(move |action| self.has(*action))
    }

    /// As a number, a bit an action: what the ledger keeps.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// From such a number; `None` if a bit means nothing.
    #[must_use]
    pub fn of_bits(bits: u8) -> Option<Self> {
        let all = RemoteAction::ALL.into_iter().fold(Self::default(), Self::with);
        (bits & !all.0 == 0).then_some(Self(bits))
    }
}

/// One step on a ladder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LadderStep {
    /// A warning.
    Warn,
    /// A fine, in minor units of the acquirer's currency: an entry; nobody is charged by it.
    Fine(Amount),
    /// No requests from the next message on (58).
    Suspend,
    /// Requests again.
    Resume,
    /// Suspended for good.
    Terminate,
    /// The terminal is to do something.
    Ask(RemoteAction),
    /// It has done it.
    Done(RemoteAction),
}

impl LadderStep {
    /// As commands and reports write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Fine(_) => "fine",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
            Self::Ask(_) => "ask",
            Self::Done(_) => "done",
        }
    }
}

/// A step, with whom, by whom, why and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LadderEntry {
    /// With whom.
    pub subject: Subject,
    /// What is done.
    pub step: LadderStep,
    /// By whom: an operator, or `rule:` and a rule's id. 1 to [`LadderEntry::ACTOR`] characters.
    pub actor: Box<str>,
    /// Why: 1 to [`LadderEntry::REASON`] characters; nothing in it is secret.
    pub reason: Box<str>,
    /// When.
    pub at: Timestamp,
}

impl LadderEntry {
    /// The most characters of an actor.
    pub const ACTOR: usize = 64;
    /// The most characters of a reason.
    pub const REASON: usize = 256;

    /// What is wrong with its texts, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        by_whom_and_why(&self.actor, &self.reason)
    }
}

/// What is wrong with an actor and a reason.
pub(super) fn by_whom_and_why(actor: &str, reason: &str) -> Option<&'static str> {
    let actor = text_fault(actor, LadderEntry::ACTOR, "the actor is empty", "the actor has more than 64 characters");
    let long = "the reason has more than 256 characters";
    actor.or_else(|| text_fault(reason, LadderEntry::REASON, "the reason is empty", long))
}

/// What is wrong with a text that must be there and have no more than `most` characters.
pub(super) fn text_fault(text: &str, most: usize, empty: &'static str, long: &'static str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some(empty);
    }
    if text.chars().any(char::is_control) {
        return Some("a text has control characters");
    }
    (text.chars().count() > most).then_some(long)
}

/// Where a subject stands, and how it came there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ladder {
    /// Whether it may trade, as far as the ladder goes; the registry may be worse.
    pub standing: Standing,
    /// How often it was warned.
    pub warnings: u32,
    /// How often it was fined, and the sum in minor units.
    pub fines: (u32, u64),
    /// What the terminal is to do and has not done.
    pub asked: RemoteActions,
    /// The last [`Ladder::ENTRIES`] steps, the oldest first.
    pub entries: VecDeque<LadderEntry>,
}

impl Ladder {
    /// How many steps are kept.
    pub const ENTRIES: usize = 32;

    /// Why a step cannot be taken from here, if it cannot. What is terminated stays so, and nothing is done to it.
    #[must_use]
    pub fn refusal(&self, entry: &LadderEntry) -> Option<&'static str> {
        let is_terminal = matches!(entry.subject, Subject::Terminal(_));
        match (self.standing, entry.step) {
            (Standing::Terminated, _) => Some("it is terminated, which is for good"),
            (Standing::Suspended, LadderStep::Suspend) => Some("it is suspended already"),
            (Standing::Active, LadderStep::Resume) => Some("it is not suspended"),
            (_, LadderStep::Fine(Amount::ZERO)) => Some("a fine of nothing"),
            (_, LadderStep::Ask(_) | LadderStep::Done(_)) if !is_terminal => {
                Some("only a terminal can be asked to do something")
            }
            (_, LadderStep::Done(action)) if !self.asked.has(action) => Some("it was not asked to"),
            _ => None,
        }
    }

    /// Takes a step, whatever stands against it.
    pub fn take(&mut self, entry: LadderEntry) {
        match entry.step {
            LadderStep::Warn => self.warnings = self.warnings.saturating_add(1),
            LadderStep::Fine(amount) => {
                let (count, sum) = self.fines;
                self.fines = (count.saturating_add(1), sum.saturating_add(amount.minor()));
            }
            LadderStep::Resume if self.standing == Standing::Terminated => {}
            LadderStep::Resume => self.standing = Standing::Active,
            LadderStep::Suspend if self.standing == Standing::Terminated => {}
            LadderStep::Suspend => self.standing = Standing::Suspended,
            LadderStep::Terminate => self.standing = Standing::Terminated,
            LadderStep::Ask(action) => self.asked = self.asked.with(action),
            LadderStep::Done(action) => self.asked = self.asked.without(action),
        }
        if self.entries.len() >= Self::ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(step: LadderStep) -> LadderEntry {
        let subject = Subject::Terminal(TerminalId::parse(b"10000001").unwrap());
        LadderEntry { subject, step, actor: "zhao".into(), reason: "why".into(), at: Timestamp(0) }
    }

    fn after(steps: &[LadderStep]) -> Ladder {
        let mut ladder = Ladder::default();
        steps.iter().for_each(|step| ladder.take(entry(*step)));
        ladder
    }

    #[test]
    fn who_is_terminated_stays_so_and_nothing_is_done_to_it() {
        let ended = after(&[LadderStep::Terminate]);
        for step in [LadderStep::Warn, LadderStep::Resume, LadderStep::Suspend, LadderStep::Terminate] {
            assert!(ended.refusal(&entry(step)).is_some(), "{step:?}");
        }
        assert_eq!(after(&[LadderStep::Terminate, LadderStep::Resume]).standing, Standing::Terminated);
    }

    #[test]
    fn who_is_suspended_may_trade_again_once_somebody_says_so() {
        assert!(after(&[]).refusal(&entry(LadderStep::Resume)).is_some());
        let suspended = after(&[LadderStep::Suspend]);
        assert_eq!(suspended.refusal(&entry(LadderStep::Resume)), None);
        assert!(suspended.refusal(&entry(LadderStep::Suspend)).is_some());
        assert_eq!(after(&[LadderStep::Suspend, LadderStep::Resume]).standing, Standing::Active);
    }

    #[test]
    fn what_is_asked_stays_asked_until_it_is_done() {
        let asked = after(&[LadderStep::Ask(RemoteAction::Download), LadderStep::Ask(RemoteAction::SignIn)]);
        assert_eq!(asked.asked.iter().collect::<Vec<_>>(), [RemoteAction::SignIn, RemoteAction::Download]);
        assert!(asked.refusal(&entry(LadderStep::Done(RemoteAction::Upgrade))).is_some());
        assert_eq!(RemoteActions::of_bits(asked.asked.bits()), Some(asked.asked));
        assert_eq!(RemoteActions::of_bits(8), None);
    }

    #[test]
    fn the_last_steps_are_kept_and_all_are_counted() {
        let fine = LadderStep::Fine(Amount::new(500).unwrap());
        let ladder = after(&[fine; 40]);
        assert_eq!((ladder.entries.len(), ladder.fines), (Ladder::ENTRIES, (40, 20_000)));
    }

    #[test]
    fn texts_are_there_and_bounded() {
        let of = |actor: &str, reason: &str| LadderEntry {
            actor: actor.into(),
            reason: reason.into(),
            ..entry(LadderStep::Warn)
        };
        assert_eq!(of("zhao", &"é".repeat(256)).fault(), None);
        for bad in
            [of("", "why"), of("zhao", " "), of(&"a".repeat(65), "why"), of("zhao", &"a".repeat(257)), of("z\n", "w")]
        {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
