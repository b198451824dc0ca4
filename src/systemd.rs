//! Floor 3: what systemd is told. Without systemd, and on systems that have
//! none, nothing happens.

use std::time::Duration;

/// Everything that can be bound is bound.
pub(crate) fn tell_ready() {
    told::tell("READY=1");
}

/// We read our settings again; [`tell_ready`] ends it.
#[cfg(feature = "server")]
pub(crate) fn tell_reloading() {
    told::tell_reloading();
}

/// We have begun to stop.
pub(crate) fn tell_stopping() {
    told::tell("STOPPING=1");
}

/// One line for people.
pub(crate) fn tell_status(status: &str) {
    told::tell(&format!("STATUS={}", status.replace('\n', " ")));
}

/// We are alive.
pub(crate) fn tell_alive() {
    told::tell("WATCHDOG=1");
}

/// How often at least [`tell_alive`] is wanted, if it is.
pub(crate) fn watchdog() -> Option<Duration> {
    told::watchdog()
}

#[cfg(unix)]
mod told {
    //! There may be a systemd.

    use std::sync::atomic::{AtomicBool, Ordering};

    use sd_notify::NotifyState;
    pub(super) use sd_notify::watchdog_enabled as watchdog;

    /// Tells it that settings are read again, and when: some versions want to
    /// know that the answer is younger than their question.
    #[cfg(feature = "server")]
    pub(super) fn tell_reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&format!("RELOADING=1\n{now}")),
            Err(_) => tell("RELOADING=1"),
        }
    }

    /// Tells it something in the words of `sd_notify(3)`. That it cannot be
    /// told is said once.
    pub(super) fn tell(word: &str) {
        static COMPLAINED: AtomicBool = AtomicBool::new(false);
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(word)])
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

    /// Tells nobody.
    pub(super) fn tell(_: &str) {}

    /// Nobody wants to know.
    pub(super) fn watchdog() -> Option<Duration> {
        None
    }
}
