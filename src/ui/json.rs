//! JSON output for bots (`docs/json.md`). Each event is a JSON object on a line of its own; a
//! search result is several objects.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::safe::is_unsafe_char;
use super::view_state::SharedViewState;
use super::{Screen, SharedIgnoreList};
use crate::json::{EventContext, event_objects, number_value, with_id};
use crate::model::{Event, ModerationCommand, RequestTag, SessionId, done_text};

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
        for object in event_objects(event, &self.ignore_list) {
            self.write(&object)?;
        }
        Ok(())
    }
}

impl EventContext for SharedIgnoreList {
    fn ignores(&self, name: &str, session: SessionId, person: Option<SessionId>) -> bool {
        self.hides(name, session, person)
    }

    fn describe_done(
        &self,
        command: &ModerationCommand,
        affected: u32,
        is_durable: bool,
    ) -> String {
        done_text(command, affected, is_durable)
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

/// Returns the JSON object that lists the ignored names. `id` is the request id, if there is one.
pub(super) fn ignored_object(ignore_list: &SharedIgnoreList, tag: &RequestTag) -> Value {
    let (names, is_saved) = (ignore_list.names(), ignore_list.is_saved());
    let persons = ignore_list.persons().into_iter();
    let persons = persons.map(|(name, it)| json!({"name": name, "person": number_value(it.0)}));
    let persons: Vec<_> = persons.collect();
    with_id(json!({"type": "ignored", "names": names, "persons": persons, "saved": is_saved}), tag)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::json::tag_from_id;
    use crate::model::{
        JoinedMesh, Lamport, Message, Path, PeerReport, PeerRoute, RosterNote, RosterStatus,
        SearchRequest, SearchResult, Sequence, SessionId, Style, Timestamp,
    };

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
            json!({"type": "ignored", "names": [of_author.from.to_uppercase()], "persons": [], "saved": false, "id": 3})
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
            person: None,
            lamport: lamport.map(Lamport),
            tag: RequestTag::default(),
        }
    }

    /// Returns the JSON object of a message.
    fn message_object(message: Message) -> Value {
        event_objects(&Event::Message(message), &SharedIgnoreList::default()).remove(0)
    }

    /// The JSON object of a peer's message has its Lamport counter, and the author's id as
    /// hexadecimal digits.
    #[test]
    fn message_of_peer_has_lamport_counter_and_author_id() {
        let value = |it| message_object(message(7, it, Some((1 << 48) - 1)));
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
        let value = message_object(message(1 << 53, 7, None));
        assert_eq!((&value["seq"], &value["session"]), (&json!(1_u64 << 53), &json!(7)));
        assert_eq!(value.get("lamport"), None);
        let value = message_object(message(u64::MAX, (1 << 53) + 1, None));
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
            "from": "bob", "session": 2, "person": null, "style": "action", "text": "makes tea", "own": false,
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
