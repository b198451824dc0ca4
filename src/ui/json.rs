//! JSON output for bots (`docs/json.md`). Each event is a JSON object on a line of its own; a
//! search result is several objects.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json_moderation::moderation_object;
use super::local_time::format_utc;
use super::safe::is_unsafe_char;
use super::view_state::SharedViewState;
use super::{Screen, SharedIgnoreList};
use crate::model::{
    ConnectionState, DirectMessage, ErrorCode, Event, Message, Path, PeerReport, PeerRoute,
    Refusal, RequestTag, RosterNote, RosterStatus, SessionId, Style, Timestamp,
};

/// Greatest integer that is written as a JSON number: 2^53. A 64-bit floating-point number
/// represents every integer up to it exactly.
const MAX_EXACT_NUMBER: u64 = 1 << 53;

/// Screen that writes events as JSON lines.
pub struct JsonScreen<O> {
    /// Output stream, usually standard output.
    out: O,
    /// View state shared with the reader.
    view: SharedViewState,
    /// Names that the user ignores, the same as in the view state: their messages are marked.
    ignore_list: SharedIgnoreList,
}

impl<O: Write> JsonScreen<O> {
    /// Creates a screen that writes to `out`, and marks messages of ignored names.
    pub fn new(out: O, view: SharedViewState) -> Self {
        Self { out, ignore_list: view.with(|it| it.ignore_list.clone()), view }
    }

    /// Writes a JSON object as one line, with dangerous characters escaped, and flushes the stream.
    ///
    /// # Errors
    /// The output can no longer be written.
    pub fn write(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{}", escape_dangerous(&object.to_string()))?;
        self.out.flush()
    }
}

impl<O: Write> Screen for JsonScreen<O> {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.view.with(|it| it.update(event));
        if let Event::SearchResult(found) = event {
            for message in &found.messages {
                let is_ignored = self.ignore_list.hides_message(message);
                self.write(&search_result_object(message, &found.tag, is_ignored))?;
            }
        }
        self.write(&event_object(event, &self.ignore_list))
    }
}

/// Escapes dangerous characters as `\uXXXX`: control characters, bidirectional characters, and
/// others on which a terminal might act. In JSON text they occur only within strings, so the result
/// is equivalent JSON.
pub(crate) fn escape_dangerous(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe_char(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns a timestamp as a JSON string: RFC 3339 format in UTC. Null if it is after the year 9999.
pub(super) fn time_value(time: Timestamp) -> Value {
    format_utc(time).map_or(Value::Null, Value::String)
}

/// Returns an integer as JSON: a number up to [`MAX_EXACT_NUMBER`], a string of digits beyond. Used
/// for integers that a server may choose freely.
pub(super) fn number_value(number: u64) -> Value {
    if number <= MAX_EXACT_NUMBER { number.into() } else { number.to_string().into() }
}

/// Returns the JSON name of a message style: `action`, `removed`, or `said` for every other style.
const fn style_name(style: Style) -> &'static str {
    match style {
        Style::ACTION => "action",
        Style::REMOVED => "removed",
        _ => "said",
    }
}

/// Returns the JSON object of an event. For a search result it is the `search_end` object, without
/// the messages. `ignore_list`: names whose messages are marked.
fn event_object(event: &Event, ignore_list: &SharedIgnoreList) -> Value {
    match event {
        Event::Connection(state) => connection_state_object(state),
        Event::JoinedServer(it) => json!({
            "type": "welcome", "session": number_value(it.session.0), "name": it.username,
            "server": it.server_name, "program": it.server_program, "rooms": it.rooms,
            "time": time_value(it.time), "max_text": it.max_text, "session_kept": it.session_kept,
            "position_kept": it.position_kept, "log_changed": it.log_changed,
            "durable": it.is_durable, "keep_days": it.retention.days,
            "keep_messages": it.retention.messages, "keep_bytes": number_value(it.retention.bytes),
        }),
        Event::Entered { tag, room, members } => {
            with_id(json!({"type": "entered", "room": room, "members": members}), tag)
        }
        Event::Left { tag, room, is_forced } => {
            with_id(json!({"type": "left", "room": room, "forced": is_forced}), tag)
        }
        Event::Message(it) => message_object(it, ignore_list.hides_message(it)),
        Event::Direct(it) => direct_object(it, ignore_list.hides_direct(it)),
        Event::Gap { room } => json!({"type": "gap", "room": room}),
        Event::HistoryEnd { tag, room, more, requested } => with_id(
            json!({"type": "history_end", "room": room, "more": more, "requested": requested}),
            tag,
        ),
        Event::SearchResult(it) => with_id(
            json!({
                "type": "search_end", "found": it.messages.len(), "more": it.more,
                "before": it.older().and_then(|it| it.before).map(|it| number_value(it.0)),
            }),
            &it.tag,
        ),
        Event::Roster { tag, room, members, names, notes, requested } => {
            let mut object = json!({
                "type": "roster", "room": room, "members": members, "names": names, "asked": requested,
            });
            if let (Some(notes), Value::Object(object)) = (notes, &mut object) {
                let notes = notes.iter().map(roster_note_object).collect();
                object.insert("notes".to_owned(), notes);
            }
            with_id(object, tag)
        }
        Event::Presence { room, members, joined, left } => json!({
            "type": "presence", "room": room, "members": members, "joined": joined, "left": left,
        }),
        Event::Notice { code, text } => json!({"type": "notice", "code": code, "text": text}),
        Event::Acknowledged { tag, sequence, time: when, unechoed } => with_id(
            json!({
                "type": "acknowledged", "seq": sequence.map(|it| number_value(it.0)), "time": when.map(time_value),
                "text": unechoed,
            }),
            tag,
        ),
        Event::Refused(it) => refusal_object(it),
        Event::Unsent { tag, to, text, perhaps_taken } => with_id(
            json!({"type": "unsent", "to": to, "text": text, "perhaps_taken": perhaps_taken}),
            tag,
        ),
        Event::NameWanted { name, text } => {
            json!({"type": "name_wanted", "name": name, "text": text})
        }
        Event::PasswordWanted { again } => json!({"type": "password_wanted", "again": again}),
        Event::JoinedMesh(it) => json!({
            "type": "admitted", "session": peer_id(it.session), "name": it.username, "room": it.room,
            "closed": it.is_closed, "members": it.members, "history_from": it.history_from,
        }),
        Event::AdmissionRequested { name } => json!({"type": "admission_asked", "name": name}),
        Event::Renamed { from, to } => json!({"type": "renamed", "from": from, "to": to}),
        Event::Peers { tag, peers } => {
            let peers: Vec<Value> = peers.iter().map(peer_object).collect();
            with_id(json!({"type": "peers", "peers": peers}), tag)
        }
        Event::Done { tag, text } => with_id(json!({"type": "done", "text": text}), tag),
        Event::Moderation(event) => moderation_object(event),
        Event::Problem { code, text } => error_object(*code, text),
    }
}

/// Returns the JSON object of a note about a member in a `roster`.
fn roster_note_object(it: &RosterNote) -> Value {
    let (note, through) = match &it.status {
        RosterStatus::Indirect { through } => ("indirect", through.as_deref()),
        RosterStatus::Deaf => ("deaf", None),
    };
    json!({"name": it.name, "note": note, "through": through})
}

/// Returns the JSON object of a peer in the answer to `peers`. Durations are in milliseconds. The
/// loss is a fraction from 0 to 1.
fn peer_object(it: &PeerReport) -> Value {
    let milliseconds = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    json!({
        "name": it.name, "session": peer_id(it.session), "self": it.is_self,
        "present_ms": milliseconds(it.present), "address": it.address.map(|it| it.to_string()),
        "reach": match it.route {
            PeerRoute::Local => "here",
            PeerRoute::Path(Path::GroupV4) => "group4",
            PeerRoute::Path(Path::GroupV6) => "group6",
            PeerRoute::Path(Path::Broadcast) => "broadcast",
            PeerRoute::Unicast => "unicast",
            PeerRoute::Indirect => "indirect",
        },
        "loss": f64::from(it.loss) / 1000.0, "skew_ms": it.skew,
        "silence_ms": milliseconds(it.silence), "through": it.through, "hears_you": it.hears_me,
    })
}

/// Returns the JSON object of a change of the connection state.
fn connection_state_object(state: &ConnectionState) -> Value {
    match state {
        ConnectionState::Connecting => json!({"type": "state", "state": "connecting"}),
        ConnectionState::Connected => json!({"type": "state", "state": "connected"}),
        ConnectionState::Disconnected { reason } => {
            json!({"type": "state", "state": "disconnected", "reason": reason})
        }
        ConnectionState::Reconnecting { delay } => {
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            json!({"type": "state", "state": "reconnecting", "delay_ms": delay})
        }
        ConnectionState::Unresponsive { requests } => {
            json!({"type": "state", "state": "unresponsive", "requests": requests})
        }
        ConnectionState::Responsive => json!({"type": "state", "state": "responsive"}),
        ConnectionState::Waiting { requests } => {
            json!({"type": "state", "state": "waiting", "requests": requests})
        }
    }
}

/// Returns the JSON object of a message in a room. For a peer's message, the object also has the
/// Lamport counter, and its session is the author's id. `is_ignored`: the user ignores the author.
fn message_object(it: &Message, is_ignored: bool) -> Value {
    let mut object = json!({
        "type": "message", "seq": number_value(it.sequence.0), "time": time_value(it.time), "room": it.room,
        "from": it.from, "session": number_value(it.session.0), "style": style_name(it.style), "text": it.text,
        "history": it.history, "requested": it.requested, "own": it.own, "late": it.late,
        "ignored": is_ignored,
    });
    if let (Some(lamport), Some(fields)) = (it.lamport, object.as_object_mut()) {
        fields.insert("session".to_owned(), peer_id(it.session).into());
        fields.insert("lamport".to_owned(), lamport.0.into());
    }
    with_id(object, &it.tag)
}

/// Returns the id of a peer as 16 lower-case hexadecimal digits. Sorted as texts, ids keep their
/// order. As a JSON number, the id would be rounded by a reader that has only floating-point
/// numbers.
fn peer_id(session: SessionId) -> String {
    format!("{:016x}", session.0)
}

/// Returns the JSON object of one message of a search result. `tag` is the tag of the search.
/// `is_ignored`: the user ignores the author.
fn search_result_object(it: &Message, tag: &RequestTag, is_ignored: bool) -> Value {
    with_id(
        json!({
            "type": "found", "seq": number_value(it.sequence.0), "time": time_value(it.time), "room": it.room,
            "from": it.from, "session": number_value(it.session.0), "style": style_name(it.style), "text": it.text,
            "own": it.own, "ignored": is_ignored,
        }),
        tag,
    )
}

/// Returns the JSON object of a direct message. `is_ignored`: the user ignores the author.
fn direct_object(it: &DirectMessage, is_ignored: bool) -> Value {
    with_id(
        json!({
            "type": "direct", "seq": number_value(it.sequence.0), "time": time_value(it.time), "from": it.from,
            "from_session": number_value(it.from_session.0), "to": it.to, "to_session": number_value(it.to_session.0),
            "style": style_name(it.style), "text": it.text, "history": it.history, "own": it.own,
            "ignored": is_ignored,
        }),
        &it.tag,
    )
}

/// Returns the JSON object of a refused request: an error object that also holds the recipient or
/// room. If known, it also holds the message text and the request id.
fn refusal_object(it: &Refusal) -> Value {
    let mut object = error_object(it.code, &it.text);
    if let Some(object) = object.as_object_mut() {
        object.insert("to".to_owned(), json!(it.to));
        if let Some(message) = &it.message {
            object.insert("message".to_owned(), json!(message));
        }
    }
    with_id(object, &it.tag)
}

/// Returns the JSON object that lists the ignored names. `id` is the request id, if there is one.
pub(super) fn ignored_object(ignore_list: &SharedIgnoreList, tag: &RequestTag) -> Value {
    let (names, is_saved) = (ignore_list.names(), ignore_list.is_saved());
    with_id(json!({"type": "ignored", "names": names, "saved": is_saved}), tag)
}

/// Returns the JSON object of an error. Code 0 has the name `client`: the program itself reports
/// the error. An unknown code has the name null.
pub(super) fn error_object(code: u16, text: &str) -> Value {
    let name = ErrorCode::from_number(code).map(ErrorCode::name);
    let name = if code == 0 { Some("client") } else { name };
    json!({"type": "error", "code": code, "name": name, "text": text})
}

/// Returns the JSON object that reports an invalid input line. `line` is the line's number, counted
/// from 1. `id` is the request id; `None` if it is missing or could not be read.
pub(super) fn input_error_object(line: u64, text: &str, id: Option<&Value>) -> Value {
    let mut object =
        json!({"type": "error", "code": 0, "name": "input", "text": text, "line": line});
    if let (Some(object), Some(id)) = (object.as_object_mut(), id) {
        object.insert("id".to_owned(), id.clone());
    }
    object
}

/// Adds the request id to an object, as `id`. The id is the JSON text in the tag. Leaves the object
/// unchanged if the tag is empty or its text is no JSON.
pub(super) fn with_id(mut object: Value, tag: &RequestTag) -> Value {
    if let (Some(map), Some(id)) = (object.as_object_mut(), id_from_tag(tag)) {
        insert_id(map, id);
    }
    object
}

/// Sets the key `id` of a JSON object to a request id.
fn insert_id(map: &mut Map<String, Value>, id: Value) {
    map.insert("id".to_owned(), id);
}

/// Returns the request id in a tag, whose text is its JSON. `None` if the tag is empty or no JSON.
pub(super) fn id_from_tag(tag: &RequestTag) -> Option<Value> {
    serde_json::from_str(tag.0.as_deref()?).ok()
}

/// Returns the tag for a request id: the id as JSON text. Without an id the tag is empty.
pub(super) fn tag_from_id(id: Option<&Value>) -> RequestTag {
    RequestTag(id.map(|it| it.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JoinedMesh, Lamport, SearchRequest, SearchResult, Sequence};

    /// Returns the lines that are written for an event.
    fn json_lines(event: &Event) -> String {
        let mut out = Vec::new();
        JsonScreen::new(&mut out, SharedViewState::default()).show(event).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The text of a message survives unchanged, and the line contains no dangerous characters.
    #[test]
    fn message_text_round_trips_without_dangerous_characters() {
        let text = "a\n\u{9b}31m\u{202e}\u{7f}\"é";
        let event = Event::Message(Message {
            text: text.to_owned(),
            own: true,
            tag: tag_from_id(Some(&json!({"n": 1}))),
            ..message(7, 1, None)
        });
        let line = json_lines(&event);
        assert!(!line.trim_end().chars().any(is_unsafe_char), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["text"], text);
        assert_eq!(value["seq"], 7);
        assert_eq!(value["time"], "2026-11-22T22:03:07.123Z");
        assert_eq!(value["id"], json!({"n": 1}));
    }

    /// Messages that others write under an ignored name are marked, live and in a search result.
    /// All others are marked as not ignored.
    #[test]
    fn messages_of_ignored_names_are_marked() {
        let view = SharedViewState::default();
        let ignored = view.with(|it| it.ignore_list.clone());
        ignored.open(None).unwrap();
        let of_author = message(7, 1, None);
        let is_marked = |event: &Event| {
            let mut out = Vec::new();
            JsonScreen::new(&mut out, view.clone()).show(event).unwrap();
            let first = String::from_utf8(out).unwrap().lines().next().unwrap().to_owned();
            serde_json::from_str::<Value>(&first).unwrap()["ignored"].as_bool().unwrap()
        };
        let search = || {
            Event::SearchResult(SearchResult {
                tag: RequestTag::default(),
                search: SearchRequest::default(),
                messages: vec![of_author.clone()],
                more: false,
            })
        };
        assert!(!is_marked(&Event::Message(of_author.clone())) && !is_marked(&search()));
        ignored.add(&of_author.from.to_uppercase(), None).unwrap();
        assert!(is_marked(&Event::Message(of_author.clone())) && is_marked(&search()));
        assert!(!is_marked(&Event::Message(Message { own: true, ..of_author.clone() })));
        let id = tag_from_id(Some(&json!(3)));
        assert_eq!(
            ignored_object(&ignored, &id),
            json!({"type": "ignored", "names": [of_author.from.to_uppercase()], "saved": false, "id": 3})
        );
    }

    /// Returns a message with these numbers. With a Lamport counter it is a peer's message,
    /// otherwise a server's.
    fn message(sequence: u64, session: u64, lamport: Option<u64>) -> Message {
        Message {
            sequence: Sequence(sequence),
            time: Timestamp(1_795_384_987_123),
            late: false,
            room: "lobby".to_owned(),
            session: SessionId(session),
            from: "anna".to_owned(),
            style: Style::SAID,
            text: "hi".to_owned(),
            history: false,
            requested: false,
            own: false,
            lamport: lamport.map(Lamport),
            tag: RequestTag::default(),
        }
    }

    /// The JSON object of a peer's message has its Lamport counter, and the author's id as
    /// hexadecimal digits.
    #[test]
    fn message_of_peer_has_lamport_counter_and_author_id() {
        let value = |it| message_object(&message(7, it, Some((1 << 48) - 1)), false);
        let first = value(0x9da7_e1c3_f01b_22a6);
        assert_eq!(first["session"], "9da7e1c3f01b22a6");
        assert_eq!(first["lamport"], (1_u64 << 48) - 1);
        assert_eq!(first["seq"], 7);
        assert_eq!(value(0x0a)["session"], "000000000000000a");
    }

    /// The JSON object of a server's message has no Lamport counter. Numbers that a floating-point
    /// number cannot hold are strings of digits.
    #[test]
    fn message_of_server_has_exact_numbers_and_no_lamport_counter() {
        let value = message_object(&message(1 << 53, 7, None), false);
        assert_eq!((&value["seq"], &value["session"]), (&json!(1_u64 << 53), &json!(7)));
        assert_eq!(value.get("lamport"), None);
        let value = message_object(&message(u64::MAX, (1 << 53) + 1, None), false);
        assert_eq!(value["seq"], "18446744073709551615");
        assert_eq!(value["session"], "9007199254740993");
    }

    /// A search result is written as its messages and an end object, each with the id of the
    /// search.
    #[test]
    fn search_results_and_end_are_written_with_id() {
        let message = |sequence| Message {
            from: "bob".to_owned(),
            style: Style::ACTION,
            text: "makes tea".to_owned(),
            history: true,
            requested: true,
            ..message(sequence, 2, None)
        };
        let mut found = SearchResult {
            tag: tag_from_id(Some(&json!("s1"))),
            search: SearchRequest::default(),
            messages: vec![message(7), message(9)],
            more: true,
        };
        let objects = |found: &SearchResult| -> Vec<Value> {
            let json_lines = json_lines(&Event::SearchResult(found.clone()));
            json_lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let all = objects(&found);
        let first = json!({
            "type": "found", "seq": 7, "time": "2026-11-22T22:03:07.123Z", "room": "lobby",
            "from": "bob", "session": 2, "style": "action", "text": "makes tea", "own": false,
            "ignored": false, "id": "s1",
        });
        assert_eq!((&all[0], &all[1]["seq"]), (&first, &json!(9)));
        let end = json!({"type": "search_end", "found": 2, "more": true, "before": 7, "id": "s1"});
        assert_eq!(all[2..], [end]);
        found.more = false;
        assert_eq!(objects(&found)[2]["before"], Value::Null);
    }

    /// Peer reports are written with machine-readable units.
    #[test]
    fn peer_reports_are_written() {
        let report = PeerReport {
            name: "bob".to_owned(),
            session: SessionId(2),
            is_self: false,
            present: Duration::from_secs(60),
            address: Some(([10, 0, 0, 7], 4_000).into()),
            route: PeerRoute::Path(Path::GroupV4),
            loss: 25,
            skew: -7_000,
            silence: Duration::from_millis(1_500),
            through: None,
            hears_me: true,
        };
        let event = Event::Peers { tag: tag_from_id(Some(&json!(7))), peers: vec![report] };
        let value: Value = serde_json::from_str(&json_lines(&event)).unwrap();
        let bob = json!({
            "name": "bob", "session": "0000000000000002", "self": false, "present_ms": 60_000,
            "address": "10.0.0.7:4000", "reach": "group4", "loss": 0.025, "skew_ms": -7_000,
            "silence_ms": 1_500, "through": null, "hears_you": true,
        });
        assert_eq!(value, json!({"type": "peers", "peers": [bob], "id": 7}));
    }

    /// A member list among peers says how a member is known that is not reached as usual.
    #[test]
    fn roster_notes_are_written() {
        let note = |name: &str, status| RosterNote { name: name.to_owned(), status };
        let through = Some("bert".to_owned());
        let notes = vec![
            note("dora", RosterStatus::Indirect { through }),
            note("emil", RosterStatus::Deaf),
        ];
        let roster = |notes| Event::Roster {
            tag: RequestTag::default(),
            room: "lobby".to_owned(),
            members: 2,
            names: None,
            notes,
            requested: true,
        };
        let value: Value = serde_json::from_str(&json_lines(&roster(Some(notes)))).unwrap();
        let expected = json!([
            {"name": "dora", "note": "indirect", "through": "bert"},
            {"name": "emil", "note": "deaf", "through": null},
        ]);
        assert_eq!(value["notes"], expected);
        let value: Value = serde_json::from_str(&json_lines(&roster(None))).unwrap();
        assert!(value.get("notes").is_none());
    }

    /// Admission events are written with their fields.
    #[test]
    fn admission_events_are_written() {
        let admitted = Event::JoinedMesh(JoinedMesh {
            session: SessionId(0x9da7_e1c3_f01b_22a6),
            username: "anna".to_owned(),
            room: "lobby".to_owned(),
            is_closed: true,
            members: vec!["anna".to_owned(), "bob".to_owned()],
            history_from: Some("bob".to_owned()),
        });
        let value: Value = serde_json::from_str(&json_lines(&admitted)).unwrap();
        assert_eq!(
            value,
            json!({
                "type": "admitted", "session": "9da7e1c3f01b22a6", "name": "anna", "room": "lobby", "closed": true,
                "members": ["anna", "bob"], "history_from": "bob",
            })
        );
        let asked = json_lines(&Event::AdmissionRequested { name: "c\u{1b}".to_owned() });
        assert_eq!(asked, "{\"type\":\"admission_asked\",\"name\":\"c\\u001b\"}\n");
    }
}
