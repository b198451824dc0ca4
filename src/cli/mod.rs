//! Layer 4: command lines of the three programs. Each one parses flags, loads settings, runs the
//! program, reports errors and returns an exit code.

#[cfg(feature = "server")]
mod announce;
#[cfg(feature = "server")]
mod archive;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod control;
#[cfg(feature = "client")]
mod discover;
mod exit;
#[cfg(feature = "ui")]
mod first_questions;
#[cfg(feature = "ui")]
mod frontend;
#[cfg(feature = "server")]
mod invitations;
#[cfg(feature = "server")]
mod invite;
#[cfg(any(feature = "server", feature = "peer"))]
mod logging;
#[cfg(feature = "server")]
mod moderation;
#[cfg(feature = "server")]
mod moderation_output;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "server")]
mod promote;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "ui")]
mod signals;
#[cfg(feature = "server")]
mod status;

#[cfg(feature = "server")]
use std::fmt::Display;
#[cfg(feature = "server")]
use std::io::{Write, stderr};
use std::process::ExitCode;

/// Prints a message of clap: help and version on standard output, usage errors on standard error.
/// Returns [`exit::USAGE`] for an error, otherwise success.
fn print_clap_message(message: &clap::Error) -> ExitCode {
    // The stream may be closed.
    let _ = message.print();
    if message.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
}

/// Prints an error on standard error, followed by its causes.
#[cfg(feature = "server")]
fn print_error(error: &anyhow::Error) {
    // The stream may be closed. The exit code reports the failure too.
    let _ = writeln!(stderr(), "error: {error:#}");
}

/// Returns a number with what it counts: `one` for 1, `many` for any other number.
#[cfg(feature = "server")]
fn counted<T: Display + PartialEq + From<u8>>(number: T, one: &str, many: &str) -> String {
    let what = if number == T::from(1) { one } else { many };
    format!("{number} {what}")
}
