//! Tests of the order in which log reads are started.

use std::net::{IpAddr, Ipv4Addr};

use super::frames::*;
use super::harness::*;
use crate::hub::read_queue::ReadQueue;
use crate::hub::{ConnectionId, ReadRange};

/// Address of all attackers.
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));

/// Returns a harness with this number of clients of [`ATTACKER`] and one client of another address,
/// all in the lobby. The log then answers only when told to. Also returns their connections.
fn crowd(attackers: usize) -> (Harness, Vec<ConnectionId>, ConnectionId) {
    let mut harness = Harness::new();
    let attackers = (0..attackers)
        .map(|it| harness.join_from(ATTACKER, join(&format!("x{it}"), &[])))
        .collect();
    let anna = harness.join_from(crowd_address(0), join("anna", &[]));
    harness.take_received(anna);
    harness.manual_log = true;
    (harness, attackers, anna)
}

/// Lets the log answer one read after the other until a client has received something, which it
/// discards. Returns the number of reads. Panics if no read is left.
fn reads_until_answered(harness: &mut Harness, client: ConnectionId) -> usize {
    let mut reads = 0;
    while harness.take_received(client).is_empty() {
        assert!(harness.perform_read() && harness.deliver_outcome(), "nothing is read");
        reads += 1;
    }
    reads
}

/// If many reads of one address wait, a read of another address waits for at most one of them, and
/// for the reads in progress.
#[test]
fn history_and_searches_take_turns_between_address_groups() {
    for frame in [history(1, "lobby", 0, 0), search(1, "", "tea", 0, 0)] {
        let (mut harness, attackers, anna) = crowd(50);
        for attacker in &attackers {
            for _ in 0..2 {
                harness.send(*attacker, frame.clone());
            }
        }
        let in_progress = harness.pending_reads.len();
        assert!((1..=2).contains(&in_progress), "{in_progress} reads are in progress");
        harness.send(anna, frame);
        assert!(reads_until_answered(&mut harness, anna) <= in_progress + 2);
        harness.run_log();
        let answers = |it: &ConnectionId| harness.clients[it].received.len();
        assert!(attackers.iter().all(|it| answers(it) >= 2), "everybody gets an answer in the end");
    }
}

/// The connections of an address group take turns, however many requests each has sent.
#[test]
fn requests_of_a_connection_do_not_delay_those_of_its_neighbour() {
    let (mut harness, attackers, _) = crowd(3);
    for attacker in &attackers[..2] {
        for _ in 0..20 {
            harness.send(*attacker, history(1, "lobby", 0, 0));
        }
    }
    harness.take_received(attackers[2]);
    harness.send(attackers[2], history(1, "lobby", 0, 0));
    assert_eq!(reads_until_answered(&mut harness, attackers[2]), 3);
}

/// A `join` or `enter` does not wait for searches or history.
#[test]
fn joins_do_not_wait_for_other_reads() {
    let (mut harness, attackers, anna) = crowd(50);
    for (number, attacker) in attackers.iter().enumerate() {
        let request = [history(1, "lobby", 0, 0), search(1, "", "tea", 0, 0)];
        harness.send(*attacker, request[number % 2].clone());
    }
    let in_progress = harness.pending_reads.len();
    harness.send(anna, enter(2, "attic"));
    harness.join_from(crowd_address(10), join("bob", &[]));
    let ranges: Vec<_> = harness.pending_reads.iter().map(|(_, it)| it.range.clone()).collect();
    assert_eq!(ranges[in_progress..], [ReadRange::Latest(10), ReadRange::Latest(10)]);
}

/// At most 8 reads for `join` are in progress. A `join` of another address waits for at most one
/// further read of a busy address.
#[test]
fn joins_in_progress_are_bounded_and_take_turns() {
    let (mut harness, ..) = crowd(1);
    for number in 0..50 {
        harness.join_from(ATTACKER, join(&format!("y{number}"), &[]));
    }
    assert_eq!(harness.pending_reads.len(), 8);
    let bob = harness.join_from(crowd_address(10), join("bob", &[]));
    assert!(reads_until_answered(&mut harness, bob) <= 8 + 2);
}

/// A message that is committed while a `join` waits for its turn arrives once, whether it is
/// committed before or after the read.
#[test]
fn message_committed_while_a_join_waits_arrives_once() {
    for commits_late in [false, true] {
        let (mut harness, _, anna) = crowd(0);
        harness.hub.reads = ReadQueue::with_limits(1, 1, 1);
        let bob = harness.join_from(ATTACKER, join("bob", &[]));
        let carol = harness.join_from(ATTACKER, join("carol", &[]));
        harness.send(anna, say(1, "hello"));
        harness.commit(1);
        assert!(harness.perform_read() && harness.deliver_outcome(), "bob's");
        harness.send(anna, say(2, "again"));
        if commits_late {
            assert!(harness.perform_read());
            harness.commit(1);
        }
        harness.run_log();
        for client in [bob, carol] {
            let received = harness.take_summaries(client);
            for text in ["hello", "again"] {
                let times = received.iter().filter(|it| it.contains(text)).count();
                assert_eq!(times, 1, "{received:?}");
            }
        }
        assert!(harness.hub.backlog.is_empty());
    }
}

/// When a connection closes, its waiting read is dropped. Its read in progress counts until the log
/// has answered it.
#[test]
fn closed_connections_leave_the_read_queue() {
    let (mut harness, attackers, anna) = crowd(10);
    for attacker in &attackers {
        harness.send(*attacker, history(1, "lobby", 0, 0));
    }
    let in_progress = harness.pending_reads.len();
    for attacker in &attackers {
        harness.disconnect(*attacker);
    }
    assert!(harness.hub.reads.is_empty());
    harness.send(anna, history(1, "lobby", 0, 0));
    assert_eq!(reads_until_answered(&mut harness, anna), in_progress + 1);
    assert_eq!(harness.pending_reads.len(), 0);
}
