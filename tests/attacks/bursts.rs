//! As many messages as one address may send, by many connections at once.

use pi_chat::model::{Reference, SessionId};
use pi_chat::wire::tcp::Direct;

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{Attack, join_lobby};

/// Number of attacking connections: nearly as many as one address may have.
const CONNECTIONS: usize = 240;

/// Units that a connection may use at once.
const BURST: u64 = 60;

/// Units of a message of 4,000 bytes.
const LONG_MESSAGE: u64 = 4;

/// Attacks with `frames`, which all connections send at once, and then again as the rate allows.
/// Asserts that they reach the rate limit of messages of their address.
fn burst(name: &str, frames: &[u8]) {
    let recruit = |address| (0..CONNECTIONS).map(|number| join_lobby(address, number)).collect();
    let attack = Attack { name, recruit: &recruit, reaches: &["messages"], ..Attack::default() };
    attack.run(|target| flood(target, target.recruits(), frames, Reading::Everything));
}

/// Messages of 4,000 bytes, of words that no other message has, in the room of all clients.
#[test]
fn long_messages_of_many_words_in_one_room() {
    let message = |number: u64| {
        let words = (0..500).map(|word| format!("{:07x} ", number * 4_096 + word));
        encoded(common::say(number, "lobby", &words.collect::<String>()))
    };
    burst("words of 240", &(1..=BURST / LONG_MESSAGE).flat_map(message).collect::<Vec<u8>>());
}

/// The reader is one of the well-behaved pair.
#[test]
fn direct_messages_to_one_reader() {
    let message = |number: u64| {
        encoded(Direct {
            reference: Reference(number),
            to: "pair1".to_owned(),
            session: SessionId(0),
            style: 0,
            text: "x".to_owned(),
        })
    };
    burst("directs of 240", &(1..=BURST).flat_map(message).collect::<Vec<u8>>());
}
