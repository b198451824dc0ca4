//! Discovery of servers on the local network by DNS-SD over multicast DNS:
//! `docs/protocol/discovery.md`.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};

use super::Destination;
use super::candidates::{Likeliness, LocalNetworks};
use crate::mdns;
use crate::model::limits::MDNS_SERVICE;
use crate::model::{HostAddress, ServerId};
use crate::os::Clock;
use crate::text;
use crate::ui::io_error_text;

/// Error of the multicast DNS daemon: the network cannot be queried.
pub use mdns_sd::Error as DiscoveryError;

/// Says why the network cannot be queried, as a part of a sentence. The daemon's own words are
/// English, so only the number of the operating system's error is taken of them.
#[must_use]
pub fn discovery_error_text(error: &DiscoveryError) -> String {
    let words = error.to_string();
    let number = words.rsplit_once("(os error ").and_then(|(_, rest)| rest.split_once(')'));
    match number.and_then(|(number, _)| number.parse().ok()).map(io::Error::from_raw_os_error) {
        Some(reason) if mdns::is_port_unavailable(error) => {
            text!("mdns-port-unavailable", reason = io_error_text(&reason))
        }
        Some(reason) => text!("mdns-fails-because", reason = io_error_text(&reason)),
        None => text!("mdns-fails"),
    }
}

/// Time to wait for further servers after the first answer. Responders delay their answers at
/// random to avoid collisions, and a lost query must be repeated.
const FURTHER_ANSWERS_WAIT: Duration = Duration::from_millis(1_200);

/// Maximum number of servers that are collected. Once there are as many, all announcements are
/// ignored, also newer ones of known servers. It bounds memory if a machine floods the network with
/// announcements.
const MAX_SERVERS: usize = 256;

/// Maximum number of addresses kept of each server. The most likely addresses are kept. It bounds
/// memory, and the time of a connection attempt, if a stranger announces many.
const MAX_ADDRESSES: usize = 32;

/// Server that announces itself on the local network. Anybody there can choose the texts; they are
/// not sanitised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredServer {
    /// Human-readable name from the TXT record. If the record has none, the label of the instance
    /// name.
    pub name: String,
    /// DNS-SD service instance name, unique on this network, without the final dot; for example
    /// `attic._pi-chat._tcp.local`.
    pub instance_name: String,
    /// DNS host name under which the server's addresses are announced, without the final dot. It
    /// differs from the name of the machine; for example `raspberrypi-chat.local`.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Port of TLS from the TXT record; `None` if the server does not offer it.
    pub tls_port: Option<u16>,
    /// Socket addresses of the server, 1 to 32. The address that is most likely to connect comes
    /// first.
    pub addresses: Vec<SocketAddr>,
    /// True if at least one address is likely to connect: it is in a network of this machine, or
    /// global. If false, more addresses may follow.
    pub has_likely_address: bool,
    /// Version of the server's program from the TXT record; empty if there is none.
    pub version: String,
    /// Server id from the TXT record; `None` if there is none or it is invalid. The id stays the
    /// same when the instance name changes.
    pub id: Option<ServerId>,
    /// True if the TXT record was received, with at least one property. If false, name, version and
    /// id may still change.
    pub has_txt_record: bool,
}

impl DiscoveredServer {
    /// Returns the destination by which to connect to this server again. It holds the instance
    /// name, the id and the DNS host name, not the current addresses.
    #[must_use]
    pub fn destination(&self) -> Destination {
        let address = HostAddress { host: self.instance_name.clone(), port: self.port };
        Destination { address, scheme: None, id: self.id, dns_host: Some(self.host.clone()) }
    }
}

/// Discovers all servers that answer within `patience`, and returns them sorted by instance name.
/// Blocks for the whole time.
///
/// # Errors
/// The network cannot be queried.
pub fn discover_all(patience: Duration) -> Result<Vec<DiscoveredServer>, DiscoveryError> {
    Ok(browse(patience, |_| CollectAction::Keep)?.into_values().collect())
}

/// Discovers the servers that answer first, and returns them sorted by instance name. Blocks until
/// 1.2 seconds after the first answer, and at most for `patience`.
///
/// # Errors
/// The network cannot be queried.
pub fn discover_some(patience: Duration) -> Result<Vec<DiscoveredServer>, DiscoveryError> {
    Ok(browse(patience, |_| CollectAction::KeepThenStopSoon)?.into_values().collect())
}

/// Discovers servers for `patience`, and passes each one on as soon as it is found, or as more is
/// known about it. Then returns all that are still there, sorted by instance name. `found` returns
/// false if nobody needs more.
///
/// # Errors
/// The network cannot be queried.
pub fn discover_each(
    patience: Duration,
    found: impl Fn(&DiscoveredServer) -> bool,
) -> Result<Vec<DiscoveredServer>, DiscoveryError> {
    let action = |it: &DiscoveredServer| match found(it) {
        true => CollectAction::Keep,
        false => CollectAction::KeepAndStop,
    };
    Ok(browse(patience, action)?.into_values().collect())
}

/// Result of [`rediscover`], the search for a server that was discovered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rediscovery {
    /// The server was found.
    Found(DiscoveredServer),
    /// The server was not found, and another server has its instance name now.
    Replaced,
    /// The server was not found, and no other server has its instance name.
    NotFound,
}

/// Searches for the server `sought`, which was discovered before. Blocks for at most `patience`.
///
/// # Errors
/// The network cannot be queried.
pub(super) fn rediscover(
    sought: &Destination,
    patience: Duration,
) -> Result<Rediscovery, DiscoveryError> {
    Ok(select_server(browse(patience, |it| collect_action(sought, it))?, sought))
}

/// Returns the decision about an announced server, `found`, during the search for the server
/// `sought`. A match is kept and ends the search: at once if it has the sought instance name, soon
/// otherwise. Another server of that instance name is kept; all others are ignored.
fn collect_action(sought: &Destination, found: &DiscoveredServer) -> CollectAction {
    let has_instance_name = found.instance_name == sought.address.host;
    match (matches_destination(sought, found), has_instance_name) {
        (true, true) => CollectAction::KeepAndStop,
        // Continue for a moment: a copy of the server's database may announce the same id, and a
        // server without an id may still have its instance name.
        (true, false) => CollectAction::KeepThenStopSoon,
        (false, true) => CollectAction::Keep,
        (false, false) => CollectAction::Ignore,
    }
}

/// Returns true if `found` can be the server `sought`. If `sought` has an id, `found` must have the
/// same id. Otherwise `found` must have the same instance name, or be the same server under another
/// name: without an id, too, and with the same DNS host name and port.
fn matches_destination(sought: &Destination, found: &DiscoveredServer) -> bool {
    if let Some(id) = sought.id {
        return found.id == Some(id);
    }
    let has_same_host = || {
        let host = sought.dns_host.as_ref();
        host.is_some_and(|it| it.eq_ignore_ascii_case(&found.host))
            && found.port == sought.address.port
    };
    let is_without_id = found.id.is_none() && found.has_txt_record;
    found.instance_name == sought.address.host || (is_without_id && has_same_host())
}

/// Selects the server `sought` among `kept`, the servers collected. If several match, prefers a
/// server with the same instance name.
///
/// If none matches, but a server in `kept` has a TXT record, returns [`Rediscovery::Replaced`].
/// That server has the sought instance name, because [`collect_action`] keeps no other.
fn select_server(kept: BTreeMap<String, DiscoveredServer>, sought: &Destination) -> Rediscovery {
    let is_replaced = kept.values().any(|it| !matches_destination(sought, it) && it.has_txt_record);
    let its = kept.into_values().filter(|it| matches_destination(sought, it));
    match its.min_by_key(|it| it.instance_name != sought.address.host) {
        Some(found) => Rediscovery::Found(found),
        None if is_replaced => Rediscovery::Replaced,
        None => Rediscovery::NotFound,
    }
}

/// Decision about an announced server while collecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CollectAction {
    /// Ignore the server.
    Ignore,
    /// Keep the server and continue.
    Keep,
    /// Keep the server, and stop [`FURTHER_ANSWERS_WAIT`] from now, unless an earlier stop is set.
    KeepThenStopSoon,
    /// Keep the server and stop at once. If its TXT record or a likely address is still missing:
    /// as [`Self::KeepThenStopSoon`].
    KeepAndStop,
}

/// Browses the network for announced servers for at most `patience`. Returns those that
/// `collect_action` keeps, by instance name.
///
/// # Errors
/// The network cannot be queried.
fn browse(
    patience: Duration,
    collect_action: impl Fn(&DiscoveredServer) -> CollectAction,
) -> Result<BTreeMap<String, DiscoveredServer>, DiscoveryError> {
    let guard = DaemonGuard { daemon: mdns::start_daemon()? };
    let events = guard.daemon.browse(MDNS_SERVICE)?;
    Ok(collect_servers(&events, patience, &LocalNetworks::scan(), collect_action))
}

/// Collects announced servers from the daemon's events. Returns the servers that `collect_action`
/// keeps, at most [`MAX_SERVERS`], by instance name. A later announcement replaces an earlier one
/// of the same instance name, and a server that withdraws its announcement is removed. Stops when
/// `patience` is over, when `collect_action` says so, or when the daemon ends. `networks`: networks
/// of this machine.
fn collect_servers(
    events: &Receiver<ServiceEvent>,
    patience: Duration,
    networks: &LocalNetworks,
    collect_action: impl Fn(&DiscoveredServer) -> CollectAction,
) -> BTreeMap<String, DiscoveredServer> {
    let clock = Clock::start();
    let mut until = clock.now() + patience;
    let mut all = BTreeMap::new();
    // An error means that the time is up or the daemon has ended.
    while let Ok(event) = events.recv_deadline(clock.instant(until)) {
        if clock.now() >= until {
            break;
        }
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Some(found) = parse_service(&service, networks) else { continue };
                let is_complete = found.has_txt_record && found.has_likely_address;
                let action = match collect_action(&found) {
                    // Do not stop yet: the TXT record, and addresses of the other family, may
                    // arrive separately.
                    CollectAction::KeepAndStop if !is_complete => CollectAction::KeepThenStopSoon,
                    other => other,
                };
                if action == CollectAction::Ignore || all.len() >= MAX_SERVERS {
                    continue;
                }
                all.insert(found.instance_name.clone(), found);
                match action {
                    CollectAction::Ignore | CollectAction::Keep => {}
                    CollectAction::KeepThenStopSoon => {
                        until = until.min(clock.now() + FURTHER_ANSWERS_WAIT)
                    }
                    CollectAction::KeepAndStop => break,
                }
            }
            ServiceEvent::ServiceRemoved(_, fullname) => {
                all.remove(unescape_full_name(&fullname).as_str());
            }
            _ => {}
        }
    }
    all
}

/// Guard that shuts the multicast DNS daemon down when dropped.
struct DaemonGuard {
    /// Handle to the daemon's thread.
    daemon: ServiceDaemon,
}

impl Drop for DaemonGuard {
    fn drop(&mut self) {
        // Nobody waits for the thread to end.
        let _ = self.daemon.shutdown();
    }
}

/// Converts a full DNS name from the library to an instance name. Removes the final dot, and the
/// backslash before each escaped dot.
fn unescape_full_name(fullname: &str) -> String {
    fullname.trim_end_matches('.').replace("\\.", ".")
}

/// Converts a resolved DNS-SD service to a server, with at most [`MAX_ADDRESSES`] addresses, ranked
/// for a machine in `networks`. Returns `None` if it has no usable address, or if its name does not
/// end with the pi-chat service type.
fn parse_service(service: &ResolvedService, networks: &LocalNetworks) -> Option<DiscoveredServer> {
    let instance_name = unescape_full_name(&service.fullname);
    let text = |key| service.get_property_val_str(key).unwrap_or_default().to_owned();
    let label =
        instance_name.strip_suffix(MDNS_SERVICE.trim_end_matches('.'))?.trim_end_matches('.');
    let name = Some(text("name")).filter(|it| !it.is_empty());
    let mut addresses: Vec<SocketAddr> = service
        .addresses
        .iter()
        .map(|it| to_socket_address(it, service.port))
        .filter(is_usable_address)
        .collect();
    networks.sort(&mut addresses);
    addresses.truncate(MAX_ADDRESSES);
    let has_likely_address =
        addresses.first().is_some_and(|it| networks.likeliness(it) <= Likeliness::Global);
    let name = name.unwrap_or_else(|| label.to_owned());
    (!addresses.is_empty()).then(|| DiscoveredServer {
        name,
        host: service.host.trim_end_matches('.').to_owned(),
        port: service.port,
        version: text("version"),
        id: text("id").parse().ok(),
        tls_port: text("tls").parse().ok().filter(|it| *it != 0),
        has_txt_record: !service.txt_properties.is_empty(),
        addresses,
        has_likely_address,
        instance_name,
    })
}

/// Converts an announced address to a socket address. A link-local IPv6 address gets the scope id
/// of the interface.
fn to_socket_address(address: &ScopedIp, port: u16) -> SocketAddr {
    match address {
        // A link-local address is valid on one link only, so it needs the scope id of the
        // interface.
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), port),
    }
}

/// Returns true if the address can belong to a server on another machine. Excludes port 0 and
/// unspecified, multicast, broadcast and loopback addresses, because announcements may come from
/// strangers.
fn is_usable_address(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_nobodys = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    address.port() != 0 && !is_nobodys && !ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// An error of the daemon has words in the user's language, and the reason if it is the operating
    /// system's.
    #[cfg(unix)]
    #[test]
    fn errors_of_the_daemon_have_words() {
        let told = |error: &DiscoveryError| {
            with_language(Language::German, || discovery_error_text(error))
        };
        let denied = "failed to create a socket: Operation not permitted (os error 1)".to_owned();
        assert_eq!(
            told(&DiscoveryError::Msg(denied)),
            "Multicast-DNS geht auf diesem Rechner nicht: keine Berechtigung"
        );
        let taken = "UDP port 5353 cannot be had: Address already in use (os error 98)".to_owned();
        assert_eq!(
            told(&DiscoveryError::Msg(taken)),
            "UDP-Port 5353 ist nicht zu haben: die Adresse ist schon belegt"
        );
        assert_eq!(
            told(&DiscoveryError::DaemonShutdown),
            "Multicast-DNS geht auf diesem Rechner nicht"
        );
    }

    /// The final dot and the escapes of dots are removed. Other backslashes are kept.
    #[test]
    fn full_name_is_unescaped() {
        assert_eq!(
            unescape_full_name("a\\.b\\c._pi-chat._tcp.local."),
            "a.b\\c._pi-chat._tcp.local"
        );
    }

    /// Returns a discovered server with this name. If `id` is given, the server's id consists of
    /// this byte.
    fn discovered(name: &str, id: Option<u8>) -> DiscoveredServer {
        DiscoveredServer {
            name: name.to_owned(),
            instance_name: format!("{name}.{}", MDNS_SERVICE.trim_end_matches('.')),
            host: "pi-chat.local".to_owned(),
            port: 2428,
            tls_port: None,
            addresses: Vec::new(),
            has_likely_address: true,
            version: String::new(),
            id: id.map(|it| ServerId([it; 16])),
            has_txt_record: true,
        }
    }

    /// Returns the result of looking for the server `sought` among the announced servers.
    fn rediscover_among(sought: &DiscoveredServer, announced: &[DiscoveredServer]) -> Rediscovery {
        let sought = sought.destination();
        let is_kept = |it: &&DiscoveredServer| collect_action(&sought, it) != CollectAction::Ignore;
        let kept = announced
            .iter()
            .filter(is_kept)
            .map(|it| (it.instance_name.clone(), it.clone()))
            .collect();
        select_server(kept, &sought)
    }

    /// A server is found again by its id. If it announced none, it is found by its instance name.
    #[test]
    fn server_is_identified_by_id_or_instance_name() {
        let (pi, other) = (discovered("pi", Some(1)), discovered("pi", Some(2)));
        let (moved, copy) = (discovered("pi (2)", Some(1)), discovered("attic", Some(1)));
        let here = |it: &DiscoveredServer| Rediscovery::Found(it.clone());
        assert_eq!(rediscover_among(&pi, &[other.clone(), moved.clone()]), here(&moved));
        assert_eq!(rediscover_among(&pi, &[copy, pi.clone(), moved.clone()]), here(&pi));
        assert_eq!(rediscover_among(&pi, slice::from_ref(&other)), Rediscovery::Replaced);
        let mut unsaid = discovered("pi", None);
        assert_eq!(rediscover_among(&pi, slice::from_ref(&unsaid)), Rediscovery::Replaced);
        unsaid.has_txt_record = false;
        assert_eq!(rediscover_among(&pi, &[unsaid]), Rediscovery::NotFound);
        assert_eq!(rediscover_among(&pi, &[discovered("attic", Some(2))]), Rediscovery::NotFound);
        let silent = discovered("pi", None);
        let elsewhere =
            DiscoveredServer { host: "b.local".to_owned(), ..discovered("attic", None) };
        assert_eq!(rediscover_among(&silent, &[elsewhere.clone(), other.clone()]), here(&other));
        assert_eq!(rediscover_among(&silent, &[elsewhere]), Rediscovery::NotFound);
    }

    /// A server that keeps its messages in memory has no id. Under another name it is found by its
    /// host and port, unless its instance name is still there.
    #[test]
    fn renamed_server_without_id_is_found_by_host_and_port() {
        let (attic, renamed) = (discovered("attic", None), discovered("cellar", None));
        let found = |it: &DiscoveredServer| Rediscovery::Found(it.clone());
        assert_eq!(rediscover_among(&attic, slice::from_ref(&renamed)), found(&renamed));
        assert_eq!(rediscover_among(&attic, &[renamed.clone(), attic.clone()]), found(&attic));
        let others = [
            DiscoveredServer { port: 2429, ..renamed.clone() },
            DiscoveredServer { host: "other.local".to_owned(), ..renamed.clone() },
            DiscoveredServer { has_txt_record: false, ..renamed.clone() },
            discovered("cellar", Some(1)),
        ];
        for other in others {
            assert_eq!(rediscover_among(&attic, &[other]), Rediscovery::NotFound);
        }
        let durable = discovered("attic", Some(1));
        assert_eq!(rediscover_among(&durable, &[renamed]), Rediscovery::NotFound);
    }

    /// Addresses that no other machine can have are excluded.
    #[test]
    fn unusable_addresses_are_excluded() {
        let of_machines = ["192.0.2.1:1", "169.254.0.1:1", "[2001:db8::1]:1", "[fe80::1%2]:1"];
        let of_nobody = [
            "192.0.2.1:0",
            "0.0.0.0:1",
            "127.0.0.1:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "[::]:1",
            "[::1]:1",
            "[ff02::1]:1",
            "[::ffff:127.0.0.1]:1",
        ];
        let is_good = |it: &&str| is_usable_address(&it.parse().unwrap());
        assert!(of_machines.iter().all(&is_good));
        assert!(!of_nobody.iter().any(is_good));
    }
}
