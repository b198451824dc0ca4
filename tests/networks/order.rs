//! The common order of messages.

use super::lab::{Family, Lab};
use super::peer_process::{PeerProcess, ShownMessage, join_all};

/// Number of messages that each peer says.
const MESSAGES: usize = 25;

/// Three peers speak at once. By Lamport counter, id and sequence, as `--json` states them, all
/// have the messages in one order, and each shows them in this order, but for those marked as late.
#[test]
fn peers_that_speak_at_once_show_one_order() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let names = ["anna", "bob", "carol"];
    let mut peers = join_all(&machines, names);
    for number in 0..MESSAGES {
        for (peer, name) in peers.iter_mut().zip(names) {
            peer.say(&format!("{name} {number}"));
        }
    }
    for peer in &mut peers {
        peer.wait_for_message_count(names.len() * MESSAGES);
        peer.read_pending();
    }
    let views = peers.each_ref().map(PeerProcess::messages);
    let sorted = views.each_ref().map(|it| sort(it));
    assert_eq!(sorted[0].len(), names.len() * MESSAGES);
    for (view, sorted_view) in views.iter().zip(&sorted) {
        assert_eq!(sorted_view, &sorted[0]);
        let in_time: Vec<_> = view.iter().filter(|it| !it.is_late).map(place_and_text).collect();
        assert!(in_time.is_sorted(), "{in_time:?}");
    }
}

/// The place of a message in the common order, and its text.
fn place_and_text(message: &ShownMessage) -> (u64, &str, u64, &str) {
    (message.lamport, &message.author, message.sequence, &message.text)
}

/// The messages of a view in the common order.
fn sort(view: &[ShownMessage]) -> Vec<(u64, &str, u64, &str)> {
    let mut all: Vec<_> = view.iter().map(place_and_text).collect();
    all.sort_unstable();
    all
}
