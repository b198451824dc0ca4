//! Frames that clients send: the tables of `docs/protocol/tcp.md`, section 14. `ping` and `pong`
//! are included, although servers send them too.

use serde::{Deserialize, Serialize};

use super::Proof;
use crate::model::limits::MAX_JOIN_ROOM_NAMES;
use crate::model::{LogId, Position, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_of_at_most;

/// `hello`, kind 1: first frame of a client, which negotiates version and features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Magic number: `50 69 43 68` (`PiCh`).
    pub magic: [u8; 4],
    /// Lowest version that the client speaks.
    pub min_version: u16,
    /// Highest version that the client speaks; not below the lowest.
    pub max_version: u16,
    /// Requested features: bits of [`super::feature`].
    pub features: u64,
    /// Client's program name, at most 32 bytes; may be empty.
    pub client_name: String,
    /// Client's program version, at most 32 bytes; may be empty.
    pub client_version: String,
}

/// `join`, kind 2: requests a new session, or resumes the session of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Requested username, in any spelling.
    pub username: String,
    /// Password of the server, at most 256 bytes; `None` if the user has given none.
    pub password: Option<String>,
    /// Names of all rooms that the session is to be in, also if it is resumed. Empty: `lobby`. At
    /// most [`MAX_JOIN_ROOM_NAMES`], repetitions included.
    #[serde(deserialize_with = "vec_of_at_most::<_, _, MAX_JOIN_ROOM_NAMES>")]
    pub rooms: Vec<String>,
    /// Token of the session to resume, from an earlier `welcome`; `None`: a new session.
    pub token: Option<Token>,
    /// Position after which entries are replayed; `None`: the most recent entries. Section 6.
    pub position: Option<Position>,
    /// Proof of the client's key; `None`: the client proves none. Trailing field.
    #[serde(skip)]
    pub proof: Option<Box<Proof>>,
    /// Code of an invitation, at most 256 bytes; `None`: none. Trailing field.
    #[serde(skip)]
    pub invite: Option<String>,
}

/// `say`, kind 3: sends a message to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Reference of the message: not 0, and greater than those of all earlier `say` and `direct` of
    /// this session. A repeated message keeps its reference. Section 6.
    pub reference: Reference,
    /// Room to send to; the session must be in it.
    pub room: String,
    /// Display style of the text; README, section 3.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `direct`, kind 4: sends a direct message to one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direct {
    /// Reference of the message: numbered together with those of `say`.
    pub reference: Reference,
    /// Username of the recipient.
    pub to: String,
    /// Session that must hold the recipient's name; 0: any session.
    pub session: SessionId,
    /// Display style of the text; README, section 3.
    pub style: u8,
    /// Text of the message.
    pub text: String,
}

/// `enter`, kind 5: enters another room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Name of the room, in any spelling.
    pub room: String,
}

/// `leave`, kind 6: leaves a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Name of the room, in any spelling.
    pub room: String,
}

/// `history`, kind 7: requests older entries of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Room whose entries are requested; the session must be in it.
    pub room: String,
    /// Exclusive upper bound of the sequences; 0: no bound. The answer has the latest entries below
    /// it.
    pub before: Sequence,
    /// Maximum number of entries, 1 to 100; any other value means 100.
    pub limit: u16,
}

/// `members`, kind 8: requests a page of the members of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Room whose members are requested; the session must be in it.
    pub room: String,
    /// Last name of the previous page: the answer has only names after it, ordered by name key.
    /// Empty: the first page.
    pub after: String,
}

/// `search`, kind 11: searches the log for messages that satisfy all fields. Section 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Room to search; the session must be in it. Empty: all rooms that the session is in.
    pub room: String,
    /// Username of the author, in any spelling; empty: any author.
    pub from: String,
    /// Words and phrases that the text must contain, at most 256 bytes; empty: any text.
    pub text: String,
    /// Earliest time of a message, inclusive; 0: no bound.
    pub since: Timestamp,
    /// Latest time of a message, exclusive; 0: no bound.
    pub until: Timestamp,
    /// Exclusive upper bound of the sequences; 0: no bound.
    pub before: Sequence,
    /// Maximum number of matches, 1 to 50; any other value means 50.
    pub limit: u16,
}

/// `topic`, kind 12: sets the topic of a room. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRequest {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Name of the room, in any spelling.
    pub room: String,
    /// New topic, at most 256 bytes; empty: no topic.
    pub text: String,
}

/// `remove`, kind 13: removes the text of a message from a room. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Room of the message, in any spelling.
    pub room: String,
    /// Sequence of the message.
    pub sequence: Sequence,
    /// Reason, at most 256 bytes; empty: none.
    pub reason: String,
}

/// `moderate`, kind 15: acts on a user, or sets a mode of a room. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moderate {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Number of the action: one of [`super::action`].
    pub action: u8,
    /// Name of the room, in any spelling; empty: the whole server.
    pub room: String,
    /// Username of the target, in any spelling; empty if the action has no target.
    pub username: String,
    /// Session that must hold the name; 0: any session, or none.
    pub session: SessionId,
    /// Length of a ban or mute in seconds, 0: no end. Interval of slow mode in seconds, 0: off. 1
    /// or 0: only moderators talk, or everybody. Else 0.
    pub seconds: u32,
    /// Bits of [`super::flag`]: `BY_ADDRESS`, `DRY_RUN`.
    pub flags: u8,
    /// Reason, at most 256 bytes; empty: none.
    pub reason: String,
}

/// `sanctions`, kind 16: requests the bans and mutes of a scope. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanctionsRequest {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Name of the room, in any spelling; empty: those of the whole server.
    pub room: String,
}

/// `directory`, kind 17: requests the list of rooms. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
}

/// `announce`, kind 18: sends an announcement to a room or to everybody. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceRequest {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Name of the room, in any spelling; empty: everybody on the server.
    pub room: String,
    /// Text of the announcement, 1 to 256 bytes.
    pub text: String,
}

/// `role`, kind 19: gives, replaces or takes a role. Section 21.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRequest {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Room in which the role counts, in any spelling; empty: the whole server.
    pub room: String,
    /// Username of the holder, in any spelling.
    pub username: String,
    /// Session that must hold the name; 0: any session.
    pub session: SessionId,
    /// Number of the role: one of [`super::role`].
    pub role: u8,
}

/// `claim`, kind 20: claims the username that the session holds, gives up the claim, or links and
/// unlinks devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Reference of the request: any number except 0. The answer repeats it.
    pub reference: Reference,
    /// Number of the action: one of [`super::claim_action`].
    pub action: u8,
    /// Hash of the link code, with [`super::claim_action::LINK`]. All zero: none. Trailing.
    #[serde(skip)]
    pub code_hash: [u8; 32],
}

/// `mark_read`, kind 23: says how far the user has read. `docs/protocol/identity.md`, "Read marks".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRead {
    /// Name of the room, in any spelling; empty: the direct messages.
    pub room: String,
    /// Sequence of the last message that the user has read.
    pub sequence: Sequence,
}

/// `replicate`, kind 24: asks for everything after a position, as a follower. Its sender proves the
/// key of an owner. `docs/protocol/replicate.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicate {
    /// Proof of the key.
    pub proof: Box<Proof>,
    /// Id of the log that the sender has; all zero: none.
    pub log_id: LogId,
    /// Sequence up to which the sender has everything; 0: it has nothing.
    pub position: Sequence,
    /// Epoch of what the sender has. One greater than the server's says that the server was
    /// replaced.
    pub epoch: u64,
}

/// `replicated`, kind 25: acknowledges what a follower has stored. `docs/protocol/replicate.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicated {
    /// Sequence up to which the follower has stored everything.
    pub position: Sequence,
    /// Number of bytes of `replica` frames that the follower has taken on this connection.
    pub received: u64,
}

/// `ping`, kind 9: keep-alive request of either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Any number; the `pong` repeats it.
    pub token: u64,
}

/// `pong`, kind 10: answer of either side to a `ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Number of the `ping` that is answered.
    pub token: u64,
}
