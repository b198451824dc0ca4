//! Other hubs of the same log: who is connected to them, and what they have stored.
//!
//! Hubs that share a log see the same items in the same order, and agree in everything that follows
//! from these: who holds which name, who is in which room, which sessions can be resumed. A session
//! is connected to one hub at most, that of its last committed `join`. A session that is away
//! belongs to nobody: each hub frees its name and deletes it in time, and whoever is first in the log
//! has done it.
//!
//! A hub applies what it proposes about sessions at once, before the log has it. So a hub may read
//! what another one has proposed before it knew. Then the hub to which the session is connected
//! stores its record again, and the last record is right. Of its own records a hub only notes that
//! the log has them: it hands over what the log says, not what it has applied.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Hub;
use super::contract::{Now, Output};
use super::log_contract::{Proposal, StoredElsewhere};
use super::sessions::LoggedPresence;
use super::volatile::{HeldName, HubId, JoinTerms, NameHold, SharedState, VolatileDraft};
use crate::model::limits::SESSION_LIFETIME;
use crate::model::{
    Draft, ErrorCode, LogEntry, Moment, PersonReadMarks, RoomName, SessionId, SessionRecord,
    SharedEntry, Target,
};
use crate::wire::tcp::Accepted;

/// What a hub of a shared log knows about the hubs.
pub(super) struct SharedLog {
    /// This hub.
    own: HubId,
    /// Hubs that have begun and not ended, this one included.
    live: BTreeSet<HubId>,
    /// Sessions of this hub whose rooms have changed in the current input.
    moved: BTreeSet<SessionId>,
}

impl SharedLog {
    /// Creates the state of a hub that begins.
    pub(super) fn new(state: &SharedState) -> Self {
        Self { own: state.own, live: state.hubs.iter().copied().collect(), moved: BTreeSet::new() }
    }
}

impl Hub {
    /// Returns the identifier of this hub.
    fn own_hub(&self) -> HubId {
        self.shared.as_ref().map_or(HubId::ALONE, |it| it.own)
    }

    /// Returns true if hubs share the log.
    pub(super) const fn is_log_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Returns the place of this hub among those of the log: 0 if it is the oldest. What one of them
    /// has to do, the oldest does at once, and each other one later if it is not done by then.
    pub(super) fn rank(&self) -> u32 {
        let older = self.shared.as_ref().map_or(0, |it| it.live.range(..it.own).count());
        u32::try_from(older).unwrap_or(u32::MAX)
    }

    /// Returns all names that are held, at the place of the log up to which this hub has read.
    pub(crate) fn holds(&self) -> Vec<HeldName> {
        let mut holds = self.names.all_held();
        for held in &mut holds {
            let Some(known) = self.sessions.get(held.session) else { continue };
            held.is_connected = known.is_connected();
            held.record = self.sessions.to_record(held.session).map(Box::new);
            if let Some(logged) = known.logged {
                held.is_connected = logged.is_connected;
                held.record = held.record.take().map(|record| {
                    let keeps_name = logged.keeps_name;
                    Box::new(SessionRecord { keeps_name, ..*record })
                });
            }
            held.rooms = self.room_names(&known.rooms);
        }
        holds
    }

    /// Goes on from the names that are held, as another hub has handed them over.
    pub(super) fn restore_holds(&mut self, now: Moment, holds: Vec<HeldName>) {
        for held in holds {
            let HeldName { session, username, person, hold, hub, is_connected, record, rooms } =
                held;
            self.names.restore(&username, session, person, (hub, hold));
            if is_connected {
                if let Some(record) = record {
                    self.sessions.store_elsewhere(*record);
                }
                self.sessions.connect_elsewhere(session, hub, &username);
                self.set_rooms_elsewhere(now, session, &rooms);
            } else if self.sessions.get(session).is_some() {
                self.waiting_names.insert(session, None, now);
            }
        }
    }

    /// Notes what the log says of a session that is or was connected here, if hubs share the log.
    /// `keeps_name`: whether its name waits for it.
    pub(super) fn note_logged(&mut self, session: SessionId, is_connected: bool, keeps_name: bool) {
        if self.is_log_shared()
            && let Some(known) = self.sessions.get_mut(session)
        {
            known.logged = Some(LoggedPresence { is_connected, keeps_name });
        }
    }

    /// Notes that the rooms of a session of this hub have changed. The other hubs are told at the end
    /// of the input.
    pub(super) fn note_rooms_changed(&mut self, session: SessionId) {
        if let Some(shared) = &mut self.shared {
            shared.moved.insert(session);
        }
    }

    /// Tells the other hubs the rooms of the sessions whose rooms have changed. Call it after each
    /// input.
    pub(super) fn tell_changed_rooms(&mut self) {
        let Some(shared) = self.shared.as_mut().filter(|it| !it.moved.is_empty()) else {
            return;
        };
        for session in std::mem::take(&mut shared.moved) {
            let known = self.sessions.get(session).filter(|it| it.connection.is_some());
            let (Some(known), Some(hold)) = (known, self.names.number(session)) else {
                continue;
            };
            let rooms = self.room_names(&known.rooms);
            let draft = VolatileDraft::RoomsChange { session, hold, rooms };
            self.outputs.push_back(Output::Propose(Proposal::Volatile(draft)));
        }
    }

    /// Handles that another hub has begun: hands over who is here.
    pub(super) fn handle_hub_began(&mut self, hub: HubId) {
        let Some(shared) = self.shared.as_mut().filter(|it| it.own != hub) else {
            return;
        };
        shared.live.insert(hub);
        let handed_over = Proposal::HandOver { to: hub, holds: self.holds() };
        self.outputs.push_back(Output::Propose(handed_over));
    }

    /// Handles that another hub has ended: its sessions are away from now on. Their names wait or
    /// are free, as if they had lost their connections. All hubs do that at this place of the log;
    /// the oldest one stores the records.
    pub(super) fn handle_hub_ended(&mut self, now: Now, hub: HubId) {
        let Some(shared) = self.shared.as_mut().filter(|it| it.own != hub) else {
            return;
        };
        shared.live.remove(&hub);
        let is_oldest = self.rank() == 0;
        for session in self.sessions.connected_to(hub) {
            self.leave_all_rooms(now.moment, session);
            let keeps_name = self.sessions.get(session).is_some_and(|it| it.keeps_name());
            self.sessions.disconnect(session, now, keeps_name);
            self.settle_name_elsewhere(now.moment, session);
            if !keeps_name {
                self.names.remove(session);
            }
            if is_oldest {
                self.persist_session(session);
            }
        }
    }

    /// Handles that a session has begun or was resumed at another hub: it is connected there from now
    /// on. If it was connected here, closes that connection with error `replaced`.
    pub(super) fn move_session_elsewhere(
        &mut self,
        now: Now,
        session: SessionId,
        hub: HubId,
        terms: &JoinTerms,
    ) {
        match self.sessions.get(session).map(|it| it.connection) {
            Some(Some(id)) => self.close_replaced_connection(now.moment, id),
            Some(None) => {}
            None => self.sessions.create(session, terms.token, terms.username.clone()),
        }
        self.leave_all_rooms(now.moment, session);
        self.waiting_names.remove(session);
        self.sessions.bind(session, terms.key);
        self.sessions.set_keeps_name(session, terms.keeps_name);
        self.sessions.connect_elsewhere(session, hub, &terms.username);
    }

    /// Sets the rooms of a session that is connected to another hub. Does nothing if it is not.
    pub(super) fn set_rooms_elsewhere(
        &mut self,
        now: Moment,
        session: SessionId,
        rooms: &[RoomName],
    ) {
        let Some(known) = self.sessions.get(session).filter(|it| it.elsewhere().is_some()) else {
            return;
        };
        let (username, before) = (known.username.clone(), known.rooms.clone());
        let mut after = Vec::new();
        for name in rooms {
            let room = self.rooms.find(name).unwrap_or_else(|| self.rooms.open(name, None));
            if !before.contains(&room) && !after.contains(&room) {
                self.rooms.add_member(room, &username, now);
            }
            after.push(room);
        }
        for room in before {
            if !after.contains(&room) {
                self.rooms.remove_member(room, &username, now);
                self.close_if_empty(room, now);
            }
        }
        if let Some(known) = self.sessions.get_mut(session) {
            known.rooms = after;
        }
    }

    /// Handles what another hub has stored.
    pub(super) fn handle_stored_elsewhere(&mut self, now: Now, stored: StoredElsewhere) {
        match stored {
            StoredElsewhere::Session(hub, record) => self.handle_record_elsewhere(now, hub, record),
            StoredElsewhere::SessionDeleted(hub, session) => {
                self.handle_deletion_elsewhere(now, hub, session);
            }
            StoredElsewhere::MessageRefused(session, reference) => {
                if let Some(known) = self.sessions.get_mut(session) {
                    known.dedup.mark_refused(reference);
                }
            }
            StoredElsewhere::MessageKnown(session, reference) => {
                let known = self.sessions.get_mut(session);
                if known.is_some_and(|it| it.dedup.accept_in_flight(reference)) {
                    self.send_to_session(session, Accepted { reference });
                }
            }
            StoredElsewhere::ReadMarks(marks) => self.take_over_read_marks(marks),
        }
    }

    /// Handles a record that is stored. If this hub has proposed it, notes only that the log says so
    /// now. Otherwise adds or updates the session. Ignores the record if the session is connected to a
    /// third hub, which stores it again. So does this hub if the session is connected here. Ignores the
    /// record of a session that is away and not known: it was deleted.
    fn handle_record_elsewhere(&mut self, now: Now, hub: HubId, record: SessionRecord) {
        let session = record.session;
        if hub == self.own_hub() {
            if self.sessions.get(session).is_some_and(|it| it.logged.is_some()) {
                self.note_logged(session, record.away_since.is_none(), record.keeps_name);
            }
            return;
        }
        if let Some(known) = self.sessions.get(session) {
            if known.connection.is_some() {
                return self.persist_session(session);
            }
            if known.elsewhere().is_some_and(|it| it != hub) {
                return;
            }
        } else if record.away_since.is_some() {
            return;
        }
        let (username, away_since) = (record.username.clone(), record.away_since);
        self.sessions.store_elsewhere(record);
        let Some(since) = away_since else {
            self.sessions.connect_elsewhere(session, hub, &username);
            return;
        };
        self.leave_all_rooms(now.moment, session);
        let left = SESSION_LIFETIME.saturating_sub(since.until(now.time));
        self.sessions.set_away(session, since, now.moment + left);
        self.settle_name_elsewhere(now.moment, session);
    }

    /// Lets the name of a session that is away wait for it if the session keeps it and holds it.
    /// Otherwise no name waits for the session.
    fn settle_name_elsewhere(&mut self, now: Moment, session: SessionId) {
        let keeps_name = self.sessions.get(session).is_some_and(|it| it.keeps_name());
        if !keeps_name || self.names.number(session).is_none() {
            self.waiting_names.remove(session);
        } else if self.waiting_names.remaining(session, now).is_none() {
            self.waiting_names.insert(session, None, now);
        }
    }

    /// Handles that a session is deleted: forgets it and frees its name, unless it is connected to a
    /// hub that has not deleted it. If it is connected here, stores its record again.
    fn handle_deletion_elsewhere(&mut self, now: Now, hub: HubId, session: SessionId) {
        if let Some(known) = self.sessions.get(session) {
            if known.connection.is_some() {
                return self.persist_session(session);
            }
            if known.elsewhere().is_some_and(|it| it != hub) {
                return;
            }
            self.leave_all_rooms(now.moment, session);
            self.sessions.disconnect(session, now, false);
            self.sessions.forget(session);
        }
        self.waiting_names.remove(session);
        self.names.remove(session);
    }

    /// Handles the committed release of a name, which this hub or another one has proposed. Does
    /// nothing if the session has another hold meanwhile.
    ///
    /// Another hub may have freed a name that waited there although the session had come back here:
    /// this hub was cut off for so long. Then closes the connection: the client comes back, and asks
    /// for the name again.
    pub(super) fn handle_name_released(&mut self, now: Now, session: SessionId, hold: NameHold) {
        if self.names.number(session) != Some(hold) {
            return;
        }
        let connection = self.sessions.get(session).and_then(|it| it.connection);
        if let Some(id) = connection {
            self.close_with_code(now, id, ErrorCode::Internal);
        }
        self.names.remove(session);
        if self.waiting_names.remove(session) {
            self.sessions.set_keeps_name(session, false);
            if connection.is_some() {
                self.persist_session(session);
            }
        }
    }

    /// Takes over read marks that another hub has stored, and tells the devices of these persons.
    fn take_over_read_marks(&mut self, stored: Vec<PersonReadMarks>) {
        for PersonReadMarks { person, marks } in stored {
            let changed = self.read_marks.take_over(person, marks);
            for room in changed {
                let room = room.map(|key| self.rooms.find_by_key(&key));
                match room {
                    None => self.tell_read_mark(person, None, None),
                    Some(Some(room)) => self.tell_read_mark(person, Some(room), None),
                    Some(None) => {}
                }
            }
        }
    }

    /// Returns an entry with the name of its room in the spelling of this hub. `None` if the entry has
    /// that already, or the room is not open. Hubs may have opened the room at the same time, and
    /// spelled it in different ways.
    pub(super) fn respell(&self, entry: &SharedEntry) -> Option<SharedEntry> {
        self.shared.as_ref()?;
        let Target::Room(name) = &entry.draft.target else { return None };
        let room = self.rooms.find(name).and_then(|it| self.rooms.get(it))?;
        if room.name.as_str() == name.as_str() {
            return None;
        }
        let target = Target::Room(room.name.clone());
        let draft = Draft { target, ..entry.draft.clone() };
        Some(Arc::new(LogEntry { draft, ..**entry }))
    }

    /// Returns the names of open rooms.
    fn room_names(&self, rooms: &[super::RoomId]) -> Vec<RoomName> {
        rooms.iter().filter_map(|it| self.rooms.get(*it)).map(|it| it.name.clone()).collect()
    }
}

/// Sessions that are connected to other hubs, by hub. No set is empty.
#[derive(Default)]
pub(super) struct ConnectedElsewhere(HashMap<HubId, BTreeSet<SessionId>>);

impl ConnectedElsewhere {
    /// Adds a session.
    pub(super) fn insert(&mut self, hub: HubId, session: SessionId) {
        self.0.entry(hub).or_default().insert(session);
    }

    /// Removes a session.
    pub(super) fn remove(&mut self, hub: HubId, session: SessionId) {
        if let Some(sessions) = self.0.get_mut(&hub) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.0.remove(&hub);
            }
        }
    }

    /// Returns the sessions that are connected to a hub.
    pub(super) fn of(&self, hub: HubId) -> Vec<SessionId> {
        self.0.get(&hub).into_iter().flatten().copied().collect()
    }

    /// Returns the number of sessions.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}

/// What must be equal in all hubs that have read the same items of a log and have nothing on its way
/// there.
#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StateOfTheLog {
    /// Names that are held.
    holds: Vec<HeldName>,
    /// Session records, without the time of the disconnection: whether it is away.
    sessions: std::collections::BTreeMap<SessionId, (bool, SessionRecord)>,
    /// Fold of the facts.
    moderation: crate::moderation::ModerationState,
    /// Members of the open rooms, by name.
    rooms: std::collections::BTreeMap<String, std::collections::BTreeMap<String, u32>>,
}

#[cfg(test)]
impl Hub {
    /// Returns what must be equal in all hubs.
    pub(crate) fn state_of_the_log(&self) -> StateOfTheLog {
        let records = self.sessions.iter().filter_map(|(id, known)| {
            let record = self.sessions.to_record(*id)?;
            let is_away = !known.is_connected();
            Some((*id, (is_away, SessionRecord { away_since: None, ..record })))
        });
        let members = |room: &super::rooms::Room| {
            let counts = room.members.session_counts().into_iter();
            counts.map(|(key, count)| (format!("{key:?}"), count)).collect()
        };
        let rooms = self.rooms.iter().map(|it| (format!("{:?}", it.name.key()), members(it)));
        StateOfTheLog {
            holds: self.holds(),
            sessions: records.collect(),
            moderation: self.moderation.clone(),
            rooms: rooms.collect(),
        }
    }
}
