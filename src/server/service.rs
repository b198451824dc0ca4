//! What systemd is told of the server: how many people there are, and that
//! it is alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::engine::{EngineHandle, EngineInput};
use super::outbox::Outbox;
use crate::hub::ConnectionId;
use crate::systemd;

/// The status line is renewed no more often than this.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// The number of the watchdog's own connection; real ones begin at 1.
const PROBE_CONNECTION: ConnectionId = ConnectionId(0);

/// Keeps the status line true for as long as the engine lives. What is wrong
/// with the configuration stands in front.
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
        systemd::tell_status(&status);
        let changed = tokio::select! {
            changed = people.changed() => changed,
            changed = config_problem.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Tells systemd's watchdog that we are alive, each time that a probe has
/// made its way through hub and fan-out and at no other time. Ends at once
/// where no watchdog is wanted.
pub(super) async fn feed_watchdog(engine: EngineHandle) {
    let Some(limit) = systemd::watchdog() else { return };
    // Twice within the limit, with time to spare for a slow machine.
    let mut ticks = interval(limit / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(limit, probe(&engine)).await {
            Ok(true) => systemd::tell_alive(),
            Ok(false) => return,
            Err(_) => tracing::error!("the hub has not answered for {} s", limit.as_secs()),
        }
    }
}

/// Asks a question that only a living hub and fan-out answer; false if there
/// is no engine any more.
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
