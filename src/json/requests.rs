//! JSON objects of requests.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::moderation::{MODERATION_REQUESTS, moderation_command};
use super::tag_from_id;
use super::time::parse_time;
use crate::model::{
    ChatCommand, ClaimAction, Command, Dialect, PeerCommand, Request, RequestTag, RoomSelector,
    SearchRequest, Sequence, SessionId, Style, strip_room_prefix,
};

/// Error: a text is not a valid request.
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidRequest {
    /// Human-readable reason.
    pub text: String,
    /// Request id; `None` if it is missing or too long, or if the object cannot be read.
    pub id: Option<Value>,
}

/// Number of messages that `history` and `search` request if the object gives no limit.
const DEFAULT_LIMIT: u16 = 20;

/// Maximum length of a request id as JSON text, in bytes. The id is kept until the request is
/// answered.
const MAX_ID_BYTES: usize = 256;

/// Integer in a request, as the JSON output writes it: a number, or a string of digits if it is
/// large.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number or a string of digits was expected")]
pub(super) enum Number {
    /// JSON number.
    Exact(u64),
    /// JSON string, which should consist of digits.
    Digits(String),
}

impl Number {
    /// Returns the integer. `field`: name of the field, for the error text.
    ///
    /// # Errors
    /// The string is no decimal number below 2^64. The error text names the field.
    pub(super) fn parse(self, field: &str) -> Result<u64, String> {
        match self {
            Self::Exact(number) => Ok(number),
            Self::Digits(it) => {
                let digits = it.bytes().all(|it| it.is_ascii_digit()).then_some(it);
                let number = digits.and_then(|it| it.parse().ok());
                number.ok_or(format!("{field} is a number or a string of digits"))
            }
        }
    }
}

/// JSON request object, with the fields of all types. The type determines which fields are
/// required. Fields of other types are ignored. Unknown fields are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestObject {
    /// Type of the request, such as `say`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Request id, any JSON value. The events that answer the request repeat it.
    id: Option<Value>,
    /// Name of the room that the request concerns. If missing: the only joined room; for a search,
    /// all rooms.
    room: Option<String>,
    /// Message text or search query.
    pub(super) text: Option<String>,
    /// Message style, `said` or `action`; if missing, `said`.
    style: Option<String>,
    /// Username of the recipient.
    to: Option<String>,
    /// Username of the author, to restrict a search.
    from: Option<String>,
    /// Username that `ignore`, `unignore`, `block`, `unblock`, `admit` or a request about
    /// moderation concerns.
    pub(crate) name: Option<String>,
    /// True: the request about moderation applies to the whole server, not to a room.
    pub(super) server: Option<bool>,
    /// Sequence of the message to remove, or of the last one that was read.
    pub(super) seq: Option<Number>,
    /// Reason of a moderator.
    pub(super) reason: Option<String>,
    /// Length of a ban or mute in seconds, 0 or missing: without end. Interval of slow mode.
    pub(super) seconds: Option<u32>,
    /// True to ban the address as well.
    pub(super) address: Option<bool>,
    /// True to ban nobody, and only count who would be sent out.
    pub(super) dry_run: Option<bool>,
    /// For `moderated`: true if only moderators may talk.
    pub(super) on: Option<bool>,
    /// New role: `moderator`, `owner` or `none`.
    pub(super) role: Option<String>,
    /// True to admit the candidate, false to reject it.
    welcome: Option<bool>,
    /// Session number that the recipient of a direct message must have. If the recipient has
    /// another, the server refuses the message. If missing, any session will do.
    pub(super) session: Option<Number>,
    /// Earliest time of messages to find, inclusive, in RFC 3339 format.
    since: Option<String>,
    /// Latest time of messages to find, exclusive, in RFC 3339 format.
    until: Option<String>,
    /// Sequence below which the messages of `history` or `search` must be.
    before: Option<Number>,
    /// Maximum number of messages of `history` or `search`.
    limit: Option<u16>,
    /// For `quit`: true to quit at once. Otherwise the program quits after all answers.
    now: Option<bool>,
}

impl RequestObject {
    /// Parses the JSON text of a request object.
    ///
    /// # Errors
    /// The text is no JSON object with known fields of the right types, or its id is too long. The
    /// error has no id.
    pub fn parse(text: &str) -> Result<Self, InvalidRequest> {
        let error = |text: String| InvalidRequest { text, id: None };
        if !text.trim_start().starts_with('{') {
            return Err(error("the line is not a JSON object".to_owned()));
        }
        let object: Self = serde_json::from_str(text).map_err(|it| error(it.to_string()))?;
        if object.tag().0.as_ref().is_some_and(|it| it.len() > MAX_ID_BYTES) {
            return Err(error(format!("an id has at most {MAX_ID_BYTES} bytes")));
        }
        Ok(object)
    }

    /// Returns the tag for the request's id.
    #[must_use]
    pub fn tag(&self) -> RequestTag {
        tag_from_id(self.id.as_ref())
    }

    /// Converts the object to a request for an engine. `patience` is the maximum time without an
    /// answer for a graceful `quit`.
    ///
    /// # Errors
    /// The object is not a valid request of this dialect. The error has the object's id.
    pub fn into_request(
        self,
        dialect: Dialect,
        patience: Duration,
    ) -> Result<Request, InvalidRequest> {
        let (tag, id) = (self.tag(), self.id.clone());
        let command = self.into_command(dialect, patience);
        let command = command.map_err(|text| InvalidRequest { text, id })?;
        Ok(Request { tag, command })
    }

    /// Converts the object to a command. `patience` is the maximum time without an answer for a
    /// graceful `quit`.
    ///
    /// # Errors
    /// The object is not a valid request of this dialect. The error text says why.
    fn into_command(self, dialect: Dialect, patience: Duration) -> Result<Command, String> {
        match (dialect, self.kind.as_str()) {
            (_, "quit") if self.now == Some(true) => Ok(Command::Quit),
            (_, "quit") => Ok(Command::Finish { patience }),
            (Dialect::Peers, "peers" | "block" | "unblock" | "blocked" | "admit") => {
                self.into_peer_command().map(Command::Peer)
            }
            (Dialect::Server, "peers" | "block" | "unblock" | "blocked" | "admit") => {
                Err(format!("{} is for chat-peer", self.kind))
            }
            (Dialect::Server, "reconnect") => Ok(Command::Reconnect { is_forced: true }),
            (Dialect::Server, "mark_read") => self.into_mark(),
            (Dialect::Server, "claim") => Ok(Command::Chat(ChatCommand::Claim(ClaimAction::Claim))),
            (Dialect::Server, "unclaim") => {
                Ok(Command::Chat(ChatCommand::Claim(ClaimAction::GiveUp)))
            }
            (Dialect::Server, "unlink") => {
                Ok(Command::Chat(ChatCommand::Claim(ClaimAction::UnlinkOthers)))
            }
            (
                Dialect::Peers,
                "direct" | "join" | "leave" | "history" | "search" | "reconnect" | "claim"
                | "unclaim" | "link" | "unlink" | "mark_read",
            ) => Err(format!("there is no {} among peers", self.kind)),
            (_, "search") => self.into_search().map(|it| Command::Chat(ChatCommand::Search(it))),
            (Dialect::Peers, kind) if MODERATION_REQUESTS.contains(&kind) => {
                Err(format!("there is no {kind} among peers"))
            }
            _ => self.into_chat_command().map(Command::Chat),
        }
    }

    /// Converts an object of type `peers`, `block`, `unblock`, `blocked` or `admit` to a command.
    ///
    /// # Errors
    /// A required field is missing, or the name is empty. The error text names the field.
    fn into_peer_command(self) -> Result<PeerCommand, String> {
        let needs = |field: &str| format!("{} needs {field}", self.kind);
        let name = self.name.filter(|it| !it.is_empty()).ok_or(needs("name"));
        match self.kind.as_str() {
            "peers" => Ok(PeerCommand::Peers),
            "blocked" => Ok(PeerCommand::ListBlocked),
            "block" => Ok(PeerCommand::Block { name: name? }),
            "unblock" => Ok(PeerCommand::Unblock { name: name? }),
            _ => Ok(PeerCommand::Admit {
                name: name?,
                is_welcome: self.welcome.ok_or(needs("welcome"))?,
            }),
        }
    }

    /// Converts an object of type `mark_read` to a command.
    ///
    /// # Errors
    /// `seq` is no number. The error text names the field.
    fn into_mark(self) -> Result<Command, String> {
        let room = self.room.as_deref().map(|it| strip_room_prefix(it).to_owned());
        let sequence = self.seq.map(|it| it.parse("seq")).transpose()?.map(Sequence);
        Ok(Command::MarkRead { room, sequence })
    }

    /// Converts an object of type `search` to a search request.
    ///
    /// # Errors
    /// A time is not in RFC 3339 format, or not after the start of 1970; or `before` is no number.
    /// The error text names the field.
    fn into_search(self) -> Result<SearchRequest, String> {
        let time = |field: &str, written: Option<String>| {
            let wrong = format!("{field} is a time such as 2026-11-22T14:03:07.123Z");
            written.map(|it| parse_time(&it).ok_or(wrong)).transpose()
        };
        Ok(SearchRequest {
            room: self.room.as_deref().map(|it| strip_room_prefix(it).to_owned()),
            from: self.from,
            text: self.text.unwrap_or_default(),
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            before: self.before.map(|it| it.parse("before")).transpose()?.map(Sequence),
            limit: self.limit.unwrap_or(DEFAULT_LIMIT),
        })
    }

    /// Converts an object of type `say`, `action`, `direct`, `join`, `leave`, `members`, `history`,
    /// or about moderation, to a chat command.
    ///
    /// # Errors
    /// The type is unknown, a required field is missing, or a style or number is invalid. The error
    /// text says why.
    fn into_chat_command(self) -> Result<ChatCommand, String> {
        let room = self
            .room
            .as_deref()
            .map_or(RoomSelector::Only, |it| RoomSelector::Named(strip_room_prefix(it).to_owned()));
        let style = match self.style.as_deref() {
            None | Some("said") => Style::SAID,
            Some("action") => Style::ACTION,
            Some(other) => return Err(format!("style is said or action, not {other}")),
        };
        if MODERATION_REQUESTS.contains(&self.kind.as_str()) {
            return moderation_command(self, room).map(ChatCommand::Moderate);
        }
        let needs = |field: &str| format!("{} needs {field}", self.kind);
        match self.kind.as_str() {
            "say" => Ok(ChatCommand::Say { room, style, text: self.text.ok_or(needs("text"))? }),
            "action" => Ok(ChatCommand::Say {
                room,
                style: Style::ACTION,
                text: self.text.ok_or(needs("text"))?,
            }),
            "direct" => Ok(ChatCommand::Direct {
                to: self.to.ok_or(needs("to"))?,
                session: self.session.map(|it| it.parse("session")).transpose()?.map(SessionId),
                style,
                text: self.text.ok_or(needs("text"))?,
            }),
            "join" => match room {
                RoomSelector::Named(room) => Ok(ChatCommand::Enter { room }),
                _ => Err(needs("room")),
            },
            "leave" => Ok(ChatCommand::Leave { room }),
            "members" => Ok(ChatCommand::Members { room }),
            "history" => Ok(ChatCommand::History {
                room,
                before: self.before.map(|it| it.parse("before")).transpose()?.map(Sequence),
                limit: self.limit.unwrap_or(DEFAULT_LIMIT),
            }),
            other => Err(format!("there is no type “{other}”")),
        }
    }
}
