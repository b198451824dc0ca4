//! Coordination of terminal access between the reading and the printing thread: normally nothing is
//! printed between two lines.
//!
//! While the editor is editing a line, it queues texts, and prints them once it has read all
//! pending keys. Between two lines it lets the printer write to the terminal directly. A text
//! printed then would overtake the queued texts. So the printer waits until the next line has
//! begun.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Maximum time that the printer waits, for the next line to begin or for a change of the
/// terminal's size to be handled. After it, the printer prints anyway: the reader may be waiting
/// for the driver, and the driver for the printer.
const PRINTER_PATIENCE: Duration = Duration::from_millis(200);

/// Maximum time to wait for a print in progress, at the end of a line and at a change of the
/// terminal's size. After it, the waiting thread goes on: the print is waiting for the editor
/// itself.
const READER_PATIENCE: Duration = Duration::from_millis(10);

/// State of the terminal access, protected by a mutex.
#[derive(Debug, Default)]
struct AccessState {
    /// True if a line has ended and the next line has not begun.
    is_between_lines: bool,
    /// True while the printer is printing a text.
    is_printing: bool,
    /// True while the printer must wait because a change of the terminal's size is being handled.
    is_resizing: bool,
}

/// Coordination of terminal access between the reading and the printing thread.
#[derive(Debug, Default)]
pub(super) struct TerminalAccess {
    /// State shared by the threads.
    state: Mutex<AccessState>,
    /// Condition variable that is notified of every change of the state.
    changed: Condvar,
}

impl TerminalAccess {
    /// Marks the current line as finished, so that the printer waits. Blocks until a print in
    /// progress is done, at most for [`READER_PATIENCE`].
    pub(super) fn end_line(&self) {
        self.update(|state| state.is_between_lines = true);
        self.wait_while(READER_PATIENCE, |state| state.is_printing);
    }

    /// Marks a line as begun: the editor accepts texts, so the printer may print. Also call it when
    /// no further line will begin, so that the printer does not wait for one.
    pub(super) fn begin_line(&self) {
        self.update(|state| state.is_between_lines = false);
    }

    /// Keeps the printer from beginning a print until this function returns. Waits for a print in
    /// progress, at most for [`READER_PATIENCE`]. Then calls `action`. The printer waits at most
    /// for [`PRINTER_PATIENCE`].
    pub(super) fn pause_printing(&self, action: impl FnOnce()) {
        self.update(|state| state.is_resizing = true);
        self.wait_while(READER_PATIENCE, |state| state.is_printing);
        action();
        self.update(|state| state.is_resizing = false);
    }

    /// Waits until a line has begun and no change of the terminal's size is being handled, at most
    /// for [`PRINTER_PATIENCE`]. Then calls `print` and returns its result.
    pub(super) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        self.wait_while(PRINTER_PATIENCE, |state| state.is_between_lines || state.is_resizing);
        self.update(|state| state.is_printing = true);
        let printed = print();
        self.update(|state| state.is_printing = false);
        printed
    }

    /// Changes the state and wakes all waiting threads.
    fn update(&self, change: impl FnOnce(&mut AccessState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Blocks while the condition holds, at most for `patience`.
    fn wait_while(&self, patience: Duration, condition: impl Fn(&AccessState) -> bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(state, patience, |state| condition(state)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// The printer waits until the next line has begun.
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

    /// If no line begins, the printer prints after [`PRINTER_PATIENCE`]. A line can end during
    /// printing.
    #[test]
    fn absent_reader_does_not_block_printer() {
        let access = TerminalAccess::default();
        access.end_line();
        assert_eq!(access.print(|| "printed"), "printed");
        access.print(|| access.end_line());
    }
}
