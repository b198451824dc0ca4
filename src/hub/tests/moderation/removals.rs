//! Removed messages.

use super::*;

/// A moderator removes a message: members with `events` are told, and whoever reads it later sees
/// the placeholder.
#[test]
fn removed_message_is_replaced() {
    let (mut harness, moderator, bob) = lobby();
    let old = harness.join_with(0, "old", &[]);
    harness.send(bob, say(1, "buy"));
    harness.take_received(bob);
    harness.take_received(old);
    assert_eq!(
        harness.ask(moderator, remove(1, "lobby", 2, "spam")),
        ["removed 2:lobby by \"mod\" \"spam\"", "done 13 1"]
    );
    assert_eq!(harness.take_summaries(bob), ["removed 2:lobby by \"mod\" \"spam\""]);
    assert_eq!(harness.take_summaries(old), [""; 0]);
    assert_eq!(harness.ask(old, history(1, "lobby", 0, 0))[0], "2:lobby bob: [removed] (3)");
    assert_eq!(harness.log[0].draft.style, crate::model::Style::REMOVED);
    // Once is enough.
    let facts = harness.facts.len();
    assert_eq!(harness.ask(moderator, remove(2, "lobby", 2, "")), ["done 13 0"]);
    assert_eq!(harness.facts.len(), facts);
}

/// An author removes an own message without a role; nobody else's, and none in another room.
#[test]
fn author_removes_own_message_only() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(bob, say(1, "oops"));
    harness.send(moderator, say(1, "rules"));
    assert_eq!(harness.ask(bob, remove(1, "lobby", 3, "")), ["not_permitted 13 1"]);
    assert_eq!(harness.ask(bob, remove(2, "attic", 2, "")), ["not_permitted 13 2"]);
    assert_eq!(
        harness.ask(bob, remove(3, "LOBBY", 2, "")),
        ["removed 2:lobby by \"bob\" \"\"", "done 13 1"]
    );
    assert_eq!(harness.ask(moderator, remove(1, "lobby", 9, "")), ["message_unknown 13 1"]);
    assert_eq!(harness.ask(moderator, remove(2, "lobby", 1, "")), ["message_unknown 13 2"]);
}

/// The command line removes messages, too; a log that cannot be read is reported.
#[test]
fn command_line_removes_messages() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(bob, say(1, "buy"));
    let request = |message| ModerationRequest::Remove {
        room: RoomName::new("Lobby").unwrap(),
        message: Sequence(message),
        reason: None,
    };
    assert_eq!(harness.owner(request(9)), Err(ErrorCode::MessageUnknown));
    assert_eq!(harness.owner(request(2)), Ok(1));
    assert_eq!(harness.owner(request(2)), Ok(0));
    harness.manual_log = true;
    harness.input(Input::Moderate { id: OwnerRequestId(3), request: request(2) });
    harness.send(moderator, remove(1, "lobby", 2, ""));
    harness.fail_read();
    harness.fail_read();
    assert_eq!(harness.owner_answers, [(3, Err(ErrorCode::Unavailable))]);
    assert_eq!(harness.take_summaries(moderator).last().unwrap(), "unavailable 13 1");
}

/// Who was away is told with the replay about messages that were removed meanwhile, page by page.
#[test]
fn removals_come_with_the_replay() {
    for features in [EVENTS, 0] {
        let (mut harness, moderator, bob) = lobby();
        harness.disconnect(bob);
        let bob = harness.connect_and_greet(features);
        harness.send(bob, join("bob", &[]));
        let token = welcome(&harness.take_received(bob)).token;
        for reference in 1..=3 {
            harness.send(moderator, say(reference, "x"));
        }
        harness.disconnect(bob);
        harness.send(moderator, remove(1, "lobby", 2, ""));
        harness.send(moderator, remove(2, "lobby", 4, ""));
        harness.send(moderator, say(4, "y"));
        harness.page_limit = 1;
        let bob = harness.connect_and_greet(features);
        let position = Some(crate::model::Position { log_id: LOG, sequence: Sequence(4) });
        let join = crate::wire::tcp::Join { token: Some(token), position, ..join("bob", &[]) };
        harness.send(bob, join);
        let summaries = harness.take_summaries(bob);
        let expected: &[&str] = if features == EVENTS {
            &[
                "removed 2:lobby by \"mod\" \"\"",
                "removed 4:lobby by \"mod\" \"\"",
                "7:lobby mod: y (1)",
            ]
        } else {
            &["7:lobby mod: y (1)"]
        };
        assert_eq!(summaries[2..summaries.len() - 1], *expected);
        assert_eq!(summaries.last().unwrap(), "end 2 7 0");
    }
}

/// A replay brings a message before the frame that says that it was removed.
#[test]
fn removal_comes_after_its_message() {
    let (mut harness, moderator, _) = lobby();
    let bob = harness.connect_and_greet(EVENTS);
    harness.send(bob, join("carl", &[]));
    let token = welcome(&harness.take_received(bob)).token;
    harness.disconnect(bob);
    harness.send(moderator, say(1, "x"));
    let message = harness.log.last().unwrap().sequence;
    harness.send(moderator, remove(1, "lobby", message.0, ""));
    let bob = harness.connect_and_greet(EVENTS);
    let position = Some(crate::model::Position { log_id: LOG, sequence: Sequence(message.0 - 1) });
    let join = crate::wire::tcp::Join { token: Some(token), position, ..join("carl", &[]) };
    harness.send(bob, join);
    let summaries = harness.take_summaries(bob);
    let [.., entry, removed, end] = summaries.as_slice() else { panic!("{summaries:?}") };
    assert!(entry.starts_with(&format!("{}:lobby mod", message.0)), "{summaries:?}");
    assert!(removed.starts_with("removed "), "{summaries:?}");
    assert!(end.starts_with("end 2 "), "{summaries:?}");
}

/// A read that was performed before a removal, and is answered after it, does not bring the text:
/// neither history, nor `enter`, nor messages that were committed during the read.
#[test]
fn reads_in_progress_do_not_bring_removed_texts() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(bob, say(1, "secret"));
    let carl = harness.join_with(EVENTS, "carl", &["attic"]);
    harness.take_received(bob);
    harness.manual_log = true;
    harness.send(carl, enter(1, "lobby"));
    harness.send(bob, history(1, "lobby", 0, 0));
    while harness.perform_read() {}
    harness.send(moderator, say(1, "secret"));
    harness.commit(1);
    harness.take_received(bob);
    for message in [2, 3] {
        harness.send(moderator, remove(1, "lobby", message, ""));
        let (tag, request) = harness.pending_reads.pop_front().unwrap();
        let outcome = harness.read_log(&request);
        harness.input(Input::ReadDone { tag, outcome: Ok(outcome) });
        harness.commit(1);
    }
    harness.run_log();
    for client in [bob, carl] {
        let summaries = harness.take_summaries(client);
        assert!(summaries.iter().any(|it| it.contains("[removed]")), "{summaries:?}");
        assert!(summaries.iter().all(|it| !it.contains("secret")), "{summaries:?}");
    }
}
