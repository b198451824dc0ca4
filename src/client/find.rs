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
pub use mdns_sd::Error as FindError;

/// Once a server has told of itself, others are waited for so long: answers
/// are held back for a moment, so that not all come at once, and may have to
/// be asked for again.
const MORE: Duration = Duration::from_millis(1_200);

/// More servers are not listed: somebody is joking.
const MOST: usize = 256;

/// More addresses of one server are not tried: each may take its time.
const MOST_ADDRESSES: usize = 8;

/// A server on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What its owner calls it.
    pub name: String,
    /// Its entry in the network's directory, which no other server there has:
    /// its name, perhaps with a number, and the service.
    pub entry: String,
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
    pub is_described: bool,
}

impl Found {
    /// What to remember it by: its addresses may change.
    #[must_use]
    pub fn destination(&self) -> Destination {
        let address = HostAddress { host: self.entry.clone(), port: self.port };
        Destination { address, id: self.id }
    }
}

/// Everybody who tells of themselves within this time, by their names.
///
/// # Errors
/// The network cannot be asked.
pub fn all(patience: Duration) -> Result<Vec<Found>, FindError> {
    Ok(look(patience, |_| Regard::Keep)?.into_values().collect())
}

/// The same, but does not wait much longer when somebody has.
///
/// # Errors
/// The network cannot be asked.
pub fn some(patience: Duration) -> Result<Vec<Found>, FindError> {
    Ok(look(patience, |_| Regard::Hurry)?.into_values().collect())
}

/// What has become of a server that was found before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// Here it is.
    Here(Found),
    /// It does not tell of itself, and its entry is that of another one now.
    Replaced,
    /// It does not tell of itself.
    Gone,
}

/// Looks for a server that was found before.
///
/// # Errors
/// The network cannot be asked.
pub(super) fn again(sought: &Destination, patience: Duration) -> Result<Sought, FindError> {
    Ok(pick(look(patience, |it| regard(sought, it))?, sought))
}

/// What somebody who tells of themselves is to whoever seeks that server.
fn regard(sought: &Destination, found: &Found) -> Regard {
    let has_entry = found.entry == sought.address.host;
    match (is_it(sought, found), has_entry) {
        (true, true) => Regard::Enough,
        // A copy of it may have the same id.
        (true, false) => Regard::Hurry,
        (false, true) => Regard::Keep,
        (false, false) => Regard::Ignore,
    }
}

/// Whether this can be the server that is sought.
fn is_it(sought: &Destination, found: &Found) -> bool {
    sought.id.map_or(found.entry == sought.address.host, |id| found.id == Some(id))
}

/// The server among those that were kept, the one with its entry if there are
/// several.
fn pick(kept: BTreeMap<String, Found>, sought: &Destination) -> Sought {
    let is_replaced = kept.values().any(|it| !is_it(sought, it) && it.is_described);
    let its = kept.into_values().filter(|it| is_it(sought, it));
    match its.min_by_key(|it| it.entry != sought.address.host) {
        Some(found) => Sought::Here(found),
        None if is_replaced => Sought::Replaced,
        None => Sought::Gone,
    }
}

/// What a server is that tells of itself to whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Regard {
    /// Nothing.
    Ignore,
    /// One of those that are looked for.
    Keep,
    /// The same, and there is no need to look much longer.
    Hurry,
    /// The only one that is looked for.
    Enough,
}

/// Asks the network, and takes what comes.
fn look(
    patience: Duration,
    regard: impl Fn(&Found) -> Regard,
) -> Result<BTreeMap<String, Found>, FindError> {
    let asking = Asking { daemon: mdns::begin()? };
    let events = asking.daemon.browse(SERVICE)?;
    Ok(collect(&events, patience, regard))
}

/// Takes what comes.
fn collect(
    events: &Receiver<ServiceEvent>,
    patience: Duration,
    regard: impl Fn(&Found) -> Regard,
) -> BTreeMap<String, Found> {
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
                let Some(found) = found(&service) else { continue };
                let is_described = found.is_described;
                let regard = match regard(&found) {
                    // It may come by itself.
                    Regard::Enough if !is_described => Regard::Hurry,
                    other => other,
                };
                if regard == Regard::Ignore || all.len() >= MOST {
                    continue;
                }
                all.insert(found.entry.clone(), found);
                match regard {
                    Regard::Ignore | Regard::Keep => {}
                    Regard::Hurry => until = until.min(clock.now() + MORE),
                    Regard::Enough => break,
                }
            }
            ServiceEvent::ServiceRemoved(_, fullname) => {
                all.remove(entry_of(&fullname).as_str());
            }
            _ => {}
        }
    }
    all
}

/// The thread that asks. It ends with this.
struct Asking {
    /// The thread.
    daemon: ServiceDaemon,
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Nobody waits for its end.
        let _ = self.daemon.shutdown();
    }
}

/// A full name without the root, and without the escapes in which the library
/// writes dots of a name.
fn entry_of(fullname: &str) -> String {
    fullname.trim_end_matches('.').replace("\\.", ".")
}

/// What somebody tells of a server; nothing if it cannot be reached.
fn found(service: &ResolvedService) -> Option<Found> {
    let entry = entry_of(&service.fullname);
    let text = |key| service.get_property_val_str(key).unwrap_or_default().to_owned();
    let label = entry.strip_suffix(SERVICE.trim_end_matches('.'))?.trim_end_matches('.');
    let name = Some(text("name")).filter(|it| !it.is_empty());
    let mut addresses: Vec<SocketAddr> = service
        .addresses
        .iter()
        .map(|it| socket(it, service.port))
        .filter(is_of_another_machine)
        .collect();
    addresses.sort_by_key(|it| (likelihood(it), *it));
    addresses.truncate(MOST_ADDRESSES);
    let name = name.unwrap_or_else(|| label.to_owned());
    (!addresses.is_empty()).then(|| Found {
        name,
        host: service.host.trim_end_matches('.').to_owned(),
        port: service.port,
        version: text("version"),
        id: text("id").parse().ok(),
        is_described: !service.txt_properties.is_empty(),
        addresses,
        entry,
    })
}

/// Where to connect to.
fn socket(address: &ScopedIp, port: u16) -> SocketAddr {
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
fn is_of_another_machine(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_nobodys = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    address.port() != 0 && !is_nobodys && !ip.is_loopback()
}

/// Smaller: more likely to lead there at once.
fn likelihood(address: &SocketAddr) -> u8 {
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
    fn an_entry_is_read() {
        assert_eq!(entry_of("a\\.b\\c._pi-chat._tcp.local."), "a.b\\c._pi-chat._tcp.local");
    }

    /// A server with this name, and perhaps an id of this digit.
    fn server(name: &str, id: Option<u8>) -> Found {
        Found {
            name: name.to_owned(),
            entry: format!("{name}.{}", SERVICE.trim_end_matches('.')),
            host: "pi-chat.local".to_owned(),
            port: 2428,
            addresses: Vec::new(),
            version: String::new(),
            id: id.map(|it| ServerId([it; 16])),
            is_described: true,
        }
    }

    /// What comes of looking again for a server among these.
    fn look_again(sought: &Found, there: &[Found]) -> Sought {
        let sought = sought.destination();
        let is_kept = |it: &&Found| regard(&sought, it) != Regard::Ignore;
        let kept = there.iter().filter(is_kept).map(|it| (it.entry.clone(), it.clone())).collect();
        pick(kept, &sought)
    }

    #[test]
    fn a_server_is_known_by_its_id_and_else_by_its_entry() {
        let (pi, other) = (server("pi", Some(1)), server("pi", Some(2)));
        let (moved, copy) = (server("pi (2)", Some(1)), server("attic", Some(1)));
        let here = |it: &Found| Sought::Here(it.clone());
        assert_eq!(look_again(&pi, &[other.clone(), moved.clone()]), here(&moved));
        assert_eq!(look_again(&pi, &[copy, pi.clone(), moved.clone()]), here(&pi));
        assert_eq!(look_again(&pi, slice::from_ref(&other)), Sought::Replaced);
        let mut unsaid = server("pi", None);
        assert_eq!(look_again(&pi, slice::from_ref(&unsaid)), Sought::Replaced);
        unsaid.is_described = false;
        assert_eq!(look_again(&pi, &[unsaid]), Sought::Gone);
        assert_eq!(look_again(&pi, &[server("attic", Some(2))]), Sought::Gone);
        let silent = server("pi", None);
        assert_eq!(look_again(&silent, &[server("attic", None), other.clone()]), here(&other));
        assert_eq!(look_again(&silent, &[server("attic", None)]), Sought::Gone);
    }

    #[test]
    fn addresses_of_nobody_are_left_out() {
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
        let is_good = |it: &&str| is_of_another_machine(&it.parse().unwrap());
        assert!(of_machines.iter().all(&is_good));
        assert!(!of_nobody.iter().any(is_good));
    }

    #[test]
    fn what_is_most_likely_to_work_comes_first() {
        let mut all: Vec<SocketAddr> =
            ["[fe80::1%2]:1", "[2001:db8::1]:1", "169.254.0.1:1", "192.0.2.1:1"]
                .map(|it| it.parse().unwrap())
                .into();
        all.sort_by_key(likelihood);
        let order: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["192.0.2.1:1", "[2001:db8::1]:1", "[fe80::1%2]:1", "169.254.0.1:1"]);
    }
}
