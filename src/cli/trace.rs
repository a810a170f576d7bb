//! `tollgate trace`: what one terminal sends and gets, live, and why it was refused.

use clap::Args;
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// Follow one terminal live: masked frames, reject reasons, MAC range and key check values
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tollgate trace --tid 10000001\n  tollgate trace --all --json | jq .\n\n\
    The switch must run on this machine with a trace door (the demo has one).")]
pub struct Trace {
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

/// Runs until the switch or the reader goes away. Exit codes: 0, 4 no connection.
///
/// # Errors
/// If the connection breaks.
pub fn run(trace: &Trace) -> anyhow::Result<ExitCode> {
    let mut stream = match TcpStream::connect_timeout(&trace.connect, Duration::from_secs(3)) {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("no switch with a trace door at {}: {error}", trace.connect);
            return Ok(ExitCode::from(4));
        }
    };
    writeln!(stream, "{}", trace.tid.as_deref().unwrap_or("*"))?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let text = if trace.json { line } else { pretty(&line) };
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            other => other?,
        }
    }
    Ok(ExitCode::SUCCESS)
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
