//! Exit codes of the programs of a person, as in `sysexits.h`.

pub(super) use super::USAGE;

/// Nobody there.
pub(super) const UNAVAILABLE: u8 = 69;
/// Something in this computer.
pub(super) const OS: u8 = 71;
/// Somebody does not speak the protocol.
#[cfg(feature = "client")]
pub(super) const PROTOCOL: u8 = 76;
/// The other side says no.
pub(super) const REFUSED: u8 = 77;

/// An error with its exit code.
pub(super) type Failed = (u8, anyhow::Error);

/// For errors in what the person has said.
pub(super) fn usage(error: anyhow::Error) -> Failed {
    (USAGE, error)
}

/// For errors of this computer.
pub(super) fn os(error: anyhow::Error) -> Failed {
    (OS, error)
}
