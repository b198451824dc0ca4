//! Tests of a log that cannot be read or written.

use std::sync::Arc;

use super::frames::*;
use super::harness::*;
use crate::hub::messages::MAX_SEQUENCE_GAPS;
use crate::hub::{ConnectionId, Input, LogItem, StorageHealth};
use crate::model::{Draft, HubSettings, LogEntry, Sequence, Timestamp};
use crate::wire::tcp::ServerFrame;

/// Returns a harness with `anna` in the lobby, whose log then answers only when told to. Also
/// returns her connection and her welcome.
fn manual_log_harness() -> (Harness, ConnectionId, crate::wire::tcp::Welcome) {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.manual_log = true;
    (harness, anna, welcome)
}

/// If the history of a `join` cannot be read, the connection is closed. Only the session remains.
#[test]
fn failed_join_read_closes_connection_and_leaves_no_state() {
    let (mut harness, anna, _) = manual_log_harness();
    let bob = harness.connect_and_greet(1);
    harness.send(bob, join("bob", &["attic"]));
    harness.send(bob, say_in("attic", 1, "x"));
    harness.fail_read();
    assert_eq!(harness.take_summaries(bob), ["internal 0 0", "closed"]);
    assert_eq!(
        (harness.connected_users, harness.pending_drafts.len(), harness.closed_rooms.len()),
        (1, 0, 1)
    );
    assert!(harness.hub.backlog.is_empty());
    harness.disconnect(bob);
    harness.disconnect(anna);
    harness.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(harness.is_empty());
}

/// A position in a sequence gap is not kept: the client has seen lost entries.
#[test]
fn position_in_sequence_gap_is_not_kept() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    harness.run_log();
    harness.disconnect(anna);
    let lost = |from, to| (Sequence(from), Sequence(to));
    harness.hub.sequence_gaps = vec![lost(0, 0), lost(1, 1_000)];
    harness.hub.head = Sequence(2_000);
    for (position, is_kept) in
        [(1, true), (2, false), (1_000, false), (1_001, true), (2_001, false)]
    {
        let back = harness.resume("anna", &[], welcome.token, Some(position));
        harness.run_log();
        let flags = if is_kept { 3 } else { 1 };
        assert_eq!(
            harness.take_summaries(back)[0],
            format!("welcome anna {flags} last 1"),
            "{position}"
        );
    }
}

/// Only a void that the log reports refuses positions. A sequence that does not come is none: the
/// log may use sequences for what the hub does not get. A void does not move the head, also if no
/// entry follows it.
#[test]
fn only_a_reported_void_refuses_positions() {
    let (mut harness, anna, welcome) = manual_log_harness();
    let message = |sequence| {
        let (sequence, previous) = (Sequence(sequence), Sequence::ZERO);
        let entry = LogEntry { sequence, previous, time: Timestamp(5), draft: Draft::example() };
        LogItem::Message(Arc::new(entry))
    };
    let void = |after, up_to| LogItem::Void { after: Sequence(after), up_to: Sequence(up_to) };
    let batches = [vec![message(1), message(100)], vec![void(100, 1_000), message(1_005)]];
    for items in batches.into_iter().chain([vec![void(1_005, 2_000)]]) {
        let last = items.iter().filter_map(LogItem::entry).next_back().cloned();
        harness.log.extend(last);
        harness.input(Input::Committed { items });
    }
    assert_eq!(harness.hub.stats().head, Sequence(1_005));
    harness.disconnect(anna);
    for (position, is_kept) in [
        (50, true),
        (100, true),
        (101, false),
        (1_000, false),
        (1_001, true),
        (1_005, true),
        (1_006, false),
    ] {
        let back = harness.resume("anna", &[], welcome.token, Some(position));
        harness.run_log();
        let flags = if is_kept { 3 } else { 1 };
        let summaries = harness.take_summaries(back);
        assert_eq!(summaries[0], format!("welcome anna {flags} last 1"), "{position}");
        assert!(summaries.contains(&"end 2 1005 0".to_owned()), "{position}: {summaries:?}");
    }
}

/// However often the disk fails, a bounded number of sequence gaps is remembered: of too many, the
/// oldest are joined. Positions in any of them are refused.
#[test]
fn sequence_gaps_are_bounded_by_joining_the_oldest() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    harness.run_log();
    for number in 1..=1_000 {
        let (after, up_to) = (Sequence(number * 10), Sequence(number * 10 + 5));
        harness.input(Input::Committed { items: vec![LogItem::Void { after, up_to }] });
    }
    assert_eq!(harness.hub.sequence_gaps.len(), MAX_SEQUENCE_GAPS);
    harness.hub.head = Sequence(20_000);
    harness.disconnect(anna);
    for (position, is_kept) in
        [(10, true), (11, false), (16, false), (9_990, true), (10_005, false), (10_006, true)]
    {
        let back = harness.resume("anna", &[], welcome.token, Some(position));
        harness.run_log();
        let flags = if is_kept { 3 } else { 1 };
        let summaries = harness.take_summaries(back);
        assert_eq!(summaries[0], format!("welcome anna {flags} last 1"), "{position}");
    }
}

/// If a replay page cannot be read, the connection is closed. The client resumes after the last
/// page.
#[test]
fn failed_replay_page_closes_connection_and_resume_continues() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.page_limit = 1;
    for reference in 1..=3 {
        harness.send(anna, say(reference, "x"));
    }
    harness.run_log();
    let back = harness.resume("anna", &[], welcome.token, Some(0));
    harness.perform_read();
    harness.deliver_outcome();
    harness.reach_mark();
    assert_eq!(harness.take_summaries(back)[2..], ["1:lobby anna: x (1)"]);
    harness.fail_read();
    assert_eq!(harness.take_summaries(back), ["internal 0 0", "closed"]);
    assert!(harness.hub.backlog.is_empty());
    let again = harness.resume("anna", &[], welcome.token, Some(1));
    harness.run_log();
    assert_eq!(
        harness.take_summaries(again)[2..5],
        ["2:lobby anna: x (1)", "3:lobby anna: x (1)", "end 2 3 0"]
    );
}

/// If the history of an `enter` cannot be read, the `enter` is undone. The waiting frames are sent,
/// and the deferred frames are handled.
#[test]
fn failed_enter_read_leaves_room_and_sends_queued_frames() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.manual_log = false;
    let (bob, _) = harness.join("bob", &[]);
    harness.advance(600);
    harness.take_received(bob);
    harness.take_received(anna);
    harness.manual_log = true;
    harness.send(anna, say(1, "x"));
    harness.send(anna, leave(1, "lobby"));
    harness.send(anna, enter(2, "lobby"));
    harness.send(anna, say(2, "not in there"));
    harness.send(anna, enter(3, "attic"));
    harness.commit(1);
    harness.fail_read();
    assert_eq!(
        harness.take_summaries(anna),
        ["left lobby", "unavailable 5 2", "accepted 1", "not_in_room 3 2"]
    );
    harness.fail_read();
    assert_eq!(harness.take_summaries(anna), ["unavailable 5 3"]);
    assert_eq!(harness.closed_rooms.len(), 1, "the attic was not there before");
    harness.advance(600);
    assert_eq!(
        harness.take_summaries(bob),
        ["1:lobby anna: x (0)", "presence lobby 0 1 +[] -[\"anna\"]"]
    );
    assert!(harness.hub.backlog.is_empty());
    harness.send(anna, enter(4, "lobby"));
    harness.run_log();
    assert_eq!(harness.take_summaries(anna)[0], "entered lobby 0 of 2");
}

/// If the read of a request fails, the answer is `unavailable`.
#[test]
fn failed_history_and_search_reads_are_answered_unavailable() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.take_received(anna);
    harness.send(anna, history(7, "lobby", 0, 0));
    harness.send(anna, search(8, "lobby", "x", 0, 0));
    harness.send(anna, history(9, "lobby", 0, 0));
    harness.fail_read();
    harness.fail_read();
    harness.run_log();
    assert_eq!(harness.take_summaries(anna), ["unavailable 7 7", "unavailable 11 8", "end 7 0 0"]);
}

/// Search finds entries in one room or all, and reports errors in their documented order.
#[test]
fn search_finds_entries_and_reports_errors_in_order() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.manual_log = false;
    harness.send(anna, say(1, "The kettle is on."));
    harness.send(anna, say(2, "Tea?"));
    harness.send(anna, enter(1, "attic"));
    harness.send(anna, say_in("attic", 3, "No kettle here."));
    harness.take_received(anna);
    harness.send(anna, search(1, "", "KETTLE", 0, 0));
    harness.send(anna, search(2, "Lobby", "kettle", 0, 0));
    harness.send(anna, search(3, "", "kettle", 3, 0));
    harness.send(anna, search(4, "", "kettle", 0, 1));
    assert_eq!(
        harness.take_summaries(anna),
        [
            "1:lobby anna: The kettle is on. (3)",
            "3:attic anna: No kettle here. (3)",
            "end 11 3 0",
            "1:lobby anna: The kettle is on. (3)",
            "end 11 3 0",
            "1:lobby anna: The kettle is on. (3)",
            "end 11 3 0",
            "3:attic anna: No kettle here. (3)",
            "end 11 3 1",
        ]
    );
    harness.send(anna, search(0, "cellar", "!", 0, 0));
    harness.send(anna, search(5, "cellar", "!", 0, 0));
    harness.send(anna, search(6, "", "!", 0, 0));
    harness.send(anna, search(7, "", &"x ".repeat(17), 0, 0));
    harness.send(anna, search(8, "", &"x".repeat(257), 0, 0));
    assert_eq!(
        harness.take_summaries(anna),
        [
            "reference_invalid 11 0",
            "not_in_room 11 5",
            "search_invalid 11 6",
            "search_invalid 11 7",
            "search_invalid 11 8",
        ]
    );
}

/// Removes the events that a connection has received. Returns the code and text of each notice
/// among them.
fn take_notices(harness: &mut Harness, connection: ConnectionId) -> Vec<(u16, String)> {
    let notice = |it| match it {
        ClientEvent::Frame(ServerFrame::Notice(it)) => Some((it.code, it.text)),
        _ => None,
    };
    harness.take_received(connection).into_iter().filter_map(notice).collect()
}

/// Each change of the storage health is broadcast once.
#[test]
fn storage_notice_is_sent_once_per_change() {
    let (mut harness, anna, _) = manual_log_harness();
    let mut told = |storage| {
        harness.input(Input::StorageChanged(storage));
        take_notices(&mut harness, anna)
    };
    assert_eq!(told(StorageHealth::Sound), []);
    let memory_only = told(StorageHealth::MemoryOnly);
    assert!(matches!(&memory_only[..], [(5, text)] if text.contains("in memory only")));
    assert_eq!(told(StorageHealth::MemoryOnly), []);
    let refusing = told(StorageHealth::Refusing);
    assert!(matches!(&refusing[..], [(5, text)] if text.contains("refused")));
    let sound = told(StorageHealth::Sound);
    assert!(matches!(&sound[..], [(6, text)] if text.contains("taken again")));
    told(StorageHealth::MemoryOnly);
    let sound = told(StorageHealth::Sound);
    assert!(matches!(&sound[..], [(6, text)] if text.contains("everything said is kept")));
}

/// A client that joins during a storage failure gets the notice right after `end`, not before.
#[test]
fn storage_notice_is_sent_to_new_clients_after_join() {
    let (mut harness, _, _) = manual_log_harness();
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.input(Input::StorageChanged(StorageHealth::MemoryOnly));
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.run_log();
    assert_eq!(harness.take_summaries(bob)[2..], ["end 2 0 0", "notice 5"]);
    let carl = harness.connect_and_greet(1);
    harness.send(carl, join("carl", &["attic"]));
    harness.run_log();
    assert_eq!(
        harness.take_summaries(carl)[2..],
        ["end 2 0 0", "notice 5", "roster attic 0 1 [\"carl\"]"]
    );
    harness.input(Input::StorageChanged(StorageHealth::Sound));
    assert_eq!(harness.take_summaries(bob), ["notice 6"]);
    let dora = harness.connect_and_greet(0);
    harness.send(dora, join("dora", &[]));
    harness.run_log();
    assert_eq!(harness.take_summaries(dora)[2..], ["end 2 0 0"]);
}

/// A durable server sets the flag in the welcome.
#[test]
fn welcome_has_durable_flag_on_durable_server() {
    let mut harness = Harness::with(HubSettings { is_durable: true, ..HubSettings::default() });
    let (anna, welcome) = harness.join("anna", &[]);
    assert_eq!(welcome.flags, 4);
    harness.disconnect(anna);
    let anna = harness.resume("anna", &[], welcome.token, Some(0));
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 7 last 0");
}
