//! Timers of the link: handshake timeout, pings, silence timeout, persisting, graceful shutdown
//! (`docs/protocol/tcp.md`, section 17).

use std::time::Duration;

use super::contract::{EndReason, Output};
use super::{Link, Phase};
use crate::model::limits::{IDLE_TIMEOUT, PING_INTERVAL};
use crate::model::{LinkSentence, Moment};
use crate::wire::tcp::Ping;

/// Maximum time from `hello` to `server_hello`. Also the maximum time from `join` to `welcome`.
/// Then the link abandons the connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

impl Link {
    /// Runs all timers that have expired at `now`, and ends a graceful shutdown that is complete.
    /// Called after every input.
    pub(super) fn run_timers(&mut self, now: Moment) {
        if let Phase::BackingOff { until } = self.phase
            && now >= until
        {
            self.connect(now);
        }
        let (ping_after, idle_after) = self.silence_limits();
        if let Phase::AwaitingHello { since } | Phase::AwaitingWelcome { since } = self.phase
            && now >= since + HANDSHAKE_TIMEOUT
        {
            self.abandon_connection(now, LinkSentence::NothingAnswered);
        } else if self.is_connected() && now >= self.last_received + idle_after {
            self.abandon_connection(now, LinkSentence::FellSilent);
        } else if self.sends_pings()
            && !self.ping_outstanding
            && now >= self.last_received + ping_after
        {
            self.ping_outstanding = true;
            self.send(Ping { token: 0 });
        }
        self.run_answer_watch(now);
        self.send_marks(now);
        if self.persist_at.is_some_and(|at| now >= at) {
            self.persist_at = None;
            self.persist();
        }
        if let Some(draining) = self.draining
            && self.phase != Phase::Ended
        {
            let is_done = self.phase == Phase::Live && self.pending.is_empty();
            if is_done || now >= draining.last_answer + draining.patience {
                if self.has_joined {
                    self.finish_left();
                } else {
                    let reason = LinkSentence::NotReachedInTime.into();
                    self.finish(EndReason::Unavailable { reason });
                }
            }
        }
    }

    /// Returns true if the link sends pings in the current phase: from `welcome` on. The protocol
    /// allows pings from `server_hello` on, but until `welcome` the handshake timeout is enough.
    const fn sends_pings(&self) -> bool {
        matches!(self.phase, Phase::Replaying | Phase::Live)
    }

    /// Returns two times without a received byte: after the first, the link sends a ping; after the
    /// second, it abandons the connection. Both come from the last `welcome`, but are at least one
    /// second. Before the first `welcome`, both have their default values.
    fn silence_limits(&self) -> (Duration, Duration) {
        let seconds = |it: u16| Duration::from_secs(u64::from(it.max(1)));
        self.welcome.as_ref().map_or((PING_INTERVAL, IDLE_TIMEOUT), |it| {
            (seconds(it.ping_interval), seconds(it.idle_timeout))
        })
    }

    /// Queues [`Output::WakeAt`] with the time at which the next timer expires. Does nothing if
    /// this time was announced last, or if no timer runs.
    pub(super) fn announce_wake(&mut self) {
        let mut due: Vec<Moment> = self.persist_at.into_iter().collect();
        match self.phase {
            Phase::Ended => return,
            Phase::BackingOff { until } => due.push(until),
            Phase::AwaitingHello { since } | Phase::AwaitingWelcome { since } => {
                due.push(since + HANDSHAKE_TIMEOUT);
            }
            Phase::Connecting
            | Phase::AwaitingPassword
            | Phase::AwaitingName
            | Phase::AwaitingInvite => {}
            Phase::Replaying | Phase::Live => {
                let (ping_after, idle_after) = self.silence_limits();
                due.push(
                    self.last_received
                        + if self.ping_outstanding { idle_after } else { ping_after },
                );
                due.extend(self.answer_due());
                due.extend(self.marks_due());
            }
        }
        due.extend(self.draining.map(|it| it.last_answer + it.patience));
        let next = due.into_iter().min();
        if let Some(next) = next.filter(|it| self.announced_wake != Some(*it)) {
            self.announced_wake = Some(next);
            self.push_output(Output::WakeAt(next));
        }
    }
}
