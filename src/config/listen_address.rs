//! Address to listen on, as people write it.

use std::net::{SocketAddr, SocketAddrV6};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// IP address and port to listen on. Differs from [`SocketAddr`] in how it is written: the scope of
/// an IPv6 address may be the name of an interface, as in `[fe80::1%eth0]:2428`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ListenAddress(pub(super) SocketAddr);

/// Reason why a text is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ListenAddressError {
    /// The text is no IP address with a port.
    #[error(
        "not an IP address and a port, such as 192.0.2.7:2428, [::]:2428 or [fe80::1%eth0]:2428"
    )]
    Syntax,
    /// There is no network interface of this name.
    #[error("there is no network interface {0}")]
    Interface(String),
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    /// Parses an IP address and a port. Looks an interface's name up on this machine.
    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let (host, port) = text
            .strip_prefix('[')
            .and_then(|it| it.split_once("]:"))
            .ok_or(ListenAddressError::Syntax)?;
        let (ip, scope) = host.split_once('%').ok_or(ListenAddressError::Syntax)?;
        let ip = ip.parse().or(Err(ListenAddressError::Syntax))?;
        let port = port.parse().or(Err(ListenAddressError::Syntax))?;
        let scope = interface_index(scope)
            .ok_or_else(|| ListenAddressError::Interface(scope.to_owned()))?;
        Ok(Self(SocketAddrV6::new(ip, port, 0, scope).into()))
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ListenAddressError;

    fn try_from(text: String) -> Result<Self, ListenAddressError> {
        text.parse()
    }
}

/// Returns the index of the network interface with this name; `None` if it does not exist or has no
/// address.
fn interface_index(name: &str) -> Option<u32> {
    let interfaces = if_addrs::get_if_addrs().ok()?;
    interfaces.into_iter().find(|it| it.name == name)?.index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interface is named by its number or its name.
    #[test]
    fn scope_may_be_an_interface_name() {
        let interfaces = if_addrs::get_if_addrs().unwrap();
        let loopback = interfaces.iter().find(|it| it.is_loopback()).unwrap();
        let index = loopback.index.unwrap();
        let named: ListenAddress = format!("[fe80::1%{}]:7", loopback.name).parse().unwrap();
        let numbered: ListenAddress = format!("[fe80::1%{index}]:7").parse().unwrap();
        assert_eq!(named, numbered);
        let SocketAddr::V6(address) = named.0 else { panic!("{named:?}") };
        assert_eq!((address.scope_id(), address.port()), (index, 7));
    }

    /// Other texts are refused, with the reason.
    #[test]
    fn other_texts_are_refused() {
        let error = |text: &str| text.parse::<ListenAddress>().unwrap_err();
        let unknown = ListenAddressError::Interface("no such".to_owned());
        assert_eq!(error("[fe80::1%no such]:7"), unknown);
        for text in ["", "localhost:7", "1.2.3.4", "[::1]", "[fe80::1%]7", "[1.2.3.4%lo]:7"] {
            assert_eq!(error(text), ListenAddressError::Syntax, "{text}");
        }
        assert_eq!("[::]:0".parse(), Ok(ListenAddress("[::]:0".parse().unwrap())));
    }
}
