//! How far a follower is.

use serde::{Deserialize, Serialize};

use crate::model::{Moment, Sequence};

/// How far a follower is, as its task notes it.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct FollowState {
    /// Address of the server that is followed.
    pub(super) server: String,
    /// True if there is a connection to it.
    pub(super) is_connected: bool,
    /// Position of the copy.
    pub(super) position: Sequence,
    /// Time when something was last received from it; `None`: nothing since the start.
    pub(super) heard_at: Option<Moment>,
    /// Time when the copy was last known to be complete; `None`: not since the start.
    pub(super) complete_at: Option<Moment>,
    /// True if nothing has come after that.
    pub(super) is_complete: bool,
    /// Why there is no connection.
    pub(super) error: Option<String>,
}

/// What a server follows, as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowStatus {
    /// Address of the server that is followed.
    pub server: String,
    /// True if there is a connection to it.
    pub connected: bool,
    /// Sequence up to which the copy has everything.
    pub position: u64,
    /// Seconds since something was last received from the server; `None`: nothing since the start.
    pub last_contact: Option<u64>,
    /// Seconds since the copy had everything that the server has; 0 while it has, as far as it
    /// knows. `None`: not since the start.
    pub lag: Option<u64>,
    /// Why there is no connection; `None` while there is one.
    pub error: Option<String>,
}

impl FollowState {
    /// Returns the report.
    pub(in crate::server) fn report(&self, now: Moment) -> FollowStatus {
        let is_up_to_date = self.is_connected && self.is_complete;
        let lag =
            self.complete_at.map(|at| if is_up_to_date { 0 } else { now.since(at).as_secs() });
        FollowStatus {
            server: self.server.clone(),
            connected: self.is_connected,
            position: self.position.0,
            last_contact: self.heard_at.map(|at| now.since(at).as_secs()),
            lag,
            error: self.error.clone(),
        }
    }
}

/// Answer to a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionAnswer {
    /// Epoch of the server from now on.
    pub epoch: u64,
    /// Sequence up to which it has everything that the former server had.
    pub position: u64,
}
