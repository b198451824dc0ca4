//! Identity of the server that a client connects to, independent of its current address.

use std::fmt;

use crate::model::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT};
use crate::model::{
    HostAddress, Scheme, ServerAddress, ServerId, instance_label, is_service_instance,
};

/// Server to connect to, given by host name or discovered on the network. Each saved session
/// belongs to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Host name and port. For a discovered server the host name is its DNS-SD instance name, which
    /// may change later.
    pub address: HostAddress,
    /// Scheme that the user has given. Without one, TLS is used where the server is known to have
    /// it.
    pub scheme: Option<Scheme>,
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
    /// lower case, with `chats://` if the user has given that.
    #[must_use]
    pub fn key(&self) -> String {
        match (self.id, self.scheme) {
            (Some(id), _) => format!("id {id}"),
            (None, Some(Scheme::Tls)) => tls_key(&self.address),
            (None, _) => self.address.to_string().to_lowercase(),
        }
    }

    /// Returns the address of this server for TLS if it was given by host name: the given one with
    /// `chats://`, otherwise the default port of TLS on the same host if the default port was
    /// given. `None` if the port of TLS is not known.
    #[must_use]
    pub fn tls_address(&self) -> Option<HostAddress> {
        match self.scheme {
            Some(Scheme::Tls) => Some(self.address.clone()),
            _ if self.address.port == DEFAULT_PORT => {
                Some(HostAddress { host: self.address.host.clone(), port: DEFAULT_TLS_PORT })
            }
            _ => None,
        }
    }

    /// Returns the key under which the fingerprint of this server is kept: that of the session
    /// store for a discovered server, otherwise its address for TLS. `None` if that is not known.
    #[must_use]
    pub fn trust_key(&self) -> Option<String> {
        if self.id.is_some() || is_service_instance(&self.address.host) {
            return Some(Self { scheme: None, ..self.clone() }.key());
        }
        self.tls_address().map(|it| tls_key(&it))
    }
}

/// Returns the key of a server given by its address for TLS.
fn tls_key(address: &HostAddress) -> String {
    format!("chats://{}", address.to_string().to_lowercase())
}

impl From<HostAddress> for Destination {
    fn from(address: HostAddress) -> Self {
        Self { address, scheme: None, id: None, dns_host: None }
    }
}

impl From<ServerAddress> for Destination {
    fn from(ServerAddress { scheme, address }: ServerAddress) -> Self {
        Self { scheme, ..address.into() }
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
