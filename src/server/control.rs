//! What an operator tells a running station: a socket of the operating system in the ledger's folder, for its
//! owner alone. One line of JSON asks, one line answers, then the connection is closed.
//!
//! `{"do":"close-batch","terminal":"10000001","batch":7,"actor":"alice","reason":"till is broken"}`
//! `{"do":"reload","actor":"alice","reason":"new shop","check":false}`
//! `{"do":"change-key","issuer":"bank-a","which":"mac","actor":"alice","reason":"its year is over"}`

use super::desk::Desk;
use super::desk::DeskPlace;
use super::enforce;
use super::reload::{Reload, ReloadFault, Reloaded, say};
use super::station::Real;
use crate::flow::KeyChanged;
use crate::flow::Station;
use crate::ledger::batches::BatchRow;
use crate::model::BatchNumber;
use crate::model::IssuerName;
use crate::model::TerminalId;
use crate::model::ZoneUse;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The socket's name in the ledger's folder.
pub const SOCKET: &str = "control.sock";
/// The longest line, its end included.
const LINE: u64 = 4_096;
/// What is read of a longer one, so that its writer hears why it is refused.
const PASSED_OVER: u64 = 1 << 20;
/// The longest name of a person, in characters.
const ACTOR: usize = 64;
/// The longest reason, in characters.
const REASON: usize = 256;
/// How long a line may take to come. A close may take as long as an issuer's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a connection could not be taken.
const AGAIN: Duration = Duration::from_millis(100);

/// Breaches that an answer has at most.
const BREACHES: usize = 1_000;

/// What reads the lists again, once it is known from which file the station was started.
pub(super) type Lists = OnceLock<Arc<Reload>>;

/// What is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Closes a batch for its terminal, which is answered 77 until it signs in again.
    CloseBatch {
        /// DE 41.
        terminal: String,
        /// Which batch; the one its session is in if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<u32>,
        /// Who says so.
        actor: String,
        /// Why.
        reason: String,
    },
    /// Takes a step on the enforcement ladder.
    Step(enforce::Step),
    /// Tells where everybody stands on the ladder.
    Ladders,
    /// Gives an issuer a new zone key, and uses it once the issuer has it.
    ChangeKey {
        /// The issuer's name.
        issuer: String,
        /// `pin` or `mac`.
        which: String,
        /// Who says so.
        actor: String,
        /// Why.
        reason: String,
    },
    /// Reads the lists again.
    Reload {
        /// Who says so.
        actor: String,
        /// Why.
        reason: String,
        /// Only says what would change.
        #[serde(default)]
        check: bool,
    },
}

/// The socket, which is removed when it goes.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket in the ledger's folder, which this process has for itself: what an earlier one left there
    /// is replaced. Within a runtime.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let control = Self { listener: UnixListener::bind(&path)?, path };
        fs::set_permissions(&control.path, fs::Permissions::from_mode(0o600))?;
        Ok(control)
    }

    /// Serves one connection after the other.
    pub(super) async fn serve(self, station: Arc<Station<Real>>, lists: Arc<Lists>, desk: DeskPlace) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = answer(stream, &station, (&lists, desk.get())).await {
                        tracing::warn!(event = "control", fault = %error, "an operator's connection broke");
                    }
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // What stays is replaced by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(
    stream: UnixStream,
    station: &Station<Real>,
    (lists, desk): (&Lists, Option<&Arc<dyn Desk>>),
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LINE));
    let said = timeout(PATIENCE, read.read_line(&mut line)).await?;
    // A character may be cut in two at the limit: what there is of such a line is not looked at.
    let is_cut = read.get_ref().limit() == 0 && !line.ends_with('\n');
    if is_cut {
        // Who is still writing hears what is wrong only if nobody hangs up meanwhile.
        timeout(PATIENCE, pass_over(read.into_inner().into_inner())).await??;
        let why = format!("an order has at most {LINE} bytes; {}", bounds());
        let said = format!("{}\n", json!({ "ok": false, "error": why }));
        return timeout(PATIENCE, write.write_all(said.as_bytes())).await?;
    }
    said?;
    if let Some(said) = desk.and_then(|desk| desk.answer(&line)) {
        // It may take a while, and the next operator does not wait for it.
        tokio::spawn(async move {
            let said = format!("{}\n", said.await);
            timeout(PATIENCE, write.write_all(said.as_bytes())).await
        });
        return Ok(());
    }
    let said = match serde_json::from_str(&line) {
        Ok(order) => obey(order, station, lists).await,
        Err(_) => Err(Refused::from("not an order that this station knows")),
    };
    let said = match said {
        Ok(Done::Ladder(row)) => json!({ "ok": true, "ladder": row }),
        Ok(Done::Ladders(rows)) => json!({ "ok": true, "ladders": rows }),
        Ok(Done::Batch(row)) => json!({ "ok": true, "batch": row }),
        Ok(Done::Key(KeyChanged { generation, check })) => {
            json!({ "ok": true, "generation": generation, "check": check.to_string() })
        }
        Ok(Done::Lists(Reloaded { terminals, diff, rules, later, .. })) => {
            json!({ "ok": true, "terminals": terminals, "summary": diff.summary(), "diff": diff, "rules": rules,
                "later": later.map(|later| json!({ "rows": later.rows, "first": later.first.to_string(),
                    "summary": later.to_string() })) })
        }
        Err(Refused { why, breaches }) if breaches.is_empty() => json!({ "ok": false, "error": why }),
        Err(Refused { why, breaches }) => json!({ "ok": false, "error": why, "breaches": breaches }),
    };
    timeout(PATIENCE, write.write_all(format!("{said}\n").as_bytes())).await?
}

/// Reads the rest of a line that is too long, as far as anybody may mean it.
async fn pass_over(line: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut rest = BufReader::new(line.take(PASSED_OVER));
    loop {
        let bytes = rest.fill_buf().await?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(bytes.len(), |end| end + 1);
        rest.consume(read);
        if end.is_some() || read == 0 {
            return Ok(());
        }
    }
}

/// What came of it.
enum Done {
    Ladder(Value),
    Ladders(Vec<Value>),
    Batch(Box<BatchRow>),
    Key(KeyChanged),
    Lists(Reloaded),
}

/// Why nothing came of it.
struct Refused {
    why: String,
    /// Of files, a line each.
    breaches: Vec<String>,
}

impl<T: Into<String>> From<T> for Refused {
    fn from(why: T) -> Self {
        Self { why: why.into(), breaches: Vec::new() }
    }
}

async fn obey(order: Order, station: &Station<Real>, lists: &Lists) -> Result<Done, Refused> {
    match order {
        Order::CloseBatch { terminal, batch, actor, reason } => {
            let row = close_batch(terminal, batch, (actor, reason), station).await?;
            Ok(Done::Batch(Box::new(row)))
        }
        Order::Step(order) => Ok(Done::Ladder(enforce::step(order, station, lists).await?)),
        Order::Ladders => Ok(Done::Ladders(enforce::all(station))),
        Order::ChangeKey { issuer, which, actor, reason } => {
            Ok(Done::Key(change_key(&issuer, &which, (&actor, &reason), station).await?))
        }
        Order::Reload { actor, reason, check } => {
            signed(&actor, &reason)?;
            reload((actor, reason), check, lists).await.map(Done::Lists)
        }
    }
}

/// Refuses what no person is called and what is no reason.
///
/// # Errors
/// Why, for the person.
pub fn signed(actor: &str, reason: &str) -> Result<(), String> {
    let said =
        |text: &str, most| !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control);
    if !said(actor, ACTOR) || !said(reason, REASON) {
        return Err(bounds());
    }
    if ["switch", super::ended::ACTOR].contains(&actor) || actor.starts_with("rule:") {
        return Err("that is what the switch and its rules are called on record: say who you are".to_owned());
    }
    if has_card_number(actor) || has_card_number(reason) {
        return Err("what looks like a card number is not kept: name the transaction instead".to_owned());
    }
    Ok(())
}

/// How long an actor and a reason may be, for the person.
fn bounds() -> String {
    format!("an actor has 1 to {ACTOR} characters, a reason 1 to {REASON}")
}

/// Whether there is a card number in it: 13 to 19 digits in a row with the check digit of one, or as many with blanks or
/// hyphens between them.
fn has_card_number(text: &str) -> bool {
    let digits = |run: &str| run.chars().filter_map(|letter| letter.to_digit(10)).collect::<Vec<u32>>();
    let spaced = text.split(|letter: char| !letter.is_ascii_digit() && letter != ' ' && letter != '-');
    let plain = text.split(|letter: char| !letter.is_ascii_digit());
    spaced.map(digits).any(|run| (13..=19).contains(&run.len()) && checks(&run))
        || plain.map(digits).any(|run| (13..=19).any(|length| run.windows(length).any(checks)))
}

/// Whether the last digit checks the others (ISO/IEC 7812-1, annex B).
fn checks(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places.map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    sum.is_multiple_of(10)
}

/// Reads the lists again, on a thread of its own: a million rows take seconds.
async fn reload((actor, reason): (String, String), check: bool, lists: &Lists) -> Result<Reloaded, Refused> {
    let lists = lists.get().cloned().ok_or("this station was not started from a file")?;
    if !check {
        tracing::warn!(event = "control", actor, reason, "an operator has the lists read again");
    }
    let reading = Arc::clone(&lists);
    let work = move || if check { reading.look() } else { reading.run() };
    let outcome = tokio::task::spawn_blocking(work).await.map_err(|_| "the lists could not be read")?;
    if !check {
        say(&outcome, "an operator");
        if let Ok(reloaded) = &outcome {
            lists.note(reloaded, &actor, &reason).await;
        }
    }
    outcome.map_err(|fault| match fault {
        ReloadFault::Breaches(breaches) => Refused {
            why: format!("the files have breaches, {} in all", breaches.len()),
            breaches: breaches.iter().take(BREACHES).map(ToString::to_string).collect(),
        },
        ReloadFault::Risen(all) if all.len() > 1 => Refused {
            why: format!("who was at an end would not be, {} in all", all.len()),
            breaches: all.into_iter().take(BREACHES).collect(),
        },
        fault => Refused::from(fault.to_string()),
    })
}

async fn change_key(
    issuer: &str,
    which: &str,
    (actor, reason): (&str, &str),
    station: &Station<Real>,
) -> Result<KeyChanged, String> {
    let name = IssuerName::parse(issuer).ok_or("an issuer's name has 1 to 32 letters, digits or hyphens")?;
    let key = match which {
        "pin" => ZoneUse::Pin,
        "mac" => ZoneUse::Mac,
        _ => return Err("a zone has a pin key and a mac key".to_owned()),
    };
    signed(actor, reason)?;
    tracing::warn!(event = "control", actor, reason, issuer = %name, which, "an operator changes a zone key");
    let changed = station.change_zone_key(&name, key).await.map_err(|fault| fault.to_string())?;
    let (generation, check) = (changed.generation, &changed.check);
    tracing::info!(event = "zone-key", issuer = %name, which, generation, check = %check, "a zone key has changed");
    Ok(changed)
}

async fn close_batch(
    terminal: String,
    batch: Option<u32>,
    (actor, reason): (String, String),
    station: &Station<Real>,
) -> Result<BatchRow, String> {
    let terminal = TerminalId::parse(terminal.as_bytes()).ok_or("a terminal has 8 characters")?;
    let batch = match batch.map(BatchNumber::new) {
        Some(None) => return Err("a batch has up to six digits".to_owned()),
        batch => batch.flatten(),
    };
    signed(&actor, &reason)?;
    tracing::warn!(event = "control", actor, reason, terminal = %terminal, "an operator closes a batch");
    let closed = station.close_for_operator(terminal, batch, (actor, reason)).await;
    closed.map(|record| BatchRow::from(&record)).map_err(|fault| fault.to_string())
}
