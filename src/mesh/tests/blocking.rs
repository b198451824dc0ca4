//! Tests of `/block` and `/unblock`.

use super::SimRoom;
use super::bench::{FakePeer, TestBench};
use crate::mesh::{End, Input};
use crate::model::{Command, Event, PeerCommand, Refusal, Request, RequestTag};
use crate::wire::udp::{PageItem, Signer};

impl SimRoom {
    /// Passes a request of the user to a peer. Returns the text of the answer, `Done` or `Refused`;
    /// panics if there is none.
    fn answer_to(&mut self, number: u8, request: PeerCommand) -> String {
        self.request(number, Command::Peer(request));
        match self.peers[&number].events.last() {
            Some(Event::Done { text, .. } | Event::Refused(Refusal { text, .. })) => {
                text.to_string()
            }
            other => panic!("no answer, but {other:?}"),
        }
    }

    /// Has the user of a peer block a name. Returns the text of the answer.
    fn block(&mut self, number: u8, name: &str) -> String {
        self.answer_to(number, PeerCommand::Block { name: name.to_owned() })
    }

    /// Has the user of a peer unblock a name. Returns the text of the answer.
    fn unblock(&mut self, number: u8, name: &str) -> String {
        self.answer_to(number, PeerCommand::Unblock { name: name.to_owned() })
    }

    /// Starts peers with these names as 1, 2, …, and waits until all have joined.
    fn start_all(&mut self, names: &[&str]) {
        for (number, name) in (1..).zip(names) {
            self.start(number, name);
            self.advance(4_000);
        }
    }
}

/// Messages of a blocked key are hidden only from the peer that has blocked it. After the block
/// ends, later messages are shown.
#[test]
fn blocked_key_is_hidden_until_it_is_unblocked() {
    let mut room = SimRoom::default();
    room.start_all(&["anna", "bert", "carl"]);
    for text in [room.block(1, "Bert"), room.block(1, "bert")] {
        assert!(text.contains("is hidden from you") && text.contains("the others"), "{text}");
        assert!(text.contains("key") && text.contains("objects"), "{text}");
    }
    room.say(2, "hidden");
    room.say(3, "hello");
    room.advance(1_000);
    assert_eq!(room.texts(1, false), ["hello"]);
    assert_eq!(room.texts(3, false).len(), 2);
    let text = room.unblock(1, "BERT");
    assert!(text.contains("stays hidden") && text.contains("is shown"), "{text}");
    room.say(2, "shown");
    room.advance(1_000);
    assert_eq!(room.texts(1, false), ["hello", "shown"]);
}

/// Candidates with a blocked name are rejected, until the name is unblocked. Without a member of
/// this name, the user is told that nothing is hidden.
#[test]
fn blocked_name_is_kept_out_until_it_is_unblocked() {
    let mut room = SimRoom::default();
    room.start_all(&["anna"]);
    let text = room.block(1, "bert");
    assert!(text.contains("nothing is hidden") && text.contains("objects"), "{text}");
    room.start(2, "bert");
    room.advance(4_000);
    assert!(matches!(room.peers[&2].end, Some(End::Rejected { code: 400, .. })));
    room.unblock(1, "bert");
    room.start(3, "bert");
    room.advance(4_000);
    assert_eq!(room.names(1), ["anna", "bert"]);
}

/// A candidate with a blocked key is rejected under another name, too, until the name by which the
/// key was blocked is unblocked.
#[test]
fn blocked_key_is_kept_out_under_another_name() {
    let mut room = SimRoom::default();
    room.start_all(&["anna", "bert"]);
    room.block(1, "bert");
    room.request(2, Command::Quit);
    room.advance(1_000);
    // This peer has the key of bert.
    room.start_as(3, "rob", false, Signer::new([2; 32], [3; 8]));
    room.advance(4_000);
    assert!(matches!(room.peers[&3].end, Some(End::Rejected { code: 400, .. })));
    room.unblock(1, "bert");
    room.start_as(4, "rob", false, Signer::new([2; 32], [4; 8]));
    room.advance(4_000);
    assert_eq!(room.names(1), ["anna", "rob"]);
}

/// What a blocked member objects to still counts for newcomers.
#[test]
fn objection_of_a_blocked_member_counts() {
    let mut room = SimRoom::default();
    room.start_all(&["anna", "bert", "carl"]);
    room.block(1, "carl");
    room.block(2, "carl");
    room.block(3, "dora");
    room.start(4, "dora");
    room.advance(5_000);
    let end = &room.peers[&4].end;
    assert!(matches!(end, Some(End::Rejected { code: 400, by, .. }) if by == "carl"), "{end:?}");
}

/// The list has all blocked names. A name that is not blocked cannot be unblocked.
#[test]
fn block_list_is_reported() {
    let mut room = SimRoom::default();
    room.start_all(&["anna", "bert"]);
    assert_eq!(room.answer_to(1, PeerCommand::ListBlocked), "Nobody is blocked.");
    let text = room.unblock(1, "bert");
    assert!(text.starts_with("bert is not blocked."), "{text}");
    room.block(1, "bert");
    room.block(1, "Eve");
    let text = room.answer_to(1, PeerCommand::ListBlocked);
    assert_eq!(text, "Blocked: bert, eve (only the name).");
    room.unblock(1, "eve");
    assert_eq!(room.answer_to(1, PeerCommand::ListBlocked), "Blocked: bert.");
    assert_eq!(room.block(1, "anna"), "That is you.");
}

/// If two members hold a blocked name, as right after a merge, and a third holder is known through
/// another peer only, all three are hidden, and shown again once the name is unblocked.
#[test]
fn all_holders_of_a_blocked_name_are_hidden() {
    let mut bench = TestBench::alone();
    let [mut bert, mut one, mut other, distant] = [1, 2, 3, 4].map(FakePeer::new);
    bench.meet(&mut bert, "bert");
    bench.meet(&mut one, "Liar");
    bench.meet(&mut other, "liar");
    // The entries of fake peers state the name "liar".
    let say = |bench: &mut TestBench, bert: &mut FakePeer, sequence: u32| {
        let page = vec![PageItem { author: distant.signer.id, have: sequence, ago: 0 }];
        bench.receive_heartbeat(bert, "bert", 0, page);
        bench.advance(200);
        for it in [&one, &other, &distant] {
            let sender = if it.signer.id == distant.signer.id { &*bert } else { it };
            bench.receive_entry(sender, it.entry(sequence, sequence.into()));
        }
        bench.advance(1_000);
        bench.texts().len()
    };
    let request = |bench: &mut TestBench, command: PeerCommand| {
        let (tag, command) = (RequestTag::default(), Command::Peer(command));
        bench.input(Input::Request(Request { tag, command }));
        match bench.events.last() {
            Some(Event::Done { text, .. }) => text.to_string(),
            other => panic!("no answer, but {other:?}"),
        }
    };
    let name = "liar".to_owned();
    assert_eq!(say(&mut bench, &mut bert, 1), 3);
    let text = request(&mut bench, PeerCommand::Block { name: name.clone() });
    assert!(text.contains("3 who are here"), "{text}");
    assert_eq!(say(&mut bench, &mut bert, 2), 3);
    request(&mut bench, PeerCommand::Unblock { name });
    assert_eq!(say(&mut bench, &mut bert, 3), 6);
}
