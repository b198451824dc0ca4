//! Permissions: the table of who may do what, and ranks.

use super::*;
use crate::model::{Draft, Target};

/// Verdicts on an action by each kind of actor, in the columns of the table of permissions: guest;
/// moderator and owner of the room; moderator and owner of the server; command line. `+`:
/// permitted, `-`: not. Panics if an action is refused for another reason.
fn verdicts(action: &ModerationAction) -> String {
    let mut log = FactLog::default();
    let (moderator, owner) = (Some(Role::Moderator), Some(Role::Owner));
    let roles = [
        (lobby(), moderator),
        (lobby(), owner),
        (Scope::Server, moderator),
        (Scope::Server, owner),
    ];
    for (session, (scope, role)) in (11..).zip(roles) {
        log.commit(command(role_set(scope, session, role))).unwrap();
    }
    // The sanctions that the actions of the table lift.
    log.commit(command(ban(lobby(), "pest", None, 60))).unwrap();
    log.commit(command(ban(Scope::Server, "pest", None, 60))).unwrap();
    let sessions = (10..15).map(|it| Actor::Session(user(it, &format!("user{it}"))));
    let verdict = |actor| match log.state.judge(&draft(actor, action.clone()), log.next_time()) {
        Ok(()) => '+',
        Err(FactError::NotPermitted) => '-',
        Err(error) => panic!("{action:?}: {error}"),
    };
    sessions.chain([Actor::CommandLine]).map(verdict).collect()
}

/// The table of permissions, a row for each action. The target is a guest.
#[test]
fn actions_are_permitted_by_role_and_scope() {
    use ModerationAction as Action;

    let room = RoomName::lobby();
    let removed = |session| Action::MessageRemoved {
        room: room.clone(),
        message: Sequence(9),
        author: user(session, "pest"),
    };
    let set = |setting| Action::RoomSet { room: room.clone(), setting };
    let kicked = |scope| Action::Kicked { scope, target: user(7, "pest") };
    let by_address = |scope| Action::Banned {
        sanction: sanction(scope, "pest", Some(7), 60),
        group: Some(group("192.0.2.1")),
    };
    let lifted = |scope, fact| Action::SanctionEnded {
        kind: SanctionKind::Ban,
        scope,
        username: name("pest"),
        sanction: Sequence(fact),
    };
    let gives = |scope, role| role_set(scope, 7, Some(role));
    let table = [
        ("remove the message of a guest, the first actor", removed(10), "+++++", "+"),
        ("remove another's", removed(7), "-++++", "+"),
        ("topic", set(RoomSetting::Topic(None)), "-++++", "+"),
        ("slow mode", set(RoomSetting::SlowMode(SlowMode::OFF)), "-++++", "+"),
        ("moderated mode", set(RoomSetting::Moderated(true)), "-++++", "+"),
        ("kick in the room", kicked(lobby()), "-++++", "+"),
        ("kick", kicked(Scope::Server), "---++", "+"),
        ("ban in the room", ban(lobby(), "pest", Some(7), 60), "-++++", "+"),
        ("ban", ban(Scope::Server, "pest", Some(7), 60), "---++", "+"),
        ("mute in the room", Action::Muted(sanction(lobby(), "pest", None, 0)), "-++++", "+"),
        ("mute", Action::Muted(sanction(Scope::Server, "pest", None, 0)), "---++", "+"),
        ("lift in the room", lifted(lobby(), 5), "-++++", "+"),
        ("lift", lifted(Scope::Server, 6), "---++", "+"),
        ("ban by address in the room", by_address(lobby()), "---++", "+"),
        ("ban by address", by_address(Scope::Server), "---++", "+"),
        ("announce in the room", Action::Announced(lobby()), "-++++", "+"),
        ("announce", Action::Announced(Scope::Server), "---++", "+"),
        ("moderator of the room", gives(lobby(), Role::Moderator), "--+-+", "+"),
        ("moderator of the server", gives(Scope::Server, Role::Moderator), "----+", "+"),
        ("owner of the room", gives(lobby(), Role::Owner), "----+", "+"),
        ("owner of the server", gives(Scope::Server, Role::Owner), "-----", "+"),
    ];
    for (what, action, sessions, command_line) in table {
        assert_eq!(verdicts(&action), sessions.to_owned() + command_line, "{what}");
    }
}

/// Nobody acts on somebody of equal or higher rank: by session, or by the name under which the
/// target got its role.
#[test]
fn targets_of_equal_or_higher_rank_are_refused() {
    use ModerationAction as Action;

    let room = RoomName::lobby();
    let target = |session: u64| user(session, "other");
    for session in 11..15_u64 {
        let by_name = format!("user{session}");
        for action in [
            Action::Kicked { scope: lobby(), target: target(session) },
            Action::Muted(sanction(lobby(), "other", Some(session), 60)),
            Action::Muted(sanction(lobby(), &by_name, None, 60)),
            ban(lobby(), &by_name, None, 60),
            Action::MessageRemoved {
                room: room.clone(),
                message: Sequence(9),
                author: target(session),
            },
        ] {
            // A session may kick itself and remove its own messages.
            let is_of_session =
                matches!(action, Action::Kicked { .. } | Action::MessageRemoved { .. });
            let expected: String = (10..15)
                .map(|it| it > session || it == session && is_of_session)
                .chain([true])
                .map(|it| if it { '+' } else { '-' })
                .collect();
            assert_eq!(verdicts(&action), expected, "{action:?}");
        }
    }
}

/// A muted moderator cannot lift the mute, nor can another of the same rank.
#[test]
fn sanction_of_a_moderator_is_lifted_by_a_higher_rank_only() {
    let mut log = FactLog::default();
    for (session, scope) in [(1, lobby()), (2, lobby()), (3, Scope::Server)] {
        log.commit(command(role_set(scope, session, Some(Role::Moderator)))).unwrap();
    }
    let by = |session| Actor::Session(user(session, "somebody"));
    let mute = ModerationAction::Muted(sanction(lobby(), "renamed", Some(1), 60));
    log.commit(draft(by(3), mute)).unwrap();
    let end = end_of(log.facts.last().unwrap());
    for session in [1, 2] {
        assert_eq!(log.commit(draft(by(session), end.clone())), Err(FactError::NotPermitted));
    }
    assert_eq!(log.commit(draft(by(3), end)), Ok(()));
    assert_eq!(log.state.sanctions().count(), 0);
}

/// The server itself ends sanctions, and makes no announcement.
#[test]
fn server_ends_sanctions_and_makes_no_announcement() {
    let mut log = FactLog::default();
    let announced = ModerationAction::Announced(Scope::Server);
    assert_eq!(log.commit(draft(Actor::Server, announced)), Err(FactError::NotPermitted));
    log.commit(command(ban(Scope::Server, "pest", None, 60))).unwrap();
    let end = end_of(log.facts.last().unwrap());
    assert_eq!(log.commit(draft(Actor::Server, end)), Ok(()));
}

/// Who may talk, in a room and to a session.
#[test]
fn messages_of_banned_and_muted_sessions_are_refused() {
    let attic = || Target::Room(RoomName::new("attic").unwrap());
    let lobby_target = || Target::Room(RoomName::lobby());
    let direct = |session| Target::Session(SessionId(session), name("somebody"));
    let mut log = FactLog::default();
    let judge = |log: &FactLog, session: u64, target: Target| {
        let username = name(&format!("user{session}"));
        let session = SessionId(session);
        log.state.judge_message(&Draft { session, username, target, ..Draft::example() })
    };
    assert_eq!(judge(&log, 1, attic()), Ok(()));
    let mute = |scope, session| {
        command(ModerationAction::Muted(sanction(scope, "pest", Some(session), 60)))
    };
    log.commit(mute(lobby(), 1)).unwrap();
    assert_eq!(judge(&log, 1, lobby_target()), Err(SpeechError::Muted));
    assert_eq!(judge(&log, 1, attic()), Ok(()));
    assert_eq!(judge(&log, 1, direct(3)), Ok(()));
    assert_eq!(judge(&log, 2, lobby_target()), Ok(()));
    // On the server: only a role holder can be written to.
    log.commit(mute(Scope::Server, 1)).unwrap();
    log.commit(command(role_set(lobby(), 4, Some(Role::Moderator)))).unwrap();
    assert_eq!(judge(&log, 1, attic()), Err(SpeechError::Muted));
    assert_eq!(judge(&log, 1, direct(3)), Err(SpeechError::Muted));
    assert_eq!(judge(&log, 1, direct(4)), Ok(()));
    // A ban from a room, by name.
    log.commit(command(ban(lobby(), "user5", None, 60))).unwrap();
    assert_eq!(judge(&log, 5, lobby_target()), Err(SpeechError::Banned));
    assert_eq!(judge(&log, 5, attic()), Ok(()));
    // In a moderated room only roles talk.
    let setting = RoomSetting::Moderated(true);
    log.commit(command(ModerationAction::RoomSet { room: RoomName::lobby(), setting })).unwrap();
    assert_eq!(judge(&log, 2, lobby_target()), Err(SpeechError::Moderated));
    assert_eq!(judge(&log, 4, lobby_target()), Ok(()));
}
