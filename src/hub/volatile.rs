//! Volatile changes: the log orders them, but does not store them. They concern the present only:
//! who is here, under which name.

use super::contract::ConnectionId;
use crate::model::{IdentityKey, RoomName, SessionId, SessionRecord, TokenHash, Username};

/// Identifier of a hub among those that share a log: of one run of a server. The log assigns it
/// when the hub begins; a later hub has a greater one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubId(pub u64);

impl HubId {
    /// The only hub of a log that is not shared.
    pub const ALONE: Self = Self(0);
}

/// Number of one session's hold on its username, assigned by the log. It tells a hold from the
/// session's earlier ones, so that the release of one does not end a later one. Not used again
/// while the log is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHold(pub u64);

impl NameHold {
    /// Hold on a name that waits since before the start of the server.
    pub const RESTORED: Self = Self(0);
}

/// What every hub has to know of a `join`, to judge it and to let the session be resumed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinTerms {
    /// Username that the session wants.
    pub username: Username,
    /// Number of the person who has claimed the name, if it is a session of theirs.
    pub person: Option<SessionId>,
    /// True if the session does not get a name that looks like one in use.
    pub refuses_lookalikes: bool,
    /// Hash of the session's token.
    pub token: TokenHash,
    /// Key that the client has proved.
    pub key: Option<IdentityKey>,
    /// True if the name waits for the session when its connection is lost.
    pub keeps_name: bool,
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
        /// What the `join` is about.
        terms: Box<JoinTerms>,
    },
    /// A session that is connected to this hub is in these rooms from now on. Proposed only to a
    /// log that hubs share.
    RoomsChange {
        /// Session that is connected.
        session: SessionId,
        /// Its hold on its name. If the session has a later one meanwhile, nothing changes.
        hold: NameHold,
        /// Rooms in the order of entering.
        rooms: Vec<RoomName>,
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
        /// Hub that has proposed it.
        hub: HubId,
        /// Session that has begun or was resumed.
        session: SessionId,
        /// Number of the session's hold on the name.
        hold: NameHold,
        /// What the `join` is about.
        terms: Box<JoinTerms>,
    },
    /// A session of another hub is in these rooms from now on, unless its hold is another one by
    /// now. A hub is not told of its own sessions.
    RoomsChanged {
        /// Session that is connected to another hub.
        session: SessionId,
        /// Its hold on its name.
        hold: NameHold,
        /// Rooms in the order of entering.
        rooms: Vec<RoomName>,
    },
    /// A session has given up its username, unless its hold is another one by now.
    NameReleased {
        /// Session that held the name.
        session: SessionId,
        /// Hold that has ended.
        hold: NameHold,
    },
    /// Another hub of the log has begun. A hub that serves hands over who is here.
    HubBegan {
        /// The hub.
        hub: HubId,
    },
    /// Another hub has ended, or counts as ended because it was not heard for too long: those who
    /// were connected to it are away. Nothing of that hub comes behind this.
    HubEnded {
        /// The hub.
        hub: HubId,
    },
}

/// What a hub of a shared log goes on from when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedState {
    /// This hub.
    pub own: HubId,
    /// Hubs that have begun and not ended, this one included.
    pub hubs: Vec<HubId>,
    /// Names that are held, as another hub has handed them over
    /// ([`Proposal::HandOver`](super::Proposal::HandOver)). `None` if no other hub serves: nobody is
    /// here then, and names wait for the sessions that have kept them.
    pub holds: Option<Vec<HeldName>>,
}

/// Hold of a session on its name, as one hub hands it over to another one: who is here, under which
/// name, in which rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldName {
    /// Session that holds the name.
    pub session: SessionId,
    /// The name.
    pub username: Username,
    /// Number of the person who has claimed the name, if it is a session of theirs.
    pub person: Option<SessionId>,
    /// Number of the hold.
    pub hold: NameHold,
    /// Hub at which the session has got the name.
    pub hub: HubId,
    /// True if the session is connected to that hub. False if the name waits for it.
    pub is_connected: bool,
    /// Record of the session, which is perhaps not stored yet.
    pub record: Option<Box<SessionRecord>>,
    /// Rooms of the session, in the order of entering.
    pub rooms: Vec<RoomName>,
}
