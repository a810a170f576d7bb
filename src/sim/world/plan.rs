//! What a world is made of: who takes part, what they do, what goes wrong.

use super::disk::Loss;
use super::rules::Rules;
use super::weather::Faults;
use crate::model::CutOver;
use crate::model::Kind;
use std::time::Duration;

/// The door a terminal comes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Working keys by sign-in, batches, reversals that repeat their original's number.
    Pos,
    /// Fixed keys, dates, reversals that name their original.
    Host,
    /// As host, the terminal being a DUKPT device.
    Device,
}

/// How a purchase goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    /// Sent once; undone if nothing comes back.
    Plain,
    /// Sent again and again while nothing has come back.
    Again,
    /// Undone after so many milliseconds, whatever comes back.
    Reversed(u64),
    /// Its reversal arrives before it.
    Overtaken,
    /// The terminal loses its power so many milliseconds after it was sent, and undoes it when it is back.
    PowerCut(u64),
}

/// Something a terminal does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Signs in, or in again.
    SignIn,
    /// Signs in, and does not hear the answer.
    SignInUnheard,
    /// Three strangers sign in under its numbers, from one place, as three operators.
    Strangers,
    /// Buys, holds or inquires: kind, minor units, which card, how.
    Buy(Kind, u64, usize, Manner),
    /// Buys with a card that is held to the reader, without a PIN: minor units, which card.
    Tap(u64, usize),
    /// Voids, completes, refunds or changes the last transaction that may be: so many hundredths of it.
    Follow(Kind, u64),
    /// Sells or refunds without asking, and tells it: kind, minor units, which card.
    Offline(Kind, u64, usize),
    /// Settles the batch; a liar has lost one of its slips.
    Settle { lies: bool },
    /// Sends the totals of its batch, of which it has lost a slip, and does not hear what the station says of them.
    SettleUnheard,
    /// After so many milliseconds an operator of the station closes this terminal's batch.
    ForceClose(u64),
    /// Takes the last approved purchase back.
    Undo,
    /// Sends a request again that was answered long ago, as it was.
    Repeat,
    /// The same with the last one.
    RepeatLast,
    /// Sends another request under a number that was used.
    OtherContent,
    /// Sends a request with a wrong MAC.
    WrongMac,
    /// Does nothing for so many milliseconds.
    Rest(u64),
    /// The wall clock jumps by so many minutes.
    ClockJump(i64),
    /// No issuer can be reached for so many milliseconds.
    LinksDown(u64),
    /// After so many milliseconds a zone key changes: which bank's, which key, and whether the bank makes the new one.
    ZoneKey { after: u64, bank: usize, pin: bool, theirs: bool },
    /// What a crash matrix is about begins here.
    Mark,
}

/// One terminal: its number and what it does.
#[derive(Clone, Debug)]
pub(super) struct TillPlan {
    pub(super) number: u32,
    pub(super) way: Way,
    pub(super) steps: Vec<Step>,
}

/// The station goes down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Crash {
    /// So many effects after the last start, or after the start of the world.
    pub(super) effects: u64,
    /// Whether the last of them still happens.
    pub(super) after: bool,
    /// What becomes of what was not synced.
    pub(super) loss: Loss,
    /// How long it stays down.
    pub(super) down: Duration,
}

/// Whether the station approves on behalf of issuers that cannot be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum StandIn {
    Never,
    /// Small sales without a PIN.
    Small,
    /// The same, so many minor units with one card in a day.
    Counted(u64),
}

/// What is done beside the running station.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Keeping {
    /// Snapshots are made.
    pub(super) snapshots: bool,
    /// And what they cover is removed.
    pub(super) removes: bool,
    /// Days that are over are closed.
    pub(super) closes: bool,
}

/// A whole world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All chance comes from it.
    pub(super) seed: u64,
    pub(super) tills: Vec<TillPlan>,
    pub(super) faults: Faults,
    pub(super) crashes: Vec<Crash>,
    /// A terminal's sales of a day, in minor units; `None` is no limit.
    pub(super) daily_amount: Option<u64>,
    /// Whether every answer and every message is looked up on the disk at once.
    pub(super) strict: bool,
    /// Whether the second issuer is asked for the first.
    pub(super) fallback: bool,
    pub(super) stand_in: StandIn,
    pub(super) keeping: Keeping,
    /// When business dates begin: at midnight, or in the middle of what happens.
    pub(super) cut_over: CutOver,
    /// Zone keys change so many times in the course of the day, at any moment.
    pub(super) key_changes: u32,
    /// What rules the station judges by.
    pub(super) rules: Rules,
}

impl Plan {
    /// A world in which nothing happens.
    pub(super) fn quiet(seed: u64) -> Self {
        Self {
            seed,
            tills: Vec::new(),
            faults: Faults::default(),
            crashes: Vec::new(),
            daily_amount: None,
            strict: false,
            fallback: false,
            stand_in: StandIn::Never,
            keeping: Keeping::default(),
            cut_over: CutOver::default(),
            key_changes: 0,
            rules: Rules::WIDE,
        }
    }

    /// Whether zone keys change.
    pub(super) fn changes_keys(&self) -> bool {
        let mut steps = self.tills.iter().flat_map(|till| &till.steps);
        self.key_changes > 0 || steps.any(|step| matches!(step, Step::ZoneKey { .. }))
    }

    /// The world's number.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
