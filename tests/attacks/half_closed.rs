//! Half-closed connections: they request, close their sending half and do not read.

use std::io::Write;
use std::net::Shutdown;

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::History;

use crate::client::{self, encoded, greeting};
use crate::common;
use crate::flood::hold;
use crate::harness::{ATTACKER, Attack, fill};

/// Number of connections that the attacker keeps.
const CONNECTIONS: usize = 250;

/// Size of the attackers' receive buffers, in bytes.
const RECEIVE_BUFFER: usize = 4_096;

/// Each connection joins and requests the history of a large room ten times in one write.
#[test]
fn half_closed_connections_that_do_not_read() {
    let fill_room = |address| {
        fill(address, common::join("filler", &["attic"]), 100, |_| "x".repeat(4_000));
    };
    let attack = Attack {
        name: "half-closed connections",
        prepare: &fill_room,
        reaches: &["joins", "requests"],
        ..Attack::default()
    };
    let request = History {
        reference: Reference(1),
        room: "attic".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    };
    let requests = encoded(request).repeat(10);
    attack.run(|target| {
        let mut connections = Vec::new();
        for number in 0..CONNECTIONS {
            let Ok(mut stream) = client::connect(ATTACKER, target.address, RECEIVE_BUFFER) else {
                break;
            };
            let greeting = greeting(&format!("mallory{number}"), &["attic".to_owned()]);
            // Writing fails on a connection that was refused.
            if stream.write_all(&[greeting, requests.clone()].concat()).is_ok() {
                let _ = stream.shutdown(Shutdown::Write);
            }
            connections.push(stream);
            if target.is_over() {
                return;
            }
        }
        hold(target, connections);
    });
}
