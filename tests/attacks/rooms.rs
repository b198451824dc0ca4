//! An attacker that holds as many rooms as the server has.

use crate::flood::hold;
use crate::harness::{Attack, Origin};

/// Number of rooms that the server has: as many as one session may be in, and the pair's.
const MAX_ROOMS: &str = "17";

/// Number of connections. The first one takes all rooms that are left.
const CONNECTIONS: usize = 2;

/// Number of rooms that a session may be in.
const ROOMS: usize = 16;

#[test]
fn lobby_can_be_entered_while_an_attacker_holds_all_rooms() {
    hold_all_rooms(Origin::Address);
}

#[test]
fn lobby_can_be_entered_while_one_network_holds_all_rooms() {
    hold_all_rooms(Origin::Network);
}

/// Attacks by holding all rooms but the pair's. Asserts that the limit of rooms is reached.
fn hold_all_rooms(origin: Origin) {
    // Nobody is in the lobby, so it has to be opened for the newcomer.
    let attack = Attack {
        name: "all rooms taken",
        origin,
        arguments: &["--max-rooms", MAX_ROOMS],
        pair_room: "parlour",
        reaches: &["rooms"],
        ..Attack::default()
    };
    attack.run(|target| {
        let rooms = |number| (0..ROOMS).map(|room| format!("m{number}-{room}")).collect();
        hold(target, target.join_all(CONNECTIONS, rooms));
    });
}
