//! Floor 4: command lines.

#[cfg(feature = "server")]
mod archive;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
mod discover;
mod exit;
#[cfg(feature = "ui")]
mod frontend;
#[cfg(any(feature = "server", feature = "peer"))]
mod logging;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "ui")]
mod signals;
#[cfg(feature = "server")]
mod status;

use std::io::{Write, stderr};
use std::process::ExitCode;

/// Shows what clap has to say: help and version on standard output and all
/// is well, anything else on standard error.
fn print_clap_message(told: &clap::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = told.print();
    if told.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
}

/// Shows an error with its causes on standard error, on one line if they
/// are.
fn print_error(error: &anyhow::Error) {
    // Nobody may be there to read it; the exit code says the same.
    let _ = writeln!(stderr(), "error: {error:#}");
}
