//! pi-chat: a chat server for the Raspberry Pi, and its clients.
//!
//! The crate is built in layers, and imports go down only (`docs/architecture.md` has the picture,
//! `tests/layers.rs` enforces it):
//!
//! | layer | modules | contents |
//! |---|---|---|
//! | 4 | `cli`, `config` | command lines, configuration files |
//! | 3 | `server`, `log`, `archive`, `client`, `peer`, `ui`, `os`, `disk`, `key_file`, `text_input`, `tls`, `mdns`, `systemd` | drivers: sockets, clock, randomness, disk, terminal |
//! | 2 | `hub`, `link`, `mesh` | engines of the server, the client and the peer, without I/O |
//! | 1 | [`wire`], `json`, `identity`, `moderation`, `qr_code` | conversion between bytes, JSON objects and values; proofs of keys; roles, sanctions and room settings, folded from the log's facts; QR codes |
//! | 0 | [`model`], `l10n` | vocabulary: names, texts, ids, times, limits, error codes; what people read, in their language |
//!
//! `model`, `wire` and `link` alone (feature `link`) build for WebAssembly, and so do `identity` and
//! `qr_code` (feature `link-codes`).
//!
//! The protocols are documented in `docs/protocol/`, which is the authority.

#![forbid(unsafe_code)]
// Not for all targets, as the other lints are: the programs of `tests/` may panic with a text.
#![deny(clippy::expect_used)]

#[cfg(feature = "server")]
pub mod archive;
#[cfg(feature = "programs")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "programs")]
pub mod config;
#[cfg(any(feature = "server", feature = "ui"))]
mod disk;
#[cfg(feature = "server")]
pub mod hub;
#[cfg(feature = "identity")]
pub mod identity;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "ui")]
pub mod key_file;
#[cfg(feature = "ui")]
pub mod l10n;
#[cfg(feature = "link")]
pub mod link;
#[cfg(feature = "server")]
pub mod log;
#[cfg(any(feature = "server", feature = "client"))]
mod mdns;
#[cfg(feature = "peer")]
pub mod mesh;
pub mod model;
#[cfg(feature = "server")]
pub mod moderation;
#[cfg(feature = "programs")]
pub mod os;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "link-codes")]
pub mod qr_code;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "server", feature = "peer"))]
mod systemd;
#[cfg(feature = "programs")]
pub mod text_input;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "ui")]
pub mod ui;
pub mod wire;
