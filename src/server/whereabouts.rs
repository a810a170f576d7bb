//! Where terminals call from that are pinned, learnt or warned of, beside the ledger: a start is no way out of a pin.
//!
//! A text file, `callers` in the ledger's folder, its owner's alone, replaced as a whole:
//!
//! ```text
//! tollgate callers 1
//! 192.0.2.7 10000001
//! ```
//!
//! Nothing is decided by it but where a terminal was; without it, the first call after a start is where a terminal is.

use super::private_file;
use super::station::Built;
use crate::model::TerminalId;
use crate::registry::Callers;
use crate::registry::Registry;
use core::net::IpAddr;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The file's name in the ledger's folder.
const FILE: &str = "callers";
/// Its first line: the next form of it has another number.
const HEAD: &str = "tollgate callers 1";
/// What is read of it at most, in bytes: some millions of terminals.
const MOST: u64 = 256 << 20;
/// Between two looks whether somebody moved.
const LOOK: Duration = Duration::from_secs(5);

/// Takes in what an earlier run kept of terminals that are listed. A file that cannot be believed is said, and passed over.
pub(super) fn restore(folder: &Path, registry: &Registry, callers: &Callers) {
    let path = folder.join(FILE);
    match read(&path) {
        Ok(rows) => callers.restore(rows.into_iter().filter(|(terminal, _)| registry.terminal(*terminal).is_some())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(fault) => {
            let file = path.display();
            tracing::error!(event = "callers", %file, %fault, "from where terminals called is not known: their next call is where they are");
        }
    }
}

/// Keeps it as it changes, until it is dropped.
pub(super) async fn keep(folder: PathBuf, built: Arc<Built>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let (folder, built) = (folder.clone(), Arc::clone(&built));
        // The disk may be slow, and whoever runs beside this has issuers to tell.
        let saved = tokio::task::spawn_blocking(move || save(&folder, built.parts().sessions.callers()));
        if saved.await.is_err() {
            return;
        }
    }
}

/// Writes what has changed, if anything has. What cannot be written is said, and tried again with the next look.
pub(super) fn save(folder: &Path, callers: &Callers) {
    let Some(rows) = callers.to_keep() else { return };
    if let Err(fault) = private_file::replace(&folder.join(FILE), text(&rows).as_bytes()) {
        callers.not_kept();
        tracing::error!(event = "callers", %fault, "from where terminals call cannot be kept");
    }
}

fn text(rows: &[(TerminalId, IpAddr)]) -> String {
    let mut text = format!("{HEAD}\n");
    for (terminal, household) in rows {
        // Into a text: cannot fail.
        let _ = writeln!(text, "{household} {}", terminal.as_str());
    }
    text
}

fn read(path: &Path) -> io::Result<Vec<(TerminalId, IpAddr)>> {
    let mut text = String::new();
    File::open(path)?.take(MOST).read_to_string(&mut text)?;
    parse(&text).map_err(|line| io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is none of it")))
}

/// The rows, or the line that is none.
fn parse(text: &str) -> Result<Vec<(TerminalId, IpAddr)>, usize> {
    let row = |line: &str| {
        let (household, terminal) = line.split_once(' ')?;
        Some((TerminalId::parse(terminal.as_bytes())?, household.parse().ok()?))
    };
    let mut lines = (1_usize..).zip(text.lines());
    if lines.next().is_none_or(|(_, head)| head != HEAD) || !text.ends_with('\n') {
        return Err(1);
    }
    lines.map(|(number, line)| row(line).ok_or(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_is_refused_by_its_line() {
        let rows: Vec<(TerminalId, IpAddr)> = [("10000001", "192.0.2.7"), ("A 1     ", "2001:db8::")]
            .map(|(terminal, from)| (TerminalId::parse(terminal.as_bytes()).unwrap(), from.parse().unwrap()))
            .into();
        assert_eq!(parse(&text(&rows)), Ok(rows));
        assert_eq!(parse(&text(&[])), Ok(Vec::new()));
        for (bad, line) in [
            ("", 1),
            ("tollgate callers 2\n", 1),
            ("tollgate callers 1\n192.0.2.7 10000001", 1),
            ("tollgate callers 1\n192.0.2.7 10000001\n192.0.2.7\n", 3),
            ("tollgate callers 1\n192.0.2 10000001\n", 2),
            ("tollgate callers 1\n192.0.2.7 1000001\n", 2),
        ] {
            assert_eq!(parse(bad), Err(line), "{bad:?}");
        }
    }
}
