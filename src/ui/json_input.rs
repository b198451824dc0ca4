//! JSON input for bots (`docs/json.md`): each request is a JSON object on a line of its own.

use std::io::{BufRead, Write};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::execute::request_finish;
use super::ignore_command::{IgnoreCommand, execute_ignore};
use super::json::{
    JsonScreen, error_object, id_from_tag, ignored_object, input_error_object, tag_from_id,
};
use super::json_moderation::{MODERATION_REQUESTS, moderation_command};
use super::lines::{Line, read_line};
use super::local_time::parse_time;
use super::view_state::{Dialect, SharedViewState};
use crate::model::{
    ChatCommand, Command, PeerCommand, Request, RequestTag, RoomSelector, SearchRequest, Sequence,
    SessionId, Style, strip_room_prefix,
};

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
pub(super) struct RequestObject {
    /// Type of the request, such as `say`.
    #[serde(rename = "type")]
    pub(super) kind: String,
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
    pub(super) name: Option<String>,
    /// True: the request about moderation applies to the whole server, not to a room.
    pub(super) server: Option<bool>,
    /// Sequence of the message to remove.
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
            (Dialect::Peers, "direct" | "join" | "leave" | "history" | "search" | "reconnect") => {
                Err(format!("there is no {} among peers", self.kind))
            }
            (_, "search") => self.into_search().map(|it| Command::Chat(ChatCommand::Search(it))),
            (Dialect::Peers, kind) if MODERATION_REQUESTS.contains(&kind) => {
                Err(format!("there is no {kind} among peers"))
            }
            _ => self.into_chat_command().map(Command::Chat),
        }
    }

    /// Converts an object of type `ignore`, `unignore` or `ignored` to a command about the ignore
    /// list; `None` for other types.
    ///
    /// # Errors
    /// The name is missing or empty.
    fn ignore_command(&self) -> Result<Option<IgnoreCommand>, String> {
        let name = || {
            let name = self.name.clone().filter(|it| !it.is_empty());
            name.ok_or_else(|| format!("{} needs name", self.kind))
        };
        Ok(match self.kind.as_str() {
            "ignored" => Some(IgnoreCommand::List),
            "ignore" => Some(IgnoreCommand::Add(name()?)),
            "unignore" => Some(IgnoreCommand::Remove(name()?)),
            _ => None,
        })
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
            other => Err(format!("there is no type {other}")),
        }
    }
}

/// Parsed line: the action that a JSON request asks for.
#[derive(Debug, PartialEq, Eq)]
enum ParsedRequest {
    /// Send this request to the driver.
    Request(Request),
    /// Change or list who is ignored. The answer carries the tag.
    Ignore(IgnoreCommand, RequestTag),
}

/// Parses a line as a JSON request. `patience` is the maximum time without an answer for a graceful
/// `quit`.
///
/// # Errors
/// The line is not a valid request. The error holds the text and the request id. The id is `None`
/// if it is missing or too long, or if the object cannot be read.
fn parse_request(
    line: &str,
    dialect: Dialect,
    patience: Duration,
) -> Result<ParsedRequest, (String, Option<Value>)> {
    if !line.trim_start().starts_with('{') {
        return Err(("the line is no object".to_owned(), None));
    }
    let object: RequestObject =
        serde_json::from_str(line).map_err(|error| (error.to_string(), None))?;
    let id = object.id.clone();
    let tag = tag_from_id(id.as_ref());
    if tag.0.as_ref().is_some_and(|it| it.len() > MAX_ID_BYTES) {
        return Err((format!("an id has at most {MAX_ID_BYTES} bytes"), None));
    }
    let parsed = match object.ignore_command() {
        Ok(Some(command)) => Ok(ParsedRequest::Ignore(command, tag)),
        Ok(None) => object
            .into_command(dialect, patience)
            .map(|command| ParsedRequest::Request(Request { tag, command })),
        Err(error_text) => Err(error_text),
    };
    parsed.map_err(|error_text| (error_text, id))
}

/// Executes a request about the ignore list, and writes its answer.
///
/// # Errors
/// The request is refused, and has changed nothing. The error holds the text.
fn answer_ignore<O: Write>(
    command: &IgnoreCommand,
    tag: &RequestTag,
    view: &SharedViewState,
    screen: &mut JsonScreen<O>,
) -> Result<(), String> {
    let outcome = execute_ignore(command, view).map_err(|error| error.to_string())?;
    let problem = outcome.problem.map(|it| error_object(0, &it));
    let answer = ignored_object(&view.with(|it| it.ignore_list.clone()), tag);
    for object in problem.iter().chain([&answer]) {
        // If the output is closed, the screen notices that itself.
        let _ = screen.write(object);
    }
    Ok(())
}

/// Reads JSON lines and sends their requests to the driver. Returns after a `quit` request, at the
/// end of the input, at a read error, or when the driver has ended. At the end of the input and at
/// a read error, requests a graceful shutdown, with `patience` as the maximum time without an
/// answer.
///
/// Skips blank lines. Reports invalid lines on standard output, and counts them in the view state.
/// Blocks: run it in a thread of its own.
pub fn read_json(
    input: &mut impl BufRead,
    view: &SharedViewState,
    requests: &Sender<Request>,
    patience: Duration,
) {
    let dialect = view.with(|it| it.dialect);
    let mut screen = JsonScreen::new(std::io::stdout(), view.clone());
    let mut number = 0;
    loop {
        number += 1;
        let (error_text, id) = match read_line(input) {
            Ok(Some(Line::Text(line))) if line.trim().is_empty() => continue,
            Ok(Some(Line::Text(line))) => match parse_request(&line, dialect, patience) {
                Ok(ParsedRequest::Ignore(command, tag)) => {
                    match answer_ignore(&command, &tag, view, &mut screen) {
                        Ok(()) => continue,
                        Err(error_text) => (error_text, id_from_tag(&tag)),
                    }
                }
                Ok(ParsedRequest::Request(request)) => {
                    let is_last = matches!(request.command, Command::Finish { .. } | Command::Quit);
                    if requests.blocking_send(request).is_err() || is_last {
                        return;
                    }
                    continue;
                }
                Err(wrong) => wrong,
            },
            Ok(Some(Line::TooLong(bytes))) => {
                (format!("a line of {bytes} bytes is too long"), None)
            }
            Ok(Some(Line::InvalidUtf8)) => ("the line is no UTF-8".to_owned(), None),
            Ok(None) | Err(_) => break,
        };
        view.with(|it| it.input_errors += 1);
        // If the output is closed, the screen notices that itself.
        let _ = screen.write(&input_error_object(number, &error_text, id.as_ref()));
    }
    request_finish(requests, patience);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    /// Parses a line in the server dialect.
    fn command(line: &str) -> Result<Command, String> {
        command_of(line, Dialect::Server)
    }

    /// Parses a line in this dialect.
    fn command_of(line: &str, dialect: Dialect) -> Result<Command, String> {
        match parse_request(line, dialect, Duration::ZERO) {
            Ok(ParsedRequest::Request(request)) => Ok(request.command),
            Ok(ParsedRequest::Ignore(command, _)) => Err(format!("{command:?}")),
            Err((error_text, _)) => Err(error_text),
        }
    }

    /// Requests of the documentation are parsed.
    #[test]
    fn requests_are_parsed() {
        let say = |room| {
            Command::Chat(ChatCommand::Say { room, style: Style::SAID, text: "hi".to_owned() })
        };
        let named = RoomSelector::Named("lobby".to_owned());
        assert_eq!(command(r#"{"type":"say","text":"hi"}"#), Ok(say(RoomSelector::Only)));
        assert_eq!(command(r#"{"type":"say","room":"lobby","text":"hi","id":1}"#), Ok(say(named)));
        assert_eq!(command(r#"{"type":"quit","now":true}"#), Ok(Command::Quit));
        assert!(matches!(
            command(r#"{"type":"history","before":7}"#),
            Ok(Command::Chat(ChatCommand::History { .. }))
        ));
    }

    /// Sequences and sessions may be numbers or strings of digits, as in the JSON output.
    #[test]
    fn large_numbers_are_parsed_from_digits() {
        let history = |before: &str| command(&format!(r#"{{"type":"history","before":{before}}}"#));
        assert_eq!(history("7"), history(r#""7""#));
        let session =
            r#"{"type":"direct","to":"bob","text":"hi","session":"18446744073709551615"}"#;
        let Ok(Command::Chat(ChatCommand::Direct { session, .. })) = command(session) else {
            panic!("it is a direct message")
        };
        assert_eq!(session, Some(SessionId(u64::MAX)));
        for wrong in [r#""""#, r#""+7""#, r#""18446744073709551616""#, "-7", "7.5", "[7]"] {
            assert!(history(wrong).is_err(), "{wrong}");
        }
    }

    /// Requests about the ignore list are the same in both dialects, and are not sent to the
    /// driver.
    #[test]
    fn ignore_requests_are_parsed_in_both_dialects() {
        for dialect in [Dialect::Server, Dialect::Peers] {
            let parsed = |line| match parse_request(line, dialect, Duration::ZERO) {
                Ok(ParsedRequest::Ignore(command, tag)) => Ok((command, id_from_tag(&tag))),
                Ok(ParsedRequest::Request(request)) => panic!("it is sent: {request:?}"),
                Err((error_text, _)) => Err(error_text),
            };
            let bob = || "bob".to_owned();
            let id = Some(Value::from(1));
            assert_eq!(
                parsed(r#"{"type":"ignore","name":"bob","id":1}"#),
                Ok((IgnoreCommand::Add(bob()), id))
            );
            assert_eq!(
                parsed(r#"{"type":"unignore","name":"bob"}"#),
                Ok((IgnoreCommand::Remove(bob()), None))
            );
            assert_eq!(parsed(r#"{"type":"ignored"}"#), Ok((IgnoreCommand::List, None)));
            assert_eq!(parsed(r#"{"type":"ignore"}"#), Err("ignore needs name".to_owned()));
        }
    }

    /// All fields of a search are parsed. A time needs a date, a time of day and a zone.
    #[test]
    fn search_fields_are_parsed() {
        let search = |line: &str| match command(line) {
            Ok(Command::Chat(ChatCommand::Search(search))) => Ok(search),
            other => Err(format!("{other:?}")),
        };
        let bare = SearchRequest { limit: DEFAULT_LIMIT, ..SearchRequest::default() };
        assert_eq!(search(r#"{"type":"search"}"#), Ok(bare));
        let line = r#"{"type":"search","text":"tea \"hot milk\"","room":"attic","from":"bob",
            "since":"1970-01-01T00:00:07.123Z","until":"1970-01-01T02:00:00+01:00","before":9,"limit":50}"#;
        let all = SearchRequest {
            room: Some("attic".to_owned()),
            from: Some("bob".to_owned()),
            text: "tea \"hot milk\"".to_owned(),
            since: Some(Timestamp(7_123)),
            until: Some(Timestamp(3_600_000)),
            before: Some(Sequence(9)),
            limit: 50,
        };
        assert_eq!(search(line), Ok(all));
        for time in ["2026-11-22", "yesterday", "1969-12-31T23:59:59Z"] {
            let line = format!(r#"{{"type":"search","since":"{time}"}}"#);
            assert!(command(&line).unwrap_err().starts_with("since is a time"), "{time}");
        }
    }

    /// Invalid requests are errors, with the request id if there is one.
    #[test]
    fn invalid_requests_are_errors_with_id() {
        for line in [
            "hello",
            "{}",
            "[]",
            r#"{"type":"say"}"#,
            r#"{"type":"dance"}"#,
            r#"{"type":"say","txt":"hi"}"#,
            r#"{"type":"join"}"#,
            r#"{"type":"say","text":"hi","style":"shouted"}"#,
        ] {
            assert!(command(line).is_err(), "{line}");
        }
        let line = r#"{"type":"say","id":"x7"}"#;
        let (_, id) = parse_request(line, Dialect::Server, Duration::ZERO).unwrap_err();
        assert_eq!(id, Some(Value::from("x7")));
    }

    /// A room in a request may begin with `#`, as rooms are displayed.
    #[test]
    fn room_may_begin_with_number_sign() {
        for kind in
            [r#""say","text":"x""#, r#""join""#, r#""leave""#, r#""history""#, r#""search""#]
        {
            let written = |room| format!(r##"{{"type":{kind},"room":"{room}"}}"##);
            assert_eq!(command(&written("#den")), command(&written("den")), "{kind}");
        }
    }

    /// Each dialect accepts only its own requests.
    #[test]
    fn requests_depend_on_dialect() {
        let peers = |line| command_of(line, Dialect::Peers);
        let name = || "bob".to_owned();
        for (line, peer_command) in [
            (r#"{"type":"peers"}"#, PeerCommand::Peers),
            (r#"{"type":"block","name":"bob"}"#, PeerCommand::Block { name: name() }),
            (r#"{"type":"blocked"}"#, PeerCommand::ListBlocked),
            (r#"{"type":"unblock","name":"bob"}"#, PeerCommand::Unblock { name: name() }),
            (
                r#"{"type":"admit","name":"bob","welcome":false}"#,
                PeerCommand::Admit { name: name(), is_welcome: false },
            ),
        ] {
            assert_eq!(peers(line), Ok(Command::Peer(peer_command)));
            assert!(command(line).is_err(), "{line}");
        }
        assert!(matches!(peers(r#"{"type":"say","text":"hi"}"#), Ok(Command::Chat(_))));
        for line in [
            r#"{"type":"direct","to":"bob","text":"hi"}"#,
            r#"{"type":"join","room":"x"}"#,
            r#"{"type":"history"}"#,
            r#"{"type":"search"}"#,
            r#"{"type":"block"}"#,
            r#"{"type":"block","name":""}"#,
            r#"{"type":"unblock"}"#,
            "[]",
            r#"{"type":"admit","name":"bob"}"#,
        ] {
            assert!(peers(line).is_err(), "{line}");
        }
    }
}
