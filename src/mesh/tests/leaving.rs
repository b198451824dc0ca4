//! Tests of leaving.

use super::bench::{FakePeer, TestBench};
use crate::mesh::{End, Input, Outgoing};
use crate::model::{Command, Request, RequestTag};
use crate::wire::udp::{Control, PageItem};

/// A peer that leaves sends nothing after its two `bye`s, although a heartbeat, an introduction to
/// a named host, and a `where` about a listed peer are due.
#[test]
fn bye_is_the_last_packet() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let page = vec![PageItem { author: FakePeer::new(2).signer.id, have: 0, ago: 0 }];
    bench.receive_heartbeat(&mut bert, "bert", 0, page);
    bench.advance(2_000);
    bench.input(Input::Hosts(vec![FakePeer::new(3).address]));
    bench.sent.clear();
    // No wake-up is delivered in this time.
    bench.now += 2_500;
    let (tag, command) = (RequestTag::default(), Command::Quit);
    bench.input(Input::Request(Request { tag, command }));
    assert_eq!(bench.end, Some(End::Left { unsent: 0, refused: 0 }));
    let is_bye = |it: &Outgoing| matches!(it, Outgoing::Control(Control::Bye(_)));
    let byes: Vec<_> = bench.sent.iter().map(|it| is_bye(&it.packet)).collect();
    assert_eq!(byes, [true, true]);
}
