//! Sending as much as the server takes, on many connections at once.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::harness::Target;

/// Pause after a round in which no connection took or gave a byte.
const PAUSE: Duration = Duration::from_micros(500);

/// Whether an attacker reads what the server sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It reads and discards everything.
    Everything,
    /// It reads nothing.
    Nothing,
}

/// Sends `frames` over and over on all connections, as fast as the server takes them, until the
/// attack is over or the server has closed them all. Drops a connection that fails.
pub(crate) fn flood(target: &Target<'_>, clients: Vec<Client>, frames: &[u8], reading: Reading) {
    let mut open: Vec<(Client, usize)> = clients.into_iter().map(|it| (it, 0)).collect();
    for (client, _) in &open {
        client.stream.set_nonblocking(true).unwrap();
    }
    let mut buffer = vec![0; 65_536];
    while !target.is_over() && !open.is_empty() {
        let mut has_progress = false;
        open.retain_mut(|(client, at)| {
            if reading == Reading::Everything {
                match client.stream.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(_) => has_progress = true,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return false,
                }
            }
            match client.stream.write(&frames[*at..]) {
                Ok(count) => {
                    has_progress = true;
                    *at = (*at + count) % frames.len();
                    true
                }
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        if !has_progress {
            thread::sleep(PAUSE);
        }
    }
}

/// Keeps connections open until the attack is over, without sending or reading. Then closes them.
pub(crate) fn hold<T>(target: &Target<'_>, connections: T) {
    target.wait_until_over();
    drop(connections);
}
