//! Layer 3: notifications to systemd (`sd_notify(3)`). A program that systemd has not started sends
//! none. The program's first failure to send is logged, further ones are ignored.

use std::time::Duration;

/// Notifies systemd that the program has started or has reloaded its configuration (`READY=1`).
pub(crate) fn notify_ready() {
    notifier::send("READY=1");
}

/// Notifies systemd that a reload of the configuration begins (`RELOADING=1`). Call
/// [`notify_ready`] when the reload has ended.
#[cfg(feature = "server")]
pub(crate) fn notify_reloading() {
    notifier::notify_reloading();
}

/// Notifies systemd that the program begins to shut down (`STOPPING=1`).
pub(crate) fn notify_stopping() {
    notifier::send("STOPPING=1");
}

/// Sets the status line that `systemctl status` displays. Newlines become spaces.
pub(crate) fn notify_status(status: &str) {
    notifier::send(&format!("STATUS={}", status.replace('\n', " ")));
}

/// Sends a keep-alive ping to systemd's watchdog (`WATCHDOG=1`).
pub(crate) fn notify_alive() {
    notifier::send("WATCHDOG=1");
}

/// Returns the watchdog timeout. If no [`notify_alive`] comes within this time, systemd kills the
/// program. `None` if systemd has set no timeout for this program.
pub(crate) fn watchdog_timeout() -> Option<Duration> {
    notifier::watchdog_timeout()
}

#[cfg(unix)]
mod notifier {
    //! Notification socket of systemd, if there is one.

    use std::sync::atomic::{AtomicBool, Ordering};

    use sd_notify::NotifyState;
    pub(super) use sd_notify::watchdog_enabled as watchdog_timeout;

    /// Notifies systemd that a reload begins, with the current monotonic time. Some versions of
    /// systemd check that this time is later than their request.
    #[cfg(feature = "server")]
    pub(super) fn notify_reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&format!("RELOADING=1\n{now}")),
            Err(_) => send("RELOADING=1"),
        }
    }

    /// Sends a state string of `sd_notify(3)`. Logs only the program's first failure.
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
    //! Stub for systems without systemd.

    use std::time::Duration;

    /// Does nothing.
    pub(super) fn send(_: &str) {}

    /// Returns `None`: there is no watchdog.
    pub(super) fn watchdog_timeout() -> Option<Duration> {
        None
    }
}
