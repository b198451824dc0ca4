//! Ranking of the addresses that a server announces, by how likely they are to be reachable from
//! this machine (`docs/protocol/discovery.md`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use if_addrs::IfAddr;

use crate::mdns::bridges::{is_bridge_port, is_container_bridge};
use crate::model::IpNetwork;

/// Likeliness that an address is reachable. A smaller value is more likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeliness {
    /// In the network of an interface of this machine.
    OnLink,
    /// Valid in the whole Internet.
    Global,
    /// IPv4 link-local, or IPv6 link-local with the interface on which it was heard.
    LinkLocal,
    /// Any other address, such as a private address of another network.
    Elsewhere,
    /// In a network of this machine's own containers, because other machines use the same addresses
    /// for theirs. Or IPv6 link-local without an interface, or with one of containers.
    Unlikely,
}

/// Network of an interface of this machine.
#[derive(Clone, Copy, Debug)]
struct LocalNetwork {
    /// Addresses of the network.
    addresses: IpNetwork,
    /// Index of the interface; 0 if it is unknown.
    interface: u32,
    /// True if the interface leads only to containers of this machine.
    is_of_containers: bool,
}

/// Networks of this machine, without loopbacks.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalNetworks(Vec<LocalNetwork>);

impl LocalNetworks {
    /// Lists the networks of this machine, without loopbacks. If the system cannot list them, there
    /// are none.
    pub(super) fn scan() -> Self {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let networks = interfaces.into_iter().filter(|it| !it.is_loopback()).filter_map(|it| {
            let prefix = match &it.addr {
                IfAddr::V4(v4) => v4.prefixlen,
                IfAddr::V6(v6) => v6.prefixlen,
            };
            Some(LocalNetwork {
                addresses: IpNetwork::around(it.ip(), prefix.into())?,
                interface: it.index.unwrap_or_default(),
                is_of_containers: is_container_bridge(&it.name) || is_bridge_port(&it.name),
            })
        });
        Self(networks.collect())
    }

    /// Returns how likely this machine is to reach an address.
    pub(super) fn likeliness(&self, address: &SocketAddr) -> Likeliness {
        if let SocketAddr::V6(v6) = address
            && v6.ip().is_unicast_link_local()
        {
            let scope = v6.scope_id();
            let is_useless =
                scope == 0 || self.0.iter().any(|it| it.interface == scope && it.is_of_containers);
            return if is_useless { Likeliness::Unlikely } else { Likeliness::LinkLocal };
        }
        let ip = address.ip().to_canonical();
        let holds = |of_containers: bool| {
            self.0
                .iter()
                .any(|it| it.is_of_containers == of_containers && it.addresses.contains(ip))
        };
        if holds(false) {
            Likeliness::OnLink
        } else if holds(true) {
            Likeliness::Unlikely
        } else if is_global(ip) {
            Likeliness::Global
        } else if matches!(ip, IpAddr::V4(v4) if v4.is_link_local()) {
            Likeliness::LinkLocal
        } else {
            Likeliness::Elsewhere
        }
    }

    /// Sorts addresses by likeliness, the most likely first. Addresses of equal likeliness are
    /// sorted with IPv4 before IPv6, then by value.
    pub(super) fn sort(&self, addresses: &mut [SocketAddr]) {
        addresses.sort_by_key(|it| (self.likeliness(it), *it));
    }
}

/// Returns true if an address is valid in the whole Internet: an IPv4 address that is neither
/// private, nor link-local, nor in a provider's `100.64.0.0/10`, or an IPv6 address in `2000::/3`.
fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let is_providers = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !v4.is_private() && !v4.is_link_local() && !is_providers
        }
        IpAddr::V6(v6) => {
            v6.to_bits() >> 125 == Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0).to_bits() >> 125
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a network of this machine.
    fn network(addresses: &str, interface: u32, is_of_containers: bool) -> LocalNetwork {
        LocalNetwork { addresses: addresses.parse().unwrap(), interface, is_of_containers }
    }

    /// Returns the networks of a test machine: a home network with IPv4 and IPv6, and a network of
    /// containers.
    fn test_networks() -> LocalNetworks {
        LocalNetworks(vec![
            network("192.168.1.0/24", 2, false),
            network("2001:db8:1::/64", 2, false),
            network("fe80::/64", 2, false),
            network("172.17.0.0/16", 3, true),
            network("fe80::/64", 3, true),
        ])
    }

    /// Addresses in a common network come first, then addresses that may work. Addresses of
    /// containers come last, and link-local addresses without an interface.
    #[test]
    fn addresses_are_ranked_by_likeliness() {
        let ranked = [
            ("192.168.1.7:1", Likeliness::OnLink),
            ("[2001:db8:1::7]:1", Likeliness::OnLink),
            ("8.8.8.8:1", Likeliness::Global),
            ("[2a00::7]:1", Likeliness::Global),
            ("169.254.3.4:1", Likeliness::LinkLocal),
            ("[fe80::7%2]:1", Likeliness::LinkLocal),
            ("10.3.2.1:1", Likeliness::Elsewhere),
            ("100.64.0.1:1", Likeliness::Elsewhere),
            ("[fd00::7]:1", Likeliness::Elsewhere),
            ("172.17.0.1:1", Likeliness::Unlikely),
            ("[fe80::5]:1", Likeliness::Unlikely),
            ("[fe80::6%3]:1", Likeliness::Unlikely),
        ];
        let networks = test_networks();
        let parse = |it: &str| -> SocketAddr { it.parse().unwrap() };
        for (address, likeliness) in ranked {
            assert_eq!(networks.likeliness(&parse(address)), likeliness, "{address}");
        }
        let mut sorted = ranked.map(|(it, _)| parse(it));
        sorted.reverse();
        networks.sort(&mut sorted);
        assert_eq!(sorted, ranked.map(|(it, _)| parse(it)));
    }
}
