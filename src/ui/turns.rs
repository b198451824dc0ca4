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
struct State {
    /// A line is done, and the next one has not begun.
    is_between: bool,
    /// Something is being printed.
    is_printing: bool,
}

/// Who may use the terminal.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Who does.
    state: Mutex<State>,
    /// Rung when that changes.
    changed: Condvar,
}

impl Turns {
    /// A line is done.
    pub(super) fn end_line(&self) {
        self.update(|state| state.is_between = true);
        self.wait(READER_PATIENCE, |state| state.is_printing);
    }

    /// The editor has begun with a line, and shows what is printed.
    pub(super) fn begin_line(&self) {
        self.update(|state| state.is_between = false);
    }

    /// Prints in its turn.
    pub(super) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        self.wait(PRINTER_PATIENCE, |state| state.is_between);
        self.update(|state| state.is_printing = true);
        let printed = print();
        self.update(|state| state.is_printing = false);
        printed
    }

    /// Changes something, and tells who waits.
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits while something is so, but not for ever.
    fn wait(&self, patience: Duration, is_so: impl Fn(&State) -> bool) {
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
        let turns = Arc::new(Turns::default());
        let (sender, order) = mpsc::channel();
        turns.end_line();
        let printer = {
            let (turns, sender) = (turns.clone(), sender.clone());
            thread::spawn(move || turns.print(|| sender.send("printed")).unwrap())
        };
        sender.send("begun").unwrap();
        turns.begin_line();
        printer.join().unwrap();
        assert_eq!(order.iter().take(2).collect::<Vec<_>>(), ["begun", "printed"]);
    }

    #[test]
    fn a_reader_who_never_comes_back_stops_nobody() {
        let turns = Turns::default();
        turns.end_line();
        assert_eq!(turns.print(|| "printed"), "printed");
        turns.print(|| turns.end_line());
    }
}
