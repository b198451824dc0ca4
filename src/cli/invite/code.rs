//! Invitations by code: `chat-server invite --code`, and what those of `--sheet` have in common with
//! them.

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::super::control::ControlArgs;
use super::super::moderation::request_action;
use super::super::moderation_output::invitation_text;
use super::super::status;
use super::invitation::Invitation;
use super::sheet::SlipCount;
use super::{InviteArgs, output, text};
use crate::model::{InvitationCode, InvitationUses, SanctionLength, Timestamp, Username};
use crate::qr_code::QrCode;
use crate::server::{ControlAnswer, ControlRequest, InviteRequest, IssuedInvitation};

/// Lifetime of an invitation if none is given.
const DEFAULT_LENGTH: &str = "7d";

/// Flags of an invitation by code.
#[derive(Args, Debug)]
pub(super) struct CodeArgs {
    /// Make a code with which somebody may come in and claim a name, and show it. It is not kept, so
    /// it cannot be shown again. With --json, prints one JSON object (docs/status.md)
    #[arg(long, group = "made", conflicts_with_all = ["svg", "page", "ssid"])]
    pub(super) code: bool,

    /// Make this many codes, 1 to 100, for one person each, and write a sheet to print to the file of
    /// --page: slips of paper to cut apart, each with a QR code that leads into the chat. With --json,
    /// prints an array of codes, addresses and links, and makes no sheet (docs/status.md)
    #[arg(long, value_name = "N", group = "made", requires = "sheet_form")]
    #[arg(conflicts_with_all = ["svg", "name", "uses"])]
    pub(super) sheet: Option<SlipCount>,

    /// With --code, for this name only; the name is reserved until it is claimed or the code ends
    #[arg(long, value_name = "NAME", requires = "code", value_parser = Username::new)]
    name: Option<Username>,

    /// With --code, how many people may use it, up to 1000 [default: 1]
    #[arg(long, value_name = "N", requires = "code", conflicts_with = "name")]
    uses: Option<InvitationUses>,

    /// With --code or --sheet, how long it is valid: 10m, 2h, 3d or forever [default: 7d]
    #[arg(long = "for", value_name = "LENGTH", requires = "made")]
    length: Option<SanctionLength>,

    /// With --code or --sheet, do not let people claim a name with it
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

/// Invitation by code that was made, and where it leads. Its fields are the JSON keys of the output.
#[derive(Debug, Serialize)]
pub(super) struct CodeInvitation {
    /// Invitation with its code.
    #[serde(flatten)]
    pub(super) issued: IssuedInvitation,
    /// Address of the page, with the code behind it; `None` if browsers find no way in.
    pub(super) url: Option<String>,
    /// Link for `chat-client`, with fingerprint and code; `None` without TLS.
    pub(super) link: Option<String>,
}

impl CodeInvitation {
    /// Returns the invitation to this server.
    pub(super) fn new(issued: IssuedInvitation, server: &Invitation) -> Self {
        let (key, code) = (InvitationCode::LINK_KEY, &issued.code);
        let url = server.url.as_ref().map(|it| format!("{it}#{key}{code}"));
        // A link of the server's ends with the fingerprint.
        let link = server.links.first().map(|it| format!("{it}&{key}{code}"));
        Self { issued, url, link }
    }

    /// Returns what is in the QR code: the address for browsers, or else the link for `chat-client`;
    /// `None` if there is neither.
    pub(super) fn address(&self) -> Option<&str> {
        self.url.as_deref().or(self.link.as_deref())
    }
}

/// Makes an invitation by code, and prints it.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses; the code cannot come behind the
/// address; or the output cannot be written.
pub(super) fn invite(command: &InviteArgs) -> Result<()> {
    let socket = &command.socket;
    // The address first: an invitation that nobody is told must not be made.
    let server = Invitation::of(command.url.as_deref(), Ok(status::query(socket)?))?;
    server.check_room_for_code()?;
    let made = CodeInvitation::new(issue(command.code.request()?, socket)?, &server);
    if command.json {
        return output::print(&format!("{}\n", json!({ "invited": made })));
    }
    // Without the QR code, which may be too large, the invitation can be used as well.
    let drawn = made.address().and_then(|it| QrCode::new(it).ok()).map(|it| text::draw(&it));
    output::print(&text_of(&made, drawn.as_deref()))
}

/// Makes an invitation.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses.
pub(super) fn issue(request: InviteRequest, socket: &ControlArgs) -> Result<IssuedInvitation> {
    match request_action(socket, &ControlRequest::Invite(request))? {
        (ControlAnswer::Invited(issued), _) => Ok(issued),
        _ => bail!("the server's answer was not expected"),
    }
}

/// Returns what the terminal shows. `drawn`: QR code of [`CodeInvitation::address`], in lines.
fn text_of(made: &CodeInvitation, drawn: Option<&str>) -> String {
    let IssuedInvitation { code, invitation } = &made.issued;
    // It was made just now: its time is not over.
    let described = invitation_text(invitation, Timestamp(0));
    let permits = if invitation.permits_claim {
        "Whoever has it can come in where only invited users may, and can claim a name. Where access is \"everybody\", nobody needs it to come in."
    } else {
        "Whoever has it can come in where only invited users may. Where access is \"everybody\", nobody needs it."
    };
    let id = invitation.id;
    let typed = match &made.link {
        Some(link) => format!("chat-client '{link}'"),
        None => format!("chat-client SERVER --invite {code}"),
    };
    let drawn = drawn.map_or(String::new(), |it| format!("{it}\n"));
    let how = match &made.url {
        Some(url) => {
            let encrypted = if made.link.is_some() { ", encrypted" } else { "" };
            let claim = match invitation.permits_claim {
                true => " (a name can be claimed there only)",
                false => "",
            };
            format!(
                "The invited person scans this code with a phone, or opens the address in a browser:\n\n\
                 {drawn}    {url}\n\nIn a terminal{encrypted}{claim}:\n\n    {typed}\n"
            )
        }
        None => {
            let has_link = if made.link.is_some() { " (the QR code has the link)" } else { "" };
            format!("The invited person types in a terminal{has_link}:\n\n{drawn}    {typed}\n")
        }
    };
    format!(
        "{code}\n\n{described}\n{permits}\nIt is a secret: whoever has the code may use it. To \
         revoke it: chat-server invitations revoke {id}\n\n{how}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::InvitationListing;

    /// Returns an invitation with this way in.
    fn invitation(url: Option<&str>, link: Option<&str>) -> CodeInvitation {
        let invitation = InvitationListing {
            id: "0123abcd".parse().unwrap(),
            name: Some("anna".to_owned()),
            uses: 1,
            left: 1,
            until: Some(60_000),
            permits_claim: true,
        };
        let issued = IssuedInvitation { code: "0123-4567-89AB-CDEF".to_owned(), invitation };
        CodeInvitation { issued, url: url.map(str::to_owned), link: link.map(str::to_owned) }
    }

    /// The text has the code, its limits, what to open and what to type.
    #[test]
    fn text_says_what_the_invited_user_does() {
        let (url, link) = ("http://pi-chat.local/#invite=0", "chats://pi-chat.local/#invite=0");
        let both = text_of(&invitation(Some(url), Some(link)), Some("QR\n"));
        assert!(both.contains("access is \"everybody\", nobody needs it to come in"));
        let start = "0123-4567-89AB-CDEF\n\nfor anna, 1 use, 1 left, until 1970-01-01 00:01:00Z\n";
        assert!(both.starts_with(start), "{both}");
        assert!(both.contains("chat-server invitations revoke 0123abcd\n"), "{both}");
        assert!(both.contains(&format!("\nQR\n\n    {url}\n")), "{both}");
        assert!(both.ends_with(&format!("    chat-client '{link}'\n")), "{both}");

        let link_only = text_of(&invitation(None, Some(link)), Some("QR\n"));
        let end = format!("(the QR code has the link):\n\nQR\n\n    chat-client '{link}'\n");
        assert!(link_only.ends_with(&end) && !link_only.contains("browser"), "{link_only}");
        let typed = "    chat-client SERVER --invite 0123-4567-89AB-CDEF\n";
        let neither = text_of(&invitation(None, None), None);
        assert!(neither.ends_with(typed) && !neither.contains("QR"), "{neither}");
        let page_only = text_of(&invitation(Some(url), None), Some("QR\n"));
        assert!(page_only.ends_with(typed) && !page_only.contains("encrypted"), "{page_only}");
    }
}
