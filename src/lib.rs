//! pi-chat: a chat server for the Raspberry Pi, and its clients.
//!
//! The house has floors, and imports go down only (`docs/architecture.md`
//! has the picture, `tests/floors.rs` holds it):
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 4 | [`cli`], [`config`] | command lines, configuration files |
//! | 3 | `server`, `client`, `peer`, `ui`, [`os`], `disk`, `mdns`, `systemd` | drivers: sockets, clock, entropy, disk, terminal |
//! | 2 | [`hub`], `link`, [`mesh`] | engines: the server's, the client's and the peer's, without I/O |
//! | 1 | [`wire`] | bytes to values and back |
//! | 0 | [`model`] | the words |
//!
//! The protocol that all of it speaks is documented in `docs/protocol/`,
//! which is the authority.

#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod archive;
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
#[cfg(any(feature = "server", feature = "ui"))]
mod disk;
#[cfg(feature = "server")]
pub mod hub;
#[cfg(feature = "client")]
pub mod link;
#[cfg(feature = "server")]
pub mod log;
#[cfg(any(feature = "server", feature = "client"))]
mod mdns;
#[cfg(feature = "peer")]
pub mod mesh;
pub mod model;
pub mod os;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "server", feature = "peer"))]
mod systemd;
#[cfg(feature = "ui")]
pub mod ui;
pub mod wire;
