//! Frames that only servers send: the tables of `docs/protocol/tcp.md`, section 14.

use serde::{Deserialize, Serialize};

use crate::model::{LogId, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_without_prealloc;

/// `server_hello`, kind 64: answer to `hello`, with the negotiated version and features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHello {
    /// Highest version that both sides speak. 0 if there is none; then error 101 follows.
    pub version: u16,
    /// Lowest version that the server speaks.
    pub min_version: u16,
    /// Highest version that the server speaks.
    pub max_version: u16,
    /// Features that the client requested and the server provides: bits of [`super::feature`].
    pub features: u64,
    /// Server's program name, at most 32 bytes.
    pub server_program: String,
    /// Server's program version, at most 32 bytes.
    pub server_version: String,
    /// Random bytes of this connection, which a proof signs. All zero: none, and no proof is
    /// possible. Trailing field.
    #[serde(skip)]
    pub challenge: [u8; 32],
    /// Ed25519 public key of the server. All zero: the server has none. Trailing field.
    #[serde(skip)]
    pub server_key: [u8; 32],
}

/// `welcome`, kind 65: the `join` was accepted. Holds the session, and the settings and limits of
/// the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Public number of the client's session; not 0.
    pub session: SessionId,
    /// Client's username in its canonical form.
    pub username: String,
    /// Token of the session, a secret that resumes it.
    pub token: Token,
    /// Bits of [`super::flag`]: `SESSION_KEPT`, `POSITION_KEPT`, `DURABLE`.
    pub flags: u8,
    /// Greatest reference of the messages that the server has passed to its log in this session; 0
    /// in a new session.
    pub last_reference: Reference,
    /// Id of the log to which all sequences belong.
    pub log_id: LogId,
    /// Wall-clock time of the server.
    pub time: Timestamp,
    /// Name that the owner gave the server, at most 64 bytes.
    pub server_name: String,
    /// Canonical names of the rooms that the session is now in, in the order of the `join`.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub rooms: Vec<String>,
    /// Maximum length of a message text, in bytes.
    pub max_text: u16,
    /// Maximum number of rooms that one session may be in; not the server's total.
    pub max_rooms: u16,
    /// Maximum number of recent messages of each room that a newcomer receives.
    pub history_length: u16,
    /// Seconds without a frame from the client after which the server sends a ping.
    pub ping_interval: u16,
    /// Seconds without a frame from the client after which the server closes the connection.
    pub idle_timeout: u16,
    /// Seconds for which the session outlives its connection.
    pub session_lifetime: u32,
    /// Rate limit: units that the client may use at once. Section 12 has the cost of each frame.
    pub burst: u32,
    /// Rate limit: units per minute after the burst.
    pub per_minute: u32,
    /// Retention: days for which messages are kept; 0: no limit.
    pub keep_days: u32,
    /// Retention: number of messages of each room that are kept; 0: no limit.
    pub keep_messages: u32,
    /// Retention: bytes of messages that are kept in all; 0: no limit.
    pub keep_bytes: u64,
}

/// `entered`, kind 66: the session is now in a room. Sent after a `join`, and in answer to an
/// `enter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// Reference of the `enter`; 0 after a `join`.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
    /// Bit 0 (`GAP`): entries after the client's position are missing in this room.
    pub flags: u8,
    /// Number of sessions in the room, this one included.
    pub members: u32,
}

/// `entry`, kind 67: message in a room, from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bit 0 (`HISTORY`), bit 1 (`REQUESTED`).
    pub flags: u8,
    /// Sequence of the entry in the log; not 0.
    pub sequence: Sequence,
    /// Sequence of the previous entry in this room; 0: the server knows none.
    pub previous: Sequence,
    /// Canonical name of the room.
    pub room: String,
    /// Session number of the author.
    pub session: SessionId,
    /// Username of the author when the message was sent.
    pub username: String,
    /// Wall-clock time at which the server appended the message to its log.
    pub time: Timestamp,
    /// Reference that the author gave the message.
    pub reference: Reference,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message.
    pub text: String,
    /// Number of the person whose session the author is; 0: nobody who has claimed a name. Trailing.
    #[serde(skip)]
    pub person: SessionId,
}

/// `direct_entry`, kind 68: direct message, from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectEntry {
    /// Bit 0 (`HISTORY`).
    pub flags: u8,
    /// Sequence of the entry in the log; not 0.
    pub sequence: Sequence,
    /// Session number of the author.
    pub from_session: SessionId,
    /// Username of the author when the message was sent.
    pub from: String,
    /// Session number of the recipient.
    pub to_session: SessionId,
    /// Username of the recipient when the message was sent.
    pub to: String,
    /// Wall-clock time at which the server appended the message to its log.
    pub time: Timestamp,
    /// Reference that the author gave the message.
    pub reference: Reference,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message.
    pub text: String,
    /// Number of the person whose session the author is; 0: nobody who has claimed a name. Trailing.
    #[serde(skip)]
    pub from_person: SessionId,
}

/// `end`, kind 69: end of the entries that answer a `join`, `enter`, `history` or `search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Kind of the request that this answers: 2, 5, 7 or 11.
    pub about: u16,
    /// Reference of the request; 0 for a `join`.
    pub reference: Reference,
    /// Head of the log (its greatest sequence) when the server answered. It counts for the client's
    /// position (section 6).
    pub head: Sequence,
    /// Bit 0 (`MORE`): there are older entries of the room (`history`) or older matches (`search`).
    pub flags: u8,
}

/// `left`, kind 70: the session is no longer in the room. Answers a `leave`, or says that the user
/// was sent out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Reference of the `leave`. 0: a moderator has sent the user out of the room; only clients
    /// with the feature `events` get such a frame.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
}

/// `roster`, kind 71: members of a room. A `roster` that answers `members` is one page of the list.
/// An unrequested `roster` is the whole list, or only the number of members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Reference of the `members`. 0: sent without a request; it replaces the client's list.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
    /// Bit 0 (`MORE`): there are further pages. Bit 1 (`COUNT_ONLY`): no names, because the room
    /// has more than 100 members.
    pub flags: u8,
    /// Number of sessions in the room, this one included.
    pub members: u32,
    /// Usernames of members, at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub names: Vec<String>,
}

/// `presence`, kind 72: members that have joined or left a room since the previous `presence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Canonical name of the room.
    pub room: String,
    /// Bit 1 (`COUNT_ONLY`): no names, because the room has more than 100 members.
    pub flags: u8,
    /// Number of sessions in the room after the change.
    pub members: u32,
    /// Usernames that have joined, at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub joined: Vec<String>,
    /// Usernames that have left, at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub left: Vec<String>,
}

/// `accepted`, kind 73: acknowledges a message whose echo the client will not receive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Reference of the message.
    pub reference: Reference,
}

/// `notice`, kind 74: text of the server for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Notice code; README, section 8.
    pub code: u16,
    /// Human-readable text, at most 512 bytes.
    pub text: String,
}

/// `error`, kind 75: a request has failed, or the server closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Error code; README, section 7.
    pub code: u16,
    /// Kind of the request that this answers; 0: no particular request.
    pub about: u16,
    /// Reference of the request; 0: none.
    pub reference: Reference,
    /// Milliseconds after which the client may try again; 0: no advice.
    pub retry_after: u32,
    /// Human-readable text, at most 512 bytes.
    pub text: String,
}

/// `done`, kind 76: a request without another answer was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Kind of the request that this answers: 12, 13, 15, 18 or 19.
    pub about: u16,
    /// Reference of the request.
    pub reference: Reference,
    /// Number of connected users that the request concerned: section 21.
    pub affected: u32,
    /// About a `claim`: URL of the server's page for browsers, at most 255 bytes; empty: it knows
    /// none that others reach. Trailing field.
    #[serde(skip)]
    pub page: String,
}

/// `removed`, kind 77: the text of a message was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Canonical name of the room.
    pub room: String,
    /// Sequence of the message. It does not count for the client's position.
    pub sequence: Sequence,
    /// Username of the user who removed it; empty: the server's owner.
    pub by: String,
    /// Reason; empty: none.
    pub reason: String,
}

/// `topic_changed`, kind 79: topic of a room, on entering and when it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicChanged {
    /// Canonical name of the room.
    pub room: String,
    /// Topic; empty: none.
    pub text: String,
    /// Username of the user who set it; empty: the server's owner.
    pub by: String,
    /// Wall-clock time at which it was set.
    pub time: Timestamp,
}

/// `room_modes`, kind 80: modes of a room, on entering and when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomModes {
    /// Canonical name of the room.
    pub room: String,
    /// Minimum interval between two messages of one user, in seconds; 0: no slow mode.
    pub slow: u32,
    /// True if only sessions with a role may talk.
    pub moderated: bool,
}

/// `role_changed`, kind 81: role of a session in a room or on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChanged {
    /// Canonical name of the room; empty: the whole server.
    pub room: String,
    /// Session number of the holder.
    pub session: SessionId,
    /// Username of the holder when the role was given.
    pub username: String,
    /// Number of the role: one of [`super::role`].
    pub role: u8,
}

/// `sanctions_list`, kind 82: answer to `sanctions`, in one or more frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanctionsList {
    /// Reference of the request.
    pub reference: Reference,
    /// True if no further frame answers the request.
    pub last: bool,
    /// Bans and mutes, at most 30.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub items: Vec<SanctionItem>,
}

/// Ban or mute in a [`SanctionsList`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanctionItem {
    /// Number of the action that imposed it: [`super::action::BAN`] or [`super::action::MUTE`].
    pub kind: u8,
    /// Canonical name of the room; empty: the whole server.
    pub room: String,
    /// Username that it applies to.
    pub username: String,
    /// Wall-clock time at which it ends; 0: no end.
    pub until: Timestamp,
    /// Username of the user who imposed it; empty: the server's owner.
    pub by: String,
    /// Reason; empty: none.
    pub reason: String,
    /// Bits of [`super::flag`]: `BY_ADDRESS`.
    pub flags: u8,
}

/// `rooms`, kind 83: answer to `directory`, in one or more frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rooms {
    /// Reference of the request.
    pub reference: Reference,
    /// True if no further frame answers the request.
    pub last: bool,
    /// Rooms, at most 30.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub items: Vec<RoomItem>,
}

/// Room in a [`Rooms`] frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomItem {
    /// Canonical name of the room.
    pub name: String,
    /// Number of sessions in the room.
    pub members: u32,
    /// Topic; empty: none.
    pub topic: String,
}

/// `read_mark`, kind 85: the user has read this far on another device.
/// `docs/protocol/identity.md`, "Read marks".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    /// Canonical name of the room; empty: the direct messages.
    pub room: String,
    /// Sequence of the last message that the user has read.
    pub sequence: Sequence,
}

/// `sanctioned`, kind 87: a moderator has acted on this client's user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanctioned {
    /// Number of the action: one of [`super::action`], from `KICK` to `UNMUTE`.
    pub action: u8,
    /// Canonical name of the room; empty: the whole server.
    pub room: String,
    /// Username of the user who did it; empty: the server's owner, or the server itself because the
    /// time is over.
    pub by: String,
    /// Reason; empty: none.
    pub reason: String,
    /// Wall-clock time at which a ban or mute ends; 0: no end, or another action.
    pub until: Timestamp,
}
