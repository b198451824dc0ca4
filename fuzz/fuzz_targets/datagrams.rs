//! Fuzz target: interprets the input bytes as events in the life of a peer; see
//! `tests/fuzz_mesh/harness.rs`. With cargo-fuzz and a nightly toolchain:
//!
//! `cargo +nightly fuzz run datagrams -- -max_len=16384`

#![no_main]

#[path = "../../tests/fuzz_mesh/harness.rs"]
mod harness;

use harness::{FuzzInput, TestBench};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = FuzzInput::new(bytes);
    TestBench::new(bytes.u8()).run(&mut bytes);
});
