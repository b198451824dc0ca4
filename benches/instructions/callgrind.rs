//! Runs a case under Valgrind's callgrind, and reads the count.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::terminal::{Life, Terminal};
use super::{Case, MEASURED};

/// Argument with which this program runs a case itself.
pub(crate) const CASE_FLAG: &str = "--case";

/// Size of the terminal of a case that has one: columns and rows.
const SIZE: (u16, u16) = (100, 30);

/// Number of attempts to count a case on a terminal. A frame that has begun when the program is told
/// to end sets the count back to zero, and does not end.
const ATTEMPTS: usize = 5;

/// Counts the instructions of one operation of a case.
pub(crate) fn count(case: &Case) -> u64 {
    let attempts = if case.attend.is_some() { ATTEMPTS } else { 1 };
    let total = (0..attempts).map(|_| run_and_count(case)).find(|it| *it > 0);
    let total = total.unwrap_or_else(|| {
        panic!("callgrind has counted nothing in {}: are its functions still there?", case.name)
    });
    total / case.times
}

/// Runs a case under callgrind. Returns the number of instructions; 0 if nothing was counted.
fn run_and_count(case: &Case) -> u64 {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = directory.path().join("counts");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", output.display()));
    command.arg(format!("--toggle-collect={MEASURED}"));
    if let Some(function) = case.counted_too {
        command.arg(format!("--toggle-collect={function}"));
        if case.counts_last_only {
            command.arg(format!("--zero-before={function}"));
        }
    }
    command.arg(std::env::current_exe().unwrap()).args([CASE_FLAG, case.name]);
    // The same for everybody: what is in the environment lies on the stack.
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(directory.path());
    match case.attend {
        None => {
            let status = command.stdin(Stdio::null()).status();
            let status = status.unwrap_or_else(|error| panic!("valgrind does not run: {error}"));
            assert!(status.success(), "{} has failed under valgrind: {status}", case.name);
        }
        Some(attend) => {
            let mut terminal = Terminal::with_size(&command, SIZE.0, SIZE.1);
            attend(&mut terminal);
            assert_eq!(terminal.end(), Life::Exited(0), "{}", case.name);
        }
    }
    read_total(&output)
}

/// Reads the number of instructions from a file of callgrind.
fn read_total(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let total = text.lines().rev().find_map(|it| it.strip_prefix("totals: "));
    total.unwrap().trim().parse().unwrap()
}
