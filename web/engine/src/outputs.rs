//! Encoding of the engine's outputs: each is a byte with its kind, the length of its content in
//! 4 bytes (little-endian), and the content.

use pi_chat::json::{EventContext, event_objects};
use pi_chat::link::{EndReason, Output};
use pi_chat::model::{ModerationCommand, SessionId};
use pi_chat::wire::tcp::{ClientFrame, Hello, feature};
use serde_json::{Value, json};

use crate::session::SessionText;

/// Kinds of outputs. The page has the same numbers.
mod kind {
    /// Open a WebSocket, replacing one that is open or being opened, and send the content on it.
    pub(super) const CONNECT: u8 = 1;
    /// Send the content: a frame.
    pub(super) const SEND: u8 = 2;
    /// Close the WebSocket in order, after what was sent.
    pub(super) const DISCONNECT: u8 = 3;
    /// Give up the WebSocket: without saying that the user leaves.
    pub(super) const ABANDON: u8 = 4;
    /// Show an event: its object as JSON text (`docs/json.md`).
    pub(super) const EVENT: u8 = 5;
    /// Save the session: any text, which `start` takes.
    pub(super) const PERSIST: u8 = 6;
    /// Call `wake` at this time: milliseconds since the page was loaded, as decimal digits.
    pub(super) const WAKE: u8 = 7;
    /// Save the messages that are not acknowledged: any text, which `start` takes; empty if there
    /// are none.
    pub(super) const UNSENT: u8 = 8;
    /// Call `proved` with a proof of the user's key, or with nothing. The content is what the proof
    /// signs: the server's challenge and its key, 32 bytes each.
    pub(super) const CHALLENGE: u8 = 9;
}

/// The page: it hides whom the user ignores, and has words of its own.
struct Page;

impl EventContext for Page {
    fn ignores(&self, _name: &str, _: SessionId, _: Option<SessionId>) -> bool {
        false
    }

    fn describe_done(&self, _: &ModerationCommand, _affected: u32, _is_durable: bool) -> String {
        String::new()
    }
}

/// Appends an output to `out`. [`Output::Finished`] becomes the event `end`.
pub(crate) fn encode_output(output: &Output, out: &mut Vec<u8>) {
    match output {
        Output::Connect { hello } => {
            let mut frame = Vec::new();
            let features = hello.features | feature::IDENTITY | feature::READ_MARKS;
            ClientFrame::Hello(Hello { features, ..hello.clone() }).encode(&mut frame);
            encode(kind::CONNECT, &frame, out);
        }
        Output::Send(frame) => {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            encode(kind::SEND, &bytes, out);
        }
        Output::Disconnect => encode(kind::DISCONNECT, &[], out),
        Output::Abandon => encode(kind::ABANDON, &[], out),
        Output::Event(event) => {
            for object in event_objects(event, &Page) {
                encode_event(&object, out);
            }
        }
        Output::Persist(saved) => {
            encode(kind::PERSIST, SessionText::format(saved).as_bytes(), out);
        }
        Output::WakeAt(moment) => {
            let milliseconds = moment.since_start().as_millis().saturating_add(1);
            encode(kind::WAKE, milliseconds.to_string().as_bytes(), out);
        }
        Output::Finished(end) => encode_event(&end_object(end), out),
    }
}

/// Appends the output that asks for a proof to `out`.
pub(crate) fn encode_challenge(challenge: &[u8; 32], server_key: &[u8; 32], out: &mut Vec<u8>) {
    encode(kind::CHALLENGE, &[*challenge, *server_key].concat(), out);
}

/// Appends the object of an event to `out`.
pub(crate) fn encode_event(object: &Value, out: &mut Vec<u8>) {
    encode(kind::EVENT, object.to_string().as_bytes(), out);
}

/// Appends the output with the text of the unacknowledged messages to `out`.
pub(crate) fn encode_unsent(text: &str, out: &mut Vec<u8>) {
    encode(kind::UNSENT, text.as_bytes(), out);
}

/// Appends an output with this kind and content.
fn encode(kind: u8, content: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
}

/// Returns the object of the end of the link.
fn end_object(end: &EndReason) -> Value {
    match end {
        EndReason::Left { .. } => json!({"type": "end", "reason": "left", "text": ""}),
        EndReason::Unavailable { reason } => {
            json!({"type": "end", "reason": "unavailable", "text": reason.to_string()})
        }
        EndReason::Refused { code, reason } => {
            let name = code.map(|it| it.name());
            json!({"type": "end", "reason": "refused", "name": name, "text": reason.to_string()})
        }
        EndReason::Protocol { reason } => {
            json!({"type": "end", "reason": "protocol", "text": reason.to_string()})
        }
    }
}
