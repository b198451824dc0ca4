//! Notifications to systemd: the status line, and the watchdog.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::engine::{EngineHandle, EngineInput};
use super::outbox::Outbox;
use crate::hub::ConnectionId;
use crate::systemd;

/// Least time between updates of the status line.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Connection number reserved for probes; clients' connections begin at 1.
const PROBE_CONNECTION: ConnectionId = ConnectionId(0);

/// Updates systemd's status line whenever the number of connected users or the problem with the
/// configuration changes. Returns when the engine has ended.
pub(super) async fn update_status_line(
    mut people: watch::Receiver<usize>,
    mut config_problem: watch::Receiver<Option<String>>,
) {
    let mut ticks = interval(STATUS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let status = match *people.borrow_and_update() {
            0 => "nobody is here".to_owned(),
            1 => "1 person is here".to_owned(),
            count => format!("{count} people are here"),
        };
        let trouble_now = config_problem.borrow_and_update().clone();
        let status = trouble_now.map_or(status.clone(), |it| format!("{it}; {status}"));
        systemd::notify_status(&status);
        let changed = tokio::select! {
            changed = people.changed() => changed,
            changed = config_problem.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Feeds systemd's watchdog each time a probe has passed through hub and fan-out, and at no other
/// time. Returns at once if no watchdog is configured, and when the engine has ended.
pub(super) async fn feed_watchdog(engine: EngineHandle) {
    let Some(limit) = systemd::watchdog_timeout() else { return };
    // At least two probes within the limit, with a margin for slow machines.
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

/// Sends a liveness probe through the engine's queue, hub and fan-out, and waits for its return;
/// returns false if the engine has ended.
pub(super) async fn probe(engine: &EngineHandle) -> bool {
    let outbox = Arc::new(Outbox::default());
    let message = EngineInput::Probe { connection: PROBE_CONNECTION, outbox: outbox.clone() };
    if engine.send(message).await.is_err() {
        return false;
    }
    while outbox.take().is_none() {
        outbox.woken().await;
    }
    true
}
