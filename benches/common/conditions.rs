//! What is true of a whole run: the machine, and what else it did.

use std::fs;
use std::thread;
use std::time::Duration;

/// Time for which the machine is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// Share of the CPU time above which other programs disturb.
const BUSY: f64 = 0.05;

/// Returns the processor, the number of cores and the version of the kernel.
pub(crate) fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = processor.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        ["model name", "Model"].contains(&name.trim()).then(|| value.trim())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let cores = cpu_lines().len() - 1;
    format!(
        "Machine: {} with {cores} cores, {}, Linux {}.",
        model.unwrap_or("unknown processor"),
        std::env::consts::ARCH,
        kernel.trim().split('-').next().unwrap_or_default()
    )
}

/// Returns the share of all cores' time that is used, while this program does nothing.
pub(crate) fn busy_share() -> f64 {
    let before = used_and_all();
    thread::sleep(WATCHED);
    let after = used_and_all();
    (after.0 - before.0) / (after.1 - before.1).max(1.0)
}

/// Says what share of the CPU time other programs used before the run and after it.
pub(crate) fn disturbance(before: f64, after: f64) -> String {
    let is_busy = before.max(after) > BUSY;
    let consequence =
        if is_busy { " So the figures are rough, absolute ones above all." } else { "" };
    format!(
        "Other programs used {:.0} % of the machine's CPU time before the run and {:.0} % after it.\
         {consequence}",
        before * 100.0,
        after * 100.0
    )
}

/// Returns the lines of the kernel's statistics that are about cores; the first is about all of them.
fn cpu_lines() -> Vec<String> {
    let text = fs::read_to_string("/proc/stat").unwrap();
    text.lines().filter(|line| line.starts_with("cpu")).map(str::to_owned).collect()
}

/// Returns the time that all cores were used, and their time in all, in ticks.
fn used_and_all() -> (f64, f64) {
    let line = cpu_lines().swap_remove(0);
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).map(|it| it.parse().unwrap()).collect();
    let all: f64 = ticks.iter().sum();
    // The fourth is idle, the fifth waits for a disk.
    (all - ticks[3] - ticks[4], all)
}
