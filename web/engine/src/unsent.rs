//! The messages that the server has not acknowledged as JSON text, which the page keeps in the
//! browser's storage: after a reload they are sent again.

use std::time::Duration;

use pi_chat::json::{RequestObject, id_from_tag};
use pi_chat::link::{Link, UnansweredMessage};
use pi_chat::model::{
    ChatCommand, Command, Dialect, LogId, Reference, RoomSelector, SessionId, Style,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// JSON content: unacknowledged messages, and the log to which their sessions belong.
#[derive(Deserialize)]
struct Unsent {
    /// Log of the last session; `None` if it is not known.
    log: Option<LogId>,
    /// Messages in the order in which they were made.
    messages: Vec<Item>,
}

/// JSON content of an [`UnansweredMessage`].
#[derive(Deserialize)]
struct Item {
    /// The message, as a request of `docs/json.md`.
    request: RequestObject,
    /// Session and reference with which it was last sent; `None` if it was not sent.
    sent: Option<(u64, u64)>,
    /// Session to which it was addressed; 0: none.
    addressed: u64,
}

/// Returns the text of a link's unacknowledged messages; empty if there are none.
pub(crate) fn format_unsent(link: &Link) -> String {
    let messages: Vec<Value> = link.unanswered_messages().map(|it| item_object(&it)).collect();
    if messages.is_empty() {
        return String::new();
    }
    json!({"log": link.log_id(), "messages": messages}).to_string()
}

/// Queues the messages of a text in a link. A text that is not valid counts as empty.
pub(crate) fn restore_unsent(link: &mut Link, text: &str) {
    if let Ok(unsent) = serde_json::from_str::<Unsent>(text) {
        let messages = unsent.messages.into_iter().filter_map(Item::into_message).collect();
        link.restore_messages(unsent.log, messages);
    }
}

/// Returns the object of a message.
fn item_object(message: &UnansweredMessage) -> Value {
    let id = id_from_tag(&message.tag);
    let sent = message.sent_as.map(|(session, reference)| (session.0, reference.0));
    json!({"request": request_object(&message.command, id), "sent": sent, "addressed": message.addressed_session.0})
}

/// Returns the request of a message; null for another command.
fn request_object(command: &ChatCommand, id: Option<Value>) -> Value {
    match command {
        ChatCommand::Say { room, style, text } => {
            let room = if let RoomSelector::Named(room) = room { Some(room) } else { None };
            json!({"type": "say", "room": room, "style": style_name(*style), "text": text, "id": id})
        }
        ChatCommand::Direct { to, session, style, text } => {
            let session = session.map(|it| it.0);
            json!({"type": "direct", "to": to, "session": session, "style": style_name(*style), "text": text, "id": id})
        }
        _ => Value::Null,
    }
}

/// Returns the name of a style in a request.
fn style_name(style: Style) -> &'static str {
    if style == Style::ACTION { "action" } else { "said" }
}

impl Item {
    /// Returns the message; `None` if the request is not valid.
    fn into_message(self) -> Option<UnansweredMessage> {
        let request = self.request.into_request(Dialect::Server, Duration::ZERO).ok()?;
        let Command::Chat(command) = request.command else {
            return None;
        };
        Some(UnansweredMessage {
            tag: request.tag,
            command,
            sent_as: self
                .sent
                .map(|(session, reference)| (SessionId(session), Reference(reference))),
            addressed_session: SessionId(self.addressed),
        })
    }
}
