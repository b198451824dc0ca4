//! Tests of `chat-peer` on real networks, and of how `chat-client` discovers a `chat-server`.
//! Machines are network namespaces, and the switches between them are bridges; [`lab`] makes them
//! and explains why nothing of them is left behind.
//!
//! If namespaces are not available, these tests do nothing, say so, and leave `tests/peer.rs` as
//! the only test of the program. With `PI_CHAT_NEED_NETNS=1` they fail instead.

#![cfg(all(feature = "peer", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long a real program takes"
)]

mod addresses;
#[cfg(all(feature = "server", feature = "client"))]
#[path = "../common/mod.rs"]
mod common;
mod diagnoses;
#[cfg(all(feature = "server", feature = "client"))]
mod discovery;
mod doctor;
mod groups;
mod idle;
#[path = "../common/json_process.rs"]
mod json_process;
mod lab;
mod loss;
mod one_way;
mod order;
mod peer_process;
#[cfg(all(feature = "server", feature = "client"))]
#[path = "../common/program.rs"]
mod program;
mod restarts;
mod routed;
mod split;
#[cfg(all(feature = "server", feature = "client"))]
mod tls;

use std::env;
use std::fmt::Display;
use std::io::{self, Write};

use lab::Lab;

/// All other tests of this file pass without testing anything where namespaces are not available.
/// This one reports that, and fails if `PI_CHAT_NEED_NETNS=1` requires them.
#[test]
fn missing_namespaces_are_reported() {
    if let Err(error) = Lab::check_available() {
        report(format_args!("NOT TESTED: chat-peer in real networks: {error}"));
        let is_needed = env::var_os("PI_CHAT_NEED_NETNS").is_some_and(|it| it == "1");
        assert!(!is_needed, "PI_CHAT_NEED_NETNS=1, but {error}");
    }
}

/// Writes a line to standard error directly, because the test harness captures only what
/// `eprintln!` writes.
fn report(line: impl Display) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
