//! Requests on the control socket and their answers, as JSON (`docs/status.md`).

use serde::{Deserialize, Serialize};

use crate::hub::RoomSummary;
use crate::model::{
    Actor, Fact, Invitation, InvitationHash, InvitationId, InvitationUses, ModerationAction,
    ModerationRequest, Role, SanctionKind, SanctionLength, Scope, Username,
};
use crate::moderation::{Claim, MadeInvitation, ModerationState};
use crate::server::PromotionAnswer;

/// Request on the control socket: a JSON object. Its only key is the name of the request, as in
/// `{"announce": "text"}`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlRequest {
    /// Sends this text to all users, as a notice.
    Announce(String),
    /// Performs a moderation action, as the owner of everything.
    Moderate(ModerationRequest),
    /// Makes an invitation.
    Invite(InviteRequest),
    /// Lists something.
    List(ControlList),
    /// Makes a follower the server.
    Promote,
}

/// Request for an invitation. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// Name under which the invited user comes in; `None`: any name.
    #[serde(default)]
    pub name: Option<Username>,
    /// Number of uses; 1 for an invitation with a name.
    #[serde(default)]
    pub uses: InvitationUses,
    /// Lifetime.
    pub length: SanctionLength,
    /// True if a name may be claimed with it.
    #[serde(default = "permits_claim_by_default")]
    pub permits_claim: bool,
}

/// Returns whether a name may be claimed with an invitation if its request does not say so.
const fn permits_claim_by_default() -> bool {
    true
}

impl InviteRequest {
    /// Returns the invitation with this hash of its code.
    ///
    /// # Errors
    /// It has a name, and more than one use. The text says so.
    pub(super) fn invitation(self, hash: InvitationHash) -> Result<Invitation, String> {
        let Self { name: username, uses, length, permits_claim } = self;
        if username.is_some() && uses != InvitationUses::ONE {
            return Err("an invitation for a name can be used only once".to_owned());
        }
        Ok(Invitation { hash, username, uses, length, permits_claim })
    }
}

/// What the control socket lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlList {
    /// Roles in force.
    Roles,
    /// Bans and mutes in force.
    Sanctions,
    /// Rooms that exist.
    Rooms,
    /// Invitations that are not revoked.
    Invitations,
    /// Claimed names.
    Claims,
}

/// Answer to a [`ControlRequest`]: a JSON object with one key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlAnswer {
    /// The announcement was made. The number is the number of connected users.
    Announced(usize),
    /// The moderation action was performed. The number is the number of connected users that it has
    /// hit: sent out, muted or told. For a dry run, that it would hit. For the end of a sanction, of
    /// a claim or of an invitation and for a removal 1, or 0 if there was nothing to do.
    Done(u32),
    /// Roles in force.
    Roles(Vec<RoleListing>),
    /// Bans and mutes in force.
    Sanctions(Vec<SanctionListing>),
    /// Rooms that exist.
    Rooms(Vec<RoomListing>),
    /// The invitation was made.
    Invited(IssuedInvitation),
    /// Invitations that are not revoked, in the order in which they were made.
    Invitations(Vec<InvitationListing>),
    /// Claimed names.
    Claims(Vec<ClaimListing>),
    /// The follower is the server from now on.
    Promoted(PromotionAnswer),
    /// The request was refused. The text says why.
    Error(String),
}

/// Role in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleListing {
    /// Username of the holder when the role was given.
    pub name: String,
    /// Session that holds the role.
    pub session: u64,
    /// The role.
    pub role: Role,
    /// Where the role counts.
    pub scope: Scope,
}

impl RoleListing {
    /// Describes the role that a fact gave. `None` if the fact gave no role.
    pub(in crate::server) fn of(fact: &Fact) -> Option<Self> {
        match &fact.draft.action {
            ModerationAction::RoleSet { scope, holder, role: Some(role) } => Some(Self {
                name: holder.username.as_str().to_owned(),
                session: holder.session.0,
                role: *role,
                scope: scope.clone(),
            }),
            _ => None,
        }
    }
}

/// Ban or mute in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanctionListing {
    /// Kind of the sanction.
    pub kind: SanctionKind,
    /// Username that the sanction applies to.
    pub name: String,
    /// Where it applies.
    pub scope: Scope,
    /// Time at which it ends, in milliseconds since 1970; `None`: it has no end.
    pub until: Option<u64>,
    /// Who imposed it: a username; `None`: the command line.
    pub by: Option<String>,
    /// Reason that was given.
    pub reason: Option<String>,
    /// True if it applies to an address group as well.
    pub by_address: bool,
}

impl SanctionListing {
    /// Describes the sanction that a fact imposed. `None` if the fact imposed none.
    pub(in crate::server) fn of(fact: &Fact) -> Option<Self> {
        let action = &fact.draft.action;
        let (kind, sanction) = action.sanction()?;
        Some(Self {
            kind,
            name: sanction.username.as_str().to_owned(),
            scope: sanction.scope.clone(),
            until: fact.sanction_end().map(|it| it.0),
            by: match &fact.draft.actor {
                Actor::Session(actor) => Some(actor.username.as_str().to_owned()),
                Actor::CommandLine | Actor::Server => None,
            },
            reason: fact.draft.reason.as_ref().map(|it| it.as_str().to_owned()),
            by_address: action.banned_group().is_some(),
        })
    }
}

/// Room that exists: somebody is in it, it has a topic, or something was said in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomListing {
    /// Name of the room.
    pub name: String,
    /// Number of members.
    pub people: usize,
    /// Topic; `None` if the room has none.
    pub topic: Option<String>,
}

impl From<RoomSummary> for RoomListing {
    /// Describes a room.
    fn from(room: RoomSummary) -> Self {
        Self {
            name: room.name.as_str().to_owned(),
            people: room.members,
            topic: room.topic.map(|it| it.as_str().to_owned()),
        }
    }
}

/// Invitation that was made, with its code, which is told only here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedInvitation {
    /// Code, as people write it.
    pub code: String,
    /// The invitation.
    #[serde(flatten)]
    pub invitation: InvitationListing,
}

/// Invitation that is not revoked. Its time may be over, and it may be used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationListing {
    /// Identifier.
    pub id: InvitationId,
    /// Name under which the invited user comes in; `None`: any name.
    pub name: Option<String>,
    /// Number of uses.
    pub uses: u16,
    /// Number of uses that are left.
    pub left: u16,
    /// Time at which it ends, in milliseconds since 1970; `None`: it has no end.
    pub until: Option<u64>,
    /// True if a name may be claimed with it.
    pub permits_claim: bool,
}

impl InvitationListing {
    /// Describes an invitation.
    pub(in crate::server) fn of(made: MadeInvitation<'_>, state: &ModerationState) -> Self {
        let MadeInvitation { invitation, fact } = made;
        Self {
            id: invitation.hash.id(),
            name: invitation.username.as_ref().map(|it| it.as_str().to_owned()),
            uses: invitation.uses.get(),
            left: state.uses_left(invitation.hash),
            until: invitation.length.end(fact.time).map(|it| it.0),
            permits_claim: invitation.permits_claim,
        }
    }
}

/// Claimed name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimListing {
    /// Claimed name.
    pub name: String,
    /// Key with which it is claimed, in 64 hexadecimal digits.
    pub key: String,
    /// Time at which it was claimed, or the claim renewed last, in milliseconds since 1970.
    pub renewed: u64,
    /// Invitation by which it was claimed; `None`: the settings permitted it.
    pub invitation: Option<InvitationId>,
    /// Number of devices of the person, the one that claimed the name included.
    pub devices: usize,
}

impl ClaimListing {
    /// Describes a claim. `state`: the one that has it.
    pub(in super::super) fn of(claim: Claim<'_>, state: &ModerationState) -> Self {
        Self {
            name: claim.username.as_str().to_owned(),
            key: claim.key.to_string(),
            renewed: claim.fact.time.0,
            invitation: claim.invitation.map(|it| it.id()),
            devices: state.device_count(claim.username.key()),
        }
    }
}
