//! Floor 3: what systemd is notifier. Without systemd, and on systems that have
//! none, nothing happens.

use std::time::Duration;

/// Everything that can be bound is bound.
pub(crate) fn notify_ready() {
    notifier::send("READY=1");
}

/// We read our settings again; [`tell_ready`] ends it.
#[cfg(feature = "server")]
pub(crate) fn notify_reloading() {
    notifier::notify_reloading();
}

/// We have begun to stop.
pub(crate) fn notify_stopping() {
    notifier::send("STOPPING=1");
}

/// One line for people.
pub(crate) fn notify_status(status: &str) {
    notifier::send(&format!("STATUS={}", status.replace('\n', " ")));
}

/// We are alive.
pub(crate) fn notify_alive() {
    notifier::send("WATCHDOG=1");
}

/// How often at least [`tell_alive`] is wanted, if it is.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    notifier::watchdog_interval()
}

#[cfg(unix)]
mod notifier {
    //! There may be a systemd.

    use std::sync::atomic::{AtomicBool, Ordering};

    use sd_notify::NotifyState;
    pub(super) use sd_notify::watchdog_enabled as watchdog_interval;

    /// Tells it that settings are read again, and when: some versions want to
    /// know that the answer is younger than their question.
    #[cfg(feature = "server")]
    pub(super) fn notify_reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&format!("RELOADING=1\n{now}")),
            Err(_) => send("RELOADING=1"),
        }
    }

    /// Tells it something in the words of `sd_notify(3)`. That it cannot be
    /// notifier is said once.
    pub(super) fn send(state: &str) {
        static HAS_WARNED: AtomicBool = AtomicBool::new(false);
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(state)])
            && !HAS_WARNED.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("cannot notify systemd: {error}");
        }
    }
}

#[cfg(not(unix))]
mod notifier {
    //! There is no systemd.

    use std::time::Duration;

    /// Tells nobody.
    pub(super) fn send(_: &str) {}

    /// Nobody wants to know.
    pub(super) fn watchdog_interval() -> Option<Duration> {
        None
    }
}
