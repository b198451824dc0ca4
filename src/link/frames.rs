//! Handling of frames received from the server: `docs/protocol/tcp.md`, sections 15 and 16.

use super::contract::SavedSession;
use super::cursor::Novelty;
#[cfg(feature = "ui")]
use super::known_persons::Author;
use super::pending::PendingRequest;
use super::search::collect;
use super::{Link, Phase};
use crate::model::{
    ChatCommand, DirectMessage, Event, JoinedServer, LinkSentence, LogId, Message, Moment, NameKey,
    Reference, RequestTag, Retention, RoomSelector, Sequence, SessionId, Style, Timestamp,
};
use crate::wire::tcp::{
    Decoded, DirectEntry, End, Entered, Entry, Left, Pong, Presence, Roster, ServerFrame,
    ServerHello, VERSION, Welcome, flag, kind,
};

/// Number of member names at which the link requests no further page of a `members` answer. The
/// names of the page just received do not count. This bounds memory.
const MAX_COLLECTED_MEMBERS: usize = 50_000;

impl Link {
    /// Handles a received frame. Ignores it if there is no connection, or if its kind is not
    /// allowed in the current phase. Ends the link if an allowed frame is malformed.
    pub(super) fn on_received(&mut self, now: Moment, received: Decoded<ServerFrame>) {
        if !self.is_connected() {
            return;
        }
        match received {
            // A frame that is not allowed now is ignored even if it is malformed.
            Decoded::Ignored => {}
            Decoded::Malformed(kind) if kind != 0 && !self.is_allowed_in_phase(kind) => {}
            Decoded::Malformed(kind) => {
                self.end_with_protocol_error(LinkSentence::FrameUnreadable { kind }.into());
            }
            Decoded::Frame(frame) => {
                if self.is_allowed_in_phase(frame.kind()) {
                    self.on_frame(now, frame);
                }
            }
        }
    }

    /// Returns true if a frame of this kind is allowed in the current phase, by the state table of
    /// section 16. A kind that the table does not restrict is always allowed.
    const fn is_allowed_in_phase(&self, kind: u16) -> bool {
        match kind {
            kind::SERVER_HELLO => matches!(self.phase, Phase::AwaitingHello { .. }),
            kind::WELCOME => matches!(self.phase, Phase::AwaitingWelcome { .. }),
            kind::ENTERED..=kind::ACCEPTED | kind::DONE..=kind::SANCTIONED => {
                matches!(self.phase, Phase::Replaying | Phase::Live)
            }
            _ => true,
        }
    }

    /// Dispatches a frame that is allowed in the current phase to its handler.
    fn on_frame(&mut self, now: Moment, frame: ServerFrame) {
        match frame {
            ServerFrame::Ping(ping) => self.send(Pong { token: ping.token }),
            ServerFrame::Pong(_) => {}
            ServerFrame::ServerHello(hello) => self.on_hello(now, hello),
            ServerFrame::Welcome(welcome) => self.on_welcome(now, welcome),
            ServerFrame::Entered(entered) => self.on_entered(now, &entered),
            ServerFrame::Entry(entry) => self.on_entry(now, entry),
            ServerFrame::DirectEntry(entry) => self.on_direct(now, entry),
            ServerFrame::End(end) => self.on_end(now, end),
            ServerFrame::Left(left) => self.on_left(now, left),
            ServerFrame::Roster(roster) => self.on_roster(now, roster),
            ServerFrame::Presence(presence) => self.on_presence(presence),
            ServerFrame::Accepted(accepted) => self.on_accepted(now, accepted.reference),
            ServerFrame::Notice(notice) => {
                self.emit(Event::Notice { code: notice.code, text: notice.text.into() });
            }
            ServerFrame::Error(error) => self.on_error(now, error),
            ServerFrame::Done(done) => self.on_done(now, &done),
            ServerFrame::Removed(removed) => self.on_removed(removed),
            ServerFrame::TopicChanged(topic) => self.on_topic_changed(topic),
            ServerFrame::RoomModes(modes) => self.on_room_modes(modes),
            ServerFrame::RoleChanged(changed) => self.on_role_changed(changed),
            ServerFrame::SanctionsList(list) => self.on_sanctions_list(now, list),
            ServerFrame::Rooms(list) => self.on_rooms(now, list),
            ServerFrame::ReadMark(mark) => self.on_read_mark(mark),
            ServerFrame::Sanctioned(sanctioned) => self.on_sanctioned(sanctioned),
        }
    }

    /// Handles `server_hello`. Records features and program of the server, then sends `join` and
    /// enters [`Phase::AwaitingWelcome`]. If there is no common version, ends the link instead.
    fn on_hello(&mut self, now: Moment, hello: ServerHello) {
        let ServerHello { version, min_version, max_version, .. } = hello;
        self.phase = Phase::AwaitingWelcome { since: now };
        self.features = hello.features;
        self.server_program = format!("{} {}", hello.server_program, hello.server_version);
        if version != VERSION && version != 0 {
            self.end_with_protocol_error(LinkSentence::VersionUnknown { version }.into());
        } else if version == 0 {
            let (min, max, own) = (min_version, max_version, VERSION);
            self.end_with_protocol_error(LinkSentence::NoCommonVersion { min, max, own }.into());
        } else {
            self.send_join();
        }
    }

    /// Handles `welcome`: the join has succeeded. Adopts the log and the session, and marks all
    /// requests as unsent. Persists the new token, and reports the join and the rooms from which
    /// the user is banned. Enters [`Phase::Replaying`].
    fn on_welcome(&mut self, now: Moment, welcome: Welcome) {
        let session_kept = welcome.flags & flag::SESSION_KEPT != 0;
        let position_kept = welcome.flags & flag::POSITION_KEPT != 0;
        let knows_log = self.cursor.log_id().is_some() || self.preserved_position.is_some();
        if !knows_log && !session_kept {
            // A session that was saved without a position may be of another log. There, its number
            // can be that of another user.
            self.own_sessions.clear();
        }
        let log_changed = self.adopt_log(welcome.log_id, position_kept);
        self.pending.begin_session(session_kept, log_changed, welcome.last_reference);
        self.renew_marks(log_changed);
        if self.welcome.as_ref().is_some_and(|it| it.username != welcome.username) {
            self.own_person = None;
        }
        self.own_sessions.retain(|it| *it != welcome.session);
        self.own_sessions.push(welcome.session);
        self.saved = Some(SavedSession {
            token: welcome.token,
            session: welcome.session,
            position: None,
            rooms: Vec::new(),
            password_required: self.password_required,
        });
        self.sends_position = self.settings.observe;
        // Persists the rooms from before the join: the rooms of the `welcome` count after the
        // replay.
        self.persist();
        self.backoff.record_join(now);
        self.phase = Phase::Replaying;
        self.emit(Event::JoinedServer(JoinedServer {
            session: welcome.session,
            username: welcome.username.clone(),
            server_name: welcome.server_name.clone(),
            server_program: self.server_program.clone(),
            rooms: welcome.rooms.clone(),
            time: welcome.time,
            max_text: welcome.max_text,
            is_durable: welcome.flags & flag::DURABLE != 0,
            retention: Retention {
                days: welcome.keep_days,
                messages: welcome.keep_messages,
                bytes: welcome.keep_bytes,
            },
            session_kept,
            position_kept,
            log_changed,
        }));
        self.report_rooms_left_out(&welcome.rooms);
        self.welcome = Some(welcome);
        self.forget_marks_of_left_rooms();
    }

    /// Adopts the log of a `welcome`, and starts the replay in the cursor. Returns true if another
    /// log was known before. In that case discards the preserved position, the pins, the
    /// acknowledged messages and the own session numbers. Pending requests that name a session or a
    /// message of the former log will be refused. If the position was not kept, also forgets which
    /// messages were removed.
    ///
    /// Compares the log also with that of the preserved position, because without
    /// [`super::Settings::observe`] the cursor of a new process knows no log.
    fn adopt_log(&mut self, log: LogId, position_kept: bool) -> bool {
        let position_sent = self.sends_position && self.cursor.position().is_some();
        let changed = self.cursor.on_welcome(log, position_sent, position_kept)
            || self.preserved_position.as_ref().is_some_and(|(it, _)| it.log_id != log);
        if position_sent && !position_kept {
            // The log may have lost its end, and may give the same sequences to other messages.
            self.removed_messages.clear();
        }
        if changed {
            self.preserved_position = None;
            self.pending.mark_former_log(&self.pinned_sessions);
            self.pinned_sessions.clear();
            self.accepted_messages.clear();
            self.removed_messages.clear();
            self.own_sessions.clear();
            self.own_person = None;
        }
        changed
    }

    /// Handles `entered`. Reports the room as entered, with the tag of the `enter` request that the
    /// frame answers, if any. That request stays pending until its `end`. Reports a gap if the
    /// server announces one.
    ///
    /// A gap before the room's next entry is reported only if the replay continues from the
    /// client's position in this room. Otherwise entries may be missing: those from before the
    /// client entered, or those before the recent history.
    fn on_entered(&mut self, now: Moment, entered: &Entered) {
        let position_kept =
            self.welcome.as_ref().is_some_and(|it| it.flags & flag::POSITION_KEPT != 0);
        if self.phase == Phase::Live || !position_kept || self.has_left_all_rooms() {
            self.cursor.suppress_next_gap(&entered.room);
        }
        let tag = if entered.reference == Reference::NONE {
            RequestTag::default()
        } else {
            self.record_answer(now);
            self.pending.set_room_spelling(entered.reference, &entered.room).unwrap_or_default()
        };
        self.emit(Event::Entered { tag, room: entered.room.clone(), members: entered.members });
        if entered.flags & flag::GAP != 0 {
            self.cursor.suppress_next_gap(&entered.room);
            self.emit(Event::Gap { room: entered.room.clone() });
        }
    }

    /// Handles `entry`, a message in a room. If a search requested the entry, only adds it to the
    /// results of that search. An answer to `history` is reported. Any other entry is reported if
    /// it was not shown before, with a gap before the entry, if any, and a write of the session is
    /// scheduled. If it was shown before, and is known to be removed only now, the removal is
    /// reported. Acknowledges the pending message that the entry echoes.
    fn on_entry(&mut self, now: Moment, entry: Entry) {
        let (session, reference, previous) = (entry.session, entry.reference, entry.previous);
        let message = self.message_of(entry);
        let (sequence, time) = (message.sequence, message.time);
        let is_news = !message.requested
            && message.style == Style::REMOVED
            && self.removed_messages.insert(sequence);
        let verdict = if message.requested {
            if let Some(item) = self.pending.current_search() {
                return collect(item, message);
            }
            self.cursor.on_requested_entry(&message.room, sequence);
            Novelty::New { gap: false }
        } else {
            self.schedule_persist(now);
            self.cursor.on_entry(&message.room, sequence, previous)
        };
        let tag = self.take_answered_message(now, session, reference);
        if verdict == (Novelty::New { gap: true }) {
            self.emit(Event::Gap { room: message.room.clone() });
        }
        let is_new = verdict != Novelty::Duplicate;
        #[cfg(feature = "ui")]
        if is_new && !message.own && !message.history && !message.requested {
            let person = message.person.unwrap_or_default();
            self.report_new_holder(&message.from, Author { session, person });
        }
        if is_new && (message.requested || !self.was_shown_when_accepted(session, reference)) {
            let tag = tag.clone().unwrap_or_default();
            self.emit(Event::Message(Message { tag, ..message }));
        } else if is_news {
            self.report_removal(message.room, sequence);
        }
        self.emit_acknowledgement(tag, (sequence, time));
    }

    /// Returns true if this client sent the message with this session and reference, and showed it
    /// when `accepted` came.
    fn was_shown_when_accepted(&self, session: SessionId, reference: Reference) -> bool {
        self.own_sessions.contains(&session) && self.accepted_messages.contains(session, reference)
    }

    /// Converts an entry to a message for the user interface, without a tag.
    fn message_of(&mut self, entry: Entry) -> Message {
        Message {
            own: self.is_own(entry.session, entry.person, &entry.username),
            person: known_person(entry.person),
            sequence: entry.sequence,
            time: entry.time,
            room: entry.room,
            session: entry.session,
            from: entry.username,
            style: Style(entry.style),
            text: entry.text,
            history: entry.flags & flag::HISTORY != 0,
            requested: entry.flags & flag::REQUESTED != 0,
            late: false,
            lamport: None,
            tag: RequestTag::default(),
        }
    }

    /// Handles `direct_entry`, a direct message to or from the user. Reports the message if it is no
    /// duplicate and was not shown when `accepted` came. If somebody else sent the reported message,
    /// pins the sender's name to them. Acknowledges the pending message that the entry echoes.
    /// Schedules a write of the session.
    fn on_direct(&mut self, now: Moment, entry: DirectEntry) {
        self.schedule_persist(now);
        let verdict = self.cursor.on_direct(entry.sequence);
        // A person who had the user's present name may have written to the user under another one.
        let is_to_me =
            entry.to_session != entry.from_person && self.own_sessions.contains(&entry.to_session);
        let own = self.is_own(entry.from_session, entry.from_person, &entry.from)
            && (!is_to_me || self.own_sessions.contains(&entry.from_session));
        let tag = self.take_answered_message(now, entry.from_session, entry.reference);
        let is_shown = self.was_shown_when_accepted(entry.from_session, entry.reference);
        if verdict != Novelty::Duplicate && !is_shown {
            #[cfg(feature = "ui")]
            self.note_direct(&entry, own);
            if !own {
                let number = known_person(entry.from_person).unwrap_or(entry.from_session);
                self.pinned_sessions.pin(&entry.from, number);
            }
            self.emit(Event::Direct(DirectMessage {
                sequence: entry.sequence,
                time: entry.time,
                from_session: entry.from_session,
                from_person: known_person(entry.from_person),
                from: entry.from,
                to_session: entry.to_session,
                to: entry.to,
                style: Style(entry.style),
                text: entry.text,
                history: entry.flags & flag::HISTORY != 0,
                own,
                tag: tag.clone().unwrap_or_default(),
            }));
        }
        self.emit_acknowledgement(tag, (entry.sequence, entry.time));
    }

    /// Removes the pending message that was sent in this session with this reference. Returns its
    /// tag, and restarts the timeout of a graceful shutdown. If there is no such message, only
    /// returns `None`.
    fn take_answered_message(
        &mut self,
        now: Moment,
        session: SessionId,
        reference: Reference,
    ) -> Option<RequestTag> {
        let item = self.pending.take_message(session, reference)?;
        self.record_answer(now);
        Some(item.tag)
    }

    /// Reports the message with this tag as acknowledged, with its sequence and time in the log,
    /// then sends further requests. Does nothing if `tag` is `None`.
    fn emit_acknowledgement(&mut self, tag: Option<RequestTag>, logged: (Sequence, Timestamp)) {
        if let Some(tag) = tag {
            let (sequence, time) = (Some(logged.0), Some(logged.1));
            self.emit(Event::Acknowledged { tag, sequence, time, unechoed: None });
            self.send_unsent();
        }
    }

    /// Handles `accepted`: the log has the pending message, but the server will not echo it now.
    /// Reports the message as acknowledged, with its text, and sends further requests. Remembers
    /// the message: if the room is entered again, its entry may come after all, and must not be
    /// shown a second time.
    fn on_accepted(&mut self, now: Moment, reference: Reference) {
        let Some(session) = self.own_sessions.last().copied() else {
            return;
        };
        if let Some(item) = self.pending.take_message(session, reference) {
            self.accepted_messages.insert(session, reference);
            self.record_answer(now);
            let unechoed = item.command.message_text().map(str::to_owned);
            self.emit(Event::Acknowledged { tag: item.tag, sequence: None, time: None, unechoed });
            self.send_unsent();
        }
    }

    /// Handles `end`. Raises the position to the frame's `head` and schedules a write of the
    /// session. During the replay after a join, ends the replay. Later, completes the answer to an
    /// `enter`, `history` or `search`: removes that request from the queue and reports the end. An
    /// `end` about anything else changes only the position.
    fn on_end(&mut self, now: Moment, end: End) {
        self.cursor.advance(end.head);
        self.schedule_persist(now);
        if self.phase == Phase::Replaying {
            self.on_replay_end(now);
            return;
        }
        // A message in particular stays: nothing would report what became of it.
        if !matches!(end.about, kind::ENTER | kind::HISTORY | kind::SEARCH) {
            return;
        }
        if let Some(item) = self.take_request(now, end.about, end.reference) {
            let more = end.flags & flag::MORE != 0;
            if let ChatCommand::Search(search) = &item.command {
                let search = search.clone();
                return self.emit_search_result(item, search, more);
            }
            let PendingRequest { tag, command, was_sent_out, .. } = item;
            let room = command.target();
            // The room counts as joined only now that its history has arrived. The next join names
            // it.
            if end.about == kind::ENTER && !was_sent_out {
                self.rooms.retain(|it| NameKey::of(it) != NameKey::of(&room));
                self.rooms.push(room.clone());
            }
            let requested = end.about == kind::HISTORY;
            self.emit(Event::HistoryEnd { tag, room: Some(room), more, requested });
        }
    }

    /// Returns true if the user has left all rooms. The join of a reconnect then names no room.
    const fn has_left_all_rooms(&self) -> bool {
        self.has_joined && self.rooms.is_empty()
    }

    /// Handles the end of the replay: enters [`Phase::Live`], reports the end, persists the
    /// session, and sends the unanswered requests.
    ///
    /// If the user had left all rooms before the reconnect, leaves the rooms of the `welcome`
    /// again: a join without rooms joins the lobby.
    fn on_replay_end(&mut self, now: Moment) {
        self.cursor.end_replay();
        self.phase = Phase::Live;
        self.record_answer(now);
        let wants_none = self.has_left_all_rooms();
        let rooms = self.welcome.as_ref().map(|it| it.rooms.clone()).unwrap_or_default();
        self.has_joined = true;
        self.emit(Event::HistoryEnd {
            tag: RequestTag::default(),
            room: None,
            more: false,
            requested: false,
        });
        if wants_none {
            for room in rooms {
                let room = RoomSelector::Named(room);
                self.pending.push_front(
                    RequestTag::default(),
                    ChatCommand::Leave { room },
                    Vec::new(),
                );
            }
        } else {
            self.rooms = rooms;
        }
        self.persist_at = None;
        self.persist();
        self.send_unsent();
    }

    /// Handles `left`. Removes the room from the joined ones, reports it as left, and schedules a
    /// write of the session. The event has the tag of the `leave` request that the frame answers,
    /// if any. Without a reference, a moderator has sent the user out; ignored if the client is not
    /// in the room.
    fn on_left(&mut self, now: Moment, left: Left) {
        if left.reference == Reference::NONE {
            if self.on_sent_out(&left.room) {
                self.forget_marks_of_left_rooms();
                self.schedule_persist(now);
                let tag = RequestTag::default();
                self.emit(Event::Left { tag, room: left.room, is_forced: true });
            }
            return;
        }
        let key = NameKey::of(&left.room);
        self.rooms.retain(|it| NameKey::of(it) != key);
        self.forget_marks_of_left_rooms();
        let tag = self.take_request(now, kind::LEAVE, left.reference).map(|it| it.tag);
        self.schedule_persist(now);
        let tag = tag.unwrap_or_default();
        self.emit(Event::Left { tag, room: left.room, is_forced: false });
    }

    /// Handles `roster`, the members of a room. A roster without a reference is reported at once.
    /// Any other is a page of the answer to `members`: requests the next page. After the last page,
    /// or at [`MAX_COLLECTED_MEMBERS`], reports all pages together. Ignores a page that no pending
    /// request waits for.
    fn on_roster(&mut self, now: Moment, roster: Roster) {
        let Roster { reference, room, flags, members, names } = roster;
        if reference == Reference::NONE {
            let names = (flags & flag::COUNT_ONLY == 0).then_some(names);
            self.emit(Event::Roster {
                tag: RequestTag::default(),
                room,
                members,
                names,
                notes: None,
                requested: false,
            });
            return;
        }
        let Some(PendingRequest { tag, command, mut members_so_far, .. }) =
            self.take_request(now, kind::MEMBERS, reference)
        else {
            return;
        };
        let is_last = names.is_empty()
            || flags & flag::MORE == 0
            || members_so_far.len() >= MAX_COLLECTED_MEMBERS;
        members_so_far.extend(names);
        if is_last {
            let names = Some(members_so_far);
            let notes = None;
            self.emit(Event::Roster { tag, room, members, names, notes, requested: true });
        } else {
            self.pending.push_front(tag, command, members_so_far);
            self.send_unsent();
        }
    }

    /// Handles `presence`, a change of the members of a room. Reports the names that joined and
    /// left. If the server sent no names, reports only the new number of members.
    fn on_presence(&mut self, presence: Presence) {
        let Presence { room, flags, members, joined, left } = presence;
        let is_counted = flags & flag::COUNT_ONLY != 0;
        let (joined, left) = if is_counted { (None, None) } else { (Some(joined), Some(left)) };
        self.emit(Event::Presence { room, members, joined, left });
    }

    /// Removes and returns the pending request of this frame kind with this reference, sent on this
    /// connection. Restarts the timeout of a graceful shutdown. If there is no such request, only
    /// returns `None`.
    pub(super) fn take_request(
        &mut self,
        now: Moment,
        kind: u16,
        reference: Reference,
    ) -> Option<PendingRequest> {
        let session = self.own_sessions.last().copied()?;
        let item = self.pending.take_request(session, kind, reference)?;
        self.record_answer(now);
        Some(item)
    }
}

/// Returns the number of the person of an entry's author; `None` if it is 0: they have claimed no
/// name.
fn known_person(person: SessionId) -> Option<SessionId> {
    Some(person).filter(|it| *it != SessionId(0))
}
