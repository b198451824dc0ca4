//! Address of the client behind trusted reverse proxies, by `X-Forwarded-For`.

use std::net::IpAddr;

use crate::model::IpNetwork;

/// Returns the address of the client of a request that has come from `peer`. `forwarded_for`: the
/// values of `X-Forwarded-For`, in order.
///
/// Each proxy appends the address that it has got the request from. So the list is read from its
/// end: the first address that is no trusted proxy counts, and everything before it is only a
/// claim. If `peer` is no trusted proxy, it is the client. If the list ends, or has something else
/// than an address, the last trusted proxy counts.
pub(super) fn client_address(
    peer: IpAddr,
    forwarded_for: &[String],
    trusted: &[IpNetwork],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|it| it.contains(address));
    let mut client = peer;
    let mut items = forwarded_for.iter().rev().flat_map(|it| it.rsplit(',')).map(str::trim);
    while is_trusted(client) {
        let Some(address) = items.next().and_then(parse_address) else { break };
        client = address;
    }
    client
}

/// Parses an address as proxies write it: some write IPv6 in brackets, some with a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if text.contains('.') => text.split(':').next().unwrap_or_default(),
        None => text,
    };
    bare.parse::<IpAddr>().or_else(|_| text.parse()).ok().map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the client of a request from `peer` with this list; 10.0.0.0/8 is trusted.
    fn client(peer: &str, list: &[&str]) -> String {
        let list: Vec<String> = list.iter().map(|it| (*it).to_owned()).collect();
        client_address(peer.parse().unwrap(), &list, &["10.0.0.0/8".parse().unwrap()]).to_string()
    }

    #[test]
    fn rightmost_untrusted_address_counts() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.2"]), "198.51.100.2");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", "198.51.100.2, 10.9.9.9"]), "198.51.100.2");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1:5"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["::ffff:192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn claims_of_others_do_not_count() {
        assert_eq!(client("192.0.2.7", &["198.51.100.2"]), "192.0.2.7");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, x, 10.0.0.2"]), "10.0.0.2");
    }
}
