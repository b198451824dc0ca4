//! Registers of the moderation state, and the table of which action writes which register.

use serde::Serialize;

use crate::model::{
    Actor, IdentityKey, InvitationHash, ModerationAction, NameKey, RoomSetting, SanctionKind,
    Sequence, SessionId, SharedFact, SlowMode,
};

/// Maximum number of roles in force.
pub(super) const MAX_ROLES: usize = 1_000;

/// Maximum number of bans and mutes in force.
pub(super) const MAX_SANCTIONS: usize = 10_000;

/// Maximum number of topics, slow modes and moderated modes in force, over all rooms.
pub(super) const MAX_ROOM_SETTINGS: usize = 10_000;

/// Maximum number of claimed names.
pub(super) const MAX_CLAIMS: usize = 10_000;

/// Maximum number of invitations that are remembered, also of those that are over.
pub(super) const MAX_INVITATIONS: usize = 1_000;

/// Maximum number of uses of invitations that are remembered.
pub(super) const MAX_INVITATION_USES: usize = 20_000;

/// Maximum number of devices that are linked to claimed names, over all persons.
pub(super) const MAX_DEVICES: usize = 20_000;

/// Maximum number of devices of one person, the one that claimed the name included.
pub const MAX_DEVICES_OF_PERSON: usize = 8;

/// Number of places of each class of registers that only the command line takes. So the server's
/// owner can act although moderators have used up theirs.
pub(super) const COMMAND_LINE_RESERVE: usize = 100;

/// User of an invitation: whoever has a key, or the session of somebody without one.
///
/// The encoding is stored: new variants go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Invitee {
    /// Whoever has this key.
    Key(IdentityKey),
    /// This session, which has proved no key.
    Session(SessionId),
}

impl Invitee {
    /// Returns the user of an invitation who is this session and has proved this key.
    #[must_use]
    pub fn of(session: SessionId, key: Option<IdentityKey>) -> Self {
        key.map_or(Self::Session(session), Self::Key)
    }
}

/// Last-writer-wins register: the key of a value in the moderation state. Its value is the fact
/// that set it last. A scope is the key of a room's name; `None` for the server.
///
/// The encoding of a register is stored: new variants go to the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Register {
    /// Role of a session in a scope.
    Role(SessionId, Option<NameKey>),
    /// Ban or mute of a username in a scope.
    Sanction(SanctionKind, Option<NameKey>, NameKey),
    /// Topic of a room.
    Topic(NameKey),
    /// Slow mode of a room.
    SlowMode(NameKey),
    /// Moderated mode of a room: set while only sessions with a role may talk there.
    Moderated(NameKey),
    /// Claim of a name.
    Claim(NameKey),
    /// Invitation that is not revoked.
    Invitation(InvitationHash),
    /// Use of an invitation by a user. It stays when the invitation ends.
    InvitationUse(InvitationHash, Invitee),
    /// Link code of the person who has claimed a name. It is cleared when the code is used, and when
    /// the claim ends or goes over to another key.
    LinkCode(NameKey),
    /// Key of a device that is linked to a claimed name, beside the key of the claim itself.
    Device(NameKey, IdentityKey),
}

impl Register {
    /// Returns the register that an action writes. `None` if a fact with this action is kept for
    /// the audit only.
    #[must_use]
    pub fn of(action: &ModerationAction) -> Option<Self> {
        use ModerationAction as Action;

        let scope = action.room().map(|it| it.key().clone());
        match action {
            Action::RoleSet { holder, .. } => Some(Self::Role(holder.session, scope)),
            Action::Banned { sanction: it, .. } | Action::BannedWithKey { sanction: it, .. } => {
                Some(Self::Sanction(SanctionKind::Ban, scope, it.username.key().clone()))
            }
            Action::Muted(it) => {
                Some(Self::Sanction(SanctionKind::Mute, scope, it.username.key().clone()))
            }
            Action::SanctionEnded { kind, username, .. } => {
                Some(Self::Sanction(*kind, scope, username.key().clone()))
            }
            Action::RoomSet { room, setting } => Some(match setting {
                RoomSetting::Topic(_) => Self::Topic(room.key().clone()),
                RoomSetting::SlowMode(_) => Self::SlowMode(room.key().clone()),
                RoomSetting::Moderated(_) => Self::Moderated(room.key().clone()),
            }),
            Action::NameClaimed { holder, .. } => Some(Self::Claim(holder.username.key().clone())),
            Action::ClaimEnded { username, .. } => Some(Self::Claim(username.key().clone())),
            Action::InvitationMade(it) => Some(Self::Invitation(it.hash)),
            Action::InvitationRevoked { invitation } => Some(Self::Invitation(*invitation)),
            Action::InvitationUsed { invitation, user, key, .. } => {
                Some(Self::InvitationUse(*invitation, Invitee::of(user.session, *key)))
            }
            Action::DeviceInvited { person, .. } => {
                Some(Self::LinkCode(person.username.key().clone()))
            }
            Action::DeviceLinked { person, key, .. } => {
                Some(Self::Device(person.username.key().clone(), *key))
            }
            Action::Kicked { .. } | Action::MessageRemoved { .. } | Action::Announced(_) => None,
        }
    }

    /// Returns the class of registers that are limited together.
    pub(super) const fn class(&self) -> RegisterClass {
        match self {
            Self::Role(..) => RegisterClass::Roles,
            Self::Sanction(..) => RegisterClass::Sanctions,
            Self::Topic(_) | Self::SlowMode(_) | Self::Moderated(_) => RegisterClass::RoomSettings,
            Self::Claim(_) => RegisterClass::Claims,
            Self::Invitation(_) => RegisterClass::Invitations,
            Self::InvitationUse(..) => RegisterClass::InvitationUses,
            // One for each claim at most.
            Self::LinkCode(_) => RegisterClass::LinkCodes,
            Self::Device(..) => RegisterClass::Devices,
        }
    }
}

/// Class of registers that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegisterClass {
    /// Roles.
    Roles,
    /// Bans and mutes.
    Sanctions,
    /// Topics and modes of rooms.
    RoomSettings,
    /// Claims.
    Claims,
    /// Invitations.
    Invitations,
    /// Uses of invitations.
    InvitationUses,
    /// Link codes.
    LinkCodes,
    /// Linked devices.
    Devices,
}

impl RegisterClass {
    /// Returns the maximum number of registers of the class that may be set at a time.
    pub(super) const fn limit(self) -> usize {
        match self {
            Self::Roles => MAX_ROLES,
            Self::Sanctions => MAX_SANCTIONS,
            Self::RoomSettings => MAX_ROOM_SETTINGS,
            Self::Claims | Self::LinkCodes => MAX_CLAIMS,
            Self::Devices => MAX_DEVICES,
            Self::Invitations => MAX_INVITATIONS,
            Self::InvitationUses => MAX_INVITATION_USES,
        }
    }

    /// Returns the number of registers of the class beyond which an actor may set no further one.
    pub(super) const fn limit_for(self, actor: &Actor) -> usize {
        match actor {
            Actor::CommandLine => self.limit(),
            Actor::Server | Actor::Session(_) => self.limit().saturating_sub(COMMAND_LINE_RESERVE),
        }
    }
}

/// Write access of an action to its register ([`Register::of`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// The fact becomes the value.
    Set,
    /// The register is cleared.
    Clear,
    /// The register is cleared if it holds the fact with this sequence.
    ClearIf(Sequence),
}

impl Write {
    /// Returns the write access of an action. An action without a register has no use for it.
    pub(super) fn of(action: &ModerationAction) -> Self {
        match action {
            ModerationAction::SanctionEnded { sanction, .. } => Self::ClearIf(*sanction),
            ModerationAction::ClaimEnded { claim, .. } => Self::ClearIf(*claim),
            ModerationAction::InvitationRevoked { .. } => Self::Clear,
            ModerationAction::RoleSet { role: None, .. } => Self::Clear,
            ModerationAction::RoomSet { setting, .. } if is_default(setting) => Self::Clear,
            _ => Self::Set,
        }
    }
}

/// Returns true if a room without facts has this setting.
fn is_default(setting: &RoomSetting) -> bool {
    match setting {
        RoomSetting::Topic(topic) => topic.is_none(),
        RoomSetting::SlowMode(mode) => *mode == SlowMode::OFF,
        RoomSetting::Moderated(is_moderated) => !is_moderated,
    }
}

/// Change of one register, by one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterChange {
    /// Register that was changed.
    pub register: Register,
    /// New value; `None`: the register was cleared.
    pub value: Option<SharedFact>,
}
