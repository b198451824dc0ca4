//! Followers (`docs/protocol/replicate.md`): what a server sends to its follower, what a follower
//! does with it, and what becomes of both when the follower is promoted.
//!
//! | module | contents |
//! |---|---|
//! | `followers` | the server's side: a task for each follower |
//! | `link` | the follower's connection to its server |
//! | `follower` | the follower's side: the first copy, and what follows |
//! | `role` | what a server is when it starts, and which command makes it something else |
//! | `state` | how far a follower is, for the status |

mod follower;
mod followers;
mod link;
mod role;
mod state;

use std::path::PathBuf;

pub(super) use self::follower::{follow, tell_former_server};
pub(super) use self::followers::Followers;
pub(super) use self::role::{End, Role, RoleControl, prepare};
pub(super) use self::state::FollowState;
pub use self::state::{FollowStatus, PromotionAnswer};
use crate::tls::{Fingerprint, ServerLink};

/// Settings of a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// Server that is followed: reached over TLS, at this address. Its fingerprint, if the address
    /// has one, must be that of its key.
    pub server: ServerLink,
    /// File with the key of an owner of that server: the seed, 32 bytes.
    pub key: PathBuf,
}

impl FollowSettings {
    /// Returns the address of the server, as text for people.
    fn name(&self) -> String {
        self.server.address.address.to_string()
    }

    /// Returns the fingerprint that the server must have: that of the settings, otherwise the known
    /// one.
    fn expected(&self, known: Option<Fingerprint>) -> Option<Fingerprint> {
        self.server.fingerprint.or(known)
    }
}
