//! Joins by the second.

use std::time::Duration;

use socket2::SockRef;

use crate::client::greeting;
use crate::harness::{Attack, Origin, Target};

/// Number of connections that one round of [`cycle`] opens at once.
const AT_ONCE: usize = 32;

/// Greatest number of joins of an attack: each uses a port of this machine for a while.
const MOST: usize = 15_000;

/// Joins and leaves again, with a new session each time, until the attack is over, or in the round
/// of [`AT_ONCE`] connections that reaches `most` of them. Returns the number of connections, of
/// which the server may have refused some.
pub(crate) fn cycle(target: &Target<'_>, most: usize) -> usize {
    let mut count = 0;
    while count < most && !target.is_over() {
        let clients: Vec<_> = (0..AT_ONCE).map_while(|_| target.connect().ok()).collect();
        if clients.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        for mut client in clients {
            count += 1;
            // No trace of the connection is left on this side.
            SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
            let bytes = greeting(&format!("m{count}"), &[]);
            if std::io::Write::write_all(&mut client.stream, &bytes).is_ok() {
                // The server has handled the join, or refused it.
                let _ = client.joined();
            }
        }
    }
    count
}

#[test]
fn joins_by_the_second() {
    join_and_leave(Origin::Address);
}

#[test]
fn joins_by_the_second_from_many_addresses_of_one_network() {
    join_and_leave(Origin::Network);
}

/// Attacks with as many joins as the server takes. Asserts that the limit of joins is reached.
fn join_and_leave(origin: Origin) {
    let attack =
        Attack { name: "joins by the second", origin, reaches: &["joins"], ..Attack::default() };
    attack.run(|target| {
        cycle(target, MOST);
    });
}
