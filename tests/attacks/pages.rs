//! Requests with the greatest answers: `members` of a large room, and `history`.

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::{History, Members};

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{Attack, fill};

/// Number of attacking connections, all in one room.
const CONNECTIONS: usize = 120;

/// Each attacker requests both again and again, and reads the answers.
#[test]
fn greatest_answers_at_full_speed() {
    let fill_room = |address| {
        fill(address, common::join("filler", &["crowd"]), 1_000, |_| "x".repeat(1_000));
    };
    let attack = Attack {
        name: "members and history",
        prepare: &fill_room,
        reaches: &["requests"],
        ..Attack::default()
    };
    let room = "crowd".to_owned();
    let members =
        encoded(Members { reference: Reference(1), room: room.clone(), after: String::new() });
    let history =
        encoded(History { reference: Reference(2), room, before: Sequence::ZERO, limit: 100 });
    let frames = [members, history].concat().repeat(100);
    attack.run(|target| {
        let clients = target.join_all(CONNECTIONS, |_| vec!["crowd".to_owned()]);
        flood(target, clients, &frames, Reading::Everything);
    });
}
