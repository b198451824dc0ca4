//! Texts about moderation, for the `text` of JSON objects.

use super::{
    ModerationCommand, Place, Role, RoomSelector, SanctionLength, SlowMode, UserAction, safe_name,
};

/// Describes a change that the server has carried out. `affected`: number of connected users whom
/// it concerned. If `is_durable` is false, says that the server forgets the change, if it is one
/// that lasts. The text is sanitized.
#[must_use]
pub fn done_text(command: &ModerationCommand, affected: u32, is_durable: bool) -> String {
    let (text, lasts) = match command {
        ModerationCommand::SetTopic { room, topic } => {
            let what = if topic.is_some() { "is set" } else { "is taken away" };
            (format!("the topic of {} {what}", room_text(room)), topic.is_some())
        }
        ModerationCommand::Remove { .. } if affected == 0 => {
            ("that message was already removed".to_owned(), false)
        }
        ModerationCommand::Remove { .. } => ("the message was removed".to_owned(), false),
        ModerationCommand::ActOnUser { place, username, action, .. } => {
            action_text(*action, &safe_name(username), &place_text(place), affected)
        }
        ModerationCommand::SetSlowMode { room, mode } => {
            let is_on = *mode != SlowMode::OFF;
            let what = if is_on {
                format!("a message every {}", span_text(u16::from(*mode).into()))
            } else {
                "off".to_owned()
            };
            (format!("slow mode of {}: {what}", room_text(room)), is_on)
        }
        ModerationCommand::SetModerated { room, is_on } => {
            let who = if *is_on { "only moderators" } else { "everybody" };
            (format!("{who} may talk in {} now", room_text(room)), *is_on)
        }
        ModerationCommand::SetRole { place, username, role, .. } => {
            (role_text(&safe_name(username), *role, &place_text(place)), role.is_some())
        }
        ModerationCommand::Announce { .. } => (format!("announced to {}", people(affected)), false),
        ModerationCommand::ListSanctions { .. } | ModerationCommand::ListRooms => {
            ("done".to_owned(), false)
        }
    };
    let forgets =
        if lasts && !is_durable { "; the server forgets it when it restarts" } else { "" };
    format!("{text}{forgets}")
}

/// Describes an action on a user, and whether it lasts: [`done_text`].
fn action_text(action: UserAction, name: &str, place: &str, affected: u32) -> (String, bool) {
    match action {
        UserAction::Kick if affected == 0 => {
            (format!("nobody is sent out of {place}: {name} is not there"), false)
        }
        UserAction::Kick => (format!("{name} is sent out of {place}"), false),
        UserAction::Ban { is_dry_run: true, .. } => {
            let count = people(affected);
            let text = format!(
                "nothing was done yet: this ban would send out {count}. To do it, add --yes"
            );
            (text, false)
        }
        UserAction::Ban { length, by_address, .. } => {
            let address = if by_address { " with their address" } else { "" };
            let length = length_text(length);
            let count = people(affected);
            (format!("{name} is banned from {place}{address} {length}; it sent out {count}"), true)
        }
        UserAction::Unban if affected == 0 => {
            (format!("nothing was done: {name} is not banned from {place}"), false)
        }
        UserAction::Unmute if affected == 0 => {
            (format!("nothing was done: {name} is not muted in {place}"), false)
        }
        UserAction::Unban => (format!("{name} is no longer banned from {place}"), false),
        UserAction::Mute(length) => {
            (format!("{name} is muted in {place} {}", length_text(length)), true)
        }
        UserAction::Unmute => (format!("{name} is no longer muted in {place}"), false),
    }
}

/// Describes a role that a user has now: “bob is a moderator of #lobby now”.
fn role_text(name: &str, role: Option<Role>, place: &str) -> String {
    match role {
        Some(Role::Moderator) => format!("{name} is a moderator of {place} now"),
        Some(Role::Owner) => format!("{name} is an owner of {place} now"),
        None => format!("{name} is no moderator or owner of {place} now"),
    }
}

/// Returns the place of a command as a text.
fn place_text(place: &Place) -> String {
    match place {
        Place::Server => "the server".to_owned(),
        Place::Room(room) => room_text(room),
    }
}

/// Returns the room of a command as a text: its name, if the selector is resolved.
fn room_text(room: &RoomSelector) -> String {
    match room {
        RoomSelector::Named(room) => format!("#{}", safe_name(room)),
        RoomSelector::Only | RoomSelector::First => "the room".to_owned(),
    }
}

/// Returns the length of a sanction: “for 10m”, “without end”.
fn length_text(length: SanctionLength) -> String {
    match length.seconds() {
        0 => "without end".to_owned(),
        seconds => format!("for {}", span_text(seconds)),
    }
}

/// Returns a number of seconds in the greatest unit that divides it: `10m`.
fn span_text(seconds: u32) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit = units.iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{seconds}s"),
        |(unit, letter)| format!("{}{letter}", seconds / unit),
    )
}

/// Returns a number of people: “nobody”, “1 person”, “3 people”.
fn people(count: u32) -> String {
    match count {
        0 => "nobody".to_owned(),
        1 => "1 person".to_owned(),
        count => format!("{count} people"),
    }
}
