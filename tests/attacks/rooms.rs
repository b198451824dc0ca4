//! An attacker that holds as many rooms as the server has.

use crate::flood::hold;
use crate::harness::{Attack, Origin};

/// Number of connections that are in as many rooms as a session may be: nearly `max-rooms` together.
const CONNECTIONS: usize = 62;

/// Number of connections that take what is left, a room each.
const MORE: usize = 16;

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

/// Attacks by holding as many rooms as possible.
fn hold_all_rooms(origin: Origin) {
    // Nobody is in the lobby, so it has to be opened for the newcomer.
    let attack =
        Attack { name: "all rooms taken", origin, pair_room: "parlour", ..Attack::default() };
    attack.run(|target| {
        let rooms = |number| {
            let count = if number < CONNECTIONS { ROOMS } else { 1 };
            (0..count).map(|room| format!("m{number}-{room}")).collect()
        };
        hold(target, target.join_all(CONNECTIONS + MORE, rooms));
    });
}
