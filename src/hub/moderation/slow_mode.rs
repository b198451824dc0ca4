//! Who may speak: mutes, moderated rooms, and the minimum time between two messages.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Hub;
use super::words;
use crate::model::{Draft, ErrorCode, Moment, NameKey, Target};
use crate::moderation::SpeechError;
use crate::wire::tcp::Error;

/// Greatest interval of slow mode.
const MAX_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Moments of a session's last messages in rooms with slow mode, by the keys of the rooms' names.
/// Only those within the greatest interval.
#[derive(Debug, Default)]
pub(in super::super) struct LastSpoken(BTreeMap<NameKey, Moment>);

impl LastSpoken {
    /// Forgets all messages: the session may speak at once.
    pub(in super::super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Records a message to a room, and forgets those that are too old to count.
    fn record(&mut self, room: NameKey, now: Moment) {
        self.0.retain(|_, at| now.since(*at) < MAX_INTERVAL);
        self.0.insert(room, now);
    }
}

impl Hub {
    /// Checks that the author of a message may send it now. If not, returns the error, which
    /// answers no frame yet. The log judges the message again, except for slow mode, which this hub
    /// decides.
    pub(in super::super) fn check_speech(&self, now: Moment, draft: &Draft) -> Result<(), Error> {
        if let Err(error) = self.moderation.judge_message(draft) {
            return Err(self.speech_error(now, draft, error));
        }
        let wait = self.slow_mode_wait(now, draft);
        if wait.is_zero() {
            return Ok(());
        }
        let retry_after = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1);
        let text = words::slow_mode(wait);
        Err(Error { retry_after, text, ..Error::new(ErrorCode::TooSoon) })
    }

    /// Returns the time for which the author of a message must wait because of the room's slow
    /// mode. Sessions with a role need not wait.
    fn slow_mode_wait(&self, now: Moment, draft: &Draft) -> Duration {
        let Target::Room(room) = &draft.target else {
            return Duration::ZERO;
        };
        let interval = self.moderation.slow_mode(room.key()).interval();
        if interval.is_zero() || self.moderation.has_role_in(draft.author(), Some(room.key())) {
            return Duration::ZERO;
        }
        let last = self.sessions.get(draft.session).and_then(|it| it.last_spoken.0.get(room.key()));
        last.map_or(Duration::ZERO, |at| interval.saturating_sub(now.since(*at)))
    }

    /// Records that a message is proposed, for the slow mode of its room. It counts for all devices of
    /// a person.
    pub(in super::super) fn record_speech(&mut self, now: Moment, draft: &Draft) {
        let Target::Room(room) = &draft.target else {
            return;
        };
        if self.moderation.slow_mode(room.key()).interval().is_zero() {
            return;
        }
        let others = self.sessions_known_by(draft.author()).into_iter();
        for session in others.chain([draft.session]) {
            if let Some(author) = self.sessions.get_mut(session) {
                author.last_spoken.record(room.key().clone(), now);
            }
        }
    }

    /// Returns the error for a message that its author may not send: why, and for how long.
    fn speech_error(&self, now: Moment, draft: &Draft, error: SpeechError) -> Error {
        let room = match &draft.target {
            Target::Room(room) => Some(room.key()),
            Target::Session(..) => None,
        };
        let code = speech_code(error);
        if error == SpeechError::Moderated {
            let text = "Only moderators may speak here now.".to_owned();
            return Error { text, ..Error::new(code) };
        }
        let mute = |room| self.moderation.mute(room, draft.author(), &draft.username);
        let Some(fact) = mute(None).or_else(|| room.and_then(|it| mute(Some(it)))) else {
            return Error::new(code);
        };
        let left = self.deadlines.remaining(fact, now);
        let start = match fact.draft.action.room() {
            None => "You are muted on this server".to_owned(),
            Some(room) => format!("You are muted in room {room}"),
        };
        Error { text: words::refused(&start, fact, left), ..Error::new(code) }
    }
}

/// Returns the error code for a message that its author may not send.
pub(in super::super) const fn speech_code(error: SpeechError) -> ErrorCode {
    match error {
        // Whoever is banned from a room was sent out of it.
        SpeechError::Banned => ErrorCode::NotInRoom,
        SpeechError::Muted | SpeechError::Moderated => ErrorCode::Muted,
    }
}
