//! The server's engine, driven by bytes: see `tests/fuzz_tcp/hub.rs`. `scripts/fuzz hub` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/bytes.rs"]
mod bytes;
#[path = "../../tests/fuzz_tcp/hub.rs"]
mod hub;
#[path = "../../tests/fuzz_tcp/moderation.rs"]
mod moderation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hub::run(bytes);
});
