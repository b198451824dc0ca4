//! Tests of the log in memory.

use super::*;
use crate::hub::FactTicket;
use crate::model::{
    Actor, MessageText, ModerationAction, Moment, NamedSession, Timestamp, Username,
};

/// Returns a draft of session 1.
fn draft(target: Target, text: &str) -> Draft {
    Draft { target, text: MessageText::new(text).unwrap(), ..Draft::example() }
}

/// Returns a validated room name.
fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

/// Returns a log with messages: for each name in `rooms` the given number, one room after the
/// other.
fn log(limits: MemoryLimits, rooms: &[(&str, usize)]) -> MemoryLog {
    let mut log = MemoryLog::new(limits);
    for (name, count) in rooms {
        for number in 0..*count {
            append(&mut log, draft(Target::Room(room(name)), &format!("{name} {number}")));
        }
    }
    log
}

/// Appends a draft and returns its entry.
fn append(log: &mut MemoryLog, draft: Draft) -> SharedEntry {
    let now = Now { moment: Moment::START, time: Timestamp(0) };
    log.propose(now, vec![Proposal::Message(draft)]);
    let Some(LogEvent::Committed { items, .. }) = log.events.pop_back() else { panic!() };
    items[0].entry().unwrap().clone()
}

/// Performs a read, which is no search, and returns the sequences of the entries found.
fn read(log: &MemoryLog, rooms: &[&str], session: Option<u64>, range: ReadRange) -> Vec<u64> {
    let rooms = rooms.iter().map(|it| room(it)).collect();
    let session = session.map(SessionId);
    let outcome = log.find_entries(&ReadRequest { rooms, session, range });
    outcome.entries.iter().map(|entry| entry.sequence.0).collect()
}

/// Beyond the memory limit, the busy room loses entries, not the quiet one. The busy room keeps its
/// last 10.
#[test]
fn busy_room_does_not_displace_the_last_10_of_a_quiet_room() {
    let limits = MemoryLimits { room_entries: 50, total_bytes: 4_000, rooms: 10 };
    let log = log(limits, &[("quiet", 12), ("busy", 1_000)]);
    assert_eq!(read(&log, &["quiet"], None, ReadRange::Latest(10)), (3..=12).collect::<Vec<_>>());
    assert_eq!(read(&log, &["busy"], None, ReadRange::Latest(10)).len(), 10);
}

/// Beyond the memory limit, all rooms that are larger than others are cut to the same size, whatever
/// their order. Rooms that have no more than they must keep are not touched, however long their
/// messages are.
#[test]
fn largest_rooms_are_cut_to_the_same_size() {
    let rooms = [("small", 15), ("large", 300), ("larger", 500), ("long", 0)];
    let mut log = log(MemoryLimits { total_bytes: 1 << 20, ..MemoryLimits::default() }, &rooms);
    for _ in 0..10 {
        append(&mut log, draft(Target::Room(room("long")), &"x".repeat(4_000)));
    }
    let count = |log: &MemoryLog, name: &str| log.rooms[room(name).key()].entries.len();
    assert_eq!(count(&log, "larger"), 500);
    log.limits.total_bytes = log.room_bytes - 1;
    log.trim_rooms();
    assert!(log.room_bytes <= log.limits.total_bytes - log.limits.total_bytes / 8);
    assert!(log.room_bytes > log.limits.total_bytes / 8 * 7 - 1_000, "no more is dropped");
    assert_eq!(["small", "large", "long"].map(|it| count(&log, it)), [15, 300, 10]);
    log.limits.total_bytes = log.room_bytes / 2;
    log.trim_rooms();
    let [small, large, larger] = ["small", "large", "larger"].map(|it| count(&log, it));
    assert_eq!((small, count(&log, "long")), (15, 10));
    assert!(large.abs_diff(larger) <= 2 && large < 300, "{large} {larger}");
    // Less than all must keep is impossible: everybody keeps that, and the loop ends.
    log.limits.total_bytes = 0;
    log.trim_rooms();
    assert_eq!(["small", "large", "larger", "long"].map(|it| count(&log, it)), [10; 4]);
}

/// The sum of all sizes is at most the total, and the next greater one would be too large.
#[test]
fn common_size_divides_what_is_there() {
    assert_eq!(common_size(vec![], 5), usize::MAX);
    assert_eq!(common_size(vec![3, 1, 2], 6), usize::MAX);
    assert_eq!(common_size(vec![3, 1, 2], 5), 2);
    assert_eq!(common_size(vec![10, 10, 1], 10), 4);
    assert_eq!(common_size(vec![10, 10, 1], 0), 0);
}

/// The entries of both rooms come in ascending order of sequence. A room that has dropped entries
/// after the position is reported as a gap.
#[test]
fn read_after_a_position_is_ordered_and_reports_gaps() {
    let limits = MemoryLimits { room_entries: 20, ..MemoryLimits::default() };
    let mut log = log(limits, &[("a", 3), ("b", 3)]);
    append(&mut log, draft(Target::Room(room("a")), "again"));
    assert_eq!(read(&log, &["a", "b"], None, ReadRange::After(Sequence(2), 100)), [3, 4, 5, 6, 7]);
    for _ in 0..30 {
        append(&mut log, draft(Target::Room(room("a")), "more"));
    }
    let request = ReadRequest {
        rooms: vec![room("a"), room("b")],
        session: None,
        range: ReadRange::After(Sequence(3), 100),
    };
    let outcome = log.find_entries(&request);
    assert_eq!(outcome.gaps, [room("a")]);
    assert_eq!(outcome.head, Sequence(37));
}

#[test]
fn history_is_read_page_by_page() {
    let log = log(MemoryLimits::default(), &[("a", 25)]);
    let request = |before, count| ReadRequest {
        rooms: vec![room("A")],
        session: None,
        range: ReadRange::Before(Sequence(before), count),
    };
    let page = log.find_entries(&request(16, 10));
    assert_eq!((page.entries[0].sequence, page.more), (Sequence(6), true));
    let page = log.find_entries(&request(6, 10));
    assert_eq!((page.entries[0].sequence, page.entries.len(), page.more), (Sequence(1), 5, false));
    assert!(log.find_entries(&request(1, 10)).entries.is_empty());
}

/// `previous` is the last sequence of the room, even if older entries of the room were dropped. It
/// is 0 in a new room.
#[test]
fn previous_is_per_room_and_survives_trimming() {
    let limits = MemoryLimits { room_entries: 10, ..MemoryLimits::default() };
    let mut log = log(limits, &[("a", 30), ("b", 1)]);
    assert_eq!(append(&mut log, draft(Target::Room(room("a")), "x")).previous, Sequence(30));
    assert_eq!(append(&mut log, draft(Target::Room(room("c")), "x")).previous, Sequence::ZERO);
}

#[test]
fn direct_messages_are_kept_for_both_sessions() {
    let mut log = log(MemoryLimits::default(), &[]);
    let bob = Username::new("bob").unwrap();
    append(&mut log, draft(Target::Session(SessionId(2), bob), "psst"));
    for (session, expected) in [(1, vec![1]), (2, vec![1]), (3, vec![])] {
        assert_eq!(read(&log, &[], Some(session), ReadRange::Latest(10)), expected);
    }
    log.delete_session(SessionId(2));
    assert!(read(&log, &[], Some(2), ReadRange::Latest(10)).is_empty());
}

/// Beyond the memory limit, the oldest direct messages are dropped, over all sessions. The indexes
/// stay small.
#[test]
fn oldest_direct_messages_are_dropped_beyond_the_limit() {
    let limits = MemoryLimits { total_bytes: 3_000, ..MemoryLimits::default() };
    let mut log = log(limits, &[]);
    let bob = Username::new("bob").unwrap();
    for session in 2..1_000 {
        append(&mut log, draft(Target::Session(SessionId(session), bob.clone()), "psst"));
        assert!(log.direct_bytes <= 3_000 && log.directs.len() < 20);
        assert!(log.direct_order.len() < 200);
    }
    assert!(read(&log, &[], Some(2), ReadRange::Latest(10)).is_empty());
    assert_eq!(read(&log, &[], Some(999), ReadRange::Latest(10)), [998]);
    log.delete_session(SessionId(1));
    for session in 2..1_000 {
        log.delete_session(SessionId(session));
    }
    assert_eq!(log.direct_bytes, 0);
}

/// A room with fewer than 10 entries is evicted before an older room with 10.
#[test]
fn eviction_drops_rooms_with_fewest_messages_first() {
    let limits = MemoryLimits { rooms: 2, ..MemoryLimits::default() };
    let mut log = log(limits, &[("old", 10), ("b", 1), ("c", 2)]);
    log.evict_rooms(|_| false);
    assert_eq!(read(&log, &["old"], None, ReadRange::Latest(10)).len(), 10);
    assert!(read(&log, &["b"], None, ReadRange::Latest(10)).is_empty());
}

/// An open room is not evicted. An evicted room is reported as a gap, also after a new entry.
#[test]
fn eviction_drops_the_least_recently_used_closed_room_first() {
    let limits = MemoryLimits { rooms: 2, ..MemoryLimits::default() };
    let mut log = log(limits, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
    log.evict_rooms(|name| *name == room("a"));
    assert_eq!(read(&log, &["a", "b", "c", "d"], None, ReadRange::Latest(10)), [1, 4]);
    let gaps = |log: &MemoryLog, after| {
        let rooms = ["a", "b", "d"].map(room).to_vec();
        log.find_entries(&ReadRequest { rooms, session: None, range: ReadRange::After(after, 100) })
            .gaps
    };
    assert_eq!(gaps(&log, Sequence(2)), [room("b")]);
    append(&mut log, draft(Target::Room(room("b")), "again"));
    assert_eq!(gaps(&log, Sequence(2)), [room("b")]);
    assert!(gaps(&log, Sequence(3)).is_empty());
}

/// Removes a message of session 1 in room `a`, as the command line does.
fn remove(log: &mut MemoryLog, message: u64) {
    let author = NamedSession { session: SessionId(1), username: Username::new("anna").unwrap() };
    let message = Sequence(message);
    let action = ModerationAction::MessageRemoved { room: room("a"), message, author };
    let draft = FactDraft { actor: Actor::CommandLine, action, reason: None };
    let now = Now { moment: Moment::START, time: Timestamp(0) };
    log.propose(now, vec![Proposal::Fact { ticket: FactTicket(1), draft }]);
    log.events.clear();
}

/// The log forgets old removals, so a client that comes back is not told of them. But the texts stay
/// removed: they are overwritten in the ring.
#[test]
fn text_stays_removed_when_the_removal_is_forgotten() {
    let mut log = log(MemoryLimits::default(), &[("a", 2)]);
    remove(&mut log, 1);
    let request = |range| ReadRequest { rooms: vec![room("a")], session: None, range };
    let missed = |log: &MemoryLog| {
        log.find_entries(&request(ReadRange::After(Sequence(2), 1))).removals[0].sequence
    };
    assert_eq!(missed(&log), Sequence(3));
    for _ in 0..MAX_REMOVALS {
        remove(&mut log, 100_000);
    }
    assert_eq!(log.removals.len(), MAX_REMOVALS);
    assert_eq!(missed(&log), Sequence(4), "the first one is forgotten");
    let ranges = [
        ReadRange::Latest(10),
        ReadRange::Before(Sequence(9), 10),
        ReadRange::After(Sequence::ZERO, 10),
    ];
    for range in ranges {
        let found = log.find_entries(&request(range)).entries;
        let texts: Vec<_> = found.iter().map(|it| it.draft.text.as_str()).collect();
        assert_eq!(texts, ["[removed]", "a 1"]);
    }
}
