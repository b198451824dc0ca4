//! Cuts the power, some hundred times, at any moment, also in the middle of a
//! write, and looks at what a disk would still hold.
//!
//! | file | what it is about |
//! |---|---|
//! | `disk` | what is safe on a disk and what is only on its way there |
//! | `cut` | what may be found after a power cut |
//! | `vfs` | has SQLite write to such a disk |
//! | `plain` | that these see what they are there to see, with SQLite alone |
//!
//! What is random follows from seeds, which a failure names.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(unsafe_code, reason = "SQLite is written in C; see `vfs`")]

mod cut;
mod disk;
mod plain;
mod vfs;
