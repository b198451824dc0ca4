//! Doctor: network diagnosis of `chat-peer doctor`. It sends pings on each path, to each peer that
//! is heard, and to each named host. It reports which peers answer, and by which paths they are
//! heard. At the end it says what is wrong and what to do. The doctor joins no room.
//!
//! The probe and the neighbor checks collect observations. Report and diagnosis are functions of
//! these.

mod diagnosis;
mod found_peers;
mod loss;
mod neighbors;
mod observations;
mod other_rooms;
mod probe;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::observations::{Host, Observations, OtherInterface, Silence};
use self::other_rooms::OtherRooms;
use self::probe::Probe;
use super::NetworkSettings;
use super::interfaces::{self, Interfaces};
use super::socket_texts::{path_text, socket_text};
use super::sockets::{self, FailedJoin, OpenedSockets, Sockets, UnusableSocket};
use crate::model::limits::DEFAULT_PORT;
use crate::model::{HostAddress, PeerId, RoomName};
use crate::text;
use crate::ui::{io_error_text, is_name_unknown, safe_line};
use crate::wire::udp::{Control, Room};

/// Maximum time for the DNS lookup of one named host.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of addresses of named hosts that are checked by [`start_address_checks`].
const MAX_CHECKED_ADDRESSES: usize = 16;

/// Maximum number of interfaces on whose networks the IPv6 devices are pinged by multicast.
const MAX_PINGED_INTERFACES: usize = 4;

/// Maximum number of peers heard on the default port. Further ones are ignored.
const MAX_DEFAULT_PORT_PEERS: usize = 1_000;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Ok,
    /// Warning: something does not work or is unknown, but chat-peer may work without it.
    Warn,
    /// Failure: as long as this is so, chat-peer reaches nobody, or only named hosts.
    Fail,
    /// No severity: the line says what to do about the line before.
    Remedy,
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
    /// Writes the line of the report: the verdict in four columns, two spaces, the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Remedy => "do  ",
        };
        write!(f, "{verdict}  {}", self.text)
    }
}

/// Runs the network diagnosis of the room. Passes each finding to `report`, in the order of the
/// report. It ends with pairs of lines: what is wrong, and what to do. Takes 6 to 15 s, after up to
/// 5 s to look up the hosts.
///
/// Returns false if one of these lines is a failure ([`Verdict::Fail`]): no peer answers, and a
/// fault of this computer or the network was found, or a named host is silent (the table in
/// `docs/using.md`); or the diagnosis cannot be made. An empty room, another room or another port
/// is no failure.
pub async fn diagnose(
    name: &RoomName,
    room: &Room,
    network: &NetworkSettings,
    mut report: impl FnMut(&Finding),
) -> bool {
    let mut tell = |verdict, text: String| report(&Finding { verdict, text });
    match observe(name, room, network, &mut tell).await {
        Ok(seen) => report::report_all(&seen, &mut tell),
        Err(Failure { problem, remedy }) => {
            tell(Verdict::Fail, problem);
            tell(Verdict::Remedy, remedy);
            false
        }
    }
}

/// Error: reason why the diagnosis cannot be made.
struct Failure {
    /// Text that says what is wrong.
    problem: String,
    /// Text that says what to do.
    remedy: String,
}

impl Failure {
    /// Creates a failure of the operating system.
    const fn new(problem: String, remedy: String) -> Self {
        Self { problem, remedy }
    }
}

/// Collects the observations. Reports what concerns this computer alone at once.
///
/// # Errors
/// There are no sockets, no list of interfaces, or no random numbers.
async fn observe(
    name: &RoomName,
    room: &Room,
    network: &NetworkSettings,
    tell: &mut impl FnMut(Verdict, String),
) -> Result<Observations, Failure> {
    let opened = sockets::open(network.port).map_err(|error| {
        let reason = io_error_text(&error);
        Failure::new(text!("doctor-no-sockets", reason = reason), text!("doctor-do-no-sockets"))
    })?;
    let OpenedSockets { mut sockets, mut incoming, failed } = opened;
    report_port(network.port, sockets.has_shared_socket(), &failed, tell);
    let scanned = Scan::new(&network.interfaces).map_err(|error| {
        let reason = io_error_text(&error);
        Failure::new(text!("doctor-no-list", reason = reason), text!("doctor-do-no-list"))
    })?;
    for missing in network.interfaces.iter().filter(|it| !scanned.selected.contains_key(*it)) {
        let text = text!("doctor-interface-missing", interface = missing);
        tell(Verdict::Warn, text);
    }
    report_address_families(&scanned.selected, tell);
    join_groups(&mut sockets, &scanned, tell);
    let seen = Observations {
        room: safe_line(name.as_str()),
        is_closed: room.kind() != 0,
        port: network.port,
        has_port: sockets.has_shared_socket(),
        has_ipv4_port: failed.iter().all(|it| it.is_v6 || !it.is_port_only),
        named_interfaces: network.interfaces.clone(),
        interfaces: scanned.selected.keys().cloned().collect(),
        is_loopback_only: scanned.selected.keys().all(|it| scanned.loopbacks.contains(it)),
        other_interfaces: scanned.other_interfaces(),
        hosts: resolve_hosts(&network.hosts).await,
        other_rooms: OtherRooms::new(name, room),
        ..Observations::default()
    };
    let checks = start_address_checks(&seen.hosts);
    let pings = ping_devices(&scanned.selected);
    let random =
        |_: getrandom::Error| Failure::new(text!("no-random-source"), text!("doctor-do-no-random"));
    let Scan { selected, others, local_addresses, .. } = &scanned;
    let probe = Probe::new(room, selected, others, local_addresses, seen);
    let mut probe = probe.map_err(random)?;
    let mut default_port_peers = BTreeSet::new();
    tokio::select! {
        outcome = probe.run(&sockets, &mut incoming) => outcome.map_err(random)?,
        () = hear_default_port(room, network.port, &scanned, &mut default_port_peers) => {}
    }
    let mut seen = probe.results;
    seen.default_port_peers = default_port_peers;
    seen.answering_devices = count_devices(pings, local_addresses).await;
    explain_silence(&mut seen.hosts, checks).await;
    Ok(seen)
}

/// Interfaces and addresses of this machine.
struct Scan {
    /// Selected interfaces that are up and have a link: the named ones, or all except loopbacks if
    /// none are named.
    selected: Interfaces,
    /// All other interfaces that are up and have a link, loopbacks included.
    others: Interfaces,
    /// Names of the interfaces that are loopbacks.
    loopbacks: BTreeSet<String>,
    /// All IP addresses of this machine.
    local_addresses: BTreeSet<IpAddr>,
}

impl Scan {
    /// Lists the interfaces that are up and have a link, and their addresses. `named` holds the
    /// names of the selected interfaces.
    ///
    /// # Errors
    /// The operating system cannot list the interfaces.
    fn new(named: &BTreeSet<String>) -> io::Result<Self> {
        let (mut selected, local_addresses) = interfaces::scan(named)?;
        selected.retain(|_, it| it.is_running);
        let (mut others, loopbacks) = interfaces::scan_all()?;
        others.retain(|name, it| it.is_running && !selected.contains_key(name));
        Ok(Self { selected, others, loopbacks, local_addresses })
    }

    /// Returns the other interfaces, on which nobody was heard yet.
    fn other_interfaces(&self) -> BTreeMap<String, OtherInterface> {
        let entry = |name: &String| {
            let is_loopback = self.loopbacks.contains(name);
            (name.clone(), OtherInterface { is_loopback, ..OtherInterface::default() })
        };
        self.others.keys().map(entry).collect()
    }
}

/// Joins the multicast groups on all selected interfaces, and reports failures. Joins them on all
/// other interfaces too, to hear if peers are there; failures there are not reported. From then on,
/// `sockets` count all these interfaces as selected.
fn join_groups(sockets: &mut Sockets, scanned: &Scan, tell: &mut impl FnMut(Verdict, String)) {
    for FailedJoin { path, interface, error } in sockets.set_interfaces(scanned.selected.clone()) {
        let (path, reason) = (path_text(path), io_error_text(&error));
        let text = text!("doctor-not-joined", interface = interface, path = path, reason = reason);
        tell(Verdict::Warn, text);
    }
    let all = scanned.selected.iter().chain(&scanned.others);
    sockets.set_interfaces(all.map(|(name, it)| (name.clone(), it.clone())).collect());
}

/// Listens on the default port on the selected interfaces, unless `port` is the default port. Adds
/// the peers whose heartbeats arrive to `heard`. If the port cannot be opened, hears nothing. Never
/// ends: drop the future to stop it.
async fn hear_default_port(room: &Room, port: u16, scanned: &Scan, heard: &mut BTreeSet<PeerId>) {
    let opened = Some(DEFAULT_PORT).filter(|it| *it != port).and_then(|it| sockets::open(it).ok());
    let Some(OpenedSockets { mut sockets, mut incoming, .. }) = opened else {
        return pending().await;
    };
    // If a group cannot be joined, nothing is heard by it.
    let _ = sockets.set_interfaces(scanned.selected.clone());
    while let Some(received) = incoming.recv().await {
        let heartbeat = received.ok().and_then(|it| probe::open_control(&it.bytes, room));
        if let Some((id, Control::Heartbeat(_))) = heartbeat
            && heard.len() < MAX_DEFAULT_PORT_PEERS
        {
            heard.insert(id);
        }
    }
    pending().await
}

/// Starts a task for each address of the named hosts, for at most [`MAX_CHECKED_ADDRESSES`] in all.
/// The task finds out whether the address is unreachable, and why. It returns the host's index and
/// the reason.
fn start_address_checks(hosts: &[Host]) -> JoinSet<(usize, Silence)> {
    let mut tasks = JoinSet::new();
    let numbered = hosts.iter().enumerate();
    let all = numbered.flat_map(|(number, it)| it.addresses.iter().map(move |at| (number, *at)));
    for (number, address) in all.take(MAX_CHECKED_ADDRESSES) {
        tasks.spawn(async move { (number, neighbors::check_address(address).await) });
    }
    tasks
}

/// Starts a task for each of the first [`MAX_PINGED_INTERFACES`] selected interfaces with IPv6. The
/// task pings all devices there. It returns the addresses that answer, or `None` if the system does
/// not allow such pings.
fn ping_devices(selected: &Interfaces) -> JoinSet<Option<BTreeSet<IpAddr>>> {
    let mut tasks = JoinSet::new();
    for interface in selected.values().filter(|it| it.has_v6).take(MAX_PINGED_INTERFACES) {
        let index = interface.index;
        tasks.spawn(async move { neighbors::ping_all_devices(index).await.ok() });
    }
    tasks
}

/// Waits for the tasks of [`ping_devices`]. Returns the number of devices that have answered,
/// without this machine and known routers. `None` if the system allowed no such ping.
async fn count_devices(
    mut pings: JoinSet<Option<BTreeSet<IpAddr>>>,
    local_addresses: &BTreeSet<IpAddr>,
) -> Option<usize> {
    let mut answering: Option<BTreeSet<IpAddr>> = None;
    while let Some(outcome) = pings.join_next().await {
        if let Ok(Some(addresses)) = outcome {
            answering.get_or_insert_default().extend(addresses);
        }
    }
    let routers = neighbors::read_routers();
    let is_other = |it: &&IpAddr| !local_addresses.contains(*it) && !routers.contains(*it);
    answering.map(|it| it.iter().filter(is_other).count())
}

/// Waits for [`start_address_checks`], and records for each host why it is silent: at least one of
/// its addresses refuses the port, or all were checked and there is no device at any of them. A
/// reason that is known already stays.
async fn explain_silence(hosts: &mut [Host], checks: JoinSet<(usize, Silence)>) {
    let checked = checks.join_all().await;
    for (number, host) in hosts.iter_mut().enumerate() {
        let all: Vec<_> =
            checked.iter().filter(|(it, _)| *it == number).map(|(_, it)| it).collect();
        let is_absent = all.len() == host.addresses.len()
            && !all.is_empty()
            && all.iter().all(|it| **it == Silence::NoDevice);
        if all.contains(&&Silence::Refused) {
            host.explain(Silence::Refused);
        } else if is_absent {
            host.explain(Silence::NoDevice);
        }
    }
}

/// Reports whether the room's port can be bound, and each socket that could not be opened.
fn report_port(
    port: u16,
    is_shared: bool,
    failed: &[UnusableSocket],
    tell: &mut impl FnMut(Verdict, String),
) {
    for socket in failed {
        let (what, reason) = (socket_text(socket), io_error_text(&socket.error));
        tell(Verdict::Warn, text!("doctor-socket-unusable", what = what, reason = reason));
    }
    if is_shared {
        // Of a port that can be used by one family only, the line before tells.
        if !failed.iter().any(|it| it.is_port_only) {
            tell(Verdict::Ok, text!("doctor-port-usable", port = port.to_string()));
        }
    } else {
        tell(Verdict::Fail, text!("doctor-port-unusable", port = port.to_string()));
    }
}

/// Reports whether the selected interfaces have IPv4 and IPv6 addresses. Only one of them is a
/// warning; neither is not reported here.
fn report_address_families(found: &Interfaces, tell: &mut impl FnMut(Verdict, String)) {
    let has_v4 = found.values().any(|it| !it.networks.is_empty());
    let has_v6 = found.values().any(|it| it.has_v6);
    match (has_v4, has_v6) {
        (true, true) => tell(Verdict::Ok, text!("doctor-addresses-both")),
        (true, false) => tell(Verdict::Warn, text!("doctor-addresses-v4")),
        (false, true) => tell(Verdict::Warn, text!("doctor-addresses-v6")),
        // The diagnosis tells.
        (false, false) => {}
    }
}

/// Looks up the addresses of the named hosts by DNS, all at once, each in at most
/// [`LOOKUP_TIMEOUT`]. Returns the hosts in the same order, with their addresses or the reason why
/// there are none.
async fn resolve_hosts(named: &[HostAddress]) -> Vec<Host> {
    let mut tasks = JoinSet::new();
    for (number, host) in named.iter().cloned().enumerate() {
        tasks.spawn(async move {
            let lookup = lookup_host((host.host.as_str(), host.port));
            let found = match timeout(LOOKUP_TIMEOUT, lookup).await {
                Ok(Ok(found)) => Ok(found.collect()),
                Ok(Err(error)) if is_name_unknown(&error) => Err(text!("doctor-no-such-name")),
                Ok(Err(_)) => Err(text!("doctor-lookup-fails")),
                Err(_) => Err(text!("doctor-lookup-too-long")),
            };
            (number, Host::new(host, found))
        });
    }
    // A task that panics is missing here; the lookups do not.
    let mut hosts = BTreeMap::new();
    while let Some(outcome) = tasks.join_next().await {
        hosts.extend(outcome.ok());
    }
    hosts.into_values().collect()
}
