//! Floor 3: what systemd is told. Without systemd, and on systems that have
//! none, nothing happens.

use std::time::Duration;

/// Everything that can be bound is bound.
pub(crate) fn tell_ready() {
    told::tell(told::Word::Ready);
}

/// We have begun to stop.
pub(crate) fn tell_stopping() {
    told::tell(told::Word::Stopping);
}

/// One line for people.
pub(crate) fn tell_status(status: &str) {
    told::tell(told::Word::Status(status));
}

/// We are alive.
pub(crate) fn tell_alive() {
    told::tell(told::Word::Watchdog);
}

/// How often at least [`tell_alive`] is wanted, if it is.
pub(crate) fn watchdog() -> Option<Duration> {
    told::watchdog()
}

#[cfg(unix)]
mod told {
    //! There may be a systemd.

    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) use sd_notify::{NotifyState as Word, watchdog_enabled as watchdog};

    /// Tells it. That it cannot be told is said once.
    pub(super) fn tell(word: Word<'_>) {
        static COMPLAINED: AtomicBool = AtomicBool::new(false);
        if let Err(error) = sd_notify::notify(&[word])
            && !COMPLAINED.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("cannot notify systemd: {error}");
        }
    }
}

#[cfg(not(unix))]
mod told {
    //! There is no systemd.

    use std::time::Duration;

    /// What nobody hears.
    pub(super) enum Word<'a> {
        Ready,
        Stopping,
        Status(&'a str),
        Watchdog,
    }

    /// Tells nobody.
    pub(super) fn tell(_: Word<'_>) {}

    /// Nobody wants to know.
    pub(super) fn watchdog() -> Option<Duration> {
        None
    }
}
