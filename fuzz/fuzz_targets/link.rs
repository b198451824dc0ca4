//! The client's engine, driven by bytes: see `tests/fuzz_tcp/link.rs`. `scripts/fuzz link` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/bytes.rs"]
mod bytes;
#[path = "../../tests/fuzz_tcp/link.rs"]
mod link;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    link::run(bytes);
});
