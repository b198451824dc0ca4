//! Rendering of events about moderation.

use super::numbers::seconds_text;
use super::{RenderedText, Renderer, error_line};
use crate::model::{
    ListedSanction, ModerationCommand, ModerationEvent, Place, Role, RoomSelector, SanctionKind,
    SanctionLength, Sanctioning, Sequence, SlowMode, Timestamp, UserAction,
};
use crate::text;
use crate::ui::safe::{safe_line, safe_name};

impl Renderer {
    /// Renders an event about moderation: chat lines, and an error line for what was done to the
    /// user, so that the user does not overlook it.
    pub(super) fn render_moderation(&self, event: &ModerationEvent, out: &mut Vec<RenderedText>) {
        match event {
            ModerationEvent::Done { command, affected, is_durable, .. } => {
                let text = done_text(command, *affected, *is_durable);
                out.push(self.chat_line(&format!("-- {text}")));
            }
            ModerationEvent::MessageRemoved { room, message, by, reason } => {
                let what = self.removed_message_text(*message);
                let text = self.with_notes(what, None, by.as_deref(), reason.as_deref());
                out.push(self.room_line(room, &text));
            }
            ModerationEvent::Topic { room, topic, by, is_change, .. } => {
                let text = match topic {
                    Some(topic) => text!("here-topic", topic = safe_line(topic)),
                    None => text!("moderation-topic-removed"),
                };
                let by = by.as_deref().filter(|_| *is_change);
                out.push(self.room_line(room, &self.with_notes(text, None, by, None)));
            }
            ModerationEvent::RoomModes { room, slow, is_moderated } => {
                let who = if *is_moderated { "moderators" } else { "all" };
                let text = match u32::try_from(slow.as_secs()).unwrap_or(u32::MAX) {
                    0 => text!("room-modes", who = who),
                    seconds => {
                        text!("room-modes-slow", who = who, time = seconds_text(seconds))
                    }
                };
                out.push(self.room_line(room, &text));
            }
            ModerationEvent::RoleChanged { room, username, role, own, .. } => {
                let (place, role) = (place_argument(room.as_deref()), role_argument(*role));
                let text = match own {
                    true => text!("moderation-your-role", place = place, role = role),
                    false => {
                        let name = safe_name(username);
                        text!("moderation-role", place = place, role = role, name = name)
                    }
                };
                out.push(self.chat_line(&format!("-- {text}")));
            }
            ModerationEvent::Sanctioned { action, room, by, reason, until } => {
                let place = place_argument(room.as_deref());
                let what = match action {
                    Sanctioning::Kicked => text!("moderation-you-kicked", place = place),
                    Sanctioning::Banned => text!("moderation-you-banned", place = place),
                    Sanctioning::Unbanned => text!("moderation-you-unbanned", place = place),
                    Sanctioning::Muted => text!("moderation-you-muted", place = place),
                    Sanctioning::Unmuted => text!("moderation-you-unmuted", place = place),
                };
                let text = self.with_notes(what, *until, by.as_deref(), reason.as_deref());
                out.push(error_line(&text));
            }
            ModerationEvent::Sanctions { room, items, .. } => {
                if items.is_empty() {
                    let place = place_argument(room.as_deref());
                    let text = text!("moderation-nobody", place = place);
                    out.push(self.chat_line(&format!("-- {text}")));
                }
                out.extend(items.iter().map(|it| self.render_sanction(it)));
            }
            ModerationEvent::Rooms { rooms, .. } => out.extend(rooms.iter().map(|it| {
                let topic = it.topic.as_deref().map(|it| format!(" {}", safe_line(it)));
                let topic = topic.unwrap_or_default();
                self.chat_line(&format!("-- #{} ({}){topic}", safe_name(&it.name), it.members))
            })),
        }
    }

    /// Says that a message was removed: with its author and time, if it was shown not long ago.
    fn removed_message_text(&self, message: Sequence) -> String {
        match self.view.with(|it| it.recent_messages.author_and_time(message)) {
            Some((author, time)) => {
                let time = self.local_time.format_time(time);
                text!("moderation-removed", name = safe_name(&author), time = time)
            }
            None => text!("moderation-removed-older"),
        }
    }

    /// Renders a ban or mute of a list.
    fn render_sanction(&self, it: &ListedSanction) -> RenderedText {
        let name = safe_name(&it.username);
        let text = match it.kind {
            SanctionKind::Ban if it.by_address => text!("moderation-list-ban-address", name = name),
            SanctionKind::Ban => text!("moderation-list-ban", name = name),
            SanctionKind::Mute => text!("moderation-list-mute", name = name),
        };
        let text = self.with_notes(text, it.until, it.by.as_deref(), it.reason.as_deref());
        self.chat_line(&format!("-- {text}"))
    }

    /// Adds to a text when what it tells ends, who did it and why, as far as that is known: “…,
    /// until 2026-11-22 22:13, by carla: spam”.
    fn with_notes(
        &self,
        text: String,
        until: Option<Timestamp>,
        by: Option<&str>,
        reason: Option<&str>,
    ) -> String {
        let until = until.map(|it| self.local_time.format_date_minute(it));
        let notes = [
            Some(text),
            until.map(|it| text!("sanction-until", time = it)),
            by.map(|it| text!("sanction-by", by = safe_name(it))),
        ];
        let told = notes.into_iter().flatten().collect::<Vec<_>>().join(", ");
        match reason {
            Some(reason) => format!("{told}: {}", safe_line(reason)),
            None => told,
        }
    }
}

/// Describes a change that the server has carried out. `affected`: number of connected users whom
/// it concerned. If `is_durable` is false, says that the server forgets the change, if it is one
/// that lasts.
fn done_text(command: &ModerationCommand, affected: u32, is_durable: bool) -> String {
    let (text, lasts) = match command {
        ModerationCommand::SetTopic { room, topic: Some(_) } => {
            (text!("done-topic-set", room = room_argument(room)), true)
        }
        ModerationCommand::SetTopic { room, topic: None } => {
            (text!("done-topic-removed", room = room_argument(room)), false)
        }
        ModerationCommand::Remove { .. } if affected == 0 => (text!("done-removed-before"), false),
        ModerationCommand::Remove { .. } => (text!("done-removed"), false),
        ModerationCommand::ActOnUser { place, username, action, .. } => {
            done_to_user_text(*action, &safe_name(username), &place_of_command(place), affected)
        }
        ModerationCommand::SetSlowMode { room, mode } if *mode == SlowMode::OFF => {
            (text!("done-slow-off", room = room_argument(room)), false)
        }
        ModerationCommand::SetSlowMode { room, mode } => {
            let time = seconds_text(u16::from(*mode).into());
            (text!("done-slow", room = room_argument(room), time = time), true)
        }
        ModerationCommand::SetModerated { room, is_on: true } => {
            (text!("done-moderated", room = room_argument(room)), true)
        }
        ModerationCommand::SetModerated { room, is_on: false } => {
            (text!("done-moderated-off", room = room_argument(room)), false)
        }
        ModerationCommand::SetRole { place, username, role, .. } => {
            let (place, name) = (place_of_command(place), safe_name(username));
            let key = role_argument(*role);
            (text!("moderation-role", place = place, role = key, name = name), role.is_some())
        }
        ModerationCommand::Announce { .. } => (text!("done-announced", count = affected), false),
        ModerationCommand::ListSanctions { .. } | ModerationCommand::ListRooms => {
            (text!("done-listed"), false)
        }
    };
    if lasts && !is_durable { text!("done-forgotten", text = text) } else { text }
}

/// Describes an action on a user, and whether it lasts: [`done_text`].
fn done_to_user_text(action: UserAction, name: &str, place: &str, affected: u32) -> (String, bool) {
    match action {
        UserAction::Kick if affected == 0 => {
            (text!("done-kick-nobody", place = place, name = name), false)
        }
        UserAction::Kick => (text!("done-kick", place = place, name = name), false),
        UserAction::Ban { is_dry_run: true, .. } => {
            (text!("done-ban-counted", count = affected), false)
        }
        UserAction::Ban { length, by_address, .. } => {
            let notes = [
                Some(text!("done-ban", place = place, name = name)),
                by_address.then(|| text!("done-with-address")),
                Some(length_text(length)),
            ];
            let text = notes.into_iter().flatten().collect::<Vec<_>>().join(", ");
            (text!("done-sent-out", text = text, count = affected), true)
        }
        UserAction::Unban if affected == 0 => {
            (text!("done-unban-none", place = place, name = name), false)
        }
        UserAction::Unban => (text!("done-unban", place = place, name = name), false),
        UserAction::Mute(length) => {
            let text = text!("done-mute", place = place, name = name);
            (format!("{text}, {}", length_text(length)), true)
        }
        UserAction::Unmute if affected == 0 => {
            (text!("done-unmute-none", place = place, name = name), false)
        }
        UserAction::Unmute => (text!("done-unmute", place = place, name = name), false),
    }
}

/// Returns the length of a sanction: “for 10 minutes”, “without end”.
fn length_text(length: SanctionLength) -> String {
    match length.seconds() {
        0 => text!("done-without-end"),
        seconds => text!("done-for", time = seconds_text(seconds)),
    }
}

/// Returns the argument of texts that says where something is: a room with its `#`, or `server` for
/// `None`.
fn place_argument(room: Option<&str>) -> String {
    room.map_or_else(|| "server".to_owned(), |it| format!("#{}", safe_name(it)))
}

/// Returns the argument of texts that says where a command applies: [`place_argument`].
fn place_of_command(place: &Place) -> String {
    match place {
        Place::Server => place_argument(None),
        Place::Room(room) => room_argument(room),
    }
}

/// Returns the argument of texts that says in which room a command was carried out. The engine has
/// replaced a selector by the room's name.
fn room_argument(room: &RoomSelector) -> String {
    match room {
        RoomSelector::Named(room) => place_argument(Some(room)),
        RoomSelector::Only | RoomSelector::First => "#".to_owned(),
    }
}

/// Returns the argument of texts that says which role it is.
const fn role_argument(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Moderator) => "moderator",
        Some(Role::Owner) => "owner",
        None => "none",
    }
}
