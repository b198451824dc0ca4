//! Signals by which a shell stops the program and lets it go on.

#[cfg(unix)]
mod platform {
    //! Unix: SIGTSTP and SIGCONT.

    use std::io;
    use std::sync::mpsc::SyncSender;
    use std::thread;

    use rustix::process::{Signal as Number, getpid, kill_process};
    use tokio::runtime::Builder;
    use tokio::signal::unix::{SignalKind, signal};

    use crate::ui::full_screen::driver::Signal;

    /// Starts the thread that passes the signals on.
    ///
    /// # Errors
    /// No thread can be started, or it cannot receive the signals.
    pub(in crate::ui::full_screen) fn watch(signals: SyncSender<Signal>) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (mut stops, mut continues) = {
            let _context = runtime.enter();
            let of = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
            (of(Number::TSTP)?, of(Number::CONT)?)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let told = tokio::select! {
                        Some(()) = stops.recv() => Signal::Stop,
                        Some(()) = continues.recv() => Signal::Continued,
                        else => break,
                    };
                    if signals.send(told).is_err() {
                        break;
                    }
                }
            });
        })?;
        Ok(())
    }

    /// Stops the program until it is continued. The calling thread may run a little further. Returns
    /// false if the program is not stopped.
    pub(in crate::ui::full_screen) fn stop_self() -> bool {
        kill_process(getpid(), Number::STOP).is_ok()
    }
}

#[cfg(not(unix))]
mod platform {
    //! Other systems have no such signals.

    use std::io;
    use std::sync::mpsc::SyncSender;

    use crate::ui::full_screen::driver::Signal;

    /// Starts nothing.
    #[expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(in crate::ui::full_screen) fn watch(_signals: SyncSender<Signal>) -> io::Result<()> {
        Ok(())
    }

    /// Returns false: the program is not stopped.
    pub(in crate::ui::full_screen) const fn stop_self() -> bool {
        false
    }
}

pub(super) use platform::{stop_self, watch};
