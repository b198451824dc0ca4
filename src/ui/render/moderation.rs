//! Rendering of events about moderation.

use super::numbers::seconds_text;
use super::{RenderedText, Renderer, error_line};
use crate::model::{
    ListedSanction, ModerationEvent, SanctionKind, Sanctioning, Sequence, Timestamp, by_text,
    done_text, role_text, room_or_server,
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
                let by = by_text(by.as_deref(), reason.as_deref());
                out.push(self.room_line(room, &format!("{what} was removed{by}")));
            }
            ModerationEvent::Topic { room, topic, by, is_change, .. } => {
                let by = by_text(by.as_deref().filter(|_| *is_change), None);
                let text = match topic {
                    Some(topic) => format!("topic: {}{by}", safe_line(topic)),
                    None => format!("the topic was removed{by}"),
                };
                out.push(self.room_line(room, &text));
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
                let who = if *own { "you".to_owned() } else { safe_name(username) };
                let text = role_text(&who, *role, &room_or_server(room.as_deref()), "");
                out.push(self.chat_line(&format!("-- {text}")));
            }
            ModerationEvent::Sanctioned { action, room, by, reason, until } => {
                let place = room_or_server(room.as_deref());
                let until = self.until_text(*until);
                let what = match action {
                    Sanctioning::Kicked => format!("you have been sent out of {place}"),
                    Sanctioning::Banned => format!("you are banned from {place}{until}"),
                    Sanctioning::Unbanned => format!("you are no longer banned from {place}"),
                    Sanctioning::Muted => format!("you are muted in {place}{until}"),
                    Sanctioning::Unmuted => format!("you are no longer muted in {place}"),
                };
                let by = by_text(by.as_deref(), reason.as_deref());
                out.push(error_line(&format!("{what}{by}")));
            }
            ModerationEvent::Sanctions { room, items, .. } => {
                if items.is_empty() {
                    let place = room_or_server(room.as_deref());
                    out.push(self.chat_line(&format!("-- nobody is banned or muted in {place}")));
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

    /// Describes a removed message: its author and time, if it was shown not long ago.
    fn removed_message_text(&self, message: Sequence) -> String {
        match self.view.with(|it| it.recent_messages.author_and_time(message)) {
            Some((author, time)) => {
                let time = self.local_time.format_time(time);
                format!("what {} said at {time}", safe_name(&author))
            }
            None => "an older message".to_owned(),
        }
    }

    /// Renders a ban or mute of a list.
    fn render_sanction(&self, it: &ListedSanction) -> RenderedText {
        let what = match it.kind {
            SanctionKind::Ban if it.by_address => "banned with the address",
            SanctionKind::Ban => "banned",
            SanctionKind::Mute => "muted",
        };
        let until = self.until_text(it.until);
        let by = by_text(it.by.as_deref(), it.reason.as_deref());
        self.chat_line(&format!("-- {}: {what}{until}{by}", safe_name(&it.username)))
    }

    /// Returns when a sanction ends: “ until 2026-11-22 22:13”; empty for `None`.
    fn until_text(&self, until: Option<Timestamp>) -> String {
        let format = |it| format!(" until {}", self.local_time.format_date_minute(it));
        until.map(format).unwrap_or_default()
    }
}
