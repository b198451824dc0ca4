//! Clients that request much and read nothing.

use std::io::Write;
use std::net::SocketAddr;

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::History;

use crate::client::{self, Client, encoded, greeting};
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

/// Fills the room that the attackers request.
fn fill_room(address: SocketAddr) {
    fill(address, common::join("filler", &["attic"]), MESSAGES, |_| "x".repeat(4_000));
}

/// Returns many requests for all messages of the room, encoded.
fn requests() -> Vec<u8> {
    let request = History {
        reference: Reference(1),
        room: "attic".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    };
    encoded(request).repeat(100)
}

/// The clients have joined in peace before.
#[test]
fn clients_that_request_history_and_do_not_read() {
    let recruit = |address| (0..CONNECTIONS).map(|number| reader(address, number)).collect();
    let attack = Attack {
        name: "readers that do not read",
        prepare: &fill_room,
        reaches: &["unsent"],
        recruit: &recruit,
        ..Attack::default()
    };
    let frames = requests();
    attack.run(|target| flood(target, target.recruits(), &frames, Reading::Nothing));
}

/// The clients join during the attack, and do not read the answer to that either.
#[test]
fn clients_that_join_and_never_read() {
    let attack = Attack {
        name: "joining readers that do not read",
        prepare: &fill_room,
        reaches: &["unsent"],
        ..Attack::default()
    };
    let frames = requests();
    attack.run(|target| {
        let rooms = ["lobby".to_owned(), "attic".to_owned()];
        let join = |number| {
            let mut stream = client::connect(ATTACKER, target.address, RECEIVE_BUFFER).ok()?;
            stream.write_all(&greeting(&format!("mallory{number}"), &rooms)).ok()?;
            Some(Client::over(stream))
        };
        let clients = (0..CONNECTIONS).map_while(join).collect();
        flood(target, clients, &frames, Reading::Nothing);
    });
}
