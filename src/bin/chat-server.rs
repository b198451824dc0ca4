//! The chat server program, `chat-server`: see `--help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Entry point: runs the command line, which is in the library.
fn main() -> ExitCode {
    pi_chat::cli::server::run()
}
