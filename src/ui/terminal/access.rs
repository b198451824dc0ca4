//! Keeps what is printed in order while one line is done and the next one
//! has not begun.
//!
//! The line editor shows what is printed while it edits by itself, when it
//! finds the time: not before the keys that wait have been read. Between two
//! lines it lets whoever prints write to the terminal at once, and that would
//! overtake what still waits. So nothing is printed between two lines.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a printer waits for the next line to begin. It takes longer only if
/// the program does not come to take the lines: then showing something, even
/// in the wrong place, is what gets it going again.
const PRINTER_PATIENCE: Duration = Duration::from_millis(200);

/// How long the reader waits for a printer that is just at it. A printer that
/// takes longer has handed its text to the editor, and waits for its turn.
const READER_PATIENCE: Duration = Duration::from_millis(10);

/// Who is at it.
#[derive(Debug, Default)]
struct AccessState {
    /// A line is done, and the next one has not begun.
    is_between_lines: bool,
    /// Something is being printed.
    is_printing: bool,
}

/// Who may use the terminal.
#[derive(Debug, Default)]
pub(super) struct TerminalAccess {
    /// Who does.
    state: Mutex<AccessState>,
    /// Rung when that changes.
    changed: Condvar,
}

impl TerminalAccess {
    /// A line is done.
    pub(super) fn end_line(&self) {
        self.update(|state| state.is_between_lines = true);
        self.wait_while(READER_PATIENCE, |state| state.is_printing);
    }

    /// The editor has begun with a line, and shows what is printed.
    pub(super) fn begin_line(&self) {
        self.update(|state| state.is_between_lines = false);
    }

    /// Prints in its turn.
    pub(super) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        self.wait_while(PRINTER_PATIENCE, |state| state.is_between_lines);
        self.update(|state| state.is_printing = true);
        let printed = print();
        self.update(|state| state.is_printing = false);
        printed
    }

    /// Changes something, and tells who waits.
    fn update(&self, change: impl FnOnce(&mut AccessState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits while something is so, but not for ever.
    fn wait_while(&self, patience: Duration, is_so: impl Fn(&AccessState) -> bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(state, patience, |state| is_so(state)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_printed_between_lines() {
        let access = Arc::new(TerminalAccess::default());
        let (sender, order) = mpsc::channel();
        access.end_line();
        let printer = {
            let (access, sender) = (access.clone(), sender.clone());
            thread::spawn(move || access.print(|| sender.send("printed")).unwrap())
        };
        sender.send("begun").unwrap();
        access.begin_line();
        printer.join().unwrap();
        assert_eq!(order.iter().take(2).collect::<Vec<_>>(), ["begun", "printed"]);
    }

    #[test]
    fn absent_reader_does_not_block_printer() {
        let access = TerminalAccess::default();
        access.end_line();
        assert_eq!(access.print(|| "printed"), "printed");
        access.print(|| access.end_line());
    }
}
