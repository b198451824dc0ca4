//! Settings of who may come in, and who may claim a name.

use clap::ValueEnum;
use serde::Deserialize;

use crate::model::{Access, ClaimPolicy};

/// Value of the `access` option: who may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AccessMode {
    /// Everybody, with the password if there is one.
    Everybody,
    /// Who was invited.
    Invited,
}

impl From<AccessMode> for Access {
    /// Returns the setting.
    fn from(mode: AccessMode) -> Self {
        match mode {
            AccessMode::Everybody => Self::Everybody,
            AccessMode::Invited => Self::Invited,
        }
    }
}

/// Value of the `claims` option: who may claim a name with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ClaimMode {
    /// Nobody; claims that were made stay.
    Off,
    /// Who has an invitation that permits it.
    Invited,
    /// Everybody who has a key.
    Open,
}

impl From<ClaimMode> for ClaimPolicy {
    /// Returns the setting.
    fn from(mode: ClaimMode) -> Self {
        match mode {
            ClaimMode::Off => Self::Off,
            ClaimMode::Invited => Self::Invited,
            ClaimMode::Open => Self::Open,
        }
    }
}
