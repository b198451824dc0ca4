//! `chat-client`: see `--help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Entry point.
fn main() -> ExitCode {
    pi_chat::cli::client::run()
}
