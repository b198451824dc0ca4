//! Lists of roles, sanctions, rooms, invitations and claims as text for the owner.

use std::fmt::Write;

use crate::archive::format_readable;
use crate::model::{Role, RoomName, SanctionKind, Scope, Timestamp, sanitize_text};
use crate::server::{ClaimListing, InvitationListing, RoleListing, RoomListing, SanctionListing};

/// Formats roles, a line each.
pub(super) fn write_roles(roles: &[RoleListing]) -> String {
    let mut text = String::new();
    for RoleListing { name, session, role, scope } in roles {
        let role = match role {
            Role::Moderator => "moderator",
            Role::Owner => "owner",
        };
        let _ = writeln!(text, "{name} (session {session}) is {role} of {}", place(scope));
    }
    or_none(text, "nobody has a role")
}

/// Formats bans and mutes, a line each.
pub(super) fn write_sanctions(sanctions: &[SanctionListing]) -> String {
    let mut text = String::new();
    for sanction in sanctions {
        let (what, preposition) = match (sanction.kind, &sanction.scope) {
            (SanctionKind::Ban, _) => ("banned", "from"),
            (SanctionKind::Mute, Scope::Server) => ("muted", "on"),
            (SanctionKind::Mute, Scope::Room(_)) => ("muted", "in"),
        };
        let until = until_text(sanction.until);
        let by = sanction.by.as_deref().unwrap_or("the owner");
        let address = if sanction.by_address { ", with the address" } else { "" };
        let _ = write!(
            text,
            "{} is {what} {preposition} {} {until}{address}, by {by}",
            sanction.name,
            place(&sanction.scope)
        );
        let reason = sanction.reason.as_ref().map(|it| format!(": {}", sanitize_text(it)));
        let _ = writeln!(text, "{}", reason.unwrap_or_default());
    }
    or_none(text, "nobody is banned or muted")
}

/// Formats rooms, a line each.
pub(super) fn write_rooms(rooms: &[RoomListing]) -> String {
    let mut text = String::new();
    for RoomListing { name, people, topic } in rooms {
        let topic = topic.as_ref().map(|it| format!("  {}", sanitize_text(it))).unwrap_or_default();
        let _ = writeln!(text, "#{name}  {people}{topic}");
    }
    or_none(text, "there is no room yet")
}

/// Formats invitations, a line each.
pub(super) fn write_invitations(invitations: &[InvitationListing]) -> String {
    let mut text = String::new();
    for it in invitations {
        let _ = writeln!(text, "{}  {}", it.id, invitation_text(it));
    }
    or_none(text, "there is no invitation")
}

/// Describes an invitation: for whom, how often, until when.
pub(super) fn invitation_text(invitation: &InvitationListing) -> String {
    let InvitationListing { name, uses, left, until, permits_claim, id: _ } = invitation;
    let name = name.as_ref().map_or_else(String::new, |it| format!("for {it}, "));
    let uses = if *uses == 1 { "1 use".to_owned() } else { format!("{uses} uses") };
    let claim = if *permits_claim { "" } else { ", without a claim" };
    format!("{name}{uses}, {left} left, {}{claim}", until_text(*until))
}

/// Formats claims, a line each.
pub(super) fn write_claims(claims: &[ClaimListing]) -> String {
    let mut text = String::new();
    for ClaimListing { name, key, renewed, invitation } in claims {
        let since = format_readable(Timestamp(*renewed)).unwrap_or_else(|| "long ago".to_owned());
        let by = invitation.map_or_else(String::new, |it| format!(", by invitation {it}"));
        let _ = writeln!(text, "{name}  claimed or renewed {since}{by}, key {key}");
    }
    or_none(text, "no name is claimed")
}

/// Returns until when something lasts, by its end in milliseconds since 1970; `None`: without end.
pub(super) fn until_text(until: Option<u64>) -> String {
    match until {
        None => "for ever".to_owned(),
        Some(until) => match format_readable(Timestamp(until)) {
            Some(until) => format!("until {until}"),
            None => "for ages".to_owned(),
        },
    }
}

/// Returns the text; if it is empty, a line that says so.
fn or_none(text: String, none: &str) -> String {
    if text.is_empty() { format!("{none}\n") } else { text }
}

/// Returns how a scope is written: the server, or a room.
fn place(scope: &Scope) -> String {
    scope.room().map(RoomName::as_str).map_or("the server".to_owned(), |it| format!("#{it}"))
}
