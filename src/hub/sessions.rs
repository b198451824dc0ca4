//! Sessions: the identities of users, which outlive connections and names. A session is *away*
//! while it has no connection.

use std::collections::{BTreeSet, HashMap};

use super::contract::{ConnectionId, Now, RoomId};
use super::message_dedup::MessageDedup;
use super::moderation::LastSpoken;
use super::other_hubs::ConnectedElsewhere;
use super::volatile::HubId;
use crate::model::limits::SESSION_LIFETIME;
use crate::model::{
    AddressGroup, IdentityKey, InvitationHash, Moment, NameKey, Reference, SessionId,
    SessionRecord, Timestamp, TokenHash, Username,
};

/// State of a session (a user's identity on the server), connected or away.
pub(super) struct Session {
    /// Hash of the session token. The token itself is not kept.
    token: TokenHash,
    /// Key that the session is bound to, as in [`SessionRecord`].
    pub(super) key: Option<IdentityKey>,
    /// Invitation that its last `join` with one has brought, and that it may use. It is forgotten at
    /// a restart.
    pub(super) invitation: Option<InvitationHash>,
    /// Current username; the last one while the session is away.
    pub(super) username: Username,
    /// Connection of the session; `None` while it is away, or connected to another hub.
    pub(super) connection: Option<ConnectionId>,
    /// Other hub to which the session is connected.
    elsewhere: Option<HubId>,
    /// For a session that was connected here last, and if hubs share the log: what the log says of it,
    /// up to which this hub has read. What this hub has proposed since is not in there.
    pub(super) logged: Option<LoggedPresence>,
    /// Rooms in the order of entering; empty while the session is away.
    pub(super) rooms: Vec<RoomId>,
    /// Last messages in rooms with slow mode.
    pub(super) last_spoken: LastSpoken,
    /// References of the session's messages, to detect duplicates.
    pub(super) dedup: MessageDedup,
    /// Address group of the session's current or last connection; `None` for a restored session
    /// that was not resumed since the start of the server.
    group: Option<AddressGroup>,
    /// Moment of expiry, when the session can no longer be resumed; `None` while it is connected.
    expires: Option<Moment>,
    /// Wall-clock time of the disconnection; `None` while the session is connected.
    away_since: Option<Timestamp>,
    /// True if the username waits for the session after a restart, as in [`SessionRecord`].
    keeps_name: bool,
}

/// What a shared log says of a session at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedPresence {
    /// True if the session is connected.
    pub(super) is_connected: bool,
    /// True if its name waits for it when its connection is lost, or waits now.
    pub(super) keeps_name: bool,
}

impl Session {
    /// Returns true if the session is connected, here or to another hub.
    pub(super) const fn is_connected(&self) -> bool {
        self.connection.is_some() || self.elsewhere.is_some()
    }

    /// Returns the other hub to which the session is connected.
    pub(super) const fn elsewhere(&self) -> Option<HubId> {
        self.elsewhere
    }

    /// Returns true if the username waits for the session when its connection is lost.
    pub(super) const fn keeps_name(&self) -> bool {
        self.keeps_name
    }

    /// Returns the address group of the session's current or last connection; `None` for a restored
    /// session that was not resumed since the start of the server.
    pub(super) const fn group(&self) -> Option<AddressGroup> {
        self.group
    }
}

/// Maximum eviction rank of the restored sessions together, whose addresses are unknown. An address
/// group with at least this number of sessions away loses its own before restored ones are evicted;
/// a household has fewer.
const MAX_RESTORED_RANK: usize = 30;

/// Sessions of one address group that are away, for eviction.
#[derive(Default)]
struct AwaySessions {
    /// Sessions to evict first, by expiry. A disposable session has submitted no message to the
    /// log, and got no direct message while it was away.
    disposable: BTreeSet<(Moment, SessionId)>,
    /// Other sessions, by expiry.
    valuable: BTreeSet<(Moment, SessionId)>,
}

impl AwaySessions {
    /// Returns the rank of an address group for eviction: the number of its sessions that are away.
    /// The group of the restored sessions (`None`), whose addresses are unknown, has at most
    /// [`MAX_RESTORED_RANK`].
    fn rank(count: usize, group: Option<AddressGroup>) -> usize {
        if group.is_some() { count } else { count.min(MAX_RESTORED_RANK) }
    }

    /// Returns the number of sessions.
    fn len(&self) -> usize {
        self.disposable.len() + self.valuable.len()
    }
}

/// All sessions, connected and away, with their indexes.
#[derive(Default)]
pub(super) struct Sessions {
    /// Sessions by session number.
    by_id: HashMap<SessionId, Box<Session>>,
    /// Session numbers by token hash. The time that a lookup takes reveals nothing about tokens,
    /// because the keys are hashes.
    by_token: HashMap<TokenHash, SessionId>,
    /// Sessions that are away, by expiry: the session that has been away longest comes first.
    away: BTreeSet<(Moment, SessionId)>,
    /// Sessions that are away, by address group; the restored ones form the group `None`.
    away_by_group: HashMap<Option<AddressGroup>, AwaySessions>,
    /// Groups that have sessions away, by [`AwaySessions::rank`]: the last group loses a session
    /// first.
    groups_by_rank: BTreeSet<(usize, Option<AddressGroup>)>,
    /// Session that was disconnected last under each name, by name key. An element is removed when
    /// its session is resumed, evicted or expires.
    away_names: HashMap<NameKey, SessionId>,
    /// Number of connected sessions of each address group that has any.
    connected_by_group: HashMap<AddressGroup, usize>,
    /// Sessions that are connected to other hubs.
    elsewhere: ConnectedElsewhere,
}

impl Sessions {
    /// Returns a session by its number; `None` if there is none.
    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id).map(|it| &**it)
    }

    /// Returns a session by its number, for changes; `None` if there is none.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id).map(|it| &mut **it)
    }

    /// Finds the session with this token hash, connected or away; `None` if there is none or it has
    /// expired.
    pub(super) fn find_by_token(&self, token: &TokenHash, now: Moment) -> Option<SessionId> {
        self.by_token.get(token).copied().filter(|id| self.is_resumable(*id, now))
    }

    /// Finds the session that was disconnected last under the name with this key. `None` if there
    /// is none, or if that session was resumed or removed since, or has expired. Ignores connected
    /// sessions.
    pub(super) fn find_away_by_name(&self, key: &NameKey, now: Moment) -> Option<SessionId> {
        self.away_names.get(key).copied().filter(|id| self.is_resumable(*id, now))
    }

    /// Returns true if a session exists and has not expired at `now`.
    fn is_resumable(&self, id: SessionId, now: Moment) -> bool {
        self.get(id).is_some_and(|it| it.expires.is_none_or(|end| now < end))
    }

    /// Creates a session without a connection. The caller must call [`Self::connect`] or mark the
    /// session as away at once.
    pub(super) fn create(&mut self, id: SessionId, token: TokenHash, username: Username) {
        self.by_token.insert(token, id);
        let session = Session {
            token,
            key: None,
            invitation: None,
            username,
            connection: None,
            elsewhere: None,
            logged: None,
            rooms: Vec::new(),
            last_spoken: LastSpoken::default(),
            dedup: MessageDedup::default(),
            group: None,
            expires: None,
            away_since: None,
            keeps_name: false,
        };
        self.by_id.insert(id, Box::new(session));
    }

    /// Restores a session after a restart, as away since the wall-clock time `since`. Of several
    /// sessions with one name, the session that is restored last counts as the last holder. A
    /// restored session is not disposable, because it may have direct messages.
    pub(super) fn restore(&mut self, record: SessionRecord, since: Timestamp, expires: Moment) {
        let SessionRecord {
            session: id,
            token,
            username,
            last_reference,
            refused,
            keeps_name,
            key,
            away_since: _,
        } = record;
        self.create(id, token, username);
        if let Some(session) = self.by_id.get_mut(&id) {
            session.dedup = MessageDedup::restored(last_reference, refused);
            session.away_since = Some(since);
            session.expires = Some(expires);
            session.keeps_name = keeps_name;
            session.key = key;
            self.away_names.insert(session.username.key().clone(), id);
            self.index_away(id, None, expires, false);
        }
    }

    /// Returns the current record of a session, which survives a restart; `None` if there is no
    /// such session.
    pub(super) fn to_record(&self, id: SessionId) -> Option<SessionRecord> {
        let session = self.get(id)?;
        Some(SessionRecord {
            session: id,
            token: session.token,
            username: session.username.clone(),
            away_since: session.away_since,
            last_reference: session.dedup.last_stored(),
            refused: session.dedup.resubmittable(),
            keeps_name: session.keeps_name,
            key: session.key,
        })
    }

    /// Binds a session to a key that was proved, if it is not bound yet. The caller must persist the
    /// session.
    pub(super) fn bind(&mut self, id: SessionId, key: Option<IdentityKey>) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.key = session.key.or(key);
        }
    }

    /// Records the invitation that a `join` of a session has brought, if it has brought one.
    pub(super) fn note_invitation(&mut self, id: SessionId, invitation: Option<InvitationHash>) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.invitation = invitation.or(session.invitation);
        }
    }

    /// Marks a session as connected and sets its connection, name and rooms. The caller must have
    /// released the previous ones. `comes_back`: the client has the feature `resume`, so the name
    /// waits for the session after a restart.
    pub(super) fn connect(
        &mut self,
        id: SessionId,
        (connection, group): (ConnectionId, AddressGroup),
        comes_back: bool,
        username: Username,
        rooms: Vec<RoomId>,
    ) {
        self.remove_from_away_indexes(id);
        self.uncount_connected(id);
        self.leave_hub(id);
        if let Some(session) = self.by_id.get_mut(&id) {
            *self.connected_by_group.entry(group).or_default() += 1;
            session.connection = Some(connection);
            session.group = Some(group);
            session.keeps_name = comes_back;
            session.username = username;
            session.rooms = rooms;
        }
    }

    /// If a session is connected, reduces the number of connected sessions of its address group by
    /// one.
    fn uncount_connected(&mut self, id: SessionId) {
        let connected = self.by_id.get(&id).filter(|it| it.connection.is_some());
        if let Some(group) = connected.and_then(|it| it.group)
            && let Some(count) = self.connected_by_group.get_mut(&group)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.connected_by_group.remove(&group);
            }
        }
    }

    /// Returns the number of connected sessions of an address group.
    pub(super) fn connected_count_of(&self, group: AddressGroup) -> usize {
        self.connected_by_group.get(&group).copied().unwrap_or_default()
    }

    /// Records whether the username of a session waits for it after a restart. The caller must
    /// persist the session.
    pub(super) fn set_keeps_name(&mut self, id: SessionId, keeps_name: bool) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.keeps_name = keeps_name;
        }
    }

    /// Marks a session as away: it can be resumed for [`SESSION_LIFETIME`] from now. The caller
    /// must have released the rooms. If `keeps_name` is false, the caller must also release the
    /// name.
    pub(super) fn disconnect(&mut self, id: SessionId, now: Now, keeps_name: bool) {
        self.set_keeps_name(id, keeps_name);
        self.set_away(id, now.time, now.moment + SESSION_LIFETIME);
    }

    /// Marks a session as away since the wall-clock time `since`: it can be resumed until `expires`.
    /// The caller must have released the rooms.
    pub(super) fn set_away(&mut self, id: SessionId, since: Timestamp, expires: Moment) {
        self.uncount_connected(id);
        self.leave_hub(id);
        self.remove_from_away_indexes(id);
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        session.connection = None;
        session.rooms = Vec::new();
        session.expires = Some(expires);
        session.away_since = Some(since);
        let is_disposable = session.dedup.last_submitted() == Reference::NONE;
        let group = session.group;
        self.away_names.insert(session.username.key().clone(), id);
        self.index_away(id, group, expires, is_disposable);
    }

    /// Marks a session as connected to another hub, with this name and in no rooms. The caller must
    /// have released the previous ones. Does nothing if there is no such session.
    pub(super) fn connect_elsewhere(&mut self, id: SessionId, hub: HubId, username: &Username) {
        self.remove_from_away_indexes(id);
        self.uncount_connected(id);
        self.leave_hub(id);
        if let Some(session) = self.by_id.get_mut(&id) {
            session.connection = None;
            session.group = None;
            session.elsewhere = Some(hub);
            session.logged = None;
            session.username = username.clone();
            session.last_spoken.clear();
            self.elsewhere.insert(hub, id);
        }
    }

    /// Removes a session from those of other hubs. Does nothing if it is connected to none.
    fn leave_hub(&mut self, id: SessionId) {
        let hub = self.by_id.get_mut(&id).and_then(|it| it.elsewhere.take());
        if let Some(hub) = hub {
            self.elsewhere.remove(hub, id);
        }
    }

    /// Returns the sessions that are connected to another hub.
    pub(super) fn connected_to(&self, hub: HubId) -> Vec<SessionId> {
        self.elsewhere.of(hub)
    }

    /// Takes over the record that another hub has stored: adds the session if it is not known. The
    /// session must not be connected here. The caller must mark it as connected elsewhere or as away
    /// at once.
    pub(super) fn store_elsewhere(&mut self, record: SessionRecord) {
        let SessionRecord { session: id, token, username, last_reference, refused, .. } = record;
        self.remove_from_away_indexes(id);
        if self.by_id.contains_key(&id) {
            self.by_token.insert(token, id);
        } else {
            self.create(id, token, username.clone());
        }
        if let Some(session) = self.by_id.get_mut(&id) {
            session.token = token;
            session.username = username;
            session.key = record.key;
            session.keeps_name = record.keeps_name;
            session.dedup.take_over(last_reference, refused);
        }
    }

    /// Adds a session that expires at `end` to the indexes of sessions that are away.
    fn index_away(
        &mut self,
        id: SessionId,
        group: Option<AddressGroup>,
        end: Moment,
        is_disposable: bool,
    ) {
        self.away.insert((end, id));
        self.update_away(group, |away| {
            let place = if is_disposable { &mut away.disposable } else { &mut away.valuable };
            place.insert((end, id));
        });
    }

    /// Applies `change` to the sessions of an address group that are away, and updates the index of
    /// groups.
    fn update_away(&mut self, group: Option<AddressGroup>, change: impl FnOnce(&mut AwaySessions)) {
        let away = self.away_by_group.entry(group).or_default();
        let before = away.len();
        change(away);
        let after = away.len();
        self.groups_by_rank.remove(&(AwaySessions::rank(before, group), group));
        if after == 0 {
            self.away_by_group.remove(&group);
        } else {
            self.groups_by_rank.insert((AwaySessions::rank(after, group), group));
        }
    }

    /// Removes a session from the indexes of sessions that are away, and clears its expiry and the
    /// time of its disconnection.
    fn remove_from_away_indexes(&mut self, id: SessionId) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        session.away_since = None;
        if self.away_names.get(session.username.key()) == Some(&id) {
            self.away_names.remove(session.username.key());
        }
        let group = session.group;
        if let Some(end) = session.expires.take() {
            self.away.remove(&(end, id));
            self.update_away(group, |away| {
                away.disposable.remove(&(end, id));
                away.valuable.remove(&(end, id));
            });
        }
    }

    /// Protects a session that is away from early eviction, because a direct message was sent to
    /// it: moves it from the disposable sessions to the valuable ones. Does nothing if the session
    /// is connected.
    pub(super) fn mark_worth_keeping(&mut self, id: SessionId) {
        if let Some(session) = self.by_id.get(&id)
            && let Some(end) = session.expires
            && let Some(away) = self.away_by_group.get_mut(&session.group)
            && away.disposable.remove(&(end, id))
        {
            away.valuable.insert((end, id));
        }
    }

    /// Removes a session that is away, with its places in all indexes.
    fn remove(&mut self, id: SessionId) {
        self.remove_from_away_indexes(id);
        if let Some(session) = self.by_id.remove(&id)
            && self.by_token.get(&session.token) == Some(&id)
        {
            self.by_token.remove(&session.token);
        }
    }

    /// Removes a session that is away, and returns true; false, and does nothing, if there is no such
    /// session or if it is connected, here or elsewhere. The caller must free its waiting name, and
    /// delete it in the log.
    pub(super) fn forget(&mut self, id: SessionId) -> bool {
        let is_away = self.get(id).is_some_and(|it| !it.is_connected());
        if is_away {
            self.remove(id);
        }
        is_away
    }

    /// If there are `max` sessions or more, evicts a session that is away. Returns the session's
    /// number and address group; the group of a restored session is `None`. Returns `None` if there
    /// are fewer sessions, or if none is away. Call it before a new session is created. The caller
    /// must free a waiting name, and delete the session in the log.
    ///
    /// Evicts from the address group with the highest [`AwaySessions::rank`], so a group with many
    /// sessions away loses its own ones first. Evicts the session that has been away longest among
    /// those that have sent no message and were sent no direct message. If there is none, evicts
    /// the one of the group that has been away longest.
    #[must_use]
    pub(super) fn evict_if_full(
        &mut self,
        max: usize,
    ) -> Option<(SessionId, Option<AddressGroup>)> {
        if self.by_id.len() < max {
            return None;
        }
        let (_, group) = self.groups_by_rank.last().copied()?;
        let away = self.away_by_group.get(&group)?;
        let (_, id) = away.disposable.first().or_else(|| away.valuable.first()).copied()?;
        self.remove(id);
        Some((id, group))
    }

    /// Removes all sessions that have expired at `now`, and returns their numbers. The caller must
    /// free their waiting names, and delete the sessions in the log. Call it again at
    /// [`Self::next_expiry`].
    #[must_use]
    pub(super) fn remove_expired(&mut self, now: Moment) -> Vec<SessionId> {
        let mut forgotten = Vec::new();
        while let Some((end, id)) = self.away.first().copied()
            && end <= now
        {
            self.remove(id);
            forgotten.push(id);
        }
        forgotten
    }

    /// Returns the moment when the next session expires; `None` if no session is away.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.away.first().map(|(end, _)| *end)
    }

    /// Returns the number of sessions.
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Returns the number of sessions that are connected here.
    pub(super) fn connected_count(&self) -> usize {
        self.by_id.len().saturating_sub(self.away.len()).saturating_sub(self.elsewhere.len())
    }

    /// Returns all sessions, in no order.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.by_id.iter().map(|(id, session)| (id, &**session))
    }

    /// Returns true if there are no sessions.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
            && self.by_token.is_empty()
            && self.away.is_empty()
            && self.away_by_group.is_empty()
            && self.groups_by_rank.is_empty()
            && self.away_names.is_empty()
            && self.connected_by_group.is_empty()
            && self.elsewhere.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a session that was disconnected at `away`; it has submitted a message before if
    /// `has_spoken`.
    fn add_away(sessions: &mut Sessions, number: u64, away: Moment, has_spoken: bool) {
        let id = SessionId(number);
        let token = TokenHash([u8::try_from(number).unwrap(); 32]);
        sessions.create(id, token, Username::new(&format!("guest{number}")).unwrap());
        if has_spoken {
            sessions.get_mut(id).unwrap().dedup.submit(Reference(1), 3);
        }
        sessions.disconnect(id, Now { moment: away, time: Timestamp(0) }, false);
    }

    /// Sessions without messages are evicted before sessions with messages.
    #[test]
    fn disposable_sessions_are_evicted_first() {
        let mut sessions = Sessions::default();
        let at = |seconds| Moment::after_start(std::time::Duration::from_secs(seconds));
        add_away(&mut sessions, 1, at(1), true);
        add_away(&mut sessions, 2, at(2), false);
        add_away(&mut sessions, 3, at(3), false);
        add_away(&mut sessions, 4, at(4), false);
        sessions.mark_worth_keeping(SessionId(2));
        assert_eq!(sessions.evict_if_full(5), None);
        let order: Vec<_> = (0..5).map(|_| sessions.evict_if_full(1).map(|it| it.0.0)).collect();
        assert_eq!(order[..4], [Some(3), Some(4), Some(1), Some(2)]);
        assert!(sessions.is_empty() && order[4].is_none());
    }
}
