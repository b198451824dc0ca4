//! Requests, their answers, and who may make them.

use super::*;
use crate::hub::StorageHealth;

/// What a guest may not do is refused, whatever else is wrong with the request; nothing is
/// proposed.
#[test]
fn guests_may_not_moderate() {
    let (mut harness, _, bob) = lobby();
    let facts = harness.facts.len();
    let long = "x".repeat(300);
    let frames: Vec<ClientFrame> = vec![
        topic(1, "lobby", "tea").into(),
        topic(1, "lobby", &long).into(),
        moderate(1, action::KICK, "lobby", "mod").into(),
        moderate(1, action::KICK, "lobby", "nobody").into(),
        moderate(1, action::BAN, "", "mod").into(),
        moderate(1, action::UNBAN, "lobby", "carl").into(),
        Moderate { reason: long.clone(), ..moderate(1, action::MUTE, "lobby", "mod") }.into(),
        moderate(1, action::SLOW, "lobby", "").into(),
        moderate(1, action::MODERATED, "attic", "").into(),
        announce(1, "lobby", "").into(),
        role(1, "lobby", "bob", 1).into(),
        remove(1, "lobby", 99, "").into(),
        SanctionsRequest { reference: Reference(1), room: "lobby".to_owned() }.into(),
    ];
    for frame in frames {
        let expected = format!("not_permitted {} 1", frame.kind());
        assert_eq!(harness.ask(bob, frame), [expected]);
    }
    assert_eq!(harness.facts.len(), facts);
}

/// A moderator of a room moderates there, and nowhere else.
#[test]
fn role_counts_in_its_room_only() {
    let (mut harness, moderator, _) = lobby();
    assert_eq!(
        harness.ask(moderator, topic(1, "Lobby", "tea")),
        ["topic lobby \"tea\" by \"mod\"", "done 12 2"]
    );
    assert_eq!(harness.ask(moderator, topic(2, "attic", "tea")), ["not_permitted 12 2"]);
    let kick = moderate(3, action::KICK, "", "bob");
    assert_eq!(harness.ask(moderator, kick), ["not_permitted 15 3"]);
    let by_address = Moderate { flags: 1, ..moderate(4, action::BAN, "lobby", "bob") };
    assert_eq!(harness.ask(moderator, by_address), ["not_permitted 15 4"]);
    harness.check_fold();
}

/// The errors of requests that are permitted, in the order of the protocol page.
#[test]
fn invalid_requests_are_refused_in_order() {
    let (mut harness, moderator, _) = lobby();
    let mut errors = |frame: ClientFrame| harness.ask(moderator, frame).join(", ");
    assert_eq!(errors(topic(0, "", "tea").into()), "reference_invalid 12 0");
    assert_eq!(errors(topic(1, "", "tea").into()), "room_invalid 12 1");
    assert_eq!(errors(moderate(1, action::SLOW, "", "").into()), "room_invalid 15 1");
    assert_eq!(errors(moderate(1, 9, "lobby", "bob").into()), "not_permitted 15 1");
    assert_eq!(errors(role(1, "lobby", "bob", 3).into()), "not_permitted 19 1");
    for (number, seconds) in [
        (action::SLOW, 3_601),
        (action::SLOW, 70_000),
        (action::MODERATED, 2),
        (action::BAN, u32::MAX),
    ] {
        let frame = Moderate { seconds, ..moderate(1, number, "lobby", "bob") };
        assert_eq!(errors(frame.into()), "not_permitted 15 1");
    }
    assert_eq!(errors(topic(1, "lobby", "a\nb").into()), "text_invalid 12 1");
    assert_eq!(errors(announce(1, "lobby", "").into()), "text_invalid 18 1");
    assert_eq!(errors(announce(1, "lobby", &"x".repeat(513)).into()), "text_invalid 18 1");
    let kick = moderate(1, action::KICK, "lobby", "carl");
    assert_eq!(errors(kick.clone().into()), "recipient_unknown 15 1");
    let long = Moderate { reason: "x".repeat(257), ..kick };
    assert_eq!(errors(long.into()), "text_invalid 15 1");
    assert_eq!(
        errors(moderate(1, action::BAN, "lobby", "no name").into()),
        "recipient_unknown 15 1"
    );
    let other = Moderate { session: SessionId(9), ..moderate(1, action::BAN, "lobby", "bob") };
    assert_eq!(errors(other.into()), "recipient_changed 15 1");
    assert_eq!(errors(remove(1, "lobby", 99, "").into()), "message_unknown 13 1");
    assert_eq!(errors(moderate(1, action::UNMUTE, "lobby", "bob").into()), "done 15 0");
}

/// Whoever may not do this to this user learns only that, whatever is wrong with the texts: error
/// 313 comes before 300, and that before 306.
#[test]
fn permission_is_checked_before_texts() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(bob, say(1, "hello"));
    let of_bob = harness.head().0;
    harness.send(moderator, say(1, "hello"));
    let own = harness.head().0;
    harness.promote("lobby", "bob", Role::Owner);
    let long = "x".repeat(257);
    let wrong = |number, name: &str| Moderate {
        reason: long.clone(),
        ..moderate(1, number, "lobby", name)
    };
    let mut errors = |frame: ClientFrame| harness.ask(moderator, frame).join(", ");
    assert_eq!(errors(wrong(action::KICK, "bob").into()), "not_permitted 15 1");
    let by_address = Moderate { flags: 1, ..moderate(1, action::BAN, "lobby", "no name") };
    assert_eq!(errors(by_address.into()), "not_permitted 15 1");
    assert_eq!(errors(role(1, "lobby", "no name", 1).into()), "not_permitted 19 1");
    assert_eq!(errors(remove(1, "lobby", of_bob, &long).into()), "not_permitted 13 1");
    assert_eq!(errors(remove(1, "lobby", own, &long).into()), "text_invalid 13 1");
    assert_eq!(errors(remove(1, "lobby", 99, &long).into()), "text_invalid 13 1");
    assert_eq!(errors(wrong(action::MUTE, "no name").into()), "text_invalid 15 1");
    assert_eq!(errors(wrong(action::KICK, "nobody").into()), "text_invalid 15 1");
    assert_eq!(errors(wrong(action::SLOW, "").into()), "text_invalid 15 1");
}

/// A moderator cannot act on another one; an owner of the room can, and gives roles.
#[test]
fn rank_decides_who_acts_on_whom() {
    let (mut harness, moderator, bob) = lobby();
    harness.promote("lobby", "bob", Role::Owner);
    let kick = moderate(1, action::KICK, "lobby", "bob");
    assert_eq!(harness.ask(moderator, kick), ["not_permitted 15 1"]);
    let give = role(2, "lobby", "bob", 1);
    assert_eq!(harness.ask(moderator, give), ["not_permitted 19 2"]);
    assert_eq!(harness.ask(bob, role(1, "lobby", "mod", 0)), ["role \"lobby\" mod 0", "done 19 1"]);
    assert_eq!(harness.ask(moderator, topic(3, "lobby", "tea")), ["not_permitted 12 3"]);
}

/// A client is answered when the log has committed its fact; its later frames wait for that.
#[test]
fn answer_and_later_frames_wait_for_the_log() {
    let (mut harness, moderator, bob) = lobby();
    harness.manual_log = true;
    let moderated = Moderate { seconds: 1, ..moderate(1, action::MODERATED, "lobby", "") };
    harness.send(moderator, moderated);
    harness.send(moderator, say(1, "order!"));
    assert_eq!(harness.pending_drafts.len(), 1);
    assert_eq!(harness.take_summaries(moderator), [""; 0]);
    harness.run_log();
    assert_eq!(
        harness.take_summaries(moderator),
        ["modes lobby 0 true", "done 15 2", "3:lobby mod: order! (0)"]
    );
    harness.take_received(bob);
    // The verdict of the log counts: the role is lost before the second fact.
    harness.send(moderator, topic(2, "lobby", "tea"));
    let fact = harness.moderation.roles().next().unwrap().draft.action.clone();
    let crate::model::ModerationAction::RoleSet { scope, holder, .. } = fact else { panic!() };
    let action = crate::model::ModerationAction::RoleSet { scope, holder, role: None };
    let actor = crate::model::Actor::CommandLine;
    let fact = harness.append_fact(crate::model::FactDraft { actor, action, reason: None });
    harness
        .input(Input::Committed { items: vec![crate::hub::LogItem::Fact { ticket: None, fact }] });
    harness.run_log();
    assert_eq!(harness.take_summaries(moderator), ["role \"lobby\" mod 0", "not_permitted 12 2"]);
    assert_eq!(harness.take_summaries(bob), ["role \"lobby\" mod 0"]);
    assert!(!harness.facts.last().unwrap().is_effective);
    harness.check_fold();
}

/// A fact that cannot be stored is refused, to a client and to the command line. A client that is
/// gone gets nothing.
#[test]
fn fact_that_is_not_stored_is_refused() {
    let (mut harness, moderator, bob) = lobby();
    harness.manual_log = true;
    harness.send(moderator, topic(1, "lobby", "tea"));
    harness.reject_draft();
    assert_eq!(harness.take_summaries(moderator), ["not_stored 12 1"]);
    let room = RoomName::lobby();
    let setting = crate::model::RoomSetting::Moderated(true);
    let request = ModerationRequest::SetRoom { room, setting };
    harness.input(Input::Moderate { id: OwnerRequestId(1), request });
    harness.reject_draft();
    assert_eq!(harness.owner_answers, [(1, Err(ErrorCode::NotStored))]);
    harness.send(moderator, topic(2, "lobby", "tea"));
    harness.disconnect(moderator);
    harness.run_log();
    assert_eq!(harness.take_summaries(bob), ["topic lobby \"tea\" by \"mod\""]);
    harness.input(Input::StorageChanged(StorageHealth::Sound));
    harness.check_fold();
}

/// A half-closed client gets its answer before the connection is closed.
#[test]
fn half_closed_client_is_answered() {
    let (mut harness, moderator, _) = lobby();
    harness.manual_log = true;
    harness.send(moderator, topic(1, "lobby", "tea"));
    harness.input(Input::HalfClosed { connection: moderator, in_frame: false });
    assert_eq!(harness.take_summaries(moderator), [""; 0]);
    harness.run_log();
    let received = harness.take_summaries(moderator);
    assert_eq!(received, ["topic lobby \"tea\" by \"mod\"", "done 12 2", "closed"]);
}

/// An announcement goes to those in the room, or to everybody; its text is not kept.
#[test]
fn announcements_reach_their_scope() {
    let (mut harness, moderator, bob) = lobby();
    let carl = harness.join_with(0, "carl", &["attic"]);
    harness.take_received(bob);
    assert_eq!(harness.ask(moderator, announce(1, "lobby", "tea!")), ["notice 3", "done 18 2"]);
    assert_eq!(harness.take_summaries(bob), ["notice 3"]);
    assert_eq!(harness.take_summaries(carl), [""; 0]);
    harness.promote("", "mod", Role::Moderator);
    assert_eq!(harness.ask(moderator, announce(2, "", "tea!")), ["notice 3", "done 18 3"]);
    assert_eq!(harness.take_summaries(carl), ["notice 3"]);
}

/// The command line may do everything, and is told what is wrong.
#[test]
fn command_line_may_do_everything() {
    let (mut harness, _, bob) = lobby();
    harness.promote("", "mod", Role::Owner);
    harness.take_received(bob);
    let kick =
        |name, room| ModerationRequest::Kick { scope: scope(room), user: user(name), reason: None };
    assert_eq!(harness.owner(kick("nobody", "lobby")), Err(ErrorCode::RecipientUnknown));
    assert_eq!(harness.owner(kick("mod", "attic")), Ok(0));
    assert_eq!(harness.owner(kick("mod", "lobby")), Ok(1));
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    assert_eq!(harness.owner(kick("mod", "")), Ok(1));
    let unban = ModerationRequest::EndSanction {
        kind: crate::model::SanctionKind::Ban,
        scope: Scope::Server,
        username: Username::new("carl").unwrap(),
    };
    assert_eq!(harness.owner(unban), Ok(0));
    harness.check_fold();
}

/// Requests for moderation cost the address group units, and wait when these are used up.
#[test]
fn moderation_requests_are_throttled() {
    let (mut harness, moderator, _) = lobby();
    let mut answered = 0;
    for reference in 1..=400 {
        answered += harness.ask(moderator, topic(reference, "lobby", "tea")).len() / 2;
    }
    assert!((300..400).contains(&answered), "{answered}");
    assert!(harness.reached_quotas.iter().any(|(_, it)| *it == crate::hub::Quota::Requests));
}

/// A role is taken from the session that has it, also if somebody else has its name now.
#[test]
fn role_is_taken_from_the_session_that_has_it() {
    let (mut harness, moderator, _) = lobby();
    harness.disconnect(moderator);
    harness.join_with(0, "mod", &[]);
    let (scope, user) = (scope("lobby"), user("MOD"));
    let take = ModerationRequest::SetRole { scope, user, role: None };
    assert_eq!(harness.owner(take.clone()), Ok(0));
    assert_eq!(harness.hub.moderation().roles().count(), 0);
    // Nobody has a role any more: now it is about whoever is there.
    assert_eq!(harness.owner(take), Ok(1));
}

/// If several sessions have a role under one name, the role is taken from the session that is named,
/// or from the one that has the name now.
#[test]
fn role_is_taken_from_one_of_several_sessions() {
    let (mut harness, moderator, _) = lobby();
    harness.disconnect(moderator);
    for number in 2..=3 {
        let connection = harness.join_with(0, "mod", &[]);
        harness.promote("lobby", "mod", Role::Moderator);
        if number < 3 {
            harness.disconnect(connection);
        }
    }
    let holders = |harness: &Harness| -> Vec<u64> {
        let of = |fact: &crate::model::SharedFact| match &fact.draft.action {
            crate::model::ModerationAction::RoleSet { holder, .. } => holder.session.0,
            other => panic!("{other:?}"),
        };
        harness.hub.moderation().roles().map(of).collect()
    };
    let [first, second, present] = holders(&harness)[..] else { panic!() };
    let take = |session: Option<u64>| ModerationRequest::SetRole {
        scope: scope("lobby"),
        user: UserSelector { session: session.map(SessionId), ..user("mod") },
        role: None,
    };
    assert_eq!(harness.owner(take(Some(second))), Ok(0));
    assert_eq!(holders(&harness), [first, present]);
    assert_eq!(harness.owner(take(None)), Ok(1), "the one that is here");
    assert_eq!(holders(&harness), [first]);
    assert_eq!(harness.owner(take(Some(second))), Err(ErrorCode::RecipientChanged));
    assert_eq!(harness.owner(take(None)), Ok(0));
    harness.check_fold();
}

/// A look-alike of an owner's name does not hit the owner, and a guest who has taken the name of an
/// absent owner is banned.
#[test]
fn bans_by_name_spare_sessions_with_a_role() {
    let (mut harness, moderator, bob) = lobby();
    let owner = harness.join_with(EVENTS, "admin", &[]);
    harness.promote("", "admin", Role::Owner);
    harness.take_received(owner);
    let ban = |name, reference| Moderate {
        seconds: 60,
        ..moderate(reference, action::BAN, "lobby", name)
    };
    let summaries = harness.ask(moderator, ban("adm\u{456}n", 1));
    assert!(summaries.iter().any(|it| it.starts_with("done 15 0")), "{summaries:?}");
    assert_eq!(harness.ask(owner, say(1, "still here")).len(), 1);
    harness.disconnect(owner);
    harness.promote("", "bob", Role::Owner);
    harness.disconnect(bob);
    harness.join_with(0, "bob", &[]);
    harness.take_received(moderator);
    let summaries = harness.ask(moderator, ban("bob", 2));
    assert!(summaries.iter().any(|it| it.starts_with("done 15 1")), "{summaries:?}");
    harness.check_fold();
}

/// A ban by address of somebody whose address is not known is refused.
#[test]
fn ban_by_unknown_address_is_refused() {
    let (mut harness, _, _) = lobby();
    let ban = ModerationRequest::Ban {
        scope: Scope::Server,
        user: user("nobody"),
        length: crate::model::SanctionLength::FOREVER,
        by_address: true,
        is_dry_run: false,
        reason: None,
    };
    assert_eq!(harness.owner(ban), Err(ErrorCode::RecipientUnknown));
}
