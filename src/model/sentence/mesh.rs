//! What the peer's engine says.

use std::fmt;

use crate::model::limits::MAX_PEER_TEXT;
use crate::model::{AddressGroup, TextError};

/// Sentence of the peer's engine. Names are those that others have given themselves.
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
#[must_use]
pub fn rounded_duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
