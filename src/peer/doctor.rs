//! Looks which ways to reach others work here: each network is sent a
//! datagram by each way, which has to come back. (Its magic is one that peers
//! drop.) That says nothing about what an access point lets through, so then
//! it listens for peers and asks them; see [`super::visits`]. Goes into no
//! room.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::interfaces::{self, Interface, Interfaces};
use super::sockets::{self, Datagram, Opened, Sockets};
use super::visits::{Around, Neighbour, Visits};
use super::{Network, name_of};
use crate::model::{Heard, HostAddress, Way};
use crate::os::random_bytes;
use crate::ui::safe_line;
use crate::wire::udp::Room;

/// What test datagrams begin with; peers have another magic.
const MAGIC: [u8; 3] = *b"PiT";

/// Length of what tells one's own test datagrams from those of others.
const NONCE: usize = 8;

/// A datagram that has not come back by then does not.
const ECHO_TIMEOUT: Duration = Duration::from_millis(700);

/// For each named host.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Ok,
    /// It does not, but there is something else.
    Warn,
    /// It does not, and that matters.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How good it is.
    pub verdict: Verdict,
    /// For people.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        write!(f, "{verdict}  {}", self.text)
    }
}

/// Tells each thing as soon as it is known. Gives whether a way works, so
/// that others can be reached.
pub async fn examine(
    name: &str,
    room: &Arc<Room>,
    network: &Network,
    mut report: impl FnMut(&Line),
) -> bool {
    let mut tell = |verdict, text: String| report(&Line { verdict, text });
    let opened = match sockets::open(network.port) {
        Ok(opened) => opened,
        Err(error) => {
            tell(Verdict::Fail, format!("this computer can use neither IPv4 nor IPv6: {error}"));
            return false;
        }
    };
    let Opened { mut sockets, mut incoming, failed } = opened;
    tell_ports(network.port, sockets.is_shared(), &failed, &mut tell);
    let found = match interfaces::scan(&network.interfaces) {
        Ok(found) => found,
        Err(error) => {
            tell(Verdict::Fail, format!("the networks cannot be listed: {error}"));
            return false;
        }
    };
    for missing in network.interfaces.iter().filter(|it| !found.contains_key(*it)) {
        let text = format!("interface {missing}: not there, or down; chat-peer waits for it");
        tell(Verdict::Warn, text);
    }
    tell_families(&found, &mut tell);
    // A way that cannot be joined does not come back either.
    drop(sockets.set_interfaces(found.clone()));
    let mut working = BTreeSet::new();
    for (interface_name, interface) in &found {
        for way in Way::ALL {
            let Some(outcome) = try_way(&sockets, &mut incoming, way, interface).await else {
                continue;
            };
            let subject = format!("interface {interface_name}: {}", name_of(way));
            match outcome {
                Ok(()) => {
                    working.insert(way);
                    tell(Verdict::Ok, format!("{subject} works"));
                }
                Err(why) => tell(Verdict::Warn, format!("{subject} does not work: {why}")),
            }
        }
    }
    let hosts = look_up(network, &mut tell).await;
    let addresses = hosts.iter().flat_map(|(_, addresses)| addresses).copied();
    let around = match Visits::new(room, addresses) {
        Ok(visits) => visits.make(&sockets, &mut incoming).await,
        Err(error) => {
            tell(Verdict::Fail, format!("the system's random source does not work: {error}"));
            return false;
        }
    };
    let has_host = tell_hosts(name, &hosts, &around, &mut tell);
    tell_peers(name, &around, &mut tell);
    tell_ways(&working, has_host, &around, &mut tell)
}

/// What became of the room's port.
fn tell_ports(
    port: u16,
    is_shared: bool,
    failed: &[(&'static str, io::Error)],
    tell: &mut impl FnMut(Verdict, String),
) {
    for (what, error) in failed {
        tell(Verdict::Warn, format!("{what} cannot be used: {error}"));
    }
    if is_shared {
        tell(Verdict::Ok, format!("UDP port {port} can be used"));
    } else {
        let text = format!(
            "UDP port {port} cannot be used: chat-peer hears nobody but those named with --peer; \
             is it taken by another program?"
        );
        tell(Verdict::Fail, text);
    }
}

/// Whether one of IPv4 and IPv6 is missing, which is no harm by itself.
fn tell_families(found: &Interfaces, tell: &mut impl FnMut(Verdict, String)) {
    let has_v4 = found.values().any(|it| !it.networks.is_empty());
    let has_v6 = found.values().any(|it| it.has_v6);
    match (has_v4, has_v6) {
        (true, true) => tell(Verdict::Ok, "there are IPv4 and IPv6 addresses".to_owned()),
        (true, false) => tell(Verdict::Warn, "there is no IPv6 address: IPv4 only".to_owned()),
        (false, true) => tell(Verdict::Warn, "there is no IPv4 address: IPv6 only".to_owned()),
        (false, false) => {
            let text = "there is no network: no interface is up and has an address";
            tell(Verdict::Fail, text.to_owned());
        }
    }
}

/// Sends something by one way and one interface and waits for it. `None`:
/// the interface does not have this way.
async fn try_way(
    sockets: &Sockets,
    incoming: &mut mpsc::Receiver<io::Result<Datagram>>,
    way: Way,
    interface: &Interface,
) -> Option<Result<(), String>> {
    let nonce = match random_bytes::<NONCE>() {
        Ok(nonce) => nonce,
        Err(error) => return Some(Err(error.to_string())),
    };
    let bytes = [MAGIC.as_slice(), nonce.as_slice()].concat();
    let outcomes = sockets.send_by(way, interface, &bytes).await;
    if outcomes.is_empty() {
        return None;
    }
    if let Some(Err(error)) = outcomes.into_iter().find(Result::is_err) {
        return Some(Err(error.to_string()));
    }
    let comes_back = async {
        while let Some(came) = incoming.recv().await {
            let is_it = |it: &Datagram| it.bytes == bytes && sockets.way_of(it) == Some(way);
            if came.as_ref().is_ok_and(is_it) {
                return;
            }
        }
    };
    let came = timeout(ECHO_TIMEOUT, comes_back).await;
    Some(came.map_err(|_| "what is sent does not come back; a firewall?".to_owned()))
}

/// The addresses of the named hosts, without those that have none.
async fn look_up<'a>(
    network: &'a Network,
    tell: &mut impl FnMut(Verdict, String),
) -> Vec<(&'a HostAddress, Vec<SocketAddr>)> {
    let mut found = Vec::new();
    for host in &network.hosts {
        match timeout(LOOKUP_TIMEOUT, lookup_host((host.host.as_str(), host.port))).await {
            Ok(Ok(addresses)) => found.push((host, addresses.collect())),
            Ok(Err(error)) => tell(Verdict::Warn, format!("peer {host}: not found: {error}")),
            Err(_) => tell(Verdict::Warn, format!("peer {host}: looking it up takes too long")),
        }
    }
    found
}

/// Which of the named hosts answer. Gives whether one does.
fn tell_hosts(
    name: &str,
    hosts: &[(&HostAddress, Vec<SocketAddr>)],
    around: &Around,
    tell: &mut impl FnMut(Verdict, String),
) -> bool {
    let mut has_host = false;
    for (host, addresses) in hosts {
        if let Some(address) = addresses.iter().find(|it| around.hosts.contains(it)) {
            tell(Verdict::Ok, format!("peer {host}: answers at {address}"));
            has_host = true;
            continue;
        }
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let text = format!(
            "peer {host}: found at {}, but nobody answers there: is chat-peer in #{name} there, \
             and is UDP let through?",
            addresses.join(", ")
        );
        tell(Verdict::Warn, text);
    }
    has_host
}

/// What all of it means. Gives whether others can be reached. What peers say
/// counts more than what comes back.
fn tell_ways(
    working: &BTreeSet<Way>,
    has_host: bool,
    around: &Around,
    tell: &mut impl FnMut(Verdict, String),
) -> bool {
    let told: Vec<Heard> = around.here.values().filter_map(|it| it.hears).collect();
    let lonely = told.iter().filter(|it| it.is_empty()).count();
    let common = |way: Way| !told.is_empty() && told.iter().all(|it| it.has(way));
    let has_group = [Way::GroupV4, Way::GroupV6].iter().any(|it| working.contains(it));
    let (verdict, text) = if lonely > 0 {
        let text = format!(
            "{lonely} of {} peers hear neither a group nor broadcast from here: chat-peer falls \
             back to a copy of everything for each of them",
            told.len()
        );
        (Verdict::Warn, text)
    } else if common(Way::GroupV4) || common(Way::GroupV6) {
        (Verdict::Ok, "one datagram reaches everybody in the network".to_owned())
    } else if common(Way::Broadcast) {
        (Verdict::Warn, "no group reaches everybody: chat-peer falls back to broadcast".to_owned())
    } else if !told.is_empty() {
        let text = "no single way reaches everybody: chat-peer uses several at once";
        (Verdict::Warn, text.to_owned())
    } else if has_group {
        let text = "one datagram should reach everybody in the network; nobody was there to \
                    try it with";
        (Verdict::Ok, text.to_owned())
    } else if working.contains(&Way::Broadcast) {
        (Verdict::Warn, "no group works: chat-peer falls back to broadcast".to_owned())
    } else if has_host || around.here.values().any(|it| it.answers) {
        let text = "no way to many works: chat-peer falls back to a copy for each peer";
        (Verdict::Warn, text.to_owned())
    } else {
        let text = "nobody can be reached: name somebody with --peer HOST, or let UDP through";
        (Verdict::Fail, text.to_owned())
    };
    tell(verdict, text);
    verdict != Verdict::Fail
}

/// Who is there, and whom one can talk to.
fn tell_peers(name: &str, around: &Around, tell: &mut impl FnMut(Verdict, String)) {
    let text = match around.here.len() {
        0 => format!("nobody was heard in #{name}: are there others, on the same port?"),
        1 => format!("one peer was heard in #{name}"),
        count => format!("{count} peers were heard in #{name}"),
    };
    let verdict = if around.here.is_empty() { Verdict::Warn } else { Verdict::Ok };
    tell(verdict, text);
    for neighbour in around.here.values().filter(|it| it.was_asked) {
        let (verdict, text) = describe(neighbour);
        tell(verdict, text);
    }
    for (rooms, kind) in [(&around.open, "open"), (&around.closed, "closed")] {
        for peers in rooms.values() {
            let (count, s) = (peers.len(), if peers.len() == 1 { "" } else { "s" });
            tell(Verdict::Ok, format!("{count} peer{s} in another room, which is {kind}"));
        }
    }
    if around.here.is_empty() && !around.closed.is_empty() {
        let text = "a closed room was heard: with the same name it needs the same passphrase";
        tell(Verdict::Warn, text.to_owned());
    }
}

/// What has become of asking somebody.
fn describe(neighbour: &Neighbour) -> (Verdict, String) {
    let name = neighbour.name.as_deref().map_or_else(|| "without a name".into(), safe_line);
    let subject = format!("peer {name} at {}", neighbour.address);
    if !neighbour.answers {
        let text = format!(
            "{subject} is heard, but does not answer: what goes to one computer alone does not \
             get through (an access point that isolates, a firewall?)"
        );
        return (Verdict::Warn, text);
    }
    let ways: Vec<_> = Way::ALL
        .into_iter()
        .filter(|way| neighbour.hears.is_some_and(|it| it.has(*way)))
        .map(name_of)
        .collect();
    match neighbour.hears {
        None => (Verdict::Ok, format!("{subject} answers")),
        Some(_) if ways.is_empty() => {
            (Verdict::Warn, format!("{subject} answers, but hears no group and no broadcast"))
        }
        Some(_) => (Verdict::Ok, format!("{subject} answers, and hears {}", ways.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last words, where this works and peers hear that.
    fn last_words(working: &[Way], told: &[Option<Heard>]) -> (Verdict, String) {
        let neighbour = |hears: &Option<Heard>| Neighbour {
            name: None,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            was_asked: true,
            answers: hears.is_some(),
            hears: *hears,
        };
        let ids = (0..).map(|id: u8| crate::model::PeerId([id; 8]));
        let here = ids.zip(told.iter().map(neighbour)).collect();
        let around = Around { here, ..Around::default() };
        let mut last = None;
        let working = working.iter().copied().collect();
        tell_ways(&working, false, &around, &mut |verdict, text| last = Some((verdict, text)));
        last.unwrap()
    }

    /// What peers say counts; where nobody says anything it is not claimed
    /// that all are reached.
    #[test]
    fn what_peers_say_counts() {
        let all = Way::ALL.as_slice();
        let words = |told: &[Option<Heard>]| last_words(all, told);
        assert!(words(&[]).1.contains("nobody was there to try it"));
        assert!(words(&[None]).1.contains("nobody was there to try it"));
        assert_eq!(words(&[Some(Heard(3)), Some(Heard(1))]).0, Verdict::Ok);
        let (verdict, text) = words(&[Some(Heard(7)), Some(Heard(0))]);
        assert!(verdict == Verdict::Warn && text.starts_with("1 of 2 peers hear neither"));
        assert!(words(&[Some(Heard(4)), Some(Heard(5))]).1.ends_with("back to broadcast"));
        assert!(words(&[Some(Heard(1)), Some(Heard(2))]).1.ends_with("several at once"));
        assert_eq!(last_words(&[], &[]).0, Verdict::Fail);
    }
}
