//! Connecting at once, because the user asks for it: `docs/protocol/tcp.md`, section 13.

use std::time::Duration;

use super::{Link, Phase};
use crate::model::{LinkSentence, Moment};

/// Minimum time from the last connection attempt to one that the user asks for. It bounds the
/// attempts that a key held down can cause.
const MIN_ATTEMPT_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum age of a connection attempt that the user can restart, counted from its beginning. The
/// attempt lasts until `welcome` arrives.
const STALE_ATTEMPT_AGE: Duration = Duration::from_secs(5);

impl Link {
    /// Connects anew because the user asks for it:
    ///
    /// - Between two attempts, connects at once, or [`MIN_ATTEMPT_INTERVAL`] after the last attempt
    ///   if that is later.
    /// - Restarts an attempt that is at least [`STALE_ATTEMPT_AGE`] old.
    /// - Drops a joined connection if its server does not answer, or if `is_forced` is true. Then
    ///   connects as between two attempts.
    ///
    /// Before the first completed join, an established connection is kept. While the link waits for
    /// a password, a username or an invitation, nothing happens.
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

    /// Abandons the connection because the user wants a new one.
    fn drop_for_user(&mut self, now: Moment) {
        self.abandon_connection(now, LinkSentence::ConnectingAgain);
    }
}
