//! Frames of the TCP protocol, version 1, and their encoding: `docs/protocol/tcp.md`.

mod client_frames;
mod proof;
#[cfg(feature = "server")]
mod replica;
mod server_frames;

pub use client_frames::*;
pub use proof::*;
#[cfg(feature = "server")]
pub use replica::*;
pub use server_frames::*;

use super::codec::{self, Malformed};
use super::frame::LENGTH_PREFIX_LEN;
use crate::model::limits::{MAX_FRAME, MAX_INVITE, MAX_PASSWORD, MAX_PROGRAM_NAME};
use crate::model::{ErrorCode, LogEntry, NoticeCode, Reference, Target};

/// Version of the TCP protocol that this crate speaks.
pub const VERSION: u16 = 1;

/// Magic number: the first field of each `hello`.
pub const MAGIC: [u8; 4] = *b"PiCh";

/// Kind numbers of frames: the first field of a frame's body, and the `about` field of answers.
pub mod kind {
    /// Kind number of the `hello` frame, which a client sends.
    pub const HELLO: u16 = 1;
    /// Kind number of the `join` frame, which a client sends.
    pub const JOIN: u16 = 2;
    /// Kind number of the `say` frame, which a client sends.
    pub const SAY: u16 = 3;
    /// Kind number of the `direct` frame, which a client sends.
    pub const DIRECT: u16 = 4;
    /// Kind number of the `enter` frame, which a client sends.
    pub const ENTER: u16 = 5;
    /// Kind number of the `leave` frame, which a client sends.
    pub const LEAVE: u16 = 6;
    /// Kind number of the `history` frame, which a client sends.
    pub const HISTORY: u16 = 7;
    /// Kind number of the `members` frame, which a client sends.
    pub const MEMBERS: u16 = 8;
    /// Kind number of the `ping` frame, which both sides send.
    pub const PING: u16 = 9;
    /// Kind number of the `pong` frame, which both sides send.
    pub const PONG: u16 = 10;
    /// Kind number of the `search` frame, which a client sends.
    pub const SEARCH: u16 = 11;
    /// Kind number of the `topic` frame, which a client sends.
    pub const TOPIC: u16 = 12;
    /// Kind number of the `remove` frame, which a client sends.
    pub const REMOVE: u16 = 13;
    /// Kind number of the `moderate` frame, which a client sends.
    pub const MODERATE: u16 = 15;
    /// Kind number of the `sanctions` frame, which a client sends.
    pub const SANCTIONS: u16 = 16;
    /// Kind number of the `directory` frame, which a client sends.
    pub const DIRECTORY: u16 = 17;
    /// Kind number of the `announce` frame, which a client sends.
    pub const ANNOUNCE: u16 = 18;
    /// Kind number of the `role` frame, which a client sends.
    pub const ROLE: u16 = 19;
    /// Kind number of the `claim` frame, which a client sends.
    pub const CLAIM: u16 = 20;
    /// Kind number of the `mark_read` frame, which a client sends.
    pub const MARK_READ: u16 = 23;
    /// Kind number of the `replicate` frame, which a follower sends.
    pub const REPLICATE: u16 = 24;
    /// Kind number of the `replicated` frame, which a follower sends.
    pub const REPLICATED: u16 = 25;
    /// Kind number of the `server_hello` frame, which a server sends.
    pub const SERVER_HELLO: u16 = 64;
    /// Kind number of the `welcome` frame, which a server sends.
    pub const WELCOME: u16 = 65;
    /// Kind number of the `entered` frame, which a server sends.
    pub const ENTERED: u16 = 66;
    /// Kind number of the `entry` frame, which a server sends.
    pub const ENTRY: u16 = 67;
    /// Kind number of the `direct_entry` frame, which a server sends.
    pub const DIRECT_ENTRY: u16 = 68;
    /// Kind number of the `end` frame, which a server sends.
    pub const END: u16 = 69;
    /// Kind number of the `left` frame, which a server sends.
    pub const LEFT: u16 = 70;
    /// Kind number of the `roster` frame, which a server sends.
    pub const ROSTER: u16 = 71;
    /// Kind number of the `presence` frame, which a server sends.
    pub const PRESENCE: u16 = 72;
    /// Kind number of the `accepted` frame, which a server sends.
    pub const ACCEPTED: u16 = 73;
    /// Kind number of the `notice` frame, which a server sends.
    pub const NOTICE: u16 = 74;
    /// Kind number of the `error` frame, which a server sends.
    pub const ERROR: u16 = 75;
    /// Kind number of the `done` frame, which a server sends.
    pub const DONE: u16 = 76;
    /// Kind number of the `removed` frame, which a server sends.
    pub const REMOVED: u16 = 77;
    /// Kind number of the `topic_changed` frame, which a server sends.
    pub const TOPIC_CHANGED: u16 = 79;
    /// Kind number of the `room_modes` frame, which a server sends.
    pub const ROOM_MODES: u16 = 80;
    /// Kind number of the `role_changed` frame, which a server sends.
    pub const ROLE_CHANGED: u16 = 81;
    /// Kind number of the `sanctions_list` frame, which a server sends.
    pub const SANCTIONS_LIST: u16 = 82;
    /// Kind number of the `rooms` frame, which a server sends.
    pub const ROOMS: u16 = 83;
    /// Kind number of the `read_mark` frame, which a server sends.
    pub const READ_MARK: u16 = 85;
    /// Kind number of the `replica` frame, which a server sends to its follower.
    pub const REPLICA: u16 = 86;
    /// Kind number of the `sanctioned` frame, which a server sends.
    pub const SANCTIONED: u16 = 87;
}

/// Feature bits of `hello` (requested) and `server_hello` (provided).
pub mod feature {
    /// The server sends `roster` and `presence` frames without a request.
    pub const PRESENCE: u64 = 1;
    /// The server answers `search`, whether or not the client has set this bit.
    pub const SEARCH: u64 = 2;
    /// The client keeps its token and reconnects by itself. So when the connection is lost, the
    /// server reserves the client's name for a while.
    pub const RESUME: u64 = 4;
    /// The client can prove a key, and waits for `server_hello` before it sends `join`. The server
    /// has a key and sends a challenge.
    pub const IDENTITY: u64 = 8;
    /// The client understands frames that change what was said, or what it may do.
    pub const EVENTS: u64 = 16;
    /// The server answers `directory`, whether or not the client has set this bit.
    pub const DIRECTORY: u64 = 32;
    /// The server is to be reached over TLS, at its default port of the same address.
    pub const TLS: u64 = 64;
    /// The server keeps what a person has read, and tells it to the person's other devices. It is
    /// provided together with [`IDENTITY`] only.
    pub const READ_MARKS: u64 = 128;
    /// The server can be followed. It is provided together with [`IDENTITY`], over TLS, by a server
    /// with a log on disk only.
    pub const REPLICATION: u64 = 256;
}

/// Bits of the `flags` fields. A bit means different things in different frames.
pub mod flag {
    /// `welcome`: the session of the token was resumed.
    pub const SESSION_KEPT: u8 = 1;
    /// `welcome`: the client receives all entries after its position, except deleted ones. If the
    /// bit is not set, the client receives only the 10 most recent entries of each room and the 10
    /// most recent direct messages.
    pub const POSITION_KEPT: u8 = 2;
    /// `welcome`: messages and sessions survive a restart of the server.
    pub const DURABLE: u8 = 4;
    /// `entered`: entries after the client's position are missing in this room.
    pub const GAP: u8 = 1;
    /// `entry`, `direct_entry`: the entry is from the history, not live.
    pub const HISTORY: u8 = 1;
    /// `entry`: the entry belongs to the answer to a `history` or `search`.
    pub const REQUESTED: u8 = 2;
    /// `end`: there are older entries or matches. `roster`: there are further pages.
    pub const MORE: u8 = 1;
    /// `roster`, `presence`: the frame has the number of members, but no names.
    pub const COUNT_ONLY: u8 = 2;
    /// `moderate`, `sanctions_list`: a ban applies to the target's address, too.
    pub const BY_ADDRESS: u8 = 1;
    /// `moderate`: do nothing; only tell how many users the action would hit.
    pub const DRY_RUN: u8 = 2;
}

/// Action numbers of `moderate`, `sanctions_list` and `sanctioned`.
pub mod action {
    /// Sends a user out of a room, or of the server.
    pub const KICK: u8 = 1;
    /// Sends a user out, and keeps the user out.
    pub const BAN: u8 = 2;
    /// Lifts a ban.
    pub const UNBAN: u8 = 3;
    /// Forbids a user to talk.
    pub const MUTE: u8 = 4;
    /// Lifts a mute.
    pub const UNMUTE: u8 = 5;
    /// Sets the minimum interval between two messages of a user in a room.
    pub const SLOW: u8 = 6;
    /// Sets whether only sessions with a role may talk in a room.
    pub const MODERATED: u8 = 7;
}

/// Action numbers of `claim`.
pub mod claim_action {
    /// Claims the name that the session holds.
    pub const CLAIM: u8 = 1;
    /// Gives up the claim.
    pub const GIVE_UP: u8 = 2;
    /// Makes a link code, by which a further device joins under the claimed name.
    pub const LINK: u8 = 3;
    /// Leaves the claimed name to this device alone.
    pub const UNLINK_OTHERS: u8 = 4;
}

/// Role numbers of `role` and `role_changed`.
pub mod role {
    /// No role.
    pub const NONE: u8 = 0;
    /// Moderator.
    pub const MODERATOR: u8 = 1;
    /// Owner.
    pub const OWNER: u8 = 2;
}

/// Defines an enum of frames from a table of frame types, their kind numbers and their trailing
/// fields in order, if they have any.
///
/// A trailing field is one that was added after the first version: a frame may end before it, and
/// then it has its default value. So it is no field for serde (`#[serde(skip)]`), and no trailing
/// field is written behind which there are only default values: without them, the bytes are those of
/// the first version.
macro_rules! frames {
    ($(#[$doc:meta])* $enum:ident {
        $($variant:ident($type:ident) = $kind:path $(, then $($trailing:ident),+)?;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $enum {
            $(#[doc = concat!("Frame of kind `", stringify!($kind), "`.")] $variant($type),)*
        }

        impl $enum {
            /// Returns the kind number of the frame.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// Decodes the fields of a frame of this kind; ignores bytes after them and checks no
            /// limits. `Ok(None)` if the enum has no such kind.
            fn decode_fields(kind: u16, fields: &[u8]) -> Result<Option<Self>, Malformed> {
                match kind {
                    $($kind => codec::decode_prefix::<$type>(fields).and_then(|decoded| {
                        $(let decoded = decode_trailing!(decoded, $($trailing),+);)?
                        Ok(Some(Self::$variant(decoded.0)))
                    }),)*
                    _ => Ok(None),
                }
            }

            /// Appends the whole frame to `buffer`: length prefix, kind and fields. The body must
            /// not exceed [`MAX_FRAME`] bytes; debug builds check it.
            pub fn encode(&self, buffer: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(it) => encode_frame(buffer, |buffer| {
                        codec::encode_into(&$kind, buffer);
                        codec::encode_into(it, buffer);
                        $(encode_trailing!(it, buffer, $($trailing),+);)?
                    }),)*
                }
            }
        }

        $(impl From<$type> for $enum {
            fn from(frame: $type) -> Self {
                Self::$variant(frame)
            }
        })*
    };
}

/// Decodes the trailing fields of a frame, as far as there are bytes: takes and returns the frame
/// and the bytes behind what is decoded.
macro_rules! decode_trailing {
    ($decoded:ident, $($field:ident),+) => {{
        let (mut frame, mut rest) = $decoded;
        $(if !rest.is_empty() {
            (frame.$field, rest) = codec::decode_prefix(rest)?;
        })+
        (frame, rest)
    }};
}

/// Appends the trailing fields of a frame to a buffer, up to the last one that has not its default
/// value.
macro_rules! encode_trailing {
    ($frame:ident, $buffer:ident, $($field:ident),+) => {
        let mut needed = $buffer.len();
        $(codec::encode_into(&$frame.$field, $buffer);
        if !is_default(&$frame.$field) {
            needed = $buffer.len();
        })+
        $buffer.truncate(needed);
    };
}

frames! {
    /// Frame sent by a client.
    ClientFrame {
        Hello(Hello) = kind::HELLO;
        Join(Join) = kind::JOIN, then proof, invite;
        Say(Say) = kind::SAY;
        Direct(Direct) = kind::DIRECT;
        Enter(Enter) = kind::ENTER;
        Leave(Leave) = kind::LEAVE;
        History(History) = kind::HISTORY;
        Members(Members) = kind::MEMBERS;
        Ping(Ping) = kind::PING;
        Pong(Pong) = kind::PONG;
        Search(Search) = kind::SEARCH;
        Topic(TopicRequest) = kind::TOPIC;
        Remove(Remove) = kind::REMOVE;
        Moderate(Moderate) = kind::MODERATE;
        Sanctions(SanctionsRequest) = kind::SANCTIONS;
        Directory(Directory) = kind::DIRECTORY;
        Announce(AnnounceRequest) = kind::ANNOUNCE;
        Role(RoleRequest) = kind::ROLE;
        Claim(Claim) = kind::CLAIM, then code_hash;
        MarkRead(MarkRead) = kind::MARK_READ;
        Replicate(Replicate) = kind::REPLICATE;
        Replicated(Replicated) = kind::REPLICATED;
    }
}

frames! {
    /// Frame sent by a server.
    ServerFrame {
        Ping(Ping) = kind::PING;
        Pong(Pong) = kind::PONG;
        ServerHello(ServerHello) = kind::SERVER_HELLO, then challenge, server_key;
        Welcome(Welcome) = kind::WELCOME;
        Entered(Entered) = kind::ENTERED;
        Entry(Entry) = kind::ENTRY, then person;
        DirectEntry(DirectEntry) = kind::DIRECT_ENTRY, then from_person;
        End(End) = kind::END;
        Left(Left) = kind::LEFT;
        Roster(Roster) = kind::ROSTER;
        Presence(Presence) = kind::PRESENCE;
        Accepted(Accepted) = kind::ACCEPTED;
        Notice(Notice) = kind::NOTICE;
        Error(Error) = kind::ERROR;
        Done(Done) = kind::DONE, then page;
        Removed(Removed) = kind::REMOVED;
        TopicChanged(TopicChanged) = kind::TOPIC_CHANGED;
        RoomModes(RoomModes) = kind::ROOM_MODES;
        RoleChanged(RoleChanged) = kind::ROLE_CHANGED;
        SanctionsList(SanctionsList) = kind::SANCTIONS_LIST;
        Rooms(Rooms) = kind::ROOMS;
        ReadMark(ReadMark) = kind::READ_MARK;
        Sanctioned(Sanctioned) = kind::SANCTIONED;
    }
}

/// Result of decoding a frame's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<F> {
    /// Valid frame, within the limits that decoding checks.
    Frame(F),
    /// Frame whose kind is unknown or belongs to the other direction. The receiver must ignore it.
    Ignored,
    /// Frame whose fields cannot be decoded or exceed a limit, with its kind number. The number is
    /// 0 if the kind itself cannot be decoded.
    Malformed(u16),
}

/// Class of a client's frame: what the server does about it besides answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameClass {
    /// Handshake or sign of life. It has no reference.
    Connection,
    /// Chat message. By its reference it is stored once.
    Message,
    /// Request about a room, which the server answers from its state. It needs a reference.
    RoomRequest,
    /// Request that reads the log, moderates or asks for a list. It needs a reference, and costs the
    /// sender's address units of its own (section 12).
    ChargedRequest,
    /// Read mark. It has no reference and no answer. If the session is one of a person, it costs the
    /// sender's address as a [`Self::ChargedRequest`] does.
    Mark,
}

impl ClientFrame {
    /// Decodes the body of a client's frame: steps 3, 4, 6 and 7 of section 15. It also checks that
    /// the versions of a `hello` are in order, a part of step 8.
    ///
    /// The caller does step 5: it checks the state *before* it answers a [`Decoded::Malformed`].
    #[must_use]
    pub fn decode(body: &[u8]) -> Decoded<Self> {
        decode_body(body, Self::decode_fields, Self::is_within_limits)
    }

    /// Returns true if program name, program version, password and invitation are within their limits. In a
    /// `hello`, the lowest version must also not be above the highest. Other fields are not
    /// checked.
    fn is_within_limits(&self) -> bool {
        match self {
            Self::Hello(hello) => {
                hello.client_name.len() <= MAX_PROGRAM_NAME
                    && hello.client_version.len() <= MAX_PROGRAM_NAME
                    && hello.min_version <= hello.max_version
            }
            Self::Join(join) => {
                join.password.as_ref().is_none_or(|it| it.len() <= MAX_PASSWORD)
                    && join.invite.as_ref().is_none_or(|it| it.len() <= MAX_INVITE)
            }
            _ => true,
        }
    }

    /// Returns the cost of the frame by its kind, in units of the rate limit (section 12). The cost
    /// covers a body of up to 1,024 bytes. It is 1 for a `pong`; the caller makes those free that
    /// answer a `ping`.
    #[must_use]
    pub const fn units(&self) -> u32 {
        match self {
            Self::Enter(_) | Self::Members(_) | Self::Sanctions(_) | Self::Directory(_) => 2,
            Self::History(_) => 3,
            Self::Search(_) => 5,
            Self::Hello(_)
            | Self::Join(_)
            | Self::Say(_)
            | Self::Direct(_)
            | Self::Leave(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Topic(_)
            | Self::Remove(_)
            | Self::Moderate(_)
            | Self::Announce(_)
            | Self::Role(_)
            | Self::MarkRead(_)
            | Self::Replicate(_) => 1,
            // The server bounds what it sends without one.
            Self::Replicated(_) => 0,
            // Each is a fact in the log, and everybody may send it.
            Self::Claim(_) => 30,
        }
    }

    /// Returns the class of the frame.
    #[must_use]
    pub const fn class(&self) -> FrameClass {
        match self {
            Self::Hello(_)
            | Self::Join(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Replicate(_)
            | Self::Replicated(_) => FrameClass::Connection,
            Self::Say(_) | Self::Direct(_) => FrameClass::Message,
            Self::Enter(_) | Self::Leave(_) | Self::Members(_) => FrameClass::RoomRequest,
            Self::History(_)
            | Self::Search(_)
            | Self::Topic(_)
            | Self::Remove(_)
            | Self::Moderate(_)
            | Self::Sanctions(_)
            | Self::Directory(_)
            | Self::Announce(_)
            | Self::Role(_)
            | Self::Claim(_) => FrameClass::ChargedRequest,
            Self::MarkRead(_) => FrameClass::Mark,
        }
    }

    /// Returns the reference of the frame; [`Reference::NONE`] if frames of its kind have none.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        match self {
            Self::Say(it) => it.reference,
            Self::Direct(it) => it.reference,
            Self::Enter(it) => it.reference,
            Self::Leave(it) => it.reference,
            Self::History(it) => it.reference,
            Self::Members(it) => it.reference,
            Self::Search(it) => it.reference,
            Self::Topic(it) => it.reference,
            Self::Remove(it) => it.reference,
            Self::Moderate(it) => it.reference,
            Self::Sanctions(it) => it.reference,
            Self::Directory(it) => it.reference,
            Self::Announce(it) => it.reference,
            Self::Role(it) => it.reference,
            Self::Claim(it) => it.reference,
            Self::Hello(_)
            | Self::Join(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::MarkRead(_)
            | Self::Replicate(_)
            | Self::Replicated(_) => Reference::NONE,
        }
    }

    /// Returns the memory that the fields of the frame hold beside the frame itself, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let strings: &[&String] = match self {
            Self::Hello(it) => &[&it.client_name, &it.client_version],
            Self::Join(it) => {
                let names = it.rooms.iter().map(String::capacity).sum::<usize>();
                let list = it.rooms.capacity() * size_of::<String>();
                let secrets = [&it.password, &it.invite];
                let secrets: usize = secrets.into_iter().flatten().map(String::capacity).sum();
                let proof = it.proof.as_ref().map_or(0, |it| size_of_val(&**it));
                return names + list + secrets + proof + it.username.capacity();
            }
            Self::Say(it) => &[&it.room, &it.text],
            Self::Direct(it) => &[&it.to, &it.text],
            Self::Enter(it) => &[&it.room],
            Self::Leave(it) => &[&it.room],
            Self::History(it) => &[&it.room],
            Self::Members(it) => &[&it.room, &it.after],
            Self::Search(it) => &[&it.room, &it.from, &it.text],
            Self::Topic(it) => &[&it.room, &it.text],
            Self::Remove(it) => &[&it.room, &it.reason],
            Self::Moderate(it) => &[&it.room, &it.username, &it.reason],
            Self::Sanctions(it) => &[&it.room],
            Self::MarkRead(it) => &[&it.room],
            Self::Announce(it) => &[&it.room, &it.text],
            Self::Role(it) => &[&it.room, &it.username],
            Self::Replicate(_) => return size_of::<Proof>(),
            Self::Ping(_)
            | Self::Pong(_)
            | Self::Directory(_)
            | Self::Claim(_)
            | Self::Replicated(_) => &[],
        };
        strings.iter().map(|it| it.capacity()).sum()
    }
}

impl Decoded<ClientFrame> {
    /// Returns the memory that the result holds, itself included, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let heap = match self {
            Self::Frame(frame) => frame.heap_bytes(),
            Self::Ignored | Self::Malformed(_) => 0,
        };
        size_of::<Self>() + heap
    }
}

impl ServerFrame {
    /// Decodes the body of a server's frame, as [`ClientFrame::decode`] does, but checks no limits.
    #[must_use]
    pub fn decode(body: &[u8]) -> Decoded<Self> {
        decode_body(body, Self::decode_fields, |_| true)
    }
}

/// Returns true if a trailing field has its default value, which a frame that ends before it means.
fn is_default<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}

/// Decodes a frame's body: the kind, then the fields with `decode_fields`. Then checks them with
/// `is_within_limits`. Bytes after the last field are ignored.
fn decode_body<F>(
    body: &[u8],
    decode_fields: impl Fn(u16, &[u8]) -> Result<Option<F>, Malformed>,
    is_within_limits: impl Fn(&F) -> bool,
) -> Decoded<F> {
    let Ok((kind, fields)) = codec::decode_prefix::<u16>(body) else {
        return Decoded::Malformed(0);
    };
    match decode_fields(kind, fields) {
        Ok(Some(frame)) if is_within_limits(&frame) => Decoded::Frame(frame),
        Ok(None) => Decoded::Ignored,
        Ok(Some(_)) | Err(Malformed) => Decoded::Malformed(kind),
    }
}

/// Appends a frame to `buffer`: length prefix, then the body, which `append_body` appends. The body
/// must not exceed [`MAX_FRAME`] bytes; debug builds check it.
fn encode_frame(buffer: &mut Vec<u8>, append_body: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; LENGTH_PREFIX_LEN]);
    append_body(buffer);
    let length = buffer.len() - start - LENGTH_PREFIX_LEN;
    debug_assert!(length <= MAX_FRAME, "a frame of {length} bytes");
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(header) = buffer.get_mut(start..start + LENGTH_PREFIX_LEN) {
        header.copy_from_slice(&length);
    }
}

/// Builds the frame of a log entry: `entry` for a message in a room, `direct_entry` for a direct
/// message. `flags`: bits of [`flag`].
#[must_use]
pub fn entry_frame(entry: &LogEntry, flags: u8) -> ServerFrame {
    let draft = &entry.draft;
    match &draft.target {
        Target::Room(room) => ServerFrame::Entry(Entry {
            flags,
            sequence: entry.sequence,
            previous: entry.previous,
            room: room.as_str().to_owned(),
            session: draft.session,
            username: draft.username.as_str().to_owned(),
            time: entry.time,
            reference: draft.reference,
            style: draft.style.0,
            text: draft.text.as_str().to_owned(),
            person: draft.person.unwrap_or_default(),
        }),
        Target::Session(to_session, to) => ServerFrame::DirectEntry(DirectEntry {
            flags,
            sequence: entry.sequence,
            from_session: draft.session,
            from: draft.username.as_str().to_owned(),
            to_session: *to_session,
            to: to.as_str().to_owned(),
            time: entry.time,
            reference: draft.reference,
            style: draft.style.0,
            text: draft.text.as_str().to_owned(),
            from_person: draft.person.unwrap_or_default(),
        }),
    }
}

impl Error {
    /// Builds an error that answers no particular frame: kind and reference are 0. It has the
    /// default text of its code, and no advice when to try again.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self::about(code, 0, Reference::NONE)
    }

    /// Builds an error that answers a frame of kind `kind` with reference `reference`. It has the
    /// default text of its code, and no advice when to try again.
    #[must_use]
    pub fn about(code: ErrorCode, kind: u16, reference: Reference) -> Self {
        Self {
            code: code.number(),
            about: kind,
            reference,
            retry_after: 0,
            text: code.default_text().to_owned(),
        }
    }
}

impl Notice {
    /// Builds a notice with this text. The caller must keep the text within 512 bytes.
    #[must_use]
    pub fn new(code: NoticeCode, text: &str) -> Self {
        Self { code: code.number(), text: text.to_owned() }
    }
}
