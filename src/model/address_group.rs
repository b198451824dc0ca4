//! Address groups: the unit by which the server counts the resources that its clients use, and
//! peers count each other.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Prefix length of the IPv6 network that forms a group, in bits. A provider usually assigns no
/// smaller network to a customer.
const IPV6_PREFIX: u32 = 64;

/// Group of addresses that share one set of quotas: a single IPv4 address, or an IPv6 network with
/// a prefix of 64 bits. The addresses probably belong to one household. Among peers, a single IPv6
/// link-local address is a group too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "IpAddr")]
pub struct AddressGroup(
    /// The single address, or the first address of the IPv6 network.
    IpAddr,
);

impl AddressGroup {
    /// Returns the group that an address belongs to. An IPv4-mapped IPv6 address belongs to the
    /// group of its IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let mask = u128::MAX << (u128::BITS - IPV6_PREFIX);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        })
    }

    /// Returns the group of a peer's address: as [`Self::of`], except that each IPv6 link-local
    /// address is a group of its own. All machines on a network share their prefix.
    #[must_use]
    pub fn of_peer(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) if address.is_unicast_link_local() => Self(address.into()),
            address => Self::of(address),
        }
    }
}

impl From<IpAddr> for AddressGroup {
    /// Returns the group of a stored address, as [`Self::of`].
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

impl fmt::Display for AddressGroup {
    /// Writes an IPv4 or IPv6 link-local address, or an IPv6 network such as `2001:db8::/64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) if address.is_unicast_link_local() => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/{IPV6_PREFIX}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the group of an address as text.
    fn group(address: &str) -> String {
        AddressGroup::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn group_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(group("192.0.2.7"), "192.0.2.7");
        assert_eq!(group("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(group("127.0.0.1"), "127.0.0.1");
        assert_eq!(group("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(group("2001:db8:1:2:ffff::"), group("2001:db8:1:2::1"));
        assert_ne!(group("2001:db8:1:3::"), group("2001:db8:1:2::"));
        assert_eq!(group("::1"), "::/64");
    }

    #[test]
    fn link_local_addresses_of_peers_are_groups_of_their_own() {
        let group = |address: &str| AddressGroup::of_peer(address.parse().unwrap()).to_string();
        assert_eq!(group("fe80::1"), "fe80::1");
        assert_ne!(group("fe80::1"), group("fe80::2"));
        assert_eq!(group("2001:db8::1"), "2001:db8::/64");
        assert_eq!(group("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
