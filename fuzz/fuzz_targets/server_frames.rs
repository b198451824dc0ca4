//! The decoder of a server's frames: see `tests/fuzz_tcp/decoders.rs`. `scripts/fuzz server_frames` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    decoders::check_server_stream(bytes);
    decoders::check_server_frame(bytes);
});
