//! The decoder of a client's frames: see `tests/fuzz_tcp/decoders.rs`. `scripts/fuzz client_frames` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    decoders::check_client_stream(bytes);
    decoders::check_client_frame(bytes);
});
