//! Looks which ways to reach others work here: each network is sent a
//! datagram by each way, which has to come back. Then listens for peers. Goes
//! into no room: peers drop the datagrams of this page for their magic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::interfaces::{self, Interface, Interfaces};
use super::sockets::{self, Datagram, Opened, Sockets};
use super::{Network, name_of};
use crate::model::{PeerId, Way};
use crate::os::random_bytes;
use crate::wire::udp::{Glimpse, Room};

/// What test datagrams begin with; peers have another magic.
const MAGIC: [u8; 3] = *b"PiT";

/// Length of what tells one's own test datagrams from those of others.
const NONCE: usize = 8;

/// A datagram that has not come back by then does not.
const ECHO_TIMEOUT: Duration = Duration::from_millis(700);

/// Every peer is heard within this time: its heartbeats are 2 s apart, or
/// more in rooms of more than 50.
const LISTENING: Duration = Duration::from_secs(5);

/// For each named host.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Peers that are counted.
const MAX_PEERS: usize = 1_000;

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
    room: &Room,
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
    let has_host = tell_hosts(network, &mut tell).await;
    let works = tell_ways(&working, has_host, &mut tell);
    tell_peers(name, &listen(room, &mut incoming).await, &mut tell);
    works
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

/// Whether the named hosts have addresses.
async fn tell_hosts(network: &Network, tell: &mut impl FnMut(Verdict, String)) -> bool {
    let mut has_host = false;
    for host in &network.hosts {
        match timeout(LOOKUP_TIMEOUT, lookup_host((host.host.as_str(), host.port))).await {
            Ok(Ok(addresses)) => {
                let addresses: Vec<_> = addresses.map(|it| it.to_string()).collect();
                tell(Verdict::Ok, format!("peer {host}: found at {}", addresses.join(", ")));
                has_host = true;
            }
            Ok(Err(error)) => tell(Verdict::Warn, format!("peer {host}: not found: {error}")),
            Err(_) => tell(Verdict::Warn, format!("peer {host}: looking it up takes too long")),
        }
    }
    has_host
}

/// What all of it means. Gives whether others can be reached.
fn tell_ways(
    working: &BTreeSet<Way>,
    has_host: bool,
    tell: &mut impl FnMut(Verdict, String),
) -> bool {
    let (verdict, text) = if working.contains(&Way::GroupV4) || working.contains(&Way::GroupV6) {
        (Verdict::Ok, "one datagram reaches everybody in the network".to_owned())
    } else if working.contains(&Way::Broadcast) {
        (Verdict::Warn, "no group works: chat-peer falls back to broadcast".to_owned())
    } else if has_host {
        let text = "no way to many works: chat-peer falls back to a copy for each peer, \
                    beginning with those named with --peer";
        (Verdict::Warn, text.to_owned())
    } else {
        let text = "nobody can be reached: name somebody with --peer HOST, or let UDP through";
        (Verdict::Fail, text.to_owned())
    };
    tell(verdict, text);
    verdict != Verdict::Fail
}

/// Who is heard, by room.
#[derive(Debug, Default)]
struct Around {
    /// In this room.
    here: BTreeSet<PeerId>,
    /// In other open ones, by tag.
    open: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// In other closed ones, by tag.
    closed: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
}

impl Around {
    /// Somebody has been heard.
    fn note(&mut self, glimpse: Glimpse, room: &Room) {
        let others = [&self.open, &self.closed].into_iter().flat_map(BTreeMap::values);
        let known = self.here.len() + others.map(BTreeSet::len).sum::<usize>();
        if known >= MAX_PEERS {
            return;
        }
        let peers = if glimpse.is_of(room) {
            &mut self.here
        } else if glimpse.is_closed() {
            self.closed.entry(glimpse.room).or_default()
        } else {
            self.open.entry(glimpse.room).or_default()
        };
        peers.insert(glimpse.sender);
    }
}

/// Listens for peers.
async fn listen(room: &Room, incoming: &mut mpsc::Receiver<io::Result<Datagram>>) -> Around {
    let mut around = Around::default();
    let end = Instant::now() + LISTENING;
    while let Ok(Some(came)) = timeout_at(end, incoming.recv()).await {
        if let Some(glimpse) = came.ok().and_then(|it| Glimpse::of(&it.bytes)) {
            around.note(glimpse, room);
        }
    }
    around
}

/// Who is there.
fn tell_peers(name: &str, around: &Around, tell: &mut impl FnMut(Verdict, String)) {
    let text = match around.here.len() {
        0 => format!("nobody was heard in #{name}: are there others, on the same port?"),
        1 => format!("one peer was heard in #{name}"),
        count => format!("{count} peers were heard in #{name}"),
    };
    let verdict = if around.here.is_empty() { Verdict::Warn } else { Verdict::Ok };
    tell(verdict, text);
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
