//! Sentences that engines say to people: values, which the user interface words in the language of
//! the user. `Display` words them in English, for programs and for logs.

use std::fmt;

#[cfg(feature = "peer")]
use super::AddressGroup;
#[cfg(any(feature = "link", feature = "peer"))]
use super::TextError;
#[cfg(feature = "peer")]
use super::limits::MAX_PEER_TEXT;
#[cfg(feature = "link")]
use super::limits::MAX_SEARCH_TEXT;

/// Sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// It has its words already: from the program around the engine, or from another peer.
    Worded(String),
    /// A server has said it.
    Server {
        /// Number in the registry of error codes.
        code: u16,
        /// What the server has said, in English.
        text: String,
    },
    /// The client's engine says it.
    #[cfg(feature = "link")]
    Link(LinkSentence),
    /// The peer's engine says it.
    #[cfg(feature = "peer")]
    Mesh(MeshSentence),
}

impl fmt::Display for Sentence {
    /// Writes the sentence, in English unless the program around the engine has worded it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worded(text) | Self::Server { text, .. } => f.write_str(text),
            #[cfg(feature = "link")]
            Self::Link(sentence) => sentence.fmt(f),
            #[cfg(feature = "peer")]
            Self::Mesh(sentence) => sentence.fmt(f),
        }
    }
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self::Worded(text)
    }
}

#[cfg(feature = "link")]
impl From<LinkSentence> for Sentence {
    fn from(sentence: LinkSentence) -> Self {
        Self::Link(sentence)
    }
}

#[cfg(feature = "peer")]
impl From<MeshSentence> for Sentence {
    fn from(sentence: MeshSentence) -> Self {
        Self::Mesh(sentence)
    }
}

/// Sentence of the client's engine.
#[cfg(feature = "link")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSentence {
    /// The server has not granted the feature `search`.
    NoSearch,
    /// The server has not granted the feature `directory`.
    NoDirectory,
    /// The server has not granted the feature `events`.
    NoModeration,
    /// The server takes no proof of a key.
    NoClaims,
    /// The direct message was meant for a session of a former log.
    FormerLog,
    /// The command is for peers.
    PeersOnly,
    /// The message is longer than this server takes.
    MessageTooLong {
        /// Length of the message, in bytes.
        bytes: usize,
        /// Greatest length, in bytes.
        limit: u16,
    },
    /// The text cannot be a message.
    TextInvalid {
        /// What is wrong.
        error: TextError,
        /// Length of the text, in bytes.
        bytes: usize,
    },
    /// The queue of requests is full.
    QueueFull {
        /// Number of requests in it.
        waiting: usize,
    },
    /// The command does not say which of the joined rooms it is about.
    SeveralRooms,
    /// No room is joined.
    NoRoom,
    /// The text of a search is too long.
    SearchTooLong {
        /// Length of the text, in bytes.
        bytes: usize,
    },
    /// A name in a request is too long for the protocol.
    NameTooLong,
    /// The answer to a change was lost with the connection.
    PerhapsDone,
    /// The user has claimed their name.
    #[cfg(feature = "ui")]
    Claimed {
        /// The name.
        name: String,
    },
    /// The user wanted to give up a claim, and has none.
    #[cfg(feature = "ui")]
    NoClaim,
    /// The user has given up their claim.
    #[cfg(feature = "ui")]
    ClaimGivenUp,
    /// The other devices of the user have lost the name.
    #[cfg(feature = "ui")]
    OthersUnlinked {
        /// The name.
        name: String,
    },
    /// The user has asked for a new connection.
    ConnectingAgain,
    /// The server has sent nothing on a new connection.
    NothingAnswered,
    /// The server has sent nothing for too long.
    FellSilent,
    /// The server has not answered a request for too long.
    NoAnswer,
    /// The time for a graceful shutdown was over before the first join.
    NotReachedInTime,
    /// What was received has no frames.
    NotPiChat,
    /// A frame cannot be decoded.
    FrameUnreadable {
        /// Its kind.
        kind: u16,
    },
    /// The server has chosen a version of the protocol that it was not offered.
    VersionUnknown {
        /// That version.
        version: u16,
    },
    /// There is no common version of the protocol.
    NoCommonVersion {
        /// Oldest version that the server speaks.
        min: u16,
        /// Newest version that the server speaks.
        max: u16,
        /// Version that this client speaks.
        own: u16,
    },
}

#[cfg(feature = "link")]
impl fmt::Display for LinkSentence {
    /// Writes the sentence in English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NoSearch => "This server cannot search.",
            Self::NoDirectory => "This server does not list its rooms.",
            Self::NoModeration => "This server has no moderation.",
            Self::NoClaims => {
                "Names cannot be claimed here: the server is too old, keeps nothing on disk, or was shown no key."
            }
            Self::FormerLog => {
                "The server has a new log, so somebody else may have this name now. The message may have arrived before. Send it again if you like."
            }
            Self::PeersOnly => "Only chat-peer can do that.",
            Self::MessageTooLong { bytes, limit } => {
                return write!(
                    f,
                    "The message is too long: it has {bytes} bytes, and this server takes {limit}."
                );
            }
            Self::TextInvalid { error, bytes } => {
                return write!(f, "Not sent: {error} (it has {bytes} bytes).");
            }
            Self::QueueFull { waiting } => {
                return write!(
                    f,
                    "Not sent: {waiting} messages are already waiting for the server."
                );
            }
            Self::SeveralRooms => "You are in several rooms. Say which one you mean.",
            Self::NoRoom => "You are not in a room. Type /join ROOM.",
            Self::SearchTooLong { bytes } => {
                return write!(
                    f,
                    "This is too long to search for: it has {bytes} bytes, and {MAX_SEARCH_TEXT} is the most."
                );
            }
            Self::NameTooLong => "That name is too long.",
            Self::PerhapsDone => {
                "The connection was lost before the answer. This may have been done or not."
            }
            #[cfg(feature = "ui")]
            Self::Claimed { name } => {
                return write!(
                    f,
                    "{name} is your name now: nobody gets it without the key of this device"
                );
            }
            #[cfg(feature = "ui")]
            Self::NoClaim => "you have claimed no name here",
            #[cfg(feature = "ui")]
            Self::ClaimGivenUp => {
                "you have given up your claim: whoever comes first may have the name when you are away, and a new claim may need a new invitation"
            }
            #[cfg(feature = "ui")]
            Self::OthersUnlinked { name } => {
                return write!(
                    f,
                    "{name} is the name of this device alone now: your other devices are out, and each needs a new link code to come in under it"
                );
            }
            Self::ConnectingAgain => "Connecting again.",
            Self::NothingAnswered => "Nothing answered there.",
            Self::FellSilent => "The server fell silent.",
            Self::NoAnswer => "The server does not answer.",
            Self::NotReachedInTime => "The server could not be reached in time.",
            Self::NotPiChat => "The other side does not speak pi-chat.",
            Self::FrameUnreadable { kind } => {
                return write!(f, "The server sent a frame of kind {kind} that cannot be read.");
            }
            Self::VersionUnknown { version } => {
                return write!(
                    f,
                    "The server chose version {version} of the protocol, which this client does not speak."
                );
            }
            Self::NoCommonVersion { min, max, own } => {
                let which = if max < own { "the server" } else { "this client" };
                return write!(
                    f,
                    "The server speaks versions {min} to {max} of the protocol, this client speaks {own}. Update {which}."
                );
            }
        };
        f.write_str(text)
    }
}

/// Sentence of the peer's engine. Names are those that others have given themselves.
#[cfg(feature = "peer")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshSentence {
    /// Too many requests wait for the join.
    TooManyRequests,
    /// Too many messages wait to be sent.
    TooManyMessages,
    /// The user has answered whether a candidate may come in.
    Admitted {
        /// Name of the candidate.
        name: String,
        /// True if it may.
        is_welcome: bool,
    },
    /// There is no such candidate.
    NotWaiting {
        /// Name that the user gave.
        name: String,
    },
    /// Without a server there is one room.
    OneRoom,
    /// A peer stays in its room.
    StaysInRoom,
    /// There are no direct messages.
    NoDirect,
    /// There are no older messages.
    NoHistory,
    /// There is no search.
    NoSearch,
    /// There is no moderation.
    NoModerators,
    /// There are no claims.
    NoClaims,
    /// The message is longer than peers take.
    MessageTooLong {
        /// Length of the message, in bytes.
        bytes: usize,
    },
    /// The text cannot be a message.
    TextInvalid(TextError),
    /// The sequences of this peer are used up.
    SequencesUsedUp,
    /// The room's Lamport counter is at its end.
    CounterAtEnd,
    /// Too many members come from one network.
    GroupFull {
        /// The network.
        group: AddressGroup,
    },
    /// The room has as many members as it can have.
    RoomFull,
    /// Another peer has the name of this one.
    OwnNameShared {
        /// The name.
        name: String,
    },
    /// Two other peers have one name.
    NameShared {
        /// The name.
        name: String,
    },
    /// That cannot be a name.
    NameInvalid,
    /// The user cannot block themselves.
    Oneself,
    /// A name is blocked, with the keys of those who have it.
    Blocked {
        /// The name.
        name: String,
        /// Number of keys.
        keys: usize,
    },
    /// A name is not blocked any more.
    Unblocked {
        /// The name.
        name: String,
    },
    /// A name was not blocked.
    NotBlocked {
        /// Name that the user gave.
        name: String,
    },
    /// Which names are blocked, in alphabetical order.
    BlockList {
        /// The names, each with true if a key is blocked with it.
        names: Vec<(String, bool)>,
    },
    /// Objections of somebody unknown do not count.
    UnknownObjector,
    /// Nobody seems to hear this peer.
    NotHeard {
        /// Names of some whom it hears.
        heard: Vec<String>,
        /// True if it hears others too.
        has_more: bool,
    },
    /// The clock of another peer differs.
    ClockDiffers {
        /// Name of the peer.
        name: String,
        /// By how much, in seconds.
        seconds: u64,
        /// True if the other clock is ahead.
        is_ahead: bool,
    },
}

#[cfg(feature = "peer")]
impl fmt::Display for MeshSentence {
    /// Writes the sentence in English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TooManyRequests => "Too many requests are already waiting.",
            Self::TooManyMessages => "Not sent: too many messages are already waiting.",
            Self::Admitted { name, is_welcome } => {
                let may = if *is_welcome { "may" } else { "may not" };
                return write!(f, "{name} {may} come in.");
            }
            Self::NotWaiting { name } => return write!(f, "{name} is not waiting to come in."),
            Self::OneRoom => "Without a server there is one room only.",
            Self::StaysInRoom => {
                "chat-peer stays in one room. To be in another one too, start chat-peer again."
            }
            Self::NoDirect => "There are no direct messages without a server.",
            Self::NoHistory => "There is nothing older than what was shown.",
            Self::NoSearch => "There is nothing to search without a server.",
            Self::NoModerators => "There are no moderators without a server.",
            Self::NoClaims => "Names cannot be claimed without a server.",
            Self::MessageTooLong { bytes } => {
                return write!(
                    f,
                    "The message is too long: it has {bytes} bytes, and without a server {MAX_PEER_TEXT} is the most."
                );
            }
            Self::TextInvalid(error) => return write!(f, "Not sent: {error}."),
            Self::SequencesUsedUp => {
                "This program has sent as many messages as it can number. Start it again."
            }
            Self::CounterAtEnd => "The room's counter is at its end.",
            Self::GroupFull { group } => {
                return write!(
                    f,
                    "Too many peers come from {group}. Nobody else from there can come in."
                );
            }
            Self::RoomFull => "This room is full. Nobody else can come in.",
            Self::OwnNameShared { name } => {
                return write!(
                    f,
                    "Somebody else here is called {name} too. One of the two will get another name."
                );
            }
            Self::NameShared { name } => {
                return write!(
                    f,
                    "Two people here are called {name}. One of the two will get another name."
                );
            }
            Self::NameInvalid => "That cannot be a name.",
            Self::Oneself => "That is you.",
            Self::Blocked { name, keys: 0 } => {
                return write!(
                    f,
                    "The name {name} is blocked. No {name} is here whose key is known, so nothing is hidden: block again to hide what a {name} who is here writes. Your peer objects to anybody who joins as {name}. To end it: /unblock {name}, or quit."
                );
            }
            Self::Blocked { name, keys: 1 } => {
                return write!(
                    f,
                    "You block {name} now. What {name} writes is hidden from you, also under another name, because it goes by the key; the others can still read it, and {name} can still read what you write. Your peer objects to anybody who joins with this key or as {name}. But {name} is not recognised with a new key and another name. To end it, type /unblock {name}, or quit."
                );
            }
            Self::Blocked { name, keys } => {
                return write!(
                    f,
                    "{name} is blocked. {keys} who are here hold this name: what each of them writes with the present key is hidden from you, also under another name; the others still read it, and they still read what you write. Your peer objects to anybody who joins with one of these keys or as {name}. To end it: /unblock {name}, or quit."
                );
            }
            Self::Unblocked { name } => {
                return write!(
                    f,
                    "{name} is not blocked any more. What was hidden stays hidden; what {name} writes from now on is shown. Your peer does not object any more; others may have blocked {name} as well."
                );
            }
            Self::NotBlocked { name } => {
                return write!(f, "{name} is not blocked. Type /block to see who is.");
            }
            Self::BlockList { names } if names.is_empty() => "Nobody is blocked.",
            Self::BlockList { names } => {
                let item = |(name, has_key): &(String, bool)| {
                    format!("{name}{}", if *has_key { "" } else { " (only the name)" })
                };
                let all: Vec<String> = names.iter().map(item).collect();
                return write!(f, "Blocked: {}.", all.join(", "));
            }
            Self::UnknownObjector => {
                "Somebody unknown has objected to you. Nobody here knows them, so it does not count."
            }
            Self::NotHeard { heard, has_more } => {
                let others = if *has_more { " and others" } else { "" };
                return write!(
                    f,
                    "Nobody seems to hear you, though you hear {}{others}. Something blocks one direction, here or there: run \"chat-peer doctor\" on both machines.",
                    heard.join(", ")
                );
            }
            Self::ClockDiffers { name, seconds, is_ahead } => {
                let how = if *is_ahead { "ahead of" } else { "behind" };
                return write!(
                    f,
                    "The clock of {name} is {} {how} yours: the times of those messages differ by that.",
                    rounded_duration(*seconds)
                );
            }
        };
        f.write_str(text)
    }
}

/// Returns a number of seconds as a duration in English, in whole units, rounded down. The unit is
/// minutes from 2 minutes on, hours from 2 hours on, and days from 2 days on.
#[cfg(feature = "peer")]
#[must_use]
pub fn rounded_duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
