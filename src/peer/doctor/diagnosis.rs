//! Diagnosis: derives from the observations what is wrong and what to do. Pure; every verdict of
//! the page `docs/using.md` has its test.

use super::Verdict;
use super::found_peers::FoundPeer;
use super::loss::one_way_percent;
use super::observations::{Host, Observations, SendError, Silence};
use crate::model::Path;
use crate::model::limits::DEFAULT_PORT;
use crate::peer::path_name;

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
        let Observations { room, port, .. } = seen;
        match self {
            Self::Works(path) => {
                format!("one datagram by {} reaches everybody who answers", path_name(*path))
            }
            Self::BroadcastBlocked(path) => format!(
                "one datagram by {} reaches everybody who answers; broadcast reaches nobody",
                path_name(*path)
            ),
            Self::MulticastBlocked => "no group reaches everybody who answers, only broadcast \
                                       does: the network drops multicast"
                .to_owned(),
            Self::NoCommonPath => "no way reaches everybody who answers: a part of the network \
                                   drops multicast and broadcast"
                .to_owned(),
            Self::OnlyUnicast => "no way to many reaches anybody: multicast and broadcast are \
                                  dropped, or the peers are in another network"
                .to_owned(),
            Self::UnicastBlocked => "peers answer what is sent to many, and not what is sent to \
                                     them alone"
                .to_owned(),
            Self::OneWayOut => "one way only: multicast and broadcast from here arrive there, \
                                those from there do not arrive here"
                .to_owned(),
            Self::OneWayIn => "one way only: multicast or broadcast from there arrives here, that \
                               from here does not arrive there"
                .to_owned(),
            Self::NoAnswers => "peers are heard, and no answer of theirs comes back: what is sent \
                                from here does not arrive there, or answers to one device alone \
                                do not arrive here"
                .to_owned(),
            Self::Loss => loss_problem(seen),
            Self::AnswersOnly => "this computer's firewall lets in only answers, and nothing that \
                                  others send first"
                .to_owned(),
            Self::PortOnly => format!(
                "this computer's firewall lets in what comes to UDP port {port}, and no answers"
            ),
            Self::ReceivingBlocked => "this computer's firewall lets no UDP in: not even what it \
                                       sends to everybody comes back to it"
                .to_owned(),
            Self::SendingBlocked(error) if error.is_forbidden => {
                format!("this computer's firewall lets no UDP out: {}", error.text)
            }
            Self::SendingBlocked(error) => {
                format!("there is no network: nothing can be sent: {}", error.text)
            }
            Self::NoNetwork => {
                "there is no network: no interface is up and has an address".to_owned()
            }
            Self::WrongInterface => wrong_interface_problem(seen),
            Self::PortTaken => {
                let family = if seen.has_port { " by IPv4" } else { "" };
                format!("UDP port {port} cannot be used{family}: another program uses it")
            }
            Self::OtherPort => format!(
                "nobody is on UDP port {port}; {} in this room on port {DEFAULT_PORT}",
                count_peers(seen.default_port_peers.len())
            ),
            Self::OtherRoom => other_room_problem(seen),
            Self::Nobody => nobody_problem(room, seen.answering_devices),
            Self::HostSilent(number) => {
                seen.hosts.get(*number).map(host_problem).unwrap_or_default()
            }
        }
    }

    /// Returns the line that says what to do.
    pub(super) fn remedy(&self, seen: &Observations) -> String {
        let port = seen.port;
        let repair = "where the network can be changed, turn off its multicast filter (“IGMP \
                      snooping”, “multicast enhancement”)";
        match self {
            Self::Works(_) => "nothing: chat-peer works here".to_owned(),
            Self::BroadcastBlocked(_) => {
                "nothing: chat-peer needs broadcast only where no group works".to_owned()
            }
            Self::MulticastBlocked => {
                format!("nothing needs to be done, chat-peer falls back to broadcast; {repair}")
            }
            Self::NoCommonPath => format!(
                "nothing needs to be done, chat-peer falls back to a copy for each peer that the \
                 others do not reach; {repair}"
            ),
            Self::OnlyUnicast => format!(
                "name one peer with --peer HOST at each start, chat-peer falls back to a copy for \
                 each peer; {repair}"
            ),
            Self::UnicastBlocked => format!(
                "on the other device, let in UDP from this network to chat-peer on every port: it \
                 receives on a port of its own too, not only on {port}"
            ),
            Self::OneWayOut => format!(
                "nothing needs to be done, the others send a copy to each; allow incoming multicast \
                 to UDP port {port} on this computer, or {repair}"
            ),
            Self::OneWayIn => format!(
                "nothing needs to be done, chat-peer falls back to a copy for each peer; allow \
                 incoming multicast to UDP port {port} on the other devices, or {repair}"
            ),
            Self::NoAnswers => format!(
                "allow incoming UDP (port {port} and answers) in the firewalls of the other \
                 devices and of this one; if that does not help, run chat-peer here and the \
                 doctor there: if it hears this device, the network drops what is sent to one \
                 device alone (turn off “client isolation”), else what this device sends"
            ),
            Self::Loss if seen.loss.is_worse_by_paths() => {
                "nothing needs to be done, chat-peer repairs losses, but late; on Wi-Fi turn on \
                 “multicast to unicast” or raise the multicast rate of the access point, or use \
                 a cable"
                    .to_owned()
            }
            Self::Loss => {
                "nothing needs to be done, chat-peer repairs losses, but late; move nearer \
                           to the access point, change its channel, or use a cable"
                    .to_owned()
            }
            Self::AnswersOnly => format!(
                "{}; without that, only those named with --peer HOST are reached",
                admit(port)
            ),
            Self::PortOnly => "in this computer's firewall, allow incoming UDP that answers what \
                               this computer has sent (“established”)"
                .to_owned(),
            Self::ReceivingBlocked => {
                format!("{}, and answers to what this computer has sent", admit(port))
            }
            Self::SendingBlocked(error) if error.is_forbidden => format!(
                "allow outgoing UDP to port {port}, and to any port of this network, in this \
                 computer's firewall"
            ),
            Self::NoNetwork | Self::SendingBlocked(_) => {
                "connect a cable or Wi-Fi and run the doctor again; peers on this \
                                machine alone need --interface lo"
                    .to_owned()
            }
            Self::WrongInterface => wrong_interface_remedy(seen),
            Self::PortTaken => format!(
                "stop the program that uses the port (on Linux, sudo ss -ulpn 'sport = :{port}' shows it), or give all peers another --port"
            ),
            Self::OtherPort => {
                format!("leave out --port {port} (and port in peer.toml), or give it to all peers")
            }
            Self::OtherRoom => "give the --room and, for a closed room, the --passphrase-file \
                                that the others have"
                .to_owned(),
            Self::Nobody => nobody_remedy(seen),
            Self::HostSilent(number) => {
                seen.hosts.get(*number).map(host_remedy).unwrap_or_default()
            }
        }
    }
}

/// Returns the advice to let in datagrams to the room's port.
fn admit(port: u16) -> String {
    format!(
        "allow incoming UDP to port {port} in this computer's firewall (with ufw: sudo ufw allow \
         {port}/udp; on Windows: allow chat-peer in private networks)"
    )
}

/// Returns “1 peer is” or “n peers are”.
fn count_peers(count: usize) -> String {
    if count == 1 { "1 peer is".to_owned() } else { format!("{count} peers are") }
}

/// Describes the loss: of all pings, by each means, and the estimate for one way.
fn loss_problem(seen: &Observations) -> String {
    let total = seen.loss.total();
    let (percent, one_way) = (total.lost_percent(), one_way_percent(total.lost_percent()));
    let paths = seen.loss.paths.iter().map(|(path, it)| (path_name(*path), *it));
    let measured = paths.chain([("unicast", seen.loss.unicast)]).filter(|(_, it)| it.sent > 0);
    let means: Vec<_> =
        measured.map(|(name, it)| format!("{name} {} %", it.lost_percent())).collect();
    format!(
        "the network loses datagrams: {} of {} pings had no answer, {percent} % ({}); if both \
         ways are alike, each loses {one_way} %",
        total.lost(),
        total.sent,
        means.join(", ")
    )
}

/// Describes why nobody was found on the selected interfaces: peers are heard on others, which it
/// names, or the selected ones are absent, down or without an address.
fn wrong_interface_problem(seen: &Observations) -> String {
    let named: Vec<_> = seen.named_interfaces.iter().map(String::as_str).collect();
    let named =
        if named.is_empty() { "the interfaces in use".to_owned() } else { named.join(", ") };
    let with_peers = seen.interfaces_with_peers();
    if !with_peers.is_empty() {
        let heard = format!("peers of #{} are heard on {}", seen.room, with_peers.join(", "));
        format!("wrong interface: nobody is on {named}; {heard}")
    } else {
        format!("wrong interface: {named} is not there, or down, or has no address")
    }
}

/// Names the interfaces that may be the right ones.
fn wrong_interface_remedy(seen: &Observations) -> String {
    let (with_peers, usable) = (seen.interfaces_with_peers(), seen.usable_other_interfaces());
    match (with_peers.first(), usable.as_slice()) {
        (Some(right), _) => format!("use --interface {right}"),
        (None, [only]) => format!("use --interface {only}, which is up"),
        (None, several) => {
            format!("use --interface with one of those that are up: {}", several.join(", "))
        }
    }
}

/// Describes the rooms that were heard instead, at most three.
fn other_room_problem(seen: &Observations) -> String {
    let rooms = &seen.other_rooms;
    let name = |tag: &[u8; 5], kind: &str| match rooms.known_names.get(tag) {
        Some(name) => name.clone(),
        None => format!("another {kind} room"),
    };
    let all = [(&rooms.open, "open"), (&rooms.closed, "closed")];
    let texts: Vec<_> = all
        .iter()
        .flat_map(|(rooms, kind)| rooms.iter().map(move |(tag, peers)| (tag, peers, *kind)))
        .map(|(tag, peers, kind)| format!("{} in {}", count_peers(peers.len()), name(tag, kind)))
        .take(3)
        .collect();
    let here = if seen.is_closed { " with this passphrase" } else { "" };
    format!("nobody is in #{}{here}; {}", seen.room, texts.join(", "))
}

/// Describes that nobody was found on another machine. From one side alone, isolation cannot be
/// told from an empty room, except that other devices may answer pings.
fn nobody_problem(room: &str, answering_devices: Option<usize>) -> String {
    match answering_devices {
        Some(count) if count >= MANY_DEVICES => format!(
            "nobody on another machine is in #{room}; {count} other devices answer a ping, so the \
             network probably does not keep devices apart"
        ),
        Some(count) => format!(
            "nobody on another machine is in #{room}, or an access point keeps devices apart \
             (isolation): {}",
            match count {
                0 => "no other device answers a ping".to_owned(),
                1 => "1 other device answers a ping, perhaps the router".to_owned(),
                _ =>
                    format!("{count} other devices answer a ping, perhaps router and access point"),
            }
        ),
        None => format!(
            "nobody on another machine is in #{room}, or an access point keeps devices apart \
             (isolation); this device alone cannot tell them apart"
        ),
    }
}

/// Says how to tell an empty room from isolation, and names interfaces that are up and not
/// selected.
fn nobody_remedy(seen: &Observations) -> String {
    let port = seen.port;
    let others = seen.usable_other_interfaces();
    let interface = if others.is_empty() {
        String::new()
    } else {
        format!("; also try without --interface, for {} is up", others.join(", "))
    };
    format!(
        "run chat-peer on a second device, with the same room and port {port}, and here the \
         doctor with --peer and its address: if that does not answer either, turn off “client \
         isolation” (guest network) of the access point or use a cable{interface}"
    )
}

/// Describes why no peer answers at a named host.
fn host_problem(host: &Host) -> String {
    let named = &host.named;
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    match &host.silence {
        Silence::NotFound(reason) => format!("peer {named}: not found: {reason}"),
        Silence::ThisMachine => {
            format!("peer {named}: this is this machine, and what is sent there comes back")
        }
        Silence::Refused => format!(
            "peer {named}: the host is there, and refuses UDP port {}: no chat-peer is on it",
            named.port
        ),
        Silence::NoDevice => format!(
            "peer {named}: no device has this address: it is off, has another address, or is kept \
             apart"
        ),
        Silence::SendFailed(error) => format!("peer {named}: it cannot be sent to: {}", error.text),
        Silence::Unknown => format!("peer {named}: no answer from {addresses}"),
    }
}

/// Says what to do about a named host at which no peer answers.
fn host_remedy(host: &Host) -> String {
    let port = host.named.port;
    match host.silence {
        Silence::NotFound(_) => {
            "check the spelling, or give the IP address instead of the name".to_owned()
        }
        Silence::ThisMachine => "name another device".to_owned(),
        Silence::Refused => {
            "start chat-peer there, or give the port that it uses: --peer HOST:PORT".to_owned()
        }
        Silence::NoDevice => "turn it on, and check its address on it (ip address, ipconfig); if \
                              it is right, turn off “client isolation” of the access point"
            .to_owned(),
        Silence::SendFailed(ref error) if error.is_forbidden => {
            format!("allow outgoing UDP to port {port} in this computer's firewall")
        }
        Silence::SendFailed(_) => {
            "connect this computer to the network of the host, or check the address".to_owned()
        }
        Silence::Unknown => format!(
            "make sure that it is on and runs chat-peer in this room, and allow incoming UDP to port \
             {port} in its firewall and in the router between"
        ),
    }
}
