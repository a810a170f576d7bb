//! One terminal of the fleet: what it waits for, what it asked lately, what it believes of the money.

use crate::iso8583::Mti;
use crate::model::Amount;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::sim::terminal::{Original, Sent, Terminal};

/// Requests of a terminal that are remembered after their end, for what comes late or twice.
const REMEMBERED: usize = 8;

/// Why a message was sent.
pub(super) enum Purpose {
    /// It opens the terminal's day.
    SignIn,
    /// It was due.
    Ask(super::mix::Twist),
    /// It was sent before, and answered so.
    Repeat { code: Box<str>, rrn: Option<Rrn> },
    /// It undoes something.
    Reversal,
}

/// What a terminal waits for.
pub(super) struct Awaiting {
    pub(super) sent: Sent,
    pub(super) purpose: Purpose,
    /// When it was due and when it left, in nanoseconds.
    pub(super) due: u64,
    pub(super) left: u64,
    /// Whether it counts, the warm-up being over.
    pub(super) measured: bool,
}

/// A terminal and where it sits.
pub(super) struct Seat {
    pub(super) terminal: Terminal,
    pub(super) id: TerminalId,
    /// Its connection.
    pub(super) line: usize,
    pub(super) awaiting: Option<Awaiting>,
    pub(super) recent: Recent,
    /// It stands in the queue of those that are free.
    pub(super) queued: bool,
    /// The host wants a sign-in.
    pub(super) wants_keys: bool,
    /// It does nothing before then.
    pub(super) rests_until: u64,
    /// What kept it from its work last.
    pub(super) trouble: Option<Box<str>>,
    /// Of what it waits for: a number of its own, so that an old deadline means nothing.
    pub(super) serial: u32,
    /// Its last sale, while it may be voided.
    pub(super) voidable: Option<(Original, Amount)>,
    /// The approved request that is being undone on purpose.
    pub(super) undoing: Option<Rrn>,
    /// What a void under way takes back.
    pub(super) voiding: Option<Rrn>,
    pub(super) believed: Vec<(Rrn, Amount)>,
}

impl Seat {
    pub(super) fn new(terminal: Terminal, line: usize) -> Self {
        let id = terminal.setup().terminal;
        Self {
            terminal,
            id,
            line,
            awaiting: None,
            recent: Recent::default(),
            queued: false,
            wants_keys: false,
            rests_until: 0,
            trouble: None,
            serial: 0,
            voidable: None,
            undoing: None,
            voiding: None,
            believed: Vec::new(),
        }
    }

    /// Whether it could sell now, its connection apart.
    pub(super) fn is_ready(&self) -> bool {
        !self.terminal.needs_sign_in() && self.terminal.memory().pending.is_none() && self.awaiting.is_none()
    }

    /// It does not believe in that charge any more.
    pub(super) fn take_back(&mut self, rrn: Rrn) {
        if let Some(at) = self.believed.iter().rposition(|(known, _)| *known == rrn) {
            self.believed.remove(at);
        }
    }
}

/// How a request of late ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    Waiting,
    Answered,
    GivenUp,
}

/// The last requests, by the class of their message and their number.
#[derive(Default)]
pub(super) struct Recent {
    ring: [Option<(u8, [u8; 6], Ended)>; REMEMBERED],
    next: usize,
}

impl Recent {
    pub(super) fn asked(&mut self, mti: Mti, stan: [u8; 6]) {
        if let Some(place) = self.ring.get_mut(self.next) {
            *place = Some((class(mti), stan, Ended::Waiting));
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The last one asked ended so.
    pub(super) fn ended(&mut self, how: Ended) {
        let last = (self.next + REMEMBERED - 1) % REMEMBERED;
        if let Some(Some((_, _, ended))) = self.ring.get_mut(last) {
            *ended = how;
        }
    }

    /// How the request ended whose answer this could be.
    pub(super) fn find(&self, mti: Mti, stan: &[u8]) -> Option<Ended> {
        let known = self.ring.iter().flatten();
        let mut same = known.filter(|(kind, number, _)| *kind == class(mti) && number.as_slice() == stan);
        same.next_back().map(|(_, _, ended)| *ended)
    }
}

fn class(mti: Mti) -> u8 {
    let [_, class, _, _] = mti.digits();
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_known_by_class_and_number_for_a_while() {
        let (sale, answer, reversal) = (b"0200", b"0210", b"0410");
        let mti = |digits: &[u8; 4]| Mti::parse(digits).unwrap();
        let mut recent = Recent::default();
        recent.asked(mti(sale), *b"000001");
        recent.ended(Ended::GivenUp);
        recent.asked(mti(sale), *b"000002");
        assert_eq!(recent.find(mti(answer), b"000001"), Some(Ended::GivenUp));
        assert_eq!(recent.find(mti(answer), b"000002"), Some(Ended::Waiting));
        assert_eq!(recent.find(mti(reversal), b"000002"), None);
        for number in 3..=10_u32 {
            recent.asked(mti(sale), format!("{number:06}").into_bytes().try_into().unwrap());
        }
        assert_eq!(recent.find(mti(answer), b"000001"), None);
    }
}
