//! Servers on the network, which tell of themselves: DNS-SD over multicast
//! DNS, `docs/protocol/tcp.md`, section 20.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};

use super::Destination;
use crate::mdns;
use crate::model::limits::SERVICE;
use crate::model::{HostAddress, ServerId};
use crate::os::Clock;

/// Why the network cannot be asked.
pub use mdns_sd::Error as DiscoveryError;

/// Once a server has told of itself, others are waited for so long: answers
/// are held back for a moment, so that not all come at once, and may have to
/// be asked for again.
const FURTHER_ANSWERS_WAIT: Duration = Duration::from_millis(1_200);

/// More servers are not listed: somebody is joking.
const MAX_SERVERS: usize = 256;

/// More addresses of one server are not tried: each may take its time.
const MAX_ADDRESSES: usize = 8;

/// A server on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredServer {
    /// What its owner calls it.
    pub name: String,
    /// Its entry in the network's directory, which no other server there has:
    /// its name, perhaps with a number, and the service.
    pub instance_name: String,
    /// The server's host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it can be reached, the most likely first.
    pub addresses: Vec<SocketAddr>,
    /// Of the program; empty if it does not say.
    pub version: String,
    /// Which server it is, whatever its entry; if it says it.
    pub id: Option<ServerId>,
    /// It has said something of itself. Until then a version or an id may yet
    /// come.
    pub has_txt_record: bool,
}

impl DiscoveredServer {
    /// What to remember it by: its addresses may change.
    #[must_use]
    pub fn destination(&self) -> Destination {
        let address = HostAddress { host: self.instance_name.clone(), port: self.port };
        Destination { address, id: self.id }
    }
}

/// Everybody who tells of themselves within this time, by their names.
///
/// # Errors
/// The network cannot be asked.
pub fn discover_all(patience: Duration) -> Result<Vec<DiscoveredServer>, DiscoveryError> {
    Ok(browse(patience, |_| CollectAction::Keep)?.into_values().collect())
}

/// The same, but does not wait much longer when somebody has.
///
/// # Errors
/// The network cannot be asked.
pub fn discover_some(patience: Duration) -> Result<Vec<DiscoveredServer>, DiscoveryError> {
    Ok(browse(patience, |_| CollectAction::KeepThenStopSoon)?.into_values().collect())
}

/// What has become of a server that was found before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rediscovery {
    /// Here it is.
    Found(DiscoveredServer),
    /// It does not tell of itself, and its entry is that of another one now.
    Replaced,
    /// It does not tell of itself.
    NotFound,
}

/// Looks for a server that was found before.
///
/// # Errors
/// The network cannot be asked.
pub(super) fn rediscover(
    sought: &Destination,
    patience: Duration,
) -> Result<Rediscovery, DiscoveryError> {
    Ok(select_server(browse(patience, |it| collect_action(sought, it))?, sought))
}

/// What somebody who tells of themselves is to whoever seeks that server.
fn collect_action(sought: &Destination, found: &DiscoveredServer) -> CollectAction {
    let has_instance_name = found.instance_name == sought.address.host;
    match (matches_destination(sought, found), has_instance_name) {
        (true, true) => CollectAction::KeepAndStop,
        // A copy of it may have the same id.
        (true, false) => CollectAction::KeepThenStopSoon,
        (false, true) => CollectAction::Keep,
        (false, false) => CollectAction::Ignore,
    }
}

/// Whether this can be the server that is sought.
fn matches_destination(sought: &Destination, found: &DiscoveredServer) -> bool {
    sought.id.map_or(found.instance_name == sought.address.host, |id| found.id == Some(id))
}

/// The server among those that were kept, the one with its entry if there are
/// several.
fn select_server(kept: BTreeMap<String, DiscoveredServer>, sought: &Destination) -> Rediscovery {
    let is_replaced = kept.values().any(|it| !matches_destination(sought, it) && it.has_txt_record);
    let its = kept.into_values().filter(|it| matches_destination(sought, it));
    match its.min_by_key(|it| it.instance_name != sought.address.host) {
        Some(found) => Rediscovery::Found(found),
        None if is_replaced => Rediscovery::Replaced,
        None => Rediscovery::NotFound,
    }
}

/// What a server is that tells of itself to whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CollectAction {
    /// Nothing.
    Ignore,
    /// One of those that are looked for.
    Keep,
    /// The same, and there is no need to look much longer.
    KeepThenStopSoon,
    /// The only one that is looked for.
    KeepAndStop,
}

/// Asks the network, and takes what comes.
fn browse(
    patience: Duration,
    collect_action: impl Fn(&DiscoveredServer) -> CollectAction,
) -> Result<BTreeMap<String, DiscoveredServer>, DiscoveryError> {
    let guard = DaemonGuard { daemon: mdns::begin()? };
    let events = guard.daemon.browse(SERVICE)?;
    Ok(collect_servers(&events, patience, collect_action))
}

/// Takes what comes.
fn collect_servers(
    events: &Receiver<ServiceEvent>,
    patience: Duration,
    collect_action: impl Fn(&DiscoveredServer) -> CollectAction,
) -> BTreeMap<String, DiscoveredServer> {
    let clock = Clock::start();
    let mut until = clock.now() + patience;
    let mut all = BTreeMap::new();
    // The end comes when time is up or nobody will tell any more.
    while let Ok(event) = events.recv_deadline(clock.instant(until)) {
        if clock.now() >= until {
            break;
        }
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Some(found) = parse_service(&service) else { continue };
                let has_txt_record = found.has_txt_record;
                let action = match collect_action(&found) {
                    // It may come by itself.
                    CollectAction::KeepAndStop if !has_txt_record => {
                        CollectAction::KeepThenStopSoon
                    }
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

/// The thread that asks. It ends with this.
struct DaemonGuard {
    /// The thread.
    daemon: ServiceDaemon,
}

impl Drop for DaemonGuard {
    fn drop(&mut self) {
        // Nobody waits for its end.
        let _ = self.daemon.shutdown();
    }
}

/// A full name without the root, and without the escapes in which the library
/// writes dots of a name.
fn unescape_full_name(fullname: &str) -> String {
    fullname.trim_end_matches('.').replace("\\.", ".")
}

/// What somebody tells of a server; nothing if it cannot be reached.
fn parse_service(service: &ResolvedService) -> Option<DiscoveredServer> {
    let instance_name = unescape_full_name(&service.fullname);
    let text = |key| service.get_property_val_str(key).unwrap_or_default().to_owned();
    let label = instance_name.strip_suffix(SERVICE.trim_end_matches('.'))?.trim_end_matches('.');
    let name = Some(text("name")).filter(|it| !it.is_empty());
    let mut addresses: Vec<SocketAddr> = service
        .addresses
        .iter()
        .map(|it| to_socket_address(it, service.port))
        .filter(is_usable_address)
        .collect();
    addresses.sort_by_key(|it| (address_rank(it), *it));
    addresses.truncate(MAX_ADDRESSES);
    let name = name.unwrap_or_else(|| label.to_owned());
    (!addresses.is_empty()).then(|| DiscoveredServer {
        name,
        host: service.host.trim_end_matches('.').to_owned(),
        port: service.port,
        version: text("version"),
        id: text("id").parse().ok(),
        has_txt_record: !service.txt_properties.is_empty(),
        addresses,
        instance_name,
    })
}

/// Where to connect to.
fn to_socket_address(address: &ScopedIp, port: u16) -> SocketAddr {
    match address {
        // Without the interface an address that is valid on one link only
        // leads nowhere.
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), port),
    }
}

/// Whether a machine on the network could have this address. What somebody
/// tells of a server is believed only so far.
fn is_usable_address(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_nobodys = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    address.port() != 0 && !is_nobodys && !ip.is_loopback()
}

/// Smaller: more likely to lead there at once.
fn address_rank(address: &SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(v4) if !v4.is_link_local() => 0,
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn full_name_is_unescaped() {
        assert_eq!(
            unescape_full_name("a\\.b\\c._pi-chat._tcp.local."),
            "a.b\\c._pi-chat._tcp.local"
        );
    }

    /// A server with this name, and perhaps an id of this digit.
    fn discovered(name: &str, id: Option<u8>) -> DiscoveredServer {
        DiscoveredServer {
            name: name.to_owned(),
            instance_name: format!("{name}.{}", SERVICE.trim_end_matches('.')),
            host: "pi-chat.local".to_owned(),
            port: 2428,
            addresses: Vec::new(),
            version: String::new(),
            id: id.map(|it| ServerId([it; 16])),
            has_txt_record: true,
        }
    }

    /// What comes of looking again for a server among these.
    fn rediscover_among(sought: &DiscoveredServer, there: &[DiscoveredServer]) -> Rediscovery {
        let sought = sought.destination();
        let is_kept = |it: &&DiscoveredServer| collect_action(&sought, it) != CollectAction::Ignore;
        let kept =
            there.iter().filter(is_kept).map(|it| (it.instance_name.clone(), it.clone())).collect();
        select_server(kept, &sought)
    }

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
        assert_eq!(
            rediscover_among(&silent, &[discovered("attic", None), other.clone()]),
            here(&other)
        );
        assert_eq!(rediscover_among(&silent, &[discovered("attic", None)]), Rediscovery::NotFound);
    }

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

    #[test]
    fn addresses_are_sorted_by_rank() {
        let mut all: Vec<SocketAddr> =
            ["[fe80::1%2]:1", "[2001:db8::1]:1", "169.254.0.1:1", "192.0.2.1:1"]
                .map(|it| it.parse().unwrap())
                .into();
        all.sort_by_key(address_rank);
        let order: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["192.0.2.1:1", "[2001:db8::1]:1", "[fe80::1%2]:1", "169.254.0.1:1"]);
    }
}
