//! Changes of the terminal's size. When the window gets another width, the line editor draws its
//! line again. First it erases as many rows as the line took before. Many terminals join wrapped
//! rows when they get wider. Then some of the erased rows belong to messages above.

#[cfg(unix)]
mod platform {
    //! Unix: the signal SIGWINCH tells of a change. A thread of this module gets it before the
    //! editor does, and moves the cursor down so that the editor erases only its own rows.

    use std::io::{self, Write, stdout};
    use std::sync::Arc;
    use std::thread;

    use nix::sys::signal::{SigSet, Signal, raise};

    use crate::ui::plain::terminal_width;
    use crate::ui::terminal::access::TerminalAccess;
    use crate::ui::terminal::edited_line::EditedLine;

    /// Returns the signal set that contains only SIGWINCH.
    fn resize_signal() -> SigSet {
        SigSet::from(Signal::SIGWINCH)
    }

    /// Blocks the signal in this thread and in all threads that it starts later, so that only the
    /// thread of `watch_size` gets it. Call it before the program starts any thread.
    pub fn hold_resize_signal() {
        // If this fails, the editor gets the signal first, and may erase a message.
        let _ = resize_signal().thread_block();
    }

    /// Starts the thread that handles changes of the size: it moves the cursor down by the rows in
    /// danger ([`EditedLine::rows_in_danger`]), then lets the editor draw its line again. Blocks
    /// the signal in the calling thread.
    ///
    /// # Errors
    /// No thread can be started.
    pub(in crate::ui::terminal) fn watch_size(
        line: EditedLine,
        access: Arc<TerminalAccess>,
    ) -> io::Result<()> {
        hold_resize_signal();
        let mut columns = terminal_width();
        thread::Builder::new().name("resize".to_owned()).spawn(move || {
            while resize_signal().wait().is_ok() {
                let new_columns = terminal_width();
                let sizes = columns.zip(new_columns).filter(|(before, after)| after > before);
                columns = new_columns;
                access.pause_printing(|| {
                    let rows =
                        sizes.map_or(0, |(before, after)| line.rows_in_danger(before, after));
                    if rows > 0 {
                        // If the terminal is gone, the editor notices.
                        let mut screen = stdout().lock();
                        let _ = screen.write_all("\n".repeat(rows).as_bytes());
                        let _ = screen.flush();
                    }
                    // The editor's handler runs in this thread and wakes the reading thread.
                    let _ = resize_signal().thread_unblock();
                    let _ = raise(Signal::SIGWINCH);
                    hold_resize_signal();
                });
            }
        })?;
        Ok(())
    }
}

#[cfg(not(unix))]
mod platform {
    //! Other systems: the editor handles changes by itself.

    use std::io;
    use std::sync::Arc;

    use crate::ui::terminal::access::TerminalAccess;
    use crate::ui::terminal::edited_line::EditedLine;

    /// Does nothing: there is no such signal.
    pub const fn hold_resize_signal() {}

    /// Starts nothing.
    #[expect(clippy::needless_pass_by_value, reason = "as on Unix")]
    pub(in crate::ui::terminal) fn watch_size(
        _line: EditedLine,
        _access: Arc<TerminalAccess>,
    ) -> io::Result<()> {
        Ok(())
    }
}

pub use platform::hold_resize_signal;
pub(super) use platform::watch_size;
