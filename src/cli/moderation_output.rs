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
    or_none(text, "there are no rooms yet")
}

/// Formats invitations, a line each. `now`: the present time, by which some are over.
pub(super) fn write_invitations(invitations: &[InvitationListing], now: Timestamp) -> String {
    let mut text = String::new();
    for it in invitations {
        let _ = writeln!(text, "{}  {}", it.id, invitation_text(it, now));
    }
    or_none(text, "there are no invitations")
}

/// Describes an invitation: for whom, how often, until when. Of one that is over at `now`, it does
/// not say that uses are left.
pub(super) fn invitation_text(invitation: &InvitationListing, now: Timestamp) -> String {
    let InvitationListing { name, uses, left, until, permits_claim, id: _ } = invitation;
    let name = name.as_ref().map_or_else(String::new, |it| format!("for {it}, "));
    let uses = if *uses == 1 { "1 use".to_owned() } else { format!("{uses} uses") };
    let claim = if *permits_claim { "" } else { ", without a claim" };
    let until = until.map(Timestamp);
    match until.filter(|it| *it <= now).and_then(format_readable) {
        Some(over) => {
            let used = if *left == 0 { "used up" } else { "not used up" };
            format!("{name}{uses}, {used}, over since {over}{claim}")
        }
        None => format!("{name}{uses}, {left} left, {}{claim}", until_text(until.map(|it| it.0))),
    }
}

/// Formats claims, a line each.
pub(super) fn write_claims(claims: &[ClaimListing]) -> String {
    let mut text = String::new();
    for ClaimListing { name, key, renewed, invitation, devices } in claims {
        let since = format_readable(Timestamp(*renewed)).unwrap_or_else(|| "long ago".to_owned());
        let by = invitation.map_or_else(String::new, |it| format!(", by invitation {it}"));
        let devices = match devices {
            1 => String::new(),
            devices => format!(", {devices} devices"),
        };
        let _ = writeln!(text, "{name}  claimed or renewed {since}{by}{devices}, key {key}");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody is told that uses are left of an invitation that is over.
    #[test]
    fn invitation_that_is_over_has_nothing_left() {
        let invitation = InvitationListing {
            id: "0123abcd".parse().unwrap(),
            name: None,
            uses: 2,
            left: 1,
            until: Some(60_000),
            permits_claim: true,
        };
        let before = invitation_text(&invitation, Timestamp(59_999));
        assert_eq!(before, "2 uses, 1 left, until 1970-01-01 00:01:00Z");
        let after = invitation_text(&invitation, Timestamp(60_000));
        assert_eq!(after, "2 uses, not used up, over since 1970-01-01 00:01:00Z");
    }
}
