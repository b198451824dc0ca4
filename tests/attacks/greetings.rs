//! Slow greetings: connections that send a byte now and then.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::client::greeting;
use crate::harness::{Attack, Origin};

/// Number of attacking connections, at most: more than the server takes from one address.
const CONNECTIONS: usize = 300;

/// Time between two bytes of each connection.
const INTERVAL: Duration = Duration::from_millis(100);

#[test]
fn slow_greetings() {
    greet_slowly(Origin::Address);
}

#[test]
fn slow_greetings_from_many_addresses_of_one_network() {
    greet_slowly(Origin::Network);
}

/// Attacks with greetings of which each connection sends a byte every [`INTERVAL`], and with open
/// connections after that. Asserts that the limit of connections is reached.
fn greet_slowly(origin: Origin) {
    let attack =
        Attack { name: "slow greetings", origin, reaches: &["connections"], ..Attack::default() };
    attack.run(|target| {
        let connections: Vec<_> = (0..CONNECTIONS).map_while(|_| target.connect().ok()).collect();
        let bytes = greeting("mallory", &[]);
        for byte in bytes {
            if target.is_over() {
                return;
            }
            for client in &connections {
                // Those that were refused are closed.
                let _ = (&client.stream).write(&[byte]);
            }
            thread::sleep(INTERVAL);
        }
        crate::flood::hold(target, connections);
    });
}
