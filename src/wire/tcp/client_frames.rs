//! What clients send, and the two frames that both sides send: the tables
//! of `docs/protocol/tcp.md`, section 14.

use serde::{Deserialize, Serialize};

use crate::model::{Position, Reference, Sequence, SessionId, Timestamp, Token};
use crate::wire::codec::vec_without_prealloc;

/// `hello`, kind 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// `50 69 43 68` (`PiCh`).
    pub magic: [u8; 4],
    /// Lowest version spoken.
    pub min_version: u16,
    /// Highest; not below the lowest.
    pub max_version: u16,
    /// Wanted; section 4.
    pub features: u64,
    /// The program's name, at most 32 bytes; may be empty.
    pub client_name: String,
    /// At most 32 bytes; may be empty.
    pub client_version: String,
}

/// `join`, kind 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// What the person would like to be called.
    pub username: String,
    /// At most 256 bytes.
    pub password: Option<String>,
    /// Empty: `lobby`.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub rooms: Vec<String>,
    /// From an earlier welcome.
    pub token: Option<Token>,
    /// Section 6.
    pub position: Option<Position>,
}

/// `say`, kind 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Not 0; greater than all before it in this session.
    pub reference: Reference,
    /// A room that the session is in.
    pub room: String,
    /// README, section 3.
    pub style: u8,
    /// What is said.
    pub text: String,
}

/// `direct`, kind 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direct {
    /// Of the same counting as that of `say`.
    pub reference: Reference,
    /// Username.
    pub to: String,
    /// The session that must hold the name; 0: whichever does.
    pub session: SessionId,
    /// How it is meant.
    pub style: u8,
    /// What is said.
    pub text: String,
}

/// `enter`, kind 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// Any number that you like, to tell the answers apart; also in 7, 8 and 11.
    pub reference: Reference,
    /// Any spelling of its name.
    pub room: String,
}

/// `leave`, kind 6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Any number that you like, to tell the answers apart; also in 7, 8 and 11.
    pub reference: Reference,
    /// Any spelling of its name.
    pub room: String,
}

/// `history`, kind 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Repeated in the answer.
    pub reference: Reference,
    /// A room that the session is in.
    pub room: String,
    /// Only entries with a smaller sequence; 0: no bound.
    pub before: Sequence,
    /// 1 to 100; else 100.
    pub limit: u16,
}

/// `members`, kind 8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Repeated in the answer.
    pub reference: Reference,
    /// A room that the session is in.
    pub room: String,
    /// Empty, or a name: only names behind it in the order of keys.
    pub after: String,
}

/// `search`, kind 11.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Repeated in the answer.
    pub reference: Reference,
    /// A room that the session is in; empty: all of them.
    pub room: String,
    /// Who must have written it; empty: anybody.
    pub from: String,
    /// Words and phrases; at most 256 bytes.
    pub text: String,
    /// Not before this time; 0: no bound.
    pub since: Timestamp,
    /// Before this time; 0: no bound.
    pub until: Timestamp,
    /// Only entries with a smaller sequence; 0: no bound.
    pub before: Sequence,
    /// 1 to 50; else 50.
    pub limit: u16,
}

/// `ping`, kind 9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Any number; the pong repeats it.
    pub token: u64,
}

/// `pong`, kind 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Any number; the pong repeats it.
    pub token: u64,
}
