//! The chat server program, `chat-server`: see `--help`.

#![deny(unsafe_code)]

use std::process::ExitCode;

/// Entry point: runs the command line, which is in the library.
fn main() -> ExitCode {
    pi_chat::cli::server::run()
}

/// The two functions of C's mathematical library that the program calls: tokio calls the one,
/// SQLite the other. With its own the program does not load that library, and an idle server has
/// half a megabyte less in memory.
#[expect(unsafe_code, reason = "the linker has to find them by these names")]
#[cfg(target_os = "linux")]
mod math {
    /// Returns `base` to the power of `exponent`.
    #[unsafe(no_mangle)]
    extern "C" fn pow(base: f64, exponent: f64) -> f64 {
        libm::pow(base, exponent)
    }

    /// Returns the natural logarithm of a number.
    #[unsafe(no_mangle)]
    extern "C" fn log(number: f64) -> f64 {
        libm::log(number)
    }
}
