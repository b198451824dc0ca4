//! Which names and origins a browser may use: protects the users of other web pages against DNS
//! rebinding and cross-site WebSockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Suffixes of names that only this machine or this network resolves.
const LOCAL_SUFFIXES: &[&str] = &[".local", ".localhost"];

/// Value of `web-origins` that allows all of them.
const ANY: &str = "*";

/// Host and port as a browser writes them in `Host` and in an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// Name in lower case without a dot at the end, or address; an IPv6 address has its brackets.
    host: String,
    /// Port; `None` if it is not written.
    port: Option<u16>,
}

impl Authority {
    /// Parses `HOST` or `HOST:PORT`. `None` if it is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|c| c.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|it| *it > 0)?)
            }
            Some(_) => return None,
            None => None,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name = host.split('.').all(|label| !label.is_empty())
            && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c));
        (is_name || is_ipv6(&host)).then_some(Self { host, port })
    }

    /// Returns true if the host is an IP address. Such a host cannot be rebound.
    fn is_address(&self) -> bool {
        is_ipv6(&self.host) || self.host.parse::<Ipv4Addr>().is_ok()
    }

    /// Returns true if the host is this server for certain: an address, `localhost`, a name that
    /// only the local network resolves, this machine's name with or without its domain
    /// (`machine`), or one of `allowed`.
    pub(super) fn is_own(&self, machine: &str, allowed: &[String]) -> bool {
        let is_same = |name: &str| self.host.eq_ignore_ascii_case(name.trim_end_matches('.'));
        let first_label = machine.split('.').next().unwrap_or_default();
        self.is_address()
            || is_same("localhost")
            || LOCAL_SUFFIXES.iter().any(|it| self.host.ends_with(it))
            || is_same(machine)
            || is_same(first_label)
            || allowed.iter().any(|it| is_same(it))
    }

    /// Returns true if the host is this machine for every machine, so that it leads nobody else here.
    pub(super) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_matches(['[', ']']);
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || bare.parse::<IpAddr>().is_ok_and(|it| {
                let address = it.to_canonical();
                address.is_loopback() || address.is_unspecified()
            })
    }

    /// Returns the host and the port as text.
    pub(super) fn to_text(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Returns the port, or the usual one of this scheme.
    fn port_or(&self, usual: u16) -> u16 {
        self.port.unwrap_or(usual)
    }
}

/// Returns true if a URL leads to this server from other machines, too.
pub(crate) fn is_remote(url: &str) -> bool {
    let host = url.split('/').nth(2).and_then(Authority::parse);
    host.is_some_and(|it| !it.is_loopback())
}

/// Returns true for an IPv6 address in brackets.
fn is_ipv6(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inner.is_some_and(|it| it.parse::<Ipv6Addr>().is_ok())
}

/// Returns true if a page of this origin may open a WebSocket at `host`: it comes from there, or is
/// one of `allowed`.
pub(super) fn is_allowed_origin(origin: &str, host: &Authority, allowed: &[String]) -> bool {
    let is_same = |it: &String| it == ANY || origin.eq_ignore_ascii_case(it.trim_end_matches('/'));
    if allowed.iter().any(is_same) {
        return true;
    }
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    Authority::parse(authority)
        .is_some_and(|it| it.host == host.host && it.port_or(usual) == host.port_or(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a valid authority.
    fn authority(text: &str) -> Authority {
        Authority::parse(text).unwrap()
    }

    /// Hosts that cannot be rebound are this server; others are if they are named.
    #[test]
    fn only_hosts_that_cannot_be_rebound_are_own() {
        let allowed = ["chat.example.org".to_owned()];
        for host in [
            "192.0.2.7:2480",
            "[2001:db8::1]:2480",
            "[::1]",
            "localhost",
            "app.localhost:2480",
            "raspberrypi.local:2480",
            "RaspberryPi.Local.",
            "attic",
            "attic.example.net",
            "Chat.Example.org",
        ] {
            assert!(authority(host).is_own("attic.example.net", &allowed), "{host}");
        }
        for host in [
            "evil.example",
            "local",
            "evillocal",
            "localhost.evil.example",
            "1.2.3",
            "192.0.2.7.evil",
            "xchat.example.org",
            "net",
        ] {
            assert!(!authority(host).is_own("attic.example.net", &allowed), "{host}");
        }
        assert!(!authority("x").is_own("", &[]));
    }

    #[test]
    fn only_loopback_leads_nobody_else_here() {
        for url in ["http://pi-chat.local:2480/", "http://192.0.2.1/", "http://[2001:db8::1]:2480/"]
        {
            assert!(is_remote(url), "{url}");
        }
        for url in ["http://127.0.0.2:2480/", "http://[::1]/", "http://localhost:2480/", "nonsense"]
        {
            assert!(!is_remote(url), "{url}");
        }
    }

    #[test]
    fn texts_that_are_no_host_are_refused() {
        for text in [
            "", ":2480", "a:b", "a b", "a/b", "a:1:2", "[::1", "::1", "[x]", "a:70000", "é", "a;b",
            "a,b", "a\"b", ".local", "a..local", "a:0",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
        assert_eq!(authority("PI.local:80").to_text(), "pi.local:80");
    }

    /// A page may open a WebSocket where it comes from, whatever the scheme of a proxy in front.
    #[test]
    fn origin_must_be_the_host_or_allowed() {
        let check = |origin, host, allowed: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|it| (*it).to_owned()).collect();
            is_allowed_origin(origin, &authority(host), &allowed)
        };
        assert!(check("http://pi.local:2480", "PI.local:2480", &[]));
        assert!(check("http://pi.local", "pi.local:80", &[]));
        assert!(check("https://chat.example.org", "chat.example.org", &[]));
        assert!(check("https://shop.example", "pi.local:2480", &["https://shop.example/"]));
        assert!(check("null", "pi.local:2480", &["*"]));
        for origin in [
            "http://pi.local:8080",
            "http://evil.example",
            "null",
            "",
            "file://",
            "pi.local:2480",
            "http://pi.local:2480.evil.example",
            "ftp://pi.local:2480",
            "http://x@pi.local:2480",
        ] {
            assert!(!check(origin, "pi.local:2480", &["https://shop.example"]), "{origin}");
        }
    }
}
