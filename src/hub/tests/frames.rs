//! Builders for client frames, and summaries of received frames.

use crate::model::{ErrorCode, Reference, Sequence, SessionId, Timestamp};
use crate::wire::tcp::{
    ClientFrame, Direct, Enter, Error, Hello, History, Join, Leave, MAGIC, Members, Say, Search,
    ServerFrame, Welcome,
};

/// Builds a `hello` with these features.
pub(super) fn hello(features: u64) -> ClientFrame {
    let name = "test".to_owned();
    Hello {
        magic: MAGIC,
        min_version: 1,
        max_version: 1,
        features,
        client_name: name.clone(),
        client_version: name,
    }
    .into()
}

/// Builds a `join` without password, token or position. `rooms`: empty for the lobby.
pub(super) fn join(name: &str, rooms: &[&str]) -> Join {
    Join {
        username: name.to_owned(),
        password: None,
        rooms: rooms.iter().map(|it| (*it).to_owned()).collect(),
        token: None,
        position: None,
        proof: None,
        invite: None,
    }
}

/// Builds a `say` in the lobby.
pub(super) fn say(reference: u64, text: &str) -> ClientFrame {
    say_in("lobby", reference, text)
}

/// Builds a `say` in this room.
pub(super) fn say_in(room: &str, reference: u64, text: &str) -> ClientFrame {
    let (room, text) = (room.to_owned(), text.to_owned());
    Say { reference: Reference(reference), room, style: 0, text }.into()
}

/// Builds a `direct` message. `session`: session that must hold the name; 0: any session.
pub(super) fn direct(to: &str, session: u64, reference: u64, text: &str) -> ClientFrame {
    Direct {
        reference: Reference(reference),
        to: to.to_owned(),
        session: SessionId(session),
        style: 0,
        text: text.to_owned(),
    }
    .into()
}

/// Builds an `enter` request.
pub(super) fn enter(reference: u64, room: &str) -> ClientFrame {
    Enter { reference: Reference(reference), room: room.to_owned() }.into()
}

/// Builds a `leave` request.
pub(super) fn leave(reference: u64, room: &str) -> ClientFrame {
    Leave { reference: Reference(reference), room: room.to_owned() }.into()
}

/// Builds a `history` request. `before`: 0 for the latest entries. `limit`: 0 for the maximum.
pub(super) fn history(reference: u64, room: &str, before: u64, limit: u16) -> ClientFrame {
    let before = Sequence(before);
    History { reference: Reference(reference), room: room.to_owned(), before, limit }.into()
}

/// Builds a `search` request, for any author and time. `room`: empty for all rooms. `before`: 0 for
/// the latest entries. `limit`: 0 for the maximum.
pub(super) fn search(
    reference: u64,
    room: &str,
    text: &str,
    before: u64,
    limit: u16,
) -> ClientFrame {
    Search {
        reference: Reference(reference),
        room: room.to_owned(),
        from: String::new(),
        text: text.to_owned(),
        since: Timestamp(0),
        until: Timestamp(0),
        before: Sequence(before),
        limit,
    }
    .into()
}

/// Builds a `members` request. `after`: empty for the first page.
pub(super) fn members(reference: u64, room: &str, after: &str) -> ClientFrame {
    let after = after.to_owned();
    Members { reference: Reference(reference), room: room.to_owned(), after }.into()
}

/// Event that a client receives on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientEvent {
    /// The client has received a frame. Each log entry is a frame.
    Frame(ServerFrame),
    /// The server has closed the connection.
    Closed,
}

/// Returns the welcome among the received events. Panics if there is none.
pub(super) fn welcome(received: &[ClientEvent]) -> Welcome {
    received
        .iter()
        .find_map(|it| match it {
            ClientEvent::Frame(ServerFrame::Welcome(welcome)) => Some(welcome.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no welcome in {received:?}"))
}

/// Summarizes a received event in one line.
pub(super) fn summarize(received: &ClientEvent) -> String {
    let ClientEvent::Frame(frame) = received else { return "closed".to_owned() };
    match frame {
        ServerFrame::Ping(_) => "ping".to_owned(),
        ServerFrame::Pong(it) => format!("pong {}", it.token),
        ServerFrame::ServerHello(it) => format!("server_hello {} {}", it.version, it.features),
        ServerFrame::Welcome(it) => {
            format!("welcome {} {} last {}", it.username, it.flags, it.last_reference.0)
        }
        ServerFrame::Entered(it) => format!("entered {} {} of {}", it.room, it.flags, it.members),
        ServerFrame::Entry(it) => {
            format!("{}:{} {}: {} ({})", it.sequence, it.room, it.username, it.text, it.flags)
        }
        ServerFrame::DirectEntry(it) => {
            format!("{}:{}>{}: {} ({})", it.sequence, it.from, it.to, it.text, it.flags)
        }
        ServerFrame::End(it) => format!("end {} {} {}", it.about, it.head, it.flags),
        ServerFrame::Left(it) => format!("left {}", it.room),
        ServerFrame::Roster(it) => {
            format!("roster {} {} {} {:?}", it.room, it.flags, it.members, it.names)
        }
        ServerFrame::Presence(it) => {
            format!(
                "presence {} {} {} +{:?} -{:?}",
                it.room, it.flags, it.members, it.joined, it.left
            )
        }
        ServerFrame::Accepted(it) => format!("accepted {}", it.reference.0),
        ServerFrame::Notice(it) => format!("notice {}", it.code),
        ServerFrame::Error(Error { code, about, reference, .. }) => {
            let name = ErrorCode::from_number(*code).unwrap().name();
            format!("{name} {about} {}", reference.0)
        }
        ServerFrame::Done(it) => format!("done {} {}", it.about, it.affected),
        ServerFrame::Removed(it) => {
            format!("removed {}:{} by {:?} {:?}", it.sequence, it.room, it.by, it.reason)
        }
        ServerFrame::TopicChanged(it) => format!("topic {} {:?} by {:?}", it.room, it.text, it.by),
        ServerFrame::RoomModes(it) => format!("modes {} {} {}", it.room, it.slow, it.moderated),
        ServerFrame::RoleChanged(it) => {
            format!("role {:?} {} {}", it.room, it.username, it.role)
        }
        ServerFrame::SanctionsList(it) => {
            let items = it.items.iter().map(|it| format!("{}:{:?}", it.kind, it.username));
            format!("sanctions {:?} last {}", items.collect::<Vec<_>>(), it.last)
        }
        ServerFrame::Rooms(it) => {
            let items =
                it.items.iter().map(|it| format!("{} {} {:?}", it.name, it.members, it.topic));
            format!("rooms {:?} last {}", items.collect::<Vec<_>>(), it.last)
        }
        ServerFrame::ReadMark(it) => format!("read {} {}", it.room, it.sequence.0),
        ServerFrame::Sanctioned(it) => {
            format!("sanctioned {} {:?} by {:?} {:?}", it.action, it.room, it.by, it.reason)
        }
    }
}
