//! Commands of a user to the client's engine about moderation, and the events that answer them or
//! tell what moderators have done.

use std::time::Duration;

use super::{
    AnnouncementText, Reason, RequestTag, Role, RoomSelector, SanctionKind, SanctionLength,
    Sequence, SessionId, SlowMode, Timestamp, Topic,
};

/// Where a moderation command applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the whole server.
    Server,
    /// In one room.
    Room(RoomSelector),
}

/// What a moderation command does to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Sends the user out. The user may come back.
    Kick,
    /// Sends the user out and keeps the user out.
    Ban {
        /// Length of the ban.
        length: SanctionLength,
        /// True to ban the address of the user's connection as well.
        by_address: bool,
        /// True to do nothing, and only count the users whom the ban would send out.
        is_dry_run: bool,
    },
    /// Lifts a ban.
    Unban,
    /// Forbids the user to talk.
    Mute(SanctionLength),
    /// Lifts a mute.
    Unmute,
}

/// Command about moderation. The server decides whether it is permitted. The answer is a
/// [`ModerationEvent`], or [`super::Event::Refused`]. If the connection is lost meanwhile, a change
/// is not sent again but refused: the server may have carried it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationCommand {
    /// Sets the topic of a room; `None`: no topic.
    SetTopic {
        /// The room.
        room: RoomSelector,
        /// New topic.
        topic: Option<Topic>,
    },
    /// Removes the text of a message.
    Remove {
        /// Room of the message.
        room: RoomSelector,
        /// Sequence of the message.
        message: Sequence,
        /// Reason, which everybody in the room is told.
        reason: Option<Reason>,
    },
    /// Acts on a user.
    ActOnUser {
        /// Where.
        place: Place,
        /// Username, in any spelling.
        username: String,
        /// Session that must hold the name; `None`: whoever holds it.
        session: Option<SessionId>,
        /// What to do.
        action: UserAction,
        /// Reason, which the user is told.
        reason: Option<Reason>,
    },
    /// Sets the minimum interval between two messages of one user in a room.
    SetSlowMode {
        /// The room.
        room: RoomSelector,
        /// New interval, or off.
        mode: SlowMode,
    },
    /// Sets whether only users with a role may talk in a room.
    SetModerated {
        /// The room.
        room: RoomSelector,
        /// True if only they may.
        is_on: bool,
    },
    /// Gives, replaces or takes a role.
    SetRole {
        /// Where the role counts.
        place: Place,
        /// Username of the holder, in any spelling.
        username: String,
        /// Session that must hold the name; `None`: whoever holds it.
        session: Option<SessionId>,
        /// New role; `None`: takes the role.
        role: Option<Role>,
    },
    /// Sends a notice to everybody in a room or on the server.
    Announce {
        /// Where.
        place: Place,
        /// Text of the notice.
        text: AnnouncementText,
    },
    /// Requests the bans and mutes of a place: [`ModerationEvent::Sanctions`].
    ListSanctions {
        /// The room, or the server without those of its rooms.
        place: Place,
    },
    /// Requests the rooms of the server: [`ModerationEvent::Rooms`].
    ListRooms,
}

impl ModerationCommand {
    /// Returns true if the command names a session or a message, which belong to one log.
    #[must_use]
    pub const fn names_session_or_message(&self) -> bool {
        match self {
            Self::Remove { .. } => true,
            Self::ActOnUser { session, .. } | Self::SetRole { session, .. } => session.is_some(),
            _ => false,
        }
    }

    /// Returns the selector of the room that the command applies to; `None` for the whole server.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomSelector> {
        match self {
            Self::SetTopic { room, .. }
            | Self::Remove { room, .. }
            | Self::SetSlowMode { room, .. }
            | Self::SetModerated { room, .. } => Some(room),
            Self::ActOnUser { place, .. }
            | Self::SetRole { place, .. }
            | Self::Announce { place, .. }
            | Self::ListSanctions { place } => match place {
                Place::Room(room) => Some(room),
                Place::Server => None,
            },
            Self::ListRooms => None,
        }
    }

    /// Returns the selector of the room, to resolve it to a name; `None` for the whole server.
    pub const fn room_mut(&mut self) -> Option<&mut RoomSelector> {
        match self {
            Self::SetTopic { room, .. }
            | Self::Remove { room, .. }
            | Self::SetSlowMode { room, .. }
            | Self::SetModerated { room, .. } => Some(room),
            Self::ActOnUser { place, .. }
            | Self::SetRole { place, .. }
            | Self::Announce { place, .. }
            | Self::ListSanctions { place } => match place {
                Place::Room(room) => Some(room),
                Place::Server => None,
            },
            Self::ListRooms => None,
        }
    }

    /// Returns the name of the room; `None` for the whole server, or if the selector is not
    /// resolved to a name.
    #[must_use]
    pub const fn room_name(&self) -> Option<&String> {
        match self.room() {
            Some(RoomSelector::Named(room)) => Some(room),
            _ => None,
        }
    }

    /// Returns the username that the command names; `None` if it names none.
    #[must_use]
    pub const fn username(&self) -> Option<&String> {
        match self {
            Self::ActOnUser { username, .. } | Self::SetRole { username, .. } => Some(username),
            _ => None,
        }
    }

    /// Returns true if the command only asks for a list, and changes nothing.
    #[must_use]
    pub const fn is_query(&self) -> bool {
        matches!(self, Self::ListSanctions { .. } | Self::ListRooms)
    }
}

/// What a moderator has done to this client's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanctioning {
    /// Sent out; the user may come back.
    Kicked,
    /// Banned.
    Banned,
    /// A ban has ended.
    Unbanned,
    /// Muted.
    Muted,
    /// A mute has ended.
    Unmuted,
}

/// Event about moderation: an answer to a [`ModerationCommand`], or what somebody has changed.
/// Usernames are `None` where the server's owner has acted on the command line, or the server
/// itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationEvent {
    /// The server has carried out a change.
    Done {
        /// Tag of the request.
        tag: RequestTag,
        /// The command, with the name of its room.
        command: ModerationCommand,
        /// Number of connected users whom it concerned; `docs/protocol/tcp.md`, section 21.
        affected: u32,
        /// False if the server forgets the change when it restarts.
        is_durable: bool,
    },
    /// The text of a message was removed. The message may never have been reported.
    MessageRemoved {
        /// Canonical name of the room.
        room: String,
        /// Sequence of the message.
        message: Sequence,
        /// Username of the user who removed it; `None` if that was the server's owner, or if it is
        /// not known.
        by: Option<String>,
        /// Reason.
        reason: Option<String>,
    },
    /// Topic of a room, after [`super::Event::Entered`] and when it changes. A room without this
    /// event after `Entered` has no topic.
    Topic {
        /// Canonical name of the room.
        room: String,
        /// Topic; `None`: no topic.
        topic: Option<String>,
        /// Username of the user who set it.
        by: Option<String>,
        /// Time at which it was set.
        time: Timestamp,
        /// True if the topic has changed just now.
        is_change: bool,
    },
    /// Modes of a room, after [`super::Event::Entered`] and when they change. A room without this
    /// event after `Entered` has neither.
    RoomModes {
        /// Canonical name of the room.
        room: String,
        /// Minimum interval between two messages of one user; zero: no slow mode.
        slow: Duration,
        /// True if only users with a role may talk.
        is_moderated: bool,
    },
    /// Role of a user in a room or on the server, after [`super::Event::Entered`] and when it
    /// changes.
    RoleChanged {
        /// Canonical name of the room; `None`: the whole server.
        room: Option<String>,
        /// Session number of the holder.
        session: SessionId,
        /// Username of the holder when the role was given or taken.
        username: String,
        /// Role; `None`: none.
        role: Option<Role>,
        /// True if the holder is this user.
        own: bool,
    },
    /// A moderator has acted on this user.
    Sanctioned {
        /// What was done.
        action: Sanctioning,
        /// Canonical name of the room; `None`: on the whole server.
        room: Option<String>,
        /// Username of the user who did it.
        by: Option<String>,
        /// Reason.
        reason: Option<String>,
        /// Time at which a ban or mute ends; `None`: no end, or another action.
        until: Option<Timestamp>,
    },
    /// Bans and mutes: answer to [`ModerationCommand::ListSanctions`].
    Sanctions {
        /// Tag of the request.
        tag: RequestTag,
        /// Name of the room; `None`: those of the whole server.
        room: Option<String>,
        /// Bans and mutes, in the server's order.
        items: Vec<ListedSanction>,
    },
    /// Rooms of the server: answer to [`ModerationCommand::ListRooms`].
    Rooms {
        /// Tag of the request.
        tag: RequestTag,
        /// Rooms, in the server's order.
        rooms: Vec<ListedRoom>,
    },
}

/// Ban or mute in [`ModerationEvent::Sanctions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSanction {
    /// Ban or mute.
    pub kind: SanctionKind,
    /// Username that it applies to.
    pub username: String,
    /// Time at which it ends; `None`: no end.
    pub until: Option<Timestamp>,
    /// Username of the user who imposed it; `None`: the server's owner.
    pub by: Option<String>,
    /// Reason.
    pub reason: Option<String>,
    /// True if it applies to an address as well.
    pub by_address: bool,
}

/// Room in [`ModerationEvent::Rooms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// Canonical name.
    pub name: String,
    /// Number of members.
    pub members: u32,
    /// Topic.
    pub topic: Option<String>,
}
