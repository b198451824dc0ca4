//! Completion of log reads: answers to the requests that waited for them.

use super::Hub;
use super::connection::{BlockedOn, PendingRead};
use super::contract::{ConnectionId, Delivery, Now, RoomId};
use super::log_contract::{ReadFailed, ReadOutcome, ReadPurpose, ReadRange, ReadTag};
use crate::model::{ErrorCode, Reference, RoomName, SessionId, SharedEntry, Target};
use crate::wire::tcp::{Accepted, End, Entered, ServerFrame, flag, kind};

impl PendingRead {
    /// Advances the range of a replay behind the page that was read, for the next page. Other reads
    /// have one page. Call it before anything is taken out of the page.
    fn advance(&mut self, page: &ReadOutcome) {
        if let ReadRange::After(after, _) = &mut self.request.range {
            let last = page.entries.last().map(|it| it.sequence);
            let last = last.max(page.removals.last().map(|it| it.sequence));
            *after = last.unwrap_or(page.head);
        }
    }

    /// Drops the waiting `accepted` frames of messages of `author` that are among `entries`: the
    /// entry itself tells the author that the message was stored.
    pub(super) fn drop_redundant_accepted(&mut self, author: SessionId, entries: &[SharedEntry]) {
        self.frames_after.retain(|frame| match frame {
            ServerFrame::Accepted(Accepted { reference }) => !entries
                .iter()
                .any(|it| it.draft.session == author && it.draft.reference == *reference),
            _ => true,
        });
    }
}

impl Hub {
    /// Handles the log's answer to a read. First starts the next waiting reads. Then answers the
    /// request that this read serves, and handles the deferred frames.
    ///
    /// If the connection is gone, only starts the next reads. If no such read is in progress,
    /// answers nothing.
    pub(super) fn handle_read_done(
        &mut self,
        now: Now,
        tag: &ReadTag,
        outcome: Result<ReadOutcome, ReadFailed>,
    ) {
        if self.finish_owner_read(tag, &outcome) || !self.finish_read(tag) {
            return;
        }
        let id = tag.connection;
        let finished = self.connections.get_mut(&id).and_then(|it| it.complete_read(&tag.purpose));
        let Some((session, mut read, welcome)) = finished else {
            return;
        };
        if let Ok(page) = &outcome
            && page.more
        {
            read.advance(page);
        }
        let outcome = outcome.map(|it| self.up_to_date(session, &read, it));
        if self.reads.is_idle() {
            self.recent_removals.clear();
        }
        if let Some(head) = read.backlog_start {
            self.backlog.end(head);
        }
        match (&tag.purpose, outcome) {
            (ReadPurpose::Join, Ok(outcome)) => {
                self.send_replay_page(now, id, session, read, welcome, outcome);
            }
            // The client reconnects, and then gets everything.
            (ReadPurpose::Join, Err(ReadFailed)) => {
                self.close_with_code(now, id, ErrorCode::Internal);
            }
            (ReadPurpose::Enter(reference, name), Ok(outcome)) => {
                self.finish_enter(id, session, *read, outcome, *reference, name);
            }
            (ReadPurpose::Enter(reference, name), Err(ReadFailed)) => {
                self.undo_enter(now, id, session, *read, *reference, name);
            }
            (ReadPurpose::History(reference), outcome) => {
                self.finish_history_or_search(id, outcome, kind::HISTORY, *reference);
            }
            (ReadPurpose::Remove(request), outcome) => {
                self.finish_removal((**request).clone(), outcome);
            }
            (ReadPurpose::Search(reference), outcome) => {
                self.finish_history_or_search(id, outcome, kind::SEARCH, *reference);
            }
        }
        self.process_deferred(now, id);
    }

    /// Brings the result of a read up to date with what was committed after the log was read:
    /// - If the read serves a `join` or `enter`, adds the requested entries. Adds them to the last
    ///   page only: the reads of later pages find them in the log.
    /// - Takes away what belongs to rooms that the session was sent out of.
    /// - Replaces the texts of messages that were removed.
    fn up_to_date(
        &self,
        session: SessionId,
        read: &PendingRead,
        mut outcome: ReadOutcome,
    ) -> ReadOutcome {
        if read.backlog_start.is_some() && !outcome.more {
            self.backlog.add_later_entries(&mut outcome.entries, outcome.head, &read.request);
        }
        if !matches!(read.purpose, ReadPurpose::Remove(_)) {
            let rooms =
                self.sessions.get(session).map(|it| it.rooms.as_slice()).unwrap_or_default();
            let is_in =
                |name: &RoomName| self.rooms.find(name).is_some_and(|it| rooms.contains(&it));
            outcome.entries.retain(|entry| match &entry.draft.target {
                Target::Room(room) => is_in(room),
                Target::Session(..) => true,
            });
            outcome.removals.retain(|it| it.draft.action.room().is_some_and(is_in));
        }
        self.recent_removals.redact(&mut outcome.entries);
        for entry in &mut outcome.entries {
            if let Some(respelled) = self.respell(entry) {
                *entry = respelled;
            }
        }
        outcome
    }

    /// Completes an `enter` whose history was read: sends `entered`, the room's history and `end`,
    /// and subscribes the connection to the room. Then sends the roster and the frames that were
    /// held back ([`PendingRead::frames_after`]), without each `accepted` whose message is in the
    /// history. If there is history, blocks the connection until the client has taken it.
    fn finish_enter(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        mut read: PendingRead,
        outcome: ReadOutcome,
        reference: Reference,
        name: &RoomName,
    ) {
        let own = self.sessions.get(session).map(|it| it.rooms.as_slice()).unwrap_or_default();
        let Some(room) = self.rooms.find(name).filter(|it| own.contains(it)) else {
            // The session was sent out meanwhile.
            self.send_request_error(id, ErrorCode::NotInRoom, kind::ENTER, reference);
            for frame in read.frames_after {
                self.send_frame(id, frame);
            }
            return;
        };
        self.send_entered(id, room, reference, &outcome.gaps);
        read.drop_redundant_accepted(session, &outcome.entries);
        self.send_entries_and_end(id, outcome.entries, flag::HISTORY, kind::ENTER, reference, 0);
        self.deliver(id, Delivery::Subscribe(room));
        self.start_presence(id, room);
        for frame in read.frames_after {
            self.send_frame(id, frame);
        }
    }

    /// Undoes an `enter` whose history could not be read: removes the session from the room, which
    /// is closed if it is empty then, and sends error `unavailable` and the frames that were held
    /// back. The client has not received `entered`.
    fn undo_enter(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        read: PendingRead,
        reference: Reference,
        name: &RoomName,
    ) {
        if let Some(room) = self.rooms.find(name) {
            self.remove_from_room(now.moment, session, room);
        }
        self.send_request_error(id, ErrorCode::Unavailable, kind::ENTER, reference);
        for frame in read.frames_after {
            self.send_frame(id, frame);
        }
    }

    /// Completes a `history` or `search` request: sends the entries and `end`, with the flag `MORE`
    /// if more entries match. If the log could not be read, sends error `unavailable`. `about`:
    /// kind number of the request.
    fn finish_history_or_search(
        &mut self,
        id: ConnectionId,
        outcome: Result<ReadOutcome, ReadFailed>,
        about: u16,
        reference: Reference,
    ) {
        let Ok(outcome) = outcome else {
            return self.send_request_error(id, ErrorCode::Unavailable, about, reference);
        };
        let more = if outcome.more { flag::MORE } else { 0 };
        let flags = flag::HISTORY | flag::REQUESTED;
        self.send_entries_and_end(id, outcome.entries, flags, about, reference, more);
    }

    /// Sends `entered` for a room, with the gap flag if the room is among `gaps`, and what else the
    /// client must know about the room. `reference`: 0 after a `join`.
    pub(super) fn send_entered(
        &mut self,
        id: ConnectionId,
        room: RoomId,
        reference: Reference,
        gaps: &[RoomName],
    ) {
        let Some(known) = self.rooms.get(room) else {
            return;
        };
        let entered = Entered {
            reference,
            room: known.name.as_str().to_owned(),
            flags: if gaps.contains(&known.name) { flag::GAP } else { 0 },
            members: known.members.count(),
        };
        self.send_frame(id, entered);
        self.send_room_state(id, room);
        self.send_read_mark(id, Some(room));
    }

    /// Sends entries to a connection. Does nothing if there are none.
    pub(super) fn send_entries(&mut self, id: ConnectionId, entries: Vec<SharedEntry>, flags: u8) {
        if !entries.is_empty() {
            self.deliver(id, Delivery::Entries { entries, flags });
        }
    }

    /// Sends the last entries of an answer, each with `flags`, and then `end`, as
    /// [`Self::send_end`] does.
    pub(super) fn send_entries_and_end(
        &mut self,
        id: ConnectionId,
        entries: Vec<SharedEntry>,
        flags: u8,
        about: u16,
        reference: Reference,
        more: u8,
    ) {
        let has_entries = !entries.is_empty();
        self.send_entries(id, entries, flags);
        self.send_end(id, has_entries, about, reference, more);
    }

    /// Sends `end` with the flags `more`. `about`: kind number of the request. `has_items`: true if
    /// the answer had entries or removals at its end. The connection is then blocked until the
    /// client has taken them (flow control), so no client can request more than it reads.
    pub(super) fn send_end(
        &mut self,
        id: ConnectionId,
        has_items: bool,
        about: u16,
        reference: Reference,
        more: u8,
    ) {
        self.send_frame(id, End { about, reference, head: self.head, flags: more });
        if has_items && let Some(connection) = self.connections.get_mut(&id) {
            connection.block_on(BlockedOn::Mark);
            self.deliver(id, Delivery::Mark);
        }
    }

    /// Sends the roster of a room in one frame, and subscribes the connection to the room's
    /// presence updates. Does nothing if the client did not negotiate presence.
    pub(super) fn start_presence(&mut self, id: ConnectionId, room: RoomId) {
        if !self.connections.get(&id).is_some_and(|it| it.wants_presence()) {
            return;
        }
        if let Some(known) = self.rooms.get_mut(room) {
            let roster = known.add_subscriber(id);
            self.send_frame(id, roster);
        }
    }
}
