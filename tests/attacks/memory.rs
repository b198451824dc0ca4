//! Resident memory of the server, watched while it is attacked.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// A thread that records the greatest resident memory of a process.
pub(crate) struct MemoryWatch {
    /// Tells the thread to end.
    over: Arc<AtomicBool>,
    /// The thread; returns the greatest value, in bytes.
    thread: JoinHandle<u64>,
}

impl MemoryWatch {
    /// Starts to watch a process.
    pub(crate) fn start(process: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = thread::spawn(move || {
            let mut peak = 0;
            while !told.load(Ordering::Relaxed) {
                peak = peak.max(resident(process).unwrap_or(0));
                thread::sleep(INTERVAL);
            }
            peak
        });
        Self { over, thread }
    }

    /// Ends the watch and returns the greatest resident memory, in bytes.
    pub(crate) fn peak(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Returns the resident memory of a process (`VmRSS`), in bytes; `None` if it has ended.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1_024)
}
