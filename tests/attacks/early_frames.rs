//! Frames before joining: a connection that has only said hello must not cost more than its frames.

use pi_chat::wire::tcp::{Ping, Pong};

use crate::client::{Client, encoded};
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{Attack, Target};

/// Number of attacking connections.
const CONNECTIONS: usize = 40;

/// Returns up to [`CONNECTIONS`] connections that have sent `hello` and no more; fewer if one
/// cannot be made.
fn greeted(target: &Target<'_>) -> Vec<Client> {
    let greet = |_| {
        let mut client = target.connect().ok()?;
        client.send(common::hello(0)).ok()?;
        Some(client)
    };
    (0..CONNECTIONS).map_while(greet).collect()
}

#[test]
fn unsolicited_pongs_before_joining() {
    let attack = Attack { name: "unsolicited pongs before joining", ..Attack::default() };
    let frames = encoded(Pong { token: 1 }).repeat(10_000);
    attack.run(|target| flood(target, greeted(target), &frames, Reading::Nothing));
}

/// Frames of unknown kinds and pings, whose answers the attackers read.
#[test]
fn endless_frames_before_joining() {
    let attack = Attack { name: "endless frames before joining", ..Attack::default() };
    // Kinds that nobody knows, and pings that ask for an answer.
    let unknown = [0, 1, 0x3f];
    let frames = [&unknown[..], &encoded(Ping { token: 1 })].concat().repeat(5_000);
    attack.run(|target| flood(target, greeted(target), &frames, Reading::Everything));
}
