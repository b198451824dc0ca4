//! Advertises the server on the local network, by DNS-SD over multicast DNS:
//! `docs/protocol/discovery.md`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use if_addrs::Interface;
use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::ServerSettings;
use super::web::has_page;
use crate::mdns;
use crate::mdns::bridges::{is_bridge_port, is_container_bridge};
use crate::model::ServerId;
use crate::model::limits::{DEFAULT_PORT, MDNS_SERVICE};

/// Service type of the page for browsers.
const HTTP_SERVICE: &str = "_http._tcp.local.";

/// Maximum length of a DNS label, in bytes.
const MAX_LABEL: usize = 63;

/// Suffix of the advertised host name, after the machine's name. The host name must differ from the
/// machine's own name, because a responder such as avahi may advertise that: two responders with
/// different addresses for one name are in conflict.
///
/// If the port is not the default port, `-` and the port follow the suffix. A stopping server
/// withdraws its host name, so two servers on a machine must have different host names.
const HOST_SUFFIX: &str = "-chat";

/// Length reserved for the suffix that multicast DNS appends after a name conflict, such as ` (2)`,
/// in bytes.
const MAX_CONFLICT_SUFFIX: usize = 5;

/// Maximum time to wait for the goodbye packet to be sent.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(300);

/// Contents of the DNS-SD service record to advertise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Advertisement {
    /// Server id; `None` if the log is not on disk.
    id: Option<ServerId>,
    /// Name of the server.
    name: String,
    /// TCP port of the service: that of plain TCP; that of TLS if there is no plain TCP.
    port: u16,
    /// Port of TLS; `None` if only this machine reaches it, or there is none.
    tls_port: Option<u16>,
    /// Addresses with this port on which the server listens, without loopback addresses. A wildcard
    /// address stands for all addresses of the machine.
    addresses: Vec<SocketAddr>,
    /// Port of the page for browsers; `None` if only this machine reaches it, or there is none.
    web_port: Option<u16>,
}

impl Advertisement {
    /// Returns the record for a server with these settings and listening addresses. Its port is the
    /// port of the first address that is not loopback, of plain TCP if there is any, else of TLS.
    /// Only addresses with this port are advertised. `web`: addresses at which browsers get the
    /// page. `None` if advertising is off or all addresses are loopback.
    fn of(
        id: Option<ServerId>,
        settings: &ServerSettings,
        plain: &[SocketAddr],
        tls: &[SocketAddr],
        web: &[SocketAddr],
    ) -> Option<Self> {
        let is_reachable = |it: &&SocketAddr| !it.ip().to_canonical().is_loopback();
        let listening = if plain.iter().any(|it| is_reachable(&it)) { plain } else { tls };
        let reachable = || listening.iter().filter(is_reachable);
        // A service instance has exactly one port.
        let port = reachable().next()?.port();
        settings.announce.then(|| Self {
            id,
            name: settings.hub.server_name.clone(),
            port,
            tls_port: tls.iter().find(is_reachable).map(SocketAddr::port),
            addresses: reachable().filter(|it| it.port() == port).copied().collect(),
            web_port: web.iter().find(is_reachable).map(SocketAddr::port),
        })
    }

    /// Returns the network interfaces to advertise on: all interfaces for `[::]`, those with IPv4
    /// for `0.0.0.0`, and for any other address the interface that has it. The addresses of these
    /// interfaces are advertised.
    ///
    /// For `[::]`, link-local addresses of containers are left out. The library advertises an
    /// address on the interfaces that are in the same network. All link-local IPv6 addresses look
    /// as if they were in the same network, so each of them is advertised on all interfaces.
    fn interfaces(&self) -> Vec<IfKind> {
        let kind = |address: &SocketAddr| match (address.ip().is_unspecified(), address.is_ipv6()) {
            (true, true) => IfKind::Predicate(IfPredicate::new(|interface| {
                let is_link_local = matches!(
                    interface.ip(),
                    IpAddr::V6(v6) if v6.is_unicast_link_local()
                );
                !is_link_local || !is_container_bridge(&interface.name)
            })),
            (true, false) => IfKind::IPv4,
            (false, _) => {
                let address = *address;
                IfKind::Predicate(IfPredicate::new(move |it| is_address_of(it, address)))
            }
        };
        self.addresses.iter().map(kind).collect()
    }
}

/// Addresses that the server listens on.
pub(super) struct Listening {
    /// For plain TCP.
    pub(super) plain: watch::Receiver<Vec<SocketAddr>>,
    /// For TLS.
    pub(super) tls: watch::Receiver<Vec<SocketAddr>>,
    /// For browsers.
    pub(super) web: watch::Receiver<Vec<SocketAddr>>,
}

/// Advertises the server while it listens. When settings or addresses change the record, withdraws
/// the old record and advertises the new one. A record that could not be advertised is tried again
/// at the next change. The page for browsers is advertised if it was installed at the start or the
/// last change.
///
/// Returns when all senders of `listening.plain` and `listening.tls` are dropped and the record is
/// withdrawn.
pub(super) async fn announce(
    id: Option<ServerId>,
    mut settings: watch::Receiver<ServerSettings>,
    listening: Listening,
) {
    let Listening { mut plain, mut tls, mut web } = listening;
    let mut shown: Option<(Advertisement, Advertiser)> = None;
    let (mut has_plain, mut has_tls) = (true, true);
    while has_plain || has_tls {
        let wanted = {
            let settings = settings.borrow_and_update();
            let web = web.borrow_and_update();
            let web: &[SocketAddr] = if has_page(&settings.web.root) { &web } else { &[] };
            let (plain, tls) = (plain.borrow_and_update(), tls.borrow_and_update());
            Advertisement::of(id, &settings, &plain, &tls, web)
        };
        if shown.as_ref().map(|(it, _)| it) != wanted.as_ref() {
            withdraw(shown.take()).await;
            shown = wanted.and_then(|it| Some((it.clone(), Advertiser::begin(&it)?)));
        }
        // What has ended is no longer watched, except for the addresses.
        tokio::select! {
            told = plain.changed(), if has_plain => has_plain = told.is_ok(),
            told = tls.changed(), if has_tls => has_tls = told.is_ok(),
            Ok(()) = web.changed() => {}
            Ok(()) = settings.changed() => {}
        }
    }
    withdraw(shown).await;
}

/// Withdraws an advertised record from the network, and waits for that for up to
/// [`GOODBYE_TIMEOUT`]. Does nothing for `None`.
async fn withdraw(shown: Option<(Advertisement, Advertiser)>) {
    if let Some((_, advertiser)) = shown {
        // This blocks for a while. If it panics, the record expires by its time to live.
        let _ = spawn_blocking(move || advertiser.end()).await;
    }
}

/// Advertised record, with the multicast DNS thread that answers queries for it. The thread also
/// follows changes of the machine's addresses.
struct Advertiser {
    /// Handle of the multicast DNS thread.
    daemon: ServiceDaemon,
}

impl Advertiser {
    /// Starts advertising a record. If that fails, or the machine's networks cannot be listed, logs
    /// the failure and returns `None`; the server continues.
    fn begin(wanted: &Advertisement) -> Option<Self> {
        if let Err(error) = if_addrs::get_if_addrs() {
            tracing::warn!("clients cannot find this server: cannot list the networks: {error}");
            return None;
        }
        match Self::try_begin(wanted) {
            Ok(advertiser) => Some(advertiser),
            Err(error) => {
                tracing::warn!("clients cannot find this server automatically: {error}");
                None
            }
        }
    }

    /// Starts the multicast DNS thread, which advertises a record.
    ///
    /// # Errors
    /// The thread cannot be started or does not accept the record. Then no thread is left.
    fn try_begin(wanted: &Advertisement) -> Result<Self, mdns_sd::Error> {
        Self::with_daemon(mdns::start_daemon()?, |daemon| register(daemon, wanted))
    }

    /// Returns the advertiser with this thread, to which `register` passes a record. If `register`
    /// fails, ends the thread, which does not end by itself, and returns the error.
    fn with_daemon(
        daemon: ServiceDaemon,
        register: impl FnOnce(&ServiceDaemon) -> Result<(), mdns_sd::Error>,
    ) -> Result<Self, mdns_sd::Error> {
        if let Err(error) = register(&daemon) {
            // Nothing was advertised, so there is no goodbye to wait for.
            let _ = daemon.shutdown();
            return Err(error);
        }
        Ok(Self { daemon })
    }

    /// Withdraws the record: tells the thread to send a goodbye packet and end. Blocks for up to
    /// [`GOODBYE_TIMEOUT`].
    fn end(self) {
        // Shutting down the daemon sends a goodbye for all its records.
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = ended.recv_timeout(GOODBYE_TIMEOUT);
        }
    }
}

/// Passes a record, and that of the page for browsers, to a multicast DNS thread, which advertises
/// them on the interfaces of [`Advertisement::interfaces`], except loopbacks and ports of bridges. The bridge hears what its
/// ports hear.
///
/// # Errors
/// The thread does not accept the record.
fn register(daemon: &ServiceDaemon, wanted: &Advertisement) -> Result<(), mdns_sd::Error> {
    let ports = IfPredicate::new(|interface| is_bridge_port(&interface.name));
    let unused = [IfKind::LoopbackV4, IfKind::LoopbackV6, IfKind::Predicate(ports)];
    daemon.disable_interface(unused.to_vec())?;
    let mut text =
        vec![("name", wanted.name.clone()), ("version", env!("CARGO_PKG_VERSION").to_owned())];
    text.extend(wanted.id.map(|it| ("id", it.to_string())));
    text.extend(wanted.tls_port.map(|it| ("tls", it.to_string())));
    let label = truncate(&wanted.name, MAX_LABEL - MAX_CONFLICT_SUFFIX);
    let host = format!("{}.", host_name(wanted.port));
    let register = |service, port, text: &[(&str, String)]| {
        let entry = ServiceInfo::new(service, label, &host, (), port, text)?;
        let mut entry = entry.enable_addr_auto();
        entry.set_interfaces(wanted.interfaces());
        daemon.register(entry)
    };
    register(MDNS_SERVICE, wanted.port, &text)?;
    match wanted.web_port {
        Some(port) => register(HTTP_SERVICE, port, &[("path", "/".to_owned())]),
        None => Ok(()),
    }
}

/// Returns the host name that a server with these settings and listening addresses advertises, such
/// as `raspberrypi-chat.local`; `None` if it advertises none. After a conflict with another
/// machine's name, the advertised name has a number, which this does not know.
pub(super) fn advertised_host(
    settings: &ServerSettings,
    plain: &[SocketAddr],
    tls: &[SocketAddr],
) -> Option<String> {
    Some(host_name(Advertisement::of(None, settings, plain, tls, &[])?.port))
}

/// Returns the host name of a server at this port.
fn host_name(port: u16) -> String {
    format!("{}.local", host_label(&machine_name(), port))
}

/// Returns true if `interface` has the IP address of `address`. Several interfaces may have the
/// same link-local IPv6 address; then the scope of `address` selects one of them.
fn is_address_of(interface: &Interface, address: SocketAddr) -> bool {
    let scope = match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    interface.ip() == address.ip() && (scope == 0 || interface.index == Some(scope))
}

/// Returns the longest prefix of `text` that has at most `most` bytes and does not split a
/// character.
fn truncate(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// Returns the host name of this machine, as `uname` reports it.
pub(super) fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the DNS label of the host name to advertise for a server at this port: a machine name,
/// then [`HOST_SUFFIX`], then `-` and the port if it is not the default port.
///
/// The machine name is the first label of `machine`, reduced to ASCII letters, digits and hyphens,
/// and shortened to fit. It is `pi` if nothing is left.
fn host_label(machine: &str, port: u16) -> String {
    let suffix = match port {
        DEFAULT_PORT => HOST_SUFFIX.to_owned(),
        other => format!("{HOST_SUFFIX}-{other}"),
    };
    let first = machine.split('.').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name: String = first.chars().filter(|c| fits(*c)).collect();
    let name = truncate(&name, MAX_LABEL - MAX_CONFLICT_SUFFIX - suffix.len());
    format!("{}{suffix}", if name.is_empty() { "pi" } else { name })
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfAddr, Ifv6Addr};
    use mdns_sd::DaemonStatus;

    use super::*;

    /// Returns the advertisement for a server with default settings and these listening addresses.
    fn advertisement_for(listening: &[&str]) -> Option<Advertisement> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        Advertisement::of(None, &ServerSettings::default(), &listening, &[], &[])
    }

    /// Loopback addresses are not advertised, and only addresses with the port of the first other
    /// address are. Without such an address, or with `announce` off, there is no record.
    #[test]
    fn loopback_addresses_are_not_announced() {
        assert_eq!(advertisement_for(&[]), None);
        assert_eq!(advertisement_for(&["127.0.0.1:7", "[::1]:7", "[::ffff:127.0.0.1]:7"]), None);
        let wanted =
            advertisement_for(&["127.0.0.1:7", "192.0.2.1:8", "[2001:db8::1]:8", "192.0.2.2:9"]);
        let Some(Advertisement { port, addresses, .. }) = wanted else { panic!("nothing") };
        assert_eq!((port, addresses.len()), (8, 2));
        let silent = ServerSettings { announce: false, ..ServerSettings::default() };
        let listening = ["[::]:2428".parse().unwrap()];
        assert_eq!(Advertisement::of(None, &silent, &listening, &[], &[]), None);
    }

    /// The page for browsers is announced if other machines reach it.
    #[test]
    fn page_is_announced_if_others_reach_it() {
        let listening = ["[::]:2428".parse().unwrap()];
        let port = |web: &str| {
            let settings = ServerSettings::default();
            Advertisement::of(None, &settings, &listening, &[], &[web.parse().unwrap()])
                .unwrap()
                .web_port
        };
        assert_eq!((port("[::]:2480"), port("127.0.0.1:2480")), (Some(2_480), None));
    }

    /// The port of TLS is announced beside that of plain TCP. It is the service's own port if there
    /// is no plain TCP.
    #[test]
    fn port_of_tls_is_announced() {
        let ports = |plain: &[&str], tls: &str| {
            let plain: Vec<SocketAddr> = plain.iter().map(|it| it.parse().unwrap()).collect();
            let tls = [tls.parse().unwrap()];
            let wanted = Advertisement::of(None, &ServerSettings::default(), &plain, &tls, &[]);
            wanted.map(|it| (it.port, it.tls_port))
        };
        assert_eq!(ports(&["[::]:2428"], "[::]:2429"), Some((2_428, Some(2_429))));
        assert_eq!(ports(&["[::]:2428"], "127.0.0.1:2429"), Some((2_428, None)));
        assert_eq!(ports(&["127.0.0.1:2428"], "[::]:2429"), Some((2_429, Some(2_429))));
        assert_eq!(ports(&[], "[::]:2429"), Some((2_429, Some(2_429))));
    }

    /// Two interfaces may have the same link-local address. The server is advertised only on the
    /// interface whose index is the scope.
    #[test]
    fn link_local_address_is_that_of_one_interface() {
        let loopback = if_addrs::get_if_addrs().unwrap().into_iter().next().unwrap();
        let interface = |index, ip: &str| {
            let ip = ip.parse().unwrap();
            let (netmask, prefixlen, broadcast) = (ip, 64, None);
            let addr = IfAddr::V6(Ifv6Addr { ip, netmask, prefixlen, broadcast });
            Interface { index: Some(index), addr, ..loopback.clone() }
        };
        let listening = "[fe80::1%3]:2428".parse().unwrap();
        assert!(is_address_of(&interface(3, "fe80::1"), listening));
        assert!(!is_address_of(&interface(2, "fe80::1"), listening));
        assert!(!is_address_of(&interface(3, "2001:db8::1"), listening));
        let listening = "[2001:db8::1]:2428".parse().unwrap();
        assert!(is_address_of(&interface(2, "2001:db8::1"), listening));
    }

    /// If the record is not accepted, the multicast DNS thread ends.
    #[test]
    fn refused_record_leaves_no_thread() {
        let daemon = ServiceDaemon::new().unwrap();
        let refuse = |_: &ServiceDaemon| Err(mdns_sd::Error::Again);
        assert!(Advertiser::with_daemon(daemon.clone(), refuse).is_err());
        // The thread takes no question after the request to end, so the first ones may get no
        // answer.
        let patience = Duration::from_millis(100);
        let is_ended = || match daemon.status().map(|it| it.recv_timeout(patience)) {
            Ok(Ok(status)) => status == DaemonStatus::Shutdown,
            _ => false,
        };
        assert!((0..300).any(|_| is_ended()), "the thread still runs");
    }

    /// A host label has only valid characters and a valid length.
    #[test]
    fn host_labels_fit_into_dns() {
        assert_eq!(host_label("raspberrypi", DEFAULT_PORT), "raspberrypi-chat");
        assert_eq!(host_label("my_pi.example.org", 2429), "mypi-chat-2429");
        assert_eq!(host_label("", DEFAULT_PORT), "pi-chat");
        assert_eq!(host_label(&"x".repeat(64), 2429).len(), MAX_LABEL - MAX_CONFLICT_SUFFIX);
        assert_eq!(truncate(&"é".repeat(32), MAX_LABEL).len(), 62);
    }
}
