//! What the client's engine says.

use std::fmt;

use crate::model::TextError;
use crate::model::limits::MAX_SEARCH_TEXT;

/// Sentence of the client's engine.
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
