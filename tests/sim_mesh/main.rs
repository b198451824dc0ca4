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

mod bounds;
mod check_sensitivity;
mod checks;
mod clock;
mod driver;
mod event_queue;
mod fault_injector;
mod fixed_scenarios;
mod network;
mod observer;
mod peer_run;
mod random;
mod random_scenarios;
mod runner;
mod world;

use runner::{number, run_seeds, seconds};

/// Ten peers, and everything that can happen to them.
#[test]
fn ten_peers_keep_all_promises() {
    run_seeds("ten_peers_keep_all_promises", 1_000, |seed| random_scenarios::random(10, seed));
}

/// Two.
#[test]
fn two_peers_keep_all_promises() {
    run_seeds("two_peers_keep_all_promises", 200, |seed| random_scenarios::random(2, seed));
}

/// Three.
#[test]
fn three_peers_keep_all_promises() {
    run_seeds("three_peers_keep_all_promises", 200, |seed| random_scenarios::random(3, seed));
}

/// Fifty.
#[test]
fn fifty_peers_keep_all_promises() {
    run_seeds("fifty_peers_keep_all_promises", 20, |seed| random_scenarios::random(50, seed));
}

/// Five hundred.
#[test]
fn five_hundred_peers_keep_all_promises() {
    run_seeds("five_hundred_peers_keep_all_promises", 3, fixed_scenarios::crowd);
}

/// 30 % of everything is lost: nothing of 10 × 200 messages is, none is
/// doubled, and there is one order.
#[test]
fn thirty_percent_loss_loses_no_message() {
    let seed = number("SIM_SEED").unwrap_or(1);
    let (mut plan, begins) = fixed_scenarios::lossy(seed);
    plan.world.run_until(plan.end);
    let world = &plan.world;
    let violations = checks::violations(world);
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    let said = fixed_scenarios::TALKERS * fixed_scenarios::MESSAGES;
    for run in &world.runs {
        assert_eq!(run.shown.len(), said, "seed {seed}");
    }
    let measured = world.measured.as_ref().unwrap();
    let sent: u64 = measured.datagrams.iter().sum();
    let delivered = said * (fixed_scenarios::TALKERS - 1);
    println!(
        "30 % loss, {} peers, {} messages each: the last was delivered {:.1} s after the first was said and {:.1} s after the last; {:.2} datagrams for each message said, {:.3} for each delivered ({:?})",
        fixed_scenarios::TALKERS,
        fixed_scenarios::MESSAGES,
        seconds(world.last_delivery - begins),
        seconds(world.last_delivery.saturating_sub(world.deadline_for_all)),
        sent as f64 / said as f64,
        sent as f64 / delivered as f64,
        measured.packet_counts,
    );
}
