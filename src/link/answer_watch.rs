//! Watch for a connection that has died without a sign: a request stays unanswered, and nothing is
//! received (`docs/protocol/tcp.md`, section 12). The usual timers notice such a connection only
//! after a minute.

use std::time::Duration;

use super::{Link, Phase};
use crate::model::limits::ANSWER_TIMEOUT;
use crate::model::{ConnectionState, Event, LinkSentence, Moment};
use crate::wire::tcp::Ping;

/// Maximum cost of a watched request and the ping together, in units of the server's rate limit
/// (section 12). The longest message costs 5 units, the ping 1.
const WATCHED_UNITS: u32 = 6;

/// State of the watch. The default: no request is in flight.
#[derive(Debug, Default)]
pub(super) struct AnswerWatch {
    /// Start of the current silence: a request has been in flight since then, and nothing was
    /// received. `None` if no request is in flight, or if the watch has not run since bytes
    /// arrived.
    silent_since: Option<Moment>,
    /// Time of the ping that was sent in the current silence; `None` if none was sent.
    asked_at: Option<Moment>,
    /// True if the user was told of the current silence.
    is_unresponsive: bool,
    /// True if the user was told of a silence and a request has been in flight ever since. The user
    /// is then not told of further silences: a slow disk may cause many short ones.
    is_reported: bool,
}

impl AnswerWatch {
    /// Returns true if the server has been asked for a sign of life and has not given one.
    pub(super) const fn is_asking(&self) -> bool {
        self.asked_at.is_some()
    }
}

impl Link {
    /// Ends the current silence, because bytes were received. If the user was told of it, reports
    /// that the server answers.
    pub(super) fn end_silence(&mut self) {
        let watch = &mut self.answer_watch;
        (watch.silent_since, watch.asked_at) = (None, None);
        if std::mem::take(&mut watch.is_unresponsive) {
            self.emit(Event::Connection(ConnectionState::Responsive));
        }
    }

    /// Runs the watch. If a request is in flight and nothing was received for [`ANSWER_TIMEOUT`],
    /// sends a ping. Also tells the user, if `is_reported` is false. If nothing is received for
    /// [`Self::answer_patience`] after the ping, abandons the connection.
    ///
    /// While the server may be waiting for its log because of a request, keeps the connection until
    /// the idle timeout: the disk may be slow, and the server answers the ping only after the log.
    /// If the link is not live or no request is in flight, only resets the watch.
    pub(super) fn run_answer_watch(&mut self, now: Moment) {
        if self.phase != Phase::Live || !self.pending.has_in_flight() {
            self.answer_watch = AnswerWatch::default();
            return;
        }
        self.answer_watch.silent_since.get_or_insert(now);
        if self.answer_due().is_none_or(|due| now < due) {
            return;
        }
        if self.answer_watch.is_asking() {
            self.abandon_connection(now, LinkSentence::NoAnswer);
            return;
        }
        self.answer_watch.asked_at = Some(now);
        self.ping_outstanding = true;
        self.send(Ping { token: 0 });
        if !std::mem::replace(&mut self.answer_watch.is_reported, true) {
            self.answer_watch.is_unresponsive = true;
            let requests = self.pending.len();
            self.emit(Event::Connection(ConnectionState::Unresponsive { requests }));
        }
    }

    /// Returns the time at which the watch has to act next. `None` if no silence has begun, or if
    /// the server may be waiting for its log after the ping.
    pub(super) fn answer_due(&self) -> Option<Moment> {
        match (self.answer_watch.silent_since, self.answer_watch.asked_at) {
            (None, _) => None,
            (Some(since), None) => Some(since + ANSWER_TIMEOUT),
            (Some(_), Some(_)) if self.pending.waits_for_log() => None,
            (Some(_), Some(asked_at)) => Some(asked_at + self.answer_patience()),
        }
    }

    /// Returns the maximum time without a received byte after the ping. It exceeds
    /// [`ANSWER_TIMEOUT`] only if the server's rate limit is very low: such a server reads the
    /// frames of a fast client late.
    fn answer_patience(&self) -> Duration {
        let per_minute = self.welcome.as_ref().map_or(1, |it| it.per_minute.max(1));
        ANSWER_TIMEOUT.max(Duration::from_secs(60) * WATCHED_UNITS / per_minute)
    }
}
