//! `chat-peer` in real networks, and how `chat-client` finds a `chat-server`: several machines, which are network
//! namespaces, and switches between them, which are bridges. See [`lab`] for
//! how they are made and error nothing of them can be left behind.
//!
//! With `PI_CHAT_NEED_NETNS=1` it is a failure that namespaces cannot be had;
//! else it is said, and `tests/peer.rs` is all there is.

#![cfg(all(feature = "peer", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long a real program takes"
)]

#[cfg(all(feature = "server", feature = "client"))]
#[path = "../common/mod.rs"]
mod common;
#[cfg(all(feature = "server", feature = "client"))]
mod discovery;
mod doctor;
mod groups;
mod idle;
mod lab;
mod loss;
mod peer_process;
#[cfg(all(feature = "server", feature = "client"))]
#[path = "../common/program.rs"]
mod program;
mod restarts;
mod split;

use std::env;
use std::fmt::Display;
use std::io::{self, Write};

use lab::Lab;

/// All other tests of this file do nothing where there are no namespaces.
/// This one says so, and fails where they are needed.
#[test]
fn missing_namespaces_are_reported() {
    if let Err(error) = Lab::check_available() {
        report(format_args!("NOT TESTED: chat-peer in real networks: {error}"));
        let is_needed = env::var_os("PI_CHAT_NEED_NETNS").is_some_and(|it| it == "1");
        assert!(!is_needed, "PI_CHAT_NEED_NETNS=1, but {error}");
    }
}

/// Writes a line to the standard error, which the test harness does not keep
/// to itself.
fn report(line: impl Display) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
