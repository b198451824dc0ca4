//! Sessions: who somebody is, beyond connections and names.

use std::collections::{BTreeSet, HashMap};

use super::contract::{ConnectionId, Now, RoomId};
use super::message_dedup::MessageDedup;
use crate::model::limits::SESSION_LIFETIME;
use crate::model::{
    Moment, NameKey, Reference, SessionId, SessionRecord, Timestamp, TokenHash, Username,
};

/// Somebody, connected or away.
pub(super) struct Session {
    /// The secret by which it is taken up again, hashed: the secret itself is
    /// not kept.
    token: TokenHash,
    /// What it is called, or was called last.
    pub(super) username: Username,
    /// Where it is connected; none while it is away.
    pub(super) connection: Option<ConnectionId>,
    /// Where it is, in the order of entering; none while it is away.
    pub(super) rooms: Vec<RoomId>,
    /// What became of its messages.
    pub(super) dedup: MessageDedup,
    /// When it will be forgotten; none while it is connected.
    expires: Option<Moment>,
    /// Since when it has been away; none while it is connected.
    away_since: Option<Timestamp>,
}

/// All sessions that are remembered.
#[derive(Default)]
pub(super) struct Sessions {
    /// By number.
    by_id: HashMap<SessionId, Session>,
    /// By hashed secret: so the time that it takes to look for one tells
    /// nothing about those that are there.
    by_token: HashMap<TokenHash, SessionId>,
    /// Those which are away, by when they will be forgotten: first the one
    /// that has been away longest.
    away: BTreeSet<(Moment, SessionId)>,
    /// Those of them that have never said anything, and to whom nobody has
    /// said anything while they were away: nothing is lost with them.
    disposable: BTreeSet<(Moment, SessionId)>,
    /// Those which are away, by the name that they had last; of several the
    /// one that had it last.
    away_names: HashMap<NameKey, SessionId>,
}

impl Sessions {
    /// A session by its number.
    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    /// A session by its number, to be changed.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    /// The session with this secret, unless its time is over.
    pub(super) fn find_by_token(&self, token: &TokenHash, now: Moment) -> Option<SessionId> {
        self.by_token.get(token).copied().filter(|id| self.is_resumable(*id, now))
    }

    /// Who was called so last, is away, and can still come back.
    pub(super) fn find_away_by_name(&self, key: &NameKey, now: Moment) -> Option<SessionId> {
        self.away_names.get(key).copied().filter(|id| self.is_resumable(*id, now))
    }

    /// Whether a session can still be taken up.
    fn is_resumable(&self, id: SessionId, now: Moment) -> bool {
        self.get(id).is_some_and(|it| it.expires.is_none_or(|end| now < end))
    }

    /// Begins a session that is away until [`Self::connect`] is called,
    /// which has to follow at once.
    pub(super) fn create(&mut self, id: SessionId, token: TokenHash, username: Username) {
        self.by_token.insert(token, id);
        let session = Session {
            token,
            username,
            connection: None,
            rooms: Vec::new(),
            dedup: MessageDedup::default(),
            expires: None,
            away_since: None,
        };
        self.by_id.insert(id, session);
    }

    /// Takes over a session that has been away since before the server was
    /// started. Of several with one name the last that is taken over had it
    /// last. Somebody may have said something to it, so it is not forgotten
    /// lightly.
    pub(super) fn restore(&mut self, record: SessionRecord, since: Timestamp, expires: Moment) {
        let SessionRecord { session: id, token, username, last_reference, refused, .. } = record;
        self.create(id, token, username);
        if let Some(session) = self.by_id.get_mut(&id) {
            session.dedup = MessageDedup::restored(last_reference, refused);
            session.away_since = Some(since);
            session.expires = Some(expires);
            self.away.insert((expires, id));
            self.away_names.insert(session.username.key().clone(), id);
        }
    }

    /// A session as it outlives a restart.
    pub(super) fn to_record(&self, id: SessionId) -> Option<SessionRecord> {
        let session = self.get(id)?;
        Some(SessionRecord {
            session: id,
            token: session.token,
            username: session.username.clone(),
            away_since: session.away_since,
            last_reference: session.dedup.last_stored(),
            refused: session.dedup.resubmittable(),
        })
    }

    /// Gives a session its connection, name and rooms. Whoever calls it has
    /// seen to the ones that it had.
    pub(super) fn connect(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        username: Username,
        rooms: Vec<RoomId>,
    ) {
        self.remove_from_away_indexes(id);
        if let Some(session) = self.by_id.get_mut(&id) {
            session.connection = Some(connection);
            session.username = username;
            session.rooms = rooms;
        }
    }

    /// Takes a session's connection away; it can come back for a day. Call
    /// it when name and rooms have been given up.
    pub(super) fn disconnect(&mut self, id: SessionId, now: Now) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        let end = now.moment + SESSION_LIFETIME;
        session.connection = None;
        session.rooms = Vec::new();
        session.expires = Some(end);
        session.away_since = Some(now.time);
        self.away.insert((end, id));
        if session.dedup.last_submitted() == Reference::NONE {
            self.disposable.insert((end, id));
        }
        self.away_names.insert(session.username.key().clone(), id);
    }

    /// Takes a session out of what is known of the absent.
    fn remove_from_away_indexes(&mut self, id: SessionId) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        session.away_since = None;
        if let Some(end) = session.expires.take() {
            self.away.remove(&(end, id));
            self.disposable.remove(&(end, id));
        }
        if self.away_names.get(session.username.key()) == Some(&id) {
            self.away_names.remove(session.username.key());
        }
    }

    /// Notes that something is kept for a session: it is not forgotten
    /// lightly any more.
    pub(super) fn mark_worth_keeping(&mut self, id: SessionId) {
        if let Some(end) = self.by_id.get(&id).and_then(|session| session.expires) {
            self.disposable.remove(&(end, id));
        }
    }

    /// Forgets a session.
    fn remove(&mut self, id: SessionId) {
        self.remove_from_away_indexes(id);
        if let Some(session) = self.by_id.remove(&id)
            && self.by_token.get(&session.token) == Some(&id)
        {
            self.by_token.remove(&session.token);
        }
    }

    /// Forgets the session that has been away longest, if there are `max`
    /// or more; gives it. Those with whom nothing is lost go first, so that
    /// nobody drives out people by coming and going. Call it before a new
    /// one begins.
    #[must_use]
    pub(super) fn evict_if_full(&mut self, max: usize) -> Option<SessionId> {
        if self.by_id.len() < max {
            return None;
        }
        let (_, id) = self.disposable.first().or_else(|| self.away.first()).copied()?;
        self.remove(id);
        Some(id)
    }

    /// Forgets the sessions whose time is over; gives them. Call it again
    /// at [`Self::next_expiry`].
    #[must_use]
    pub(super) fn forget_expired(&mut self, now: Moment) -> Vec<SessionId> {
        let mut forgotten = Vec::new();
        while let Some((end, id)) = self.away.first().copied()
            && end <= now
        {
            self.remove(id);
            forgotten.push(id);
        }
        forgotten
    }

    /// When the next session will have to be forgotten.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.away.first().map(|(end, _)| *end)
    }

    /// How many are connected.
    pub(super) fn connected_count(&self) -> usize {
        self.by_id.len().saturating_sub(self.away.len())
    }

    /// Nothing is kept about anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
            && self.by_token.is_empty()
            && self.away.is_empty()
            && self.disposable.is_empty()
            && self.away_names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session that has been away since `away`; it has said something if
    /// `has_spoken`.
    fn absent(sessions: &mut Sessions, number: u64, away: Moment, has_spoken: bool) {
        let id = SessionId(number);
        let token = TokenHash([u8::try_from(number).unwrap(); 32]);
        sessions.create(id, token, Username::new(&format!("guest{number}")).unwrap());
        if has_spoken {
            sessions.get_mut(id).unwrap().dedup.submit(Reference(1), 3);
        }
        sessions.disconnect(id, Now { moment: away, time: Timestamp(0) });
    }

    /// Whoever only comes and goes does not drive out those who come back
    /// to something.
    #[test]
    fn those_with_whom_nothing_is_lost_are_forgotten_first() {
        let mut sessions = Sessions::default();
        let at = |seconds| Moment::after_start(std::time::Duration::from_secs(seconds));
        absent(&mut sessions, 1, at(1), true);
        absent(&mut sessions, 2, at(2), false);
        absent(&mut sessions, 3, at(3), false);
        absent(&mut sessions, 4, at(4), false);
        sessions.mark_worth_keeping(SessionId(2));
        assert_eq!(sessions.evict_if_full(5), None);
        let order: Vec<_> = (0..5).map(|_| sessions.evict_if_full(1).map(|it| it.0)).collect();
        assert_eq!(order[..4], [Some(3), Some(4), Some(1), Some(2)]);
        assert!(sessions.is_empty() && order[4].is_none());
    }
}
