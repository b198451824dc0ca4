//! Attack suite: a real `chat-server` with the packaged defaults is attacked from one other address
//! while two well-behaved clients talk. `docs/threats.md` lists what each test shows.
//!
//! Every test asserts the same promises ([`harness`]): the latency between the well-behaved
//! clients, the server's memory, and that a newcomer from a third address gets in. `scripts/test
//! attacks` runs them in release mode, one after the other.

#![cfg(all(feature = "server", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long a real program takes"
)]

mod bursts;
mod client;
#[path = "../common/mod.rs"]
mod common;
mod descriptors;
mod early_frames;
mod flood;
mod greetings;
mod half_closed;
mod harness;
mod joins;
mod large_frames;
mod long_messages;
mod memory;
mod pages;
mod pair;
mod passwords;
#[cfg(feature = "peer")]
mod peer_flood;
mod proofs;
mod rooms;
mod search;
mod sessions;
mod silent_readers;
mod tls;
mod waiting_frames;
mod web;
