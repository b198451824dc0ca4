//! URLs of the page, for people: chosen so that they work from other machines.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;
use tokio::sync::watch;

use crate::mdns::bridges::{is_bridge_port, is_container_bridge};
use crate::server::ServerSettings;
use crate::server::announce::advertised_host;
use crate::server::web::has_page;
use crate::server::web::hosts::Authority;

/// Maximum number of addresses that are told beside the name.
const MAX_ADDRESSES: usize = 2;

/// Port that a URL need not name.
const HTTP_PORT: u16 = 80;

/// Source of the URLs that work at the moment.
#[derive(Clone)]
pub(in crate::server) struct BrowserUrls {
    /// Addresses that the server listens on for plain TCP. With those for TLS, they decide what it
    /// advertises.
    pub(in crate::server) listening: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for TLS.
    pub(in crate::server) tls: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for browsers.
    pub(in crate::server) web: watch::Receiver<Vec<SocketAddr>>,
    /// Settings in force.
    pub(in crate::server) settings: watch::Receiver<ServerSettings>,
}

impl BrowserUrls {
    /// Returns the URLs: first that with the host name that the server advertises, if it does; then
    /// those with addresses. A wildcard address stands for the addresses of the machine's
    /// interfaces, without those of containers and those that need an interface's name. If only
    /// this machine reaches the server, the URLs work only there. Empty without a listener, and
    /// while the page is not installed. Reads a directory and lists interfaces, so it may block for
    /// a moment.
    pub(in crate::server) fn now(&self) -> Vec<String> {
        if !has_page(&self.settings.borrow().web.root) {
            return Vec::new();
        }
        let web = self.web.borrow().clone();
        let (plain, tls) = (self.listening.borrow(), self.tls.borrow());
        let name = advertised_host(&self.settings.borrow(), &plain, &tls);
        drop((plain, tls));
        let interfaces = match web.iter().any(|it| it.ip().is_unspecified()) {
            true => if_addrs::get_if_addrs().unwrap_or_default(),
            false => Vec::new(),
        };
        let is_useful =
            |it: &Interface| !is_container_bridge(&it.name) && !is_bridge_port(&it.name);
        let own: Vec<IpAddr> = interfaces.into_iter().filter(is_useful).map(|it| it.ip()).collect();
        urls(&web, name.as_deref(), &own)
    }

    /// Waits until the server listens on a further address for browsers. Never returns if it will
    /// not.
    pub(in crate::server) async fn changed(&mut self) {
        if self.web.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Returns the URLs for a server that listens on these addresses. `name`: host name that the server
/// advertises; `own`: addresses of the machine.
fn urls(listening: &[SocketAddr], name: Option<&str>, own: &[IpAddr]) -> Vec<String> {
    let mut reachable: Vec<SocketAddr> = Vec::new();
    for address in listening {
        let port = address.port();
        match address.ip().is_unspecified() {
            true => {
                let fits = |it: &&IpAddr| address.is_ipv6() || it.is_ipv4();
                reachable.extend(own.iter().filter(fits).map(|it| SocketAddr::new(*it, port)));
            }
            false => reachable.push(*address),
        }
    }
    reachable.retain(|it| !is_link_local(it.ip()));
    let is_loopback = |it: &SocketAddr| it.ip().to_canonical().is_loopback();
    let remote: Vec<SocketAddr> = reachable.iter().filter(|it| !is_loopback(it)).copied().collect();
    let is_remote = !remote.is_empty();
    let mut shown = if is_remote { remote } else { reachable };
    // Addresses of IPv4 are shorter to type.
    shown.sort_by_key(SocketAddr::is_ipv6);
    let named = name.zip(shown.first()).filter(|_| is_remote);
    let named = named.map(|(name, first)| url(name, first.port()));
    let numbered = shown.iter().take(MAX_ADDRESSES).map(|it| match it.ip() {
        IpAddr::V4(ip) => url(&ip.to_string(), it.port()),
        IpAddr::V6(ip) => url(&format!("[{ip}]"), it.port()),
    });
    named.into_iter().chain(numbered).collect()
}

/// Returns true if a URL leads to this server from other machines, too.
pub(crate) fn is_remote(url: &str) -> bool {
    let host = url.split('/').nth(2).and_then(Authority::parse);
    host.is_some_and(|it| !it.is_loopback())
}

/// Returns true if a browser would need the name of an interface for this address.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(it) if it.is_unicast_link_local())
}

/// Returns the URL of a host and port.
fn url(host: &str, port: u16) -> String {
    match port {
        HTTP_PORT => format!("http://{host}/"),
        _ => format!("http://{host}:{port}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the URLs of a machine with these addresses.
    fn urls_of(listening: &[&str], name: Option<&str>) -> Vec<String> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        let own = ["127.0.0.1", "::1", "fe80::1", "2001:db8::1", "192.0.2.1"];
        urls(&listening, name, &own.map(|it| it.parse().unwrap()))
    }

    #[test]
    fn only_loopback_leads_nobody_else_here() {
        for url in ["http://pi-chat.local:2480/", "http://192.0.2.1/", "http://[2001:db8::1]:2480/"]
        {
            assert!(is_remote(url), "{url}");
        }
        for url in ["http://127.0.0.2:2480/", "http://[::1]/", "http://localhost:2480/", "nonsense"]
        {
            assert!(!is_remote(url), "{url}");
        }
    }

    #[test]
    fn urls_work_from_other_machines() {
        let all =
            ["http://pi-chat.local:2480/", "http://192.0.2.1:2480/", "http://[2001:db8::1]:2480/"];
        assert_eq!(urls_of(&["[::]:2480"], Some("pi-chat.local")), all);
        assert_eq!(urls_of(&["[::]:2480"], None), all[1..]);
        assert_eq!(urls_of(&["0.0.0.0:80"], None), ["http://192.0.2.1/"]);
        assert_eq!(urls_of(&["127.0.0.1:1", "192.0.2.9:2"], None), ["http://192.0.2.9:2/"]);
        assert_eq!(urls_of(&["127.0.0.1:1"], Some("x.local")), ["http://127.0.0.1:1/"]);
        assert!(urls_of(&[], Some("x.local")).is_empty());
    }
}
