//! Who may come in: bans at a `join` and at an `enter`.

use super::super::Hub;
use super::super::contract::Now;
use super::words;
use crate::model::{
    AddressGroup, ErrorCode, IdentityKey, Moment, NameKey, RoomName, Scope, SessionId, SharedFact,
    Username,
};
use crate::moderation::Joiner;
use crate::wire::tcp::Error;

impl Hub {
    /// Returns the ban from a room, or from the server (`None`), that applies to a user who wants
    /// to come in, or is in already. `session`: the session, or the number of the person. `key`: the
    /// key that the user has proved on this connection; the one that `session` is bound to counts as
    /// well.
    pub(in super::super) fn find_ban(
        &self,
        room: Option<&NameKey>,
        username: &Username,
        session: Option<SessionId>,
        key: Option<IdentityKey>,
        group: AddressGroup,
    ) -> Option<&SharedFact> {
        let matches_lookalikes = self.settings.refuse_lookalikes;
        let bound = session.and_then(|it| self.sessions.get(it)).and_then(|it| it.key);
        let key = key.or(bound);
        let session = self.banned_as(session, key);
        self.moderation.ban(room, &Joiner { username, session, key, group, matches_lookalikes })
    }

    /// Returns the number by which bans know a user: that of the person who has the key, under
    /// whatever name, or else that of the session.
    pub(super) fn banned_as(
        &self,
        session: Option<SessionId>,
        key: Option<IdentityKey>,
    ) -> Option<SessionId> {
        let claim = key.and_then(|it| self.moderation.claim_of(&it));
        claim.map(|it| it.person).or_else(|| session.map(|it| self.number_of(it)))
    }

    /// Returns the rooms among these from which a user is not banned.
    pub(in super::super) fn without_bans(
        &self,
        rooms: Vec<RoomName>,
        username: &Username,
        session: SessionId,
        group: AddressGroup,
    ) -> Vec<RoomName> {
        let is_open = |room: &RoomName| {
            self.find_ban(Some(room.key()), username, Some(session), None, group).is_none()
        };
        rooms.into_iter().filter(is_open).collect()
    }

    /// Returns `retry_after` and text of error 206 for a ban: why, and for how long.
    pub(in super::super) fn describe_ban(&self, ban: &SharedFact, now: Moment) -> (u32, String) {
        let left = self.deadlines.remaining(ban, now);
        let retry_after =
            left.map_or(0, |it| u32::try_from(it.as_millis()).unwrap_or(u32::MAX).max(1));
        let start = match ban.draft.action.room() {
            None => "You are banned from this server".to_owned(),
            Some(room) => format!("You are banned from room {room}"),
        };
        (retry_after, words::refused(&start, ban, left))
    }

    /// Returns error 206 for the `enter` of a session into a room; `None` if it is not banned
    /// there.
    pub(in super::super) fn refuse_banned_entry(
        &self,
        now: Moment,
        session: SessionId,
        group: AddressGroup,
        room: &str,
    ) -> Option<Error> {
        let name = RoomName::new(room).ok()?;
        let username = &self.sessions.get(session)?.username;
        let ban = self.find_ban(Some(name.key()), username, Some(session), None, group)?;
        let (retry_after, text) = self.describe_ban(ban, now);
        Some(Error { retry_after, text, ..Error::new(ErrorCode::Banned) })
    }

    /// Sends out a session that has just joined, if it was banned while its `join` was on its way.
    pub(in super::super) fn send_out_if_banned(
        &mut self,
        now: Now,
        session: SessionId,
        group: AddressGroup,
    ) {
        let ban = self
            .sessions
            .get(session)
            .and_then(|it| self.find_ban(None, &it.username, Some(session), None, group))
            .cloned();
        if let Some(ban) = ban {
            self.send_out(now, session, &Scope::Server, &ban);
        }
    }
}
