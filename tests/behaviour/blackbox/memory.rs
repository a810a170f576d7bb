//! What lies in the memory of a process, as the kernel shows it.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The memory of a process: `/proc/PID/mem`, by the areas of `/proc/PID/smaps`.
pub(crate) struct Memory {
    smaps: String,
    bytes: File,
}

/// An area of it that may be written to.
struct Area {
    from: u64,
    length: usize,
    /// Locked in memory: the kernel says so, not the program.
    locked: bool,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Self {
        let smaps = std::fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
        Self { smaps, bytes: File::open(format!("/proc/{process}/mem")).unwrap() }
    }

    /// The areas that may be written to, their headers before their particulars.
    fn areas(&self) -> Vec<Area> {
        let mut areas = Vec::new();
        for line in self.smaps.lines() {
            let mut words = line.split_whitespace();
            let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
            if first == "VmFlags:" {
                let locked = line.split_whitespace().any(|flag| flag == "lo");
                areas.last_mut().into_iter().for_each(|area: &mut Option<Area>| {
                    area.iter_mut().for_each(|area| area.locked = locked);
                });
            } else if let Some((from, to)) = first.split_once('-').filter(|_| !first.ends_with(':')) {
                let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
                let length = usize::try_from(to - from).unwrap();
                areas.push(second.starts_with("rw").then_some(Area { from, length, locked: false }));
            }
        }
        areas.into_iter().flatten().collect()
    }

    /// Calls `look` with what each area holds, and where it begins. What nobody touched cannot always be read, and holds
    /// nothing.
    pub(crate) fn each(&self, locked: bool, mut look: impl FnMut(u64, &[u8])) {
        for area in self.areas().into_iter().filter(|area| area.locked == locked) {
            let mut bytes = vec![0; area.length];
            if self.bytes.read_exact_at(&mut bytes, area.from).is_ok() {
                look(area.from, &bytes);
            }
        }
    }

    /// Whether these bytes are anywhere outside what is locked.
    pub(crate) fn holds(&self, wanted: &[u8]) -> bool {
        let mut found = false;
        self.each(false, |_, bytes| found |= contains(bytes, wanted));
        found
    }
}

fn contains(mut bytes: &[u8], wanted: &[u8]) -> bool {
    use std::io::BufRead;
    let (first, rest) = wanted.split_first().unwrap();
    while bytes.skip_until(*first).unwrap() > 0 {
        if bytes.starts_with(rest) {
            return true;
        }
    }
    false
}
