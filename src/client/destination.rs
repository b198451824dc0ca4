//! Which server a client goes to, wherever that may be at the time.

use std::fmt;

use crate::model::{HostAddress, ServerId, instance, is_entry};

/// A server, as somebody has named it or as it was found on the network. What
/// is kept on disk is kept for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A host; or the entry of a server that was found, which may have another
    /// one by now.
    pub address: HostAddress,
    /// Which of those that are found it is. Only of one that was found, and
    /// that says it.
    pub id: Option<ServerId>,
}

impl Destination {
    /// Whether it is certain which server it is. (Of an entry that somebody
    /// has named that shows when the server is found.)
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.id.is_some() || !is_entry(&self.address.host)
    }

    /// What tells it from every other one.
    #[must_use]
    pub fn key(&self) -> String {
        match self.id {
            Some(id) => format!("id {id}"),
            None => self.address.to_string().to_lowercase(),
        }
    }
}

impl From<HostAddress> for Destination {
    fn from(address: HostAddress) -> Self {
        Self { address, id: None }
    }
}

impl fmt::Display for Destination {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match instance(&self.address.host) {
            Some(instance) => f.write_str(instance),
            None => self.address.fmt(f),
        }
    }
}
