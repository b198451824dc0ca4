//! Frames that the server has to keep, because the requests before them wait for their tokens.

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::{ClientFrame, History};

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{Attack, join_lobby};

/// Number of attacking connections.
const CONNECTIONS: usize = 160;

/// Number of requests of each connection: together more than the address has tokens for.
const REQUESTS: usize = 4;

/// Number of room names in a `join`: as many as it may have.
const NAMES: usize = 64;

/// Length of a room name in bytes. It makes the frame nearly as long as a frame may be.
const NAME_LENGTH: usize = 250;

/// The frames that wait are joins with long lists of rooms.
#[test]
fn lists_of_names_behind_requests_that_wait() {
    let recruit = |address| (0..CONNECTIONS).map(|number| join_lobby(address, number)).collect();
    let attack = Attack {
        name: "waiting frames",
        recruit: &recruit,
        reaches: &["requests"],
        ..Attack::default()
    };
    let request = ClientFrame::from(History {
        reference: Reference(1),
        room: "lobby".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    });
    let name = "x".repeat(NAME_LENGTH);
    let names = encoded(common::join("x", &[name.as_str(); NAMES]));
    let frames = [encoded(request).repeat(REQUESTS), names.repeat(100)].concat();
    attack.run(|target| flood(target, target.recruits(), &frames, Reading::Everything));
}
