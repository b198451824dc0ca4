//! What this program has started ends when a signal ends this program. The kernel sees to that, too
//! (`setpriv --pdeathsig`), but not for a server that changes its user, as `ngircd` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Exit status after a signal.
const EXIT_STATUS: i32 = 130;

/// The server that runs, if one does, and the directory with its files.
static RUNNING: Mutex<Option<(Pid, PathBuf)>> = Mutex::new(None);

/// Notes the server that runs.
pub(crate) fn note_started(pid: u32, directory: &Path) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some((pid, directory.to_owned()));
}

/// Notes that it was stopped. To be called before its number can belong to another process.
pub(crate) fn note_stopped() {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Begins to wait for signals, in a thread that sleeps until one comes.
pub(crate) fn watch() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).unwrap();
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            let mut hangup = signal(SignalKind::hangup()).unwrap();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        // Locked until the end, so that nothing else is started.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, directory)) = running.take() {
            let _ = kill_process(pid, Signal::KILL);
            let _ = fs::remove_dir_all(directory);
        }
        std::process::exit(EXIT_STATUS);
    });
}
