//! Doctor: network diagnosis of `chat-peer doctor`. It sends pings on each path, to each peer that
//! is heard, and to each named host. It reports which peers answer, and by which paths they are
//! heard. The doctor joins no room.

mod found_peers;
mod other_rooms;
mod probe;
mod report;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use self::probe::{Host, Probe};
use super::interfaces::{self, Interfaces};
use super::sockets::{self, FailedJoin, OpenedSockets, Sockets};
use super::{NetworkSettings, path_name};
use crate::model::HostAddress;
use crate::wire::udp::Room;

/// Maximum time for the DNS lookup of one named host.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Ok,
    /// Warning: something does not work or is unknown, but chat-peer may work without it.
    Warn,
    /// Failure: chat-peer does not work without it.
    Fail,
}

/// Finding of the doctor: one line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Severity of the finding.
    pub verdict: Verdict,
    /// Human-readable text, without the verdict.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        write!(f, "{verdict}  {}", self.text)
    }
}

/// Runs the network diagnosis of the room. Passes each finding to `report`, in the order of the
/// report. `name` is the room's name, for the texts.
///
/// Returns true if a peer on another machine answers a ping. If there is none on another machine, a
/// peer on this machine must answer. If there is no peer at all, a ping on some path must come back
/// to this machine. Otherwise, and if the diagnosis fails, returns false.
pub async fn diagnose(
    name: &str,
    room: &Room,
    network: &NetworkSettings,
    mut report: impl FnMut(&Finding),
) -> bool {
    let mut tell = |verdict, text: String| report(&Finding { verdict, text });
    let opened = match sockets::open(network.port) {
        Ok(opened) => opened,
        Err(error) => {
            tell(Verdict::Fail, format!("this computer can use neither IPv4 nor IPv6: {error}"));
            return false;
        }
    };
    let OpenedSockets { mut sockets, mut incoming, failed } = opened;
    report_port(network.port, sockets.has_shared_socket(), &failed, &mut tell);
    let (found, local_addresses) = match scan_interfaces(&network.interfaces) {
        Ok(both) => both,
        Err(error) => {
            tell(Verdict::Fail, format!("the networks cannot be listed: {error}"));
            return false;
        }
    };
    for missing in network.interfaces.iter().filter(|it| !found.contains_key(*it)) {
        let text = format!("interface {missing}: not there, or down; chat-peer waits for it");
        tell(Verdict::Warn, text);
    }
    report_address_families(&found, &mut tell);
    join_groups(&mut sockets, &found, &mut tell);
    let hosts = resolve_hosts(&network.hosts, &mut tell).await;
    let probed = async {
        let mut probe = Probe::new(room, &found, local_addresses, hosts)?;
        probe.run(&sockets, &mut incoming).await?;
        Ok::<_, getrandom::Error>(probe)
    };
    match probed.await {
        Ok(probe) => report::report_all(name, &probe, &mut tell),
        Err(error) => {
            tell(Verdict::Fail, format!("the system's random source does not work: {error}"));
            false
        }
    }
}

/// Returns the selected network interfaces, and all IP addresses of this machine. `named` holds the
/// names of the interfaces. Empty: all except loopbacks.
///
/// # Errors
/// The operating system cannot list the interfaces.
fn scan_interfaces(named: &BTreeSet<String>) -> io::Result<(Interfaces, BTreeSet<IpAddr>)> {
    Ok((interfaces::scan(named)?, interfaces::local_addresses()?))
}

/// Joins the multicast groups on all selected interfaces, and reports failures.
fn join_groups(sockets: &mut Sockets, found: &Interfaces, tell: &mut impl FnMut(Verdict, String)) {
    for FailedJoin { path, interface, error } in sockets.set_interfaces(found.clone()) {
        let path = path_name(path);
        tell(Verdict::Warn, format!("interface {interface}: {path} cannot be joined: {error}"));
    }
}

/// Reports whether the room's port can be bound, and each socket that could not be opened.
fn report_port(
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

/// Reports whether the selected interfaces have IPv4 and IPv6 addresses. Only one of them is a
/// warning; neither is a failure.
fn report_address_families(found: &Interfaces, tell: &mut impl FnMut(Verdict, String)) {
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

/// Looks up the addresses of the named hosts by DNS. Returns the hosts that were found. Reports the
/// hosts that were not found.
async fn resolve_hosts(named: &[HostAddress], tell: &mut impl FnMut(Verdict, String)) -> Vec<Host> {
    let mut hosts = Vec::new();
    for host in named {
        match timeout(LOOKUP_TIMEOUT, lookup_host((host.host.as_str(), host.port))).await {
            Ok(Ok(found)) => {
                let addresses: Vec<SocketAddr> = found.collect();
                hosts.push(Host::new(host.clone(), addresses));
            }
            Ok(Err(error)) => tell(Verdict::Warn, format!("peer {host}: not found: {error}")),
            Err(_) => tell(Verdict::Warn, format!("peer {host}: looking it up takes too long")),
        }
    }
    hosts
}
