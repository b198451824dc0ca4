//! Protocol limits and timeouts in one table (`docs/protocol/README.md`, section 5). Limits that an
//! owner can change are in [`super::HubSettings`], which takes its defaults from here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Default port, TCP and UDP: spells CHAT on a telephone keypad.
pub const DEFAULT_PORT: u16 = 2428;

/// Default port of the listener for TLS.
pub const DEFAULT_TLS_PORT: u16 = 2_429;

/// Default port of the listener for browsers over plain HTTP.
pub const DEFAULT_WEB_PORT: u16 = 2_480;

/// Default port of the listener for browsers over https.
pub const DEFAULT_WEB_TLS_PORT: u16 = 2_443;

/// Maximum length of a client's WebSocket message, in bytes.
pub const MAX_WEBSOCKET_MESSAGE: u32 = 65_536;

/// mDNS service type by which servers are discovered: `docs/protocol/discovery.md`.
pub const MDNS_SERVICE: &str = "_pi-chat._tcp.local.";

/// Maximum length of a TCP frame's body, in bytes.
pub const MAX_FRAME: usize = 16_384;

/// Maximum length of the body of a client's first frame, in bytes.
pub const MAX_FIRST_FRAME: u16 = 256;

/// Maximum length of a message text, in bytes.
pub const MAX_TEXT: u16 = 4_096;

/// Maximum length of a username or room name, in characters (Unicode code points).
pub const MAX_NAME_CHARS: usize = 32;

/// Maximum length of a username or room name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 64;

/// Maximum length of a username or room name before normalisation, in bytes. Bounds the work that
/// a remote program can cause.
pub const MAX_RAW_NAME_BYTES: usize = 256;

/// Maximum length of a program's name and of its version, in bytes each.
pub const MAX_PROGRAM_NAME: usize = 32;

/// Maximum length of a server name, in bytes.
pub const MAX_SERVER_NAME: usize = 64;

/// Maximum length of a password, in bytes.
pub const MAX_PASSWORD: usize = 256;

/// Maximum length of an invitation in a `join`, in bytes.
pub const MAX_INVITE: usize = 256;

/// Maximum length of the human-readable text of an error or notice, in bytes.
pub const MAX_ERROR_TEXT: usize = 512;

/// Maximum length of a one-line text of moderation, a topic or a reason, in bytes.
pub const MAX_LINE: usize = 256;

/// Maximum number of rooms that one session may be in.
pub const MAX_ROOMS: u16 = 16;

/// Maximum number of room names in a `join`, repetitions included. Each decoded name takes an
/// allocation of its own, so a frame full of short names would take much memory.
pub const MAX_JOIN_ROOM_NAMES: usize = 64;

/// Maximum number of the latest messages of each room that are sent as history: after a `join`
/// without an accepted position, after an `enter`, and to a newcomer among peers. Retention by size
/// keeps as many of each room.
pub const HISTORY_LENGTH: u16 = 10;

/// Maximum number of entries in one answer to `history`.
pub const MAX_HISTORY_PAGE: u16 = 100;

/// Page size of a replay: maximum number of missed entries that are read and sent at a time to a
/// client that resumes.
pub const REPLAY_PAGE: u16 = 100;

/// Maximum number of entries in one answer to `search`.
pub const MAX_SEARCH_PAGE: u16 = 50;

/// Maximum length of the text of a `search`, in bytes.
pub const MAX_SEARCH_TEXT: usize = 256;

/// Maximum number of words in the text of a `search`.
pub const MAX_SEARCH_WORDS: usize = 16;

/// Maximum number of names in one `roster`, and of joined and of left names in one `presence`.
///
/// If a room has more members than this, an unrequested `roster` or `presence` holds no names, only
/// the number of members.
pub const MAX_LISTED_NAMES: usize = 100;

/// Maximum number of items in one `sanctions_list` or `rooms`. So many of the longest ones fit into
/// a frame.
pub const MAX_LISTED_ITEMS: usize = 30;

/// Maximum number of direct messages, sent and received, that the log keeps of one session.
pub const MAX_KEPT_DIRECT_MESSAGES: usize = 100;

/// Maximum number of read marks that the server keeps of one person: of as many rooms, or of one
/// less and the direct messages.
pub const MAX_READ_MARKS_OF_PERSON: usize = 64;

/// Maximum number of read marks that the server keeps of all persons.
pub const MAX_READ_MARKS: usize = 20_000;

/// Maximum number of references of refused messages that are remembered for one session. Beyond it,
/// the lowest are forgotten: such a message, sent again, is taken for a duplicate and acknowledged.
pub const MAX_REFUSED_REFERENCES: usize = 64;

/// Number of refused `join`s on one connection after which it is closed.
pub const MAX_JOIN_ATTEMPTS: u8 = 5;

/// Time without a received byte, while a request is unanswered, after which a client says that the
/// server does not answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that the user of a peer has to approve or refuse a newcomer. After it, silence counts as a
/// yes.
pub const APPROVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshake timeout: maximum time from accepting a connection to its first `join`.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshake timeout after a refused `join`: maximum time to the next `join`.
pub const NEXT_JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Time without a received frame after which a `ping` is sent.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Idle timeout: time without a received frame after which a connection is considered dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for which a session can be resumed after its connection has ended.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Time for which a name waits for its session after a lost connection or a restart of the server.
/// Only the names of clients with the feature `resume` wait.
pub const NAME_WAIT: Duration = Duration::from_secs(30);

/// Delay of a presence update in a room with up to [`MAX_LISTED_NAMES`] members: time from the
/// first change to the update with all changes.
pub const PRESENCE_DELAY: Duration = Duration::from_millis(500);

/// Delay of a presence update, as [`PRESENCE_DELAY`], in a room with more than [`MAX_LISTED_NAMES`]
/// members.
pub const LARGE_ROOM_PRESENCE_DELAY: Duration = Duration::from_secs(5);

/// Slow reader timeout. A connection is closed if data waits and the client has taken nothing for
/// this time. It is also closed if the client is behind the live messages by more than this time.
pub const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that a closing connection has to send the data that waits for its client.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_200);

/// Maximum step of the wall clock that counts as drift; a larger step counts as a change of the
/// clock. After a small step back, the log repeats its last timestamp until the clock has caught
/// up.
pub const MAX_CLOCK_STEP: Duration = Duration::from_secs(5);

/// IPv4 multicast group of peers.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 24, 28);

/// IPv6 multicast group of peers.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x2428);

/// Maximum length of a datagram, in bytes. It fits into the minimum MTU of IPv6, so it is not
/// fragmented.
pub const MAX_DATAGRAM: usize = 1_232;

/// Minimum length of an `announce` datagram before sealing, in bytes. No single answer is longer,
/// which limits the amplification by a forged sender address.
pub const MIN_ANNOUNCE: usize = 400;

/// Maximum length of the padding in an `announce`, in bytes.
pub const MAX_PADDING: usize = 400;

/// Maximum length of a message text among peers, in bytes.
pub const MAX_PEER_TEXT: usize = 1_000;

/// Maximum length of the human-readable text of an `object` packet, in bytes.
pub const MAX_OBJECTION_TEXT: usize = 100;

/// Exclusive upper bound of datagram counters, Lamport timestamps and entry times. Smaller values
/// fit into 6 bytes, or 7 as a varint.
pub const COUNTER_END: u64 = 1 << 48;

/// Maximum number of agreements that an `announce` lists: as many as there are voters. (Members
/// that ask their users agree besides.)
pub const MAX_AGREEMENTS: usize = 8;

/// Maximum number of peers in the page of a `heartbeat`, and of authors' marks in a `recent`.
pub const MAX_PAGE: usize = 60;

/// Maximum number of entries in a `recent`.
pub const MAX_RECENT: usize = 10;

/// Maximum number of sequence ranges in a `want` or `lost`.
pub const MAX_RANGES: usize = 32;

/// Maximum number of entries that the ranges of one `want` or `lost` packet cover together.
pub const MAX_WANTED: u64 = 64;

/// Maximum number of peers in a `where` or `peers` datagram.
pub const MAX_PEERS: usize = 16;
