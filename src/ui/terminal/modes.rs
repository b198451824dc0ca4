//! Terminal modes: the shell's, restored at the end of the program, and the line editor's, restored
//! after the process was stopped and continued.

#[cfg(unix)]
mod platform {
    //! Unix: the line editor changes the terminal modes. Its thread may be in the middle of a line
    //! when the program ends.

    use std::io::{self, Write, stdin, stdout};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    use rustix::process::{Signal, getpid, kill_process};
    use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
    use tokio::runtime::Builder;
    use tokio::signal::unix::{SignalKind, signal};

    /// Terminal modes at the time of [`Self::save`], restored on drop. `None` if they could not be
    /// read.
    pub(in crate::ui::terminal) struct TerminalModes(Option<Termios>);

    impl TerminalModes {
        /// Saves the current modes of the terminal at standard input.
        pub(in crate::ui::terminal) fn save() -> Self {
            Self(tcgetattr(stdin()).ok())
        }
    }

    impl Drop for TerminalModes {
        /// Clears the current line, switches off the editor's bracketed paste, and restores the
        /// modes. Does nothing if no modes were saved.
        fn drop(&mut self) {
            if let Some(modes) = &self.0 {
                let _ = write!(stdout(), "\r\u{1b}[K\u{1b}[?2004l");
                let _ = stdout().flush();
                let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
            }
        }
    }

    /// Discards typed keys that were not read yet.
    pub(in crate::ui::terminal) fn discard_typed() {
        // Without effect if the input is no terminal.
        let _ = tcflush(stdin(), QueueSelector::IFlush);
    }

    /// Terminal modes of the line editor while it edits a line; `None` between lines.
    #[derive(Default)]
    pub(in crate::ui::terminal) struct EditingModes(Mutex<Option<Termios>>);

    impl EditingModes {
        /// Saves the current modes of the terminal, which are the editor's. Does nothing if modes
        /// are saved already.
        pub(in crate::ui::terminal) fn begin_line(&self) {
            let mut modes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if modes.is_none() {
                *modes = tcgetattr(stdin()).ok();
            }
        }

        /// Forgets the saved modes. Call it when the editor is about to leave them.
        pub(in crate::ui::terminal) fn end_line(&self) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }

        /// Restores the saved modes, and makes the editor draw its line again. Does nothing between
        /// lines.
        fn restore(&self) {
            let modes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(modes) = &*modes {
                let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
                // The editor draws when it is told that the window's size has changed.
                let _ = kill_process(getpid(), Signal::WINCH);
            }
        }

        /// Starts a thread that restores the editor's modes whenever the process was stopped and is
        /// continued (SIGCONT). While the process was stopped, the shell has set its own modes. The
        /// editor does not notice that if a thread other than its own was stopped first.
        ///
        /// # Errors
        /// No thread can be started, or it cannot receive the signal.
        pub(in crate::ui::terminal) fn restore_when_continued(self: &Arc<Self>) -> io::Result<()> {
            let modes = self.clone();
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let mut continued = {
                let _context = runtime.enter();
                signal(SignalKind::from_raw(Signal::CONT.as_raw()))?
            };
            thread::Builder::new().name("continued".to_owned()).spawn(move || {
                runtime.block_on(async {
                    while continued.recv().await.is_some() {
                        modes.restore();
                    }
                });
            })?;
            Ok(())
        }
    }
}

#[cfg(not(unix))]
mod platform {
    //! Other systems: the shell resets the console.

    use std::io;
    use std::sync::Arc;

    /// Placeholder without effect.
    pub(in crate::ui::terminal) struct TerminalModes;

    impl TerminalModes {
        /// Saves nothing.
        pub(in crate::ui::terminal) const fn save() -> Self {
            Self
        }
    }

    /// Does nothing: typed keys are read later.
    pub(in crate::ui::terminal) const fn discard_typed() {}

    /// Placeholder without effect.
    #[derive(Default)]
    pub(in crate::ui::terminal) struct EditingModes;

    impl EditingModes {
        /// Saves nothing.
        pub(in crate::ui::terminal) const fn begin_line(&self) {}

        /// Forgets nothing.
        pub(in crate::ui::terminal) const fn end_line(&self) {}

        /// Starts nothing: processes are not stopped.
        pub(in crate::ui::terminal) fn restore_when_continued(self: &Arc<Self>) -> io::Result<()> {
            Ok(())
        }
    }
}

pub(super) use platform::{EditingModes, TerminalModes, discard_typed};
