//! What browsers send: heads of HTTP requests, and WebSocket frames: see `tests/fuzz_tcp/decoders.rs`.
//! `scripts/fuzz web` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    decoders::check_websocket(bytes);
    decoders::check_http_request(bytes);
});
