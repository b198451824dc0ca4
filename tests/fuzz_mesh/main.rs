//! Fuzz test of the mesh with random, mutated, replayed, and rightly signed but malicious
//! datagrams: no panic, bounded memory, no amplification, no busy loop. `fuzz/` runs the same with
//! cargo-fuzz.
//!
//! `FUZZ_SEED=… cargo test --release --test fuzz_mesh` repeats one run, `FUZZ_LIVES=N` sets the
//! number of runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod harness;

use harness::{FuzzInput, KINDS, RunStats, TestBench};

/// Number of input bytes of one run.
const LENGTH: usize = 16 * 1024;

/// Performs one run whose input follows from a seed.
fn run_seed(seed: u64) -> RunStats {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes: Vec<u8> = (0..LENGTH).map(|_| random.u8(..)).collect();
    // Make some runs consist of many equal steps.
    if seed.is_multiple_of(3) {
        for chunk in bytes.chunks_mut(8) {
            chunk[0] = [0, 10, 14, 8][usize::from(chunk[1] % 4)];
        }
    }
    TestBench::new(random.u8(..)).run(&mut FuzzInput::new(&bytes))
}

/// Many runs with random inputs violate no limit. In them, mutated bodies with valid signatures
/// reach the decoder of each kind, and some of each kind reach the mesh.
#[test]
fn random_inputs_break_no_promise() {
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let lives = number("FUZZ_LIVES").unwrap_or(if cfg!(debug_assertions) { 90 } else { 600 });
    let seeds = number("FUZZ_SEED").map_or(0..lives, |seed| seed..seed + 1);
    let (mut received, mut opened, mut outputs) = (0, 0, 0);
    let mut mutated = [[0; KINDS]; 2];
    let are_many = seeds.end - seeds.start >= 90;
    for seed in seeds {
        // Printed by the test harness when the run fails.
        println!("FUZZ_SEED={seed}");
        let run = run_seed(seed);
        received += run.received;
        opened += run.opened;
        outputs += run.outputs;
        for (all, counts) in mutated.iter_mut().zip([run.mutated_opened, run.mutated_malformed]) {
            all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
        }
    }
    println!("{received} datagrams, {opened} opened, {outputs} outputs");
    println!("mutated bodies by kind: {:?} opened, {:?} malformed", mutated[0], mutated[1]);
    let [opened, malformed] = mutated;
    if are_many {
        assert!((1..KINDS).all(|kind| opened[kind] > 0), "{opened:?}");
        assert!(malformed.iter().sum::<usize>() > 100, "{malformed:?}");
    }
}
