//! Network interfaces of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr};

/// Network interface that has an IP address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    /// Interface index, by which IPv6 and received datagrams name the interface.
    pub(super) index: u32,
    /// IPv4 addresses of the interface, each with the broadcast address of its network.
    pub(super) networks: Vec<Ipv4Network>,
    /// True if the interface has an IPv6 address of any kind.
    pub(super) has_v6: bool,
    /// True if the interface is up and has a link: a plugged cable, a joined Wi-Fi.
    pub(super) is_running: bool,
}

/// IPv4 address of an interface, and the broadcast address of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ipv4Network {
    /// This machine's address in the network.
    pub(super) address: Ipv4Addr,
    /// Broadcast address; `None` if the network has none, such as a point-to-point link.
    pub(super) broadcast: Option<Ipv4Addr>,
}

/// Network interfaces by name.
pub(super) type Interfaces = BTreeMap<String, Interface>;

/// Lists the network interfaces that have an IP address and whose name is in `named`. If `named` is
/// empty, lists all that have one, except loopbacks. An interface without a link is included: it
/// can be used again without a further scan when its link comes back. Also lists the IP addresses of
/// all interfaces of this machine, loopbacks included.
///
/// # Errors
/// The operating system cannot list the interfaces.
pub(super) fn scan(named: &BTreeSet<String>) -> io::Result<(Interfaces, BTreeSet<IpAddr>)> {
    let all = if_addrs::get_if_addrs()?;
    let addresses = all.iter().map(if_addrs::Interface::ip).collect();
    Ok((select_interfaces(all, named), addresses))
}

/// Lists all network interfaces that have an IP address, and the names of those that are loopbacks.
///
/// # Errors
/// The operating system cannot list the interfaces.
pub(super) fn scan_all() -> io::Result<(Interfaces, BTreeSet<String>)> {
    let all = if_addrs::get_if_addrs()?;
    let names = all.iter().map(|it| it.name.clone()).collect();
    let loopbacks = all.iter().filter(|it| it.is_loopback()).map(|it| it.name.clone()).collect();
    Ok((select_interfaces(all, &names), loopbacks))
}

/// Selects the interfaces whose name is in `named`. If `named` is empty, selects all except
/// loopbacks. Leaves out an address whose interface has no index. Does not check whether an
/// interface supports multicast: if not, sending fails.
fn select_interfaces(all: Vec<if_addrs::Interface>, named: &BTreeSet<String>) -> Interfaces {
    let mut found = Interfaces::new();
    for entry in all {
        let is_wanted =
            if named.is_empty() { !entry.is_loopback() } else { named.contains(&entry.name) };
        let Some(index) = entry.index.filter(|_| is_wanted) else {
            continue;
        };
        let interface = found.entry(entry.name).or_default();
        interface.index = index;
        interface.is_running = is_running(entry.oper_status);
        match entry.addr {
            IfAddr::V4(it) => interface.networks.push(ipv4_network(&it)),
            IfAddr::V6(_) => interface.has_v6 = true,
        }
    }
    found
}

/// Returns true if an interface with this status is up and has a link. Unix systems tell whether an
/// interface is running, and nothing of the others, which `if-addrs` calls unknown. On Windows,
/// unknown says only that a driver does not tell.
const fn is_running(status: IfOperStatus) -> bool {
    let is_down = matches!(status, IfOperStatus::Down | IfOperStatus::NotPresent);
    let is_unknown = matches!(status, IfOperStatus::Unknown);
    !is_down && (!is_unknown || cfg!(windows))
}

/// Builds the [`Ipv4Network`] of an interface address. Ignores a reported broadcast address that
/// equals the address itself. Computes a loopback's broadcast address from the netmask, because
/// systems report none.
fn ipv4_network(it: &Ifv4Addr) -> Ipv4Network {
    let broadcast_address = Ipv4Addr::from_bits(it.ip.to_bits() | !it.netmask.to_bits());
    let loopback = (it.ip.is_loopback() && broadcast_address != it.ip).then_some(broadcast_address);
    let broadcast = it.broadcast.filter(|address| *address != it.ip).or(loopback);
    Ipv4Network { address: it.ip, broadcast }
}

#[cfg(test)]
mod tests {
    use if_addrs::Ifv6Addr;

    use super::*;

    /// Builds an interface that is up and has an IPv4 address. Its index is the first byte of the
    /// address.
    fn v4(
        name: &str,
        ip: [u8; 4],
        prefixlen: u8,
        broadcast: Option<[u8; 4]>,
    ) -> if_addrs::Interface {
        if_addrs::Interface {
            name: name.to_owned(),
            addr: IfAddr::V4(Ifv4Addr {
                ip: ip.into(),
                netmask: Ipv4Addr::from_bits(!(u32::MAX >> prefixlen)),
                prefixlen,
                broadcast: broadcast.map(Into::into),
            }),
            index: Some(u32::from(ip[0])),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    /// Lists the interfaces of a test machine: a loopback, an interface with IPv4 and IPv6, and
    /// `wlan0`, which is down.
    fn test_interfaces() -> Vec<if_addrs::Interface> {
        let six = Ifv6Addr {
            ip: "fe80::1".parse().unwrap(),
            netmask: "ffff::".parse().unwrap(),
            prefixlen: 64,
            broadcast: None,
        };
        let eth = v4("eth0", [10, 0, 0, 2], 24, Some([10, 0, 0, 255]));
        let mut down = v4("wlan0", [11, 0, 0, 2], 24, None);
        down.oper_status = if cfg!(windows) { IfOperStatus::Down } else { IfOperStatus::Unknown };
        let eth6 = if_addrs::Interface { addr: IfAddr::V6(six), ..eth.clone() };
        vec![v4("lo", [127, 0, 0, 1], 8, None), eth, eth6, down]
    }

    /// Without names, loopbacks are excluded. Interfaces that are down are listed as such.
    #[test]
    fn loopbacks_are_excluded_without_names() {
        let mut found = select_interfaces(test_interfaces(), &BTreeSet::new());
        assert!(!found.remove("wlan0").unwrap().is_running);
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let network = Ipv4Network { address, broadcast: Some(Ipv4Addr::new(10, 0, 0, 255)) };
        let eth0 = Interface { index: 10, networks: vec![network], has_v6: true, is_running: true };
        assert_eq!(found, Interfaces::from([("eth0".to_owned(), eth0)]));
    }

    /// Named loopbacks are included. Interfaces that are absent are not.
    #[test]
    fn only_named_interfaces_are_selected() {
        let named = BTreeSet::from(["lo".to_owned(), "wlan0".to_owned(), "usb0".to_owned()]);
        let found = select_interfaces(test_interfaces(), &named);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["lo", "wlan0"]);
        assert!(found["lo"].is_running && !found["wlan0"].is_running);
        let broadcast = Some(Ipv4Addr::new(127, 255, 255, 255));
        let address = Ipv4Addr::LOCALHOST;
        assert_eq!(found["lo"].networks, [Ipv4Network { address, broadcast }]);
    }
}
