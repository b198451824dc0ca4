//! Every limit of the protocols, in one table (`docs/protocol/README.md`,
//! section 5). What an owner can change is in [`super::HubSettings`]; its
//! defaults are taken from here.

use std::time::Duration;

/// Default port, TCP and UDP: CHAT on a telephone's keys.
pub const DEFAULT_PORT: u16 = 2428;

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
pub const MAX_PROGRAM: usize = 32;

/// Longest server name, in bytes.
pub const MAX_SERVER_NAME: usize = 64;

/// Longest password, in bytes.
pub const MAX_PASSWORD: usize = 256;

/// Longest sentence in an error or notice, in bytes.
pub const MAX_SENTENCE: usize = 512;

/// Rooms that one session may be in.
pub const MAX_ROOMS: u16 = 16;

/// Messages of each room that a newcomer gets.
pub const HISTORY_LENGTH: u16 = 10;

/// Most entries in one answer to a `history` request.
pub const MAX_HISTORY_PAGE: u16 = 100;

/// Most names in one `roster` or `presence`; above so many members a room
/// tells only how many they are.
pub const MAX_NAMES: usize = 100;

/// Direct messages kept for one session.
pub const MAX_DIRECTS: usize = 100;

/// Refused references that a session remembers.
pub const MAX_REFUSED: usize = 64;

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

/// The same in a room of more than [`MAX_NAMES`] members.
pub const CROWD_PRESENCE_DELAY: Duration = Duration::from_secs(5);

/// How long a reader may be behind.
pub const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server that stops waits for what is still to be sent.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_200);

/// A clock that goes back by no more than this is waited for; a larger step
/// is followed.
pub const CLOCK_STEP: Duration = Duration::from_secs(5);
