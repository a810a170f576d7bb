//! Log lines: JSON for machines, text for people at a terminal, none longer than 4 KiB.

use std::io::{self, IsTerminal, Write};
use tracing::Dispatch;
use tracing::dispatcher::SetGlobalDefaultError;
use tracing_subscriber::EnvFilter;

/// Bytes of the longest log line, its end included.
pub const LINE: usize = 4096;

/// Bytes that are shown of a longer one.
const HEAD: usize = 256;

/// How log lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// One JSON object a line.
    Json,
    /// Text with a level and a time.
    Human,
}

impl Form {
    /// Text if standard error is a terminal, else JSON.
    #[must_use]
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Sends log lines of the whole process to standard error. `filter` is of the form
/// `info,tollgate::server=debug`; what cannot be read of it is left out.
///
/// # Errors
/// Somebody did so already.
pub fn start(form: Form, filter: &str) -> Result<(), SetGlobalDefaultError> {
    tracing::dispatcher::set_global_default(dispatch(form, filter, io::stderr))
}

/// Log lines to wherever `make` leads. [`start`] is this on standard error.
pub fn dispatch<W, M>(form: Form, filter: &str, make: M) -> Dispatch
where
    W: Write,
    M: Fn() -> W + Send + Sync + 'static,
{
    let writer = move || Bounded(make());
    // Told of a line that nobody takes, the subscriber would print that to standard error, and end the process where
    // nobody reads that either.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(writer)
        .log_internal_errors(false);
    match form {
        Form::Json => Dispatch::new(subscriber.json().flatten_event(true).with_span_list(false).finish()),
        Form::Human => {
            let colours = io::stderr().is_terminal();
            Dispatch::new(subscriber.with_target(false).with_ansi(colours).finish())
        }
    }
}

/// Writes lines that come whole, as the subscriber gives them, and replaces one that is too long by a
/// line that says so and is still JSON.
struct Bounded<W>(W);

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= LINE {
            self.0.write_all(line)?;
        } else {
            let head = String::from_utf8_lossy(line.get(..HEAD).unwrap_or(line));
            let message = format!("log line of {} bytes left out", line.len());
            let short = serde_json::json!({ "level": "ERROR", "message": message, "head": head });
            self.0.write_all(format!("{short}\n").as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_at_the_limit_is_written_and_a_longer_one_is_replaced() {
        for (length, kept) in [(LINE, true), (LINE + 1, false), (100 * LINE, false)] {
            let mut out = Bounded(Vec::new());
            let line = vec![7; length];
            out.write_all(&line).unwrap();
            assert_eq!(out.0 == line, kept);
            assert!(out.0.len() <= LINE);
            if !kept {
                let object: serde_json::Value = serde_json::from_slice(&out.0).unwrap();
                assert_eq!(object["message"], format!("log line of {length} bytes left out"));
            }
        }
    }
}
