//! What the server says: `docs/protocol/tcp.md`, sections 15 and 16, from
//! the client's side.

use super::contract::Saved;
use super::outbox::Item;
use super::search::collect;
use super::seen::Verdict;
use super::{Link, Phase};
use crate::model::{
    DirectMessage, Event, Joined, LogId, Message, Moment, NameKey, Place, Reference, Retention,
    Sequence, SessionId, Style, Tag, Task, Timestamp,
};
use crate::wire::tcp::{
    DirectEntry, End, Entered, Entry, Left, Pong, Presence, Received, Roster, ServerFrame,
    ServerHello, VERSION, Welcome, flag,
};

/// Members that are collected from page to page at most.
const MAX_COLLECTED: usize = 50_000;

/// Kinds of the frames that answers are about.
pub(super) mod kind {
    /// `join`
    pub(in crate::link) const JOIN: u16 = 2;
    /// `say`
    pub(in crate::link) const SAY: u16 = 3;
    /// `direct`
    pub(in crate::link) const DIRECT: u16 = 4;
    /// `enter`
    pub(in crate::link) const ENTER: u16 = 5;
    /// `leave`
    pub(in crate::link) const LEAVE: u16 = 6;
    /// `history`
    pub(in crate::link) const HISTORY: u16 = 7;
    /// `members`
    pub(in crate::link) const MEMBERS: u16 = 8;
    /// `server_hello`
    pub(in crate::link) const SERVER_HELLO: u16 = 64;
    /// `welcome`
    pub(in crate::link) const WELCOME: u16 = 65;
    /// `entered`
    pub(in crate::link) const ENTERED: u16 = 66;
    /// `accepted`
    pub(in crate::link) const ACCEPTED: u16 = 73;
}

impl Link {
    /// A body has arrived: the page's steps 3 to 9.
    pub(super) fn on_received(&mut self, now: Moment, received: Received<ServerFrame>) {
        if !self.is_connected() {
            return;
        }
        match received {
            // What may not come now is ignored before it is even read.
            Received::Ignored => {}
            Received::Malformed(kind) if kind != 0 && !self.may_come(kind) => {}
            Received::Malformed(kind) => {
                self.protocol(format!(
                    "The server sent a frame of kind {kind} that cannot be read."
                ));
            }
            Received::Frame(frame) => {
                if self.may_come(frame.kind()) {
                    self.on_frame(now, frame);
                }
            }
        }
    }

    /// The state table.
    const fn may_come(&self, kind: u16) -> bool {
        match kind {
            kind::SERVER_HELLO => matches!(self.phase, Phase::Hailing { .. }),
            kind::WELCOME => matches!(self.phase, Phase::Greeted { .. }),
            kind::ENTERED..=kind::ACCEPTED => {
                matches!(self.phase, Phase::Replaying | Phase::Live)
            }
            _ => true,
        }
    }

    /// A frame that may come now.
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
                self.show(Event::Notice { code: notice.code, text: notice.text });
            }
            ServerFrame::Error(error) => self.on_error(now, error),
        }
    }

    /// The server's greeting. Version 0 is followed by error 101, which says
    /// it better than we could.
    fn on_hello(&mut self, now: Moment, hello: ServerHello) {
        let ServerHello { version, min_version, max_version, .. } = hello;
        self.phase = Phase::Greeted { since: now };
        self.features = hello.features;
        self.server_program = format!("{} {}", hello.server_program, hello.server_version);
        if version != VERSION && version != 0 {
            self.protocol(format!(
                "The server chose version {version}, which this client does not speak."
            ));
        } else if version == 0 {
            let is_older = max_version < VERSION;
            let which = if is_older { "the server" } else { "this client" };
            self.protocol(format!(
                "The server speaks versions {min_version} to {max_version}, this client speaks {VERSION}: update {which}."
            ));
        } else {
            self.join();
        }
    }

    /// We are in.
    fn on_welcome(&mut self, now: Moment, welcome: Welcome) {
        let session_kept = welcome.flags & flag::SESSION_KEPT != 0;
        let position_kept = welcome.flags & flag::POSITION_KEPT != 0;
        let log_changed = self.enter_log(welcome.log_id, position_kept);
        self.outbox.welcome(session_kept, log_changed, welcome.last_reference);
        self.sessions.retain(|it| *it != welcome.session);
        self.sessions.push(welcome.session);
        self.saved = Some(Saved {
            token: welcome.token,
            session: welcome.session,
            position: None,
            rooms: Vec::new(),
            password_asked: self.password_asked,
        });
        self.has_position = self.settings.observe;
        // (Before the rooms of a join are entered, those of before count.)
        self.persist();
        self.backoff.joined(now);
        self.phase = Phase::Replaying;
        self.show(Event::Welcome(Joined {
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
        self.welcome = Some(welcome);
    }

    /// Learns which log the sequences belong to; true if it is another one
    /// than before. Without [`super::Settings::observe`] only the position
    /// on disk can tell.
    fn enter_log(&mut self, log: LogId, position_kept: bool) -> bool {
        let changed = self.seen.welcome(log, position_kept)
            || self.untouched.as_ref().is_some_and(|(it, _)| it.log_id != log);
        if changed {
            self.untouched = None;
            self.pins.clear();
            self.sessions.clear();
        }
        changed
    }

    /// In a room.
    fn on_entered(&mut self, now: Moment, entered: &Entered) {
        if self.phase == Phase::Live {
            // What was said while we were not here is not missing.
            self.seen.gap_told(&entered.room);
        }
        let tag = if entered.reference == Reference::NONE {
            Tag::default()
        } else {
            self.progress(now);
            self.outbox.entered(entered.reference, &entered.room).unwrap_or_default()
        };
        self.show(Event::Entered { tag, room: entered.room.clone(), members: entered.members });
        if entered.flags & flag::GAP != 0 {
            self.seen.gap_told(&entered.room);
            self.show(Event::Gap { room: entered.room.clone() });
        }
    }

    /// Something was said in a room: shown once, unless it was asked for.
    fn on_entry(&mut self, now: Moment, entry: Entry) {
        let (session, reference, previous) = (entry.session, entry.reference, entry.previous);
        let message = self.message(entry);
        let (sequence, time) = (message.sequence, message.time);
        let verdict = if message.requested {
            if let Some(item) = self.outbox.searching() {
                return collect(item, message);
            }
            self.seen.requested(&message.room, sequence);
            Verdict::Show { gap: false }
        } else {
            self.keep_position(now);
            self.seen.entry(&message.room, sequence, previous)
        };
        let tag = self.take_tag(now, session, reference);
        if let Verdict::Show { gap } = verdict {
            if gap {
                self.show(Event::Gap { room: message.room.clone() });
            }
            let tag = tag.clone().unwrap_or_default();
            self.show(Event::Message(Message { tag, ..message }));
        }
        self.acknowledge(tag, (sequence, time));
    }

    /// What was said, for whoever shows it.
    fn message(&self, entry: Entry) -> Message {
        Message {
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
            own: self.sessions.contains(&entry.session),
            tag: Tag::default(),
        }
    }

    /// Something was said to us, or by us to one person.
    fn on_direct(&mut self, now: Moment, entry: DirectEntry) {
        self.keep_position(now);
        let verdict = self.seen.direct(entry.sequence);
        let own = self.sessions.contains(&entry.from_session);
        let tag = self.take_tag(now, entry.from_session, entry.reference);
        if verdict != Verdict::Duplicate {
            if !own {
                self.pins.heard(&entry.from, entry.from_session);
            }
            self.show(Event::Direct(DirectMessage {
                sequence: entry.sequence,
                time: entry.time,
                from_session: entry.from_session,
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
        self.acknowledge(tag, (entry.sequence, entry.time));
    }

    /// Strikes a message off the list; its tag, if it stood there.
    fn take_tag(&mut self, now: Moment, session: SessionId, reference: Reference) -> Option<Tag> {
        let item = self.outbox.take_message(session, reference)?;
        self.progress(now);
        Some(item.tag)
    }

    /// Tells that a message is in the log.
    fn acknowledge(&mut self, tag: Option<Tag>, place: (Sequence, Timestamp)) {
        if let Some(tag) = tag {
            let (sequence, time) = (Some(place.0), Some(place.1));
            self.show(Event::Acknowledged { tag, sequence, time, unechoed: None });
            self.pump();
        }
    }

    /// A message is in the log and no echo of it comes.
    fn on_accepted(&mut self, now: Moment, reference: Reference) {
        let session = self.sessions.last().copied();
        if let Some(item) = session.and_then(|it| self.outbox.take_message(it, reference)) {
            self.progress(now);
            let unechoed = item.task.message().map(str::to_owned);
            self.show(Event::Acknowledged { tag: item.tag, sequence: None, time: None, unechoed });
            self.pump();
        }
    }

    /// All of an answer has come.
    fn on_end(&mut self, now: Moment, end: End) {
        self.seen.advance(end.head);
        self.keep_position(now);
        if self.phase == Phase::Replaying {
            self.on_replayed(now);
            return;
        }
        if let Some(item) = self.take_request(now, end.about, end.reference) {
            let more = end.flags & flag::MORE != 0;
            if let Task::Search(search) = &item.task {
                let search = search.clone();
                return self.show_found(item, search, more);
            }
            let Item { tag, task, .. } = item;
            let room = task.target();
            // Only now is it a room that the next join may name.
            if end.about == kind::ENTER {
                self.rooms.retain(|it| NameKey::of(it) != NameKey::of(&room));
                self.rooms.push(room.clone());
            }
            let requested = end.about == kind::HISTORY;
            self.show(Event::HistoryEnd { tag, room: Some(room), more, requested });
        }
    }

    /// Everything that was missed has been shown: now what was not answered
    /// is sent again. (Somebody who had left all rooms finds themselves in
    /// the lobby, for a join cannot name none: they leave it again.)
    fn on_replayed(&mut self, now: Moment) {
        self.seen.replay_ended();
        self.phase = Phase::Live;
        self.progress(now);
        let wants_none = self.was_joined && self.rooms.is_empty();
        let rooms = self.welcome.as_ref().map(|it| it.rooms.clone()).unwrap_or_default();
        self.was_joined = true;
        self.show(Event::HistoryEnd {
            tag: Tag::default(),
            room: None,
            more: false,
            requested: false,
        });
        if wants_none {
            for room in rooms {
                let place = Place::Named(room);
                self.outbox.put_back(Tag::default(), Task::Leave { place }, Vec::new());
            }
        } else {
            self.rooms = rooms;
        }
        self.persist_at = None;
        self.persist();
        self.pump();
    }

    /// Out of a room.
    fn on_left(&mut self, now: Moment, left: Left) {
        let key = NameKey::of(&left.room);
        self.rooms.retain(|it| NameKey::of(it) != key);
        let tag = self.take_request(now, kind::LEAVE, left.reference).map(|it| it.tag);
        self.keep_position(now);
        self.show(Event::Left { tag: tag.unwrap_or_default(), room: left.room });
    }

    /// Who is there: all of them unasked, or a page of what was asked for.
    fn on_roster(&mut self, now: Moment, roster: Roster) {
        let Roster { reference, room, flags, members, names } = roster;
        if reference == Reference::NONE {
            let names = (flags & flag::COUNT_ONLY == 0).then_some(names);
            self.show(Event::Roster { tag: Tag::default(), room, members, names, asked: false });
            return;
        }
        let Some(Item { tag, task, mut so_far, .. }) =
            self.take_request(now, kind::MEMBERS, reference)
        else {
            return;
        };
        let is_last = names.is_empty() || flags & flag::MORE == 0 || so_far.len() >= MAX_COLLECTED;
        so_far.extend(names);
        if is_last {
            let names = Some(so_far);
            self.show(Event::Roster { tag, room, members, names, asked: true });
        } else {
            self.outbox.put_back(tag, task, so_far);
            self.pump();
        }
    }

    /// Who has come and gone.
    fn on_presence(&mut self, presence: Presence) {
        let Presence { room, flags, members, joined, left } = presence;
        let is_counted = flags & flag::COUNT_ONLY != 0;
        let (joined, left) = if is_counted { (None, None) } else { (Some(joined), Some(left)) };
        self.show(Event::Presence { room, members, joined, left });
    }

    /// Strikes a request off the list.
    fn take_request(&mut self, now: Moment, kind: u16, reference: Reference) -> Option<Item> {
        let session = self.sessions.last().copied()?;
        let item = self.outbox.take_request(session, kind, reference)?;
        self.progress(now);
        Some(item)
    }
}
