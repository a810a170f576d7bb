//! The trace door: a terminal's developer connects, names a terminal, and reads its lines.
//!
//! Loopback only, by construction. The client sends one line, a terminal number or `*`; the station
//! sends one JSON object a line until the client hangs up.

use super::watch::{TraceLine, Watch};
use crate::model::TerminalId;
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
const LONGEST_LINE: usize = 4096;

/// Serves traces on `127.0.0.1:port` for as long as the future is driven.
///
/// # Errors
/// If the port cannot be bound.
pub async fn serve(port: u16, watch: Arc<Watch>) -> std::io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let places = Arc::new(Semaphore::new(FOLLOWERS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let watch = Arc::clone(&watch);
        tokio::spawn(async move {
            // A follower that goes away is no event.
            let _ = follow(stream, &watch).await;
            drop(place);
        });
    }
}

async fn follow(stream: TcpStream, watch: &Watch) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(64));
    let mut asked = String::new();
    tokio::time::timeout(PATIENCE, reader.read_line(&mut asked)).await??;
    let wanted = TerminalId::parse(format!("{:<8}", asked.trim()).as_bytes());
    let mut lines = watch.follow();
    loop {
        let received = tokio::select! {
            received = lines.recv() => received,
            // Nothing more is expected from the follower but its end.
            _ = reader.read_u8() => return Ok(()),
        };
        let line = match received {
            Ok(line) => line,
            Err(RecvError::Lagged(missed)) => {
                TraceLine { terminal: wanted, line: serde_json::json!({ "event": "missed", "lines": missed }) }
            }
            Err(RecvError::Closed) => return Ok(()),
        };
        if wanted.is_none() || line.terminal == wanted {
            let text = text(&line);
            tokio::time::timeout(PATIENCE, writer.write_all(text.as_bytes())).await??;
        }
    }
}

fn text(line: &TraceLine) -> String {
    let mut value = line.line.clone();
    if let Some(object) = value.as_object_mut() {
        object.insert("terminal".into(), line.terminal.map(|terminal| terminal.to_string()).into());
    }
    let text = value.to_string();
    if text.len() < LONGEST_LINE {
        return text + "\n";
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("text".into(), "too long for a trace line".into());
    }
    value.to_string() + "\n"
}
