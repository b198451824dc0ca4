//! Packets of peers: the tables of `docs/protocol/udp.md`, section 15.

use serde::{Deserialize, Serialize};

use crate::model::{Lamport, PathSet, PeerId, RoomClock, Timestamp};
use crate::wire::codec::vec_without_prealloc;

/// Random number of an attempt to join; zero if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 8]);

/// Random number that is echoed to prove that an address works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cookie(pub [u8; 8]);

/// `announce`, kind 1: a candidate asks to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Nonce of this attempt to join; not zero.
    pub nonce: Nonce,
    /// Lowest version of the candidate.
    pub lowest: u8,
    /// Highest version of the candidate.
    pub highest: u8,
    /// Requested username; at most 256 bytes.
    pub username: String,
    /// Peers whose agreement the candidate has; at most 8.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub agreed: Vec<PeerId>,
    /// Padding to the minimum length; ignored.
    pub padding: String,
}

/// `agree`, kind 2: a member admits the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agree {
    /// Nonce of the announce.
    pub nonce: Nonce,
    /// Cookie to be echoed in a `pong`.
    pub cookie: Cookie,
    /// Bit 0: [`Agree::ASKING`].
    pub flags: u8,
    /// Paths by which the sender hears the candidate.
    pub heard: PathSet,
    /// Sender's room clock.
    pub clock: RoomClock,
    /// Room clock at which the sender joined.
    pub since: RoomClock,
    /// Sender's username; at most 64 bytes.
    pub username: String,
    /// Number of members, the sender included.
    pub members: u32,
    /// Sender's Lamport timestamp.
    pub lamport: Lamport,
    /// Sender's wall clock.
    pub time: Timestamp,
}

impl Agree {
    /// Flag: the sender's user is being asked; wait.
    pub const ASKING: u8 = 1;
}

/// `object`, kind 3: a peer objects to a candidate or to a member's username.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Nonce of the announce; zero: about the name of a member.
    pub nonce: Nonce,
    /// Error code of the registry.
    pub code: u16,
    /// Username of the objecting peer; at most 64 bytes.
    pub by: String,
    /// Canonical username that it is about; empty if invalid.
    pub username: String,
    /// Peer that holds the name, else the objecting peer.
    pub holder: PeerId,
    /// Sender's room clock.
    pub clock: RoomClock,
    /// Room clock at which the holder joined.
    pub since: RoomClock,
    /// Human-readable text; at most 100 bytes.
    pub text: String,
}

/// `heartbeat`, kind 4: presence of the sender and what it has of other authors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Sender's room clock.
    pub clock: RoomClock,
    /// Room clock at which the sender joined.
    pub since: RoomClock,
    /// Sender's username; at most 64 bytes.
    pub username: String,
    /// Sender's wall clock.
    pub time: Timestamp,
    /// Number of members, the sender included.
    pub members: u32,
    /// Last sequence that the sender has written; 0: none.
    pub sequence: u32,
    /// State of other authors, as seen by the sender; at most 60.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub page: Vec<PageItem>,
}

/// State of one author in a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageItem {
    /// Author.
    pub author: PeerId,
    /// Greatest sequence up to which the sender has all entries.
    pub have: u32,
    /// Half seconds since the sender heard it directly, [`PageItem::INDIRECT`] or
    /// [`PageItem::ABSENT`].
    pub ago: u8,
}

impl PageItem {
    /// `ago` of a member that the sender knows only through others.
    pub const INDIRECT: u8 = 254;
    /// `ago` of a non-member, of which only entries are stored.
    pub const ABSENT: u8 = 255;
}

/// `ping`, kind 5: tests whether an address works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Random cookie, hard to guess.
    pub cookie: Cookie,
    /// Paths by which the sender hears the receiver.
    pub heard: PathSet,
}

/// `pong`, kind 6: answer to a `ping` or `agree`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Cookie of the `ping` or `agree`.
    pub cookie: Cookie,
    /// Paths by which the sender hears the receiver.
    pub heard: PathSet,
}

/// Range of consecutive entries of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRange {
    /// Author.
    pub author: PeerId,
    /// First sequence.
    pub first: u32,
    /// Last sequence, inclusive; not below `first`.
    pub last: u32,
}

/// `want`, kind 8: requests missing entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Requested ranges: at most 32, with at most 64 entries in all.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `lost`, kind 9: reports requested entries that the sender does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Missing ranges; at most 32.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `recall`, kind 10: a candidate requests a page of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Nonce of the announce.
    pub nonce: Nonce,
    /// Page number; page 0 also lists the newest entries.
    pub page: u16,
}

/// `recent`, kind 11: answer to `recall`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Nonce of the recall.
    pub nonce: Nonce,
    /// Page number.
    pub page: u16,
    /// Number of pages; at least 1.
    pub pages: u16,
    /// On page 0 the ids of the newest entries, at most 10, in ascending order.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub entries: Vec<EntryId>,
    /// Marks of authors; at most 60 on a page.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub marks: Vec<Mark>,
}

/// Id of an entry: author and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryId {
    /// Author.
    pub author: PeerId,
    /// Sequence in the author's log.
    pub sequence: u32,
}

/// Mark: how far the sender's copy of an author's log is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Author.
    pub author: PeerId,
    /// Greatest sequence up to which the sender has all entries.
    pub have: u32,
}

/// `where`, kind 12: requests addresses of peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// Peers whose addresses are requested; at most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerId>,
}

/// `peers`, kind 13: answer to `where`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Addresses of peers; at most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerAddress>,
}

/// Address at which a peer can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// Peer.
    pub peer: PeerId,
    /// IPv6 address, or IPv4 address as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// UDP port.
    pub port: u16,
}

/// `bye`, kind 14: the sender leaves the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

/// Fields of `entry`, kind 7: a message in its author's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFields {
    /// Sequence in the author's log, from 1.
    pub sequence: u32,
    /// Lamport timestamp, from 1.
    pub lamport: Lamport,
    /// Time at which the author first sent it, by the author's clock.
    pub time: Timestamp,
    /// Author's username at that time; 1 to 64 bytes.
    pub username: String,
    /// Display style of the text.
    pub style: u8,
    /// Text of the message; 1 to 1,000 bytes.
    pub text: String,
}
