//! URLs of the page and links for `chat-client`, for people: chosen so that they work from other
//! machines.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;
use tokio::sync::watch;

use crate::mdns::bridges::{is_bridge_port, is_container_bridge};
use crate::model::HostAddress;
use crate::server::ServerSettings;
use crate::server::announce::advertised_host;
use crate::server::web::has_page;
use crate::tls::{Fingerprint, ServerLink};

/// Maximum number of addresses that are told beside the name.
const MAX_ADDRESSES: usize = 2;

/// Port that a URL need not name.
const HTTP_PORT: u16 = 80;

/// Source of the URLs and links that work at the moment.
#[derive(Clone)]
pub(super) struct PublicUrls {
    /// Addresses that the server listens on for plain TCP. With those for TLS, they decide what it
    /// advertises.
    pub(super) listening: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for TLS.
    pub(super) tls: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for browsers.
    pub(super) web: watch::Receiver<Vec<SocketAddr>>,
    /// Settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
}

impl PublicUrls {
    /// Returns the URLs of the page: first that with the host name that the server advertises, if it
    /// does; then those with addresses. A wildcard address stands for the addresses of the machine's
    /// interfaces, without those of containers and those that need an interface's name. If only
    /// this machine reaches the server, the URLs work only there. Empty without a listener, and
    /// while the page is not installed. Reads a directory and lists interfaces, so it may block for
    /// a moment.
    pub(super) fn now(&self) -> Vec<String> {
        if !has_page(&self.settings.borrow().web.root) {
            return Vec::new();
        }
        let web = self.web.borrow().clone();
        self.addresses(&web).iter().map(url).collect()
    }

    /// Returns the links to the server over TLS, with this fingerprint of its key: in the same order
    /// as the URLs. Empty without a listener. Lists interfaces, so it may block for a moment.
    pub(super) fn tls_links(&self, fingerprint: Fingerprint) -> Vec<String> {
        let tls = self.tls.borrow().clone();
        let link = |address| ServerLink::new(address, fingerprint).to_string();
        self.addresses(&tls).into_iter().map(link).collect()
    }

    /// Returns names and addresses under which these listening addresses are reached, best first.
    fn addresses(&self, listening: &[SocketAddr]) -> Vec<HostAddress> {
        let (plain, tls) = (self.listening.borrow(), self.tls.borrow());
        let name = advertised_host(&self.settings.borrow(), &plain, &tls);
        drop((plain, tls));
        let interfaces = match listening.iter().any(|it| it.ip().is_unspecified()) {
            true => if_addrs::get_if_addrs().unwrap_or_default(),
            false => Vec::new(),
        };
        let is_useful =
            |it: &Interface| !is_container_bridge(&it.name) && !is_bridge_port(&it.name);
        let own: Vec<IpAddr> = interfaces.into_iter().filter(is_useful).map(|it| it.ip()).collect();
        public_addresses(listening, name.as_deref(), &own)
    }

    /// Waits until the server listens on a further address for browsers. Never returns if it will
    /// not.
    pub(super) async fn changed(&mut self) {
        if self.web.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Returns names and addresses of a server that listens on these addresses, best first. `name`: host
/// name that the server advertises; `own`: addresses of the machine.
fn public_addresses(
    listening: &[SocketAddr],
    name: Option<&str>,
    own: &[IpAddr],
) -> Vec<HostAddress> {
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
    let address = |host: String, port| HostAddress { host, port };
    let named = named.map(|(name, first)| address(name.to_owned(), first.port()));
    let numbered = shown.iter().take(MAX_ADDRESSES);
    let numbered = numbered.map(|it| address(it.ip().to_string(), it.port()));
    named.into_iter().chain(numbered).collect()
}

/// Returns true if a browser would need the name of an interface for this address.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(it) if it.is_unicast_link_local())
}

/// Returns the URL of a host and port.
fn url(address: &HostAddress) -> String {
    let shown = address.to_string();
    let usual = format!(":{HTTP_PORT}");
    format!("http://{}/", shown.strip_suffix(&usual).unwrap_or(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the URLs of a machine with these addresses.
    fn urls_of(listening: &[&str], name: Option<&str>) -> Vec<String> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        let own = ["127.0.0.1", "::1", "fe80::1", "2001:db8::1", "192.0.2.1"];
        let own = own.map(|it| it.parse().unwrap());
        public_addresses(&listening, name, &own).iter().map(url).collect()
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
