//! Notifications to systemd: the status line, and the watchdog.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::backup::BackupState;
use super::engine::{EngineHandle, EngineInput};
use super::outbox::Outbox;
use super::public_urls::PublicUrls;
use super::web::is_remote;
use crate::hub::ConnectionId;
use crate::model::{PageUrl, Timestamp};
use crate::os::Clock;
use crate::systemd;

/// Minimum time between two updates of the status line.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Time between updates of the age of the last backup in the status line.
const BACKUP_AGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Connection number reserved for probes. Clients' connections start at 1.
const PROBE_CONNECTION: ConnectionId = ConnectionId(0);

/// Updates systemd's status line when its text changes: the problem with the configuration, the
/// number of connected users, the last backup, where to point a browser. Also logs the latter once
/// it is known, and tells the engine the URL of the page for other machines whenever it changes.
/// Returns when a sender of one of these values is gone, for example because the engine has ended.
pub(super) async fn update_status_line(
    mut people: watch::Receiver<usize>,
    mut config_problem: watch::Receiver<Option<String>>,
    mut backup: watch::Receiver<Option<BackupState>>,
    mut urls: PublicUrls,
    engine: EngineHandle,
    clock: Clock,
) {
    let mut ticks = interval(STATUS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = String::new();
    let mut is_browser_told = false;
    let mut told: Option<PageUrl> = None;
    loop {
        ticks.tick().await;
        let people_now = match *people.borrow_and_update() {
            0 => "nobody is here".to_owned(),
            1 => "1 person is here".to_owned(),
            count => format!("{count} people are here"),
        };
        let trouble_now = config_problem.borrow_and_update().clone();
        let now = clock.time_of_day();
        let backup_now = backup.borrow_and_update().as_ref().map(|it| format_backup(it, now));
        let has_backup = backup_now.is_some();
        let urls_now = urls.now();
        let best = best_page_url(&urls_now);
        if best != told {
            let _ = engine.send(EngineInput::PageUrl(best.clone())).await;
            told = best;
        }
        let page = format_urls(&urls_now);
        if let Some(page) = page.as_ref().filter(|_| !is_browser_told) {
            is_browser_told = true;
            tracing::info!("{page}");
        }
        let parts = [trouble_now, Some(people_now), backup_now, page];
        let status = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if status != shown {
            systemd::notify_status(&status);
            shown = status;
        }
        let changed = tokio::select! {
            changed = people.changed() => changed,
            changed = config_problem.changed() => changed,
            changed = backup.changed() => changed,
            () = urls.changed() => Ok(()),
            () = sleep(BACKUP_AGE_INTERVAL), if has_backup => Ok(()),
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Returns the first URL that other machines can open and that may be told to clients; `None` if
/// there is none.
fn best_page_url(urls: &[String]) -> Option<PageUrl> {
    urls.iter().filter(|it| is_remote(it)).find_map(|it| PageUrl::new(it.clone()))
}

/// Formats where to point a browser; `None` if there is no way in for browsers.
fn format_urls(urls: &[String]) -> Option<String> {
    (!urls.is_empty()).then(|| format!("in a browser: {}", urls.join(" or ")))
}

/// Formats the age of the last backup, in hours or days. If backups fail, formats the error.
fn format_backup(backup: &BackupState, now: Timestamp) -> String {
    let hours = backup.age(now).map(|age| age / 3_600);
    match (&backup.error, hours) {
        (Some(error), _) => format!("backup failing: {error}"),
        (None, None) => "no backup yet".to_owned(),
        (None, Some(0)) => "last backup less than 1 h ago".to_owned(),
        (None, Some(hours @ 1..48)) => format!("last backup {hours} h ago"),
        (None, Some(hours)) => format!("last backup {} days ago", hours / 24),
    }
}

/// Notifies systemd's watchdog each time a probe has passed through hub and fan-out, and at no
/// other time. If a probe takes longer than the watchdog's time-out, logs an error. Returns at once
/// if no watchdog is configured, and when the engine has ended.
pub(super) async fn feed_watchdog(engine: EngineHandle) {
    let Some(limit) = systemd::watchdog_timeout() else { return };
    // At least two probes fit into the limit, with a margin for slow machines.
    let mut ticks = interval(limit / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(limit, probe(&engine)).await {
            Ok(true) => systemd::notify_alive(),
            Ok(false) => return,
            Err(_) => tracing::error!("the hub has not answered for {} s", limit.as_secs()),
        }
    }
}

/// Sends a liveness probe through the engine's queue, hub and fan-out. Returns true when it has
/// come back; false if the engine has ended. Waits as long as the engine hangs.
pub(super) async fn probe(engine: &EngineHandle) -> bool {
    let outbox = Arc::new(Outbox::default());
    let message = EngineInput::Probe { connection: PROBE_CONNECTION, outbox: outbox.clone() };
    if engine.send(message).await.is_err() {
        return false;
    }
    while outbox.take().is_none() {
        tokio::select! {
            () = outbox.woken() => {}
            () = engine.ended() => return outbox.take().is_some(),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A URL that other machines cannot open, or that is too long to be told, is passed over.
    #[test]
    fn first_usable_url_is_told() {
        let long = format!("http://{}.example/", "x".repeat(300));
        let urls = ["http://127.0.0.1:2480/", &long, "http://pi.local:2480/", "http://10.0.0.2/"];
        let urls = urls.map(str::to_owned);
        assert_eq!(best_page_url(&urls).unwrap().as_str(), "http://pi.local:2480/");
        assert_eq!(best_page_url(&urls[..2]), None);
    }

    /// The status line states the age of the last backup, or the error if backups fail.
    #[test]
    fn status_line_tells_age_of_last_backup() {
        let now = Timestamp(1_000_000_000_000);
        let told = |age: Option<u64>, error: Option<&str>| {
            let last = age.map(|hours| Timestamp(now.0 - hours * 3_600_000 - 1_000));
            let (directory, error) = ("backups".into(), error.map(str::to_owned));
            format_backup(&BackupState { directory, last, error }, now)
        };
        assert_eq!(told(None, None), "no backup yet");
        assert_eq!(told(Some(0), None), "last backup less than 1 h ago");
        assert_eq!(told(Some(47), None), "last backup 47 h ago");
        assert_eq!(told(Some(72), None), "last backup 3 days ago");
        assert_eq!(told(Some(72), Some("no disk")), "backup failing: no disk");
    }
}
