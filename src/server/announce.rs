//! Lets clients find the server by themselves: DNS-SD over multicast DNS,
//! `docs/protocol/discovery.md`.

use std::net::SocketAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::ServerSettings;
use crate::mdns;
use crate::model::ServerId;
use crate::model::limits::{DEFAULT_PORT, SERVICE};

/// Longest label of a name in the DNS, in bytes.
const MAX_LABEL: usize = 63;

/// What our name has behind that of the machine. A name of our own keeps out
/// of the way of a responder that the machine has already, such as avahi: two
/// that tell different addresses for one name take each other for strangers.
/// The port follows, if it is not the usual one: a server that stops takes its
/// name back, and must not take that of another one on the machine.
const HOST_SUFFIX: &str = "-chat";

/// Room for what the library puts behind a name that somebody else has, such
/// as ` (2)`.
const MAX_CONFLICT_SUFFIX: usize = 5;

/// The network gets the last word within this time, or not at all.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(300);

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Advertisement {
    /// Which server it is, if that is kept.
    id: Option<ServerId>,
    /// What the server is called.
    name: String,
    /// Its port.
    port: u16,
    /// The addresses that are listened on with this port.
    addresses: Vec<SocketAddr>,
}

impl Advertisement {
    /// What is to be announced of a server that listens there, if anything:
    /// nothing that other machines cannot reach.
    fn of(
        id: Option<ServerId>,
        settings: &ServerSettings,
        listening: &[SocketAddr],
    ) -> Option<Self> {
        let reachable = || listening.iter().filter(|it| !it.ip().to_canonical().is_loopback());
        // An instance has one port.
        let port = reachable().next()?.port();
        settings.announce.then(|| Self {
            id,
            name: settings.hub.server_name.clone(),
            port,
            addresses: reachable().filter(|it| it.port() == port).copied().collect(),
        })
    }

    /// The interfaces, and their addresses, that lead to the server.
    fn interfaces(&self) -> Vec<IfKind> {
        let kind = |address: &SocketAddr| match (address.ip().is_unspecified(), address.is_ipv6()) {
            (true, true) => IfKind::All,
            (true, false) => IfKind::IPv4,
            (false, _) => IfKind::Addr(address.ip()),
        };
        self.addresses.iter().map(kind).collect()
    }
}

/// Announces the server for as long as it listens, as the settings say at the
/// time. Ends when nobody will tell any more where it listens; then the
/// network knows that it has gone.
pub(super) async fn announce(
    id: Option<ServerId>,
    mut settings: watch::Receiver<ServerSettings>,
    mut listening: watch::Receiver<Vec<SocketAddr>>,
) {
    let mut shown: Option<(Advertisement, Advertiser)> = None;
    loop {
        let wanted =
            Advertisement::of(id, &settings.borrow_and_update(), &listening.borrow_and_update());
        if shown.as_ref().map(|(it, _)| it) != wanted.as_ref() {
            withdraw(shown.take()).await;
            shown = wanted.and_then(|it| Some((it.clone(), Advertiser::begin(&it)?)));
        }
        // A change of the settings is one more reason to look, no end.
        tokio::select! {
            told = listening.changed() => if told.is_err() { break },
            Ok(()) = settings.changed() => {}
        }
    }
    withdraw(shown).await;
}

/// Tells the network that a server is not there any more.
async fn withdraw(shown: Option<(Advertisement, Advertiser)>) {
    if let Some((_, advertiser)) = shown {
        // It waits; if it has a bug, the entry ages.
        let _ = spawn_blocking(move || advertiser.end()).await;
    }
}

/// An entry in the network's directory, and the thread that keeps it true:
/// it answers questions, and sees addresses come and go.
struct Advertiser {
    /// The thread.
    daemon: ServiceDaemon,
}

impl Advertiser {
    /// Makes an entry. A server that cannot be found by itself is better than
    /// none: it says so and goes on.
    fn begin(wanted: &Advertisement) -> Option<Self> {
        if let Err(error) = if_addrs::get_if_addrs() {
            tracing::warn!("clients cannot find this server: cannot list the networks: {error}");
            return None;
        }
        match Self::try_begin(wanted) {
            Ok(advertiser) => Some(advertiser),
            Err(error) => {
                tracing::warn!("clients cannot find this server by themselves: {error}");
                None
            }
        }
    }

    /// Makes an entry.
    fn try_begin(wanted: &Advertisement) -> Result<Self, mdns_sd::Error> {
        let advertiser = Self { daemon: mdns::begin()? };
        let daemon = &advertiser.daemon;
        daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        let mut text =
            vec![("name", wanted.name.clone()), ("version", env!("CARGO_PKG_VERSION").to_owned())];
        text.extend(wanted.id.map(|it| ("id", it.to_string())));
        let label = truncate(&wanted.name, MAX_LABEL - MAX_CONFLICT_SUFFIX);
        let host = format!("{}.local.", host_label(&machine_name(), wanted.port));
        let entry = ServiceInfo::new(SERVICE, label, &host, (), wanted.port, &text[..])?;
        let mut entry = entry.enable_addr_auto();
        entry.set_interfaces(wanted.interfaces());
        daemon.register(entry)?;
        Ok(advertiser)
    }

    /// Takes the entry back.
    fn end(self) {
        // Ending the thread says pending_shutdown for everything that it has told.
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = ended.recv_timeout(GOODBYE_TIMEOUT);
        }
    }
}

/// As much of a text as has so many bytes.
fn truncate(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// What the system calls this machine.
fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A label for the server at this port of this machine that is nobody else's.
fn host_label(machine: &str, port: u16) -> String {
    let suffix = match port {
        DEFAULT_PORT => HOST_SUFFIX.to_owned(),
        other => format!("{HOST_SUFFIX}-{other}"),
    };
    let first = machine.split('.').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name: String = first.chars().filter(|c| fits(*c)).collect();
    let name = truncate(&name, MAX_LABEL - MAX_CONFLICT_SUFFIX - suffix.len());
    format!("{}{suffix}", if name.is_empty() { "pi" } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is announced of a server that listens there.
    fn announced(listening: &[&str]) -> Option<Advertisement> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        Advertisement::of(None, &ServerSettings::default(), &listening)
    }

    #[test]
    fn loopback_addresses_are_not_announced() {
        assert_eq!(announced(&[]), None);
        assert_eq!(announced(&["127.0.0.1:7", "[::1]:7", "[::ffff:127.0.0.1]:7"]), None);
        let wanted = announced(&["127.0.0.1:7", "192.0.2.1:8", "[2001:db8::1]:8", "192.0.2.2:9"]);
        let Some(Advertisement { port, addresses, .. }) = wanted else { panic!("nothing") };
        assert_eq!((port, addresses.len()), (8, 2));
        let silent = ServerSettings { announce: false, ..ServerSettings::default() };
        assert_eq!(Advertisement::of(None, &silent, &["[::]:2428".parse().unwrap()]), None);
    }

    #[test]
    fn host_labels_fit_into_dns() {
        assert_eq!(host_label("raspberrypi", DEFAULT_PORT), "raspberrypi-chat");
        assert_eq!(host_label("my_pi.example.org", 2429), "mypi-chat-2429");
        assert_eq!(host_label("", DEFAULT_PORT), "pi-chat");
        assert_eq!(host_label(&"x".repeat(64), 2429).len(), MAX_LABEL - MAX_CONFLICT_SUFFIX);
        assert_eq!(truncate(&"é".repeat(32), MAX_LABEL).len(), 62);
    }
}
