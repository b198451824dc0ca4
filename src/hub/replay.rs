//! Welcome and replay: history or missed entries, page by page (`docs/protocol/tcp.md`, sections 5
//! and 6).

use super::Hub;
use super::connection::{PendingRead, WelcomeData};
use super::contract::{ConnectionId, Delivery, Now};
use super::log_contract::{ReadOutcome, ReadPurpose};
use crate::model::limits::{
    HISTORY_LENGTH, IDLE_TIMEOUT, MAX_ROOMS, MAX_TEXT, PING_INTERVAL, SESSION_LIFETIME,
};
use crate::model::{Reference, RoomName, SessionId};
use crate::wire::tcp::{Welcome, flag, kind};

impl Hub {
    /// Sends a page of history or missed entries (replay) to a joining client. Before the first
    /// page, sends the welcome.
    ///
    /// If more entries follow, the next page is read when the client has taken this one and its
    /// address group has a token. So the memory for a replay is bounded, even if the client has
    /// missed many entries.
    ///
    /// After the last page, sends `end` and, if the storage is failing, a notice. If that page has
    /// entries or removals, the connection is then blocked until the client has taken it. Then
    /// sends the subscriptions, the rosters and the waiting frames.
    pub(super) fn send_replay_page(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        mut read: Box<PendingRead>,
        welcome: Option<WelcomeData>,
        outcome: ReadOutcome,
    ) {
        if let Some(welcome) = welcome {
            self.send_welcome(now, id, session, &welcome, &outcome.gaps);
        }
        read.drop_redundant_accepted(session, &outcome.entries);
        if outcome.more {
            self.send_entries(id, outcome.entries, flag::HISTORY);
            self.send_removals(id, &outcome.removals);
            self.deliver(id, Delivery::Mark);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.pause_replay(session, read);
            }
            return;
        }
        let has_items = !outcome.entries.is_empty() || !outcome.removals.is_empty();
        self.send_entries(id, outcome.entries, flag::HISTORY);
        self.send_removals(id, &outcome.removals);
        self.send_end(id, has_items, kind::JOIN, Reference::NONE, 0);
        self.send_storage_notice(id);
        let rooms = self.sessions.get(session).map(|it| it.rooms.clone()).unwrap_or_default();
        for room in &rooms {
            self.deliver(id, Delivery::Subscribe(*room));
        }
        for room in rooms {
            self.start_presence(id, room);
        }
        for frame in read.frames_after {
            self.send_frame(id, frame);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.has_token = true;
        }
    }

    /// Sends `welcome`, and `entered` for each room of the session. `gaps`: rooms whose `entered`
    /// gets the gap flag.
    fn send_welcome(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        welcome: &WelcomeData,
        gaps: &[RoomName],
    ) {
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let rooms = known.rooms.clone();
        let names = rooms.iter().filter_map(|room| self.rooms.get(*room));
        let welcome = Welcome {
            session,
            username: known.username.as_str().to_owned(),
            token: welcome.token,
            flags: welcome.flags,
            last_reference: known.dedup.last_submitted(),
            log_id: self.log_id,
            time: now.time,
            server_name: self.settings.server_name.clone(),
            rooms: names.map(|it| it.name.as_str().to_owned()).collect(),
            max_text: MAX_TEXT,
            max_rooms: MAX_ROOMS,
            history_length: HISTORY_LENGTH,
            ping_interval: u16::try_from(PING_INTERVAL.as_secs()).unwrap_or(u16::MAX),
            idle_timeout: u16::try_from(IDLE_TIMEOUT.as_secs()).unwrap_or(u16::MAX),
            session_lifetime: u32::try_from(SESSION_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            burst: self.settings.burst,
            per_minute: self.settings.frames_per_minute,
            keep_days: self.settings.retention.days,
            keep_messages: self.settings.retention.messages,
            keep_bytes: self.settings.retention.bytes,
        };
        self.send_frame(id, welcome);
        self.send_own_role(id, None);
        self.send_read_mark(id, None);
        for room in rooms {
            self.send_entered(id, room, Reference::NONE, gaps);
        }
    }

    /// Handles a reached flow-control mark: requests the next replay page, which may have to wait
    /// for a token, or unblocks the connection and handles its deferred frames. Does nothing if the
    /// connection awaits no mark.
    pub(super) fn handle_mark_reached(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_replay_paused() {
            self.request_replay_page(now, id);
        } else {
            connection.unblock_at_mark();
            if let Some(page) = self.connections.get_mut(&id).and_then(|it| it.take_list_page()) {
                self.send_list(id, page);
            }
            self.process_deferred(now, id);
        }
    }

    /// Queues the read of the next page of a paused replay, without taking a token. Does nothing if
    /// no replay is paused.
    pub(super) fn continue_replay(&mut self, id: ConnectionId) {
        if self.connections.get_mut(&id).is_some_and(|it| it.continue_replay()) {
            self.queue_read(id, ReadPurpose::Join);
        }
    }
}
