//! Frames of the greatest size, at full speed.

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::Attack;

/// Number of attacking connections.
const CONNECTIONS: usize = 64;

/// Returns a frame of an unknown kind with a body of 16 KiB.
fn largest_frame() -> Vec<u8> {
    let mut body = vec![0xee; 16_384];
    body[0] = 0x3f;
    [&16_384_u16.to_be_bytes()[..], &body].concat()
}

/// Frames of an unknown kind, and messages that are too long.
#[test]
fn largest_frames_at_full_speed() {
    let attack = Attack { name: "16 KiB frames", ..Attack::default() };
    // A message that is refused, for it is longer than a message may be.
    let long = encoded(common::say(1, "attic", &"x".repeat(16_000)));
    let frames = [largest_frame(), long].concat();
    attack.run(|target| {
        let clients = target.join_all(CONNECTIONS, |_| vec!["attic".to_owned()]);
        flood(target, clients, &frames, Reading::Everything);
    });
}
