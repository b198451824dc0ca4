//! Identity of the server that a client connects to, independent of its current address.

use std::fmt;

use crate::model::{HostAddress, ServerId, instance_label, is_service_instance};

/// Server to connect to, given by host name or discovered on the network. Each saved session
/// belongs to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Host name and port. For a discovered server the host name is its DNS-SD instance name, which
    /// may change later.
    pub address: HostAddress,
    /// Id that a discovered server announces. `None` if it announces none, or if the server was
    /// given by host name.
    pub id: Option<ServerId>,
    /// DNS host name of a discovered server's own, which stays when its instance name changes.
    /// `None` if the server was not found yet, or was given by host name.
    pub dns_host: Option<String>,
}

impl Destination {
    /// Returns true if it is certain which server this is: it has an id, or its host name is no
    /// instance name. Otherwise it is uncertain until it has been found, because it may announce an
    /// id.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.id.is_some() || !is_service_instance(&self.address.host)
    }

    /// Returns the key of this server in the session store: its id. Without an id, its address in
    /// lower case.
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
        Self { address, id: None, dns_host: None }
    }
}

impl fmt::Display for Destination {
    /// Formats the server for people: the label of its instance name. If it has none, host and
    /// port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match instance_label(&self.address.host) {
            Some(instance) => f.write_str(instance),
            None => self.address.fmt(f),
        }
    }
}
