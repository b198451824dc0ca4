//! `chat-peer`: see `--help`.

use std::process::ExitCode;

/// Entry point.
fn main() -> ExitCode {
    pi_chat::cli::peer::run()
}
