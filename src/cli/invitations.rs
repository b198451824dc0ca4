//! The commands `chat-server invitations` and `chat-server claims`: who was invited, and who has
//! claimed which name.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::control::ControlArgs;
use super::moderation::{ListArgs, moderate, print};
use crate::model::{InvitationId, ModerationRequest, Username};
use crate::server::ControlList;

/// Arguments of `invitations`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct InvitationsArgs {
    /// What to do; without it, list them.
    #[command(subcommand)]
    action: Option<InvitationsAction>,

    /// Format of the list, and control socket.
    #[command(flatten)]
    list: ListArgs,
}

/// What to do with an invitation.
#[derive(Debug, Subcommand)]
enum InvitationsAction {
    /// Revoke an invitation; whoever has come in with it can still come in
    Revoke(RevokeArgs),
}

/// Arguments of `invitations revoke`.
#[derive(Args, Debug)]
struct RevokeArgs {
    /// The 8 digits that `invitations` shows, not the code
    #[arg(value_name = "ID")]
    id: InvitationId,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

impl InvitationsArgs {
    /// Performs the command, and prints the result.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses. Or there is no such
    /// invitation.
    pub(super) fn perform(self) -> Result<()> {
        let Some(InvitationsAction::Revoke(RevokeArgs { id, socket })) = self.action else {
            return self.list.print(ControlList::Invitations);
        };
        if moderate(&socket, ModerationRequest::RevokeInvitation { id })? == 0 {
            bail!("nothing was done: there is no invitation {id}");
        }
        print("done\n")
    }
}

/// Arguments of `claims`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ClaimsArgs {
    /// What to do; without it, list them.
    #[command(subcommand)]
    action: Option<ClaimsAction>,

    /// Format of the list, and control socket.
    #[command(flatten)]
    list: ListArgs,
}

/// What to do with a claim.
#[derive(Debug, Subcommand)]
enum ClaimsAction {
    /// End the claim of a name, so that anybody may have it; whoever has it now keeps it until they
    /// leave
    Release(ReleaseArgs),
}

/// Arguments of `claims release`.
#[derive(Args, Debug)]
struct ReleaseArgs {
    /// Claimed name
    #[arg(value_parser = Username::new)]
    name: Username,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

impl ClaimsArgs {
    /// Performs the command, and prints the result.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses. Or the name is not
    /// claimed.
    pub(super) fn perform(self) -> Result<()> {
        let Some(ClaimsAction::Release(ReleaseArgs { name, socket })) = self.action else {
            return self.list.print(ControlList::Claims);
        };
        let shown = name.as_str().to_owned();
        if moderate(&socket, ModerationRequest::ReleaseClaim { username: name })? == 0 {
            bail!("nothing was done: the name {shown} is not claimed");
        }
        print("done\n")
    }
}
