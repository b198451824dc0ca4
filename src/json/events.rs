//! JSON objects of events.

use std::time::Duration;

use serde_json::{Value, json};

use super::moderation::moderation_object;
use super::{error_object, number_value, time_value, with_id};
#[cfg(feature = "ui")]
use crate::model::LINK_CODE_SECONDS;
use crate::model::{
    ConnectionState, DirectMessage, ErrorCode, Event, Message, ModerationCommand, Path, PeerReport,
    PeerRoute, Refusal, RequestTag, RosterNote, RosterStatus, Security, SessionId, Style,
};

/// Returns the JSON name of a message style: `action`, `removed`, or `said` for every other style.
const fn style_name(style: Style) -> &'static str {
    match style {
        Style::ACTION => "action",
        Style::REMOVED => "removed",
        _ => "said",
    }
}

/// What the objects of events depend on beside the events themselves.
pub trait EventContext {
    /// Returns true if the user ignores whoever has written under a name: what they wrote is marked.
    /// `session`, `person`: numbers of the author.
    fn ignores(&self, name: &str, session: SessionId, person: Option<SessionId>) -> bool;

    /// Describes a change that the server has carried out, for the `text` of `done`. `affected`:
    /// number of connected users whom it concerned. `is_durable`: false if a restart of the server
    /// forgets the change.
    fn describe_done(&self, command: &ModerationCommand, affected: u32, is_durable: bool)
    -> String;
}

/// Returns the JSON objects of an event, in order: one, or for a search result its messages and a
/// `search_end`.
pub fn event_objects(event: &Event, context: &impl EventContext) -> Vec<Value> {
    let mut objects = Vec::new();
    if let Event::SearchResult(found) = event {
        let is_ignored = |it: &Message| !it.own && context.ignores(&it.from, it.session, it.person);
        let object = |it: &Message| search_result_object(it, &found.tag, is_ignored(it));
        objects.extend(found.messages.iter().map(object));
    }
    objects.push(event_object(event, context));
    objects
}

/// Returns the JSON object of an event; for a search result `search_end`, without the messages.
fn event_object(event: &Event, context: &impl EventContext) -> Value {
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
        Event::Message(it) => {
            message_object(it, !it.own && context.ignores(&it.from, it.session, it.person))
        }
        Event::Direct(it) => {
            direct_object(it, !it.own && context.ignores(&it.from, it.from_session, it.from_person))
        }
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
        Event::Notice { code, text } => {
            json!({"type": "notice", "code": code, "text": text.to_string()})
        }
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
        Event::NameWanted { name, code, text } => {
            let reason = ErrorCode::from_number(*code).map(ErrorCode::name);
            json!({"type": "name_wanted", "name": name, "reason": reason, "text": text})
        }
        Event::PasswordWanted { again } => json!({"type": "password_wanted", "again": again}),
        Event::InviteWanted { code, text } => {
            let reason = ErrorCode::from_number(*code).map(ErrorCode::name);
            json!({"type": "invite_wanted", "reason": reason, "text": text})
        }
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
        Event::Done { tag, text } => {
            with_id(json!({"type": "done", "text": text.to_string()}), tag)
        }
        #[cfg(feature = "ui")]
        Event::LinkCode(it) => with_id(
            json!({
                "type": "link_code", "name": it.name, "code": it.code.to_string(), "link": it.link,
                "page_link": it.page_link, "seconds": LINK_CODE_SECONDS,
            }),
            &it.tag,
        ),
        #[cfg(feature = "ui")]
        Event::HolderChanged { name } => json!({"type": "holder_changed", "name": name}),
        Event::ReadMark { room, sequence } => {
            json!({"type": "read_mark", "room": room, "seq": number_value(sequence.0)})
        }
        Event::Moderation(event) => moderation_object(event, context),
        Event::Problem { code, text } => error_object(*code, &text.to_string()),
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
        ConnectionState::Encrypted { security, fingerprint } => {
            let trust = match security {
                Security::Verified => "verified",
                Security::Known => "known",
                Security::FirstUse | Security::Unkept => "first_use",
            };
            json!({
                "type": "encryption", "encrypted": true, "trust": trust, "fingerprint": fingerprint
            })
        }
        ConnectionState::Plain { is_tls_offered } => {
            json!({"type": "encryption", "encrypted": false, "tls_offered": is_tls_offered})
        }
        ConnectionState::Disconnected { reason } => {
            json!({"type": "state", "state": "disconnected", "reason": reason.to_string()})
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
        "from": it.from, "session": number_value(it.session.0), "person": person_value(it.person),
        "style": style_name(it.style), "text": it.text,
        "history": it.history, "requested": it.requested, "own": it.own, "late": it.late,
        "ignored": is_ignored,
    });
    if let (Some(lamport), Some(fields)) = (it.lamport, object.as_object_mut()) {
        fields.insert("session".to_owned(), peer_id(it.session).into());
        fields.insert("lamport".to_owned(), lamport.0.into());
    }
    with_id(object, &it.tag)
}

/// Returns the number of the person of an author; null if they have claimed no name.
fn person_value(person: Option<SessionId>) -> Option<Value> {
    person.map(|it| number_value(it.0))
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
            "from": it.from, "session": number_value(it.session.0), "person": person_value(it.person),
            "style": style_name(it.style), "text": it.text, "own": it.own, "ignored": is_ignored,
        }),
        tag,
    )
}

/// Returns the JSON object of a direct message. `is_ignored`: the user ignores the author.
fn direct_object(it: &DirectMessage, is_ignored: bool) -> Value {
    with_id(
        json!({
            "type": "direct", "seq": number_value(it.sequence.0), "time": time_value(it.time), "from": it.from,
            "from_session": number_value(it.from_session.0), "from_person": person_value(it.from_person), "to": it.to, "to_session": number_value(it.to_session.0),
            "style": style_name(it.style), "text": it.text, "history": it.history, "own": it.own,
            "ignored": is_ignored,
        }),
        &it.tag,
    )
}

/// Returns the JSON object of a refused request: an error object that also holds the recipient or
/// room. If known, it also holds the message text and the request id.
fn refusal_object(it: &Refusal) -> Value {
    let mut object = error_object(it.code, &it.text.to_string());
    if let Some(object) = object.as_object_mut() {
        object.insert("to".to_owned(), json!(it.to));
        if let Some(message) = &it.message {
            object.insert("message".to_owned(), json!(message));
        }
    }
    with_id(object, &it.tag)
}
