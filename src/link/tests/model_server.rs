//! Minimal model of a server with one client, for the tests of the link. It follows
//! `docs/protocol/tcp.md`.

use crate::model::{
    ErrorCode, LogId, NameKey, Position, Reference, Sequence, SessionId, Timestamp, Token,
};
use crate::wire::tcp::{
    Accepted, ClientFrame, Direct, DirectEntry, End, Entered, Entry, Error, History, Join, Left,
    MarkRead, Pong, Proof, Search, ServerFrame, ServerHello, Welcome, flag,
};

/// Session number of the author of the messages of [`ModelServer::other_says`].
const OTHER_SESSION: SessionId = SessionId(1_000_000);

/// Session of the model server.
struct Session {
    /// Public number.
    id: SessionId,
    /// Secret token.
    token: Token,
    /// Greatest message reference taken.
    last_reference: Reference,
}

/// Model server.
pub(super) struct ModelServer {
    /// Id of the log.
    log_id: LogId,
    /// Entries of all rooms.
    log: Vec<Entry>,
    /// Number of direct messages to the client. Each takes a sequence of the log, but is not kept.
    directs: u64,
    /// Sessions that have not expired.
    sessions: Vec<Session>,
    /// Last session number given out; before the first session, the number of the log.
    last_session_number: u8,
    /// Session of the connected client; `None` if no client is connected.
    connected_session: Option<SessionId>,
    /// Rooms that the client is or was last in.
    rooms: Vec<String>,
    /// Password that joins must include; `None` if none is required.
    pub(super) password: Option<&'static str>,
    /// Username that somebody else has; `None` if all are free.
    pub(super) taken_name: Option<&'static str>,
    /// Features granted in `server_hello`.
    pub(super) features: u64,
    /// Error with which searches are answered; `None` to answer with results.
    pub(super) search_error: Option<ErrorCode>,
    /// True if searches ignore the requested limit.
    pub(super) ignores_limits: bool,
    /// Password of each join received, in order.
    pub(super) joins: Vec<Option<String>>,
    /// Code that joins without a known token must include; `None` if none is required.
    pub(super) invite: Option<&'static str>,
    /// Username that the invitation is for; `None` if it is for any.
    pub(super) invited_name: Option<&'static str>,
    /// True if joins with a code are refused: it was used up.
    pub(super) refuses_invites: bool,
    /// Proof and code of each join received, in order.
    pub(super) credentials: Vec<(Option<Proof>, Option<String>)>,
    /// Direct messages received. The server neither answers nor logs them.
    pub(super) received_directs: Vec<Direct>,
    /// Room from which the user is banned, as its key; `None` if there is none.
    pub(super) banned_room: Option<&'static str>,
    /// Read marks received.
    pub(super) received_marks: Vec<MarkRead>,
    /// Requests about moderation received. The server does not answer them.
    pub(super) received_moderation: Vec<ClientFrame>,
}

impl ModelServer {
    /// Creates a server with an empty log.
    pub(super) fn new() -> Self {
        Self::with_log(1)
    }

    /// Creates a server with an empty log. Each byte of the log id is `number`. The first session
    /// gets the session number `number + 1`.
    pub(super) fn with_log(number: u8) -> Self {
        Self {
            log_id: LogId([number; 16]),
            log: Vec::new(),
            directs: 0,
            sessions: Vec::new(),
            last_session_number: number,
            connected_session: None,
            rooms: Vec::new(),
            password: None,
            taken_name: None,
            banned_room: None,
            joins: Vec::new(),
            invite: None,
            invited_name: None,
            refuses_invites: false,
            credentials: Vec::new(),
            received_directs: Vec::new(),
            received_marks: Vec::new(),
            received_moderation: Vec::new(),
            features: 0,
            search_error: None,
            ignores_limits: false,
        }
    }

    /// Returns sequence and text of all entries of a room.
    pub(super) fn texts(&self, room: &str) -> Vec<(u64, String)> {
        let of_room = self.log.iter().filter(|it| it.room == room);
        of_room.map(|it| (it.sequence.0, it.text.clone())).collect()
    }

    /// Returns the rooms that the client is or was last in.
    pub(super) fn rooms(&self) -> Vec<String> {
        self.rooms.clone()
    }

    /// Records that the client's connection has ended.
    pub(super) fn disconnect(&mut self) {
        self.connected_session = None;
    }

    /// Removes all sessions except that of the connected client.
    pub(super) fn expire_disconnected_sessions(&mut self) {
        self.sessions.retain(|it| Some(it.id) == self.connected_session);
    }

    /// Appends an entry with the next sequence to the log. Returns the entry.
    fn append(
        &mut self,
        room: &str,
        session: SessionId,
        reference: Reference,
        text: &str,
    ) -> Entry {
        let before = self.log.iter().rev().find(|it| it.room == room);
        let entry = Entry {
            person: SessionId(0),
            flags: 0,
            sequence: self.head().next(),
            previous: before.map_or(Sequence::ZERO, |it| it.sequence),
            room: room.to_owned(),
            session,
            username: "x".to_owned(),
            time: Timestamp(0),
            reference,
            style: 0,
            text: text.to_owned(),
        };
        self.log.push(entry.clone());
        entry
    }

    /// Returns the last sequence that an entry or a direct message has taken.
    fn head(&self) -> Sequence {
        Sequence(self.log.len() as u64 + self.directs)
    }

    /// Appends a message of another user, with the text `other ` and the number of entries before
    /// it. Returns its frame for the client; `None` if the client is not in the room.
    pub(super) fn other_says(&mut self, room: &str) -> Option<ServerFrame> {
        let text = format!("other {}", self.log.len());
        let entry = self.append(room, OTHER_SESSION, Reference(1), &text);
        let is_here = self.connected_session.is_some() && self.rooms.iter().any(|it| it == room);
        is_here.then(|| entry.into())
    }

    /// Appends a message of another user with this session number and reference. The client
    /// receives it only later, in a replay or answer.
    pub(super) fn other_session_says(&mut self, room: &str, session: SessionId, reference: u64) {
        self.append(room, session, Reference(reference), "a stranger's");
    }

    /// Gives a direct message of another user to the client the next sequence of the log. Returns
    /// its frame; `None` if no client is connected; the sequence is used nevertheless. `from`,
    /// `session`: name and session number of the sender.
    pub(super) fn other_sends_direct(&mut self, from: &str, session: u64) -> Option<ServerFrame> {
        self.directs += 1;
        Some(
            DirectEntry {
                from_person: SessionId(0),
                flags: 0,
                sequence: self.head(),
                from_session: SessionId(session),
                from: from.to_owned(),
                to_session: self.connected_session?,
                to: "anna".to_owned(),
                time: Timestamp(0),
                reference: Reference(1),
                style: 0,
                text: "psst".to_owned(),
            }
            .into(),
        )
    }

    /// Handles a frame of the client and returns the answers. Panics on `members`, and on a `say`,
    /// `enter` or `leave` with reference 0.
    pub(super) fn handle(&mut self, frame: ClientFrame) -> Vec<ServerFrame> {
        match frame {
            ClientFrame::Hello(_) => vec![
                ServerHello {
                    version: 1,
                    min_version: 1,
                    max_version: 1,
                    features: self.features,
                    server_program: "model".to_owned(),
                    server_version: "1".to_owned(),
                    challenge: [0; 32],
                    server_key: [0; 32],
                }
                .into(),
            ],
            ClientFrame::Join(join) => self.join(join),
            ClientFrame::Say(say) => {
                assert_ne!(say.reference, Reference::NONE);
                let Some(id) = self.connected_session else {
                    return vec![];
                };
                let session = self.sessions.iter_mut().find(|it| it.id == id).unwrap();
                if say.reference <= session.last_reference {
                    return vec![Accepted { reference: say.reference }.into()];
                }
                if !self.rooms.contains(&say.room) {
                    return vec![Error::about(ErrorCode::NotInRoom, 3, say.reference).into()];
                }
                session.last_reference = say.reference;
                vec![self.append(&say.room, id, say.reference, &say.text).into()]
            }
            ClientFrame::Enter(enter) => {
                assert_ne!(enter.reference, Reference::NONE);
                self.rooms.push(enter.room.clone());
                let mut out = vec![entered(&enter.room, enter.reference)];
                out.extend(self.latest(&enter.room));
                out.push(self.end(5, enter.reference));
                out
            }
            ClientFrame::Leave(leave) => {
                assert_ne!(leave.reference, Reference::NONE);
                self.rooms.retain(|it| *it != leave.room);
                vec![Left { reference: leave.reference, room: leave.room }.into()]
            }
            ClientFrame::Ping(ping) => vec![Pong { token: ping.token }.into()],
            ClientFrame::Pong(_) => vec![],
            ClientFrame::Direct(direct) => {
                self.received_directs.push(direct);
                vec![]
            }
            ClientFrame::History(history) => self.history(&history),
            ClientFrame::Search(search) => self.search(&search),
            ClientFrame::Topic(_)
            | ClientFrame::Remove(_)
            | ClientFrame::Moderate(_)
            | ClientFrame::Sanctions(_)
            | ClientFrame::Directory(_)
            | ClientFrame::Announce(_)
            | ClientFrame::Role(_)
            | ClientFrame::Claim(_) => {
                self.received_moderation.push(frame);
                vec![]
            }
            ClientFrame::MarkRead(mark) => {
                self.received_marks.push(mark);
                vec![]
            }
            ClientFrame::Members(_) | ClientFrame::Replicate(_) | ClientFrame::Replicated(_) => {
                panic!("this test asks for nothing of the kind")
            }
        }
    }

    /// Answers `history`.
    fn history(&self, asked: &History) -> Vec<ServerFrame> {
        let fits = |it: &&Entry| it.room == asked.room && it.sequence < asked.before;
        let all: Vec<_> = self.log.iter().filter(fits).collect();
        self.page(7, asked.reference, &all, asked.limit)
    }

    /// Answers `search` in all rooms. Only `text`, as a substring, `before` and `limit` count.
    fn search(&self, asked: &Search) -> Vec<ServerFrame> {
        if let Some(code) = self.search_error {
            return vec![Error::about(code, 11, asked.reference).into()];
        }
        let is_before = |it: &Entry| asked.before.0 == 0 || it.sequence < asked.before;
        let fits = |it: &&Entry| it.text.contains(&asked.text) && is_before(it);
        let all: Vec<_> = self.log.iter().filter(fits).collect();
        let limit = if self.ignores_limits { u16::MAX } else { asked.limit };
        self.page(11, asked.reference, &all, limit)
    }

    /// Returns the last `limit` of these entries, marked as requested, and an `end`. The `end` has
    /// flag 1 if entries were left out.
    fn page(
        &self,
        about: u16,
        reference: Reference,
        all: &[&Entry],
        limit: u16,
    ) -> Vec<ServerFrame> {
        let skipped = all.len().saturating_sub(usize::from(limit));
        let flags = flag::HISTORY | flag::REQUESTED;
        let asked_for = |it: &&Entry| Entry { flags, ..(*it).clone() }.into();
        let mut out: Vec<ServerFrame> = all[skipped..].iter().map(asked_for).collect();
        out.push(End { about, reference, head: self.head(), flags: u8::from(skipped > 0) }.into());
        out
    }

    /// Answers `join`: with an error if password, username or invitation are refused. A known token
    /// resumes its session; a position of this log is accepted.
    fn join(&mut self, join: Join) -> Vec<ServerFrame> {
        self.joins.push(join.password.clone());
        self.credentials.push((join.proof.as_deref().cloned(), join.invite.clone()));
        if let Some(password) = self.password {
            match join.password {
                None => {
                    return vec![
                        Error::about(ErrorCode::PasswordRequired, 2, Reference::NONE).into(),
                    ];
                }
                Some(it) if it != password => {
                    return vec![Error::about(ErrorCode::PasswordWrong, 2, Reference::NONE).into()];
                }
                Some(_) => {}
            }
        }
        if self.taken_name.is_some_and(|it| NameKey::of(it) == NameKey::of(&join.username)) {
            return vec![Error::about(ErrorCode::NameTaken, 2, Reference::NONE).into()];
        }
        if let Some(name) = self.invited_name.filter(|it| **it != *join.username) {
            let text = format!("This invitation is for the name {name}.");
            let error = Error::about(ErrorCode::InviteInvalid, 2, Reference::NONE);
            return vec![Error { text, ..error }.into()];
        }
        let kept = self.sessions.iter().position(|it| Some(it.token) == join.token);
        if self.refuses_invites && join.invite.is_some() {
            return vec![Error::about(ErrorCode::InviteInvalid, 2, Reference::NONE).into()];
        }
        if kept.is_none() && self.invite.is_some() && join.invite.as_deref() != self.invite {
            let is_given = join.invite.is_some();
            let code = if is_given { ErrorCode::InviteInvalid } else { ErrorCode::InviteRequired };
            return vec![Error::about(code, 2, Reference::NONE).into()];
        }
        let at = kept.unwrap_or_else(|| {
            self.last_session_number += 1;
            self.sessions.push(Session {
                id: SessionId(self.last_session_number.into()),
                token: Token([self.last_session_number; 16]),
                last_reference: Reference::NONE,
            });
            self.sessions.len() - 1
        });
        let session = &self.sessions[at];
        self.connected_session = Some(session.id);
        self.rooms = if join.rooms.is_empty() { vec!["lobby".to_owned()] } else { join.rooms };
        let banned = self.banned_room.map(NameKey::of);
        self.rooms.retain(|it| Some(NameKey::of(it)) != banned);
        for room in &mut self.rooms {
            *room = room.to_lowercase();
        }
        let position = join.position.filter(|it| it.log_id == self.log_id);
        let welcome = Welcome {
            session: session.id,
            username: join.username,
            token: session.token,
            flags: u8::from(kept.is_some()) | u8::from(position.is_some()) << 1,
            last_reference: session.last_reference,
            log_id: self.log_id,
            time: Timestamp(0),
            server_name: "model".to_owned(),
            rooms: self.rooms.clone(),
            max_text: 4_096,
            max_rooms: 16,
            history_length: 10,
            ping_interval: 30,
            idle_timeout: 60,
            session_lifetime: 1,
            burst: 1,
            per_minute: 600,
            keep_days: 0,
            keep_messages: 0,
            keep_bytes: 0,
        };
        let mut out: Vec<ServerFrame> = vec![welcome.into()];
        out.extend(self.rooms.iter().map(|room| entered(room, Reference::NONE)));
        out.extend(self.replay(position));
        out.push(self.end(2, Reference::NONE));
        out
    }

    /// Returns the replay of a join: the entries after the position, or the recent history if there
    /// is no position. Direct messages are not replayed.
    fn replay(&self, position: Option<Position>) -> Vec<ServerFrame> {
        let Some(position) = position else {
            return self.rooms.iter().flat_map(|room| self.latest(room)).collect();
        };
        let missed = |it: &&Entry| it.sequence > position.sequence && self.rooms.contains(&it.room);
        self.log.iter().filter(missed).map(history).collect()
    }

    /// Returns the ten most recent entries of a room, marked as history.
    fn latest(&self, room: &str) -> Vec<ServerFrame> {
        let all: Vec<_> = self.log.iter().filter(|it| it.room == room).collect();
        all.iter().skip(all.len().saturating_sub(10)).map(|it| history(it)).collect()
    }

    /// Returns the `end` frame of an answer, without flags.
    fn end(&self, about: u16, reference: Reference) -> ServerFrame {
        End { about, reference, head: self.head(), flags: 0 }.into()
    }
}

/// Returns an entry as a frame marked as history.
fn history(entry: &Entry) -> ServerFrame {
    Entry { flags: flag::HISTORY, ..entry.clone() }.into()
}

/// Returns an `entered` frame that states one member.
fn entered(room: &str, reference: Reference) -> ServerFrame {
    Entered { reference, room: room.to_owned(), flags: 0, members: 1 }.into()
}
