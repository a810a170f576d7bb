//! The life of one transaction on one page (rules of the money, 4 and 5). Pure: no clock, no lock.
//!
//! [`step`] decides; [`Change`] says what follows from having moved. What a state *means* is defined
//! once, by [`State::is_live`] and [`State::owes_reversal`]: a reservation stands exactly while its
//! transaction is live, and a reversal is owed exactly while it is reversing. So nothing can be given
//! back twice, and one transaction cannot owe two reversals.

use super::Effect;
use super::Outcome;

/// Where a transaction is: its decision and what stands of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Intended; the issuer may or may not have it.
    Open,
    /// Decided, and the decision stands.
    Stands(Outcome),
    /// A reversal is owed to the issuer.
    Reversing(Undone),
    /// The issuer acknowledged the reversal.
    Reversed(Undone),
    /// The issuer refused the reversal for good.
    DeadLetter(Undone),
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
    /// The terminal reverses it.
    TerminalReversal,
    /// An issuer's answer that nobody awaits any more.
    LateAnswer,
    /// The issuer has our reversal.
    Acknowledged,
    /// Our reversal must go again.
    Postponed,
    /// The issuer will never take our reversal.
    Refused,
}

impl State {
    /// The decision, once made.
    pub(super) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Open => None,
            Self::Stands(outcome) => Some(outcome),
            Self::Reversing(undone) | Self::Reversed(undone) | Self::DeadLetter(undone) => Some(match undone {
                Undone::Approval => Outcome::Approved,
                Undone::Silence => Outcome::TimedOut,
            }),
        }
    }

    /// What stands of the decision.
    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Open | Self::Stands(_) => Effect::Live,
            Self::Reversing(_) => Effect::Reversing,
            Self::Reversed(_) => Effect::Reversed,
            Self::DeadLetter(_) => Effect::DeadLetter,
        }
    }

    /// Whether it may have moved money and keeps what it reserved.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Stands(Outcome::Approved))
    }

    /// Whether its reversal waits in the issuer's queue.
    pub(super) fn owes_reversal(self) -> bool {
        matches!(self, Self::Reversing(_))
    }
}

/// Where `event` moves a transaction that is in `state`. Total: a pair that changes nothing says so.
///
/// `undoable` is whether the issuer must be told to undo what it may have done: the kind's row, and
/// whether there is an issuer at all. Who asks for a decision and finds another one standing is the
/// loser of a race and reads the winner; hence a decision moves nothing but an open transaction.
pub(super) fn step(state: State, event: Event, undoable: bool) -> State {
    use Event::*;
    use State::*;
    match (state, event) {
        (Open, Decide(Outcome::TimedOut) | TerminalReversal) if undoable => Reversing(Undone::Silence),
        (Open, TerminalReversal) => Stands(Outcome::TimedOut),
        (Open, Decide(outcome)) => Stands(outcome),
        (Open, LateAnswer | Acknowledged | Postponed | Refused) => Open,

        (Stands(Outcome::Approved), TerminalReversal) if undoable => Reversing(Undone::Approval),
        (Stands(_), TerminalReversal) => state,
        (Stands(_), Decide(_) | LateAnswer | Acknowledged | Postponed | Refused) => state,

        (Reversing(undone), Acknowledged) => Reversed(undone),
        (Reversing(undone), Refused) => DeadLetter(undone),
        (Reversing(_), Decide(_) | TerminalReversal | LateAnswer | Postponed) => state,

        (
            Reversed(_) | DeadLetter(_),
            Decide(_) | TerminalReversal | LateAnswer | Acknowledged | Postponed | Refused,
        ) => state,
    }
}

/// What follows from having moved between two states, in the same commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Change {
    /// Reservations go back to the counters they were taken from.
    pub(super) gives_back: bool,
    /// The reversal joins the issuer's queue.
    pub(super) owes: bool,
    /// The reversal leaves the issuer's queue.
    pub(super) settles: bool,
}

impl Change {
    /// What follows from having moved from `from` to `to`.
    pub(super) fn between(from: State, to: State) -> Self {
        Self {
            gives_back: from.is_live() && !to.is_live(),
            owes: !from.owes_reversal() && to.owes_reversal(),
            settles: from.owes_reversal() && !to.owes_reversal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Event::*;
    use super::Outcome::*;
    use super::State::*;
    use super::Undone::*;
    use super::*;

    const STATES: [State; 10] = [
        Open,
        Stands(Approved),
        Stands(Declined),
        Stands(TimedOut),
        Reversing(Approval),
        Reversing(Silence),
        Reversed(Approval),
        Reversed(Silence),
        DeadLetter(Approval),
        DeadLetter(Silence),
    ];
    const EVENTS: [Event; 8] = [
        Decide(Approved),
        Decide(Declined),
        Decide(TimedOut),
        TerminalReversal,
        LateAnswer,
        Acknowledged,
        Postponed,
        Refused,
    ];

    /// Every pair that moves, written by hand; each pair that is not here must change nothing.
    const MOVES: &[(State, Event, bool, State)] = &[
        (Open, Decide(Approved), true, Stands(Approved)),
        (Open, Decide(Approved), false, Stands(Approved)),
        (Open, Decide(Declined), true, Stands(Declined)),
        (Open, Decide(Declined), false, Stands(Declined)),
        (Open, Decide(TimedOut), true, Reversing(Silence)),
        (Open, Decide(TimedOut), false, Stands(TimedOut)),
        (Open, TerminalReversal, true, Reversing(Silence)),
        (Open, TerminalReversal, false, Stands(TimedOut)),
        (Stands(Approved), TerminalReversal, true, Reversing(Approval)),
        (Reversing(Approval), Acknowledged, true, Reversed(Approval)),
        (Reversing(Approval), Acknowledged, false, Reversed(Approval)),
        (Reversing(Approval), Refused, true, DeadLetter(Approval)),
        (Reversing(Approval), Refused, false, DeadLetter(Approval)),
        (Reversing(Silence), Acknowledged, true, Reversed(Silence)),
        (Reversing(Silence), Acknowledged, false, Reversed(Silence)),
        (Reversing(Silence), Refused, true, DeadLetter(Silence)),
        (Reversing(Silence), Refused, false, DeadLetter(Silence)),
    ];

    fn all() -> impl Iterator<Item = (State, Event, bool)> {
        let pairs = STATES.into_iter().flat_map(|state| EVENTS.into_iter().map(move |event| (state, event)));
        pairs.flat_map(|(state, event)| [true, false].map(|undoable| (state, event, undoable)))
    }

    #[test]
    fn every_pair_of_state_and_event_is_as_the_table_says() {
        for (state, event, undoable) in all() {
            let row = MOVES.iter().find(|row| (row.0, row.1, row.2) == (state, event, undoable));
            let expected = row.map_or(state, |row| row.3);
            assert_eq!(step(state, event, undoable), expected, "{state:?} x {event:?}, undoable {undoable}");
        }
    }

    #[test]
    fn a_decision_once_made_never_changes() {
        for (state, event, undoable) in all().filter(|(state, _, _)| *state != Open) {
            assert_eq!(step(state, event, undoable).outcome(), state.outcome(), "{state:?} x {event:?}");
        }
    }

    #[test]
    fn what_was_given_back_or_undone_never_comes_alive_or_due_again() {
        for (state, event, undoable) in all() {
            let to = step(state, event, undoable);
            assert!(state.is_live() || !to.is_live(), "{state:?} x {event:?}");
            let was_owed = matches!(state, Reversing(_) | Reversed(_) | DeadLetter(_));
            assert!(!(was_owed && Change::between(state, to).owes), "{state:?} x {event:?}");
        }
    }

    #[test]
    fn a_silent_issuer_is_told_to_undo_in_the_same_step() {
        let change = Change::between(Open, step(Open, Decide(TimedOut), true));
        assert_eq!(change, Change { gives_back: true, owes: true, settles: false });
    }

    #[test]
    fn only_the_end_of_a_reversal_leaves_the_queue() {
        for (state, event, undoable) in all() {
            let change = Change::between(state, step(state, event, undoable));
            let ends = state.owes_reversal() && matches!(event, Acknowledged | Refused);
            assert_eq!(change.settles, ends, "{state:?} x {event:?}");
        }
    }
}
