//! The hub, the link and the decoders of the TCP protocol under random input: no panic, no memory
//! without a bound, and what the protocol promises. `fuzz/` runs the same checks under a
//! coverage-guided fuzzer.
//!
//! `FUZZ_SEED=… cargo test --test fuzz_tcp` repeats one run, `FUZZ_RUNS=N` sets their number.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod bytes;
mod decoders;
mod hub;
mod link;
mod moderation;

use std::cell::Cell;

/// Number of random bytes of a run.
const LENGTH: usize = 8 * 1024;

/// Calls `check` with the bytes of each run; prints the seed, which is shown if the check fails.
fn for_each_run(check: impl Fn(&[u8])) {
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let runs = number("FUZZ_RUNS").unwrap_or(if cfg!(debug_assertions) { 60 } else { 600 });
    let seeds = number("FUZZ_SEED").map_or(0..runs, |seed| seed..seed + 1);
    for seed in seeds {
        println!("FUZZ_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..LENGTH).map(|_| random.u8(..)).collect();
        check(&bytes);
    }
}

#[test]
fn hub_keeps_its_promises_under_random_input() {
    let total = Cell::new(hub::Summary::default());
    for_each_run(|bytes| total.set(total.get() + hub::run(bytes)));
    let total = total.get();
    println!("{total:?}");
    // A run that reaches nothing would pass everything.
    assert!(total.welcomes > 0 && total.entries_received > 0 && total.pages > 0, "{total:?}");
    assert!(total.owner_actions > 0, "{total:?}");
}

#[test]
fn link_keeps_its_promises_under_random_input() {
    let total = Cell::new(link::Summary::default());
    for_each_run(|bytes| total.set(total.get() + link::run(bytes)));
    let total = total.get();
    println!("{total:?}");
    assert!(total.joins > 0 && total.shown > 0 && total.answers > 0, "{total:?}");
}

#[test]
fn decoders_read_random_bytes_without_panic_and_in_one_form_only() {
    for_each_run(|bytes| {
        decoders::check_client_stream(bytes);
        decoders::check_server_stream(bytes);
        decoders::check_frame_bodies(bytes);
        bytes.chunks(256).for_each(decoders::check_proxy_header);
        bytes.chunks(256).for_each(decoders::check_websocket);
        bytes.chunks(64).for_each(decoders::check_http_request);
    });
}
