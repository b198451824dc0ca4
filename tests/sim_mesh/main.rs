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

mod can_fail;
mod checks;
mod clock;
mod driver;
mod life;
mod network;
mod queue;
mod random;
mod rooms;
mod rules;
mod runner;
mod saboteur;
mod scenarios;
mod watch;
mod world;

use runner::{number, run_seeds, seconds};

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

/// Five hundred.
#[test]
fn a_crowd() {
    run_seeds("a_crowd", 3, rooms::crowd);
}

/// 30 % of everything is lost: nothing of 10 × 200 messages is, none is
/// doubled, and there is one order.
#[test]
fn a_lossy_room() {
    let seed = number("SIM_SEED").unwrap_or(1);
    let (mut plan, begins) = rooms::lossy(seed);
    plan.world.run_until(plan.end);
    let world = &plan.world;
    let violations = checks::violations(world);
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    let said = rooms::TALKERS * rooms::MESSAGES;
    for life in &world.lives {
        assert_eq!(life.shown.len(), said, "seed {seed}");
    }
    let measured = world.measured.as_ref().unwrap();
    let sent: u64 = measured.datagrams.iter().sum();
    let delivered = said * (rooms::TALKERS - 1);
    println!(
        "30 % loss, {} peers, {} messages each: the last was delivered {:.1} s after the first was said and {:.1} s after the last; {:.2} datagrams for each message said, {:.3} for each delivered ({:?})",
        rooms::TALKERS,
        rooms::MESSAGES,
        seconds(world.last_delivery - begins),
        seconds(world.last_delivery.saturating_sub(world.quiet_since)),
        sent as f64 / said as f64,
        sent as f64 / delivered as f64,
        measured.kinds,
    );
}

/// TEMP.
#[test]
fn temp_crowd() {
    let mut plan = rooms::crowd(1);
    let mut last = plan.world.kinds;
    let clock = std::process::id();
    let _ = clock;
    for t in (0..plan.end).step_by(10_000_000) {
        #[allow(clippy::disallowed_methods)]
        let s = std::time::Instant::now();
        plan.world.run_until(t);
        let mut k = plan.world.kinds;
        for (a, b) in k.0.iter_mut().zip(last.0) {
            *a -= b;
        }
        last = plan.world.kinds;
        println!("{} {:?} {:?}", t / 1_000_000, s.elapsed(), k.0);
    }
}
