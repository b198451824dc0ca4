//! Requests for moderation: what a client or the server's command line asks the hub to do.
//!
//! A request names users as a person does, by username. The hub looks up their sessions, and turns
//! the request into a fact ([`FactDraft`](super::FactDraft)).

use serde::{Deserialize, Serialize};

use super::{
    AnnouncementText, Invitation, InvitationId, Reason, Role, RoomName, RoomSetting, SanctionKind,
    SanctionLength, Scope, Sequence, SessionId, Username,
};

/// User whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSelector {
    /// Username.
    pub username: Username,
    /// Session that must hold the username, so that a request does not hit somebody who has taken
    /// the name meanwhile. `None`: whoever holds it.
    #[serde(default)]
    pub session: Option<SessionId>,
}

/// Request for a moderation action. `crate::moderation` decides whether it is permitted.
///
/// Its JSON is a request on the server's control socket (`docs/status.md`). Unknown keys are errors:
/// a ban with a misspelt `is_dry_run` must not ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ModerationRequest {
    /// Give, replace or take a role.
    SetRole {
        /// Where the role counts.
        scope: Scope,
        /// User who gets or loses it.
        user: UserSelector,
        /// New role; `None`: take the role.
        #[serde(default)]
        role: Option<Role>,
    },
    /// Send a user out of a room or of the server.
    Kick {
        /// The room, or the server.
        scope: Scope,
        /// User to send out.
        user: UserSelector,
        /// Reason, which the user is told.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// Ban a user, who need not be in. Replaces an earlier ban of the name in this scope.
    Ban {
        /// Where the ban applies.
        scope: Scope,
        /// User to ban.
        user: UserSelector,
        /// Length of the ban.
        length: SanctionLength,
        /// True to ban the address group of the user's connection as well.
        #[serde(default)]
        by_address: bool,
        /// True to ban nobody, and only count the users who would be sent out.
        #[serde(default)]
        is_dry_run: bool,
        /// Reason, which the user is told.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// Mute a user, who need not be in. Replaces an earlier mute of the name in this scope.
    Mute {
        /// Where the mute applies.
        scope: Scope,
        /// User to mute.
        user: UserSelector,
        /// Length of the mute.
        length: SanctionLength,
        /// Reason, which the user is told.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// Lift a ban or mute.
    EndSanction {
        /// Kind of the sanction.
        kind: SanctionKind,
        /// Scope of the sanction.
        scope: Scope,
        /// Username that the sanction applies to.
        username: Username,
    },
    /// Change a setting of a room.
    SetRoom {
        /// The room, open or not.
        room: RoomName,
        /// The setting and its new value.
        setting: RoomSetting,
    },
    /// Remove a message of a room.
    Remove {
        /// Room of the message.
        room: RoomName,
        /// Sequence of the message.
        message: Sequence,
        /// Reason, for the audit log and the clients.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// Send a notice to everybody in a room or on the server.
    Announce {
        /// The room, or the server.
        scope: Scope,
        /// Text of the notice.
        text: AnnouncementText,
    },
    /// Make an invitation. The driver draws its code, so this is no request on the socket.
    #[serde(skip)]
    MakeInvitation(Invitation),
    /// Revoke an invitation. Who has come in by it may go on to.
    RevokeInvitation {
        /// Identifier of the invitation.
        id: InvitationId,
    },
    /// End the claim of a name, which then is free for everybody.
    ReleaseClaim {
        /// Claimed name.
        username: Username,
    },
}
