//! The trace door: a terminal's developer connects, names a terminal, and reads its lines.
//!
//! Loopback only, by construction. The client sends one line, a terminal number or `*`; the station
//! sends one JSON object a line until the client hangs up.

use super::tap::{Direction, Seen, Tap};
use super::watch::{TraceLine, Watch};
use crate::channel::Profile;
use crate::iso8583::describe;
use crate::model::TerminalId;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

/// How many may follow at once; a further one is closed at once.
const FOLLOWERS: usize = 8;
/// How long a client may take to name its terminal, and to read one line.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest line written; a longer one loses its description.
const LONGEST_LINE: usize = 64 * 1024;

/// What there is to follow.
pub struct Sources {
    /// What happened.
    pub watch: Arc<Watch>,
    /// Frames as they pass.
    pub tap: Tap,
    /// How the doors speak, by name.
    pub profiles: HashMap<Box<str>, Arc<Profile>>,
}

/// Opens the trace door on `127.0.0.1:port`.
///
/// # Errors
/// If the port cannot be bound.
pub async fn open(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Serves traces for as long as the future is driven.
pub async fn serve(listener: TcpListener, sources: Arc<Sources>) {
    let places = Arc::new(Semaphore::new(FOLLOWERS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let sources = Arc::clone(&sources);
        tokio::spawn(async move {
            // A follower that goes away is no event.
            let _ = follow(stream, &sources).await;
            drop(place);
        });
    }
}

async fn follow(stream: TcpStream, sources: &Sources) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(64));
    let mut asked = String::new();
    tokio::time::timeout(PATIENCE, reader.read_line(&mut asked)).await??;
    let asked = asked.trim();
    let wanted = (asked != "*").then(|| TerminalId::parse(format!("{asked:<8}").as_bytes()));
    if wanted == Some(None) {
        return Ok(());
    }
    let wanted = wanted.flatten();
    let mut lines = sources.watch.follow();
    let mut frames = sources.tap.listen();
    loop {
        let line = tokio::select! {
            biased;
            frame = frames.recv() => match frame {
                Ok(seen) if wanted.is_some() && seen.lane.and_then(|lane| lane.terminal) != wanted => continue,
                frame => frame.map(|seen| sources.frame(&seen)),
            },
            line = lines.recv() => line,
            // Nothing more is expected from the follower but its end.
            _ = reader.read_u8() => return Ok(()),
        };
        let line = match line {
            Ok(line) => line,
            Err(RecvError::Lagged(missed)) => {
                TraceLine { terminal: wanted, line: json!({ "event": "missed", "lines": missed }) }
            }
            Err(RecvError::Closed) => return Ok(()),
        };
        if wanted.is_none() || line.terminal == wanted {
            tokio::time::timeout(PATIENCE, writer.write_all(text(line).as_bytes())).await??;
        }
    }
}

impl Sources {
    /// A frame as a trace line: masked, with what was read before a fault.
    fn frame(&self, seen: &Seen) -> TraceLine {
        let event = match seen.direction {
            Direction::In => "received",
            Direction::Out => "sent",
        };
        let text = self.profiles.get(&seen.door).and_then(|profile| describe_unit(profile, seen));
        TraceLine {
            terminal: seen.lane.and_then(|lane| lane.terminal),
            line: json!({
                "event": event,
                "door": seen.door,
                "peer": seen.peer.to_string(),
                "bytes": seen.unit.len(),
                "reject": seen.reject,
                "text": text,
            }),
        }
    }
}

fn describe_unit(profile: &Profile, seen: &Seen) -> Option<String> {
    let frame = profile.split(seen.unit.clone()).ok()?;
    Some(match profile.decode(&frame) {
        Ok(message) => describe::text(&message, false),
        Err(rejected) => describe::text(&*rejected, false),
    })
}

fn text(line: TraceLine) -> String {
    let mut value = line.line;
    if let Some(object) = value.as_object_mut() {
        object.insert("terminal".into(), line.terminal.map(|terminal| terminal.to_string()).into());
    }
    let text = value.to_string();
    if text.len() >= LONGEST_LINE
        && let Some(object) = value.as_object_mut()
    {
        object.insert("text".into(), Value::from("too long for a trace line"));
        return value.to_string() + "\n";
    }
    text + "\n"
}
