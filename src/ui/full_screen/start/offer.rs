//! Server in the list.

use crate::model::NameKey;
use crate::text;

/// How the way to a server is protected, as far as it is known before the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nothing is encrypted.
    Open,
    /// Encrypted; the server's key is not known yet.
    Encrypted,
    /// Encrypted; the server's key is known.
    Known,
}

impl Lock {
    /// Returns the protection in words.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Open => text!("status-plain"),
            Self::Encrypted => text!("status-encrypted"),
            Self::Known => text!("start-known-key"),
        }
    }
}

/// Server that was found. Its texts come from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the server is known by from one start to the next.
    pub key: String,
    /// Name for people.
    pub name: String,
    /// DNS host name.
    pub host: String,
    /// Address to which it is connected first.
    pub address: String,
    /// How the way to it is protected.
    pub lock: Lock,
}

impl Offer {
    /// Returns true if this is the server's name, its host, or the first label of its host.
    pub(super) fn is_called(&self, key: &NameKey) -> bool {
        let short = self.host.split('.').next().unwrap_or_default();
        [self.name.as_str(), &self.host, short].iter().any(|it| NameKey::of(it) == *key)
    }
}
