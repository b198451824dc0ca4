//! Client frames, and the two frames that both sides send: the tables of `docs/protocol/tcp.md`,
//! section 14.

use serde::{Deserialize, Serialize};

use crate::model::{Position, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_without_prealloc;

/// `hello`, kind 1: the first frame of a client, for version negotiation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Magic number: `50 69 43 68` (`PiCh`).
    pub magic: [u8; 4],
    /// Lowest supported version.
    pub min_version: u16,
    /// Highest supported version; not below the lowest.
    pub max_version: u16,
    /// Requested feature bits; section 4.
    pub features: u64,
    /// Client's program name, at most 32 bytes; may be empty.
    pub client_name: String,
    /// Client's program version, at most 32 bytes; may be empty.
    pub client_version: String,
}

/// `join`, kind 2: requests a new session or resumes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Requested username.
    pub username: String,
    /// Server password, at most 256 bytes.
    pub password: Option<String>,
    /// Rooms to enter; empty: `lobby`.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub rooms: Vec<String>,
    /// Session token of an earlier `welcome`, to resume that session.
    pub token: Option<Token>,
    /// Position from which to resume; section 6.
    pub position: Option<Position>,
}

/// `say`, kind 3: sends a message to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Reference number: not 0, greater than all before it in this session.
    pub reference: Reference,
    /// Room that the session is in.
    pub room: String,
    /// Display style; README, section 3.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `direct`, kind 4: sends a direct message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direct {
    /// Reference number, from the same sequence as those of `say`.
    pub reference: Reference,
    /// Recipient's username.
    pub to: String,
    /// Session that must hold the name; 0: any.
    pub session: SessionId,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `enter`, kind 5: enters another room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// Any number, repeated in the answer.
    pub reference: Reference,
    /// Room name in any spelling.
    pub room: String,
}

/// `leave`, kind 6: leaves a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Any number, repeated in the answer.
    pub reference: Reference,
    /// Room name in any spelling.
    pub room: String,
}

/// `history`, kind 7: requests a page of older entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Any number, repeated in the answer.
    pub reference: Reference,
    /// Room that the session is in.
    pub room: String,
    /// Returns only entries with a smaller sequence; 0: no bound.
    pub before: Sequence,
    /// Page size, 1 to 100; any other value: 100.
    pub limit: u16,
}

/// `members`, kind 8: requests a page of the member list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Any number, repeated in the answer.
    pub reference: Reference,
    /// Room that the session is in.
    pub room: String,
    /// Cursor: returns only names after this one in the order of name keys; empty: from the start.
    pub after: String,
}

/// `search`, kind 11: searches the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Any number, repeated in the answer.
    pub reference: Reference,
    /// Room that the session is in; empty: all of them.
    pub room: String,
    /// Author's username; empty: any author.
    pub from: String,
    /// Words and phrases to search for; at most 256 bytes.
    pub text: String,
    /// Earliest time, inclusive; 0: no bound.
    pub since: Timestamp,
    /// Latest time, exclusive; 0: no bound.
    pub until: Timestamp,
    /// Returns only entries with a smaller sequence; 0: no bound.
    pub before: Sequence,
    /// Page size, 1 to 50; any other value: 50.
    pub limit: u16,
}

/// `ping`, kind 9: keep-alive request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Any number; the pong repeats it.
    pub token: u64,
}

/// `pong`, kind 10: answer to a `ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Number of the ping.
    pub token: u64,
}
