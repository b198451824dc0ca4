//! Observations of the doctor: everything from which report and diagnosis are derived.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::found_peers::{FoundPeers, InterfacePath};
use super::loss::Loss;
use super::other_rooms::OtherRooms;
use crate::model::{HostAddress, PeerId};
use crate::ui::io_error_text;

/// Results of a run of the doctor.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// Name of the room, made safe to display.
    pub(super) room: String,
    /// True if the room has a passphrase.
    pub(super) is_closed: bool,
    /// UDP port of the room.
    pub(super) port: u16,
    /// True if the room's port could be bound, for IPv4 or IPv6.
    pub(super) has_port: bool,
    /// False if the room's port could not be bound for IPv4. True also if IPv4 cannot be used at
    /// all.
    pub(super) has_ipv4_port: bool,
    /// Interfaces that the user has named. Empty: all except loopbacks.
    pub(super) named_interfaces: BTreeSet<String>,
    /// Selected interfaces that are up and have an address.
    pub(super) interfaces: BTreeSet<String>,
    /// True if all selected interfaces are loopbacks, on which there are no other machines. True
    /// also if none is selected.
    pub(super) is_loopback_only: bool,
    /// Interfaces that are up and not selected, by name.
    pub(super) other_interfaces: BTreeMap<String, OtherInterface>,
    /// Loopback result of each path on which a ping was sent or tried.
    pub(super) loopback_results: BTreeMap<InterfacePath, LoopbackResult>,
    /// Peers of this room that were found.
    pub(super) peers: FoundPeers,
    /// Loss of the pings to peers on other machines or, if there are none, to peers on this
    /// machine.
    pub(super) loss: Loss,
    /// Hosts that the user has named.
    pub(super) hosts: Vec<Host>,
    /// Rooms other than this one, with the peers in them.
    pub(super) other_rooms: OtherRooms,
    /// Peers of this room that were heard on the default port. Empty if that is the room's port.
    pub(super) default_port_peers: BTreeSet<PeerId>,
    /// Number of other devices, except known routers, that answered a ping to all devices. `None`
    /// if the system does not allow such a ping.
    pub(super) answering_devices: Option<usize>,
    /// Duration of the probe, in seconds.
    pub(super) duration_seconds: u64,
    /// True if the probe has listened long enough to draw a conclusion from a silent path. In a
    /// room of up to 50 members, heartbeats must then have arrived on every working path. That
    /// includes paths that the peers do not need.
    pub(super) is_conclusive: bool,
}

/// Interface that is up and not selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OtherInterface {
    /// True if it is a loopback.
    pub(super) is_loopback: bool,
    /// Peers of this room whose heartbeats have arrived on it by multicast or broadcast.
    pub(super) heard_peers: BTreeSet<PeerId>,
}

/// Loopback result of a path: whether pings on it are sent and come back within this machine.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopbackResult {
    /// True if a ping came back on the path on which it was sent.
    pub(super) has_looped_back: bool,
    /// Error of the last ping on the path. `None` if all its copies were sent.
    pub(super) error: Option<SendError>,
}

/// Error of sending a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SendError {
    /// What is wrong, for people.
    pub(super) text: String,
    /// True if sending is forbidden, as a firewall does on Linux.
    pub(super) is_forbidden: bool,
}

/// Named host, a peer outside the local network, with its answers.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Host as the user has named it.
    pub(super) named: HostAddress,
    /// Addresses of the host, from DNS. Empty if the lookup failed.
    pub(super) addresses: Vec<SocketAddr>,
    /// Ids of the peers that have answered pings to this host.
    pub(super) answering_peers: BTreeSet<PeerId>,
    /// Reason why no peer has answered, as far as it is known.
    pub(super) silence: Silence,
}

/// Reason why a named host does not answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Silence {
    /// Unknown: nothing came back.
    #[default]
    Unknown,
    /// Its name or address could not be looked up, with the error.
    NotFound(String),
    /// Pings to the host came back to the probe: the host is this machine.
    ThisMachine,
    /// The host reports that nothing receives on the UDP port.
    Refused,
    /// The host is in a network of this machine, and no device has its address (ARP).
    NoDevice,
    /// Pings to the host cannot be sent.
    SendFailed(SendError),
}

impl From<&std::io::Error> for SendError {
    fn from(error: &std::io::Error) -> Self {
        let is_forbidden = error.kind() == std::io::ErrorKind::PermissionDenied;
        Self { text: io_error_text(error), is_forbidden }
    }
}

impl Host {
    /// Creates the record of a host that the user has named, and from which no peer has answered
    /// yet. `found`: result of the lookup, addresses or the reason why there are none.
    pub(super) fn new(named: HostAddress, found: Result<Vec<SocketAddr>, String>) -> Self {
        let (addresses, silence) = match found {
            Ok(addresses) => (addresses, Silence::Unknown),
            Err(reason) => (Vec::new(), Silence::NotFound(reason)),
        };
        Self { named, addresses, answering_peers: BTreeSet::new(), silence }
    }

    /// Records the reason of its silence, unless one is known already.
    pub(super) fn explain(&mut self, silence: Silence) {
        if self.silence == Silence::Unknown {
            self.silence = silence;
        }
    }
}

impl Observations {
    /// Returns true if the room's port could not be bound, and for that reason perhaps nothing is
    /// heard: bound neither for IPv4 nor for IPv6, or not for IPv4 while no relevant peer is heard
    /// on a path. Most likely another program has it.
    pub(super) fn is_port_taken(&self) -> bool {
        let is_any_heard = self.peers.relevant().iter().any(|it| !it.heard_on.is_empty());
        !self.has_port || !self.has_ipv4_port && !is_any_heard
    }

    /// Returns true if a ping came back on some path within this machine.
    pub(super) fn has_any_loopback(&self) -> bool {
        self.loopback_results.values().any(|it| it.has_looped_back)
    }

    /// Returns an error if the pings on all paths have failed: one that says that sending is
    /// forbidden, else any. `None` also if none was sent.
    pub(super) fn common_send_error(&self) -> Option<&SendError> {
        let errors: Option<Vec<_>> =
            self.loopback_results.values().map(|it| it.error.as_ref()).collect();
        let errors = errors?;
        errors.iter().find(|it| it.is_forbidden).or(errors.first()).copied()
    }

    /// Returns the interfaces that are not selected and on which peers were heard.
    pub(super) fn interfaces_with_peers(&self) -> Vec<&str> {
        let all = self.other_interfaces.iter();
        all.filter(|(_, it)| !it.heard_peers.is_empty()).map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the interfaces that are up, not selected, and no loopbacks.
    pub(super) fn usable_other_interfaces(&self) -> Vec<&str> {
        let all = self.other_interfaces.iter();
        all.filter(|(_, it)| !it.is_loopback).map(|(name, _)| name.as_str()).collect()
    }
}
