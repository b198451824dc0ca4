//! Handshake: `hello` and `join` (`docs/protocol/tcp.md`, sections 4 to 6).

use std::collections::HashSet;
use std::time::Duration;

use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use super::Hub;
use super::connection::{Connection, ConnectionState, PendingRead, WelcomeData};
use super::contract::{ConnectionId, Now, Quota, ReadPurpose, ReadRange, ReadRequest};
use super::session_persistence::hash_token;
use super::throttle::QUOTA_RETRY_AFTER;
use crate::model::limits::{HISTORY_LENGTH, MAX_ROOMS, REPLAY_PAGE};
use crate::model::{
    AddressGroup, ErrorCode, Moment, Position, Reference, RoomName, Sequence, SessionId, Token,
    Username,
};
use crate::wire::tcp::{Error, Hello, Join, MAGIC, ServerHello, VERSION, feature, flag, kind};

/// `join` that passed all checks.
struct ValidatedJoin {
    /// Username to join with.
    username: Username,
    /// Rooms to join, without duplicates, in the order of the `join`.
    rooms: Vec<RoomName>,
    /// Session to resume, and its token; `None`: a new session.
    resumed: Option<(SessionId, Token)>,
}

/// Refusal of a `join`.
struct JoinRefusal {
    /// Error code.
    code: ErrorCode,
    /// Time for which the name, or the name that it looks like, still waits for its session. `None`
    /// if the refusal has another reason, or if that session is connected.
    name_waits: Option<Duration>,
}

impl From<ErrorCode> for JoinRefusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, name_waits: None }
    }
}

impl JoinRefusal {
    /// Builds the error frame. If a name waits, the frame's text and `retry_after` say for how
    /// long.
    fn to_error(&self) -> Error {
        let error = Error::about(self.code, kind::JOIN, Reference::NONE);
        let Some(wait) = self.name_waits else {
            return error;
        };
        let retry_after = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1);
        let text = format!(
            "{} They have just lost their connection: if they do not come back, the name is free \
             in {} s.",
            error.text,
            retry_after.div_ceil(1_000)
        );
        Error { retry_after, text, ..error }
    }
}

impl Hub {
    /// Handles `hello`: negotiates version and features and answers with `server_hello`, or closes
    /// the connection with an error. If there is no common version, sends both.
    pub(super) fn handle_hello(&mut self, now: Now, id: ConnectionId, hello: &Hello) {
        if hello.magic != MAGIC {
            return self.close_with_code(now, id, ErrorCode::NotPiChat);
        }
        if hello.min_version > hello.max_version {
            let error = Error::about(ErrorCode::Malformed, kind::HELLO, Reference::NONE);
            return self.close_with_error(now, id, error);
        }
        let in_common = (hello.min_version..=hello.max_version).contains(&VERSION);
        let provided = feature::PRESENCE | feature::SEARCH | feature::RESUME;
        let features = hello.features & provided;
        let answer = ServerHello {
            version: if in_common { VERSION } else { 0 },
            min_version: VERSION,
            max_version: VERSION,
            features: if in_common { features } else { 0 },
            server_program: "chat-server".to_owned(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.send_frame(id, answer);
        if !in_common {
            let error = Error::about(ErrorCode::VersionUnsupported, kind::HELLO, Reference::NONE);
            return self.close_with_error(now, id, error);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.accept_hello(features);
        }
    }

    /// Handles `join`: accepts it and starts to read history or missed entries, or sends an error.
    /// Closes the connection after the last permitted attempt, or if a quota for `join`s or wrong
    /// passwords is used up.
    pub(super) fn handle_join(&mut self, now: Now, id: ConnectionId, join: &Join) {
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        let about = (kind::JOIN, Reference::NONE);
        if !self.quotas.take_join(group, now.moment) {
            return self.close_for_quota(now, id, Quota::Joins, about, QUOTA_RETRY_AFTER);
        }
        if self.settings.password.is_some()
            && join.password.is_some()
            && let Some(pause) = self.quotas.password_pause(group, now.moment)
        {
            return self.close_for_quota(now, id, Quota::Passwords, about, pause);
        }
        match self.check_join(now.moment, group, join) {
            Ok(valid) => {
                self.quotas.clear_password_failures(group, now.moment);
                self.accept_join(now, id, valid, join.position);
            }
            Err(refusal) => {
                let code = refusal.code;
                self.report_room_refusal(group, code);
                if code == ErrorCode::PasswordWrong {
                    self.quotas.record_password_failure(group, now.moment);
                }
                self.send_frame(id, refusal.to_error());
                let may_try_again = self
                    .connections
                    .get_mut(&id)
                    .is_some_and(|it| it.count_refused_join(now.moment));
                if !may_try_again {
                    let code = ErrorCode::TooManyAttempts;
                    self.close_with_error(now, id, Error::about(code, kind::JOIN, Reference::NONE));
                }
            }
        }
    }

    /// Validates a `join` in the order of `docs/protocol/tcp.md`, section 5: password, username,
    /// rooms, token, availability of the name. An unknown or expired token is no error: a new
    /// session starts. Changes nothing.
    fn check_join(
        &self,
        now: Moment,
        group: AddressGroup,
        join: &Join,
    ) -> Result<ValidatedJoin, JoinRefusal> {
        if let Some(password) = &self.settings.password {
            let given = join.password.as_ref().ok_or(ErrorCode::PasswordRequired)?;
            if !are_equal_passwords(given, password) {
                return Err(ErrorCode::PasswordWrong.into());
            }
        }
        let username = Username::new(&join.username).map_err(|_| ErrorCode::NameInvalid)?;
        let rooms = parse_rooms(&join.rooms)?;
        if rooms.len() > usize::from(MAX_ROOMS) {
            return Err(ErrorCode::TooManyRooms.into());
        }
        if !self.may_open(group, &rooms) {
            return Err(ErrorCode::RoomsFull.into());
        }
        let resumed = join.token.and_then(|token| {
            Some((self.sessions.find_by_token(&hash_token(&token), now)?, token))
        });
        let own = resumed.map(|(session, _)| session);
        self.names.check_available(&username, own).map_err(|conflict| JoinRefusal {
            code: conflict.code,
            name_waits: self.waiting_names.remaining(conflict.holder, now),
        })?;
        Ok(ValidatedJoin { username, rooms, resumed })
    }

    /// Accepts a `join`: attaches the connection to its new or resumed session, name and rooms, and
    /// persists the session. For a new session, first evicts another one if there are too many.
    /// Starts to read history or missed entries; `send_replay_page` continues.
    fn accept_join(
        &mut self,
        now: Now,
        id: ConnectionId,
        join: ValidatedJoin,
        position: Option<Position>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let group = connection.group;
        let Some(fresh) = connection.token.take() else {
            return;
        };
        let ValidatedJoin { username, rooms, resumed } = join;
        connection.has_token = resumed.is_some();
        let (session, token) = resumed.unwrap_or((self.next_session, fresh));
        if resumed.is_none() {
            self.evict_session_if_full(self.settings.max_sessions);
            self.next_session = SessionId(session.0.saturating_add(1));
            self.sessions.create(session, hash_token(&token), username.clone());
        }
        let names = self.attach_session(now.moment, (id, group), session, username, &rooms);
        self.limit_names(group);
        self.persist_session(session);

        let position = position.filter(|it| self.can_replay_from(*it));
        let range = position.map_or(ReadRange::Latest(HISTORY_LENGTH), |it| {
            ReadRange::After(it.sequence, REPLAY_PAGE)
        });
        let session_flag = if resumed.is_some() { flag::SESSION_KEPT } else { 0 };
        let position_flag = if position.is_some() { flag::POSITION_KEPT } else { 0 };
        let durable_flag = if self.settings.is_durable { flag::DURABLE } else { 0 };
        let welcome =
            Some(WelcomeData { token, flags: session_flag | position_flag | durable_flag });
        // Direct messages may be sent to a new session while the read is pending. They belong to
        // its history.
        let request = ReadRequest { rooms: names, session: Some(session), range };
        let read = PendingRead::new(ReadPurpose::Join, request);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.state =
                ConnectionState::Joining { session, read, welcome, is_paused: false };
        }
        self.queue_read(id, ReadPurpose::Join);
    }

    /// Returns true if a replay can start at this position. The position must be in this log, not
    /// after the hub's head, and not in a sequence gap.
    fn can_replay_from(&self, position: Position) -> bool {
        let Position { log_id, sequence } = position;
        let is_in_gap = |(from, to): &(Sequence, Sequence)| *from < sequence && sequence <= *to;
        log_id == self.log_id && sequence <= self.head && !self.sequence_gaps.iter().any(is_in_gap)
    }

    /// If there are `max` sessions or more, evicts a session that is away, proposes its deletion,
    /// and returns true. If the session's address group is known, also reports the quota of
    /// sessions. Returns false if there are fewer sessions, or if none is away.
    pub(super) fn evict_session_if_full(&mut self, max: usize) -> bool {
        let Some((session, group)) = self.sessions.evict_if_full(max) else {
            return false;
        };
        self.delete_session(session);
        if let Some(group) = group {
            self.report_quota(group, Quota::Sessions);
        }
        true
    }

    /// Attaches a session to this connection, with this name and these rooms. Releases the previous
    /// name and rooms. If the session is connected, closes that connection with error `replaced`.
    /// Returns the canonical names of the new rooms.
    ///
    /// If the session stays in a room and its username keeps its spelling, records no presence
    /// change there.
    fn attach_session(
        &mut self,
        now: Moment,
        (id, group): (ConnectionId, AddressGroup),
        session: SessionId,
        username: Username,
        rooms: &[RoomName],
    ) -> Vec<RoomName> {
        let Some(known) = self.sessions.get_mut(session) else {
            return Vec::new();
        };
        let old_name = known.username.clone();
        if let Some(old) = known.connection {
            self.close_replaced_connection(now, old);
        }
        let old_rooms = self
            .sessions
            .get_mut(session)
            .map(|it| std::mem::take(&mut it.rooms))
            .unwrap_or_default();
        let new_rooms: Vec<_> =
            rooms.iter().map(|name| self.find_or_open_room(name, group, now)).collect();
        let same_name = old_name.as_str() == username.as_str();
        for room in &old_rooms {
            if !same_name || !new_rooms.contains(room) {
                self.rooms.remove_member(*room, &old_name, now);
            }
        }
        for room in &new_rooms {
            self.rooms.add_member(*room, &username, now);
        }
        for room in old_rooms {
            self.close_if_empty(room, now);
        }
        self.waiting_names.remove(session);
        self.names.release(&old_name, session);
        self.names.claim(&username, session);
        let names = new_rooms
            .iter()
            .filter_map(|room| self.rooms.get(*room))
            .map(|room| room.name.clone())
            .collect();
        let comes_back = self.connections.get(&id).is_some_and(Connection::comes_back);
        self.sessions.connect(session, (id, group), comes_back, username, new_rooms);
        names
    }
}

/// Returns true if two passwords are equal in Unicode's normalization form NFC. Keyboards and
/// systems differ in the form that they send. The comparison takes the same time wherever the
/// passwords differ.
fn are_equal_passwords(given: &str, expected: &str) -> bool {
    let normalized = |password: &str| password.nfc().collect::<String>();
    normalized(given).as_bytes().ct_eq(normalized(expected).as_bytes()).into()
}

/// Parses the room names of a `join`. Drops duplicates. Returns the lobby for an empty list.
///
/// # Errors
/// [`ErrorCode::RoomInvalid`] if a name is not valid.
fn parse_rooms(raw: &[String]) -> Result<Vec<RoomName>, ErrorCode> {
    if raw.is_empty() {
        return Ok(vec![RoomName::lobby()]);
    }
    let mut seen = HashSet::new();
    let mut rooms = Vec::new();
    for name in raw {
        let room = RoomName::new(name).map_err(|_| ErrorCode::RoomInvalid)?;
        if seen.insert(room.clone()) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}
