//! Tests of one peer that faces malicious members, strangers and replayed packets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use super::bench::*;
use crate::mesh::Outgoing;
use crate::model::{Event, Path, PathSet, PeerId, RoomClock, Timestamp};
use crate::wire::udp::*;

/// A member's entry that states the name of another member, of this peer, or of a peer that is
/// shown as heard through a member, is shown under the author's own name. A name that nobody holds
/// is shown as the entry states it.
#[test]
fn entry_in_the_name_of_another_member_is_shown_under_its_authors_name() {
    let mut bench = TestBench::alone();
    let (mut bert, mut mallory) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut mallory, "mallory"));
    // Known through bert only, by the name in its entry: "liar".
    let dora = FakePeer::new(3);
    let page = vec![PageItem { author: dora.signer.id, have: 1, ago: 0 }];
    bench.receive_heartbeat(&mut bert, "bert", 0, page);
    bench.advance(200);
    bench.receive_entry(&bert, dora.entry(1, 1));
    bench.advance(200);
    for (sequence, stated) in (1..).zip(["bert", "BERT", "anna", "liar", "carl", "mallory"]) {
        let fields = EntryFields {
            username: stated.to_owned(),
            ..mallory.entry(sequence, u64::from(sequence)).fields.clone()
        };
        let entry = Arc::new(Entry::with_signature(mallory.signer, fields, [0; 64]));
        bench.receive_entry(&mallory, entry);
        bench.advance(200);
    }
    let from = bench.events.iter().filter_map(|it| match it {
        Event::Message(it) => Some(it.from.as_str()),
        _ => None,
    });
    let from: Vec<_> = from.collect();
    assert_eq!(from, ["liar", "mallory", "mallory", "mallory", "mallory", "carl", "mallory"]);
}

/// If the only source of the history does not answer, the newcomer asks it again and again until
/// the source is gone. Then the newcomer joins without a history. It does not wake up in a loop,
/// although it knows of a gap.
#[test]
fn recall_without_answer_ends_and_does_not_spin() {
    let mut bench = TestBench::candidate();
    let mut oldest = FakePeer::new(1);
    bench.receive_agree(&mut oldest, 0, 0);
    bench.advance(2_100);
    let (clock, time) = (RoomClock(1_002_100), Timestamp(0));
    let (username, since) = ("oldest".to_owned(), RoomClock(0));
    let beat = Heartbeat { clock, since, username, time, members: 2, sequence: 5, page: vec![] };
    bench.receive(&mut oldest, Control::Heartbeat(beat));
    bench.advance(2_000);
    assert_eq!(bench.count_sent(|it| matches!(it, Control::Recall(_))), 6);
    assert!(!bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
    bench.advance(10_000);
    assert!(bench.count_sent(|it| matches!(it, Control::Recall(_))) <= 26);
    assert!(bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
    assert!(bench.wake.is_some() && bench.wakes < 100, "{}", bench.wakes);
}

/// A name that no rule allows counts as not stated: it makes nobody a member, and a member keeps
/// the name that it had. Another valid name is believed, and reported.
#[test]
fn invalid_names_count_as_not_stated() {
    let mut bench = TestBench::alone();
    let mut mallory = FakePeer::new(1);
    for name in ["a b", "", "@anna", "b\nert", "\u{202e}anna"] {
        bench.meet(&mut mallory, name);
        assert_eq!(bench.names().len(), 1, "{name:?}");
    }
    bench.meet(&mut mallory, "mallory");
    assert!(bench.names().contains("mallory"));
    for (stated, shown) in [("mal lory", "mallory"), ("carl", "carl"), ("", "carl")] {
        bench.receive_heartbeat(&mut mallory, stated, 0, vec![]);
        assert!(bench.names().contains(shown), "{stated:?}");
    }
    let last = bench.events.iter().rev().find_map(|it| match it {
        Event::Presence { joined, left, .. } => Some((joined.clone(), left.clone())),
        _ => None,
    });
    let (carl, mallory) = (vec!["carl".to_owned()], vec!["mallory".to_owned()]);
    assert_eq!(last, Some((Some(carl), Some(mallory))));
}

/// An honest newcomer joins although an attacker has invented 2,000 candidates.
#[test]
fn honest_newcomer_joins_despite_invented_candidates() {
    let mut bench = TestBench::alone();
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    for number in 0..2_000 {
        let mut stranger = FakePeer::new(number).at(crowd);
        let nonce = Nonce(stranger.signer.id.0);
        let announce = Announce::new(nonce, format!("s{number}"), vec![]);
        bench.receive(&mut stranger, Control::Announce(announce));
    }
    let mut honest = FakePeer::new(5_000);
    assert!(bench.admit(&mut honest, "bert"));
    assert!(bench.names().contains("bert"));
}

/// While an attacker invents 3,000 peers, an honest peer is not evicted before it can answer a
/// ping.
#[test]
fn heard_peer_is_not_evicted_by_a_flood() {
    let mut bench = TestBench::alone();
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    let mut honest = FakePeer::new(5_000);
    let before = bench.sent.len();
    bench.receive_heartbeat(&mut honest, "bert", 0, vec![]);
    for number in 0..3_000 {
        let mut stranger = FakePeer::new(number).at(crowd);
        bench.receive_heartbeat(&mut stranger, "stranger", 0, vec![]);
        bench.advance(1);
    }
    assert!(bench.answer_cookies(&mut honest, before));
    assert!(bench.names().contains("bert"));
}

/// Delivers `beats` heartbeats of a liar, 20 ms apart. Each lists 60 further peers that do not
/// exist.
fn receive_phantom_pages(bench: &mut TestBench, liar: &mut FakePeer, beats: u16) {
    for beat in 0..beats {
        let item = |number: u16| PageItem {
            author: FakePeer::new(10_000 + beat * 60 + number).signer.id,
            have: u32::MAX,
            ago: 0,
        };
        bench.receive_heartbeat(liar, "liar", 0, (0..60).map(item).collect());
        bench.advance(20);
    }
}

/// A member that lists 9,000 peers that do not exist keeps nobody out, and causes a limited number
/// of `where`s.
#[test]
fn listed_phantoms_keep_nobody_out() {
    let mut bench = TestBench::alone();
    let mut liar = FakePeer::new(1);
    assert!(bench.admit(&mut liar, "liar"));
    receive_phantom_pages(&mut bench, &mut liar, 150);
    bench.advance(5_000);
    assert!(bench.count_sent(|it| matches!(it, Control::Where(_))) <= 128 * 3);
    let mut honest = FakePeer::new(5_000);
    assert!(bench.admit(&mut honest, "bert"));
    assert!(bench.names().contains("bert"));
}

/// A candidate joins although each second one more stranger defers its vote, and one more seems to
/// be a senior member.
#[test]
fn candidate_joins_despite_endless_deferred_votes() {
    let mut bench = TestBench::candidate();
    for number in 0..60 {
        let mut asking = FakePeer::new(number);
        bench.receive_agree(&mut asking, Agree::ASKING, 0);
        bench.receive_heartbeat(&mut FakePeer::new(number + 1_000), "old", 0, vec![]);
        bench.advance(1_000);
    }
    assert!(bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
}

/// Returns a bench whose peer has begun to fetch its history from this fake member. The member's
/// `agree` has stated this Lamport counter.
fn bench_recalling_from(oldest: &mut FakePeer, lamport: u64) -> TestBench {
    let mut bench = TestBench::candidate();
    bench.receive_agree(oldest, 0, lamport);
    bench.advance(2_100);
    bench
}

/// Delivers a `recent` of a fake member: the answer to the last `recall` of the peer under test,
/// with this number of pages, these entry ids and these marks. Panics if `sent` has no `recall`.
fn receive_recent(
    bench: &mut TestBench,
    oldest: &mut FakePeer,
    pages: u16,
    entries: &[(PeerId, u32)],
    marks: &[Mark],
) {
    let asked = bench.sent.iter().rev().find_map(|it| match &it.packet {
        Outgoing::Control(Control::Recall(it)) => Some(*it),
        _ => None,
    });
    let Recall { nonce, page } = asked.unwrap();
    let entries =
        entries.iter().map(|(author, sequence)| EntryId { author: *author, sequence: *sequence });
    let (entries, marks) = (entries.collect(), marks.to_vec());
    bench.receive(oldest, Control::Recent(Recent { nonce, page, pages, entries, marks }));
}

/// A newcomer joins after 18 pages of marks, although its source states 65,535 pages.
#[test]
fn endless_history_pages_are_cut_off() {
    let mut oldest = FakePeer::new(1);
    let mut bench = bench_recalling_from(&mut oldest, 0);
    for _ in 0..18 {
        receive_recent(&mut bench, &mut oldest, u16::MAX, &[], &[]);
        bench.advance(1);
    }
    assert!(bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
}

/// A newcomer gets its history although 300 other entries have arrived before.
#[test]
fn flooded_newcomer_gets_its_history() {
    let mut oldest = FakePeer::new(1);
    let mut bench = bench_recalling_from(&mut oldest, 0);
    for sequence in 100..400 {
        let entry = oldest.entry(sequence, sequence.into());
        bench.receive_entry(&oldest, entry);
    }
    let author = oldest.signer.id;
    receive_recent(&mut bench, &mut oldest, 1, &[(author, 7)], &[Mark { author, have: 7 }]);
    let entry = oldest.entry(7, 7);
    bench.receive_entry(&oldest, entry);
    bench.advance(500);
    assert_eq!(bench.texts()[0], "7");
}

/// A peer was alone while an attacker pushed up the Lamport counter of others. It still accepts
/// their messages, but not a Lamport counter at the end of the range.
#[test]
fn messages_are_accepted_after_pushed_lamport_counter() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    bench.advance(5_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let pushed = bert.entry(1, 6 * 65_000);
    bench.receive_entry(&bert, pushed);
    bench.advance(1_100);
    assert_eq!(bench.texts(), ["1"]);
    // A jump to the end of the range is refused.
    let end = bert.entry(2, (1 << 48) - 1);
    bench.receive_entry(&bert, end);
    bench.advance(1_100);
    assert_eq!(bench.texts(), ["1"]);
}

/// One liar among three voters does not give a newcomer a useless Lamport counter. A history entry
/// with a false counter is not shown.
#[test]
fn one_false_counter_does_not_mislead_a_newcomer() {
    for false_counter in [0, (1 << 48) - 1] {
        let mut bench = TestBench::candidate();
        let mut others = [FakePeer::new(1), FakePeer::new(2), FakePeer::new(3)];
        for (it, counter) in others.iter_mut().zip([10_000_000, false_counter, 10_000_003]) {
            bench.receive_agree(it, 0, counter);
        }
        bench.advance(2_100);
        let mut asked = bench.sent.iter().rev();
        let asked = asked.find(|it| matches!(it.packet, Outgoing::Control(Control::Recall(_))));
        let asked = asked.unwrap().addresses[0];
        let oldest = others.iter_mut().find(|it| it.address == asked).unwrap();
        let names = [(oldest.signer.id, 6), (oldest.signer.id, 7)];
        for (sequence, lamport) in [(6, 10_000_002), (7, (1 << 48) - 1)] {
            let entry = oldest.entry(sequence, lamport);
            bench.receive_entry(oldest, entry);
        }
        receive_recent(
            &mut bench,
            oldest,
            1,
            &names,
            &[Mark { author: oldest.signer.id, have: 7 }],
        );
        bench.advance(500);
        assert_eq!(bench.texts(), ["6"], "{false_counter}");
    }
}

/// A false floor in the history does not hide the messages of a member.
#[test]
fn false_floor_does_not_hide_a_member() {
    let (mut oldest, mut bert) = (FakePeer::new(1), FakePeer::new(2));
    let mut bench = bench_recalling_from(&mut oldest, 0);
    let mark = Mark { author: bert.signer.id, have: u32::MAX };
    receive_recent(&mut bench, &mut oldest, 1, &[], &[mark]);
    bench.advance(500);
    assert!(bench.admit(&mut bert, "bert"));
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let entry = bert.entry(1, 1);
    bench.receive_entry(&bert, entry);
    bench.advance(100);
    assert_eq!(bench.texts(), ["1"]);
}

/// A liar claims entries that their author has not written yet. When the author has written
/// entries, the peer under test still requests them from the author.
#[test]
fn claim_of_unwritten_entries_does_not_stop_repair() {
    let mut bench = TestBench::alone();
    let (mut bert, mut liar) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut liar, "liar"));
    let author = bert.signer.id;
    let lie = |have| vec![PageItem { author, have, ago: 0 }];
    for _ in 0..4 {
        let before = bench.sent.len();
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.receive_heartbeat(&mut liar, "liar", 0, lie(u32::MAX));
        bench.advance(1_000);
        let asked = bench.sent[before..].iter().filter(|it| it.addresses.contains(&bert.address));
        let is_want = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Want(_)));
        if asked.filter(is_want).count() > 0 {
            let ranges = vec![EntryRange { author, first: 1, last: 64 }];
            bench.receive(&mut bert, Control::Lost(Lost { ranges }));
        }
    }
    // The first entry of bert was lost on the way.
    let entry = bert.entry(2, 2);
    bench.receive_entry(&bert, entry);
    bench.receive_heartbeat(&mut bert, "bert", 2, vec![]);
    bench.sent.clear();
    for _ in 0..5 {
        bench.receive_heartbeat(&mut bert, "bert", 2, vec![]);
        bench.receive_heartbeat(&mut liar, "liar", 0, lie(u32::MAX));
        bench.advance(1_000);
    }
    let is_want = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Want(_)));
    let to_bert = bench.sent.iter().filter(|it| it.addresses.contains(&bert.address));
    assert!(to_bert.filter(is_want).count() > 0);
}

/// An attacker replays packets of a listed peer from a victim's address. The victim gets no unicast
/// copies, and at most twice the bytes that came from its address.
#[test]
fn unverified_address_gets_no_copies() {
    let mut bench = TestBench::alone();
    let (mut liar, mut puppet) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut liar, "liar"));
    let item = PageItem { author: puppet.signer.id, have: 0, ago: 0 };
    let mut sent = 0;
    let before = bench.sent.len();
    for _ in 0..10 {
        bench.receive_heartbeat(&mut liar, "liar", 0, vec![item]);
        bench.receive_heartbeat(&mut puppet, "puppet", 0, vec![]);
        bench.receive(
            &mut puppet,
            Control::Ping(Ping { cookie: Cookie([1; 8]), heard: PathSet(0) }),
        );
        sent += 137 * 2 + 5;
        bench.advance(2_000);
    }
    assert!(bench.names().contains("puppet"));
    bench.sent.drain(..before);
    let is_copy = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Heartbeat(_)));
    let to_victim = bench.sent.iter().filter(|it| it.addresses.contains(&puppet.address));
    assert_eq!(to_victim.filter(is_copy).count(), 0);
    assert!(bench.bytes_to(puppet.address) <= sent * 2, "{}", bench.bytes_to(puppet.address));
    let is_heard = |it: &&Sent| it.paths.has(Path::GroupV4) || it.addresses.contains(&liar.address);
    let beats = bench.sent.iter().filter(is_copy).filter(is_heard).count();
    assert!(beats >= 8, "all others still receive of one: {beats}");
}

/// A single heartbeat, as an attacker might replay it, causes only one ping.
#[test]
fn replayed_heartbeat_gets_one_ping() {
    let mut bench = TestBench::alone();
    let mut gone = FakePeer::new(1);
    bench.receive_heartbeat(&mut gone, "gone", 0, vec![]);
    bench.advance(40_000);
    assert_eq!(bench.count_sent(|it| matches!(it, Control::Ping(_))), 1);
}

/// A member that has missed a peer's `bye` still lists the peer. That does not bring the peer back.
#[test]
fn stale_report_does_not_bring_a_gone_peer_back() {
    for shift in 0..10 {
        let mut bench = TestBench::alone();
        let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
        assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut carl, "carl"));
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        let heard = bench.now;
        bench.advance(50 * shift);
        bench.receive(&mut bert, Control::Bye(Bye {}));
        for _ in 0..30 {
            bench.advance(97);
            let ago = u8::try_from((bench.now - heard) / 500).unwrap();
            let item = PageItem { author: bert.signer.id, have: 0, ago };
            bench.receive_heartbeat(&mut carl, "carl", 0, vec![item]);
            assert!(!bench.names().contains("bert"), "after {} ms", bench.now - heard);
        }
    }
}

/// Nobody else brings back a peer that has said `bye`, however often a page says that it was heard
/// just now, and no recording does. The peer itself does.
#[test]
fn page_does_not_bring_back_a_peer_that_has_said_bye() {
    let mut bench = TestBench::alone();
    let (mut bert, mut mallory) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut mallory, "mallory"));
    let recording = bench.heartbeat("bert", 0, vec![]);
    bert.counter += 1;
    bench.receive(&mut bert, Control::Bye(Bye {}));
    bert.counter -= 2;
    bench.receive(&mut bert, recording);
    bert.counter += 1;
    for _ in 0..60 {
        bench.advance(2_000);
        let page = vec![PageItem { author: bert.signer.id, have: 0, ago: 0 }];
        bench.receive_heartbeat(&mut mallory, "mallory", 0, page);
        assert!(!bench.names().contains("bert"), "after {} ms", bench.now);
    }
    assert!(bench.admit(&mut bert, "bert"));
    assert!(bench.names().contains("bert"));
}

/// A newcomer whose cookie was lost gets another cookie as soon as it asks for its history.
#[test]
fn recall_of_unverified_newcomer_is_answered_by_a_ping() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    let nonce = Nonce([3; 8]);
    bench.receive(&mut bert, Control::Announce(Announce::new(nonce, "bert".to_owned(), vec![])));
    bench.advance(2_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let before = bench.sent.len();
    bench.receive(&mut bert, Control::Recall(Recall { nonce, page: 0 }));
    assert!(bench.answer_cookies(&mut bert, before));
    bench.receive(&mut bert, Control::Recall(Recall { nonce, page: 0 }));
    assert_eq!(bench.count_sent(|it| matches!(it, Control::Recent(_))), 1);
}

/// A candidate whose machine was suspended starts a new attempt, because what it has heard is out
/// of date.
#[test]
fn suspended_candidate_starts_again() {
    let mut bench = TestBench::candidate();
    bench.advance(1_000);
    bench.now += 20_000;
    bench.advance(1_000);
    assert!(bench.end.is_none() && bench.events.is_empty(), "{:?}", bench.events);
    bench.advance(1_500);
    assert!(bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
    assert!(bench.count_sent(|it| matches!(it, Control::Announce(_))) >= 8);
}

/// With 100 other members, any two consecutive pages of 60 places list all 100 of them.
#[test]
fn pages_list_all_members_in_turns() {
    let mut bench = TestBench::alone();
    let mut liars: Vec<FakePeer> = (0..100).map(FakePeer::new).collect();
    for number in 0..liars.len() {
        let name = format!("m{number}");
        assert!(bench.admit(&mut liars[number], &name));
        for (other, liar) in liars.iter_mut().enumerate().take(number) {
            bench.receive_heartbeat(liar, &format!("m{other}"), 0, vec![]);
        }
    }
    bench.sent.clear();
    for _ in 0..4 {
        for (number, liar) in liars.iter_mut().enumerate() {
            bench.receive_heartbeat(liar, &format!("m{number}"), 0, vec![]);
        }
        bench.advance(2_500);
    }
    let pages: Vec<BTreeSet<PeerId>> = bench
        .sent
        .iter()
        .filter_map(|it| match &it.packet {
            Outgoing::Control(Control::Heartbeat(it)) if it.page.len() == 60 => {
                Some(it.page.iter().map(|it| it.author).collect())
            }
            _ => None,
        })
        .collect();
    assert!(pages.len() >= 2);
    for two in pages.windows(2) {
        assert_eq!(two[0].union(&two[1]).count(), 100);
    }
}
