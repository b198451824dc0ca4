//! Connecting at once, because the user asks for it: `docs/protocol/tcp.md`, section 13.

use std::time::Duration;

use super::{Link, Phase};
use crate::model::Moment;

/// Minimum time between two connection attempts. It bounds what a key that is held down can cause.
const MIN_ATTEMPT_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum age of an attempt or of a greeting for the user to restart it.
const STALE_ATTEMPT_AGE: Duration = Duration::from_secs(5);

impl Link {
    /// Connects at once, at the earliest [`MIN_ATTEMPT_INTERVAL`] after the last attempt.
    ///
    /// - Between two attempts, the next one starts.
    /// - An attempt or a greeting that takes long is restarted.
    /// - A connection whose server does not answer is dropped. With `is_forced`, any connection is.
    ///
    /// Does nothing before the first completed join, except between two attempts.
    pub(super) fn reconnect(&mut self, now: Moment, is_forced: bool) {
        let is_stale = now >= self.last_attempt + STALE_ATTEMPT_AGE;
        match self.phase {
            Phase::Connecting if is_stale => self.connect(now),
            Phase::AwaitingHello { .. } | Phase::AwaitingWelcome { .. }
                if self.has_joined && is_stale =>
            {
                self.drop_for_user(now);
            }
            Phase::Replaying | Phase::Live
                if self.has_joined && (is_forced || self.answer_watch.is_asking()) =>
            {
                self.drop_for_user(now);
            }
            _ => {}
        }
        if let Phase::BackingOff { until } = &mut self.phase {
            *until = (*until).min(now.max(self.last_attempt + MIN_ATTEMPT_INTERVAL));
        }
    }

    /// Gives the connection up because the user wants a new one.
    fn drop_for_user(&mut self, now: Moment) {
        self.abandon_connection(now, "Connecting again.");
    }
}
