//! Host addresses of servers and peers as people write them, and mDNS service instance names.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT, MDNS_SERVICE};

/// Host and port of a server or peer. The host may also be an mDNS service instance name
/// ([`is_service_instance`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// Host name, IP address without brackets, or service instance name.
    pub host: String,
    /// Port number, not 0: a TCP port of a server, or a UDP port of a peer.
    pub port: u16,
}

/// Way of talking to a server that the scheme of an address demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `chat://`: plain TCP.
    Plain,
    /// `chats://`: TLS.
    Tls,
}

/// Address of a server as people write it, with or without a scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Scheme; `None` if the text has none.
    pub scheme: Option<Scheme>,
    /// Host and port. The default port is that of the scheme, or of plain TCP.
    pub address: HostAddress,
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    /// Parses an address like [`HostAddress`], with `chats://` as another scheme, whose default
    /// port is [`DEFAULT_TLS_PORT`].
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let scheme = |name: &str| {
            let (found, rest) = text.split_at_checked(name.len())?;
            found.eq_ignore_ascii_case(name).then_some(rest)
        };
        if let Some(rest) = scheme("chats://") {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let address = HostAddress::parse(rest, DEFAULT_TLS_PORT)?;
            return Ok(Self { scheme: Some(Scheme::Tls), address });
        }
        let scheme = scheme("chat://").map(|_| Scheme::Plain);
        Ok(Self { scheme, address: text.parse()? })
    }
}

/// Reason why a text is not a valid [`HostAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The host is empty.
    #[error("the host is missing")]
    NoHost,
    /// The text after the host is not a port from 1 to 65535. The field holds that text.
    #[error("“{0}” is not a port (1 to 65535)")]
    Port(String),
    /// The scheme is `chats://` (TLS), where only plain addresses are meant: among peers.
    #[error("chats:// (TLS) is for servers only")]
    Tls,
    /// The scheme is neither `chat://` nor `chats://`.
    #[error("an address begins with chat:// or chats:// (TLS), or with the host")]
    Scheme,
    /// The host contains this character, which is not allowed. No host may contain a control
    /// character. Only a service instance name may contain white space or one of `/[]@?#`.
    /// A missing closing bracket is reported as `[`.
    #[error("a host cannot have “{0}” in it")]
    Character(char),
}

/// Returns the mDNS service type without its trailing dot: the suffix of every service instance
/// name.
fn service_type() -> &'static str {
    MDNS_SERVICE.trim_end_matches('.')
}

/// Returns true if `host` is the mDNS service instance name of a server: a label, a dot and the
/// service type. Example: `Anna's pi (2)._pi-chat._tcp.local`. The label may be empty. The service
/// type is case-sensitive.
#[must_use]
pub fn is_service_instance(host: &str) -> bool {
    instance_label(host).is_some()
}

/// Returns the label of an mDNS service instance name: the part before the service type, by which
/// users know the server; it may be empty. Example: `Anna's pi (2)`. `None` if the name does not
/// end with a dot and the service type, in lower case and without a final dot.
#[must_use]
pub fn instance_label(instance_name: &str) -> Option<&str> {
    instance_name.strip_suffix(service_type())?.strip_suffix('.')
}

/// Splits a text into a service instance name and the optional port after it. The name ends with
/// the last service type in the text. The port is not validated. `None` if the text does not begin
/// with such a name, or if a character other than a colon follows the name.
fn split_service_instance(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, behind) = text.split_at(text.rfind(service_type())? + service_type().len());
    let port = behind.strip_prefix(':');
    (is_service_instance(name) && (behind.is_empty() || port.is_some())).then_some((name, port))
}

/// Removes the scheme `chat://`, in upper or lower case, and one slash at the end of the text.
/// Returns a text without `://` unchanged.
///
/// # Errors
/// [`AddressError::Tls`] for the scheme `chats://`, [`AddressError::Scheme`] for any other.
fn strip_scheme(text: &str) -> Result<&str, AddressError> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("chat") => {
            Ok(rest.strip_suffix('/').unwrap_or(rest))
        }
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("chats") => Err(AddressError::Tls),
        Some(_) => Err(AddressError::Scheme),
        None => Ok(text),
    }
}

/// Splits a text into host and optional port; neither is validated. Removes the brackets of an IPv6
/// address. A text with several colons and no brackets is an IPv6 address without a port.
///
/// # Errors
/// [`AddressError::Character`] if the closing bracket is missing. [`AddressError::Port`] if the
/// text after that bracket does not begin with a colon.
fn split_host(text: &str) -> Result<(&str, Option<&str>), AddressError> {
    let Some(inside) = text.strip_prefix('[') else {
        // Several colons: a bare IPv6 address.
        let split = text.split_once(':').filter(|_| text.matches(':').count() == 1);
        return Ok(split.map_or((text, None), |(host, port)| (host, Some(port))));
    };
    let (host, behind) = inside.split_once(']').ok_or(AddressError::Character('['))?;
    match behind.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if behind.is_empty() => Ok((host, None)),
        None => Err(AddressError::Port(behind.to_owned())),
    }
}

impl FromStr for HostAddress {
    type Err = AddressError;

    /// Parses an address: `host`, `host:port`, `[::1]`, `[::1]:port` or `::1`, each with or without
    /// `chat://`. The default port is [`DEFAULT_PORT`]. White space around the text is ignored.
    ///
    /// The host may be a service instance name. Then `chat://` before it must be in lower case.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        // An instance label may contain anything, even a scheme.
        let entry = split_service_instance(text.strip_prefix("chat://").unwrap_or(text));
        match entry {
            Some((host, port)) => Self::checked(host, port, DEFAULT_PORT),
            None => Self::parse(strip_scheme(text)?, DEFAULT_PORT),
        }
    }
}

impl HostAddress {
    /// Parses an address without a scheme.
    ///
    /// # Errors
    /// [`AddressError`].
    fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let (host, port) = match split_service_instance(text) {
            Some(split) => split,
            None => split_host(text)?,
        };
        Self::checked(host, port, default_port)
    }

    /// Checks a host, and parses its port.
    ///
    /// # Errors
    /// [`AddressError`].
    fn checked(host: &str, port: Option<&str>, default_port: u16) -> Result<Self, AddressError> {
        let port = match port {
            None => default_port,
            Some(port) => match port.parse() {
                Ok(number) if number != 0 => number,
                _ => return Err(AddressError::Port(port.to_owned())),
            },
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        let is_service_instance = is_service_instance(host);
        let is_odd = |c: &char| {
            // An instance label is chosen by the owner and may contain these.
            c.is_control()
                || !is_service_instance
                    && (c.is_whitespace() || matches!(c, '/' | '[' | ']' | '@' | '?' | '#'))
        };
        if let Some(odd) = host.chars().find(is_odd) {
            return Err(AddressError::Character(odd));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostAddress {
    /// Writes `host:port`, with an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') && !is_service_instance(&self.host) {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scheme gives the way of talking and the default port.
    #[test]
    fn server_address_has_a_scheme() {
        for (text, scheme, host, port) in [
            ("pi", None, "pi", 2_428),
            ("chat://pi", Some(Scheme::Plain), "pi", 2_428),
            ("Chats://pi/", Some(Scheme::Tls), "pi", 2_429),
            ("chats://[::1]:7", Some(Scheme::Tls), "::1", 7),
            (
                "chats://a b._pi-chat._tcp.local",
                Some(Scheme::Tls),
                "a b._pi-chat._tcp.local",
                2_429,
            ),
            ("a://b._pi-chat._tcp.local", None, "a://b._pi-chat._tcp.local", 2_428),
        ] {
            let address = HostAddress { host: host.to_owned(), port };
            assert_eq!(text.parse(), Ok(ServerAddress { scheme, address }), "{text}");
        }
        for text in ["chats://", "https://pi", "chats://chat://pi", "chats://a b"] {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
    }

    /// Each spelling gives host and port, and what is displayed parses to the same address. Other
    /// texts are refused.
    #[test]
    fn host_address_parses_all_spellings() {
        for (text, host, port) in [
            ("pi", "pi", 2428),
            ("pi:1", "pi", 1),
            ("chat://pi.local:99/", "pi.local", 99),
            ("CHAT://pi", "pi", 2428),
            ("10.0.0.1:2428", "10.0.0.1", 2428),
            ("::1", "::1", 2428),
            ("[::1]", "::1", 2428),
            ("[::1]:7", "::1", 7),
            ("chat://[fe80::1%eth0]:7", "fe80::1%eth0", 7),
            ("Käte's (2)._pi-chat._tcp.local", "Käte's (2)._pi-chat._tcp.local", 2428),
            ("a/b._pi-chat._tcp.local:7", "a/b._pi-chat._tcp.local", 7),
            ("[a] b://c._pi-chat._tcp.local", "[a] b://c._pi-chat._tcp.local", 2428),
            ("chat://Anna's pi._pi-chat._tcp.local", "Anna's pi._pi-chat._tcp.local", 2428),
            ("a:1 b._pi-chat._tcp.local:7", "a:1 b._pi-chat._tcp.local", 7),
        ] {
            let address: HostAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert_eq!(instance_label("a.b (2)._pi-chat._tcp.local"), Some("a.b (2)"));
        assert_eq!(instance_label("pi.local"), None);
        for text in [
            "",
            ":1",
            "pi:0",
            "pi:x",
            "pi:65536",
            "chats://pi",
            "http://pi",
            "[::1",
            "a b",
            "[::1]x",
            "a b_pi-chat._tcp.local",
            "a\u{1b}b._pi-chat._tcp.local",
            "a b._pi-chat._tcp.local.example",
        ] {
            assert!(text.parse::<HostAddress>().is_err(), "{text}");
        }
    }
}
