//! The decoder of PROXY headers: see `tests/fuzz_tcp/decoders.rs`. `scripts/fuzz proxy_headers` runs it.

#![no_main]

#[path = "../../tests/fuzz_tcp/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| decoders::check_proxy_header(bytes));
