//! Exit codes of the programs, as in `sysexits.h`.

/// Exit code for a wrong command line, or for a wrong configuration of client or peer. Also for an
/// invalid line in a script (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// Exit code if no server or peer can be reached, or if messages were not delivered
/// (`EX_UNAVAILABLE`).
#[cfg(feature = "ui")]
pub(super) const UNAVAILABLE: u8 = 69;
/// Exit code if the operating system fails: terminal, network, random source, files (`EX_OSERR`).
#[cfg(feature = "ui")]
pub(super) const OS: u8 = 71;
/// Exit code if client and server do not understand each other (`EX_PROTOCOL`).
#[cfg(feature = "client")]
pub(super) const PROTOCOL: u8 = 76;
/// Exit code if the server or another peer has refused the join. Also if a request of a script was
/// refused (`EX_NOPERM`).
#[cfg(feature = "ui")]
pub(super) const REFUSED: u8 = 77;
/// Exit code for a wrong configuration of the server, or if no data directory is named for a
/// command for the log on disk (`EX_CONFIG`). `status` and `announce` return 1 instead.
#[cfg(feature = "server")]
pub(super) const BAD_CONFIG: u8 = 78;

/// Failure of a program: the exit code, and the error to print.
#[cfg(feature = "ui")]
pub(super) type Failure = (u8, anyhow::Error);

/// Converts an error of command line or configuration to a failure with exit code [`USAGE`].
#[cfg(feature = "ui")]
pub(super) fn usage_failure(error: anyhow::Error) -> Failure {
    (USAGE, error)
}

/// Converts an error of the operating system to a failure with exit code [`OS`].
#[cfg(feature = "ui")]
pub(super) fn os_failure(error: anyhow::Error) -> Failure {
    (OS, error)
}
