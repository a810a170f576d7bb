//! What a run leaves behind: `summary.json`, `latency.hgrm`, `intervals.hlog`, `report.html`.

use super::html;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::sim::bench::hlog;
use crate::sim::bench::summary::Summary;
use crate::sim::bench::tally::Tally;
use std::path::Path;

/// Writes all of them into a folder, which is made if it is not there.
pub(super) fn write(folder: &Path, summary: &Summary, tally: &Tally, began: f64) -> Result<(), Failure> {
    let refused = |error: std::io::Error| Failure::new(Exit::Config, format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(refused)?;
    let json = serde_json::to_string_pretty(summary).unwrap_or_default() + "\n";
    for (name, text) in [
        ("summary.json", json),
        ("latency.hgrm", hlog::hgrm(&tally.from_schedule)),
        ("intervals.hlog", hlog::hlog(&tally.intervals, began)),
        ("report.html", html::report(summary, tally)),
    ] {
        std::fs::write(folder.join(name), text).map_err(refused)?;
    }
    Ok(())
}

/// Reads the summary of a run: its file, or the folder it is in.
pub(super) fn read(path: &Path) -> Result<Summary, Failure> {
    let refused = |what: String| Failure::new(Exit::Config, format!("{}: {what}", path.display()));
    let file = if path.is_dir() { path.join("summary.json") } else { path.to_owned() };
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let summary: Summary = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if summary.schema != crate::sim::bench::summary::SCHEMA {
        return Err(refused(format!("its schema is `{}`", summary.schema)));
    }
    Ok(summary)
}
