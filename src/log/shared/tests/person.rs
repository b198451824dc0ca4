//! Person of the simulation: a minimal client, which comes back after each lost connection.

use std::collections::{BTreeMap, BTreeSet};

use super::server::{LOG, Received};
use crate::hub::ConnectionId;
use crate::model::{
    ErrorCode, ModerationRequest, Position, Reference, RoomName, SanctionKind, SanctionLength,
    Scope, Sequence, SessionId, Token, UserSelector, Username,
};
use crate::wire::tcp::{
    ClientFrame, Enter, Hello, Join, Leave, MAGIC, Pong, Say, ServerFrame, feature, flag,
};

/// Person with a client.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// Name that the person wants; changed when it is taken.
    name: String,
    /// Number of names that were taken.
    refusals: usize,
    /// Token of the session.
    token: Option<Token>,
    /// Session.
    pub(super) session: Option<SessionId>,
    /// True if a message of the session is stored.
    has_stored: bool,
    /// Last sequence that was received.
    position: Option<Sequence>,
    /// Messages that were not acknowledged, by reference.
    pub(super) unsent: BTreeMap<Reference, String>,
    /// Those of them that were refused, because the person was muted.
    refused: BTreeSet<Reference>,
    /// Reference of the last message.
    last: u64,
    /// Sequences and texts of the lobby's messages, as received.
    pub(super) received: Vec<(Sequence, String)>,
    /// Name of the other room that the person has entered, as the server has spelled it.
    garden: Option<String>,
    /// Server and connection.
    pub(super) connection: Option<(usize, ConnectionId)>,
    /// True if the server has let the person in.
    pub(super) is_in: bool,
}

impl Person {
    /// Creates a person who wants a name.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Returns the frames with which the person comes in.
    pub(super) fn greet(&self) -> Vec<ClientFrame> {
        let hello = Hello {
            magic: MAGIC,
            min_version: 1,
            max_version: 1,
            features: if self.name.starts_with('e') { 0 } else { feature::RESUME }
                | feature::PRESENCE,
            client_name: String::new(),
            client_version: String::new(),
        };
        let position = self.position.map(|sequence| Position { log_id: LOG, sequence });
        let join = Join {
            username: self.name.clone(),
            password: None,
            rooms: Vec::new(),
            token: self.token,
            position: position.filter(|_| self.token.is_some()),
            proof: None,
            invite: None,
        };
        vec![hello.into(), join.into()]
    }

    /// Returns the frame of a new message in the lobby.
    pub(super) fn say(&mut self) -> Option<ClientFrame> {
        self.last += 1;
        let text = format!("{} of {}", self.last, self.name);
        self.unsent.insert(Reference(self.last), text.clone());
        self.is_in.then(|| say(Reference(self.last), text))
    }

    /// Returns the frame of a message in the other room, if the person is there. Nobody cares whether
    /// it arrives.
    pub(super) fn say_in_garden(&mut self) -> Option<ClientFrame> {
        let room = self.garden.clone().filter(|_| self.is_in)?;
        self.last += 1;
        let (reference, text) = (Reference(self.last), format!("{} outside", self.last));
        Some(Say { reference, room, style: 0, text }.into())
    }

    /// Returns the frames of the messages that were refused, to send them again.
    pub(super) fn say_again(&mut self) -> Vec<ClientFrame> {
        if !self.is_in {
            return Vec::new();
        }
        let refused = std::mem::take(&mut self.refused).into_iter();
        refused.filter_map(|it| Some(say(it, self.unsent.get(&it)?.clone()))).collect()
    }

    /// Returns a request of the owner about the person: 0 mutes them for some seconds, 1 lets them
    /// speak again, 2 sends them out of a room.
    pub(super) fn moderation(&self, number: usize) -> Option<ModerationRequest> {
        let username = Username::new(&self.name).ok()?;
        let user = UserSelector { username: username.clone(), session: None };
        let (scope, reason) = (Scope::Server, None);
        Some(match number {
            0 => {
                let length = SanctionLength::from_seconds(3).ok()?;
                ModerationRequest::Mute { scope, user, length, reason }
            }
            1 => ModerationRequest::EndSanction { kind: SanctionKind::Mute, scope, username },
            _ => {
                let scope = Scope::Room(RoomName::new("garden").ok()?);
                ModerationRequest::Kick { scope, user, reason }
            }
        })
    }

    /// Returns a request to enter or to leave a room.
    pub(super) fn change_room(&self, room: &str, enters: bool) -> Option<ClientFrame> {
        let (reference, room) = (Reference(1), room.to_owned());
        self.is_in.then(|| {
            if enters { Enter { reference, room }.into() } else { Leave { reference, room }.into() }
        })
    }

    /// Handles what the client has received. Returns the frames that it sends. The person has no
    /// connection any more if it was closed.
    pub(super) fn handle(&mut self, received: Received) -> Vec<ClientFrame> {
        match received {
            Received::Closed => self.lose_connection(),
            Received::Frame(ServerFrame::Entered(entered)) if entered.room != "lobby" => {
                self.garden = Some(entered.room);
            }
            Received::Frame(ServerFrame::Left(_)) => self.garden = None,
            Received::Frame(ServerFrame::Welcome(welcome)) => {
                let is_kept = welcome.flags & flag::SESSION_KEPT != 0;
                // A hub may end before it has stored a session, and so before any message of that.
                assert!(is_kept || !self.has_stored, "a session with messages is lost");
                if self.token.is_some() && self.position.is_some() {
                    assert!(welcome.flags & flag::POSITION_KEPT != 0, "the position is lost");
                }
                (self.token, self.session) = (Some(welcome.token), Some(welcome.session));
                self.is_in = true;
                let unsent = self.unsent.iter();
                return unsent.map(|(reference, text)| say(*reference, text.clone())).collect();
            }
            Received::Frame(ServerFrame::Entry(entry)) => {
                if Some(entry.session) == self.session {
                    self.unsent.remove(&entry.reference);
                    self.refused.remove(&entry.reference);
                    self.has_stored = true;
                }
                if entry.room != "lobby" {
                    assert_eq!(Some(&entry.room), self.garden.as_ref(), "another spelling");
                } else {
                    let last = self.received.last().map(|it| it.0);
                    assert!(last < Some(entry.sequence), "{}: {entry:?} after {last:?}", self.name);
                    self.received.push((entry.sequence, entry.text));
                    self.position = Some(entry.sequence);
                }
            }
            Received::Frame(ServerFrame::Accepted(accepted)) => {
                self.unsent.remove(&accepted.reference);
            }
            Received::Frame(ServerFrame::Error(error))
                if error.code == ErrorCode::NameTaken.number() =>
            {
                // A name that waits is free after some time; somebody else's is not.
                self.refusals += 1;
                if self.refusals.is_multiple_of(3) {
                    self.name = format!("{}{}", self.name, self.refusals);
                }
                self.connection = None;
            }
            Received::Frame(ServerFrame::Error(error))
                if error.code == ErrorCode::Muted.number() =>
            {
                self.refused.insert(error.reference);
            }
            Received::Frame(ServerFrame::Ping(ping)) => {
                return vec![Pong { token: ping.token }.into()];
            }
            Received::Frame(_) => {}
        }
        Vec::new()
    }

    /// Notes that the connection is lost.
    pub(super) fn lose_connection(&mut self) {
        (self.connection, self.garden, self.is_in) = (None, None, false);
    }
}

/// Builds a message in the lobby.
fn say(reference: Reference, text: String) -> ClientFrame {
    Say { reference, room: "lobby".to_owned(), style: 0, text }.into()
}
