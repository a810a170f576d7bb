//! What the machine is, and what its processes took of it.

use crate::sim::bench::summary::Machine;

/// Ticks of `/proc/PID/stat` a second: the same on every Linux there is.
const TICKS: f64 = 100.0;

/// The machine's line.
pub(super) fn facts() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let kilobytes = memory.and_then(|text| text.split(' ').next().and_then(|number| number.parse::<u64>().ok()));
    Machine {
        cpu: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mb: kilobytes.unwrap_or_default() / 1024,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
    }
}

/// Processor time of a process so far, in seconds; `None` where nobody says so.
pub(super) fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold anything: what counts is behind the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}
