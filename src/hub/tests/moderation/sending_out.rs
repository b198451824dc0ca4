//! Kicks and bans: out of a room, out of the server.

use super::*;
use std::net::{IpAddr, Ipv4Addr};

/// A kick sends out of the room: clients with `events` are told in frames, others in words. Nothing
/// more comes from the room. The user may come back.
#[test]
fn kick_sends_out_of_the_room() {
    let (mut harness, moderator, bob) = lobby();
    let carl = harness.join_with(feature::PRESENCE, "carl", &[]);
    harness.advance(1_000);
    harness.take_received(carl);
    let kick = |reference, name| Moderate {
        reason: "noise".to_owned(),
        ..moderate(reference, action::KICK, "lobby", name)
    };
    assert_eq!(harness.ask(moderator, kick(1, "Bob")), ["done 15 1"]);
    assert_eq!(
        harness.take_summaries(bob),
        ["sanctioned 1 \"lobby\" by \"mod\" \"noise\"", "left lobby"]
    );
    harness.advance(1_000);
    assert_eq!(harness.take_summaries(carl), ["presence lobby 0 2 +[] -[\"bob\"]"]);
    assert_eq!(harness.ask(moderator, kick(2, "carl")), ["done 15 1"]);
    let received = harness.take_received(carl);
    let [ClientEvent::Frame(ServerFrame::Notice(notice))] = received.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!(
        (notice.code, notice.text.as_str()),
        (3, "mod has sent you out of room lobby: noise")
    );
    harness.send(moderator, say(1, "calm"));
    harness.advance(1_000);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    assert_eq!(harness.take_summaries(carl), [""; 0]);
    assert_eq!(harness.ask(carl, say(1, "x")), ["not_in_room 3 1"]);
    assert_eq!(harness.ask(bob, enter(1, "lobby"))[0], "entered lobby 0 of 2");
    // Who is not in the room is not hit.
    assert_eq!(harness.ask(moderator, kick(3, "carl")), ["done 15 0"]);
}

/// A ban from a room sends out, refuses `enter` with the reason and the time left, and leaves the
/// room out of the welcome. It ends when it is lifted.
#[test]
fn room_ban_keeps_out_of_the_room() {
    let (mut harness, moderator, bob) = lobby();
    let ban = Moderate {
        seconds: 600,
        reason: "spam".to_owned(),
        ..moderate(1, action::BAN, "lobby", "bob")
    };
    assert_eq!(harness.ask(moderator, ban), ["done 15 1"]);
    assert_eq!(
        harness.take_summaries(bob),
        ["sanctioned 2 \"lobby\" by \"mod\" \"spam\"", "left lobby"]
    );
    harness.advance(2_000);
    harness.send(bob, enter(1, "Lobby"));
    let error = harness.take_error(bob);
    assert_eq!((error.code, error.about, error.retry_after), (206, 5, 598_000));
    assert_eq!(error.text, "You are banned from room lobby for another 10 min: spam");
    assert_eq!(harness.ask(bob, enter(2, "attic"))[0], "entered attic 0 of 1");
    harness.disconnect(bob);
    let bob = harness.connect_and_greet(EVENTS);
    harness.send(bob, join("bob", &["lobby", "attic"]));
    let received = harness.take_received(bob);
    assert_eq!(welcome(&received).rooms, ["attic"]);
    let summaries: Vec<String> = received.iter().map(summarize).collect();
    assert!(summaries.iter().all(|it| !it.contains("lobby")), "{summaries:?}");
    assert_eq!(harness.ask(moderator, moderate(2, action::UNBAN, "lobby", "bob")), ["done 15 1"]);
    assert_eq!(harness.take_summaries(bob), ["sanctioned 3 \"lobby\" by \"mod\" \"\""]);
    assert_eq!(harness.ask(bob, enter(3, "lobby"))[0], "entered lobby 0 of 2");
}

/// A user whose only room is banned joins, in no room.
#[test]
fn join_without_any_open_room() {
    let (mut harness, _, bob) = lobby();
    harness.ban("lobby", "bob", 0);
    harness.disconnect(bob);
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    let received = harness.take_received(bob);
    assert_eq!(welcome(&received).rooms, [""; 0]);
    assert_eq!(summarize(received.last().unwrap()), "end 2 2 0");
}

/// A ban from the server closes the connection for good, and refuses each `join`: by name, by
/// look-alike, by session under another name. The name does not wait.
#[test]
fn server_ban_keeps_out_of_the_server() {
    let (mut harness, _, _) = lobby();
    let carl = harness.connect_and_greet(EVENTS | feature::RESUME);
    harness.send(carl, join("carl", &[]));
    let token = welcome(&harness.take_received(carl)).token;
    assert_eq!(harness.ban("", "carl", 3_600), 1);
    let received = harness.take_received(carl);
    let summaries: Vec<String> = received.iter().map(summarize).collect();
    assert_eq!(summaries, ["sanctioned 2 \"\" by \"\" \"spam\"", "removed 0 0", "closed"]);
    let ClientEvent::Frame(ServerFrame::Error(error)) = &received[1] else { panic!() };
    assert_eq!(error.text, "The server has banned you from this server for 60 min: spam");
    assert_eq!((harness.connected_users, harness.hub.stats().waiting_names), (2, 0));
    harness.disconnect(carl);
    harness.advance(60_000);
    for (name, token) in [("Carl", None), ("c\u{430}rl", None), ("dora", Some(token))] {
        let back = harness.connect_and_greet(EVENTS);
        harness.send(back, crate::wire::tcp::Join { token, ..join(name, &[]) });
        let error = harness.take_error(back);
        assert_eq!((error.code, error.about, error.retry_after), (206, 2, 3_540_000), "{name}");
        assert_eq!(error.text, "You are banned from this server for another 59 min: spam");
        // The connection stays open, as after other refusals.
        harness.send(back, join("eve", &[]));
        welcome(&harness.take_received(back));
        harness.disconnect(back);
    }
    assert_eq!(harness.ban("", "nobody", 0), 0);
    let back = harness.connect_and_greet(0);
    harness.send(back, join("nobody", &[]));
    let error = harness.take_error(back);
    assert_eq!(
        (error.retry_after, error.text.as_str()),
        (0, "You are banned from this server: spam")
    );
    harness.check_fold();
}

/// A ban by address hits everybody there, except those with a role. A dry run says how many that
/// would be, and does nothing.
#[test]
fn ban_by_address_hits_neighbours() {
    let mut harness = Harness::new();
    let near = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
    let clients: Vec<ConnectionId> = [("bob", 1), ("carl", 1), ("dora", 1), ("eve", 2)]
        .map(|(name, last)| harness.join_from(near(last), join(name, &[])))
        .into();
    harness.promote("", "dora", Role::Moderator);
    let facts = harness.facts.len();
    let ban = |is_dry_run| ModerationRequest::Ban {
        scope: Scope::Server,
        user: user("bob"),
        length: crate::model::SanctionLength::FOREVER,
        by_address: true,
        is_dry_run,
        reason: None,
    };
    assert_eq!(harness.owner(ban(true)), Ok(2));
    assert_eq!((harness.facts.len(), harness.connected_users), (facts, 4));
    assert_eq!(harness.owner(ban(false)), Ok(2));
    for (client, is_out) in clients.iter().zip([true, true, false, false]) {
        let received = harness.take_summaries(*client);
        assert_eq!(received.last().unwrap() == "closed", is_out, "{received:?}");
    }
    let back = harness.join_from(near(1), join("frank", &[]));
    assert_eq!(harness.take_summaries(back), ["banned 2 0"]);
}

/// A user who is banned while their `join` is on its way through the log is sent out then.
#[test]
fn ban_during_join_sends_out() {
    let (mut harness, _, _) = lobby();
    harness.delays_volatile = true;
    harness.manual_log = true;
    let carl = harness.connect_and_greet(EVENTS);
    harness.send(carl, join("carl", &[]));
    let request = ModerationRequest::Ban {
        scope: Scope::Server,
        user: user("carl"),
        length: crate::model::SanctionLength::FOREVER,
        by_address: false,
        is_dry_run: false,
        reason: None,
    };
    harness.input(Input::Moderate { id: OwnerRequestId(1), request });
    harness.commit(1);
    assert_eq!(harness.owner_answers, [(1, Ok(0))]);
    assert_eq!(harness.take_summaries(carl), [""; 0]);
    harness.run_log();
    assert_eq!(harness.take_summaries(carl), ["removed 0 0", "closed"]);
    assert_eq!(harness.connected_users, 2);
}

/// Being sent out of a room while its history is read: by `join`, the room is left out of what
/// follows; an `enter` is refused. No entry of the room comes.
#[test]
fn send_out_during_reads() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(moderator, say(1, "secret"));
    harness.take_received(bob);
    let carl = harness.join_with(EVENTS, "carl", &["attic"]);
    harness.manual_log = true;
    harness.send(carl, enter(1, "lobby"));
    let dora = harness.connect_and_greet(EVENTS);
    harness.send(dora, join("dora", &["lobby", "attic"]));
    while harness.perform_read() {}
    for name in ["carl", "dora"] {
        harness.send(moderator, moderate(1, action::KICK, "lobby", name));
        harness.commit(1);
    }
    harness.run_log();
    let summaries = harness.take_summaries(carl);
    assert_eq!(summaries, ["sanctioned 1 \"lobby\" by \"mod\" \"\"", "not_in_room 5 1"]);
    let received = harness.take_received(dora);
    assert_eq!(welcome(&received).rooms, ["attic"]);
    let summaries: Vec<String> = received.iter().map(summarize).collect();
    assert!(
        summaries.iter().all(|it| !it.contains("secret") && !it.contains("left")),
        "{summaries:?}"
    );
    harness.send(moderator, say(2, "more"));
    harness.run_log();
    assert_eq!((harness.take_summaries(carl).len(), harness.take_summaries(dora).len()), (0, 0));
}

/// Being sent out of a room between two pages of a replay: the later pages have nothing of the
/// room, and `left` comes after the replay.
#[test]
fn send_out_between_replay_pages() {
    let (mut harness, moderator, bob) = lobby();
    let token = {
        harness.disconnect(bob);
        let bob = harness.connect_and_greet(EVENTS);
        harness.send(bob, join("bob", &[]));
        let token = welcome(&harness.take_received(bob)).token;
        harness.disconnect(bob);
        token
    };
    for reference in 1..=4 {
        harness.send(moderator, say(reference, "x"));
    }
    harness.page_limit = 2;
    let bob = harness.connect_and_greet(EVENTS);
    harness.manual_log = true;
    let position = Some(crate::model::Position { log_id: LOG, sequence: Sequence(1) });
    harness.send(bob, crate::wire::tcp::Join { token: Some(token), position, ..join("bob", &[]) });
    harness.perform_read();
    harness.deliver_outcome();
    harness.send(moderator, moderate(1, action::KICK, "lobby", "bob"));
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries.iter().filter(|it| it.contains("mod: x")).count(), 2, "{summaries:?}");
    assert_eq!(
        summaries[summaries.len() - 2..],
        ["sanctioned 1 \"lobby\" by \"mod\" \"\"", "left lobby"]
    );
    harness.manual_log = false;
    harness.send(moderator, say(9, "y"));
    assert_eq!(harness.take_summaries(bob), [""; 0]);
}

/// A page of a replay that has only entries of a room that the user is sent out of, and is answered
/// after that, does not end the replay of other rooms.
#[test]
fn send_out_does_not_cut_the_replay_of_other_rooms() {
    let (mut harness, moderator, _) = lobby();
    harness.send(moderator, enter(1, "attic"));
    let carl = harness.connect_and_greet(EVENTS);
    harness.send(carl, join("carl", &["lobby", "attic"]));
    let token = welcome(&harness.take_received(carl)).token;
    harness.disconnect(carl);
    harness.send(moderator, say(1, "in the lobby"));
    harness.send(moderator, say_in("attic", 2, "in the attic"));
    harness.page_limit = 1;
    harness.manual_log = true;
    let carl = harness.connect_and_greet(EVENTS);
    let position = Some(crate::model::Position { log_id: LOG, sequence: Sequence(1) });
    let join = crate::wire::tcp::Join { position, ..join("carl", &["lobby", "attic"]) };
    harness.send(carl, crate::wire::tcp::Join { token: Some(token), ..join });
    harness.perform_read();
    harness.send(moderator, moderate(1, action::KICK, "lobby", "carl"));
    harness.commit(1);
    harness.run_log();
    let summaries = harness.take_summaries(carl);
    assert!(summaries.contains(&"3:attic mod: in the attic (1)".to_owned()), "{summaries:?}");
    assert!(summaries.iter().all(|it| !it.contains("in the lobby")), "{summaries:?}");
}
