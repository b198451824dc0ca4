//! Terminal modes: saved at the start and restored at the end of the program.

#[cfg(unix)]
mod platform {
    //! Unix: the line editor changes the terminal modes. Its thread may be in the middle of a line
    //! when the program ends.

    use std::io::{Write, stdin, stdout};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

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
        /// Clears the current line, switches off bracketed paste, which the editor has enabled, and
        /// restores the modes. Does nothing if no modes were saved.
        fn drop(&mut self) {
            if let Some(modes) = &self.0 {
                let _ = write!(stdout(), "\r\u{1b}[K\u{1b}[?2004l");
                let _ = stdout().flush();
                let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
            }
        }
    }
}

#[cfg(not(unix))]
mod platform {
    //! Other systems: the shell resets the console.

    /// Placeholder without effect.
    pub(in crate::ui::terminal) struct TerminalModes;

    impl TerminalModes {
        /// Saves nothing.
        pub(in crate::ui::terminal) const fn save() -> Self {
            Self
        }
    }
}

pub(super) use platform::TerminalModes;
