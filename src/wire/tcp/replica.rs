//! Parts of the frame `replica`, by which a server brings its log to a follower:
//! `docs/protocol/replicate.md`.

use serde::{Deserialize, Serialize};

use super::encode_frame;
use super::kind;
use crate::model::{IdentityKey, LogId, Reference, Sequence, SessionId, Timestamp};
use crate::wire::Malformed;
use crate::wire::codec::{self, vec_without_prealloc};

/// Bits of the field `flags` of [`Replica::Commit`].
pub mod replica_flag {
    /// The parts since the commit before are all sessions, claims and sanctions there are: others
    /// are to be forgotten.
    pub const WHOLE_STATE: u8 = 1;
    /// The follower then has everything that the server has stored.
    pub const CAUGHT_UP: u8 = 2;
}

/// Bits of the field `kept` of [`ReplicaDirect`].
pub mod kept {
    /// The sender's mailbox still has the message.
    pub const BY_SENDER: u8 = 1;
    /// The recipient's mailbox still has the message.
    pub const BY_RECIPIENT: u8 = 2;
}

/// `replica`, kind 86: a part of the log and of the state of a server, for its follower. The first
/// byte on the wire is the number of the part, in the order of the variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replica {
    /// First part: what server this is, and whether everything follows.
    Begin(ReplicaBegin),
    /// Message in a room.
    Message(ReplicaMessage),
    /// Direct message.
    Direct(ReplicaDirect),
    /// Fact with its verdict, in the canonical encoding of the log.
    Fact(#[serde(deserialize_with = "vec_without_prealloc")] Vec<u8>),
    /// Session record, in place of an earlier one.
    Session(ReplicaSession),
    /// End of a session. True: its direct messages stay, because the number is that of a person.
    SessionDeleted(SessionId, bool),
    /// Read marks of a person, in place of the earlier ones.
    ReadMarks(ReplicaReadMarks),
    /// Register of the moderation state, and the fact that set it, as the log encodes both.
    Register(
        #[serde(deserialize_with = "vec_without_prealloc")] Vec<u8>,
        #[serde(deserialize_with = "vec_without_prealloc")] Vec<u8>,
    ),
    /// Void: sequences after the first one and up to the second one are never assigned.
    Void(Sequence, Sequence),
    /// Sequence up to which the server has deleted messages of this room by its retention; of rooms
    /// that it has forgotten if the name is empty.
    Forgotten(String, Sequence),
    /// All parts since the one before take effect together.
    Commit(ReplicaCommit),
}

/// First part of a replication.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaBegin {
    /// Log id of the server.
    pub log_id: LogId,
    /// Epoch of the server.
    pub epoch: u64,
    /// True if everything follows, and not what comes after the follower's position.
    pub is_whole: bool,
    /// Server id.
    pub server_id: [u8; 16],
    /// Server key: the secret half (seed), then the public half.
    pub server_key: [[u8; 32]; 2],
    /// Private key of the server for TLS, PKCS#8 in DER. Empty: it has made none.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub tls_key: Vec<u8>,
    /// Certificate of that key, in DER.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub tls_certificate: Vec<u8>,
}

impl std::fmt::Debug for ReplicaBegin {
    /// Leaves out the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { log_id, epoch, is_whole, .. } = self;
        write!(f, "ReplicaBegin({log_id:?}, epoch {epoch}, is_whole {is_whole}, …)")
    }
}

/// Message in a room, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaMessage {
    /// Sequence.
    pub sequence: Sequence,
    /// Sequence of the message before it in the room; 0: none.
    pub previous: Sequence,
    /// Canonical name of the room.
    pub room: String,
    /// Session of the author.
    pub session: SessionId,
    /// Number of the author as a person; 0: nobody who has claimed a name.
    pub person: SessionId,
    /// Username of the author.
    pub username: String,
    /// Wall-clock time of the server.
    pub time: Timestamp,
    /// Reference that the author gave the message.
    pub reference: Reference,
    /// Display style.
    pub style: u8,
    /// Text; the placeholder if it was removed.
    pub text: String,
}

/// Direct message, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDirect {
    /// Sequence.
    pub sequence: Sequence,
    /// Session of the author.
    pub session: SessionId,
    /// Number of the author as a person; 0: nobody who has claimed a name.
    pub person: SessionId,
    /// Username of the author.
    pub username: String,
    /// Mailbox of the recipient: a session, or a person.
    pub to_session: SessionId,
    /// Username of the recipient.
    pub to_username: String,
    /// Wall-clock time of the server.
    pub time: Timestamp,
    /// Reference that the author gave the message.
    pub reference: Reference,
    /// Display style.
    pub style: u8,
    /// Text.
    pub text: String,
    /// Bits of [`kept`]: who still has it.
    pub kept: u8,
}

/// Session record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSession {
    /// Session number.
    pub session: SessionId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Username.
    pub username: String,
    /// Time since which the session is away; `None`: it is connected.
    pub away_since: Option<Timestamp>,
    /// Greatest reference of its stored messages, up to `noted`.
    pub last_reference: Reference,
    /// References that were refused, at most 64.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub refused: Vec<Reference>,
    /// True if the username waits for it after a restart.
    pub keeps_name: bool,
    /// Key that it is bound to.
    pub key: Option<IdentityKey>,
    /// Sequence up to which `last_reference` is right.
    pub noted: Sequence,
}

/// Read marks of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaReadMarks {
    /// Number of the person.
    pub person: SessionId,
    /// Key of the room's name (empty: direct messages), and the sequence; at most 64, the one that
    /// was set last comes last.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub marks: Vec<(String, Sequence)>,
}

/// End of the parts that take effect together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCommit {
    /// Sequence up to which the follower then has everything: its new position.
    pub head: Sequence,
    /// Bits of [`replica_flag`].
    pub flags: u8,
    /// Wall-clock time of the server.
    pub time: Timestamp,
}

impl Replica {
    /// Appends the whole frame to `buffer`.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        encode_frame(buffer, |buffer| {
            codec::encode_into(&kind::REPLICA, buffer);
            codec::encode_into(self, buffer);
        });
    }

    /// Decodes the body of a frame. `None` if it is of another kind. Bytes behind the fields are
    /// ignored.
    ///
    /// # Errors
    /// [`Malformed`]; also for a part that this program does not know.
    pub fn decode(body: &[u8]) -> Option<Result<Self, Malformed>> {
        let (kind, fields) = codec::decode_prefix::<u16>(body).ok()?;
        (kind == kind::REPLICA).then(|| Ok(codec::decode_prefix::<Self>(fields)?.0))
    }
}
