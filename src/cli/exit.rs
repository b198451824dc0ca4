//! Exit codes of the programs, as in `sysexits.h`.

/// Wrong command line, configuration of client or peer, or line of a script (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// No server or peer is reachable, or messages were not delivered (`EX_UNAVAILABLE`).
#[cfg(feature = "ui")]
pub(super) const UNAVAILABLE: u8 = 69;
/// An operating-system call has failed (`EX_OSERR`).
#[cfg(feature = "ui")]
pub(super) const OS: u8 = 71;
/// The other side does not follow the protocol (`EX_PROTOCOL`).
#[cfg(feature = "client")]
pub(super) const PROTOCOL: u8 = 76;
/// The other side has refused (`EX_NOPERM`).
#[cfg(feature = "ui")]
pub(super) const REFUSED: u8 = 77;
/// Invalid configuration of the server (`EX_CONFIG`).
#[cfg(feature = "server")]
pub(super) const BAD_CONFIG: u8 = 78;

/// Failure of a program: exit code and error.
#[cfg(feature = "ui")]
pub(super) type Failure = (u8, anyhow::Error);

/// Converts an error of the command line or the configuration into a failure with exit code
/// [`USAGE`].
#[cfg(feature = "ui")]
pub(super) fn usage_failure(error: anyhow::Error) -> Failure {
    (USAGE, error)
}

/// Converts an error of the operating system into a failure with exit code [`OS`].
#[cfg(feature = "ui")]
pub(super) fn os_failure(error: anyhow::Error) -> Failure {
    (OS, error)
}
