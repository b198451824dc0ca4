//! Exit codes of the programs, as in `sysexits.h`.

/// Wrong command line (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// No server or peer answers (`EX_UNAVAILABLE`).
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
/// Invalid configuration (`EX_CONFIG`).
#[cfg(feature = "server")]
pub(super) const BAD_CONFIG: u8 = 78;

/// An error with its exit code.
#[cfg(feature = "ui")]
pub(super) type Failure = (u8, anyhow::Error);

/// Marks an error as one of the command line.
#[cfg(feature = "ui")]
pub(super) fn usage_failure(error: anyhow::Error) -> Failure {
    (USAGE, error)
}

/// Marks an error as one of the operating system.
#[cfg(feature = "ui")]
pub(super) fn os_failure(error: anyhow::Error) -> Failure {
    (OS, error)
}
