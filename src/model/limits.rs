//! Every limit of the protocols, in one table (`docs/protocol/README.md`,
//! section 5). What an owner can change is in [`super::HubSettings`]; its
//! defaults are taken from here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Default port, TCP and UDP: CHAT on a telephone's keys.
pub const DEFAULT_PORT: u16 = 2428;

/// By which servers are found on a network: `docs/protocol/discovery.md`.
pub const MDNS_SERVICE: &str = "_pi-chat._tcp.local.";

/// Largest body of a frame, in bytes.
pub const MAX_FRAME: usize = 16_384;

/// Largest body of the first frame that a client sends, in bytes.
pub const MAX_FIRST_FRAME: u16 = 256;

/// Longest text of a message, in bytes.
pub const MAX_TEXT: u16 = 4_096;

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 32;

/// Longest name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 64;

/// Longest name before it is normalised, in bytes. Bounds the work that
/// somebody else can make us do.
pub const MAX_RAW_NAME_BYTES: usize = 256;

/// Longest program name and program version, in bytes each.
pub const MAX_PROGRAM_NAME: usize = 32;

/// Longest server name, in bytes.
pub const MAX_SERVER_NAME: usize = 64;

/// Longest password, in bytes.
pub const MAX_PASSWORD: usize = 256;

/// Longest sentence in an error or notice, in bytes.
pub const MAX_ERROR_TEXT: usize = 512;

/// Rooms that one session may be in.
pub const MAX_ROOMS: u16 = 16;

/// Messages of each room that a newcomer gets.
pub const HISTORY_LENGTH: u16 = 10;

/// Most entries in one answer to a `history` request.
pub const MAX_HISTORY_PAGE: u16 = 100;

/// Most entries that are replayed at one time to somebody who comes back;
/// the next ones are read when these are sent.
pub const REPLAY_PAGE: u16 = 100;

/// Most entries in one answer to a `search`.
pub const MAX_SEARCH_PAGE: u16 = 50;

/// Longest text of a `search`, in bytes.
pub const MAX_SEARCH_TEXT: usize = 256;

/// Most words in a `search`.
pub const MAX_SEARCH_WORDS: usize = 16;

/// Most names in one `roster` or `presence`; above so many members a room
/// tells only how many they are.
pub const MAX_LISTED_NAMES: usize = 100;

/// Direct messages kept for one session.
pub const MAX_KEPT_DIRECT_MESSAGES: usize = 100;

/// Refused references that a session remembers.
pub const MAX_REFUSED_REFERENCES: usize = 64;

/// Refused joins after which a connection is closed.
pub const MAX_JOIN_ATTEMPTS: u8 = 5;

/// From accepting a connection until its `join` has come.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// From a refused `join` until the next one.
pub const NEXT_JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Silence after which a ping is sent.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Silence after which the other side is taken for gone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a session outlives its connection.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Changes of presence are collected for so long.
pub const PRESENCE_DELAY: Duration = Duration::from_millis(500);

/// The same in a room of more than [`MAX_LISTED_NAMES`] members.
pub const LARGE_ROOM_PRESENCE_DELAY: Duration = Duration::from_secs(5);

/// How long a reader may be behind.
pub const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server that stops waits for what is still to be sent.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_200);

/// A clock that goes back by no more than this is waited for; a larger step
/// is followed.
pub const MAX_CLOCK_STEP: Duration = Duration::from_secs(5);

/// The group in which peers meet, over IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 24, 28);

/// The group in which peers meet, over IPv6.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x2428);

/// Largest datagram, in bytes: never fragmented where IPv6 works.
pub const MAX_DATAGRAM: usize = 1_232;

/// Smallest datagram of an `announce`, in bytes before it is sealed, so that
/// no answer is larger than the question.
pub const MIN_ANNOUNCE: usize = 400;

/// Longest padding of an `announce`, in bytes.
pub const MAX_PADDING: usize = 400;

/// Longest text of a message among peers, in bytes.
pub const MAX_PEER_TEXT: usize = 1_000;

/// Longest sentence in an `object`, in bytes.
pub const MAX_OBJECTION_TEXT: usize = 100;

/// Counters of datagrams, Lamport counters and times of entries are below
/// this: six bytes, or seven as a varint.
pub const COUNTER_END: u64 = 1 << 48;

/// The longest-standing members: so many answer for the room, and so many
/// agreements an `announce` can name.
pub const MAX_AGREEMENTS: usize = 8;

/// Most authors in the page of a `heartbeat`, most marks in a `recent`.
pub const MAX_PAGE: usize = 60;

/// Most entries in a `recent`.
pub const MAX_RECENT: usize = 10;

/// Most ranges in a `want` or `lost`.
pub const MAX_RANGES: usize = 32;

/// Most entries that one `want` asks for.
pub const MAX_WANTED: u64 = 64;

/// Most peers in a `where` or `peers`.
pub const MAX_PEERS: usize = 16;
