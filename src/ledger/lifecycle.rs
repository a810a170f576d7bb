//! The life of one transaction on one page (rules of the money, 4 and 5). Pure: no clock, no lock.
//!
//! [`step`] decides; [`Change`] says what follows from having moved. What a state *means* is defined
//! once, by [`State::is_live`] and [`State::owes`]: a reservation stands exactly while its transaction
//! is live, and a message is owed exactly while the state names one. So nothing can be given back
//! twice, and one transaction cannot owe two reversals.

use super::Effect;
use super::Outcome;
use super::Owed;
use crate::model::OnUnknown;

/// Where a transaction is: its decision and what stands of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Intended; the issuer may or may not have it.
    Open,
    /// Decided, and the decision stands.
    Stands(Outcome),
    /// Approved; the issuer is owed the message itself, until it has it.
    Advising,
    /// A reversal is owed to the issuer.
    Reversing(Undone),
    /// The issuer acknowledged the reversal.
    Reversed(Undone),
    /// The issuer refused the reversal for good.
    Irreversible(Undone),
    /// Approved; the issuer refused to be told, for good.
    Unadvised,
}

/// What a reversal undoes. A decline is never undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Undone {
    /// An approval, by the terminal's wish.
    Approval,
    /// A timeout.
    Silence,
}

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// The flow decides.
    Decide(Outcome),
    /// The flow approves what the issuer does not know of.
    ApproveUntold,
    /// The terminal reverses it.
    TerminalReversal,
    /// An issuer's answer that nobody awaits any more.
    LateAnswer,
    /// The issuer has what it was owed.
    Acknowledged,
    /// What is owed must go again.
    Postponed,
    /// The issuer will never take what it is owed.
    Refused,
}

/// What the issuer may be owed on account of a transaction: its kind's row, and whether there is an
/// issuer at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Terms {
    /// Nothing: no issuer, or nothing to undo.
    Nothing,
    /// The reversal of what it may have done.
    Reverse,
    /// The message itself, until it has it: the switch makes it come true.
    Repeat,
}

impl Terms {
    pub(super) fn of(on_unknown: OnUnknown, has_issuer: bool) -> Self {
        match on_unknown {
            OnUnknown::Reverse if has_issuer => Self::Reverse,
            OnUnknown::Repeat if has_issuer => Self::Repeat,
            _ => Self::Nothing,
        }
    }
}

impl State {
    /// The decision, once made.
    pub(super) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Open => None,
            Self::Stands(outcome) => Some(outcome),
            Self::Advising | Self::Unadvised => Some(Outcome::Approved),
            Self::Reversing(undone) | Self::Reversed(undone) | Self::Irreversible(undone) => Some(match undone {
                Undone::Approval => Outcome::Approved,
                Undone::Silence => Outcome::TimedOut,
            }),
        }
    }

    /// What stands of the decision, as far as the transaction itself goes.
    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Open | Self::Stands(_) => Effect::Live,
            Self::Advising => Effect::Advising,
            Self::Reversing(_) => Effect::Reversing,
            Self::Reversed(_) => Effect::Reversed,
            Self::Irreversible(_) | Self::Unadvised => Effect::DeadLetter,
        }
    }

    /// Whether it may have moved money and keeps what it reserved.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Open) || self.is_approved()
    }

    /// Whether it is approved and nobody undoes it.
    pub(super) fn is_approved(self) -> bool {
        matches!(self, Self::Stands(Outcome::Approved) | Self::Advising | Self::Unadvised)
    }

    /// Whether the issuer may hold it, now or in the end. What it refuses to undo it may hold for ever.
    pub(super) fn may_bind(self) -> bool {
        self.is_live() || matches!(self, Self::Reversing(_) | Self::Irreversible(_))
    }

    /// Whether it has come to something that the issuer holds: it is decided, and not being undone.
    pub(super) fn has_come(self) -> bool {
        self.may_bind() && self != Self::Open && !self.is_reversing()
    }

    /// Whether its issuer has yet to hear of it: it is not decided, or waits in the queue.
    pub(super) fn is_untold(self) -> bool {
        self == Self::Open || self.owes().is_some()
    }

    /// Whether the issuer is being told to undo it.
    pub(super) fn is_reversing(self) -> bool {
        self.owes() == Some(Owed::Reversal)
    }

    /// What waits in the issuer's queue.
    pub(super) fn owes(self) -> Option<Owed> {
        match self {
            Self::Reversing(_) => Some(Owed::Reversal),
            Self::Advising => Some(Owed::Advice),
            _ => None,
        }
    }

    /// Whether nothing but a look-up or a follow-up can concern it any more. A dead letter concerns a person.
    pub(super) fn is_finished(self) -> bool {
        !matches!(self, Self::Open | Self::Irreversible(_) | Self::Unadvised) && self.owes().is_none()
    }
}

/// Where `event` moves a transaction that is in `state`. Total: a pair that changes nothing says so.
///
/// Who asks for a decision and finds another one standing is the loser of a race and reads the winner;
/// hence a decision moves nothing but an open transaction.
pub(super) fn step(state: State, event: Event, terms: Terms) -> State {
    use Event::*;
    use State::*;
    let reverses = terms != Terms::Nothing;
    match (state, event) {
        (Open, Decide(Outcome::TimedOut)) if terms == Terms::Repeat => Advising,
        (Open, Decide(Outcome::TimedOut)) if terms == Terms::Reverse => Reversing(Undone::Silence),
        (Open, Decide(outcome)) => Stands(outcome),
        (Open, ApproveUntold) if reverses => Advising,
        (Open, ApproveUntold) => Stands(Outcome::Approved),
        (Open, TerminalReversal) if reverses => Reversing(Undone::Silence),
        (Open, TerminalReversal) => Stands(Outcome::TimedOut),
        (Open, LateAnswer | Acknowledged | Postponed | Refused) => Open,

        (Stands(Outcome::Approved) | Advising, TerminalReversal) if reverses => Reversing(Undone::Approval),
        (Stands(_), _) => state,

        (Advising, Acknowledged) => Stands(Outcome::Approved),
        (Advising, Refused) => Unadvised,
        (Advising, Decide(_) | ApproveUntold | TerminalReversal | LateAnswer | Postponed) => state,

        (Reversing(undone), Acknowledged) => Reversed(undone),
        (Reversing(undone), Refused) => Irreversible(undone),
        (Reversing(_), Decide(_) | ApproveUntold | TerminalReversal | LateAnswer | Postponed) => state,

        // It may have it all the same, of a try that it never answered.
        (Unadvised, TerminalReversal) if reverses => Reversing(Undone::Approval),
        (Reversed(_) | Irreversible(_) | Unadvised, _) => state,
    }
}

/// What follows from having moved between two states, in the same commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Change {
    /// A message joins the issuer's queue.
    pub(super) owes: bool,
    /// Another message takes its place in the queue.
    pub(super) owes_other: bool,
    /// The message leaves the issuer's queue.
    pub(super) settles: bool,
}

impl Change {
    /// What follows from having moved from `from` to `to`.
    pub(super) fn between(from: State, to: State) -> Self {
        Self {
            owes: from.owes().is_none() && to.owes().is_some(),
            owes_other: from.owes().is_some() && to.owes().is_some() && from.owes() != to.owes(),
            settles: from.owes().is_some() && to.owes().is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Event::*;
    use super::Outcome::*;
    use super::State::*;
    use super::Terms::*;
    use super::Undone::*;
    use super::*;

    const STATES: [State; 12] = [
        Open,
        Stands(Approved),
        Stands(Declined),
        Stands(TimedOut),
        Advising,
        Unadvised,
        Reversing(Approval),
        Reversing(Silence),
        Reversed(Approval),
        Reversed(Silence),
        Irreversible(Approval),
        Irreversible(Silence),
    ];
    const EVENTS: [Event; 9] = [
        Decide(Approved),
        Decide(Declined),
        Decide(TimedOut),
        ApproveUntold,
        TerminalReversal,
        LateAnswer,
        Acknowledged,
        Postponed,
        Refused,
    ];
    const ALL: &[Terms] = &[Nothing, Reverse, Repeat];
    const OWING: &[Terms] = &[Reverse, Repeat];
    const OTHERS: &[Terms] = &[Nothing];

    /// Every pair that moves, written by hand; each pair that is not here must change nothing.
    const MOVES: &[(State, Event, &[Terms], State)] = &[
        (Open, Decide(Approved), ALL, Stands(Approved)),
        (Open, Decide(Declined), ALL, Stands(Declined)),
        (Open, Decide(TimedOut), &[Reverse], Reversing(Silence)),
        (Open, Decide(TimedOut), &[Repeat], Advising),
        (Open, Decide(TimedOut), OTHERS, Stands(TimedOut)),
        (Open, ApproveUntold, OWING, Advising),
        (Open, ApproveUntold, OTHERS, Stands(Approved)),
        (Open, TerminalReversal, OWING, Reversing(Silence)),
        (Open, TerminalReversal, OTHERS, Stands(TimedOut)),
        (Stands(Approved), TerminalReversal, OWING, Reversing(Approval)),
        (Advising, TerminalReversal, OWING, Reversing(Approval)),
        (Advising, Acknowledged, ALL, Stands(Approved)),
        (Advising, Refused, ALL, Unadvised),
        (Unadvised, TerminalReversal, OWING, Reversing(Approval)),
        (Reversing(Approval), Acknowledged, ALL, Reversed(Approval)),
        (Reversing(Approval), Refused, ALL, Irreversible(Approval)),
        (Reversing(Silence), Acknowledged, ALL, Reversed(Silence)),
        (Reversing(Silence), Refused, ALL, Irreversible(Silence)),
    ];

    fn all() -> impl Iterator<Item = (State, Event, Terms)> {
        let pairs = STATES.into_iter().flat_map(|state| EVENTS.into_iter().map(move |event| (state, event)));
        pairs.flat_map(|(state, event)| ALL.iter().map(move |terms| (state, event, *terms)))
    }

    #[test]
    fn every_pair_of_state_and_event_is_as_the_table_says() {
        for (state, event, terms) in all() {
            let row = MOVES.iter().find(|row| (row.0, row.1) == (state, event) && row.2.contains(&terms));
            let expected = row.map_or(state, |row| row.3);
            assert_eq!(step(state, event, terms), expected, "{state:?} x {event:?}, {terms:?}");
        }
    }

    #[test]
    fn a_decision_once_made_never_changes() {
        for (state, event, terms) in all().filter(|(state, _, _)| *state != Open) {
            assert_eq!(step(state, event, terms).outcome(), state.outcome(), "{state:?} x {event:?}");
        }
    }

    #[test]
    fn what_was_undone_never_comes_alive_again_and_a_settled_reversal_is_never_due_again() {
        for (state, event, terms) in all() {
            let to = step(state, event, terms);
            assert!(state.is_live() || !to.is_live(), "{state:?} x {event:?}");
            let was_reversal = matches!(state, Reversing(_) | Reversed(_) | Irreversible(_));
            let change = Change::between(state, to);
            assert!(!(was_reversal && (change.owes || change.owes_other)), "{state:?} x {event:?}");
        }
    }

    #[test]
    fn a_silent_issuer_is_told_to_undo_in_the_same_step() {
        let to = step(Open, Decide(TimedOut), Reverse);
        assert_eq!((to.owes(), to.is_live()), (Some(Owed::Reversal), false));
        assert!(Change::between(Open, to).owes);
    }

    #[test]
    fn what_is_repeated_until_acknowledged_counts_as_approved_from_the_start() {
        let to = step(Open, Decide(TimedOut), Repeat);
        assert_eq!((to.outcome(), to.owes(), to.is_live()), (Some(Approved), Some(Owed::Advice), true));
    }

    #[test]
    fn only_the_end_of_a_message_leaves_the_queue() {
        for (state, event, terms) in all() {
            let change = Change::between(state, step(state, event, terms));
            let ends = state.owes().is_some() && matches!(event, Acknowledged | Refused);
            assert_eq!(change.settles, ends, "{state:?} x {event:?}");
        }
    }
}
