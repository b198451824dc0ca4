//! Clients that request much and read nothing.

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

#[test]
fn clients_that_request_history_and_do_not_read() {
    let fill_room = |address| {
        fill(address, common::join("filler", &["attic"]), MESSAGES, |_| "x".repeat(4_000));
    };
    let attack =
        Attack { name: "readers that do not read", prepare: &fill_room, ..Attack::default() };
    let request = History {
        reference: Reference(1),
        room: "attic".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    };
    let frames = encoded(request).repeat(100);
    attack.run(|target| {
        let rooms = ["lobby".to_owned(), "attic".to_owned()];
        let join = |number| {
            let stream = client::connect(ATTACKER, target.address, RECEIVE_BUFFER).ok()?;
            let mut writer = &stream;
            let bytes = greeting(&format!("mallory{number}"), &rooms);
            std::io::Write::write_all(&mut writer, &bytes).ok()?;
            Some(Client::over(stream))
        };
        let clients = (0..CONNECTIONS).map_while(join).collect();
        flood(target, clients, &frames, Reading::Nothing);
    });
}
