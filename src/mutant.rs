//! Known bugs, planted at the places where they would be made, and switched on by the tests that must catch them.
//!
//! Without the cargo feature `mutants` none of them is there: [`is`] is constant, and no binary is released with it.

#[cfg(feature = "mutants")]
use std::cell::Cell;

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// A known bug.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Mutant { $($(#[$doc])* $name,)+ }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// For people.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

mutants! {
    /// What the ledger says is used before it is durable.
    AnswerBeforeCommit = "answer before commit",
    /// A decision replaces the one that stands.
    NoCompareAndSet = "no compare-and-set on decisions",
    /// What is owed leaves the queue when it is sent.
    RemovedBeforeAcknowledged = "queue entry removed before its acknowledgement",
    /// A reversal without an original leaves nothing behind.
    NoTombstone = "reversal without original ignored",
    /// A copy of a running request is taken for a new one.
    DuplicateForwarded = "duplicate forwarded to the issuer",
    /// The trace number on record is not the one on the wire.
    StanAfterIntent = "STAN chosen after the intent",
    /// Limits are looked at before duplicates.
    RepeatDeclined = "repeat declined by its own reservation",
    /// Pending keys become current whatever the message's MAC says.
    GenerationBeforeMac = "session generation raised before the MAC verified",
    /// A sign-in takes away the keys that earlier ones handed out and that were not used yet.
    SignInTakesKeysAway = "sign-in takes unused keys away",
    /// What did not come about keeps its reservations.
    ReservationsKept = "reservations not given back",
    /// A late approval is booked.
    LateApprovalCounts = "late approval changes the answer",
    /// A terminal's reversal of what was reversed already goes to the issuer again.
    TwoReversals = "two reversals for one transaction",
    /// A journal that ends before its anchor is believed.
    GapAccepted = "lost groups accepted",
    /// A failed sync is tried again and believed.
    SyncRetried = "sync error retried",
    /// That a message is about to go is not written down.
    AttemptsNotDurable = "attempts not durable: repeats unmarked",
    /// What was open at a crash stays open.
    OpenAfterRecovery = "open intents not decided at start",
    /// A request leaves although its reversal has come meanwhile.
    LeavesAfterReversal = "request leaves after its reversal",
    /// What a start reads is believed to be durable.
    UnsyncedBelieved = "last group not synced again at start",
    /// A batch is closed while a transaction of it runs.
    StraddlesClose = "batch closed over a running transaction",
    /// A settlement that comes again moves the terminal's batch again.
    BatchMovesTwice = "repeated settlement moves the batch twice",
    /// Refunds are not held against what is left.
    RefundOverRest = "refund over the rest accepted",
    /// A hold is completed as often as somebody asks.
    CompletedTwice = "completion taken twice",
    /// What a void cancels keeps its reservations.
    VoidKeepsReservations = "void gives no reservations back",
    /// What an issuer is owed is known to the process only.
    OwedForgotten = "what is owed forgotten at a start",
    /// A partial approval goes into the books as if all was approved.
    PartialInFull = "partial approval counted in full",
    /// What was voided, completed or refunded is undone all the same.
    UndoneTwice = "what was cancelled or given back is undone again",
    /// What was added to a hold keeps its reservations when the hold is cancelled.
    IncrementOutlivesHold = "increment keeps its reservations without its hold",
    /// A serial number below its device's mark is served.
    SerialBack = "serial number below the mark served",
    /// A DUKPT device's mark is in memory only.
    SerialNotKept = "mark of a device not kept",
    /// A closed day forgets what a copy must be told.
    ClosedForgotten = "closed days forgotten at a start",
    /// What rules remember is known to the process only.
    MemoryForgotten = "memory forgotten at a start",
    /// Who is suspended is known to the process only.
    LadderForgotten = "ladder forgotten at a start",
    /// What did not come about keeps what it reserved on its card.
    CardKept = "card keeps its reservation",
    /// What is undone after midnight is given back to the new day.
    GivenBackToday = "given back to today",
    /// A terminal is held, and the commit of the decline does not say so.
    HoldNotRecorded = "hold not in the commit of its decline",
    /// Who is suspended makes requests.
    SuspendedLetIn = "suspended terminal let in",
}

#[cfg(feature = "mutants")]
thread_local! {
    static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Plants one bug in everything that this thread runs, or none.
#[cfg(feature = "mutants")]
pub fn choose(mutant: Option<Mutant>) {
    CHOSEN.set(mutant);
}

/// Whether this bug is planted.
#[cfg(feature = "mutants")]
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    CHOSEN.get() == Some(mutant)
}

/// Whether this bug is planted: never.
#[cfg(not(feature = "mutants"))]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}
