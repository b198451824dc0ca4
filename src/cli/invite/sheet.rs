//! Many invitations by code at once, for a class or a club: `chat-server invite --sheet N`. All of
//! them are made, or none is left.

use std::num::NonZeroU8;
use std::str::FromStr;

use anyhow::{Error, Result};

use super::InviteArgs;
use super::code::{CodeInvitation, issue};
use super::invitation::Invitation;
use super::output::{self, Target};
use super::slips;
use super::wifi::Wifi;
use crate::cli::control::ControlArgs;
use crate::cli::moderation::moderate;
use crate::cli::status;
use crate::model::{InvitationId, ModerationRequest};
use crate::server::InviteRequest;

/// Greatest number of slips on a sheet.
const MAX_SLIPS: u8 = 100;

/// Number of slips: 1 to 100.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlipCount(NonZeroU8);

impl FromStr for SlipCount {
    type Err = String;

    /// Parses a number of slips.
    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|it: &NonZeroU8| it.get() <= MAX_SLIPS);
        count.map(Self).ok_or_else(|| format!("a sheet has 1 to {MAX_SLIPS} slips"))
    }
}

/// Makes the invitations, and writes the sheet or prints them in JSON. Whatever fails: no file and
/// no invitation is left, or the error says which.
///
/// # Errors
/// The server cannot be asked, nobody else can reach it with a browser or over TLS, it refuses an
/// invitation, the password of the Wi-Fi cannot be read or is invalid, or the output cannot be written.
pub(super) fn invite(command: &InviteArgs, count: SlipCount) -> Result<()> {
    // Whatever can fail comes first: an invitation that nobody is told must not be made.
    let socket = &command.socket;
    let server = Invitation::of(command.url.as_deref(), Ok(status::query(socket)?))?;
    server.address()?;
    server.check_room_for_code()?;
    let wifi = command.wifi.read()?.map(Wifi::with_code).transpose()?;
    let target = command.page.as_ref().map(|it| Target::create(it, true)).transpose()?;
    let slips = match make(count, &command.code.request()?, &server, socket) {
        Ok(slips) => slips,
        Err(error) => {
            target.into_iter().for_each(Target::discard);
            return Err(error);
        }
    };
    let written = match target {
        Some(target) => {
            slips::html(&server, &slips, wifi.as_ref()).and_then(|html| target.write(&html))
        }
        None => output::print(&(serde_json::to_string(&slips)? + "\n")),
    };
    written.map_err(|error| error.context(revoke(&slips, socket)))
}

/// Makes the invitations.
///
/// # Errors
/// The server refuses one, does not answer in time, or cannot be reached any more. Those that were
/// made are revoked; the text says so, or which are not.
fn make(
    count: SlipCount,
    request: &InviteRequest,
    server: &Invitation,
    socket: &ControlArgs,
) -> Result<Vec<CodeInvitation>> {
    let count = count.0.get();
    let mut slips = Vec::new();
    for number in 1..=count {
        match issue(request.clone(), socket) {
            Ok(issued) => slips.push(CodeInvitation::new(issued, server)),
            Err(error) => return Err(undo(error, number, count, &slips, socket)),
        }
    }
    Ok(slips)
}

/// Revokes the invitations of these slips, because another one could not be made. Returns the error
/// that says so.
fn undo(
    error: Error,
    number: u8,
    count: u8,
    slips: &[CodeInvitation],
    socket: &ControlArgs,
) -> Error {
    let failed = format!("cannot make invitation {number} of {count}");
    match slips {
        [] => error.context(failed),
        slips => error.context(failed).context(revoke(slips, socket)),
    }
}

/// Revokes the invitations of these slips. Returns what to tell the owner: that they are revoked, or
/// which are not, and what to do.
fn revoke(slips: &[CodeInvitation], socket: &ControlArgs) -> String {
    let is_left = |id: &InvitationId| {
        moderate(socket, ModerationRequest::RevokeInvitation { id: *id }).is_err()
    };
    let left: Vec<String> = slips
        .iter()
        .map(|it| it.issued.invitation.id)
        .filter(is_left)
        .map(|id| format!("chat-server invitations revoke {id}"))
        .collect();
    if left.is_empty() {
        return format!("no sheet was written, and the {} made are revoked", plural(slips.len()));
    }
    format!(
        "no sheet was written, and {} could not be revoked. Do it when the server answers: {}",
        plural(left.len()),
        left.join("; ")
    )
}

/// Formats a number of invitations.
fn plural(number: usize) -> String {
    if number == 1 { "1 invitation".to_owned() } else { format!("{number} invitations") }
}
