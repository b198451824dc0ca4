//! Cuts the power, some hundred times, at any moment, also in the middle of a
//! write, and looks at what a disk would still hold.
//!
//! | file | what it is about |
//! |---|---|
//! | `disk` | what is safe on a disk and what is only on its way there |
//! | `cut` | what may be found after a power cut |
//! | `vfs` | has SQLite write to such a disk |
//! | `sqlite_alone` | that these see what they are there to see, with SQLite alone |
//! | `harness` | a log that is used, and what must be there afterwards |
//! | `log` | that the server's log keeps what it promises when the power is cut |
//! | `disk_failures` | the same for a disk that takes nothing for a while |
//!
//! What is random follows from seeds, which a failure names.

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
