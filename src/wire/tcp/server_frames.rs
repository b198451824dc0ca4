//! Server frames: the tables of `docs/protocol/tcp.md`, section 14.

use serde::{Deserialize, Serialize};

use crate::model::{LogId, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_without_prealloc;

/// `server_hello`, kind 64: answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHello {
    /// Negotiated version; 0: none in common, error 101 follows.
    pub version: u16,
    /// Lowest version of the server.
    pub min_version: u16,
    /// Highest version of the server.
    pub max_version: u16,
    /// Feature bits that were requested and are supported.
    pub features: u64,
    /// Server's program name, at most 32 bytes.
    pub server_program: String,
    /// Server's program version, at most 32 bytes.
    pub server_version: String,
}

/// `welcome`, kind 65: the join was accepted; session, settings and limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Public session number of the client; not 0.
    pub session: SessionId,
    /// Client's username in canonical form.
    pub username: String,
    /// Session token, a secret.
    pub token: Token,
    /// Bit 0 `session_kept`, bit 1 `position_kept`, bit 2 `durable`.
    pub flags: u8,
    /// Greatest reference taken from this session; 0 in a new one.
    pub last_reference: Reference,
    /// Log that the sequences belong to.
    pub log_id: LogId,
    /// Server's clock.
    pub time: Timestamp,
    /// Name that the owner gave the server, at most 64 bytes.
    pub server_name: String,
    /// Joined rooms: canonical names in the order of the join.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub rooms: Vec<String>,
    /// Maximum length of a text, in bytes.
    pub max_text: u16,
    /// Maximum number of rooms of a session.
    pub max_rooms: u16,
    /// Number of recent messages of each room that a newcomer receives.
    pub history_length: u16,
    /// Time of silence before the server pings, in seconds.
    pub ping_interval: u16,
    /// Time of silence before the server closes the connection, in seconds.
    pub idle_timeout: u16,
    /// Time that the session survives without a connection, in seconds.
    pub session_lifetime: u32,
    /// Rate limit: frames that may be sent at once.
    pub burst: u32,
    /// Rate limit: frames per minute after the burst.
    pub per_minute: u32,
    /// Retention: maximum age of messages, in days; 0: no limit.
    pub keep_days: u32,
    /// Retention: maximum number of messages of each room; 0: no limit.
    pub keep_messages: u32,
    /// Retention: maximum size of all messages, in bytes; 0: no limit.
    pub keep_bytes: u64,
}

/// `entered`, kind 66: the session is now in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// Reference of the `enter`; 0 after a join.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
    /// Bit 0 `gap`: entries after the client's position are missing.
    pub flags: u8,
    /// Number of sessions in the room, this one included.
    pub members: u32,
}

/// `entry`, kind 67: log entry of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bit 0 `history`, bit 1 `requested`.
    pub flags: u8,
    /// Sequence in the log; not 0.
    pub sequence: Sequence,
    /// Sequence of the previous entry in this room; 0: none.
    pub previous: Sequence,
    /// Canonical name of the room.
    pub room: String,
    /// Author's session number.
    pub session: SessionId,
    /// Author's username at that time.
    pub username: String,
    /// Time at which the server received it.
    pub time: Timestamp,
    /// Author's reference number.
    pub reference: Reference,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `direct_entry`, kind 68: log entry of a direct message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectEntry {
    /// Bit 0 `history`.
    pub flags: u8,
    /// Sequence in the log.
    pub sequence: Sequence,
    /// Author's session number.
    pub from_session: SessionId,
    /// Author's username.
    pub from: String,
    /// Recipient's session number.
    pub to_session: SessionId,
    /// Recipient's username.
    pub to: String,
    /// Time at which the server received it.
    pub time: Timestamp,
    /// Author's reference number.
    pub reference: Reference,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `end`, kind 69: end of the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Kind of the request that this answers: 2, 5, 7 or 11.
    pub about: u16,
    /// Reference of the request; 0 after a join.
    pub reference: Reference,
    /// Head of the log when it was read: becomes part of the client's position.
    pub head: Sequence,
    /// Bit 0 `more`: the log holds older entries (only for history and search).
    pub flags: u8,
}

/// `left`, kind 70: the session has left a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Reference of the `leave`.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
}

/// `roster`, kind 71: page of the member list of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Reference of the `members`; 0: unrequested, replaces the client's list.
    pub reference: Reference,
    /// Canonical name of the room.
    pub room: String,
    /// Bit 0 `more`: request the next page; bit 1 `count_only`.
    pub flags: u8,
    /// Number of members of the room.
    pub members: u32,
    /// Usernames; at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub names: Vec<String>,
}

/// `presence`, kind 72: members that have joined or left a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Canonical name of the room.
    pub room: String,
    /// Bit 1 `count_only`.
    pub flags: u8,
    /// Number of members now.
    pub members: u32,
    /// Usernames that joined; at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub joined: Vec<String>,
    /// Usernames that left; at most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub left: Vec<String>,
}

/// `accepted`, kind 73: acknowledgement of a message whose echo will not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Reference of the message that is in the log.
    pub reference: Reference,
}

/// `notice`, kind 74: message of the server for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Notice code; README, section 8.
    pub code: u16,
    /// Human-readable text, at most 512 bytes.
    pub text: String,
}

/// `error`, kind 75: a request or the connection has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Error code; README, section 7.
    pub code: u16,
    /// Kind of the frame that this answers; 0: no particular frame.
    pub about: u16,
    /// Reference of that frame; 0: none.
    pub reference: Reference,
    /// Time until a retry makes sense, in milliseconds; 0: no advice.
    pub retry_after: u32,
    /// Human-readable text, at most 512 bytes.
    pub text: String,
}
