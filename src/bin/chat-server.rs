//! `chat-server`: see `chat-server --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Everything is in the library, where it can be tested.
fn main() -> ExitCode {
    pi_chat::cli::server::run()
}
