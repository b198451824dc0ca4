//! Read marks: how far a person has read each room, and their direct messages.

use super::{NameKey, Sequence, SessionId};

/// How far a person has read a room, or their direct messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// Key of the room's name; `None`: the direct messages.
    pub room: Option<NameKey>,
    /// Sequence of the last message that was read.
    pub sequence: Sequence,
}

/// All read marks of a person, as the log stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonReadMarks {
    /// Number of the person.
    pub person: SessionId,
    /// The marks, at most one for each room; the one that was set last comes last. Empty: none.
    pub marks: Vec<ReadMark>,
}
