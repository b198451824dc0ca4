//! Moderation: requests and their answers, and frames about what moderators have done
//! (`docs/protocol/tcp.md`, section 21).

use std::collections::VecDeque;
use std::time::Duration;

use super::pending::PendingRequest;
use super::{Link, Phase};
use crate::model::limits::MAX_RAW_NAME_BYTES;
use crate::model::{
    ChatCommand, Event, LinkSentence, ListedRoom, ListedSanction, ModerationCommand,
    ModerationEvent, Moment, NameKey, Reference, RequestTag, Role, SanctionKind, Sanctioning,
    Sequence, SessionId, Timestamp, UserAction,
};
use crate::wire::tcp::{
    AnnounceRequest, ClientFrame, Directory, Done, Moderate, Remove, Removed, RoleChanged,
    RoleRequest, RoomModes, Rooms, Sanctioned, SanctionsList, SanctionsRequest, TopicChanged,
    TopicRequest, action, flag, kind, role,
};

/// Maximum number of items collected for one list of sanctions or rooms. Further ones are dropped.
const MAX_COLLECTED_ITEMS: usize = 10_000;

/// Bounded set of removed messages of the current log. A `removed` may come twice.
#[derive(Debug, Default)]
pub(super) struct RemovedMessages(VecDeque<Sequence>);

impl RemovedMessages {
    /// Maximum number of messages remembered. Beyond it, the one that was added first is forgotten.
    const MAX_MESSAGES: usize = 1_000;

    /// Adds a message. Returns false if the set held it already. Takes time linear in the size of
    /// the set.
    pub(super) fn insert(&mut self, message: Sequence) -> bool {
        if self.0.contains(&message) {
            return false;
        }
        self.0.push_back(message);
        if self.0.len() > Self::MAX_MESSAGES {
            self.0.pop_front();
        }
        true
    }

    /// Removes all messages. Sequences have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl ModerationCommand {
    /// Returns the kind number of the request frame for this command.
    pub(super) const fn frame_kind(&self) -> u16 {
        match self {
            Self::SetTopic { .. } => kind::TOPIC,
            Self::Remove { .. } => kind::REMOVE,
            Self::ActOnUser { .. } | Self::SetSlowMode { .. } | Self::SetModerated { .. } => {
                kind::MODERATE
            }
            Self::SetRole { .. } => kind::ROLE,
            Self::Announce { .. } => kind::ANNOUNCE,
            Self::ListSanctions { .. } => kind::SANCTIONS,
            Self::ListRooms => kind::DIRECTORY,
        }
    }

    /// Returns the request frame for this command, with this reference. The room selector must have
    /// been resolved.
    pub(super) fn to_frame(&self, reference: Reference) -> ClientFrame {
        let room = self.room_name().cloned().unwrap_or_default();
        let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
        match self {
            Self::SetTopic { topic, .. } => {
                let text = text(topic.as_ref().map(|it| it.as_str()));
                TopicRequest { reference, room, text }.into()
            }
            Self::Remove { message, reason, .. } => Remove {
                reference,
                room,
                sequence: *message,
                reason: text(reason.as_ref().map(|it| it.as_str())),
            }
            .into(),
            Self::ActOnUser { username, session, action, reason, .. } => {
                let (action, seconds, flags) = action.to_fields();
                Moderate {
                    username: username.clone(),
                    session: session.unwrap_or(SessionId(0)),
                    seconds,
                    flags,
                    reason: text(reason.as_ref().map(|it| it.as_str())),
                    ..room_mode(reference, room, action, 0)
                }
                .into()
            }
            Self::SetSlowMode { mode, .. } => {
                room_mode(reference, room, action::SLOW, u32::from(u16::from(*mode))).into()
            }
            Self::SetModerated { is_on, .. } => {
                room_mode(reference, room, action::MODERATED, u32::from(*is_on)).into()
            }
            Self::SetRole { username, session, role, .. } => RoleRequest {
                reference,
                room,
                username: username.clone(),
                session: session.unwrap_or(SessionId(0)),
                role: role_number(*role),
            }
            .into(),
            Self::Announce { text, .. } => {
                AnnounceRequest { reference, room, text: text.as_str().to_owned() }.into()
            }
            Self::ListSanctions { .. } => SanctionsRequest { reference, room }.into(),
            Self::ListRooms => Directory { reference }.into(),
        }
    }
}

impl UserAction {
    /// Returns the fields `action`, `seconds` and `flags` of a `moderate`.
    fn to_fields(self) -> (u8, u32, u8) {
        match self {
            Self::Kick => (action::KICK, 0, 0),
            Self::Ban { length, by_address, is_dry_run } => {
                let address = if by_address { flag::BY_ADDRESS } else { 0 };
                let dry_run = if is_dry_run { flag::DRY_RUN } else { 0 };
                (action::BAN, length.into(), address | dry_run)
            }
            Self::Unban => (action::UNBAN, 0, 0),
            Self::Mute(length) => (action::MUTE, length.into(), 0),
            Self::Unmute => (action::UNMUTE, 0, 0),
        }
    }
}

/// Builds a `moderate` that sets a mode of a room.
fn room_mode(reference: Reference, room: String, action: u8, seconds: u32) -> Moderate {
    Moderate {
        reference,
        action,
        room,
        username: String::new(),
        session: SessionId(0),
        seconds,
        flags: 0,
        reason: String::new(),
    }
}

/// Returns the number of a role on the wire.
const fn role_number(role: Option<Role>) -> u8 {
    match role {
        None => role::NONE,
        Some(Role::Moderator) => role::MODERATOR,
        Some(Role::Owner) => role::OWNER,
    }
}

/// Returns a text that may be missing: `None` if it is empty.
fn some_text(text: String) -> Option<String> {
    Some(text).filter(|it| !it.is_empty())
}

/// Returns a time that may be missing: `None` if it is 0.
fn some_time(time: Timestamp) -> Option<Timestamp> {
    Some(time).filter(|it| *it != Timestamp(0))
}

impl Link {
    /// Queues a moderation command ([`Self::queue`]). Refuses it if a name is longer than any name
    /// may be. The server checks everything else.
    pub(super) fn queue_moderation(&mut self, tag: RequestTag, command: ModerationCommand) {
        let is_long = |it: Option<&String>| it.is_some_and(|it| it.len() > MAX_RAW_NAME_BYTES);
        let has_long_name = is_long(command.room_name()) || is_long(command.username());
        let command = ChatCommand::Moderate(command);
        if has_long_name {
            self.refuse(tag, 0, LinkSentence::NameTooLong, &command);
        } else {
            self.queue(tag, command);
        }
    }

    /// Refuses the changes, also of claims, that were sent on the lost connection and not answered.
    /// They are not sent again: a second kick or announcement would do more than the first.
    pub(super) fn refuse_sent_changes(&mut self) {
        for item in self.pending.remove_sent_changes() {
            self.refuse(item.tag, 0, LinkSentence::PerhapsDone, &item.command);
        }
    }

    /// Reports the rooms of the join that its `welcome` leaves out, because the user is banned
    /// there: nothing else tells it of a ban that was imposed while it was away. The next join does
    /// not name them.
    pub(super) fn report_rooms_left_out(&mut self, welcome_rooms: &[String]) {
        let keys: Vec<NameKey> = welcome_rooms.iter().map(|it| NameKey::of(it)).collect();
        let is_kept = |it: &String| keys.contains(&NameKey::of(it));
        let (kept, left_out) = std::mem::take(&mut self.rooms).into_iter().partition(is_kept);
        self.rooms = kept;
        let left_out: Vec<String> = left_out;
        for room in left_out {
            self.emit(Event::Left { tag: RequestTag::default(), room, is_forced: true });
        }
    }

    /// Handles a `left` with reference 0: the user was sent out of a room. Returns true if the
    /// client was in the room; otherwise does nothing.
    pub(super) fn on_sent_out(&mut self, room: &str) -> bool {
        let key = NameKey::of(room);
        let is_room = |it: &String| NameKey::of(it) == key;
        // During the replay, the rooms of the join are still those of the `welcome`.
        let welcome = self.welcome.as_mut().filter(|_| self.phase == Phase::Replaying);
        let joined = welcome.map(|it| &mut it.rooms);
        let was_joined = joined.is_some_and(|rooms| {
            let count = rooms.len();
            rooms.retain(|it| !is_room(it));
            rooms.len() < count
        });
        let was_entering = self.pending.mark_sent_out(&key);
        let was_in = self.rooms.iter().any(is_room) && self.phase == Phase::Live;
        if self.phase == Phase::Live || was_joined {
            self.rooms.retain(|it| !is_room(it));
        }
        was_joined || was_entering || was_in
    }

    /// Handles `done`: reports that a change was carried out. Ignores an answer that no pending
    /// request waits for.
    pub(super) fn on_done(&mut self, now: Moment, done: &Done) {
        if !matches!(
            done.about,
            kind::TOPIC | kind::REMOVE | kind::MODERATE | kind::ANNOUNCE | kind::ROLE | kind::CLAIM
        ) {
            return;
        }
        let Some(item) = self.take_request(now, done.about, done.reference) else {
            return;
        };
        if let ChatCommand::Claim(action) = item.command {
            self.report_claim(item.tag.clone(), action, done);
        }
        if let ChatCommand::Moderate(command) = item.command {
            let is_durable = self.welcome.as_ref().is_some_and(|it| it.flags & flag::DURABLE != 0);
            self.emit_moderation(ModerationEvent::Done {
                tag: item.tag,
                command,
                affected: done.affected,
                is_durable,
            });
        }
        self.send_unsent();
    }

    /// Handles `removed`: reports the message as removed, once.
    pub(super) fn on_removed(&mut self, removed: Removed) {
        let Removed { room, sequence, by, reason } = removed;
        if self.removed_messages.insert(sequence) {
            self.emit_moderation(ModerationEvent::MessageRemoved {
                room,
                message: sequence,
                by: some_text(by),
                reason: some_text(reason),
            });
        }
    }

    /// Reports a message that was shown before as removed: its entry has come once more, without
    /// its text. Who removed it is not known.
    pub(super) fn report_removal(&mut self, room: String, message: Sequence) {
        let (by, reason) = (None, None);
        self.emit_moderation(ModerationEvent::MessageRemoved { room, message, by, reason });
    }

    /// Handles `topic_changed`. It is a change if the room's history has arrived before.
    pub(super) fn on_topic_changed(&mut self, topic: TopicChanged) {
        let TopicChanged { room, text, by, time } = topic;
        let is_change = self.phase == Phase::Live && self.rooms.contains(&room);
        self.emit_moderation(ModerationEvent::Topic {
            room,
            topic: some_text(text),
            by: some_text(by),
            time,
            is_change,
        });
    }

    /// Handles `room_modes`: reports them.
    pub(super) fn on_room_modes(&mut self, modes: RoomModes) {
        let slow = Duration::from_secs(u64::from(modes.slow));
        self.emit_moderation(ModerationEvent::RoomModes {
            room: modes.room,
            slow,
            is_moderated: modes.moderated,
        });
    }

    /// Handles `role_changed`: reports the role. An unknown role counts as none.
    pub(super) fn on_role_changed(&mut self, changed: RoleChanged) {
        let RoleChanged { room, session, username, role } = changed;
        let role = match role {
            role::MODERATOR => Some(Role::Moderator),
            role::OWNER => Some(Role::Owner),
            _ => None,
        };
        let own = self.own_sessions.last() == Some(&session);
        let room = some_text(room);
        self.emit_moderation(ModerationEvent::RoleChanged { room, session, username, role, own });
    }

    /// Handles `sanctioned`: reports what a moderator did to this user. Ignores unknown actions.
    pub(super) fn on_sanctioned(&mut self, sanctioned: Sanctioned) {
        let action = match sanctioned.action {
            action::KICK => Sanctioning::Kicked,
            action::BAN => Sanctioning::Banned,
            action::UNBAN => Sanctioning::Unbanned,
            action::MUTE => Sanctioning::Muted,
            action::UNMUTE => Sanctioning::Unmuted,
            _ => return,
        };
        self.emit_moderation(ModerationEvent::Sanctioned {
            action,
            room: some_text(sanctioned.room),
            by: some_text(sanctioned.by),
            reason: some_text(sanctioned.reason),
            until: some_time(sanctioned.until),
        });
    }

    /// Handles `sanctions_list`: collects its items, and reports the list with its last frame.
    /// Skips items of an unknown kind. Ignores a list that no pending request waits for.
    pub(super) fn on_sanctions_list(&mut self, now: Moment, list: SanctionsList) {
        let Some(item) = self.find_list_request(kind::SANCTIONS, list.reference) else {
            return;
        };
        let items = list.items.into_iter().filter_map(|it| {
            let kind = match it.kind {
                action::BAN => SanctionKind::Ban,
                action::MUTE => SanctionKind::Mute,
                _ => return None,
            };
            Some(ListedSanction {
                kind,
                username: it.username,
                until: some_time(it.until),
                by: some_text(it.by),
                reason: some_text(it.reason),
                by_address: it.flags & flag::BY_ADDRESS != 0,
            })
        });
        let free = MAX_COLLECTED_ITEMS.saturating_sub(item.listed_sanctions.len());
        item.listed_sanctions.extend(items.take(free));
        if list.last
            && let Some(item) = self.take_request(now, kind::SANCTIONS, list.reference)
        {
            let PendingRequest { tag, command, listed_sanctions: items, .. } = item;
            let room = some_text(command.target());
            self.emit_moderation(ModerationEvent::Sanctions { tag, room, items });
            self.send_unsent();
        }
    }

    /// Handles `rooms`: collects its items, and reports the list with its last frame. Ignores a
    /// list that no pending request waits for.
    pub(super) fn on_rooms(&mut self, now: Moment, list: Rooms) {
        let Some(item) = self.find_list_request(kind::DIRECTORY, list.reference) else {
            return;
        };
        let rooms = list.items.into_iter().map(|it| ListedRoom {
            name: it.name,
            members: it.members,
            topic: some_text(it.topic),
        });
        let free = MAX_COLLECTED_ITEMS.saturating_sub(item.listed_rooms.len());
        item.listed_rooms.extend(rooms.take(free));
        if list.last
            && let Some(item) = self.take_request(now, kind::DIRECTORY, list.reference)
        {
            let PendingRequest { tag, listed_rooms: rooms, .. } = item;
            self.emit_moderation(ModerationEvent::Rooms { tag, rooms });
            self.send_unsent();
        }
    }

    /// Returns the pending request of this frame kind that was sent with this reference on this
    /// connection. `None` if there is none.
    fn find_list_request(
        &mut self,
        kind: u16,
        reference: Reference,
    ) -> Option<&mut PendingRequest> {
        let session = self.own_sessions.last().copied()?;
        self.pending.find_request(session, kind, reference)
    }

    /// Reports an event about moderation.
    fn emit_moderation(&mut self, event: ModerationEvent) {
        self.emit(Event::Moderation(event));
    }
}
