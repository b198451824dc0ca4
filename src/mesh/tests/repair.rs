//! Tests of repair: whom missing entries are asked of, when, and when a gap is given up. Section
//! 10.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::bench::{FakePeer, TestBench};
use crate::mesh::{Input, Outgoing};
use crate::model::{Event, PeerId};
use crate::wire::udp::{Control, EntryRange, Lost, PageItem};

impl TestBench {
    /// Returns the `want`s that were sent, each with its address and ranges, and forgets all that
    /// was sent.
    fn take_wants(&mut self) -> Vec<(SocketAddr, Vec<EntryRange>)> {
        let sent = std::mem::take(&mut self.sent);
        let wants = sent.into_iter().filter_map(|it| match it.packet {
            Outgoing::Control(Control::Want(want)) => Some((it.addresses[0], want.ranges)),
            _ => None,
        });
        wants.collect()
    }

    /// Delivers the answer `lost` of a fake peer about entries of an author.
    fn receive_lost(&mut self, who: &mut FakePeer, author: PeerId, first: u32, last: u32) {
        let ranges = vec![EntryRange { author, first, last }];
        self.receive(who, Control::Lost(Lost { ranges }));
    }

    /// Returns the number of gaps that the user was told of.
    fn gaps(&self) -> usize {
        self.events.iter().filter(|it| matches!(it, Event::Gap { .. })).count()
    }
}

/// When a peer has answered `lost`, the next one is asked within 20 ms. If nobody else is left, the
/// same one is asked for what it has behind that, as soon.
#[test]
fn lost_entries_are_asked_of_the_next_peer_at_once() {
    for has_other in [true, false] {
        let mut bench = TestBench::alone();
        let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
        assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut carl, "carl"));
        let author = bert.signer.id;
        if has_other {
            let page = vec![PageItem { author, have: 1_000, ago: 0 }];
            bench.receive_heartbeat(&mut carl, "carl", 0, page);
        }
        bench.receive_heartbeat(&mut bert, "bert", 1_000, vec![]);
        bench.sent.clear();
        bench.advance(151);
        let first = EntryRange { author, first: 1, last: 64 };
        assert_eq!(bench.take_wants(), [(bert.address, vec![first])]);
        bench.receive_lost(&mut bert, author, 1, 64);
        bench.advance(20);
        let (next, expected) = if has_other { (carl.address, 1) } else { (bert.address, 65) };
        let wants = bench.take_wants();
        assert_eq!(wants.len(), 1, "{has_other}");
        assert_eq!((wants[0].0, wants[0].1[0].first), (next, expected), "{has_other}");
    }
}

/// As long as the author is heard and has not answered `lost`, its missing entries are not given
/// up, however long it does not answer. What comes at last is shown.
#[test]
fn gap_is_not_given_up_while_somebody_can_be_asked() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let entry = bert.entry(3, 3);
    bench.receive_entry(&bert, entry);
    for _ in 0..30 {
        bench.receive_heartbeat(&mut bert, "bert", 3, vec![]);
        bench.advance(2_000);
    }
    assert_eq!((bench.gaps(), bench.texts().len()), (0, 0));
    for sequence in [2, 1] {
        let entry = bert.entry(sequence, sequence.into());
        bench.receive_entry(&bert, entry);
    }
    bench.advance(1_000);
    assert_eq!(bench.texts(), ["1", "2", "3"]);
    assert_eq!(bench.gaps(), 0);
}

/// What is missing of several authors shares the entries and the ranges of a `want` evenly.
#[test]
fn authors_share_the_room_of_a_want() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let authors: Vec<_> = (10..14).map(FakePeer::new).collect();
    let item =
        |it: &FakePeer| PageItem { author: it.signer.id, have: 1_000, ago: PageItem::ABSENT };
    let page: Vec<_> = authors.iter().map(item).collect();
    // First all entries are missing, then each second one of the first 64.
    for (is_in_pieces, most) in [(false, 64), (true, 32)] {
        bench.sent.clear();
        for _ in 0..100 {
            bench.receive_heartbeat(&mut bert, "bert", 0, page.clone());
            bench.advance(100);
        }
        let mut shared = 0;
        for (_, ranges) in bench.take_wants() {
            let mut shares: BTreeMap<PeerId, u32> = BTreeMap::new();
            for it in &ranges {
                let share = if is_in_pieces { 1 } else { it.last - it.first + 1 };
                *shares.entry(it.author).or_default() += share;
            }
            let (least, greatest) = (shares.values().min(), shares.values().max());
            let total: u32 = shares.values().sum();
            assert!(total <= most, "{ranges:?}");
            if shares.len() > 1 {
                shared += 1;
                assert!(greatest.unwrap() - least.unwrap() <= 1, "{ranges:?}");
                assert!(total > most - 3, "{ranges:?}");
            }
        }
        assert!(shared > 3, "{shared} with more than one author");
        for author in &authors {
            for sequence in (2..=64).step_by(2) {
                let entry = author.entry(sequence, sequence.into());
                bench.receive_entry(&bert, entry);
            }
        }
    }
}

/// The time for which the machine sleeps does not count when a gap is given up: the ten seconds
/// begin anew.
#[test]
fn gap_is_not_given_up_for_a_sleep() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let (entry, author) = (bert.entry(2, 2), bert.signer.id);
    bench.receive_entry(&bert, entry);
    bench.receive_heartbeat(&mut bert, "bert", 2, vec![]);
    bench.receive_lost(&mut bert, author, 1, 1);
    bench.advance(5_000);
    bench.now += 60_000;
    bench.input(Input::Wake);
    for second in 0..10 {
        assert_eq!(bench.gaps(), 0, "{second} s after the sleep");
        bench.receive_heartbeat(&mut bert, "bert", 2, vec![]);
        bench.advance(if second < 9 { 1_000 } else { 999 });
    }
    assert_eq!(bench.gaps(), 0);
    // An answer to the last `want` may still be on its way.
    bench.advance(300);
    assert_eq!(bench.gaps(), 1);
    bench.advance(1_000);
    assert_eq!(bench.texts(), ["2"]);
}

/// Entries are here that lie apart, and nobody has any longer what lies between. After the ten
/// seconds of the first gap, the others are given up as soon as the peers have answered `lost`.
#[test]
fn gaps_between_single_entries_are_given_up_one_after_the_other() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let author = bert.signer.id;
    bench.receive_heartbeat(&mut bert, "bert", 100, vec![]);
    for sequence in [10, 20, 21, 30, 40, 50].into_iter().chain(61..=100) {
        let entry = bert.entry(sequence, sequence.into());
        bench.receive_entry(&bert, entry);
    }
    for step in 0..150 {
        bench.advance(100);
        for (_, ranges) in bench.take_wants() {
            // What it has dropped since is not yet told.
            let EntryRange { first, last, .. } = ranges[0];
            bench.receive_lost(&mut bert, author, first, last);
        }
        bench.receive_heartbeat(&mut bert, "bert", 100, vec![]);
        assert!(step > 97 || bench.gaps() == 0, "{step}");
    }
    assert_eq!((bench.texts().len(), bench.gaps()), (46, 6));
}
