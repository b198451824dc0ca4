//! Settings of the way in for browsers.

use anyhow::{Result, bail};

use super::ServerOptions;
use crate::server::WebSettings;

impl ServerOptions {
    /// Returns the settings of the ways in for browsers. Without options, that over plain HTTP is
    /// open. That over https needs a key, as TLS does.
    ///
    /// # Errors
    /// A host or an origin is none.
    pub(super) fn web_settings(&self) -> Result<WebSettings> {
        let hosts = self.web_hosts.clone().unwrap_or_default();
        let origins = self.web_origins.clone().unwrap_or_default();
        check_hosts(&hosts)?;
        check_origins(&origins)?;
        let is_open = self.web.unwrap_or(true);
        let is_tls_open = self.web_tls.unwrap_or(false) && self.has_tls_key();
        Ok(WebSettings {
            listen: is_open.then(|| self.web_listen.clone().unwrap_or_default()),
            tls_listen: is_tls_open.then(|| self.web_tls_listen.clone().unwrap_or_default()),
            root: self.web_root.clone().unwrap_or_else(|| WebSettings::default().root),
            hosts,
            origins,
        })
    }
}

/// Checks the `web-hosts` option: names without scheme, port and path.
///
/// # Errors
/// A text is no such name.
fn check_hosts(hosts: &[String]) -> Result<()> {
    let is_name = |it: &str| {
        !it.is_empty() && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c))
    };
    match hosts.iter().find(|it| !is_name(it)) {
        Some(host) => bail!("web-hosts: “{host}” is not the name of a host"),
        None => Ok(()),
    }
}

/// Checks the `web-origins` option: a scheme and a host, perhaps with a port, or `*`.
///
/// # Errors
/// A text is no origin.
fn check_origins(origins: &[String]) -> Result<()> {
    let is_origin = |it: &str| {
        let host = it.split_once("://").map(|(_, host)| host.trim_end_matches('/'));
        it == "*" || host.is_some_and(|it| !it.is_empty() && !it.contains('/'))
    };
    match origins.iter().find(|it| !is_origin(it)) {
        Some(origin) => {
            bail!("web-origins: “{origin}” is not an origin, such as https://example.org")
        }
        None => Ok(()),
    }
}
