//! JSON input for bots (`docs/json.md`): each request is a JSON object on a line of its own.

use std::io::{BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::execute::request_finish;
use super::ignore_command::{IgnoreCommand, execute_ignore};
use super::json::{JsonScreen, ignored_object, input_error_object};
use super::lines::{Line, read_line};
use super::link_code::request_link;
use super::view_state::{Dialect, SharedViewState};
use crate::json::{InvalidRequest, RequestObject, error_object, id_from_tag};
use crate::model::{Command, Request, RequestTag};

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
/// The line is not a valid request.
fn parse_request(
    line: &str,
    dialect: Dialect,
    patience: Duration,
) -> Result<ParsedRequest, InvalidRequest> {
    let object = RequestObject::parse(line)?;
    let tag = object.tag();
    match ignore_command(&object) {
        Ok(Some(command)) => Ok(ParsedRequest::Ignore(command, tag)),
        Ok(None) if object.kind == "link" && dialect == Dialect::Server => {
            let command = request_link();
            let command = command.map_err(|text| InvalidRequest { text, id: id_from_tag(&tag) })?;
            Ok(ParsedRequest::Request(Request { tag, command: Command::Chat(command) }))
        }
        Ok(None) => object.into_request(dialect, patience).map(ParsedRequest::Request),
        Err(text) => Err(InvalidRequest { text, id: id_from_tag(&tag) }),
    }
}

/// Converts an object of type `ignore`, `unignore` or `ignored` to a command about the ignore
/// list; `None` for other types.
///
/// # Errors
/// The name is missing or empty.
fn ignore_command(object: &RequestObject) -> Result<Option<IgnoreCommand>, String> {
    let name = || {
        let name = object.name.clone().filter(|it| !it.is_empty());
        name.ok_or_else(|| format!("{} needs name", object.kind))
    };
    Ok(match object.kind.as_str() {
        "ignored" => Some(IgnoreCommand::List),
        "ignore" => Some(IgnoreCommand::Add(name()?)),
        "unignore" => Some(IgnoreCommand::Remove(name()?)),
        _ => None,
    })
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
                Err(wrong) => (wrong.text, wrong.id),
            },
            Ok(Some(Line::TooLong(bytes))) => {
                (format!("the line is too long: it has {bytes} bytes"), None)
            }
            Ok(Some(Line::InvalidUtf8)) => ("the line is not UTF-8".to_owned(), None),
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
    use serde_json::Value;

    use super::*;
    use crate::model::{
        ChatCommand, ClaimAction, PeerCommand, RoomSelector, SearchRequest, Sequence, SessionId,
        Style, Timestamp,
    };

    /// Parses a line in the server dialect.
    fn command(line: &str) -> Result<Command, String> {
        command_of(line, Dialect::Server)
    }

    /// Parses a line in this dialect.
    fn command_of(line: &str, dialect: Dialect) -> Result<Command, String> {
        match parse_request(line, dialect, Duration::ZERO) {
            Ok(ParsedRequest::Request(request)) => Ok(request.command),
            Ok(ParsedRequest::Ignore(command, _)) => Err(format!("{command:?}")),
            Err(wrong) => Err(wrong.text),
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
        for (kind, action) in [
            ("claim", ClaimAction::Claim),
            ("unclaim", ClaimAction::GiveUp),
            ("unlink", ClaimAction::UnlinkOthers),
        ] {
            let line = format!(r#"{{"type":"{kind}"}}"#);
            assert_eq!(command(&line), Ok(Command::Chat(ChatCommand::Claim(action))));
            assert!(command_of(&line, Dialect::Peers).is_err());
        }
        let mark = |room: Option<&str>, sequence: Option<u64>| {
            let (room, sequence) = (room.map(str::to_owned), sequence.map(Sequence));
            Ok(Command::MarkRead { room, sequence })
        };
        for (fields, expected) in [
            ("", mark(None, None)),
            (r##","room":"#lobby","seq":7"##, mark(Some("lobby"), Some(7))),
            (r#","room":null,"seq":"8""#, mark(None, Some(8))),
        ] {
            let line = format!(r#"{{"type":"mark_read"{fields}}}"#);
            assert_eq!(command(&line), expected);
            assert!(command_of(&line, Dialect::Peers).is_err());
        }
        let link = r#"{"type":"link"}"#;
        assert!(matches!(
            command(link),
            Ok(Command::Chat(ChatCommand::Claim(ClaimAction::Link(_))))
        ));
        assert!(command_of(link, Dialect::Peers).is_err());
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
                Err(wrong) => Err(wrong.text),
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
        let bare = SearchRequest { limit: 20, ..SearchRequest::default() };
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
        let wrong = parse_request(line, Dialect::Server, Duration::ZERO).unwrap_err();
        assert_eq!(wrong.id, Some(Value::from("x7")));
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
