//! Simulated power cuts: cuts the power some hundred times, at any moment, also in the middle of a
//! write, and checks what a disk would still hold.
//!
//! | file | contents |
//! |---|---|
//! | `disk` | simulated disk: synced and pending changes of files and names |
//! | `cut` | contents that may be left after a power cut |
//! | `vfs` | SQLite VFS that records writes on such a disk |
//! | `sqlite_alone` | tests of the simulation, with SQLite alone |
//! | `harness` | a log under load, and checks of what a restart finds |
//! | `log` | the server's log keeps its promises through a power cut |
//! | `disk_failures` | the same for a disk on which writes fail for a while |
//!
//! Random numbers come from seeds, which a failing assertion prints.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long something takes"
)]
#![allow(unsafe_code, reason = "SQLite is written in C; see `vfs`")]

mod cut;
mod disk;
mod disk_failures;
mod harness;
mod log;
mod sqlite_alone;
mod vfs;
