//! The engine of a peer among random, changed, recorded and rightly signed
//! but malicious datagrams: no panic, no memory without end, no
//! amplification, no busy loop. `fuzz/` has the same for cargo-fuzz.
//!
//! `FUZZ_SEED=… cargo test --release --test fuzz_mesh` plays one life again,
//! `FUZZ_LIVES=N` others of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod harness;

use harness::{FuzzInput, RunStats, TestBench};

/// FuzzInput of one life.
const LENGTH: usize = 16 * 1024;

/// One life that follows from a seed.
fn run_seed(seed: u64) -> RunStats {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes: Vec<u8> = (0..LENGTH).map(|_| random.u8(..)).collect();
    // Some lives are of many equal things.
    if seed.is_multiple_of(3) {
        for chunk in bytes.chunks_mut(8) {
            chunk[0] = [0, 10, 14, 8][usize::from(chunk[1] % 4)];
        }
    }
    TestBench::new(random.u8(..)).run(&mut FuzzInput::new(&bytes))
}

/// Many lives.
#[test]
fn random_inputs_break_no_promise() {
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let lives = number("FUZZ_LIVES").unwrap_or(if cfg!(debug_assertions) { 90 } else { 600 });
    let seeds = number("FUZZ_SEED").map_or(0..lives, |seed| seed..seed + 1);
    let (mut received, mut opened, mut outputs) = (0, 0, 0);
    for seed in seeds {
        // Shown when it fails.
        println!("FUZZ_SEED={seed}");
        let run = run_seed(seed);
        received += run.received;
        opened += run.opened;
        outputs += run.outputs;
    }
    println!("{received} datagrams, {opened} opened, {outputs} outputs");
}
