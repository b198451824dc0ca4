//! Floods of `search`, whose cost grows with the log.

use crate::client::encoded;
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{Attack, Target, fill, search};

/// Number of messages in the log.
const MESSAGES: u64 = 30_000;

/// Number of attacking connections.
const CONNECTIONS: usize = 64;

/// Number of searches that each connection sends at once, again and again.
const SEARCHES: usize = 40;

/// Floods the server with searches that find nothing, much, and what is rare.
fn flood_with_searches(target: &Target<'_>) {
    let frames = [encoded(search("absent")), encoded(search("tea")), encoded(search("cup 77"))]
        .concat()
        .repeat(SEARCHES / 3);
    let clients = target.join_all(CONNECTIONS, |_| vec!["search".to_owned()]);
    flood(target, clients, &frames, Reading::Everything);
}

/// Fills a room with messages to search in.
fn fill_log(address: std::net::SocketAddr) {
    let text = |number| format!("a cup of tea, cup {number} of very many");
    fill(address, common::join("filler", &["search"]), MESSAGES, text);
}

#[test]
fn searches_in_a_log_on_disk() {
    let attack = Attack {
        name: "searches, log on disk",
        newcomer_searches: true,
        prepare: &fill_log,
        reaches: &["requests"],
        ..Attack::default()
    };
    attack.run(flood_with_searches);
}

#[test]
fn searches_in_a_log_in_memory() {
    let attack = Attack {
        name: "searches, log in memory",
        on_disk: false,
        newcomer_searches: true,
        prepare: &fill_log,
        reaches: &["requests"],
        ..Attack::default()
    };
    attack.run(flood_with_searches);
}
