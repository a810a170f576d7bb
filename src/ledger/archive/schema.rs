//! The tables.

/// Kept as `user_version`.
pub(super) const VERSION: i64 = 6;

/// The tables of the archive, with what each column means. Times are microseconds since 1970 UTC, amounts are
/// minor units, numbers and codes are text as messages carry them.
pub const SCHEMA: &str = "
CREATE TABLE head (                -- the last group it holds; one row
    one INTEGER PRIMARY KEY CHECK (one = 1),
    journal BLOB NOT NULL,         -- 16 bytes
    number INTEGER NOT NULL,
    hash BLOB NOT NULL             -- SHA-256 of the group
) STRICT;
CREATE TABLE txn (                 -- a transaction, as far as it got
    id INTEGER PRIMARY KEY,        -- the ledger's number
    rrn TEXT NOT NULL,             -- DE 37
    business_date TEXT NOT NULL,   -- YYYY-MM-DD
    terminal TEXT NOT NULL,        -- DE 41
    stan TEXT NOT NULL,            -- DE 11 of the terminal
    scope TEXT NOT NULL,           -- batch, or local date
    merchant TEXT NOT NULL,        -- DE 42
    kind TEXT NOT NULL,            -- sale, refund, ..
    processing_code TEXT NOT NULL, -- DE 3
    amount INTEGER NOT NULL,       -- DE 4
    currency TEXT NOT NULL,        -- DE 49
    entry_mode TEXT NOT NULL,      -- DE 22
    received INTEGER NOT NULL,     -- when its frame was complete
    test_mode INTEGER NOT NULL,    -- 1: of a terminal that never settles
    masked_pan TEXT NOT NULL,      -- first six and last four
    token BLOB NOT NULL,           -- keyed token of the card number, 32 bytes
    issuer TEXT,                   -- over whose link it went
    issuer_stan TEXT,              -- DE 11 there
    follows INTEGER,               -- number of the transaction that it follows
    rule TEXT,                     -- the rule that declined it here
    outcome TEXT,                  -- approved, declined, timed-out; null while open
    code TEXT,                     -- DE 39, canonical
    approval TEXT,                 -- DE 38
    approved_amount INTEGER,       -- where it is not the amount: a partial approval
    standing TEXT NOT NULL,        -- open, approved, declined, timed-out, advising, reversing, reversed, dead-letter
    decided INTEGER,               -- time of the group of its decision
    late TEXT,                     -- outcome of an answer that came after the decision
    attempts INTEGER NOT NULL,     -- how often what its issuer is owed may have gone
    refused TEXT,                  -- DE 39 with which an issuer refused what it is owed
    closed INTEGER NOT NULL,       -- 1: its business date was closed after it was finished
    offset_minutes INTEGER NOT NULL, -- its terminal's clock, east of UTC
    batch TEXT,                    -- the terminal's batch, where the dialect has batches
    product TEXT NOT NULL,         -- debit, credit, prepaid, qr, unknown
    foreign_card INTEGER NOT NULL, -- 1: a card of another country
    operator TEXT,                 -- who was signed in at the terminal
    family INTEGER NOT NULL,       -- number of the sale that it voids, refunds or adjusts; else its own
    settled_on TEXT,               -- business date on which its batch was closed; its own where it has no batch
    settled_at INTEGER,            -- when its batch was closed
    undone_on TEXT,                -- business date on which its terminal reversed it
    refused_on TEXT,               -- business date on which its issuer refused its advice for good
    undo_refused_on TEXT,          -- business date on which its issuer refused its reversal for good
    risk TEXT                      -- the rules that spoke of it, with action, version and evidence; one a line
) STRICT;
CREATE INDEX txn_rrn ON txn (rrn);
CREATE INDEX txn_terminal ON txn (terminal, stan);
CREATE INDEX txn_date ON txn (business_date);
CREATE INDEX txn_token ON txn (token);
CREATE INDEX txn_follows ON txn (follows) WHERE follows IS NOT NULL;
CREATE INDEX txn_family ON txn (family);
CREATE INDEX txn_open ON txn (standing) WHERE standing = 'open';
CREATE INDEX txn_batch ON txn (terminal, batch) WHERE settled_at IS NULL AND batch IS NOT NULL;
CREATE INDEX txn_settled ON txn (settled_on);
CREATE INDEX txn_undone ON txn (undone_on) WHERE undone_on IS NOT NULL;
CREATE INDEX txn_refused ON txn (refused_on) WHERE refused_on IS NOT NULL;
CREATE INDEX txn_undo_refused ON txn (undo_refused_on) WHERE undo_refused_on IS NOT NULL;
CREATE TABLE reversal (            -- a terminal's reversal
    id INTEGER PRIMARY KEY,        -- the ledger's number
    rrn TEXT NOT NULL,             -- its own DE 37
    business_date TEXT NOT NULL,
    terminal TEXT NOT NULL,
    stan TEXT NOT NULL,
    original INTEGER,              -- number of what it undoes; null: it was not known
    original_stan TEXT NOT NULL,
    amount INTEGER NOT NULL,
    received INTEGER NOT NULL,
    code TEXT NOT NULL             -- DE 39 that it was answered with
) STRICT;
CREATE INDEX reversal_rrn ON reversal (rrn);
CREATE INDEX reversal_original ON reversal (original) WHERE original IS NOT NULL;
CREATE TABLE batch (               -- a terminal's batch that takes no transactions any more
    number INTEGER PRIMARY KEY,    -- the ledger's number of its close
    rrn TEXT NOT NULL,             -- of its close
    terminal TEXT NOT NULL,
    batch TEXT NOT NULL,
    merchant TEXT NOT NULL,
    test_mode INTEGER NOT NULL,
    state TEXT NOT NULL,           -- balanced, unbalanced, uploading, closed
    closed_on TEXT NOT NULL,       -- business date
    closed_at INTEGER NOT NULL,
    balanced INTEGER,              -- 1: the terminal's totals were the ledger's; null: it did not say
    differences INTEGER NOT NULL   -- items that differ, once the upload has ended
) STRICT;
CREATE INDEX batch_terminal ON batch (terminal, batch);
CREATE TABLE event (               -- what happened, record by record
    id INTEGER NOT NULL,           -- of the transaction or reversal
    number INTEGER NOT NULL,       -- group
    record INTEGER NOT NULL,       -- which of the group, from 0
    at INTEGER NOT NULL,           -- time of the group
    what TEXT NOT NULL,            -- in words
    PRIMARY KEY (id, number, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE day (                 -- business dates that were closed
    business_date TEXT PRIMARY KEY,
    number INTEGER NOT NULL        -- group of the last close; 0: before the first group
) STRICT, WITHOUT ROWID;
CREATE TABLE step (                -- a step on the enforcement ladder
    number INTEGER NOT NULL,       -- group; 0: told by a snapshot, the groups before it are gone
    record INTEGER NOT NULL,       -- which of the group, from 0
    place INTEGER NOT NULL,        -- which of the record: a snapshot tells the last 32 of a subject in one
    sort TEXT NOT NULL,            -- terminal, merchant
    subject TEXT NOT NULL,         -- DE 41 or 42
    step TEXT NOT NULL,            -- warn, fine, suspend, resume, terminate, ask, done
    amount INTEGER,                -- of a fine
    asked TEXT,                    -- what the terminal is to do or did: sign-in, download, upgrade
    actor TEXT NOT NULL,           -- an operator; rule: and a rule's id; switch
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,           -- when
    PRIMARY KEY (number, record, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_subject ON step (sort, subject, at);
CREATE TABLE ladder (              -- where a terminal or a merchant stands on it, if it ever took a step
    sort TEXT NOT NULL,            -- terminal, merchant
    subject TEXT NOT NULL,         -- DE 41 or 42
    standing TEXT NOT NULL,        -- active, suspended, terminated; the registry may be worse
    warnings INTEGER NOT NULL,
    fines INTEGER NOT NULL,        -- how many
    fined INTEGER NOT NULL,        -- minor units, together
    asked TEXT NOT NULL,           -- what the terminal is to do and has not done, with spaces between
    PRIMARY KEY (sort, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE revision (            -- what was in force from when
    number INTEGER NOT NULL,       -- group; 0: told by a snapshot
    record INTEGER NOT NULL,       -- which of the group, from 0
    what TEXT NOT NULL,            -- registry, rules, shadow, station
    version TEXT NOT NULL,         -- as its author calls it
    digest BLOB NOT NULL,          -- SHA-256 of it
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,           -- since when
    PRIMARY KEY (number, record)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 6;
";
