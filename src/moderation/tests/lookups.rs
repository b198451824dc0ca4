//! Reading the state: sanctions, roles and settings of rooms.

use super::*;

/// The end of a ban, such as one that a timer proposed just before the ban was replaced, does not
/// end the ban after it.
#[test]
fn end_of_an_earlier_sanction_does_not_end_a_later_one() {
    let mut log = FactLog::default();
    log.commit(command(ban(Scope::Server, "pest", None, 60))).unwrap();
    let end = end_of(log.facts.last().unwrap());
    log.commit(command(ban(Scope::Server, "Pest", None, 0))).unwrap();
    assert_eq!(log.commit(draft(Actor::Server, end.clone())), Err(FactError::NotInForce));
    // Nor does it if the log has it as effective.
    log.append(command(end), true);
    assert_eq!(log.state.sanctions().map(|it| it.sequence).collect::<Vec<_>>(), [Sequence(2)]);
}

/// A ban applies by session, name, look-alike (if that is set) and address group; to sessions with
/// a role by session only. Of several, the one that ends last is returned.
#[test]
fn ban_applies_by_each_identifier() {
    let mut log = FactLog::default();
    let by_address = ModerationAction::Banned {
        sanction: sanction(Scope::Server, "anna", Some(7), 60),
        group: Some(group("192.0.2.1")),
    };
    log.commit(command(by_address)).unwrap();
    log.commit(command(role_set(Scope::Server, 8, Some(Role::Moderator)))).unwrap();
    let (here, elsewhere) = (group("192.0.2.1"), group("192.0.2.2"));
    let is_banned = |username: &str, session: Option<u64>, group, matches_lookalikes| {
        let (username, session) = (&name(username), session.map(SessionId));
        let joiner = Joiner { username, session, key: None, group, matches_lookalikes };
        log.state.ban(None, &joiner).is_some()
    };
    assert!(is_banned("ANNA", None, elsewhere, false));
    assert!(is_banned("bob", Some(7), elsewhere, false));
    assert!(is_banned("\u{430}nna", None, elsewhere, true));
    assert!(is_banned("bob", Some(9), here, false));
    assert!(!is_banned("\u{430}nna", Some(9), elsewhere, false));
    for username in ["bob", "anna", "\u{430}nna"] {
        assert!(!is_banned(username, Some(8), here, true), "a role protects from {username}");
    }
    log.commit(command(ban(Scope::Server, "bob", None, 0))).unwrap();
    let joiner = Joiner {
        username: &name("bob"),
        session: Some(SessionId(7)),
        key: None,
        group: here,
        matches_lookalikes: true,
    };
    let found = log.state.ban(None, &joiner).unwrap();
    assert_eq!((found.sequence, found.sanction_end()), (Sequence(3), None));
    assert_eq!(log.state.ban(Some(RoomName::lobby().key()), &joiner), None);
}

/// Roles, topics and modes are read as they were set.
#[test]
fn roles_and_room_settings_are_read_as_they_were_set() {
    let mut log = FactLog::default();
    let room = RoomName::new("Attic").unwrap();
    let set = |setting| command(ModerationAction::RoomSet { room: room.clone(), setting });
    let topic = Topic::new("tea").unwrap();
    let slow = SlowMode::from_seconds(10).unwrap();
    log.commit(set(RoomSetting::Topic(Some(topic.clone())))).unwrap();
    log.commit(set(RoomSetting::SlowMode(slow))).unwrap();
    log.commit(command(role_set(Scope::Room(room.clone()), 1, Some(Role::Owner)))).unwrap();
    let key = NameKey::of("attic");
    assert_eq!(log.state.topic(&key), Some(&topic));
    assert_eq!((log.state.slow_mode(&key), log.state.is_moderated(&key)), (slow, false));
    let roles = |log: &FactLog| {
        let role = |room| log.state.role(SessionId(1), room);
        (role(Some(&key)), role(None), log.state.has_role(SessionId(1)))
    };
    assert_eq!(roles(&log), (Some(Role::Owner), None, true));
    log.commit(set(RoomSetting::Topic(None))).unwrap();
    log.commit(set(RoomSetting::SlowMode(SlowMode::OFF))).unwrap();
    log.commit(command(role_set(Scope::Room(room.clone()), 1, None))).unwrap();
    assert_eq!((log.state.topic(&key), log.state.slow_mode(&key)), (None, SlowMode::OFF));
    assert_eq!(roles(&log), (None, None, false));
    assert_eq!(log.state, ModerationState::default());
}

/// A ban of a session that is bound to a key applies to whoever proves this key, but not to a session
/// with a role; and lifting it lifts it for the key.
#[test]
fn ban_applies_to_the_key() {
    let here = group("192.0.2.1");
    let mut log = FactLog::default();
    log.commit(command(role_set(Scope::Server, 8, Some(Role::Moderator)))).unwrap();
    let ban = ModerationAction::BannedWithKey {
        sanction: sanction(Scope::Server, "anna", Some(9), 0),
        group: None,
        key: key(1),
    };
    log.commit(command(ban)).unwrap();
    let is_banned = |log: &FactLog, username, session: Option<u64>, key| {
        let (username, session) = (&name(username), session.map(SessionId));
        let joiner = Joiner { username, session, key, group: here, matches_lookalikes: true };
        log.state.ban(None, &joiner).is_some()
    };
    assert!(is_banned(&log, "bob", None, Some(key(1))), "under any name");
    assert!(is_banned(&log, "bob", Some(9), None) && is_banned(&log, "anna", None, None));
    assert!(!is_banned(&log, "bob", None, Some(key(2))) && !is_banned(&log, "bob", None, None));
    assert!(!is_banned(&log, "bob", Some(8), Some(key(1))), "a role protects");
    let end = ModerationAction::SanctionEnded {
        kind: SanctionKind::Ban,
        scope: Scope::Server,
        username: name("anna"),
        sanction: log.facts.last().unwrap().sequence,
    };
    log.commit(command(end)).unwrap();
    assert!(!is_banned(&log, "bob", None, Some(key(1))));
}
