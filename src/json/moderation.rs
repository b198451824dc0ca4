//! JSON objects about moderation: requests and events.

use serde_json::{Value, json};

use super::{EventContext, RequestObject, number_value, time_value, with_id};
use crate::model::{
    AnnouncementText, ListedRoom, ListedSanction, ModerationCommand, ModerationEvent, Place,
    Reason, Role, RoomSelector, SanctionKind, SanctionLength, Sanctioning, Sequence, SessionId,
    SlowMode, Topic, UserAction,
};

/// Types of the requests about moderation.
pub(super) const MODERATION_REQUESTS: &[&str] = &[
    "announce",
    "ban",
    "kick",
    "moderated",
    "mute",
    "remove",
    "role",
    "rooms",
    "sanctions",
    "slow",
    "topic",
    "unban",
    "unmute",
];

/// Converts an object of a type of [`MODERATION_REQUESTS`] to a command. `room`: the room that the
/// object names, or its default.
///
/// # Errors
/// A required field is missing, or a field is not valid. The error text names the field.
pub(super) fn moderation_command(
    object: RequestObject,
    room: RoomSelector,
) -> Result<ModerationCommand, String> {
    let kind = object.kind;
    let needs = |field: &str| format!("{kind} needs {field}");
    let place = if object.server == Some(true) { Place::Server } else { Place::Room(room.clone()) };
    let reason = object.reason.filter(|it| !it.is_empty());
    let reason = reason.map(|it| Reason::new(&it)).transpose();
    let reason = reason.map_err(|error| format!("reason: {error}"))?;
    let session = object.session.map(|it| it.parse("session")).transpose()?.map(SessionId);
    let username = object.name.filter(|it| !it.is_empty()).ok_or_else(|| needs("name"));
    let length = SanctionLength::from_seconds(object.seconds.unwrap_or_default());
    let length = length.map_err(|error| format!("seconds: {error}"));
    let action = match kind.as_str() {
        "kick" => UserAction::Kick,
        "ban" => UserAction::Ban {
            length: length?,
            by_address: object.address == Some(true),
            is_dry_run: object.dry_run == Some(true),
        },
        "unban" => UserAction::Unban,
        "mute" => UserAction::Mute(length?),
        "unmute" => UserAction::Unmute,
        "topic" => {
            let text = object.text.ok_or_else(|| needs("text"))?;
            let topic = Some(text).filter(|it| !it.is_empty()).map(|it| Topic::new(&it));
            let topic = topic.transpose().map_err(|error| format!("text: {error}"))?;
            return Ok(ModerationCommand::SetTopic { room, topic });
        }
        "remove" => {
            let message = object.seq.ok_or_else(|| needs("seq"))?.parse("seq").map(Sequence)?;
            return Ok(ModerationCommand::Remove { room, message, reason });
        }
        "slow" => {
            let seconds = object.seconds.ok_or_else(|| needs("seconds"))?;
            let mode = u16::try_from(seconds).ok().and_then(|it| SlowMode::from_seconds(it).ok());
            let mode = mode.ok_or("seconds is from 0 to 3600")?;
            return Ok(ModerationCommand::SetSlowMode { room, mode });
        }
        "moderated" => {
            let is_on = object.on.ok_or_else(|| needs("on"))?;
            return Ok(ModerationCommand::SetModerated { room, is_on });
        }
        "announce" => {
            let text = object.text.ok_or_else(|| needs("text"))?;
            let text = AnnouncementText::new(&text).map_err(|error| format!("text: {error}"))?;
            return Ok(ModerationCommand::Announce { place, text });
        }
        "role" => {
            let role = object.role.as_deref().and_then(parse_role_name);
            let role = role.ok_or("role is moderator, owner or none")?;
            return Ok(ModerationCommand::SetRole { place, username: username?, session, role });
        }
        "sanctions" => return Ok(ModerationCommand::ListSanctions { place }),
        _ => return Ok(ModerationCommand::ListRooms),
    };
    Ok(ModerationCommand::ActOnUser { place, username: username?, session, action, reason })
}

/// Returns the JSON object of an event about moderation.
pub(super) fn moderation_object(event: &ModerationEvent, context: &impl EventContext) -> Value {
    match event {
        ModerationEvent::Done { tag, command, affected, is_durable } => {
            let text = context.describe_done(command, *affected, *is_durable);
            with_id(json!({"type": "done", "text": text, "affected": affected}), tag)
        }
        ModerationEvent::MessageRemoved { room, message, by, reason } => json!({
            "type": "removed", "room": room, "seq": number_value(message.0), "by": by,
            "reason": reason,
        }),
        ModerationEvent::Topic { room, topic, by, time, is_change } => json!({
            "type": "topic", "room": room, "text": topic, "by": by, "time": time_value(*time),
            "changed": is_change,
        }),
        ModerationEvent::RoomModes { room, slow, is_moderated } => json!({
            "type": "modes", "room": room, "slow_seconds": slow.as_secs(),
            "moderated": is_moderated,
        }),
        ModerationEvent::RoleChanged { room, session, username, role, own } => json!({
            "type": "role", "room": room, "session": number_value(session.0), "name": username,
            "role": role_name(*role), "own": own,
        }),
        ModerationEvent::Sanctioned { action, room, by, reason, until } => {
            let action = match action {
                Sanctioning::Kicked => "kick",
                Sanctioning::Banned => "ban",
                Sanctioning::Unbanned => "unban",
                Sanctioning::Muted => "mute",
                Sanctioning::Unmuted => "unmute",
            };
            json!({
                "type": "sanctioned", "action": action, "room": room, "by": by, "reason": reason,
                "until": until.map(time_value),
            })
        }
        ModerationEvent::Sanctions { tag, room, items } => {
            let items: Vec<Value> = items.iter().map(sanction_object).collect();
            with_id(json!({"type": "sanctions", "room": room, "items": items}), tag)
        }
        ModerationEvent::Rooms { tag, rooms } => {
            let rooms: Vec<Value> = rooms.iter().map(room_object).collect();
            with_id(json!({"type": "rooms", "rooms": rooms}), tag)
        }
    }
}

/// Parses the name of a role; `Some(None)` for `none`. `None` if it is no role.
#[expect(clippy::option_option, reason = "a role may be taken, and a text may be no role")]
pub(crate) fn parse_role_name(text: &str) -> Option<Option<Role>> {
    match text {
        "moderator" => Some(Some(Role::Moderator)),
        "owner" => Some(Some(Role::Owner)),
        "none" => Some(None),
        _ => None,
    }
}

/// Returns the JSON name of a role; null for none.
const fn role_name(role: Option<Role>) -> Option<&'static str> {
    match role {
        None => None,
        Some(Role::Moderator) => Some("moderator"),
        Some(Role::Owner) => Some("owner"),
    }
}

/// Returns the JSON object of a ban or mute in a list.
fn sanction_object(it: &ListedSanction) -> Value {
    let kind = match it.kind {
        SanctionKind::Ban => "ban",
        SanctionKind::Mute => "mute",
    };
    json!({
        "kind": kind, "name": it.username, "until": it.until.map(time_value), "by": it.by,
        "reason": it.reason, "address": it.by_address,
    })
}

/// Returns the JSON object of a room in a list.
fn room_object(it: &ListedRoom) -> Value {
    json!({"name": it.name, "members": it.members, "topic": it.topic})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RequestTag, SessionId, Timestamp};

    /// Ignores nobody and describes nothing.
    struct Plain;

    impl EventContext for Plain {
        fn ignores(&self, _: &str, _: SessionId, _: Option<SessionId>) -> bool {
            false
        }

        fn describe_done(&self, _: &ModerationCommand, _: u32, _: bool) -> String {
            String::new()
        }
    }

    /// Converts a JSON object to a command.
    fn command(object: Value) -> Result<ModerationCommand, String> {
        let object: RequestObject = serde_json::from_value(object).unwrap();
        assert!(MODERATION_REQUESTS.contains(&object.kind.as_str()));
        moderation_command(object, RoomSelector::Only)
    }

    /// Requests of all types are converted.
    #[test]
    fn requests_become_commands() {
        let ban = json!({
            "type": "ban", "name": "bob", "session": "9", "server": true, "seconds": 600,
            "address": true, "dry_run": true, "reason": "spam",
        });
        let expected = ModerationCommand::ActOnUser {
            place: Place::Server,
            username: "bob".to_owned(),
            session: Some(SessionId(9)),
            action: UserAction::Ban {
                length: SanctionLength::from_seconds(600).unwrap(),
                by_address: true,
                is_dry_run: true,
            },
            reason: Some(Reason::new("spam").unwrap()),
        };
        assert_eq!(command(ban), Ok(expected));
        let remove = json!({"type": "remove", "seq": 872, "reason": ""});
        let message = Sequence(872);
        let expected =
            ModerationCommand::Remove { room: RoomSelector::Only, message, reason: None };
        assert_eq!(command(remove), Ok(expected));
        let role = json!({"type": "role", "name": "bob", "role": "none"});
        let expected = ModerationCommand::SetRole {
            place: Place::Room(RoomSelector::Only),
            username: "bob".to_owned(),
            session: None,
            role: None,
        };
        assert_eq!(command(role), Ok(expected));
        let topic = json!({"type": "topic", "text": ""});
        let expected = ModerationCommand::SetTopic { room: RoomSelector::Only, topic: None };
        assert_eq!(command(topic), Ok(expected));
        for object in [
            json!({"type": "kick", "name": "bob"}),
            json!({"type": "unban", "name": "bob"}),
            json!({"type": "mute", "name": "bob", "seconds": 0}),
            json!({"type": "unmute", "name": "bob"}),
            json!({"type": "slow", "seconds": 0}),
            json!({"type": "moderated", "on": false}),
            json!({"type": "announce", "text": "cake"}),
            json!({"type": "sanctions"}),
            json!({"type": "rooms"}),
        ] {
            assert!(command(object.clone()).is_ok(), "{object}");
        }
    }

    /// What is missing or not valid is told by the name of its field.
    #[test]
    fn invalid_requests_are_errors() {
        for (object, field) in [
            (json!({"type": "kick"}), "name"),
            (json!({"type": "ban", "name": "bob", "seconds": 4_000_000_000_u32}), "seconds"),
            (json!({"type": "kick", "name": "bob", "reason": "a\nb"}), "reason"),
            (json!({"type": "remove"}), "seq"),
            (json!({"type": "slow", "seconds": 3_601}), "seconds"),
            (json!({"type": "moderated"}), "on"),
            (json!({"type": "announce", "text": ""}), "text"),
            (json!({"type": "role", "name": "bob", "role": "king"}), "role"),
            (json!({"type": "topic"}), "text"),
        ] {
            let error_text = command(object.clone()).unwrap_err();
            assert!(error_text.contains(field), "{object}: {error_text}");
        }
    }

    /// Events are written with their fields.
    #[test]
    fn events_become_objects() {
        let removed = ModerationEvent::MessageRemoved {
            room: "lobby".to_owned(),
            message: Sequence(872),
            by: None,
            reason: Some("spam".to_owned()),
        };
        assert_eq!(
            moderation_object(&removed, &Plain),
            json!({"type": "removed", "room": "lobby", "seq": 872, "by": null, "reason": "spam"})
        );
        let sanctioned = ModerationEvent::Sanctioned {
            action: Sanctioning::Muted,
            room: None,
            by: Some("anna".to_owned()),
            reason: None,
            until: Some(Timestamp(1_795_385_587_123)),
        };
        assert_eq!(
            moderation_object(&sanctioned, &Plain),
            json!({
                "type": "sanctioned", "action": "mute", "room": null, "by": "anna", "reason": null,
                "until": "2026-11-22T22:13:07.123Z",
            })
        );
        let item = ListedSanction {
            kind: SanctionKind::Ban,
            username: "bob".to_owned(),
            until: None,
            by: None,
            reason: None,
            by_address: true,
        };
        let tag = RequestTag(Some("7".into()));
        let sanctions = ModerationEvent::Sanctions { tag, room: None, items: vec![item] };
        assert_eq!(
            moderation_object(&sanctions, &Plain),
            json!({
                "type": "sanctions", "room": null, "id": 7, "items": [{
                    "kind": "ban", "name": "bob", "until": null, "by": null, "reason": null,
                    "address": true,
                }],
            })
        );
    }
}
