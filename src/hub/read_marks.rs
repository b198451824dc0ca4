//! Read marks: what a person has read on one device, the others need not show as unread
//! (`docs/protocol/identity.md`, "Read marks").
//!
//! The last writer wins. The marks are no part of the log's order: the hub keeps them in memory,
//! and proposes to store them at most once in [`WRITE_INTERVAL`] and when the server stops.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::contract::{ConnectionId, Output};
use super::log_contract::Proposal;
use super::{Hub, RoomId};
use crate::model::limits::{MAX_READ_MARKS, MAX_READ_MARKS_OF_PERSON};
use crate::model::{
    ErrorCode, Moment, NameKey, PersonReadMarks, ReadMark, Reference, Sequence, SessionId,
};
use crate::wire::tcp::{MarkRead, ReadMark as ReadMarkFrame, feature, kind};

/// Time from the first change of a mark until the marks are stored: changes within this time share
/// one write.
const WRITE_INTERVAL: Duration = Duration::from_secs(60);

/// Read marks of all persons.
#[derive(Debug, Default)]
pub(super) struct ReadMarks {
    /// Marks by the number of the person, and when they changed last.
    by_person: BTreeMap<SessionId, Marks>,
    /// Persons with marks, by the last change of their marks.
    by_change: BTreeSet<(u64, SessionId)>,
    /// Number of all marks.
    count: usize,
    /// Number of changes so far: the time scale of `by_change`.
    changes: u64,
    /// Persons whose marks are not stored as they are.
    unwritten: BTreeSet<SessionId>,
    /// Moment of the next write; `None` if everything is stored.
    write_at: Option<Moment>,
}

/// Read marks of one person.
#[derive(Debug, Default)]
struct Marks {
    /// The marks; the one that was set last comes last.
    marks: Vec<ReadMark>,
    /// Number of the last change.
    changed: u64,
}

impl ReadMarks {
    /// Returns how far a person has read a room, or their direct messages (`None`). `None` if they
    /// have not said.
    fn get(&self, person: SessionId, room: Option<&NameKey>) -> Option<Sequence> {
        let marks = &self.by_person.get(&person)?.marks;
        marks.iter().find(|it| it.room.as_ref() == room).map(|it| it.sequence)
    }

    /// Sets a mark. Beyond [`MAX_READ_MARKS_OF_PERSON`], the person's mark that was set longest ago
    /// is forgotten; beyond [`MAX_READ_MARKS`], those of the person who has set none for longest.
    fn set(&mut self, person: SessionId, mark: ReadMark) {
        self.changes += 1;
        let marks = self.by_person.entry(person).or_default();
        self.by_change.remove(&(marks.changed, person));
        marks.changed = self.changes;
        self.by_change.insert((marks.changed, person));
        self.count -= marks.marks.len();
        marks.marks.retain(|it| it.room != mark.room);
        if marks.marks.len() >= MAX_READ_MARKS_OF_PERSON {
            marks.marks.remove(0);
        }
        marks.marks.push(mark);
        self.count += marks.marks.len();
        self.unwritten.insert(person);
        while self.count > MAX_READ_MARKS
            && let Some((_, idle)) = self.by_change.first().copied()
        {
            self.remove(idle);
            self.unwritten.insert(idle);
        }
    }

    /// Takes over the marks of a person that another hub has stored, except those that have changed
    /// here since the last write. Returns the rooms whose marks have changed by that; `None`: the
    /// direct messages.
    pub(super) fn take_over(
        &mut self,
        person: SessionId,
        marks: Vec<ReadMark>,
    ) -> Vec<Option<NameKey>> {
        if self.unwritten.contains(&person) {
            return Vec::new();
        }
        if marks.is_empty() {
            self.remove(person);
        }
        let is_new = |it: &ReadMark| self.get(person, it.room.as_ref()) != Some(it.sequence);
        let changed: Vec<_> = marks.into_iter().filter(is_new).collect();
        let rooms = changed.iter().map(|it| it.room.clone()).collect();
        for mark in changed {
            self.set(person, mark);
        }
        self.unwritten.remove(&person);
        rooms
    }

    /// Takes over stored marks, which count as stored as they are. The order in which they were set
    /// is not stored: the persons are taken in the order of their highest marks, so that beyond
    /// [`MAX_READ_MARKS`], the lowest go first. Returns the persons whose marks were forgotten so.
    ///
    /// `head`: the log's head. A crash may have taken the end of the log: a mark above the head
    /// counts as the head.
    fn restore(&mut self, mut stored: Vec<PersonReadMarks>, head: Sequence) -> Vec<SessionId> {
        stored.sort_by_key(|it| it.marks.iter().map(|it| it.sequence).max());
        for PersonReadMarks { person, marks } in stored {
            for mark in marks {
                let sequence = mark.sequence.min(head);
                self.set(person, ReadMark { sequence, ..mark });
            }
        }
        let mut changed = std::mem::take(&mut self.unwritten);
        changed.retain(|it| !self.by_person.contains_key(it));
        changed.into_iter().collect()
    }

    /// Removes the marks of a person. Returns true if there were any, or if what is stored is not
    /// as it should be.
    fn remove(&mut self, person: SessionId) -> bool {
        let was_unwritten = self.unwritten.remove(&person);
        let Some(removed) = self.by_person.remove(&person) else {
            return was_unwritten;
        };
        self.by_change.remove(&(removed.changed, person));
        self.count -= removed.marks.len();
        true
    }

    /// Starts the timer of the next write, if it does not run.
    fn schedule_write(&mut self, now: Moment) {
        self.write_at.get_or_insert(now + WRITE_INTERVAL);
    }

    /// Returns the moment of the next write; `None` if everything is stored.
    pub(super) const fn next_write(&self) -> Option<Moment> {
        self.write_at
    }

    /// Returns the marks that are not stored as they are, which count as stored from now on.
    fn take_unwritten(&mut self) -> Vec<PersonReadMarks> {
        self.write_at = None;
        let to_store = |person| {
            let marks = self.by_person.get(&person).map(|it| it.marks.clone()).unwrap_or_default();
            PersonReadMarks { person, marks }
        };
        std::mem::take(&mut self.unwritten).into_iter().map(to_store).collect()
    }
}

impl Hub {
    /// Takes over the marks that were stored before the start, up to [`MAX_READ_MARKS`]. Those of
    /// persons whose claims have ended are forgotten. Proposes to delete what is not taken over.
    pub(super) fn restore_read_marks(&mut self, stored: Vec<PersonReadMarks>) {
        let is_claimed =
            |it: &PersonReadMarks| self.moderation.claim_of_person(it.person).is_some();
        let (kept, ended): (Vec<_>, Vec<_>) = stored.into_iter().partition(is_claimed);
        let forgotten = self.read_marks.restore(kept, self.head);
        let without_marks = ended.iter().map(|it| it.person).chain(forgotten);
        let without_marks =
            without_marks.map(|person| PersonReadMarks { person, marks: Vec::new() });
        self.propose_read_marks(without_marks.collect());
    }

    /// Handles `mark_read`: notes how far the person has read, and tells the other devices. Has no
    /// effect for a session that is not one of a person, and answers with error `not_in_room` if the
    /// session is not in the room. A sequence above the log's head counts as the head.
    pub(super) fn handle_mark_read(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        frame: &MarkRead,
    ) {
        let Some(person) = self.person_of(session) else {
            return;
        };
        let room = self.joined_room(session, &frame.room);
        if room.is_none() && !frame.room.is_empty() {
            let code = ErrorCode::NotInRoom;
            return self.send_request_error(id, code, kind::MARK_READ, Reference::NONE);
        }
        let key = room.and_then(|it| self.rooms.get(it)).map(|it| it.name.key().clone());
        let sequence = frame.sequence.min(self.head);
        if self.read_marks.get(person, key.as_ref()) == Some(sequence) {
            return;
        }
        self.read_marks.set(person, ReadMark { room: key, sequence });
        self.read_marks.schedule_write(now);
        self.tell_read_mark(person, room, Some(session));
    }

    /// Tells the devices of a person how far they have read a room, or their direct messages (`None`).
    /// `except`: the session that knows it.
    pub(super) fn tell_read_mark(
        &mut self,
        person: SessionId,
        room: Option<RoomId>,
        except: Option<SessionId>,
    ) {
        for other in self.sessions_known_by(person) {
            let known = self.sessions.get(other).filter(|_| Some(other) != except);
            let is_there = known.is_some_and(|it| room.is_none_or(|room| it.rooms.contains(&room)));
            let connection = known.and_then(|it| it.connection).filter(|_| is_there);
            if let Some(frame) = connection.and_then(|it| self.read_mark_frame(it, other, room)) {
                self.send_to_session(other, frame);
            }
        }
    }

    /// Tells a client how far its user has read a room, or their direct messages (`None`), if that
    /// is known.
    pub(super) fn send_read_mark(&mut self, id: ConnectionId, room: Option<RoomId>) {
        let session = self.connections.get(&id).and_then(|it| it.session());
        if let Some(frame) = session.and_then(|it| self.read_mark_frame(id, it, room)) {
            self.send_frame(id, frame);
        }
    }

    /// Builds the `read_mark` for the client of a session. `None` if its client has not the feature
    /// `read_marks`, if it is not one of a person, or if there is no mark.
    fn read_mark_frame(
        &self,
        id: ConnectionId,
        session: SessionId,
        room: Option<RoomId>,
    ) -> Option<ReadMarkFrame> {
        let features = self.connections.get(&id)?.features;
        let person = self.person_of(session).filter(|_| features & feature::READ_MARKS != 0)?;
        let name = match room {
            Some(room) => Some(&self.rooms.get(room)?.name),
            None => None,
        };
        let sequence = self.read_marks.get(person, name.map(|it| it.key()))?;
        let room = name.map_or_else(String::new, |it| it.as_str().to_owned());
        Some(ReadMarkFrame { room, sequence })
    }

    /// Forgets the marks of a person whose claim has ended, and proposes to delete them.
    pub(super) fn forget_read_marks(&mut self, person: SessionId) {
        if self.read_marks.remove(person) {
            self.propose_read_marks(vec![PersonReadMarks { person, marks: Vec::new() }]);
        }
    }

    /// Proposes to store the marks that have changed, if that is due.
    pub(super) fn keep_due_read_marks(&mut self, now: Moment) {
        if self.read_marks.next_write().is_some_and(|at| at <= now) {
            self.keep_read_marks();
        }
    }

    /// Proposes to store the marks that have changed.
    pub(super) fn keep_read_marks(&mut self) {
        let unwritten = self.read_marks.take_unwritten();
        self.propose_read_marks(unwritten);
    }

    /// Proposes to store all marks of these persons. Does nothing if there are no persons.
    fn propose_read_marks(&mut self, marks: Vec<PersonReadMarks>) {
        if !marks.is_empty() {
            self.outputs.push_back(Output::Propose(Proposal::KeepReadMarks(marks)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a mark in the room with this number; 0: of the direct messages.
    fn mark(room: usize, sequence: u64) -> ReadMark {
        let room = (room > 0).then(|| NameKey::of(&format!("room{room}")));
        ReadMark { room, sequence: Sequence(sequence) }
    }

    /// A person's oldest mark goes first, and with too many marks in all, those of the person who
    /// has set none for longest; the numbers that bound the memory stay right.
    #[test]
    fn oldest_marks_are_forgotten() {
        let mut marks = ReadMarks::default();
        let person = SessionId;
        for room in 0..=MAX_READ_MARKS_OF_PERSON {
            marks.set(person(1), mark(room, 5));
            marks.set(person(1), mark(1, 6));
        }
        assert_eq!(marks.count, MAX_READ_MARKS_OF_PERSON);
        assert_eq!(marks.get(person(1), None), None);
        assert_eq!(marks.get(person(1), mark(1, 0).room.as_ref()), Some(Sequence(6)));
        let persons = MAX_READ_MARKS as u64 + 10;
        for number in 2..=persons {
            marks.set(person(number), mark(0, number));
            marks.set(person(2), mark(1, number));
        }
        assert!(marks.count <= MAX_READ_MARKS);
        let count: usize = marks.by_person.values().map(|it| it.marks.len()).sum();
        assert_eq!((count, marks.by_person.len()), (marks.count, marks.by_change.len()));
        assert!(!marks.by_person.contains_key(&person(1)));
        assert_eq!(marks.get(person(2), None), Some(Sequence(2)));
        assert_eq!(marks.get(person(persons), None), Some(Sequence(persons)));
        let forgotten = marks.take_unwritten().into_iter().find(|it| it.person == person(1));
        assert_eq!(forgotten.unwrap().marks, []);
        for number in 2..=persons {
            marks.remove(person(number));
        }
        assert_eq!((marks.count, marks.by_change.len()), (0, 0));
    }

    /// After a restart, the person whose highest mark is the lowest counts as the one who has set
    /// none for longest, whatever their number. Who is forgotten is told: their marks are still
    /// stored.
    #[test]
    fn lowest_marks_are_forgotten_after_a_restart() {
        let of = |number: u64, marks: &[ReadMark]| PersonReadMarks {
            person: SessionId(number),
            marks: marks.to_vec(),
        };
        let count = MAX_READ_MARKS as u64;
        let head = Sequence(2 * count + 10);
        // The marks of persons with lower numbers are higher; the first person has two.
        let mut stored = vec![of(1, &[mark(0, 2), mark(1, u64::MAX)])];
        stored.extend((2..=count + 1).map(|it| of(it, &[mark(0, 2 * count - it)])));
        let mut marks = ReadMarks::default();
        assert_eq!(marks.restore(stored, head), [SessionId(count), SessionId(count + 1)]);
        assert_eq!((marks.count, marks.take_unwritten().len()), (MAX_READ_MARKS, 0));
        assert_eq!(marks.get(SessionId(1), mark(1, 0).room.as_ref()), Some(head));
        marks.set(SessionId(count - 1), mark(0, 1));
        marks.set(SessionId(count), mark(0, 1));
        let forgotten: Vec<SessionId> = marks
            .take_unwritten()
            .into_iter()
            .filter(|it| it.marks.is_empty())
            .map(|it| it.person)
            .collect();
        assert_eq!(forgotten, [SessionId(count - 2)], "the one before has set a mark since");
    }
}
