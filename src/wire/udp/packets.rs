//! What peers send: the tables of `docs/protocol/udp.md`, section 15.

use serde::{Deserialize, Serialize};

use crate::model::{Lamport, PathSet, PeerId, RoomClock, Timestamp};
use crate::wire::codec::vec_without_prealloc;

/// What a candidate chooses for its attempt to join; zero where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 8]);

/// What comes back from an address that works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cookie(pub [u8; 8]);

/// `announce`, kind 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// One for each attempt to join; not zero.
    pub nonce: Nonce,
    /// Lowest version that the candidate speaks.
    pub lowest: u8,
    /// Highest version that it speaks.
    pub highest: u8,
    /// What the person would like to be called; at most 256 bytes.
    pub username: String,
    /// Whose agreement it has; at most 8.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub agreed: Vec<PeerId>,
    /// Makes the datagram long enough; ignored.
    pub padding: String,
}

/// `agree`, kind 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agree {
    /// That of the announce.
    pub nonce: Nonce,
    /// To be sent back in a `pong`.
    pub cookie: Cookie,
    /// Bit 0: [`Agree::ASKING`].
    pub flags: u8,
    /// How the sender hears the candidate.
    pub heard: PathSet,
    /// The sender's room clock.
    pub clock: RoomClock,
    /// When the sender came in.
    pub since: RoomClock,
    /// The sender's name; at most 64 bytes.
    pub username: String,
    /// How many there are, the sender included.
    pub members: u32,
    /// The sender's counter.
    pub lamport: Lamport,
    /// The sender's clock.
    pub time: Timestamp,
}

impl Agree {
    /// Flag: wait, a person is being asked.
    pub const ASKING: u8 = 1;
}

/// `object`, kind 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// That of the announce; zero: about a name held as a member.
    pub nonce: Nonce,
    /// Why, from the registry.
    pub code: u16,
    /// Name of the peer that objects; at most 64 bytes.
    pub by: String,
    /// The name that it is about, canonical; empty if it breaks the rule.
    pub username: String,
    /// Who holds the name, else who objects.
    pub holder: PeerId,
    /// The sender's room clock.
    pub clock: RoomClock,
    /// When the holder came in.
    pub since: RoomClock,
    /// For people; at most 100 bytes.
    pub text: String,
}

/// `heartbeat`, kind 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The sender's room clock.
    pub clock: RoomClock,
    /// When the sender came in.
    pub since: RoomClock,
    /// The sender's name; at most 64 bytes.
    pub username: String,
    /// The sender's clock.
    pub time: Timestamp,
    /// How many there are, the sender included.
    pub members: u32,
    /// The greatest that the sender has written; 0: none.
    pub sequence: u32,
    /// What the sender knows of others; at most 60.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub page: Vec<PageItem>,
}

/// What a heartbeat says of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageItem {
    /// Which author.
    pub author: PeerId,
    /// The greatest that the sender has without a gap.
    pub have: u32,
    /// Half seconds since the sender heard it directly, [`PageItem::INDIRECT`] or [`PageItem::ABSENT`].
    pub ago: u8,
}

impl PageItem {
    /// It is a member; the sender knows that from others only.
    pub const INDIRECT: u8 = 254;
    /// It is not a member; only its messages are here.
    pub const ABSENT: u8 = 255;
}

/// `ping`, kind 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Hard to guess.
    pub cookie: Cookie,
    /// How the sender hears the receiver.
    pub heard: PathSet,
}

/// `pong`, kind 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// That of the `ping` or `agree`.
    pub cookie: Cookie,
    /// How the sender hears the receiver.
    pub heard: PathSet,
}

/// Entries of one author that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRange {
    /// Whose.
    pub author: PeerId,
    /// From this one on.
    pub first: u32,
    /// Up to and with this one; not below `first`.
    pub last: u32,
}

/// `want`, kind 8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// At most 32, at most 64 entries in all.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `lost`, kind 9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Of what was wanted, what the sender does not have; at most 32.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub ranges: Vec<EntryRange>,
}

/// `recall`, kind 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// That of the announce.
    pub nonce: Nonce,
    /// Which page of the marks; 0: and the newest entries.
    pub page: u16,
}

/// `recent`, kind 11.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// That of the recall.
    pub nonce: Nonce,
    /// This page.
    pub page: u16,
    /// How many pages there are; at least 1.
    pub pages: u16,
    /// On page 0 the newest entries, at most 10, in ascending order.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub entries: Vec<EntryId>,
    /// At most 60 on a page.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub marks: Vec<Mark>,
}

/// Which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryId {
    /// Whose.
    pub author: PeerId,
    /// Which one of its.
    pub sequence: u32,
}

/// How far the sender has got with an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which author.
    pub author: PeerId,
    /// The greatest that the sender has without a gap.
    pub have: u32,
}

/// `where`, kind 12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// Whose addresses; at most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerId>,
}

/// `peers`, kind 13.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// At most 16.
    #[serde(deserialize_with = "vec_without_prealloc")]
    pub peers: Vec<PeerAddress>,
}

/// Where a peer can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// Which peer.
    pub peer: PeerId,
    /// IPv6, or IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Its port.
    pub port: u16,
}

/// `bye`, kind 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

/// The fields of `entry`, kind 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFields {
    /// From 1 on.
    pub sequence: u32,
    /// From 1 on.
    pub lamport: Lamport,
    /// When it was first sent, by its author's clock.
    pub time: Timestamp,
    /// What the author was called then; 1 to 64 bytes.
    pub username: String,
    /// How it is meant.
    pub style: u8,
    /// 1 to 1,000 bytes.
    pub text: String,
}
