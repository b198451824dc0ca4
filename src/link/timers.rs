//! What the link does because time has passed: `docs/protocol/tcp.md`,
//! section 17.

use std::time::Duration;

use super::contract::{End, Output};
use super::{Link, Phase};
use crate::model::Moment;
use crate::model::limits::{IDLE_TIMEOUT, PING_INTERVAL};
use crate::wire::tcp::Ping;

/// From `hello` to `server_hello`, and from `join` to `welcome`.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

impl Link {
    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Moment) {
        if let Phase::Resting { until } = self.phase
            && now >= until
        {
            self.connect();
        }
        let (ping_after, idle_after) = self.silences();
        if let Phase::Hailing { since } | Phase::Greeted { since } = self.phase
            && now >= since + GREETING_TIMEOUT
        {
            self.give_up(now, "Nobody answered there.".to_owned(), None);
        } else if self.is_connected() && now >= self.heard + idle_after {
            self.give_up(now, "The server fell silent.".to_owned(), None);
        } else if self.may_ping() && !self.pinged && now >= self.heard + ping_after {
            self.pinged = true;
            self.send(Ping { token: 0 });
        }
        if self.persist_at.is_some_and(|at| now >= at) {
            self.persist_at = None;
            self.persist();
        }
        if let Some(leaving) = self.leaving
            && self.phase != Phase::Over
        {
            let is_done = self.phase == Phase::Live && self.outbox.is_empty();
            if is_done || now >= leaving.progress + leaving.patience {
                if self.was_joined {
                    self.leave();
                } else {
                    let reason = "The server could not be reached in time.".to_owned();
                    self.conclude(End::Unavailable { reason });
                }
            }
        }
    }

    /// The page allows pings from *greeted* on; we need none before we are in.
    const fn may_ping(&self) -> bool {
        matches!(self.phase, Phase::Replaying | Phase::Live)
    }

    /// After how much silence to ping, and to give up: the server's own
    /// times, once it has told them.
    fn silences(&self) -> (Duration, Duration) {
        let seconds = |it: u16| Duration::from_secs(u64::from(it.max(1)));
        self.welcome.as_ref().map_or((PING_INTERVAL, IDLE_TIMEOUT), |it| {
            (seconds(it.ping_interval), seconds(it.idle_timeout))
        })
    }

    /// Tells the driver when to wake us, if that has changed.
    pub(super) fn tell_wake(&mut self) {
        let mut due: Vec<Moment> = self.persist_at.into_iter().collect();
        match self.phase {
            Phase::Over => return,
            Phase::Resting { until } => due.push(until),
            Phase::Hailing { since } | Phase::Greeted { since } => {
                due.push(since + GREETING_TIMEOUT);
            }
            Phase::Connecting | Phase::Asking => {}
            Phase::Replaying | Phase::Live => {
                let (ping_after, idle_after) = self.silences();
                due.push(self.heard + if self.pinged { idle_after } else { ping_after });
            }
        }
        due.extend(self.leaving.map(|it| it.progress + it.patience));
        let next = due.into_iter().min();
        if let Some(next) = next.filter(|it| self.wake_told != Some(*it)) {
            self.wake_told = Some(next);
            self.put(Output::WakeAt(next));
        }
    }
}
