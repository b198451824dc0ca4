//! Settings of TLS.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::ServerOptions;
use crate::model::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT};
use crate::server::{ListenAddress, TlsSettings};
use crate::tls::Identity;

impl ServerOptions {
    /// Returns true if TLS or https is asked for but there will be none, because there is no key.
    #[must_use]
    pub fn lacks_key_for_tls(&self) -> bool {
        let is_wanted = self.tls.unwrap_or(self.tls_listen.is_some());
        (is_wanted || self.web_tls == Some(true)) && !self.has_tls_key()
    }

    /// Returns the file of the owner's key for TLS; `None` if it is not set.
    #[must_use]
    pub fn tls_key_path(&self) -> Option<&Path> {
        self.tls_key.as_deref()
    }

    /// Returns true if there is a key for TLS: in files of the owner, or in a log on disk.
    pub(super) fn has_tls_key(&self) -> bool {
        self.tls_certificate.is_some() || self.log_directory().is_some()
    }

    /// Returns the addresses for TLS if none are set: those for plain TCP that have its default
    /// port, with the default port of TLS. So a server takes the default port of TLS only if it has
    /// that of plain TCP, for clients take both for those of one server. Without plain TCP, all that
    /// are set for it, with the default port of TLS. Without any, all addresses of the machine.
    fn default_tls_listen(&self) -> Vec<ListenAddress> {
        let listen = self.listen.as_deref().unwrap_or_default();
        if listen.is_empty() {
            return vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_TLS_PORT)).into()];
        }
        let is_plain = self.plain.unwrap_or(true);
        let mut addresses = Vec::new();
        for it in listen.iter().filter(|it| !is_plain || it.port() == DEFAULT_PORT) {
            let address = it.clone().with_port(DEFAULT_TLS_PORT);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Returns the settings of TLS. It is on by default if there is a key (that of the owner's
    /// files, or that in a log on disk) and an address for it.
    ///
    /// # Errors
    /// Only one of the owner's files is given, or they cannot be used; or TLS is demanded and has no
    /// address.
    pub(super) fn tls_settings(&self) -> Result<TlsSettings> {
        let certificate = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let identity = Identity::from_files(certificate, key);
                Some(identity.context("tls-certificate and tls-key")?)
            }
            (None, None) => None,
            _ => bail!("tls-certificate and tls-key must be set together"),
        };
        let has_key = self.has_tls_key();
        let is_default = self.tls_listen.is_none();
        let listen = self.tls_listen.clone().unwrap_or_else(|| self.default_tls_listen());
        if listen.is_empty() && has_key && self.tls == Some(true) {
            bail!(
                "set tls-listen: its default follows from listen, which has no address with port {DEFAULT_PORT}"
            );
        }
        let is_on = self.tls.unwrap_or(true) && has_key && !listen.is_empty();
        Ok(TlsSettings { listen: is_on.then_some(listen), is_default, certificate })
    }
}
