//! Deterministic simulation of the mesh: real engines in virtual time, with a network that follows
//! from a seed, wrong clocks, and machines that sleep and crash. Whatever happens, the promises of
//! `docs/protocol/udp.md` must hold.
//!
//! `SIM_SEED=… cargo test --release --test sim_mesh` repeats one seed, `SIM_SEEDS=N` sets the
//! number of seeds, `SIM_PERCENT=N` runs that share of the usual number, `SIM_FROM=N` sets the first
//! one, `SIM_TRACE=N` the number of trace lines shown for a failure.

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
mod liars;
mod network;
mod observer;
mod peer_run;
mod random;
mod random_scenarios;
mod runner;
mod simultaneous_starts;
mod world;

use runner::{number, run_seeds, seconds};

/// Ten peers with random faults.
#[test]
fn ten_peers_keep_all_promises() {
    run_seeds("ten_peers_keep_all_promises", 1_000, |seed| random_scenarios::random(10, seed));
}

/// Two peers with random faults.
#[test]
fn two_peers_keep_all_promises() {
    run_seeds("two_peers_keep_all_promises", 200, |seed| random_scenarios::random(2, seed));
}

/// Three peers with random faults.
#[test]
fn three_peers_keep_all_promises() {
    run_seeds("three_peers_keep_all_promises", 200, |seed| random_scenarios::random(3, seed));
}

/// Fifty peers with random faults.
#[test]
fn fifty_peers_keep_all_promises() {
    run_seeds("fifty_peers_keep_all_promises", 20, |seed| random_scenarios::random(50, seed));
}

/// Five hundred peers, which are split into two halves and merge again.
#[test]
fn five_hundred_peers_keep_all_promises() {
    run_seeds("five_hundred_peers_keep_all_promises", 3, fixed_scenarios::crowd);
}

/// Ten honest peers, and strangers that claim their names, seniority and huge clocks, or object to
/// newcomers.
#[test]
fn liars_take_no_name_and_keep_nobody_out() {
    run_seeds("liars_take_no_name_and_keep_nobody_out", 100, fixed_scenarios::liars);
}

/// The same while the network is split and merges again.
#[test]
fn liars_in_a_split_take_no_name_and_keep_nobody_out() {
    let what = "liars_in_a_split_take_no_name_and_keep_nobody_out";
    run_seeds(what, 30, fixed_scenarios::liars_in_a_split);
}

/// The same among machines with IPv4, IPv6 or both.
#[test]
fn liars_in_both_families_take_no_name_and_keep_nobody_out() {
    let what = "liars_in_both_families_take_no_name_and_keep_nobody_out";
    run_seeds(what, 30, fixed_scenarios::liars_in_both_families);
}

/// With 30 % of all datagrams lost, each of 10 × 200 messages is shown once, in one order.
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
        seconds(world.last_delivery.saturating_sub(world.quiet_since)),
        sent as f64 / said as f64,
        sent as f64 / delivered as f64,
        measured.packet_counts,
    );
}
