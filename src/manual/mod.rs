//! The manual, as modules, so that its links are checked with everything else.

/// What a person is told to look at: which alarms there are, when they come and go, and who is told.
pub mod alarms {
    #![doc = include_str!("alarms.md")]
}

/// The rooms, and one authorization's way through them.
pub mod architecture {
    #![doc = include_str!("architecture.md")]
}

/// What a terminal did between two settlements: totals, settlement, upload, and what operators may do.
pub mod batches {
    #![doc = include_str!("batches.md")]
}

/// `tollgate bench`: load on a schedule, what is checked of answers, the report, its files.
pub mod bench {
    #![doc = include_str!("bench.md")]
}

/// The cards of the simulated world: what proves them, what issuers check, what a chip in the terminal believes.
pub mod cards {
    #![doc = include_str!("cards.md")]
}

/// What changed, release by release.
pub mod changelog {
    #![doc = include_str!("changelog.md")]
}

/// What issuers say of a day, how it is compared with terminals and ledger, and how a difference is cleared.
pub mod clearing {
    #![doc = include_str!("clearing.md")]
}

/// `tollgate crypto`: calculators, which keys they take, known answers; what the software HSM does.
pub mod crypto {
    #![doc = include_str!("crypto.md")]
}

/// The languages of messages as files: every attribute, and how to make one's own.
pub mod dialects {
    #![doc = include_str!("dialects.md")]
}

/// Doors for DUKPT devices: what a message carries, which serial numbers are served, what an operator does.
pub mod dukpt {
    #![doc = include_str!("dukpt.md")]
}

/// Who is warned, suspended, terminated, by whom and how; what rules know of a request.
pub mod enforcement {
    #![doc = include_str!("enforcement.md")]
}

/// What may go wrong, what happens then, and the tests that show it.
pub mod faults {
    #![doc = include_str!("faults.md")]
}

/// Operators, downloads, what is asked of terminals, business dates.
pub mod field {
    #![doc = include_str!("field.md")]
}

/// The files of the durable ledger, byte by byte.
pub mod journal_format {
    #![doc = include_str!("journal_format.md")]
}

/// What follows a sale or a hold, and what is told afterwards: how it is found, what bounds it, what is answered.
pub mod follow_ups {
    #![doc = include_str!("follow_ups.md")]
}

/// The three HSMs: what each can do, what calls become on the wire, what its answers mean.
pub mod hsms {
    #![doc = include_str!("hsms.md")]
}

/// `tollgate keys`: the key file, ceremonies, import, export and rotation, the audit file.
pub mod keys {
    #![doc = include_str!("keys.md")]
}

/// What a station says of itself: stages, names of figures, whether it is ready, `tollgate top`.
pub mod metrics {
    #![doc = include_str!("metrics.md")]
}

/// Running a station: its file, limits, logs, and why something was refused.
pub mod operations {
    #![doc = include_str!("operations.md")]
}

/// Merchants, terminals, devices: every column, templates, rows for later, reload, import and export.
pub mod registry {
    #![doc = include_str!("registry.md")]
}

/// Risk rules: the file, every kind of rule, what follows, what is remembered and how exactly.
pub mod risk {
    #![doc = include_str!("risk.md")]
}

/// What is protected, how, and where protection ends.
pub mod security {
    #![doc = include_str!("security.md")]
}

/// What a day comes to: settlement, fees, value dates, files, slips, reports.
pub mod settlement {
    #![doc = include_str!("settlement.md")]
}

/// The seeded world: what it runs, how a failure is replayed, how to add to it.
pub mod simulation {
    #![doc = include_str!("simulation.md")]
}

/// `tollgate terminal`: its verbs, what it keeps, how it settles, receipts, days as data.
pub mod terminal {
    #![doc = include_str!("terminal.md")]
}
