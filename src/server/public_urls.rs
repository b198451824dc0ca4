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
use crate::server::web::{has_page, is_remote};
use crate::tls::{Fingerprint, ServerLink};

/// Maximum number of addresses that are told beside the name.
const MAX_ADDRESSES: usize = 2;

/// Scheme of plain HTTP, and the port that its URLs need not name.
const HTTP: (&str, u16) = ("http", 80);

/// Scheme of https, and the port that its URLs need not name.
const HTTPS: (&str, u16) = ("https", 443);

/// Source of the URLs and links that work at the moment.
#[derive(Clone)]
pub(super) struct PublicUrls {
    /// Addresses that the server listens on for plain TCP. With those for TLS, they decide what it
    /// advertises.
    pub(super) listening: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for TLS.
    pub(super) tls: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for browsers over plain HTTP.
    pub(super) web: watch::Receiver<Vec<SocketAddr>>,
    /// Addresses that the server listens on for browsers over https.
    pub(super) web_tls: watch::Receiver<Vec<SocketAddr>>,
    /// Settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
}

impl PublicUrls {
    /// Returns the URLs of the page: first those of https with a host that is in the owner's
    /// certificate, because browsers may trust it; then those of plain HTTP; last one of https of
    /// which browsers warn, if there is no better one of https.
    ///
    /// Of plain HTTP, that with the host name that the server advertises comes first, if it does;
    /// then those with addresses. A wildcard address stands for the addresses of the machine's
    /// interfaces, without those of containers and those that need an interface's name. If only
    /// this machine reaches the server, the URLs work only there. Empty without a listener, and
    /// while the page is not installed. Reads a directory and lists interfaces, so it may block for
    /// a moment.
    pub(super) fn now(&self) -> Vec<String> {
        let (hosts, certificate) = {
            let settings = self.settings.borrow();
            if !has_page(&settings.web.root) {
                return Vec::new();
            }
            (settings.web.hosts.clone(), settings.tls.certificate.clone())
        };
        let (web, web_tls) = (self.web.borrow().clone(), self.web_tls.borrow().clone());
        let encrypted = self.addresses(&web_tls);
        let is_certified =
            |host: &str| certificate.as_ref().is_some_and(|certificate| certificate.names(host));
        order_urls(&self.addresses(&web), &encrypted, &hosts, is_certified)
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
        tokio::select! {
            Ok(()) = self.web.changed() => {}
            Ok(()) = self.web_tls.changed() => {}
            else => pending::<()>().await,
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

/// Returns the URLs of the page in the order of [`PublicUrls::now`]. `plain` and `encrypted`:
/// addresses for HTTP and https, best first; `hosts`: further names of the server;
/// `is_certified`: returns true for a host that is in the owner's certificate.
fn order_urls(
    plain: &[HostAddress],
    encrypted: &[HostAddress],
    hosts: &[String],
    is_certified: impl Fn(&str) -> bool,
) -> Vec<String> {
    let https: Vec<String> = encrypted.iter().map(|it| url(HTTPS, it)).collect();
    // A name from elsewhere leads here only if others reach the server at all.
    let port = encrypted.first().filter(|_| https.first().is_some_and(|it| is_remote(it)));
    let port = port.map(|it| it.port);
    let named = hosts.iter().zip(port.into_iter().cycle());
    let named = named.map(|(host, port)| HostAddress { host: host.clone(), port });
    let certified = named.chain(encrypted.iter().cloned()).filter(|it| is_certified(&it.host));
    let mut urls: Vec<String> = certified.map(|it| url(HTTPS, &it)).collect();
    let of_which_browsers_warn = https.into_iter().take(usize::from(urls.is_empty()));
    urls.extend(plain.iter().map(|it| url(HTTP, it)).chain(of_which_browsers_warn));
    if urls.iter().any(|it| is_remote(it)) {
        urls.retain(|it| is_remote(it));
    }
    urls
}

/// Returns the URL of a host and port.
fn url((scheme, usual_port): (&str, u16), address: &HostAddress) -> String {
    let shown = address.to_string();
    let usual = format!(":{usual_port}");
    format!("{scheme}://{}/", shown.strip_suffix(&usual).unwrap_or(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the URLs of a machine with these addresses.
    fn urls_of(listening: &[&str], name: Option<&str>) -> Vec<String> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        let own = ["127.0.0.1", "::1", "fe80::1", "2001:db8::1", "192.0.2.1"];
        let own = own.map(|it| it.parse().unwrap());
        public_addresses(&listening, name, &own).iter().map(|it| url(HTTP, it)).collect()
    }

    /// Browsers may trust the owner's certificate for the names that are in it. They warn of https
    /// with any other, so there plain HTTP comes first.
    #[test]
    fn https_comes_first_where_browsers_may_trust_it() {
        let address = |host: &str, port| HostAddress { host: host.to_owned(), port };
        let plain = [address("pi-chat.local", 2_480), address("192.0.2.1", 2_480)];
        let encrypted = [address("pi-chat.local", 2_443), address("192.0.2.1", 2_443)];
        let hosts = ["proxy.example.org", "chat.example.org"].map(str::to_owned);
        let order = |encrypted: &[HostAddress], certified: &str| {
            order_urls(&plain, encrypted, &hosts, |host| host == certified)
        };
        let http = ["http://pi-chat.local:2480/", "http://192.0.2.1:2480/"];
        assert_eq!(order(&[], "chat.example.org"), http);
        let warned = [&http[..], &["https://pi-chat.local:2443/"]].concat();
        assert_eq!(order(&encrypted, "other.example.org"), warned);
        let trusted = [&["https://chat.example.org:2443/"], &http[..]].concat();
        assert_eq!(order(&encrypted, "chat.example.org"), trusted);
        let trusted = [&["https://192.0.2.1:2443/"], &http[..]].concat();
        assert_eq!(order(&encrypted, "192.0.2.1"), trusted);
        let local = [address("127.0.0.1", 443)];
        assert_eq!(order(&local, "127.0.0.1"), http, "others do not get there");
        let only = |plain| order_urls(plain, &encrypted, &[], |_| false);
        assert_eq!(only(&local), ["https://pi-chat.local:2443/"]);
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
