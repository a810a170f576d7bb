//! What must happen now and then, or the seeds test less than they say.

macro_rules! sometimes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Something rare that the seeds together must have seen.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Sometimes { $($(#[$doc])* $name,)+ }

        impl Sometimes {
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

sometimes! {
    /// An issuer's approval came when the reversal had gone.
    LateAfterReversal = "late answer after the reversal was sent",
    /// An issuer's approval came after the decision.
    LateApproval = "late approval",
    /// A copy of a running request came.
    DuplicateRunning = "duplicate while running",
    /// A copy of an answered request came.
    DuplicateAnswered = "duplicate after the answer",
    /// The same number came with other content.
    OtherContent = "same number, other content",
    /// The station went down when an issuer had approved and nothing was decided.
    CrashBetween = "crash between approval and decision",
    /// The station went down when it had decided and nobody was told.
    CrashDecided = "crash between decision and answer",
    /// The station went down with a reversal on its way.
    CrashForwarding = "crash while a reversal was on its way",
    /// It went down again before it had recovered.
    CrashRecovering = "crash during recovery",
    /// A terminal's reversal came before its original.
    Overtaken = "reversal overtaking its original",
    /// A request was declined because its reversal had come before.
    Tombstone = "tombstone decline",
    /// A terminal reversed what was still running.
    ReversedRunning = "reversal of a running request",
    /// A restart found a group torn and cut it.
    TornGroup = "torn group cut at restart",
    /// A reversal went again, marked as a repeat.
    RepeatMarked = "store-and-forward repeat marked",
    /// An issuer refused a reversal for good.
    DeadLetter = "dead letter",
    /// The HSM did not answer.
    HsmDown = "HSM down",
    /// A MAC of ours was garbled.
    GarbledMac = "garbled MAC",
    /// There was no room for the next segment.
    DiskFull = "disk full, requests refused",
    /// There was room again and the station went on.
    DiskRoom = "disk room again, requests served",
    /// A write or a sync failed and the station ended itself.
    DiskError = "disk error, station ended itself",
    /// The wall clock jumped.
    ClockStep = "clock step",
    /// A connection was reset with requests on it.
    Reset = "issuer connection reset under load",
    /// A connection swallowed what was written.
    HalfOpen = "half-open issuer connection",
    /// A request of which nothing had left went to another issuer.
    Rerouted = "not sent, another issuer asked",
    /// An issuer's answer carried another amount.
    WrongAmount = "issuer's answer with a wrong amount",
    /// A terminal lost its power in the middle.
    PowerCut = "terminal power cut",
    /// The HSM took longer than a call may.
    HsmSlow = "HSM too slow",
    /// No issuer could be reached, and the station approved on behalf of one.
    StandIn = "stand-in approval",
    /// An issuer was told of an approval that was not its own.
    Advised = "advice acknowledged",
    /// An issuer refused to be told of an approval.
    AdviceRefused = "dead letter of an advice",
    /// A terminal undid what its issuer had not been told of yet.
    AdviceUndone = "approval undone before its advice was acknowledged",
    /// The station went down with an advice on its way.
    CrashAdvising = "crash while an advice was on its way",
    /// A snapshot was made.
    Snapshot = "snapshot made",
    /// The station went down while it made a snapshot, removed what it covers, or wrote closed days.
    CrashTidying = "crash while a snapshot was made",
    /// A start went on from a snapshot.
    FromSnapshot = "start from a snapshot",
    /// Segments that snapshots cover were removed.
    SegmentRemoved = "segment removed",
    /// A business date was closed with transactions of it.
    DayClosed = "business date closed",
    /// A copy of a request of a closed day came.
    DuplicateClosed = "duplicate of a closed day",
    /// A terminal undid what had left with its day.
    ClosedUndone = "reversal of a closed day's transaction",
    /// The business date changed while a request ran.
    CutOver = "cut-over while a request ran",
    /// A terminal undid what belongs to an earlier business date.
    UndoneNextDay = "reversal of an earlier business date",
    /// A sale was voided.
    Voided = "sale voided",
    /// A hold was voided.
    HoldVoided = "authorization voided",
    /// A hold was raised.
    Incremented = "authorization incremented",
    /// A hold was completed, its issuer asked.
    Completed = "authorization completed",
    /// A hold was completed, its issuer told.
    CompletionAdvised = "completion advised",
    /// A completion was voided.
    CompletionVoided = "completion voided",
    /// Money was given back.
    Refunded = "refund",
    /// A sale was made offline.
    OfflineSold = "offline sale",
    /// Money was given back offline.
    OfflineRefunded = "offline refund",
    /// A sale's amount was changed.
    Adjusted = "adjustment",
    /// Money went to another account.
    Transferred = "transfer",
    /// A card was verified.
    Verified = "account verification",
    /// An issuer approved a part.
    Partial = "partial approval",
    /// A follow-up went beyond what is left.
    FollowUpRefused = "follow-up refused by the switch",
    /// A terminal undid a follow-up.
    FollowUpUndone = "follow-up undone",
    /// A terminal undid what it had completed or refunded since.
    UndoneInVain = "undone in vain",
    /// What is followed had left with its day.
    FollowedClosed = "follow-up of a closed day's transaction",
    /// A batch was settled with equal totals.
    Balanced = "batch settled, balanced",
    /// A batch was settled with other totals, and uploaded.
    Unbalanced = "batch settled, unbalanced and uploaded",
    /// A settlement was answered once more.
    SettlementRepeated = "settlement repeated",
    /// A terminal that settled found its batch closed.
    ClosedByHost = "settlement of a batch that was closed for it",
    /// An operator closed a batch.
    ForcedClose = "batch closed by an operator",
    /// A request came for a batch that is over.
    BatchOver = "request for a batch that is over",
    /// A settlement waited for a transaction.
    CloseWaited = "close while a transaction of the batch ran",
    /// A message of a DUKPT device was served.
    DeviceServed = "message of a DUKPT device served",
    /// A DUKPT device's message came after a later one of it.
    SerialBack = "serial number below the mark refused",
    /// The station gave an issuer a new zone key.
    ZoneKeyGiven = "zone key changed by the station",
    /// An issuer gave the station one.
    ZoneKeyTaken = "zone key changed by the issuer",
    /// The station sent a new zone key and nobody knew whether it came.
    ZoneKeyUnknown = "zone key sent and not acknowledged",
    /// The station went down with a zone key on its way.
    CrashZoneKey = "crash while a zone key was on its way",
    /// A card had reached its limit of the day.
    CardLimit = "card's limit of a day met",
    /// A merchant had.
    MerchantLimit = "merchant's limit of a day met",
    /// One way of entry at one terminal had.
    EntryLimit = "limit of a day of one way of entry met",
    /// A range of cards had.
    RangeLimit = "limit of a day of a range of cards met",
    /// A rule declined an amount.
    RuleDeclined = "declined by a rule",
    /// A rule told of a request.
    RuleAlerted = "alert of a rule",
    /// A rule in shadow spoke.
    RuleInShadow = "rule in shadow spoke",
    /// A rule held a terminal.
    Held = "terminal held by a rule",
    /// A terminal that was suspended made a request.
    SuspendedTried = "request of a suspended terminal declined",
    /// A terminal that was suspended told, undid or settled something.
    SuspendedServed = "reversal, advice or settlement of a suspended terminal served",
    /// An operator let a suspended terminal trade again.
    Resumed = "suspended terminal resumed by an operator",
    /// A journal segment was full and another one followed.
    NextSegment = "next journal segment",
}

/// How often each was seen.
#[derive(Clone, Debug)]
pub struct Coverage([u64; Sometimes::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Sometimes::ALL.len()])
    }
}

impl Coverage {
    pub(super) fn count(&mut self, what: Sometimes) {
        if let Some(count) = self.0.get_mut(what as usize) {
            *count += 1;
        }
    }

    /// Adds what another world saw.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// What was seen how often.
    pub fn counts(&self) -> impl Iterator<Item = (Sometimes, u64)> {
        Sometimes::ALL.iter().copied().zip(self.0)
    }
}
