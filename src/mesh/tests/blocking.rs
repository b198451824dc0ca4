//! Tests of `/block` and `/unblock`.

use super::SimRoom;
use crate::mesh::End;
use crate::model::{Command, Event, PeerCommand, Refusal};
use crate::wire::udp::Signer;

impl SimRoom {
    /// Passes a request of the user to a peer. Returns the text of the answer.
    fn answer_to(&mut self, number: u8, request: PeerCommand) -> String {
        self.request(number, Command::Peer(request));
        match self.peers[&number].events.last() {
            Some(Event::Done { text, .. } | Event::Refused(Refusal { text, .. })) => text.clone(),
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
