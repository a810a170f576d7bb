//! File descriptors: sessions leave enough of them for the ledger's files and the links, or a crowd of
//! terminals would stop the station.

use super::config::Ceilings;

/// Kept for files that are opened now and then: segments, snapshots, the archive, lists, followers of the trace.
const SPARE: usize = 24;

/// The ceilings, with no more sessions than the process has descriptors for. `elsewhere` is how many the station
/// will need that it has not opened yet, sessions not counted. The soft limit is raised as far as it may be.
pub(super) fn within(ceilings: Ceilings, elsewhere: usize) -> Ceilings {
    let Some(limit) = raised() else { return ceilings };
    let open = std::fs::read_dir("/dev/fd").map_or(0, Iterator::count);
    let room = limit.saturating_sub(open + elsewhere + SPARE).max(1);
    if room < ceilings.sessions {
        tracing::warn!(
            event = "descriptors",
            limit,
            sessions = room,
            configured = ceilings.sessions,
            "fewer sessions than configured: the limit of open files does not reach"
        );
    }
    Ceilings { sessions: ceilings.sessions.min(room), ..ceilings }
}

/// The limit of open files, the soft one raised to the hard one; `None` where there is none.
#[cfg(unix)]
#[must_use]
pub fn raised() -> Option<usize> {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    use rustix::process::getrlimit;
    use rustix::process::setrlimit;
    let limit = getrlimit(Resource::Nofile);
    // A system that refuses leaves the old one.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}

/// No limit is known here.
#[cfg(not(unix))]
#[must_use]
pub fn raised() -> Option<usize> {
    None
}
