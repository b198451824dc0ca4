//! The real engine of a peer in a simulated world: virtual time, a network
//! that follows from a seed, clocks that are wrong, machines that sleep and
//! vanish. Whatever happens, the promises of `docs/protocol/udp.md` are kept.
//!
//! `SIM_SEED=… cargo test --release --test sim_mesh` plays one seed again,
//! `SIM_SEEDS=N` plays so many, `SIM_FROM=N` others, `SIM_TRACE=N` shows so
//! many of the last events of a failure.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod checks;
mod clock;
mod driver;
mod life;
mod network;
mod queue;
mod random;
mod rules;
mod runner;
mod saboteur;
mod scenarios;
mod watch;
mod world;

use runner::run_seeds;

/// Ten peers, and everything that can happen to them.
#[test]
fn ten_peers() {
    run_seeds("ten_peers", 1_000, |seed| scenarios::random(10, seed));
}

/// Two.
#[test]
fn two_peers() {
    run_seeds("two_peers", 200, |seed| scenarios::random(2, seed));
}

/// Three.
#[test]
fn three_peers() {
    run_seeds("three_peers", 200, |seed| scenarios::random(3, seed));
}

/// Fifty.
#[test]
fn fifty_peers() {
    run_seeds("fifty_peers", 20, |seed| scenarios::random(50, seed));
}
