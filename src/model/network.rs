//! IP networks: addresses with a common prefix.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// IP network: all addresses with a common prefix. A network with the full prefix is one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    /// First address of the network: all bits after the prefix are 0. Not an IPv4-mapped IPv6
    /// address.
    first: IpAddr,
    /// Length of the prefix, in bits.
    prefix: u32,
}

/// Error for a text that is no IP network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The text is neither an address nor an address with a slash and a prefix length, or the
    /// prefix is longer than the address. An IPv4-mapped IPv6 address is refused too.
    #[error("is not an IP address, or a network such as 192.0.2.0/24 or 2001:db8::/32")]
    Syntax,
    /// The address has bits after the prefix.
    #[error("has address bits after its prefix; the network of this address is {0}")]
    BitsAfterPrefix(IpNetwork),
}

impl IpNetwork {
    /// Returns the network that has a prefix of `prefix` bits and contains `address`. `None` if the
    /// address has fewer bits, or is an IPv4-mapped IPv6 address.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u32) -> Option<Self> {
        let first = match address {
            address if address != address.to_canonical() => return None,
            IpAddr::V4(address) => {
                let host_bits = u32::BITS.checked_sub(prefix)?;
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let host_bits = u128::BITS.checked_sub(prefix)?;
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Some(Self { first, prefix })
    }

    /// Returns true if an address belongs to the network. An IPv4-mapped IPv6 address counts as
    /// IPv4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        Self::around(address.to_canonical(), self.prefix).is_some_and(|it| it == self)
    }
}

impl FromStr for IpNetwork {
    type Err = NetworkError;

    /// Parses an address, or an address, `/` and the prefix length in bits. An IPv4-mapped IPv6
    /// address must be written as IPv4.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().or(Err(NetworkError::Syntax))?;
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits.parse().or(Err(NetworkError::Syntax))?
            }
            Some(_) => return Err(NetworkError::Syntax),
            None if address.is_ipv4() => u32::BITS,
            None => u128::BITS,
        };
        let network = Self::around(address, prefix).ok_or(NetworkError::Syntax)?;
        if network.first == address {
            Ok(network)
        } else {
            Err(NetworkError::BitsAfterPrefix(network))
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if the network contains the address.
    fn contains(network: &str, address: &str) -> bool {
        network.parse::<IpNetwork>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn network_contains_the_addresses_with_its_prefix() {
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "198.51.100.1") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::") && !contains("::/0", "192.0.2.7"));
        assert!(contains("::1", "::1") && !contains("::1", "::2"));
    }

    /// Texts that are no network are refused with the reason.
    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "localhost",
            "192.0.2",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "::/129",
            "::ffff:192.0.2.7",
            "::ffff:0:0/96",
            "192.0.2.7:2428",
            "[::1]",
            "192.0.2.0/8/8",
            " ::1",
        ] {
            assert_eq!(text.parse::<IpNetwork>(), Err(NetworkError::Syntax), "{text}");
        }
        let error = "192.0.2.7/24".parse::<IpNetwork>().unwrap_err().to_string();
        assert!(error.ends_with("192.0.2.0/24"), "{error}");
    }
}
