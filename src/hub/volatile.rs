//! Volatile changes: the log orders them, but does not store them. They concern the present only:
//! who is here, under which name.

use super::contract::ConnectionId;
use crate::model::{SessionId, Username};

/// Number of one session's hold on its username, assigned by the log. It tells a hold from the
/// session's earlier ones, so that the release of one does not end a later one. Not used again
/// while the log is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHold(pub u64);

impl NameHold {
    /// Hold on a name that waits since before the start of the server.
    pub const RESTORED: Self = Self(0);
}

/// Volatile change that a hub proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolatileDraft {
    /// A client joins: a session begins or is resumed, and wants this username.
    SessionBegin {
        /// Connection of the `join`. It has at most one `join` on its way.
        connection: ConnectionId,
        /// Session to resume; `None`: a new session, whose number the log assigns.
        session: Option<SessionId>,
        /// Username that the session wants.
        username: Username,
        /// Number of the person who has claimed the name, if it is a session of theirs.
        person: Option<SessionId>,
    },
    /// A session gives up its username.
    NameRelease {
        /// Session that holds the name.
        session: SessionId,
        /// Hold that ends. If the session has a later one meanwhile, nothing is released.
        hold: NameHold,
    },
}

/// Volatile change at its place in the log's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolatileItem {
    /// A client has joined, if nobody else's session holds the name at this place of the log. The
    /// session then holds this name, and no longer the one before.
    SessionBegan {
        /// Connection of the `join`; `None` if another hub has proposed it.
        connection: Option<ConnectionId>,
        /// Session that has begun or was resumed.
        session: SessionId,
        /// Username that the session wants.
        username: Username,
        /// Number of the person who has claimed the name, if it is a session of theirs.
        person: Option<SessionId>,
        /// Number of the session's hold on the name.
        hold: NameHold,
    },
    /// A session has given up its username, unless its hold is another one by now.
    NameReleased {
        /// Session that held the name.
        session: SessionId,
        /// Hold that has ended.
        hold: NameHold,
    },
}
