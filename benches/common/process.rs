//! What a benchmark asks the kernel about another process.

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
