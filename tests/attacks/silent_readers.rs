//! Clients that request much and read nothing.

use std::net::SocketAddr;

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::History;

use crate::client::{self, Client, encoded};
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{ATTACKER, Attack, fill};

/// Number of attacking connections.
const CONNECTIONS: usize = 240;

/// Size of the attackers' receive buffers, in bytes.
const RECEIVE_BUFFER: usize = 4_096;

/// Number of messages of the room that the attackers request.
const MESSAGES: u64 = 100;

/// Joins a client with a small receive buffer, which reads its history and no more.
fn reader(address: SocketAddr, number: usize) -> Client {
    let stream = client::connect(ATTACKER, address, RECEIVE_BUFFER).unwrap();
    let mut client = Client::over(stream);
    client.join(common::join(&format!("mallory{number}"), &["lobby", "attic"])).unwrap();
    client
}

#[test]
fn clients_that_request_history_and_do_not_read() {
    let fill_room = |address| {
        fill(address, common::join("filler", &["attic"]), MESSAGES, |_| "x".repeat(4_000));
    };
    let recruit = |address| (0..CONNECTIONS).map(|number| reader(address, number)).collect();
    let attack = Attack {
        name: "readers that do not read",
        prepare: &fill_room,
        recruit: &recruit,
        ..Attack::default()
    };
    let request = History {
        reference: Reference(1),
        room: "attic".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    };
    let frames = encoded(request).repeat(100);
    attack.run(|target| flood(target, target.recruits(), &frames, Reading::Nothing));
}
