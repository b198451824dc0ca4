//! The saved session as JSON text, which the page keeps in the browser's storage.

use pi_chat::link::SavedSession;
use pi_chat::model::{LogId, Position, Sequence, SessionId, Token};
use serde::{Deserialize, Serialize};

/// JSON content of a [`SavedSession`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionText {
    /// Secret token of the session.
    token: Token,
    /// Number of the session.
    session: SessionId,
    /// Log of the position; `None` if there is no position.
    log_id: Option<LogId>,
    /// Sequence of the position; `None` if there is no position.
    sequence: Option<Sequence>,
    /// Rooms that the position covers.
    rooms: Vec<String>,
    /// True if the server has asked for a password.
    password_required: bool,
}

impl SessionText {
    /// Returns the text of a session; empty if it cannot be written.
    pub(crate) fn format(saved: &SavedSession) -> String {
        let text = Self {
            token: saved.token,
            session: saved.session,
            log_id: saved.position.as_ref().map(|it| it.log_id),
            sequence: saved.position.as_ref().map(|it| it.sequence),
            rooms: saved.rooms.clone(),
            password_required: saved.password_required,
        };
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// Parses the text of a session; `None` if it is not valid.
    pub(crate) fn parse(text: &str) -> Option<SavedSession> {
        let text: Self = serde_json::from_str(text).ok()?;
        let position = text.log_id.zip(text.sequence);
        Some(SavedSession {
            token: text.token,
            session: text.session,
            position: position.map(|(log_id, sequence)| Position { log_id, sequence }),
            rooms: text.rooms,
            password_required: text.password_required,
        })
    }
}
