//! Settings of who may come in, and who may claim a name.

use clap::ValueEnum;
use serde::Deserialize;

use super::ServerOptions;
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

impl ServerOptions {
    /// Returns true if names are to be claimed but cannot be, because there is no log on disk. Call
    /// it on merged options.
    #[must_use]
    pub fn lacks_log_for_claims(&self) -> bool {
        self.claims.is_some_and(|it| it != ClaimMode::Off) && self.log_directory().is_none()
    }

    /// Returns true if only invited users may come in, but the server forgets at each restart whom
    /// it has invited, because there is no log on disk. Call it on merged options.
    #[must_use]
    pub fn forgets_invitations(&self) -> bool {
        self.access == Some(AccessMode::Invited) && self.log_directory().is_none()
    }
}
