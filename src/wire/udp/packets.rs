//! Fields of the peers' packets: the tables of `docs/protocol/udp.md`, section 15.

use serde::{Deserialize, Serialize};

use crate::model::{Lamport, PathSet, PeerId, RoomClock, Timestamp};
use crate::wire::codec::vec_without_prealloc;

/// Random number of one attempt to join. All zeros in an [`Object`] that concerns a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 8]);

/// Random bytes that a peer must return, to prove that it receives at its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cookie(pub [u8; 8]);

/// `announce`, kind 1: a candidate asks to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Nonce of this attempt to join; not zero.
    pub nonce: Nonce,
    /// Lowest protocol version that the candidate speaks.
    pub lowest: u8,
    /// Highest protocol version that the candidate speaks.
    pub highest: u8,
    /// Requested username, in any spelling; at most 256 bytes.
    pub username: String,
    /// Ids of the peers that have agreed so far; at most 8.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub agreed: Vec<PeerId>,
    /// Padding of an announce to its minimum length; at most 400 bytes. Its contents are ignored.
    pub padding: String,
}

/// `agree`, kind 2: a member admits a candidate, or tells it to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agree {
    /// Nonce of the `announce` that is answered.
    pub nonce: Nonce,
    /// Cookie that the candidate must return in a `pong`.
    pub cookie: Cookie,
    /// Bit 0: [`Agree::ASKING`].
    pub flags: u8,
    /// Paths by which the sender hears the candidate.
    pub heard: PathSet,
    /// Room clock of the sender.
    pub clock: RoomClock,
    /// Room clock at which the sender joined the room.
    pub since: RoomClock,
    /// Username of the sender; at most 64 bytes.
    pub username: String,
    /// Number of members that the sender knows, itself included; for display only.
    pub members: u32,
    /// Lamport counter of the sender; below 2⁴⁸.
    pub lamport: Lamport,
    /// Wall-clock time of the sender.
    pub time: Timestamp,
}

impl Agree {
    /// Flag: the sender's user is being asked, so there is no agreement yet; the candidate must
    /// wait.
    pub const ASKING: u8 = 1;
}

/// `object`, kind 3: a peer objects to a candidate, or to the username of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Nonce of the `announce` that is answered; all zeros: the objection is to a member's
    /// username.
    pub nonce: Nonce,
    /// Error code; README, section 7.
    pub code: u16,
    /// Username of the peer that objects; at most 64 bytes.
    pub by: String,
    /// Canonical username that is objected to, at most 64 bytes; empty if it is invalid.
    pub username: String,
    /// Id of the peer that holds the username (codes 201 and 202). For other codes, id of the peer
    /// that objects.
    pub holder: PeerId,
    /// Room clock of the sender.
    pub clock: RoomClock,
    /// Room clock at which the holder joined the room; 0 for a candidate.
    pub since: RoomClock,
    /// Human-readable text; at most 100 bytes.
    pub text: String,
}

/// `heartbeat`, kind 4: periodic state of a member: its log, and what it has of other authors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Room clock of the sender.
    pub clock: RoomClock,
    /// Room clock at which the sender joined the room.
    pub since: RoomClock,
    /// Username of the sender; at most 64 bytes.
    pub username: String,
    /// Wall-clock time of the sender.
    pub time: Timestamp,
    /// Number of members that the sender knows, itself included; for display only.
    pub members: u32,
    /// Greatest sequence in the sender's own log; 0: its log is empty.
    pub sequence: u32,
    /// State of some of the other authors, as the sender knows it; at most 60.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub page: Vec<PageItem>,
}

/// State of one author in the page of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageItem {
    /// Author whose log the item describes.
    pub author: PeerId,
    /// Mark: the sender has all entries of the author up to this sequence.
    pub have: u32,
    /// Time since the sender last heard the author directly, in half seconds. The values
    /// [`PageItem::INDIRECT`] and [`PageItem::ABSENT`] mean something else.
    pub ago: u8,
}

impl PageItem {
    /// Value of `ago` for a member that the sender has never heard directly, or not for 127
    /// seconds.
    pub const INDIRECT: u8 = 254;
    /// Value of `ago` for an author that is not a member, and whose entries the sender keeps.
    pub const ABSENT: u8 = 255;
}

/// `ping`, kind 5: tests whether a peer is alive at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Cookie that the receiver must return in a `pong`; hard to guess.
    pub cookie: Cookie,
    /// Paths by which the sender hears the receiver.
    pub heard: PathSet,
}

/// `pong`, kind 6: answer to a `ping` or `agree`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Cookie of the `ping` or `agree` that is answered.
    pub cookie: Cookie,
    /// Paths by which the sender hears the receiver.
    pub heard: PathSet,
}

/// Range of consecutive entries in the log of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRange {
    /// Author of the entries.
    pub author: PeerId,
    /// First sequence, from 1.
    pub first: u32,
    /// Last sequence, inclusive; not below `first`.
    pub last: u32,
}

/// `want`, kind 8: requests missing entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Ranges of requested entries: at most 32, with at most 64 entries in all.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `lost`, kind 9: names requested entries that the sender does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Ranges of requested entries that the sender does not have: at most 32, with at most 64
    /// entries in all.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `recall`, kind 10: a newcomer requests the history: a page of [`Mark`]s, and with page 0 the
/// newest entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Nonce of the newcomer's `announce`.
    pub nonce: Nonce,
    /// Number of the requested page, from 0.
    pub page: u16,
}

/// `recent`, kind 11: answer to a `recall`: one page of [`Mark`]s. Page 0 also has the ids of the
/// newest entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Nonce of the `recall` that is answered.
    pub nonce: Nonce,
    /// Number of this page, from 0.
    pub page: u16,
    /// Total number of pages; at least 1.
    pub pages: u16,
    /// Ids of the newest entries in ascending order, at most 10; empty on pages other than 0.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub entries: Vec<EntryId>,
    /// Marks of some of the authors; at most 60.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub marks: Vec<Mark>,
}

/// Id of an entry: its author, and its sequence in the author's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryId {
    /// Author of the entry.
    pub author: PeerId,
    /// Sequence of the entry in its author's log.
    pub sequence: u32,
}

/// Mark of an author: the sender has all entries of the author up to this sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Author of the entries.
    pub author: PeerId,
    /// The sender has all entries of the author up to this sequence.
    pub have: u32,
}

/// `where`, kind 12: requests the addresses of peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// Peers whose addresses are requested; at most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerId>,
}

/// `peers`, kind 13: answer to a `where`: addresses of peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Addresses of requested peers; at most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerAddress>,
}

/// Address at which the sender reaches a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// Id of the peer.
    pub peer: PeerId,
    /// IPv6 address, or IPv4 address as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// UDP port of the peer.
    pub port: u16,
}

/// `bye`, kind 14: the sender leaves the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

/// Fields of an `entry`, kind 7: a message in the log of its author, without key and signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFields {
    /// Sequence in the author's log, from 1.
    pub sequence: u32,
    /// Lamport timestamp of the message, from 1 to 2⁴⁸−1.
    pub lamport: Lamport,
    /// Time of the first sending, by the author's clock; below 2⁴⁸.
    pub time: Timestamp,
    /// Username of the author when the message was sent; 1 to 64 bytes.
    pub username: String,
    /// Display style of the text; README, section 3.
    pub style: u8,
    /// Text of the message; 1 to 1,000 bytes.
    pub text: String,
}
