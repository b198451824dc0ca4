//! Messages of the greatest length, at full speed.

use std::fmt::Write;

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::Attack;

/// Number of attacking connections.
const CONNECTIONS: usize = 64;

/// Number of different messages.
const MESSAGES: u64 = 500;

/// Returns a text of the greatest length: words that no other message has, so that the search index
/// grows by each of them.
fn text(number: u64) -> String {
    let mut text = String::new();
    for word in 0..4_096 / 8 {
        write!(text, "{:07x} ", number * 4_096 + word).unwrap();
    }
    text
}

/// Messages of words of their own, in a room of the attackers.
#[test]
fn longest_messages_at_full_speed() {
    let attack = Attack { name: "4 KiB messages", ..Attack::default() };
    // References that ascend, or the server would take a message for one sent again.
    let say = |number| encoded(common::say(number, "attic", &text(number)));
    let frames: Vec<u8> = (1..=MESSAGES).flat_map(say).collect();
    attack.run(|target| {
        let clients = target.join_all(CONNECTIONS, |_| vec!["attic".to_owned()]);
        flood(target, clients, &frames, Reading::Everything);
    });
}
