//! Diagnosis: derives from the observations what is wrong and what to do. Pure; every verdict of
//! the page `docs/using.md` has its test.

use super::Verdict;
use super::found_peers::FoundPeer;
use super::loss::one_way_percent;
use super::observations::{Host, Observations, SendError, Silence};
use crate::model::Path;
use crate::model::limits::DEFAULT_PORT;
use crate::peer::socket_texts::path_text;
use crate::text;

/// Number of other devices that answer a ping, from which on an access point probably does not
/// isolate its clients. Known routers are not counted. An unknown router and an access point may be
/// among the devices.
const MANY_DEVICES: usize = 3;

/// Result of the diagnosis: one problem, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Diagnosis {
    /// This group reaches everybody who answers. Broadcast reaches somebody, or was not tried.
    Works(Path),
    /// This group reaches everybody who answers, and broadcast reaches nobody.
    BroadcastBlocked(Path),
    /// No group reaches everybody who answers; broadcast does.
    MulticastBlocked,
    /// No path reaches everybody who answers, but some path reaches some of them.
    NoCommonPath,
    /// Peers answer unicast only, and nothing that they send by multicast or broadcast arrives.
    OnlyUnicast,
    /// Peers answer pings to many, and not those to them alone.
    UnicastBlocked,
    /// Peers answer pings to many, and nothing that they send to many arrives.
    OneWayOut,
    /// Multicast or broadcast of peers arrives, but peers answer only unicast pings: multicast and
    /// broadcast of this machine do not reach them.
    OneWayIn,
    /// Peers are heard, and none answers.
    NoAnswers,
    /// Peers answer, but enough of the pings or their answers are lost to be reported
    /// ([`Loss::is_lossy`](super::loss::Loss::is_lossy)).
    Loss,
    /// Answers to what this machine sends come in, and nothing else, not even its own multicast.
    AnswersOnly,
    /// Datagrams to the room's port come in, and no answers to this machine's own port.
    PortOnly,
    /// Nothing comes in, not even this machine's own multicast or broadcast.
    ReceivingBlocked,
    /// Nothing can be sent.
    SendingBlocked(SendError),
    /// No interface is up and has an address.
    NoNetwork,
    /// Nobody was found on the selected interfaces: they do not exist, or peers are on others.
    WrongInterface,
    /// The room's port cannot be bound, for IPv4 at least.
    PortTaken,
    /// Peers of this room were heard on the default port only.
    OtherPort,
    /// Only peers of other rooms were heard.
    OtherRoom,
    /// Nobody was found on another machine: nobody is there, or devices are isolated.
    Nobody,
    /// Named host, by its index, at which no peer answers.
    HostSilent(usize),
}

/// Derives the diagnoses from the observations: first that of the room. If only peers on this
/// machine were found, that is no failure, and not only loopbacks are selected,
/// [`Diagnosis::Nobody`] follows. At the end, one for each named host at which no peer answers.
pub(super) fn diagnose(seen: &Observations) -> Vec<Diagnosis> {
    let room = diagnose_room(seen);
    let is_failure = room.verdict(seen) == Verdict::Fail;
    let is_alone = !seen.peers.has_remote_peer() && !seen.is_loopback_only;
    let mut all = vec![room];
    if is_alone && !is_failure && !seen.peers.by_id.is_empty() {
        all.push(Diagnosis::Nobody);
    }
    let silent = seen.hosts.iter().enumerate().filter(|(_, it)| it.answering_peers.is_empty());
    all.extend(silent.map(|(number, _)| Diagnosis::HostSilent(number)));
    all
}

/// Derives the diagnosis of the room. If relevant peers answer, derives it from them.
fn diagnose_room(seen: &Observations) -> Diagnosis {
    let relevant = seen.peers.relevant();
    let answering: Vec<_> = relevant.iter().copied().filter(|it| it.has_answered()).collect();
    if !answering.is_empty() {
        diagnose_answers(seen, &answering)
    } else if seen.is_port_taken() {
        Diagnosis::PortTaken
    } else if seen.interfaces.is_empty() {
        let has_other = seen.other_interfaces.values().any(|it| !it.is_loopback);
        let is_named = !seen.named_interfaces.is_empty() && has_other;
        let is_wrong = is_named || !seen.interfaces_with_peers().is_empty();
        if is_wrong { Diagnosis::WrongInterface } else { Diagnosis::NoNetwork }
    } else if let Some(error) = seen.common_send_error() {
        Diagnosis::SendingBlocked(error.clone())
    } else if !relevant.is_empty() {
        Diagnosis::NoAnswers
    } else if !seen.has_any_loopback() {
        Diagnosis::ReceivingBlocked
    } else if !seen.interfaces_with_peers().is_empty() {
        Diagnosis::WrongInterface
    } else if !seen.default_port_peers.is_empty() {
        Diagnosis::OtherPort
    } else if !seen.other_rooms.is_empty() {
        Diagnosis::OtherRoom
    } else {
        Diagnosis::Nobody
    }
}

/// Derives the diagnosis from the relevant peers that answer. There is at least one.
fn diagnose_answers(seen: &Observations, answering: &[&FoundPeer]) -> Diagnosis {
    let reaches_all = |path| answering.iter().all(|it| it.paths().has(path));
    let has_path_answers = answering.iter().any(|it| !it.answered_on.is_empty());
    let is_any_heard = seen.peers.relevant().iter().any(|it| !it.heard_on.is_empty());
    let group = [Path::GroupV4, Path::GroupV6].into_iter().find(|it| reaches_all(*it));
    if seen.is_port_taken() {
        Diagnosis::PortTaken
    } else if seen.loss.is_lossy() {
        Diagnosis::Loss
    } else if !is_any_heard && !seen.has_any_loopback() && seen.common_send_error().is_none() {
        Diagnosis::AnswersOnly
    } else if has_path_answers && !is_any_heard && seen.is_conclusive {
        Diagnosis::OneWayOut
    } else if !has_path_answers && is_any_heard {
        Diagnosis::OneWayIn
    } else if answering.iter().all(|it| it.answers_shared_socket_only()) {
        Diagnosis::PortOnly
    } else if has_path_answers && answering.iter().any(|it| it.is_silent_to_unicast()) {
        Diagnosis::UnicastBlocked
    } else if let Some(group) = group {
        let has_broadcast = seen.loopback_results.keys().any(|it| it.path == Path::Broadcast);
        let is_broadcast_answered = answering.iter().any(|it| it.paths().has(Path::Broadcast));
        if has_broadcast && !is_broadcast_answered {
            Diagnosis::BroadcastBlocked(group)
        } else {
            Diagnosis::Works(group)
        }
    } else if reaches_all(Path::Broadcast) {
        Diagnosis::MulticastBlocked
    } else if has_path_answers {
        Diagnosis::NoCommonPath
    } else {
        Diagnosis::OnlyUnicast
    }
}

impl Diagnosis {
    /// Returns the severity. A failure: no relevant peer answers, because of this computer, its
    /// settings for interfaces, or the network; or because named hosts are silent. If the peers are
    /// on another port or in another room, or nobody is there, it is a warning.
    pub(super) fn verdict(&self, seen: &Observations) -> Verdict {
        let is_any_answering = seen.peers.relevant().iter().any(|it| it.has_answered());
        match self {
            Self::Works(_) | Self::BroadcastBlocked(_) => Verdict::Ok,
            Self::NoAnswers
            | Self::ReceivingBlocked
            | Self::SendingBlocked(_)
            | Self::NoNetwork
            | Self::WrongInterface => Verdict::Fail,
            Self::PortTaken | Self::HostSilent(_) if !is_any_answering => Verdict::Fail,
            _ => Verdict::Warn,
        }
    }

    /// Returns the line that says what is wrong.
    pub(super) fn problem(&self, seen: &Observations) -> String {
        let port = seen.port.to_string();
        match self {
            Self::Works(path) => text!("doctor-works", path = path_text(*path)),
            Self::BroadcastBlocked(path) => {
                text!("doctor-broadcast-blocked", path = path_text(*path))
            }
            Self::MulticastBlocked => text!("doctor-multicast-blocked"),
            Self::NoCommonPath => text!("doctor-no-common-path"),
            Self::OnlyUnicast => text!("doctor-only-unicast"),
            Self::UnicastBlocked => text!("doctor-unicast-blocked"),
            Self::OneWayOut => text!("doctor-one-way-out"),
            Self::OneWayIn => text!("doctor-one-way-in"),
            Self::NoAnswers => text!("doctor-no-answers"),
            Self::Loss => loss_problem(seen),
            Self::AnswersOnly => text!("doctor-answers-only"),
            Self::PortOnly => text!("doctor-port-only", port = port),
            Self::ReceivingBlocked => text!("doctor-receiving-blocked"),
            Self::SendingBlocked(error) if error.is_forbidden => {
                text!("doctor-sending-forbidden", reason = &error.text)
            }
            Self::SendingBlocked(error) => text!("doctor-sending-fails", reason = &error.text),
            Self::NoNetwork => text!("doctor-no-network"),
            Self::WrongInterface => wrong_interface_problem(seen),
            Self::PortTaken if seen.has_port => text!("doctor-port-taken-v4", port = port),
            Self::PortTaken => text!("doctor-port-taken", port = port),
            Self::OtherPort => text!(
                "doctor-other-port",
                port = port,
                count = seen.default_port_peers.len(),
                default = DEFAULT_PORT.to_string()
            ),
            Self::OtherRoom => other_room_problem(seen),
            Self::Nobody => nobody_problem(&seen.room, seen.answering_devices),
            Self::HostSilent(number) => {
                seen.hosts.get(*number).map(host_problem).unwrap_or_default()
            }
        }
    }

    /// Returns the line that says what to do.
    pub(super) fn remedy(&self, seen: &Observations) -> String {
        let port = seen.port.to_string();
        match self {
            Self::Works(_) => text!("doctor-do-works"),
            Self::BroadcastBlocked(_) => text!("doctor-do-broadcast-blocked"),
            Self::MulticastBlocked => text!("doctor-do-multicast-blocked"),
            Self::NoCommonPath => text!("doctor-do-no-common-path"),
            Self::OnlyUnicast => text!("doctor-do-only-unicast"),
            Self::UnicastBlocked => text!("doctor-do-unicast-blocked", port = port),
            Self::OneWayOut => text!("doctor-do-one-way-out", port = port),
            Self::OneWayIn => text!("doctor-do-one-way-in", port = port),
            Self::NoAnswers => text!("doctor-do-no-answers", port = port),
            Self::Loss if seen.loss.is_worse_by_paths() => text!("doctor-do-loss-by-paths"),
            Self::Loss => text!("doctor-do-loss"),
            Self::AnswersOnly => text!("doctor-do-answers-only", port = port),
            Self::PortOnly => text!("doctor-do-port-only"),
            Self::ReceivingBlocked => text!("doctor-do-receiving-blocked", port = port),
            Self::SendingBlocked(error) if error.is_forbidden => {
                text!("doctor-do-sending-forbidden", port = port)
            }
            Self::NoNetwork | Self::SendingBlocked(_) => text!("doctor-do-no-network"),
            Self::WrongInterface => wrong_interface_remedy(seen),
            Self::PortTaken => text!("doctor-do-port-taken", port = port),
            Self::OtherPort => text!("doctor-do-other-port", port = port),
            Self::OtherRoom => text!("doctor-do-other-room"),
            Self::Nobody => nobody_remedy(seen),
            Self::HostSilent(number) => {
                seen.hosts.get(*number).map(host_remedy).unwrap_or_default()
            }
        }
    }
}

/// Describes the loss: of all pings, by each means, and the estimate for one way.
fn loss_problem(seen: &Observations) -> String {
    let total = seen.loss.total();
    let percent = total.lost_percent();
    let paths = seen.loss.paths.iter().map(|(path, it)| (path_text(*path), *it));
    let unicast = [(text!("path-unicast"), seen.loss.unicast)];
    let measured = paths.chain(unicast).filter(|(_, it)| it.sent > 0);
    let means: Vec<_> =
        measured.map(|(name, it)| format!("{name} {} %", it.lost_percent())).collect();
    text!(
        "doctor-loss",
        lost = total.lost(),
        sent = total.sent,
        percent = percent,
        means = means.join(", "),
        oneway = one_way_percent(percent)
    )
}

/// Describes why nobody was found on the selected interfaces: peers are heard on others, which it
/// names, or the selected ones are absent, down or without an address.
fn wrong_interface_problem(seen: &Observations) -> String {
    let named: Vec<_> = seen.named_interfaces.iter().map(String::as_str).collect();
    let (count, named) = (named.len(), named.join(", "));
    let with_peers = seen.interfaces_with_peers();
    if with_peers.is_empty() {
        return text!("doctor-interface-unusable", count = count, interfaces = named);
    }
    text!(
        "doctor-interface-wrong",
        count = count,
        interfaces = named,
        room = &seen.room,
        others = with_peers.join(", ")
    )
}

/// Names the interfaces that may be the right ones.
fn wrong_interface_remedy(seen: &Observations) -> String {
    let (with_peers, usable) = (seen.interfaces_with_peers(), seen.usable_other_interfaces());
    match (with_peers.first(), usable.as_slice()) {
        (Some(right), _) => text!("doctor-do-interface", interface = *right),
        (None, [only]) => text!("doctor-do-interface-up", interface = *only),
        (None, several) => text!("doctor-do-interfaces-up", interfaces = several.join(", ")),
    }
}

/// Describes the rooms that were heard instead, at most three.
fn other_room_problem(seen: &Observations) -> String {
    let rooms = &seen.other_rooms;
    let describe =
        |tag: &[u8; 5], count: usize, kind: &'static str| match rooms.known_names.get(tag) {
            Some(name) => text!("doctor-peers-in-room", count = count, room = name),
            None => text!("doctor-peers-in-other-room", count = count, kind = kind),
        };
    let all = [(&rooms.open, "open"), (&rooms.closed, "closed")];
    let texts: Vec<_> = all
        .iter()
        .flat_map(|(rooms, kind)| rooms.iter().map(move |(tag, peers)| (tag, peers, *kind)))
        .map(|(tag, peers, kind)| describe(tag, peers.len(), kind))
        .take(3)
        .collect();
    let (room, others) = (&seen.room, texts.join(", "));
    match seen.is_closed {
        true => text!("doctor-nobody-in-closed-room", room = room, others = others),
        false => text!("doctor-nobody-in-room", room = room, others = others),
    }
}

/// Describes that nobody was found on another machine. From one side alone, isolation cannot be
/// told from an empty room, except that other devices may answer pings.
fn nobody_problem(room: &str, answering_devices: Option<usize>) -> String {
    match answering_devices {
        Some(count) if count >= MANY_DEVICES => {
            text!("doctor-nobody-but-devices", room = room, count = count)
        }
        Some(count) => text!("doctor-nobody-or-isolated", room = room, count = count),
        None => text!("doctor-nobody-or-unknown", room = room),
    }
}

/// Says how to tell an empty room from isolation, and names interfaces that are up and not
/// selected.
fn nobody_remedy(seen: &Observations) -> String {
    let port = seen.port.to_string();
    let others = seen.usable_other_interfaces();
    match others.is_empty() {
        true => text!("doctor-do-nobody", port = port),
        false => text!("doctor-do-nobody-here", port = port, interfaces = others.join(", ")),
    }
}

/// Describes why no peer answers at a named host.
fn host_problem(host: &Host) -> String {
    let (name, port) = (host.named.to_string(), host.named.port.to_string());
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    match &host.silence {
        Silence::NotFound(reason) => text!("doctor-host-not-found", host = name, reason = reason),
        Silence::ThisMachine => text!("doctor-host-this-machine", host = name),
        Silence::Refused => text!("doctor-host-refuses", host = name, port = port),
        Silence::NoDevice => text!("doctor-host-no-device", host = name),
        Silence::SendFailed(error) => {
            text!("doctor-host-unsendable", host = name, reason = &error.text)
        }
        Silence::Unknown => {
            text!("doctor-host-silent", host = name, addresses = addresses.join(", "))
        }
    }
}

/// Says what to do about a named host at which no peer answers.
fn host_remedy(host: &Host) -> String {
    let port = host.named.port.to_string();
    match host.silence {
        Silence::NotFound(_) => text!("doctor-do-host-not-found"),
        Silence::ThisMachine => text!("doctor-do-host-this-machine"),
        Silence::Refused => text!("doctor-do-host-refuses"),
        Silence::NoDevice => text!("doctor-do-host-no-device"),
        Silence::SendFailed(ref error) if error.is_forbidden => {
            text!("doctor-do-host-forbidden", port = port)
        }
        Silence::SendFailed(_) => text!("doctor-do-host-unsendable"),
        Silence::Unknown => text!("doctor-do-host-silent", port = port),
    }
}
