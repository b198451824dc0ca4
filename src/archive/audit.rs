//! Audit: who has done what to whom, from the facts of a log: as text for people, or as JSON lines.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::json_lines::NumberOrString;
use super::{ArchiveError, open, time_format};
use crate::log::sqlite::facts;
use crate::model::{
    Actor, ClaimEnd, Fact, IdentityKey, Invitation, ModerationAction, NamedSession, Role, RoomName,
    RoomSetting, Sanction, SanctionKind, Sequence, SlowMode, Timestamp, sanitize_text,
};

/// Format of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFormat {
    /// A JSON object for each fact.
    JsonLines,
    /// A line for people for each fact.
    Text,
}

/// Selection and format of an audit.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Room whose actions are written, without those for the whole server; `None`: all actions.
    pub room: Option<RoomName>,
    /// Time of the earliest action to write, inclusive; `None`: no bound.
    pub since: Option<Timestamp>,
    /// Format of the output.
    pub format: AuditFormat,
}

impl AuditOptions {
    /// Returns true if a fact is to be written.
    fn selects(&self, fact: &Fact) -> bool {
        self.room.as_ref().is_none_or(|it| fact.draft.action.room() == Some(it))
            && self.since.is_none_or(|it| fact.time >= it)
    }
}

/// Number of hexadecimal digits of a key that a line for people has, where the key is not what the
/// line is about.
const SHORT_FINGERPRINT: usize = 16;

/// Number of facts read from the database at a time.
const PAGE_FACTS: usize = 256;

/// Writes the facts of a log to `out`, in the order of the log: all selected moderation actions,
/// also those that had no effect because they were not permitted. Damaged facts are written whatever
/// is selected, for nobody knows what they were. Flushes `out`. No text of a message is among them.
/// A server may run meanwhile; the facts are read page by page, as by an export.
///
/// # Errors
/// [`ArchiveError`]; part of the output may have been written.
pub fn audit(
    directory: &Path,
    options: &AuditOptions,
    out: &mut impl Write,
) -> Result<(), ArchiveError> {
    let connection = open(directory)?;
    let mut position = Sequence::ZERO;
    loop {
        let page = facts::read_page(&connection, position, PAGE_FACTS)?;
        let Some((last, _)) = page.last() else { break };
        position = *last;
        for (sequence, fact) in page {
            if fact.as_ref().is_some_and(|it| !options.selects(it)) {
                continue;
            }
            let line = match (options.format, fact) {
                (AuditFormat::Text, Some(fact)) => format_text(&fact),
                (AuditFormat::Text, None) => format!("{sequence} is damaged"),
                (AuditFormat::JsonLines, Some(fact)) => format_json(&fact)?,
                (AuditFormat::JsonLines, None) => {
                    format!("{{\"sequence\":{sequence},\"action\":\"damaged\"}}")
                }
            };
            writeln!(out, "{line}").map_err(ArchiveError::Output)?;
        }
    }
    out.flush().map_err(ArchiveError::Output)
}

/// JSON object of a user, or of another actor.
#[derive(Debug, Serialize)]
struct UserObject<'a> {
    /// Username at that time.
    username: &'a str,
    /// Session number; `null` if only a name is meant, such as one that nobody had when it was
    /// banned.
    session: Option<NumberOrString>,
}

impl<'a> UserObject<'a> {
    /// Converts a session with its username.
    fn of_session(user: &'a NamedSession) -> Self {
        let session = Some(NumberOrString::from_u64(user.session.0));
        Self { username: user.username.as_str(), session }
    }
}

/// JSON object of an actor.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ActorObject<'a> {
    /// `"command line"` or `"server"`.
    Name(&'static str),
    /// A client.
    User(UserObject<'a>),
}

/// JSON object (line) of one fact. Fields that an action does not have are `null`.
#[derive(Debug, Serialize)]
struct FactLine<'a> {
    /// Sequence in the log.
    sequence: NumberOrString,
    /// Time at which the log appended the fact: RFC 3339, or milliseconds since 1970.
    time: NumberOrString,
    /// Who did it.
    by: ActorObject<'a>,
    /// What was done.
    action: &'static str,
    /// Name of the room; `null`: the whole server.
    room: Option<&'a str>,
    /// To whom.
    user: Option<UserObject<'a>>,
    /// Details: new role, length of a sanction in seconds (0: forever), topic, interval of slow
    /// mode in seconds, whether only moderators may talk, sequence of the removed message, claiming
    /// key, why a claim has ended, identifier of an invitation.
    value: serde_json::Value,
    /// Address or network that a ban applies to as well.
    address: Option<String>,
    /// Key that a ban applies to as well, in 64 hexadecimal digits.
    key: Option<String>,
    /// Reason that the actor gave.
    reason: Option<&'a str>,
    /// False if the action had no effect: it was not permitted, or not possible.
    effective: bool,
}

/// Formats a fact as a JSON line, without newline.
///
/// # Errors
/// [`ArchiveError::Output`], if a value cannot be converted.
fn format_json(fact: &Fact) -> Result<String, ArchiveError> {
    let draft = &fact.draft;
    let line = FactLine {
        sequence: NumberOrString::from_u64(fact.sequence.0),
        time: NumberOrString::from_time(fact.time),
        by: match &draft.actor {
            Actor::CommandLine => ActorObject::Name("command line"),
            Actor::Server => ActorObject::Name("server"),
            Actor::Session(user) => ActorObject::User(UserObject::of_session(user)),
        },
        action: action_name(&draft.action),
        room: draft.action.room().map(|it| it.as_str()),
        user: user(&draft.action),
        value: value(&draft.action),
        address: draft.action.banned_group().map(|it| it.to_string()),
        key: banned_key(&draft.action).map(|it| it.to_string()),
        reason: draft.reason.as_ref().map(|it| it.as_str()),
        effective: fact.is_effective,
    };
    serde_json::to_string(&line).map_err(|error| ArchiveError::Output(io::Error::from(error)))
}

/// Returns the name of an action in JSON.
const fn action_name(action: &ModerationAction) -> &'static str {
    match action {
        ModerationAction::RoleSet { .. } => "role",
        ModerationAction::Banned { .. } | ModerationAction::BannedWithKey { .. } => "ban",
        ModerationAction::Muted(_) => "mute",
        ModerationAction::SanctionEnded { kind: SanctionKind::Ban, .. } => "unban",
        ModerationAction::SanctionEnded { kind: SanctionKind::Mute, .. } => "unmute",
        ModerationAction::Kicked { .. } => "kick",
        ModerationAction::RoomSet { setting: RoomSetting::Topic(_), .. } => "topic",
        ModerationAction::RoomSet { setting: RoomSetting::SlowMode(_), .. } => "slow",
        ModerationAction::RoomSet { setting: RoomSetting::Moderated(_), .. } => "moderated",
        ModerationAction::MessageRemoved { .. } => "remove",
        ModerationAction::Announced(_) => "announce",
        ModerationAction::NameClaimed { .. } => "claim",
        ModerationAction::ClaimEnded { .. } => "end_claim",
        ModerationAction::InvitationMade(_) => "invite",
        ModerationAction::InvitationRevoked { .. } => "revoke_invitation",
        ModerationAction::InvitationUsed { .. } => "use_invitation",
        ModerationAction::DeviceInvited { .. } => "invite_device",
        ModerationAction::DeviceLinked { .. } => "link_device",
    }
}

/// Returns the user that an action concerns; `None` if it concerns none.
fn user(action: &ModerationAction) -> Option<UserObject<'_>> {
    let of_sanction =
        |sanction: &'_ Sanction| sanction.session.map(|it| NumberOrString::from_u64(it.0));
    match action {
        ModerationAction::RoleSet { holder: it, .. }
        | ModerationAction::Kicked { target: it, .. }
        | ModerationAction::MessageRemoved { author: it, .. }
        | ModerationAction::NameClaimed { holder: it, .. }
        | ModerationAction::InvitationUsed { user: it, .. }
        | ModerationAction::DeviceInvited { person: it, .. }
        | ModerationAction::DeviceLinked { person: it, .. } => Some(UserObject::of_session(it)),
        ModerationAction::Banned { sanction: it, .. }
        | ModerationAction::BannedWithKey { sanction: it, .. }
        | ModerationAction::Muted(it) => {
            Some(UserObject { username: it.username.as_str(), session: of_sanction(it) })
        }
        ModerationAction::SanctionEnded { username, .. }
        | ModerationAction::ClaimEnded { username, .. } => {
            Some(UserObject { username: username.as_str(), session: None })
        }
        ModerationAction::InvitationMade(Invitation { username, .. }) => username
            .as_ref()
            .map(|username| UserObject { username: username.as_str(), session: None }),
        ModerationAction::RoomSet { .. }
        | ModerationAction::Announced(_)
        | ModerationAction::InvitationRevoked { .. } => None,
    }
}

/// Returns the field `value` of [`FactLine`].
fn value(action: &ModerationAction) -> serde_json::Value {
    match action {
        ModerationAction::RoleSet { role, .. } => role.map(role_name).into(),
        ModerationAction::Banned { sanction: it, .. }
        | ModerationAction::BannedWithKey { sanction: it, .. }
        | ModerationAction::Muted(it) => it.length.seconds().into(),
        ModerationAction::RoomSet { setting, .. } => match setting {
            RoomSetting::Topic(topic) => topic.as_ref().map(|it| it.as_str()).into(),
            RoomSetting::SlowMode(mode) => mode.interval().as_secs().into(),
            RoomSetting::Moderated(is_moderated) => (*is_moderated).into(),
        },
        ModerationAction::MessageRemoved { message: it, .. } => {
            serde_json::json!(NumberOrString::from_u64(it.0))
        }
        ModerationAction::NameClaimed { key, .. } | ModerationAction::DeviceLinked { key, .. } => {
            key.to_string().into()
        }
        ModerationAction::ClaimEnded { why, .. } => claim_end_name(*why).into(),
        ModerationAction::InvitationMade(it) => it.hash.id().to_string().into(),
        ModerationAction::InvitationRevoked { invitation: it }
        | ModerationAction::InvitationUsed { invitation: it, .. }
        | ModerationAction::DeviceInvited { code: it, .. } => it.id().to_string().into(),
        ModerationAction::SanctionEnded { .. }
        | ModerationAction::Kicked { .. }
        | ModerationAction::Announced(_) => serde_json::Value::Null,
    }
}

/// Returns the name of a role.
const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Moderator => "moderator",
        Role::Owner => "owner",
    }
}

/// Returns the reason of a claim's end in JSON.
const fn claim_end_name(why: ClaimEnd) -> &'static str {
    match why {
        ClaimEnd::GivenBack => "given_back",
        ClaimEnd::Released => "released",
        ClaimEnd::Unused => "unused",
    }
}

/// End of the line for people about a fact that is not effective.
const WITHOUT_EFFECT: &str = " (without effect: not permitted, or not possible)";

/// Formats a fact as a line for people, without newline. Control characters are replaced.
fn format_text(fact: &Fact) -> String {
    let draft = &fact.draft;
    let time = time_format::format_readable(fact.time);
    let time = time.unwrap_or_else(|| format!("{} ms", fact.time.0));
    let actor = match &draft.actor {
        Actor::CommandLine => "the command line".to_owned(),
        Actor::Server => "the server".to_owned(),
        Actor::Session(user) => name_with_session(user),
    };
    let place = match draft.action.room() {
        Some(room) => format!("#{room}"),
        None => "the server".to_owned(),
    };
    let what = match (&draft.actor, &draft.action) {
        (Actor::Server, ModerationAction::NameClaimed { holder, .. }) => {
            format!("renewed the claim of the name {}", holder.username)
        }
        (Actor::Server, ModerationAction::InvitationRevoked { invitation }) => {
            format!("forgot invitation {}, which was over", invitation.id())
        }
        (_, action) => what_was_done(action, &place),
    };
    let reason = draft.reason.as_ref().map_or_else(String::new, |it| format!(": {}", it.as_str()));
    let effect = if fact.is_effective { "" } else { WITHOUT_EFFECT };
    sanitize_text(&format!("{time} {actor} {what}{reason}{effect}")).replace('\n', " ")
}

/// Returns the name of a user, with the session number, by which two users of one name differ.
fn name_with_session(user: &NamedSession) -> String {
    format!("{} (session {})", user.username, user.session)
}

/// Describes an action for people: what follows the name of the actor. `place`: the room, or the
/// server.
fn what_was_done(action: &ModerationAction, place: &str) -> String {
    match action {
        ModerationAction::RoleSet { holder, role, .. } => {
            let holder = name_with_session(holder);
            match role {
                Some(role) => format!("made {holder} {} of {place}", role_name(*role)),
                None => format!("took the role of {holder} in {place}"),
            }
        }
        ModerationAction::Banned { sanction, group }
        | ModerationAction::BannedWithKey { sanction, group, .. } => {
            let target = sanction_text("banned", "from", sanction, place);
            let key = banned_key(action).map(|it| format!("key {}", short_fingerprint(&it)));
            let also: Vec<String> = group.map(|it| it.to_string()).into_iter().chain(key).collect();
            match also.is_empty() {
                true => target,
                false => format!("{target}, with {}", also.join(" and ")),
            }
        }
        ModerationAction::Muted(sanction) => sanction_text("muted", "in", sanction, place),
        ModerationAction::SanctionEnded { kind, username, .. } => match kind {
            SanctionKind::Ban => format!("ended the ban of {username} from {place}"),
            SanctionKind::Mute => format!("ended the mute of {username} in {place}"),
        },
        ModerationAction::Kicked { target, .. } => {
            format!("sent {} out of {place}", name_with_session(target))
        }
        ModerationAction::RoomSet { setting, .. } => match setting {
            RoomSetting::Topic(Some(topic)) => {
                format!("set the topic of {place} to “{}”", topic.as_str())
            }
            RoomSetting::Topic(None) => format!("removed the topic of {place}"),
            RoomSetting::SlowMode(mode) if *mode == SlowMode::OFF => {
                format!("ended slow mode in {place}")
            }
            RoomSetting::SlowMode(mode) => {
                format!("set slow mode of {} s in {place}", mode.interval().as_secs())
            }
            RoomSetting::Moderated(true) => format!("let only moderators talk in {place}"),
            RoomSetting::Moderated(false) => format!("let everybody talk in {place}"),
        },
        ModerationAction::MessageRemoved { message, author, .. } => {
            format!("removed message {message} of {} in {place}", name_with_session(author))
        }
        ModerationAction::Announced(_) => format!("made an announcement to {place}"),
        ModerationAction::NameClaimed { holder, key, invitation } => {
            let by =
                invitation.map_or_else(String::new, |it| format!(", by invitation {}", it.id()));
            format!("claimed the name {} with key {key}{by}", holder.username)
        }
        ModerationAction::ClaimEnded { username, why, .. } => match why {
            ClaimEnd::GivenBack => format!("gave up the claim of the name {username}"),
            ClaimEnd::Released => format!("released the claimed name {username}"),
            ClaimEnd::Unused => format!("ended the claim of the name {username}, which was unused"),
        },
        ModerationAction::InvitationMade(it) => invitation_text(it),
        ModerationAction::InvitationRevoked { invitation } => {
            format!("revoked invitation {}", invitation.id())
        }
        ModerationAction::InvitationUsed { invitation, is_for_claim, .. } => {
            let purpose = if *is_for_claim { "claim a name" } else { "come in" };
            format!("used invitation {} to {purpose}", invitation.id())
        }
        ModerationAction::DeviceInvited { person, code, .. } => {
            format!("made link code {} for a device of {}", code.id(), person.username)
        }
        ModerationAction::DeviceLinked { person, key, code } => {
            let name = &person.username;
            format!(
                "linked the device with key {key} to the name {name}, by link code {}",
                code.id()
            )
        }
    }
}

/// Returns the key that a ban applies to as well; `None` if there is none.
const fn banned_key(action: &ModerationAction) -> Option<IdentityKey> {
    match action {
        ModerationAction::BannedWithKey { key, .. } => Some(*key),
        _ => None,
    }
}

/// Returns the beginning of a key, by which people find it among the others: 16 hexadecimal digits of
/// the 64, and an ellipsis.
fn short_fingerprint(key: &IdentityKey) -> String {
    let mut digits = key.to_string();
    digits.truncate(SHORT_FINGERPRINT);
    digits + "…"
}

/// Describes the making of an invitation.
fn invitation_text(invitation: &Invitation) -> String {
    let Invitation { hash, username, uses, length, permits_claim } = invitation;
    let name = username.as_ref().map_or_else(String::new, |it| format!(" for {it}"));
    let uses = match uses.get() {
        1 => "one use".to_owned(),
        uses => format!("{uses} uses"),
    };
    let length = match length.seconds() {
        0 => "without end".to_owned(),
        seconds => format!("for {seconds} s"),
    };
    let claim = if *permits_claim { "" } else { ", without a claim" };
    format!("made invitation {}{name}: {uses}, {length}{claim}", hash.id())
}

/// Describes a ban or mute: `done` and `at` are the verb and the preposition of the place.
fn sanction_text(done: &str, at: &str, sanction: &Sanction, place: &str) -> String {
    let session = sanction.session.map_or_else(String::new, |it| format!(" (session {it})"));
    let length = match sanction.length.seconds() {
        0 => "without end".to_owned(),
        seconds => format!("for {seconds} s"),
    };
    format!("{done} {}{session} {at} {place} {length}", sanction.username)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AddressGroup, FactDraft, InvitationHash, InvitationUses, Reason, SanctionLength, Scope,
        SessionId, Username,
    };

    /// Returns a fact with this sequence by a moderator.
    fn fact(action: ModerationAction, is_effective: bool) -> Fact {
        let actor = Actor::Session(user("anna", 3));
        let draft = FactDraft { actor, action, reason: Some(Reason::new("spam").unwrap()) };
        Fact { sequence: Sequence(7), time: Timestamp(0), draft, is_effective }
    }

    /// Returns a session with its username.
    fn user(name: &str, session: u64) -> NamedSession {
        NamedSession { session: SessionId(session), username: Username::new(name).unwrap() }
    }

    /// Each line says who did what to whom, where, when and why, and whether it had an effect.
    #[test]
    fn line_says_who_did_what_to_whom() {
        let room = RoomName::new("attic").unwrap();
        let ban = ModerationAction::Banned {
            sanction: Sanction {
                scope: Scope::Server,
                username: Username::new("bob").unwrap(),
                session: None,
                length: SanctionLength::from_seconds(600).unwrap(),
            },
            group: None,
        };
        let begin = "1970-01-01 00:00:00Z anna (session 3)";
        assert_eq!(
            format_text(&fact(ban.clone(), true)),
            format!("{begin} banned bob from the server for 600 s: spam")
        );
        let json: serde_json::Value =
            serde_json::from_str(&format_json(&fact(ban, false)).unwrap()).unwrap();
        let expected = serde_json::json!({
            "sequence": 7, "time": "1970-01-01T00:00:00.000Z", "action": "ban", "room": null,
            "by": {"username": "anna", "session": 3}, "user": {"username": "bob", "session": null},
            "value": 600, "address": null, "key": null, "reason": "spam", "effective": false,
        });
        assert_eq!(json, expected);
        let author = user("bob", 4);
        let removal = ModerationAction::MessageRemoved { room, message: Sequence(5), author };
        let removed = "removed message 5 of bob (session 4) in #attic: spam";
        assert_eq!(
            format_text(&fact(removal, false)),
            format!("{begin} {removed}{WITHOUT_EFFECT}")
        );
    }

    /// A ban that holds for address and key as well tells both: for people the beginning of the key.
    #[test]
    fn line_tells_the_banned_key() {
        let sanction = Sanction {
            scope: Scope::Server,
            username: Username::new("bob").unwrap(),
            session: None,
            length: SanctionLength::from_seconds(600).unwrap(),
        };
        let key = IdentityKey([0x12; 32]);
        let line = |group: Option<&str>| {
            let group = group.map(|it| AddressGroup::of(it.parse().unwrap()));
            let action = ModerationAction::BannedWithKey { sanction: sanction.clone(), group, key };
            let fact = fact(action, true);
            let object: serde_json::Value =
                serde_json::from_str(&format_json(&fact).unwrap()).unwrap();
            assert_eq!(object["key"], "12".repeat(32));
            format_text(&fact)
        };
        let told = line(None);
        assert!(told.ends_with(" for 600 s, with key 1212121212121212…: spam"), "{told}");
        let told = line(Some("192.0.2.7"));
        let end = " for 600 s, with 192.0.2.7 and key 1212121212121212…: spam";
        assert!(told.ends_with(end), "{told}");
    }

    /// Claims and invitations are told with name, key and identifier. What the server does by itself
    /// is told as such.
    #[test]
    fn line_tells_of_claims_and_invitations() {
        let hash = InvitationHash([0xab; 32]);
        let invitation = Invitation {
            hash,
            username: Some(Username::new("bob").unwrap()),
            uses: InvitationUses::ONE,
            length: SanctionLength::from_seconds(600).unwrap(),
            permits_claim: true,
        };
        let key = IdentityKey([0x12; 32]);
        let claimed =
            ModerationAction::NameClaimed { holder: user("bob", 4), key, invitation: Some(hash) };
        let text = |actor: Actor, action: &ModerationAction| {
            let draft = FactDraft { actor, action: action.clone(), reason: None };
            let (sequence, time) = (Sequence(7), Timestamp(0));
            let line = format_text(&Fact { sequence, time, draft, is_effective: true });
            line.split_once("Z ").unwrap().1.to_owned()
        };
        let made = ModerationAction::InvitationMade(invitation);
        assert_eq!(
            text(Actor::CommandLine, &made),
            "the command line made invitation abababab for bob: one use, for 600 s"
        );
        assert_eq!(
            text(Actor::Session(user("bob", 4)), &claimed),
            format!("bob (session 4) claimed the name bob with key {key}, by invitation abababab")
        );
        assert_eq!(text(Actor::Server, &claimed), "the server renewed the claim of the name bob");
        let object = |action| {
            let line = format_json(&fact(action, true)).unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            (line["action"].clone(), line["user"].clone(), line["value"].clone())
        };
        let bob = serde_json::json!({"username": "bob", "session": 4});
        assert_eq!(object(claimed), ("claim".into(), bob, "12".repeat(32).into()));
        let named = serde_json::json!({"username": "bob", "session": null});
        assert_eq!(object(made), ("invite".into(), named, "abababab".into()));
    }
}
