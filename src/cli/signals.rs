//! Termination signals of `chat-client` and `chat-peer`.

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
use crate::ui::full_screen::is_editing;

/// Resolves at the first termination signal: Ctrl-C (SIGINT), and on Unix also SIGTERM and SIGHUP.
/// From the first poll on, until the process ends, these signals no longer end it by themselves. A
/// signal whose handler cannot be installed does what the operating system does by default.
pub(super) async fn termination_signal() {
    #[cfg(unix)]
    tokio::select! {
        () = interrupted() => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()) => {}
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Resolves at Ctrl-C (SIGINT), except while the user's editor has the terminal.
#[cfg(unix)]
async fn interrupted() {
    loop {
        received(SignalKind::interrupt()).await;
        if !is_editing() {
            return;
        }
    }
}

/// Resolves when the process receives a signal of this kind. Never resolves if the handler cannot
/// be installed.
#[cfg(unix)]
async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => _ = signals.recv().await,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A signal that cannot be handled, such as SIGKILL, does not count as received.
    #[tokio::test]
    async fn signal_without_a_handler_is_not_received() {
        let kill = SignalKind::from_raw(9);
        assert!(signal(kill).is_err());
        assert!(timeout(Duration::ZERO, received(kill)).await.is_err());
    }
}
