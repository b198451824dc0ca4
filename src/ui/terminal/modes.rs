//! Terminal modes, restored at the end of the program.

#[cfg(unix)]
mod platform {
    //! The terminal's modes. The line editor changes them and its thread
    //! may be in the middle of a line when the program ends.

    use std::io::{Write, stdin, stdout};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The modes as they were.
    pub(in crate::ui::terminal) struct TerminalModes(Option<Termios>);

    impl TerminalModes {
        /// Looks at them.
        pub(in crate::ui::terminal) fn save() -> Self {
            Self(tcgetattr(stdin()).ok())
        }
    }

    impl Drop for TerminalModes {
        /// Puts them back: also that of pasting, which the editor has set.
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
    //! Consoles elsewhere are put in order by the shell.

    /// Nothing.
    pub(in crate::ui::terminal) struct TerminalModes;

    impl TerminalModes {
        /// Nothing is to be kept.
        pub(in crate::ui::terminal) const fn save() -> Self {
            Self
        }
    }
}

pub(super) use platform::TerminalModes;
