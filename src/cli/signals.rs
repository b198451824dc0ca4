//! Termination signals of `chat-client` and `chat-peer`.

/// Resolves at the first termination signal: Ctrl-C (SIGINT), and on Unix also SIGTERM and SIGHUP.
/// Never resolves if the handler of SIGTERM or SIGHUP cannot be installed.
pub(super) async fn termination_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::hangup()];
        let [Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
