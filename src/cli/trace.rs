//! `tollgate trace`: what one terminal sends and gets, live, and why it was refused.

use super::{Exit, Failure, Outcome};
use clap::Args;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Follow one terminal live: masked frames, reject reasons, MAC range and key check values.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tollgate trace --tid 10000001\n  tollgate trace --all --json | jq .\n\n\
    The switch must run on this machine with a trace door (the demo has one).")]
pub(super) struct Trace {
    /// The terminal, DE 41
    #[arg(long, required_unless_present = "all")]
    tid: Option<String>,
    /// Every terminal
    #[arg(long, conflicts_with = "tid")]
    all: bool,
    /// The switch's trace door
    #[arg(long, default_value = "127.0.0.1:8586")]
    connect: SocketAddr,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Trace {
    /// Runs until the switch or the reader goes away.
    ///
    /// # Errors
    /// No trace door there; a connection that breaks.
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let connected = TcpStream::connect_timeout(&self.connect, Duration::from_secs(3));
        let mut stream = connected.map_err(|error| {
            let message = format!("no switch with a trace door at {}: {error}", self.connect);
            Failure::new(Exit::NoConnection, message)
        })?;
        writeln!(stream, "{}", self.tid.as_deref().unwrap_or("*"))?;
        for line in BufReader::new(stream).lines() {
            let line = line?;
            writeln!(out, "{}", if self.json { line } else { pretty(&line) })?;
            out.flush()?;
        }
        Ok(Exit::Ok)
    }
}

/// `terminal event key=value …`, then a frame's description on lines of its own.
fn pretty(line: &str) -> String {
    let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let mut take = |key: &str| object.shift_remove(key).as_ref().map(plain).unwrap_or_default();
    let (terminal, event, text) = (take("terminal"), take("event"), take("text"));
    let rest = object.iter().filter(|(_, value)| !value.is_null());
    let rest: Vec<String> = rest.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    let head = format!("{terminal:<8} {event:<12} {}", rest.join("  "));
    if text.is_empty() { head.trim_end().to_owned() } else { format!("{}\n{}", head.trim_end(), indented(&text)) }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
