//! `join`s on their way through the log (`docs/protocol/tcp.md`, sections 5 and 6).
//!
//! A `join` that passed all checks is proposed to the log, and counts when it is committed. Until
//! then its name is reserved, and its connection waits. A `join` whose connection ends meanwhile is
//! committed all the same: its session then comes and goes at once.

use super::Hub;
use super::connection::{ConnectionState, PendingRead, WelcomeData};
use super::contract::{ConnectionId, Now, Output, Quota};
use super::handshake::{JoinRefusal, ValidatedJoin};
use super::log_contract::{Proposal, ReadPurpose, ReadRange, ReadRequest};
use super::names::NameConflict;
use super::session_persistence::hash_token;
use super::volatile::{JoinTerms, NameHold, VolatileDraft, VolatileItem};
use crate::model::limits::{HISTORY_LENGTH, REPLAY_PAGE};
use crate::model::{
    AddressGroup, ErrorCode, Moment, NoticeCode, Position, RoomName, Sequence, SessionId, Token,
    TokenHash, Username,
};
use crate::wire::tcp::{Notice, ServerFrame, flag};

/// `join` that is proposed to the log and not committed.
pub(super) struct PendingJoin {
    /// The `join`.
    pub(super) join: ValidatedJoin,
    /// Position from which the client wants to go on.
    position: Option<Position>,
    /// Token of the new session, if one begins.
    token: Token,
    /// Address group of the client.
    pub(super) group: AddressGroup,
    /// Hash of the token of the session that begins or is resumed.
    token_hash: TokenHash,
    /// Whether the name waits for the session when this connection is lost.
    keeps_name: bool,
    /// Session that has begun, while the log spends the invitation by which it comes in.
    pub(super) begun: Option<SessionId>,
    /// Set when the connection ends before the commit: true if the name waits for the session.
    pub(super) lost: Option<bool>,
}

impl PendingJoin {
    /// Makes the `join` resume this session by its token; `None`: begin a new session.
    fn retarget(&mut self, resumed: Option<(SessionId, Token)>) {
        self.join.resumed = resumed;
        self.token_hash = token_hash(resumed, &self.token);
    }

    /// Returns the connection's own token, which its next `join` may need.
    pub(super) fn into_token(self) -> Token {
        self.token
    }
}

/// Returns the hash of the token of the session that is resumed or, with this token, begins.
fn token_hash(resumed: Option<(SessionId, Token)>, fresh: &Token) -> TokenHash {
    hash_token(&resumed.map_or(*fresh, |(_, token)| token))
}

impl Hub {
    /// Proposes a `join` that passed all checks to the log, and reserves its name. The connection
    /// is blocked until [`Self::handle_session_began`].
    pub(super) fn propose_join(
        &mut self,
        id: ConnectionId,
        join: ValidatedJoin,
        position: Option<Position>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(token) = connection.token.take() else {
            return;
        };
        connection.has_token = join.resumed.is_some();
        connection.wait_for_commit();
        let (group, keeps_name) = (connection.group, connection.comes_back());
        let token_hash = token_hash(join.resumed, &token);
        let (begun, lost) = (None, None);
        let pending =
            PendingJoin { join, position, token, group, token_hash, keeps_name, begun, lost };
        self.propose_pending(id, pending);
    }

    /// Proposes a pending join to the log, and reserves its name.
    fn propose_pending(&mut self, id: ConnectionId, pending: PendingJoin) {
        let session = pending.join.resumed.map(|(session, _)| session);
        let username = pending.join.username.clone();
        let person = pending.join.person;
        self.names.reserve(id, username.clone(), session, person);
        let terms = Box::new(JoinTerms {
            username,
            person,
            refuses_lookalikes: self.settings.refuse_lookalikes,
            token: pending.token_hash,
            key: pending.join.key,
            keeps_name: pending.keeps_name,
        });
        self.pending_joins.insert(id, pending);
        let draft = VolatileDraft::SessionBegin { connection: id, session, terms };
        self.outputs.push_back(Output::Propose(Proposal::Volatile(draft)));
    }

    /// Applies a committed volatile change.
    pub(super) fn handle_volatile(&mut self, now: Now, item: &VolatileItem) {
        match item {
            VolatileItem::SessionBegan { connection, hub, session, hold, terms } => {
                let claimed = self.names.claim(*session, (*hub, *hold), terms);
                match connection {
                    Some(id) => self.handle_session_began(now, *id, *session, claimed),
                    None if claimed.is_ok() => {
                        self.move_session_elsewhere(now, *session, *hub, terms);
                    }
                    None => {}
                }
            }
            VolatileItem::RoomsChanged { session, hold, rooms } => {
                if self.names.number(*session) == Some(*hold) {
                    self.set_rooms_elsewhere(now.moment, *session, rooms);
                }
            }
            VolatileItem::NameReleased { session, hold } => {
                self.handle_name_released(now, *session, *hold);
            }
            VolatileItem::HubBegan { hub } => self.handle_hub_began(*hub),
            VolatileItem::HubEnded { hub } => self.handle_hub_ended(now, *hub),
        }
    }

    /// Handles a `join` of this hub that is committed. `claimed`: whether the session has got the
    /// name. If not, refuses the `join`. Otherwise accepts it; if its connection has ended
    /// meanwhile, the session ends too.
    ///
    /// If the session that should be resumed is gone meanwhile, proposes the `join` again, for a
    /// new session, as if the token had been unknown.
    fn handle_session_began(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        claimed: Result<(), NameConflict>,
    ) {
        let Some(mut pending) = self.pending_joins.remove(&id) else {
            return;
        };
        self.names.end_reservation(id);
        let is_new = pending.join.resumed.is_none();
        if pending.lost.is_none() && self.resume_after_all(now.moment, id, &mut pending) {
            self.abandon(session, claimed.is_ok());
            return self.propose_pending(id, pending);
        }
        let is_session_gone =
            pending.join.resumed.is_some() && self.sessions.get(session).is_none();
        match (claimed, pending.lost) {
            (Err(_), Some(_)) => {
                if is_new {
                    self.abandon(session, false);
                }
            }
            (Err(conflict), None) => {
                if is_new {
                    self.abandon(session, false);
                }
                let refusal = JoinRefusal::of_conflict(conflict, &self.waiting_names, now.moment);
                self.refuse_pending_join(now, id, pending.token, &refusal);
            }
            (Ok(()), Some(_)) if is_session_gone || pending.join.resumed.is_none() => {
                // Nobody has the token of a new session yet.
                self.abandon(session, true);
            }
            (Ok(()), Some(keeps_name)) => {
                let keeps_name = keeps_name && self.is_still_of_person(&pending.join);
                self.lose_join(now, id, &pending, session, keeps_name);
            }
            (Ok(()), None) if !self.is_still_of_person(&pending.join) => {
                if pending.join.resumed.is_none() || is_session_gone {
                    self.abandon(session, true);
                } else {
                    // The session holds this name, and may not: it is away from now on.
                    self.lose_join(now, id, &pending, session, false);
                }
                let refusal = ErrorCode::NameClaimed.into();
                self.refuse_pending_join(now, id, pending.token, &refusal);
            }
            (Ok(()), None) if is_session_gone => {
                self.abandon(session, true);
                if pending.join.invitation.is_none() && self.needs_invitation(pending.join.key) {
                    let refusal = ErrorCode::InviteRequired.into();
                    return self.refuse_pending_join(now, id, pending.token, &refusal);
                }
                pending.retarget(None);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.has_token = false;
                }
                self.propose_pending(id, pending);
            }
            (Ok(()), None) if self.spend_to_come_in(id, &mut pending, session) => {
                self.pending_joins.insert(id, pending);
            }
            (Ok(()), None) => self.complete_join(now, id, pending, session),
        }
    }

    /// Gives up a session that has begun or was to be resumed and is not known here: releases its
    /// name if it has got it. If hubs share the log, also proposes to delete the session, which the
    /// others know by now.
    fn abandon(&mut self, session: SessionId, has_name: bool) {
        if has_name {
            self.release_name(session);
        }
        if self.is_log_shared() {
            self.outputs.push_back(Output::Propose(Proposal::DeleteSession(session)));
        }
    }

    /// If a committed `join` has brought the token of a session that was not known and is now, makes
    /// it resume that session, and returns true.
    fn resume_after_all(
        &mut self,
        now: Moment,
        id: ConnectionId,
        pending: &mut PendingJoin,
    ) -> bool {
        let Some(token) = pending.join.unknown_token.take() else {
            return false;
        };
        let Some(found) = self.find_resumable(token, pending.join.key, now) else {
            return false;
        };
        pending.retarget(Some(found));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.has_token = true;
        }
        true
    }

    /// Accepts a `join` that is committed. Sends the user out again who was banned meanwhile, and
    /// renews the claim of the name if that is due.
    pub(super) fn complete_join(
        &mut self,
        now: Now,
        id: ConnectionId,
        pending: PendingJoin,
        session: SessionId,
    ) {
        let (group, keeps_name) = (pending.group, pending.keeps_name);
        self.accept_join(now, id, pending, session);
        self.note_logged(session, true, keeps_name);
        self.renew_claim(now, session);
        self.send_out_if_banned(now, session, group);
    }

    /// Refuses a `join` that was proposed, for example because another session has got its name
    /// meanwhile. Then handles the deferred frames. `token`: the connection's own, which its next
    /// `join` may need.
    pub(super) fn refuse_pending_join(
        &mut self,
        now: Now,
        id: ConnectionId,
        token: Token,
        refusal: &JoinRefusal,
    ) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.token = Some(token);
            connection.has_token = false;
            connection.resume_handshake(now.moment);
        }
        self.refuse_join(now, id, refusal);
        self.process_deferred(now, id);
    }

    /// Completes a committed `join` whose connection has ended: the resumed session has its new
    /// name, is in no rooms, and is away.
    fn lose_join(
        &mut self,
        now: Now,
        id: ConnectionId,
        pending: &PendingJoin,
        session: SessionId,
        keeps_name: bool,
    ) {
        let PendingJoin { join, group, .. } = pending;
        self.sessions.bind(session, join.key);
        self.attach_session(now.moment, (id, *group), session, join.username.clone(), &[]);
        self.note_logged(session, true, pending.keeps_name);
        self.end_session(now, session, *group, keeps_name);
    }

    /// Proposes to release the name of a session. For the clients of this hub it is free from now
    /// on. Does nothing if the session holds no name.
    pub(super) fn release_name(&mut self, session: SessionId) {
        let hold: Option<NameHold> = self.names.begin_release(session);
        let draft = hold.map(|hold| VolatileDraft::NameRelease { session, hold });
        self.outputs.extend(draft.map(|it| Output::Propose(Proposal::Volatile(it))));
    }

    /// Completes a committed `join`: attaches the connection to its new or resumed session, name
    /// and rooms, and persists the session. For a new session, first evicts another one if there
    /// are too many. Starts to read history or missed entries; `send_replay_page` continues.
    fn accept_join(&mut self, now: Now, id: ConnectionId, join: PendingJoin, session: SessionId) {
        let PendingJoin { join, position, token: fresh, token_hash, group, .. } = join;
        let ValidatedJoin { username, rooms, resumed, key, invitation, .. } = join;
        let token = resumed.map_or(fresh, |(_, token)| token);
        if resumed.is_none() {
            self.evict_session_if_full(self.settings.max_sessions);
            self.sessions.create(session, token_hash, username.clone());
        }
        self.sessions.bind(session, key);
        self.sessions.note_invitation(session, invitation);
        let rooms = self.without_bans(rooms, &username, session, group);
        let names = self.attach_session(now.moment, (id, group), session, username, &rooms);
        // The name may have been claimed while the `join` was on its way.
        self.names.set_person(session, self.person_of(session));
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
        let session_or_person = Some(self.number_of(session));
        let request = ReadRequest { rooms: names, session: session_or_person, range };
        let mut read = PendingRead::new(ReadPurpose::Join, request);
        if resumed.is_none() {
            let motd = self.settings.motd.as_ref();
            let motd = motd.map(|it| Notice::new(NoticeCode::MessageOfTheDay, it.as_str()));
            read.frames_after.extend(motd.map(ServerFrame::from));
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.proof_context = None;
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

    /// Attaches a session to this connection, with this name, which it holds already, and these
    /// rooms. Releases the previous rooms. If the session is connected, closes that connection with
    /// error `replaced`. Returns the canonical names of the new rooms.
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
            if !same_name || !old_rooms.contains(room) {
                self.rooms.add_member(*room, &username, now);
            }
        }
        for room in old_rooms {
            self.close_if_empty(room, now);
        }
        self.waiting_names.remove(session);
        self.note_rooms_changed(session);
        let names = new_rooms
            .iter()
            .filter_map(|room| self.rooms.get(*room))
            .map(|room| room.name.clone())
            .collect();
        let comes_back = self.connections.get(&id).is_some_and(|it| it.comes_back());
        self.sessions.connect(session, (id, group), comes_back, username, new_rooms);
        names
    }
}
