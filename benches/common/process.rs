//! What a benchmark asks the kernel about another process.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::fs;
use std::time::Duration;

/// Returns the CPU time used by all threads that a process has now. It falls when one of them ends, so
/// a difference has to be a saturating one.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanoseconds = tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// Memory of a process in kilobytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Resident memory, that of shared libraries included.
    pub(crate) resident: f64,
    /// The same, but only its part of what it shares with other processes (PSS).
    pub(crate) proportional: f64,
}

/// Returns the memory of a process.
pub(crate) fn memory(pid: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    Memory { resident: value("Rss:"), proportional: value("Pss:") }
}
