//! Address to listen on, in the form that people write.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// Maximum length of the name of a network interface, in bytes.
const MAX_INTERFACE_NAME: usize = 15;

/// IP address and port to listen on. Unlike in a [`SocketAddr`], the scope of an IPv6 address may
/// be the name of an interface, as in `[fe80::1%eth0]:2428`. The interface need not exist: at boot
/// it may come later than the server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress {
    /// Address and port. If `interface` is given, the address has no scope.
    address: SocketAddr,
    /// Name of the interface of an IPv6 address. `None` if the scope is a number, or if there is no
    /// scope.
    interface: Option<String>,
}

/// Error: the parsed text is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not an IP address and a port, such as 192.0.2.7:2428, [::]:2428 or [fe80::1%eth0]:2428")]
pub struct ListenAddressError;

impl ListenAddress {
    /// Returns the address, with the index of its named interface as scope. `None` if the machine
    /// now has no interface of this name, the interface has no address, or the interfaces cannot be
    /// listed.
    pub(super) fn resolve(&self) -> Option<SocketAddr> {
        match (self.address, &self.interface) {
            (SocketAddr::V6(mut address), Some(name)) => {
                address.set_scope_id(interface_index(name)?);
                Some(address.into())
            }
            (address, _) => Some(address),
        }
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns true if whoever listens here with this address, whatever its port, also listens on
    /// `other`'s: it is the same, or all addresses of the machine.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let is_all = match self.address.ip() {
            IpAddr::V4(ip) => ip.is_unspecified() && other.address.is_ipv4(),
            IpAddr::V6(ip) => ip.is_unspecified(),
        };
        is_all || *self == other.clone().with_port(self.port())
    }

    /// Returns the same address with another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self { address, interface: None }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    /// Parses an IP address and a port, with an optional scope.
    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        parse_with_interface(text).ok_or(ListenAddressError)
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ListenAddressError;

    fn try_from(text: String) -> Result<Self, ListenAddressError> {
        text.parse()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, interface } = self;
        match interface {
            Some(name) => write!(f, "[{}%{name}]:{}", address.ip(), address.port()),
            None => address.fmt(f),
        }
    }
}

/// Parses a text of the form `[address%interface]:port`, with an IPv6 address. `None` if the text
/// has another form.
fn parse_with_interface(text: &str) -> Option<ListenAddress> {
    let (host, port) = text.strip_prefix('[')?.split_once("]:")?;
    let (ip, name) = host.split_once('%')?;
    let is_name = (1..=MAX_INTERFACE_NAME).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c.is_whitespace());
    let address = SocketAddrV6::new(ip.parse().ok()?, port.parse().ok()?, 0, 0).into();
    is_name.then(|| ListenAddress { address, interface: Some(name.to_owned()) })
}

/// Returns the index of the network interface with this name. `None` if there is no interface of
/// this name, it has no address, or the interfaces cannot be listed.
fn interface_index(name: &str) -> Option<u32> {
    let interfaces = if_addrs::get_if_addrs().ok()?;
    interfaces.into_iter().find(|it| it.name == name)?.index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scope may be the index or the name of an interface.
    #[test]
    fn scope_may_be_an_interface_name() {
        let interfaces = if_addrs::get_if_addrs().unwrap();
        let loopback = interfaces.iter().find(|it| it.is_loopback()).unwrap();
        let index = loopback.index.unwrap();
        let text = format!("[fe80::1%{}]:7", loopback.name);
        let named: ListenAddress = text.parse().unwrap();
        let numbered: ListenAddress = format!("[fe80::1%{index}]:7").parse().unwrap();
        assert_eq!(named.resolve(), numbered.resolve());
        let Some(SocketAddr::V6(address)) = named.resolve() else { panic!("{named:?}") };
        assert_eq!((address.scope_id(), address.port()), (index, 7));
        assert_eq!(named.to_string(), text);
    }

    /// An address of the machine is included in itself and in all addresses of its kind; all
    /// addresses of IPv6 are those of IPv4, too.
    #[test]
    fn all_addresses_include_each() {
        let includes = |all: &str, one: &str| {
            let (all, one): (ListenAddress, ListenAddress) =
                (all.parse().unwrap(), one.parse().unwrap());
            all.includes(&one)
        };
        for one in ["[::]:1", "[::1]:1", "[fe80::1%eth0]:1", "0.0.0.0:1", "192.0.2.7:1"] {
            assert!(includes("[::]:2", one) && includes(one, one), "{one}");
        }
        assert!(includes("0.0.0.0:2", "192.0.2.7:1") && includes("192.0.2.7:2", "192.0.2.7:1"));
        assert!(!includes("0.0.0.0:2", "[::1]:1") && !includes("192.0.2.7:2", "192.0.2.8:2"));
        assert!(!includes("192.0.2.7:2", "[::]:2") && !includes("[fe80::1%a]:2", "[fe80::1%b]:2"));
    }

    /// An address whose interface does not exist is parsed, because the interface may come later.
    #[test]
    fn interface_may_be_missing() {
        let address: ListenAddress = "[fe80::1%no-such]:7".parse().unwrap();
        assert_eq!(address.resolve(), None);
        assert_eq!(address.to_string(), "[fe80::1%no-such]:7");
    }

    /// Texts of other forms are refused.
    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "localhost:7",
            "1.2.3.4",
            "[::1]",
            "[fe80::1%]:7",
            "[fe80::1%]7",
            "[1.2.3.4%lo]:7",
            "[fe80::1%no such]:7",
            "[fe80::1%longer-than-names-are]:7",
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressError), "{text}");
        }
        let all: SocketAddr = "[::]:0".parse().unwrap();
        assert_eq!("[::]:0".parse(), Ok(ListenAddress::from(all)));
    }
}
