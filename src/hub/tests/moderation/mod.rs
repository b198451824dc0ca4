//! Tests of moderation: what moderators and the owner ask for, and what users see of it.

mod devices;
mod expiry;
mod identity;
mod lists;
mod read_marks;
mod removals;
mod requests;
mod sending_out;
mod settings;
mod speech;

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, OwnerRequestId};
use crate::model::{
    ErrorCode, ModerationRequest, Reason, Reference, Role, RoomName, Scope, Sequence, SessionId,
    UserSelector, Username,
};
use crate::wire::tcp::{
    AnnounceRequest, ClientFrame, Directory, Error, Moderate, Remove, RoleRequest,
    SanctionsRequest, ServerFrame, TopicRequest, action, feature,
};

/// Features of a client that is told about moderation in frames.
const EVENTS: u64 = feature::EVENTS;

/// Returns a room as a scope; empty: the server.
fn scope(room: &str) -> Scope {
    if room.is_empty() { Scope::Server } else { Scope::Room(RoomName::new(room).unwrap()) }
}

/// Returns the selector of whoever holds a name.
fn user(name: &str) -> UserSelector {
    UserSelector { username: Username::new(name).unwrap(), session: None }
}

/// Builds a `moderate` without session, length, flags and reason.
fn moderate(reference: u64, action: u8, room: &str, username: &str) -> Moderate {
    Moderate {
        reference: Reference(reference),
        action,
        room: room.to_owned(),
        username: username.to_owned(),
        session: SessionId(0),
        seconds: 0,
        flags: 0,
        reason: String::new(),
    }
}

/// Builds a `topic`.
fn topic(reference: u64, room: &str, text: &str) -> TopicRequest {
    let (room, text) = (room.to_owned(), text.to_owned());
    TopicRequest { reference: Reference(reference), room, text }
}

/// Builds a `remove` with this reason.
fn remove(reference: u64, room: &str, sequence: u64, reason: &str) -> Remove {
    let (room, reason) = (room.to_owned(), reason.to_owned());
    Remove { reference: Reference(reference), room, sequence: Sequence(sequence), reason }
}

/// Builds a `role`.
fn role(reference: u64, room: &str, username: &str, role: u8) -> RoleRequest {
    let (room, username) = (room.to_owned(), username.to_owned());
    RoleRequest { reference: Reference(reference), room, username, session: SessionId(0), role }
}

/// Builds an `announce`.
fn announce(reference: u64, room: &str, text: &str) -> AnnounceRequest {
    let (room, text) = (room.to_owned(), text.to_owned());
    AnnounceRequest { reference: Reference(reference), room, text }
}

impl Harness {
    /// Makes a request of the command line, and returns its answer. Panics if there is none yet.
    pub(in super::super) fn owner(&mut self, request: ModerationRequest) -> Result<u32, ErrorCode> {
        self.owner_answers.clear();
        self.input(Input::Moderate { id: OwnerRequestId(7), request });
        let (7, answer) = self.owner_answers.pop().expect("an answer") else { panic!() };
        assert!(self.owner_answers.is_empty());
        answer
    }

    /// Gives a role to a user, as the command line does.
    fn promote(&mut self, room: &str, name: &str, role: Role) {
        let (scope, user) = (scope(room), user(name));
        let request = ModerationRequest::SetRole { scope, user, role: Some(role) };
        assert_eq!(self.owner(request), Ok(1));
    }

    /// Bans a user for this number of seconds, 0 without end, as the command line does. Returns the
    /// number of users who were sent out.
    fn ban(&mut self, room: &str, name: &str, seconds: u32) -> u32 {
        self.owner(ModerationRequest::Ban {
            scope: scope(room),
            user: user(name),
            length: crate::model::SanctionLength::from_seconds(seconds).unwrap(),
            by_address: false,
            is_dry_run: false,
            reason: Some(Reason::new("spam").unwrap()),
        })
        .unwrap()
    }

    /// Connects a client with these features, and joins. Discards what it has received.
    fn join_with(&mut self, features: u64, name: &str, rooms: &[&str]) -> ConnectionId {
        let connection = self.connect_and_greet(features);
        self.send(connection, join(name, rooms));
        welcome(&self.take_received(connection));
        connection
    }

    /// Sends a frame, and returns the summaries of what the client has received since.
    fn ask(&mut self, connection: ConnectionId, frame: impl Into<ClientFrame>) -> Vec<String> {
        self.take_received(connection);
        self.send(connection, frame);
        self.take_summaries(connection)
    }

    /// Returns the only error that a client has received since.
    fn take_error(&mut self, connection: ConnectionId) -> Error {
        let received = self.take_received(connection);
        let mut errors = received.iter().filter_map(|it| match it {
            ClientEvent::Frame(ServerFrame::Error(error)) => Some(error.clone()),
            _ => None,
        });
        let error = errors.next().unwrap_or_else(|| panic!("no error in {received:?}"));
        assert!(errors.next().is_none(), "{received:?}");
        error
    }

    /// Asserts that the fold of the hub equals that of the log, byte by byte.
    fn check_fold(&self) {
        assert_eq!(self.hub.moderation().encode(), self.moderation.encode());
    }
}

/// Returns a harness with `mod`, a moderator of the lobby, and `bob`, both with `events`; and their
/// connections. The moderator has no reference yet.
fn lobby() -> (Harness, ConnectionId, ConnectionId) {
    let mut harness = Harness::new();
    let moderator = harness.join_with(EVENTS, "mod", &[]);
    let bob = harness.join_with(EVENTS, "bob", &[]);
    harness.promote("lobby", "mod", Role::Moderator);
    harness.take_received(moderator);
    harness.take_received(bob);
    (harness, moderator, bob)
}
