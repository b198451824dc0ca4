//! Invitations by code: `chat-server invite --code`, and what those of `--sheet` have in common with
//! them.

use anyhow::{Result, bail};
use clap::Args;

use super::super::control::ControlArgs;
use super::super::moderation::request_action;
use super::super::moderation_output::invitation_text;
use super::super::status;
use super::output;
use super::sheet::SlipCount;
use crate::model::{InvitationCode, InvitationUses, SanctionLength, Timestamp, Username};
use crate::server::{
    ControlAnswer, ControlRequest, InviteRequest, IssuedInvitation, is_remote_url,
};

/// Lifetime of an invitation if none is given.
const DEFAULT_LENGTH: &str = "7d";

/// Flags of an invitation by code.
#[derive(Args, Debug)]
pub(super) struct CodeArgs {
    /// Make a code by which somebody may come in and claim a name, and show it. It is not kept, and
    /// cannot be shown again. With --json, one JSON object (docs/status.md)
    #[arg(long, group = "made", conflicts_with_all = ["url", "svg", "page", "ssid"])]
    pub(super) code: bool,

    /// Make so many codes for one user each, 1 to 100, and a sheet to print, to the file of --page:
    /// slips of paper to cut apart, each with a QR code that leads into the chat. With --json, an
    /// array of codes, addresses and links, and no sheet (docs/status.md)
    #[arg(long, value_name = "N", group = "made", requires = "sheet_form")]
    #[arg(conflicts_with_all = ["svg", "name", "uses"])]
    pub(super) sheet: Option<SlipCount>,

    /// With --code, for this name only, which is reserved until it is claimed or the code ends
    #[arg(long, value_name = "NAME", requires = "code", value_parser = Username::new)]
    name: Option<Username>,

    /// With --code, how many may use it, up to 1000 [default: 1]
    #[arg(long, value_name = "N", requires = "code", conflicts_with = "name")]
    uses: Option<InvitationUses>,

    /// With --code or --sheet, for how long: 10m, 2h, 3d or forever [default: 7d]
    #[arg(long = "for", value_name = "LENGTH", requires = "made")]
    length: Option<SanctionLength>,

    /// With --code or --sheet, no name may be claimed with it
    #[arg(long, requires = "made")]
    no_claim: bool,
}

impl CodeArgs {
    /// Returns the request for an invitation with these flags.
    ///
    /// # Errors
    /// None: the default lifetime is valid.
    pub(super) fn request(&self) -> Result<InviteRequest> {
        let length = match self.length {
            Some(length) => length,
            None => DEFAULT_LENGTH.parse()?,
        };
        Ok(InviteRequest {
            name: self.name.clone(),
            uses: self.uses.unwrap_or_default(),
            length,
            permits_claim: !self.no_claim,
        })
    }
}

/// Makes an invitation by code, and prints it, in JSON if `json`.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses; or the output cannot be
/// written.
pub(super) fn invite(flags: &CodeArgs, socket: &ControlArgs, json: bool) -> Result<()> {
    // The address first: an invitation that nobody is told must not be made.
    let links = status::query(socket)?.tls.map(|it| it.links).unwrap_or_default();
    let link = links.into_iter().find(|it| is_remote_url(it));
    let (issued, line) = issue(flags.request()?, socket)?;
    output::print(&if json { line } else { text(&issued, link.as_deref()) })
}

/// Makes an invitation. Returns it, and the server's answer as a line of JSON.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses.
pub(super) fn issue(
    request: InviteRequest,
    socket: &ControlArgs,
) -> Result<(IssuedInvitation, String)> {
    match request_action(socket, &ControlRequest::Invite(request))? {
        (ControlAnswer::Invited(issued), line) => Ok((issued, line)),
        _ => bail!("the server has answered something else"),
    }
}

/// Returns what the terminal shows. `link`: where `chat-client` finds the server over TLS, with the
/// fingerprint of its key; `None`: the invited user has to know where the server is.
fn text(issued: &IssuedInvitation, link: Option<&str>) -> String {
    let IssuedInvitation { code, invitation } = issued;
    // It was made just now: its time is not over.
    let described = invitation_text(invitation, Timestamp(0));
    let permits = if invitation.permits_claim {
        "It lets somebody in where only invited users may come in, and permits to claim a name. \
         Where access is \"everybody\", nobody needs it to come in."
    } else {
        "It lets somebody in where only invited users may come in. Where access is \"everybody\", \
         nobody needs it."
    };
    let arguments = match link {
        Some(link) => format!("'{link}&{}{code}'", InvitationCode::LINK_KEY),
        None => format!("SERVER --invite {code}"),
    };
    format!(
        "{code}\n\n{described}\n{permits}\nIt is a secret: whoever has the code may use it. To \
         revoke it: chat-server invitations revoke {}\nWho is invited types\n\n    chat-client {arguments}\n",
        invitation.id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::InvitationListing;

    /// The text has the code, its limits and what to type.
    #[test]
    fn text_says_what_the_invited_user_types() {
        let invitation = InvitationListing {
            id: "0123abcd".parse().unwrap(),
            name: Some("anna".to_owned()),
            uses: 1,
            left: 1,
            until: Some(60_000),
            permits_claim: true,
        };
        let issued = IssuedInvitation { code: "0123-4567-89AB-CDEF".to_owned(), invitation };
        let link = "chats://pi-chat.local/#fingerprint=00";
        let with_link = text(&issued, Some(link));
        assert!(with_link.contains("access is \"everybody\", nobody needs it to come in"));
        let start = "0123-4567-89AB-CDEF\n\nfor anna, 1 use, 1 left, until 1970-01-01 00:01:00Z\n";
        assert!(with_link.starts_with(start), "{with_link}");
        assert!(with_link.contains("chat-server invitations revoke 0123abcd\n"), "{with_link}");
        let typed = format!("    chat-client '{link}&invite=0123-4567-89AB-CDEF'\n");
        assert!(with_link.ends_with(&typed), "{with_link}");
        let without = "    chat-client SERVER --invite 0123-4567-89AB-CDEF\n";
        assert!(text(&issued, None).ends_with(without));
    }
}
