//! Handshake: `hello` and `join` (`docs/protocol/tcp.md`, sections 4 to 6).

use std::collections::HashSet;
use std::time::Duration;

use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use super::Hub;
use super::admission::Newcomer;
use super::contract::{ConnectionId, Now, Quota};
use super::names::NameConflict;
use super::session_persistence::hash_token;
use super::throttle::QUOTA_RETRY_AFTER;
use super::waiting_names::WaitingNames;
use crate::model::limits::MAX_ROOMS;
use crate::model::{
    AddressGroup, ErrorCode, IdentityKey, InvitationHash, Moment, Reference, RoomName, SessionId,
    Token, Username,
};
use crate::wire::tcp::{Error, Hello, Join, MAGIC, ServerHello, VERSION, feature, kind};

/// `join` that passed all checks.
pub(super) struct ValidatedJoin {
    /// Username to join with.
    pub(super) username: Username,
    /// Rooms to join, without duplicates, in the order of the `join`.
    pub(super) rooms: Vec<RoomName>,
    /// Session to resume, and its token; `None`: a new session.
    pub(super) resumed: Option<(SessionId, Token)>,
    /// Token of a session that this hub does not know, if hubs share the log: another hub may have
    /// begun the session, and this one has not read that yet. When the `join` is committed, it has.
    pub(super) unknown_token: Option<Token>,
    /// Key that the client has proved; `None`: none.
    pub(super) key: Option<IdentityKey>,
    /// Invitation that the client has brought and may use.
    pub(super) invitation: Option<InvitationHash>,
    /// Number of the person who has claimed the name, if it is a session of theirs, or will be when
    /// its device is linked.
    pub(super) person: Option<SessionId>,
    /// Link code by which the client's device becomes one of the person's.
    pub(super) link_code: Option<InvitationHash>,
}

impl ValidatedJoin {
    /// Creates the `join` of a new session, of nobody who has claimed the name.
    const fn new(username: Username, rooms: Vec<RoomName>, key: Option<IdentityKey>) -> Self {
        let (resumed, unknown_token, invitation) = (None, None, None);
        let (person, link_code) = (None, None);
        Self { username, rooms, resumed, unknown_token, key, invitation, person, link_code }
    }

    /// Returns true if the `join` resumes this session.
    fn resumes(&self, session: SessionId) -> bool {
        self.resumed.is_some_and(|(it, _)| it == session)
    }
}

/// Refusal of a `join`.
pub(super) struct JoinRefusal {
    /// Error code.
    code: ErrorCode,
    /// Time for which the name, or the name that it looks like, still waits for its session. `None`
    /// if the refusal has another reason, or if that session is connected.
    name_waits: Option<Duration>,
    /// `retry_after` and text of a ban; `None` for another reason.
    ban: Option<(u32, String)>,
    /// Text that says more than that of the code.
    text: Option<String>,
}

impl From<ErrorCode> for JoinRefusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, name_waits: None, ban: None, text: None }
    }
}

impl JoinRefusal {
    /// Returns the refusal of a `join` whose name, or one that looks like it, another session has.
    pub(super) fn of_conflict(conflict: NameConflict, waiting: &WaitingNames, now: Moment) -> Self {
        let NameConflict { code, holder } = conflict;
        let name_waits = holder.and_then(|it| waiting.remaining(it, now));
        Self { code, name_waits, ban: None, text: None }
    }

    /// Returns a refusal whose text says more than that of the code.
    pub(super) fn with_text(code: ErrorCode, text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..code.into() }
    }

    /// Builds the error frame. If a name waits, the frame's text and `retry_after` say for how
    /// long.
    fn to_error(&self) -> Error {
        let error = Error::about(self.code, kind::JOIN, Reference::NONE);
        if let Some((retry_after, text)) = self.ban.clone() {
            return Error { retry_after, text, ..error };
        }
        if let Some(text) = self.text.clone() {
            return Error { text, ..error };
        }
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
        let context = self.connections.get(&id).and_then(|it| it.proof_context.as_deref());
        let tls = if self.settings.offers_tls { feature::TLS } else { 0 };
        // Marks are a person's, and nobody is a person who has proved no key.
        let proves = context.is_some() && hello.features & feature::IDENTITY != 0;
        let replication = self.replication_feature(id);
        let identity =
            if proves { feature::IDENTITY | feature::READ_MARKS | replication } else { 0 };
        let provided = tls
            | identity
            | feature::PRESENCE
            | feature::SEARCH
            | feature::RESUME
            | feature::EVENTS
            | feature::DIRECTORY;
        let features = if in_common { hello.features & provided } else { 0 };
        let context = context.filter(|_| features & feature::IDENTITY != 0);
        let answer = ServerHello {
            version: if in_common { VERSION } else { 0 },
            min_version: VERSION,
            max_version: VERSION,
            features,
            server_program: "chat-server".to_owned(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            challenge: context.map_or([0; 32], |it| it.challenge),
            server_key: context.map_or([0; 32], |it| it.server_key.0),
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

    /// Handles `join`: proposes it to the log, or sends an error.
    /// Closes the connection after the last permitted attempt, or if a quota for `join`s or for wrong
    /// passwords and unknown codes is used up. A code that the server knows is no guess: it waits
    /// for no pause.
    pub(super) fn handle_join(&mut self, now: Now, id: ConnectionId, join: &Join) {
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        let about = (kind::JOIN, Reference::NONE);
        if !self.quotas.take_join(group, now.moment) {
            return self.close_for_quota(now, id, Quota::Joins, about, QUOTA_RETRY_AFTER);
        }
        let tries_password = self.settings.password.is_some() && join.password.is_some();
        if tries_password && let Some(pause) = self.quotas.password_pause(group, now.moment) {
            return self.close_for_quota(now, id, Quota::Passwords, about, pause);
        }
        let guesses_code = join.invite.as_ref().is_some_and(|it| !self.is_known_code(it));
        if guesses_code && let Some(pause) = self.quotas.code_pause(group, now.moment) {
            return self.close_for_unknown_code(now, id, group, pause);
        }
        match self.check_join(now, (id, group), join) {
            Ok(valid) => {
                self.quotas.clear_password_failures(group, now.moment);
                self.propose_join(id, valid, join.position);
            }
            Err(refusal) => {
                let code = refusal.code;
                self.report_room_refusal(group, code);
                if code == ErrorCode::PasswordWrong {
                    self.quotas.record_password_failure(group, now.moment);
                } else if code == ErrorCode::InviteInvalid && guesses_code {
                    self.quotas.record_unknown_code(group, now.moment);
                }
                self.refuse_join(now, id, &refusal);
            }
        }
    }

    /// Closes a connection whose `join` brings an unknown code during a pause. The text says what to
    /// wait for, because nobody would guess it.
    fn close_for_unknown_code(
        &mut self,
        now: Now,
        id: ConnectionId,
        group: AddressGroup,
        pause: Duration,
    ) {
        self.report_quota(group, Quota::Passwords);
        let retry_after = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX).max(1);
        let text = format!(
            "This invitation does not exist, like too many others from your address. Check the \
             code, and try again in {} s.",
            retry_after.div_ceil(1_000)
        );
        let error = Error::about(ErrorCode::TooManyFromAddress, kind::JOIN, Reference::NONE);
        self.close_with_error(now, id, Error { retry_after, text, ..error });
    }

    /// Refuses a `join`: sends its error. Closes the connection after the last permitted attempt.
    pub(super) fn refuse_join(&mut self, now: Now, id: ConnectionId, refusal: &JoinRefusal) {
        self.send_frame(id, refusal.to_error());
        let connection = self.connections.get_mut(&id);
        if !connection.is_some_and(|it| it.count_refused_join(now.moment)) {
            let code = ErrorCode::TooManyAttempts;
            self.close_with_error(now, id, Error::about(code, kind::JOIN, Reference::NONE));
        }
    }

    /// Validates a `join` in the order of `docs/protocol/tcp.md`, section 5: password, username,
    /// ban, proof, invitation, rooms, claims of the name, its availability. An unknown or expired token is no error, nor is
    /// that of a session which is bound to another key: a new session starts. Changes nothing.
    fn check_join(
        &self,
        Now { moment: now, time }: Now,
        (id, group): (ConnectionId, AddressGroup),
        join: &Join,
    ) -> Result<ValidatedJoin, JoinRefusal> {
        if let Some(password) = &self.settings.password {
            let given = join.password.as_ref().ok_or(ErrorCode::PasswordRequired)?;
            if !are_equal_passwords(given, password) {
                return Err(ErrorCode::PasswordWrong.into());
            }
        }
        let username = Username::new(&join.username).map_err(|_| ErrorCode::NameInvalid)?;
        // Not proved yet; if it is not, the `join` is refused.
        let key = join.proof.as_ref().map(|it| it.key);
        let resumed = join.token.and_then(|it| self.find_resumable(it, key, now));
        let unknown_token = join.token.filter(|it| {
            self.is_log_shared() && self.sessions.find_by_token(&hash_token(it), now).is_none()
        });
        let own = resumed.map(|(session, _)| session);
        let person = self.moderation.own_claim(username.key(), key).map(|it| it.person);
        let number = person.or(own);
        let check_ban = |key| match self.find_ban(None, &username, number, key, group) {
            Some(ban) => {
                let ban = Some(self.describe_ban(ban, now));
                Err(JoinRefusal { ban, ..ErrorCode::Banned.into() })
            }
            None => Ok(()),
        };
        check_ban(None)?;
        if !self.is_proof_valid(id, join) {
            return Err(ErrorCode::ProofInvalid.into());
        }
        check_ban(key)?;
        if person.is_none()
            && let Some(code) = self.find_link_code(join.invite.as_deref())
        {
            let person = self.check_link_code(time, &username, key, &code)?;
            let rooms = self.check_rooms(group, &join.rooms)?;
            self.check_name(now, &username, None, Some(person), None)?;
            let (person, link_code) = (Some(person), Some(code.code));
            let join = ValidatedJoin::new(username, rooms, key);
            return Ok(ValidatedJoin { person, link_code, ..join });
        }
        let newcomer = Newcomer { username: &username, key, session: own };
        let invitation = self.check_access(time, newcomer, join.invite.as_deref())?;
        let rooms = self.check_rooms(group, &join.rooms)?;
        self.check_claims(time, newcomer, invitation)?;
        self.check_name(now, &username, own, person, unknown_token)?;
        let join = ValidatedJoin::new(username, rooms, key);
        Ok(ValidatedJoin { resumed, unknown_token, invitation, person, ..join })
    }

    /// Validates the rooms of a `join`, of which there may not be too many.
    fn check_rooms(&self, group: AddressGroup, raw: &[String]) -> Result<Vec<RoomName>, ErrorCode> {
        let rooms = parse_rooms(raw)?;
        if rooms.len() > usize::from(MAX_ROOMS) {
            return Err(ErrorCode::TooManyRooms);
        }
        if !self.may_open(group, &rooms) {
            return Err(ErrorCode::RoomsFull);
        }
        Ok(rooms)
    }

    /// Returns the session that a client may resume with this token and the key that it proves, and
    /// the token; `None` if there is none.
    pub(super) fn find_resumable(
        &self,
        token: Token,
        key: Option<IdentityKey>,
        now: Moment,
    ) -> Option<(SessionId, Token)> {
        let session = self.sessions.find_by_token(&hash_token(&token), now)?;
        let bound_to = self.bound_key(session);
        (bound_to.is_none() || bound_to == key).then_some((session, token))
    }

    /// Checks that nobody else holds a name. `session`: the one that is resumed. `person`: the one
    /// who has claimed the name, if it is a session of theirs. `unknown_token`: a session that is not
    /// known may hold it, for it may be the one with this token.
    fn check_name(
        &self,
        now: Moment,
        username: &Username,
        session: Option<SessionId>,
        person: Option<SessionId>,
        unknown_token: Option<Token>,
    ) -> Result<(), JoinRefusal> {
        match self.names.check_available(username, session, person) {
            Err(NameConflict { holder: Some(holder), .. })
                if unknown_token.is_some() && self.sessions.get(holder).is_none() =>
            {
                Ok(())
            }
            checked => checked.map_err(|it| JoinRefusal::of_conflict(it, &self.waiting_names, now)),
        }
    }

    /// Returns false if a `join` brings a proof that does not hold on this connection.
    fn is_proof_valid(&self, id: ConnectionId, join: &Join) -> bool {
        let Some(proof) = &join.proof else { return true };
        let context = self.connections.get(&id).and_then(|it| it.proof_context.as_ref());
        context.is_some_and(|it| it.is_proved_by(proof))
    }

    /// Returns the key that a session is bound to: also by a `join` that is proposed to the log.
    pub(super) fn bound_key(&self, session: SessionId) -> Option<IdentityKey> {
        let bound = self.sessions.get(session).and_then(|it| it.key);
        bound.or_else(|| {
            let pending = self.pending_joins.values().map(|it| &it.join);
            pending.filter(|it| it.resumes(session)).find_map(|it| it.key)
        })
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
