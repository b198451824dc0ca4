//! What servers send: the tables of `docs/protocol/tcp.md`, section 14.

use serde::{Deserialize, Serialize};

use crate::model::{LogId, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_without_prealloc;

/// `server_hello`, kind 64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHello {
    /// The one that is spoken from here on; 0: none in common, error 101 follows.
    pub version: u16,
    /// The server's lowest.
    pub min_version: u16,
    /// The server's highest.
    pub max_version: u16,
    /// Those that were asked for and will be done.
    pub features: u64,
    /// The program's name, at most 32 bytes.
    pub server_program: String,
    /// At most 32 bytes.
    pub server_version: String,
}

/// `welcome`, kind 65.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Your public number; not 0.
    pub session: SessionId,
    /// Your name in its canonical form.
    pub username: String,
    /// The session's secret.
    pub token: Token,
    /// Bit 0 `session_kept`, bit 1 `position_kept`, bit 2 `durable`.
    pub flags: u8,
    /// The greatest reference taken from this session; 0 in a new one.
    pub last_reference: Reference,
    /// Which log the sequences belong to.
    pub log_id: LogId,
    /// The server's clock now.
    pub time: Timestamp,
    /// What the owner calls this server, at most 64 bytes.
    pub server_name: String,
    /// Canonical, in the order of the join.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub rooms: Vec<String>,
    /// Bytes in a text.
    pub max_text: u16,
    /// Rooms of one session.
    pub max_rooms: u16,
    /// Messages that a newcomer gets of each room.
    pub history_length: u16,
    /// Seconds of silence before the server pings.
    pub ping_interval: u16,
    /// Seconds of silence before it closes.
    pub idle_timeout: u16,
    /// Seconds that the session outlives its connection.
    pub session_lifetime: u32,
    /// Frames at once.
    pub burst: u32,
    /// Frames per minute after that.
    pub per_minute: u32,
    /// Days for which messages are kept; 0: no limit.
    pub keep_days: u32,
    /// Messages of each room that are kept; 0: no limit.
    pub keep_messages: u32,
    /// Bytes of messages that are kept in all; 0: no limit.
    pub keep_bytes: u64,
}

/// `entered`, kind 66.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// That of the `enter`; 0 after a join.
    pub reference: Reference,
    /// The canonical name.
    pub room: String,
    /// Bit 0 `gap`: something after your position is missing.
    pub flags: u8,
    /// Sessions in the room, you included.
    pub members: u32,
}

/// `entry`, kind 67.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bit 0 `history`, bit 1 `requested`.
    pub flags: u8,
    /// Not 0.
    pub sequence: Sequence,
    /// Sequence of the entry before it in this room; 0: none.
    pub previous: Sequence,
    /// The canonical name.
    pub room: String,
    /// The author's.
    pub session: SessionId,
    /// The author's, at that time.
    pub username: String,
    /// When the server received it.
    pub time: Timestamp,
    /// The author's.
    pub reference: Reference,
    /// How it is meant.
    pub style: u8,
    /// What was said.
    pub text: String,
}

/// `direct_entry`, kind 68.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectEntry {
    /// Bit 0 `history`.
    pub flags: u8,
    /// Its place in the log.
    pub sequence: Sequence,
    /// The author.
    pub from_session: SessionId,
    /// Username of the sender.
    pub from: String,
    /// The recipient.
    pub to_session: SessionId,
    /// Username of the recipient.
    pub to: String,
    /// When the server received it.
    pub time: Timestamp,
    /// The sender's.
    pub reference: Reference,
    /// How it is meant.
    pub style: u8,
    /// What was said.
    pub text: String,
}

/// `end`, kind 69.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Kind of the request that is answered: 2, 5 or 7.
    pub about: u16,
    /// That of the request; 0 after a join.
    pub reference: Reference,
    /// The sequence that the log had reached: part of your position.
    pub head: Sequence,
    /// Bit 0 `more`: the log holds older entries of this room (only about 7).
    pub flags: u8,
}

/// `left`, kind 70.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// That of the `leave`.
    pub reference: Reference,
    /// The canonical name.
    pub room: String,
}

/// `roster`, kind 71.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// That of the `members`; 0: unasked, and it replaces your list.
    pub reference: Reference,
    /// The canonical name.
    pub room: String,
    /// Bit 0 `more`: ask for the next page; bit 1 `count_only`.
    pub flags: u8,
    /// How many there are in all.
    pub members: u32,
    /// At most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub names: Vec<String>,
}

/// `presence`, kind 72.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The canonical name.
    pub room: String,
    /// Bit 1 `count_only`.
    pub flags: u8,
    /// How many there are now.
    pub members: u32,
    /// At most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub joined: Vec<String>,
    /// At most 100.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub left: Vec<String>,
}

/// `accepted`, kind 73.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// This message of yours is in the log, and no echo of it will come.
    pub reference: Reference,
}

/// `notice`, kind 74.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// README, section 8.
    pub code: u16,
    /// For people, at most 512 bytes.
    pub text: String,
}

/// `error`, kind 75.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// README, section 7.
    pub code: u16,
    /// Kind of the frame that it is about; 0: none in particular.
    pub about: u16,
    /// Of that frame; 0: none.
    pub reference: Reference,
    /// Milliseconds until it makes sense to try again; 0: no advice.
    pub retry_after: u32,
    /// For people, at most 512 bytes.
    pub text: String,
}
