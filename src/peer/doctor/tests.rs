//! Tests of the diagnosis: from observations to what is wrong and what to do, one test for each
//! kind of network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Verdict::{self, Fail, Ok as Good, Warn};
use super::diagnosis::{Diagnosis, diagnose};
use super::found_peers::{FoundPeer, InterfacePath};
use super::loss::{Loss, PingCount, one_way_percent};
use super::observations::{Host, LoopbackResult, Observations, OtherInterface, SendError, Silence};
use super::other_rooms::OtherRooms;
use super::report::report_all;
use crate::l10n::Language;
use crate::l10n::tests::with_language;
use crate::model::{HostAddress, Path, PeerId, RoomName};
use crate::wire::udp::{Control, Identity, Ping, Room, Sealer};

/// The paths that are multicast groups.
const GROUPS: [Path; 2] = [Path::GroupV4, Path::GroupV6];

/// Returns a path on the interface `eth0`.
fn on_eth0(path: Path) -> InterfacePath {
    InterfacePath { interface: "eth0".to_owned(), path }
}

/// Returns the observations of a computer whose only interface is `eth0`, on which all paths work
/// within it, and where nobody is.
fn nobody() -> Observations {
    let works = LoopbackResult { has_looped_back: true, error: None };
    Observations {
        room: "lobby".to_owned(),
        port: 2428,
        has_port: true,
        has_ipv4_port: true,
        interfaces: BTreeSet::from(["eth0".to_owned()]),
        other_interfaces: other_interfaces(&[("lo", 0)]),
        loopback_results: Path::ALL.map(|it| (on_eth0(it), works.clone())).into(),
        duration_seconds: 6,
        ..Observations::default()
    }
}

/// Returns interfaces that are not selected, each with the number of peers heard there.
fn other_interfaces(all: &[(&str, u8)]) -> BTreeMap<String, OtherInterface> {
    let entry = |(name, peers): &(&str, u8)| {
        let heard_peers = (0..*peers).map(|it| PeerId([it; 8])).collect();
        ((*name).to_owned(), OtherInterface { is_loopback: *name == "lo", heard_peers })
    };
    all.iter().map(entry).collect()
}

/// Adds a peer on another machine that answers pings on the paths `answered` and by unicast, and is
/// heard on the paths `heard`. Makes the observations conclusive.
fn add_peer<'a>(
    seen: &'a mut Observations,
    answered: &[Path],
    heard: &[Path],
    answers_unicast: bool,
) -> &'a mut FoundPeer {
    let address = SocketAddr::from(([192, 0, 2, 7], 5_000));
    let id = PeerId([u8::try_from(seen.peers.by_id.len()).unwrap(); 8]);
    let peer = seen.peers.record(id, address, false).unwrap();
    peer.name = Some("anna".to_owned());
    peer.heard_on = heard.iter().copied().map(on_eth0).collect();
    answered.iter().for_each(|it| peer.record_path_answer(&on_eth0(*it), Some(1)));
    peer.unicast_pings.get_mut(&address).unwrap().sent = 6;
    if answers_unicast {
        peer.record_unicast_answer(address, 0);
    }
    seen.is_conclusive = true;
    peer
}

/// Returns observations with one peer, as [`add_peer`] adds it.
fn with_peer(answered: &[Path], heard: &[Path], answers_unicast: bool) -> Observations {
    let mut seen = nobody();
    add_peer(&mut seen, answered, heard, answers_unicast);
    seen
}

/// Returns a named host at which no peer answers, for this reason.
fn silent_host(silence: Silence) -> Host {
    let named = HostAddress { host: "192.0.2.9".to_owned(), port: 2428 };
    let mut host = Host::new(named, Ok(vec![([192, 0, 2, 9], 2428).into()]));
    host.silence = silence;
    host
}

/// Asserts the last diagnosis and its verdict, and that the line of the problem contains `problem`
/// and that of what to do `remedy`.
fn assert_ends(
    seen: &Observations,
    diagnosis: &Diagnosis,
    verdict: Verdict,
    problem: &str,
    remedy: &str,
) {
    let all = diagnose(seen);
    let last = all.last().unwrap();
    let (wrong, to_do) = (last.problem(seen), last.remedy(seen));
    assert_eq!((last, last.verdict(seen)), (diagnosis, verdict), "{wrong}");
    assert!(wrong.contains(problem), "no “{problem}” in “{wrong}”");
    assert!(to_do.contains(remedy), "no “{remedy}” in “{to_do}”");
    assert!(!wrong.contains('\n') && !to_do.contains('\n'), "{wrong} {to_do}");
}

/// The report is in the user's language.
#[test]
fn report_is_in_the_language_of_the_user() {
    let mut seen = with_peer(&GROUPS, &GROUPS, true);
    seen.hosts.push(silent_host(Silence::Refused));
    let mut lines = Vec::new();
    with_language(Language::German, || {
        report_all(&seen, &mut |verdict, text| lines.push((verdict, text)));
    });
    let has = |verdict, text: &str| lines.iter().any(|it| *it == (verdict, text.to_owned()));
    for (verdict, text) in [
        (Good, "Schnittstelle eth0: die IPv4-Gruppe erreicht anna auf einem anderen Rechner"),
        (
            Warn,
            "Schnittstelle eth0: niemand auf einem anderen Rechner antwortet auf das, was über Broadcast geht",
        ),
        (Good, "in #lobby ist 1 Person: 0 auf diesem Rechner, 1 auf anderen"),
        (
            Good,
            "ein Datagramm über die IPv4-Gruppe erreicht alle, die antworten; Broadcast erreicht niemanden",
        ),
        (Verdict::Remedy, "nichts: chat-peer braucht Broadcast nur, wo keine Gruppe geht"),
        (
            Warn,
            "192.0.2.9:2428: Den Host gibt es, aber er weist UDP-Port 2428 ab: Dort läuft kein chat-peer",
        ),
    ] {
        assert!(has(verdict, text), "no “{text}” in {lines:#?}");
    }
}

#[test]
fn working_group_needs_nothing() {
    let seen = with_peer(&Path::ALL, &Path::ALL, true);
    let expected = Diagnosis::Works(Path::GroupV4);
    assert_ends(&seen, &expected, Good, "the IPv4 group reaches everybody", "nothing");
}

#[test]
fn multicast_that_does_not_pass() {
    let seen = with_peer(&[Path::Broadcast], &[Path::Broadcast], true);
    let expected = Diagnosis::MulticastBlocked;
    assert_ends(&seen, &expected, Warn, "drops multicast", "falls back to broadcast");
}

#[test]
fn broadcast_that_does_not_pass() {
    let seen = with_peer(&GROUPS, &GROUPS, true);
    let expected = Diagnosis::BroadcastBlocked(Path::GroupV4);
    assert_ends(&seen, &expected, Good, "broadcast reaches nobody", "nothing");
}

#[test]
fn only_unicast_passes() {
    let seen = with_peer(&[], &[], true);
    assert_ends(&seen, &Diagnosis::OnlyUnicast, Warn, "no way to many", "--peer HOST");
}

#[test]
fn paths_that_reach_different_peers() {
    let mut seen = with_peer(&[Path::GroupV4], &Path::ALL, true);
    add_peer(&mut seen, &[Path::Broadcast], &Path::ALL, true);
    assert_ends(&seen, &Diagnosis::NoCommonPath, Warn, "no way reaches everybody", "a copy");
}

#[test]
fn unicast_to_peers_that_does_not_pass() {
    let seen = with_peer(&Path::ALL, &Path::ALL, false);
    let expected = Diagnosis::UnicastBlocked;
    assert_ends(&seen, &expected, Warn, "not what is sent to them alone", "every port");
}

#[test]
fn answers_that_do_not_come_back() {
    let seen = with_peer(&[], &Path::ALL, false);
    let expected = Diagnosis::NoAnswers;
    assert_ends(&seen, &expected, Fail, "no answer of theirs comes back", "client isolation");
}

/// From the heartbeats alone, it cannot be told whether unicast is blocked or sending. The system
/// tells the latter if the firewall is this computer's own.
#[test]
fn outgoing_traffic_that_is_forbidden() {
    let mut seen = with_peer(&[], &Path::ALL, false);
    let error = SendError { text: "not permitted".to_owned(), is_forbidden: true };
    for result in seen.loopback_results.values_mut() {
        *result = LoopbackResult { has_looped_back: false, error: Some(error.clone()) };
    }
    let expected = Diagnosis::SendingBlocked(error);
    assert_ends(&seen, &expected, Fail, "lets no UDP out", "allow outgoing UDP");
}

#[test]
fn incoming_traffic_that_is_blocked() {
    let mut seen = nobody();
    seen.loopback_results.values_mut().for_each(|it| it.has_looped_back = false);
    let expected = Diagnosis::ReceivingBlocked;
    assert_ends(&seen, &expected, Fail, "lets no UDP in", "allow incoming UDP to port 2428");
    assert!(!expected.remedy(&seen).contains("--peer"));
}

#[test]
fn stateful_firewall_of_this_computer() {
    let mut seen = with_peer(&[], &[], true);
    seen.loopback_results.values_mut().for_each(|it| it.has_looped_back = false);
    let expected = Diagnosis::AnswersOnly;
    assert_ends(&seen, &expected, Warn, "lets in only answers", "sudo ufw allow 2428/udp");
}

#[test]
fn firewall_that_lets_no_answers_in() {
    let mut seen = nobody();
    let peer = add_peer(&mut seen, &[], &Path::ALL, false);
    peer.record_path_answer(&on_eth0(Path::GroupV4), None);
    assert_ends(&seen, &Diagnosis::PortOnly, Warn, "and no answers", "established");
}

#[test]
fn one_way_from_here() {
    let seen = with_peer(&Path::ALL, &[], true);
    let expected = Diagnosis::OneWayOut;
    assert_ends(&seen, &expected, Warn, "from there do not arrive here", "incoming multicast");
}

/// Peers send only now and then on a path that they do not need.
#[test]
fn silence_means_nothing_before_the_probe_has_listened_long() {
    let mut seen = with_peer(&Path::ALL, &[], true);
    seen.is_conclusive = false;
    let expected = Diagnosis::Works(Path::GroupV4);
    assert_ends(&seen, &expected, Good, "", "nothing");
}

#[test]
fn one_way_to_here() {
    let seen = with_peer(&[], &Path::ALL, true);
    let expected = Diagnosis::OneWayIn;
    assert_ends(&seen, &expected, Warn, "from here does not arrive there", "the other devices");
}

/// One side alone cannot tell an empty room from isolation. Other devices that answer are a hint.
#[test]
fn isolation_or_nobody() {
    let mut seen = nobody();
    let expected = Diagnosis::Nobody;
    let remedy = "run chat-peer on a second device";
    for (devices, problem) in [
        (None, "cannot tell them apart"),
        (Some(0), "(isolation): no other device answers"),
        (Some(1), "(isolation): 1 other device answers a ping, perhaps the router"),
        (Some(3), "3 other devices answer a ping, so the network probably does not keep"),
    ] {
        seen.answering_devices = devices;
        assert_ends(&seen, &expected, Warn, problem, remedy);
        assert_ends(&seen, &expected, Warn, "nobody on another machine", "client isolation");
    }
    seen.named_interfaces = BTreeSet::from(["eth0".to_owned()]);
    seen.other_interfaces = other_interfaces(&[("lo", 0), ("wlan0", 0)]);
    assert_ends(&seen, &expected, Warn, "", "without --interface, for wlan0 is up");
}

/// Peers on this machine say nothing about the network. On a loopback, there is none.
#[test]
fn peers_on_this_machine_only() {
    let mut seen = with_peer(&Path::ALL, &Path::ALL, true);
    seen.peers.by_id.values_mut().for_each(|it| it.is_local = true);
    assert_eq!(diagnose(&seen).first(), Some(&Diagnosis::Works(Path::GroupV4)));
    assert_ends(&seen, &Diagnosis::Nobody, Warn, "", "");
    seen.is_loopback_only = true;
    assert_ends(&seen, &Diagnosis::Works(Path::GroupV4), Good, "", "");
}

#[test]
fn loss_is_told_with_its_figure() {
    let mut seen = with_peer(&Path::ALL, &Path::ALL, true);
    let count = |answered| PingCount { sent: 20, answered };
    seen.loss = Loss { unicast: count(10), paths: vec![(Path::GroupV4, count(10))] };
    let figure = "20 of 40 pings had no answer, 50 % (the IPv4 group 50 %, unicast 50 %); if both \
                  ways are alike, each loses 30 %";
    assert_ends(&seen, &Diagnosis::Loss, Warn, figure, "use a cable");
    seen.loss = Loss { unicast: count(20), paths: vec![(Path::GroupV4, count(10))] };
    assert_ends(&seen, &Diagnosis::Loss, Warn, "25 %", "multicast to unicast");
    seen.loss = Loss { unicast: count(19), paths: vec![(Path::GroupV4, count(19))] };
    assert_ends(&seen, &Diagnosis::Works(Path::GroupV4), Good, "", "");
}

#[test]
fn loss_of_one_way_is_estimated() {
    assert_eq!([0, 51, 75, 100].map(one_way_percent), [0, 30, 50, 100]);
}

/// Only pings after the first answered one count. A means that is never answered is no loss.
#[test]
fn loss_counts_pings_after_the_first_answer() {
    let mut seen = nobody();
    let peer = add_peer(&mut seen, &[Path::GroupV4], &Path::ALL, true);
    peer.record_path_answer(&on_eth0(Path::GroupV4), Some(4));
    let loss = Loss::of(&seen.peers, 8);
    assert_eq!(loss.unicast, PingCount { sent: 5, answered: 0 });
    assert_eq!(loss.by_paths(), PingCount { sent: 6, answered: 1 });
    // In a large room only some members answer each ping on a path.
    seen.peers.stated_members = 9;
    assert_eq!(Loss::of(&seen.peers, 8).by_paths(), PingCount::default());
}

#[test]
fn other_rooms_are_named_if_known() {
    let (garden, lobby) = (RoomName::new("garden").unwrap(), RoomName::lobby());
    let here = Room::open(&garden);
    let mut seen = nobody();
    seen.room = "garden".to_owned();
    seen.other_rooms = OtherRooms::new(&garden, &here);
    for other in [Room::open(&lobby), Room::open(&RoomName::new("desert").unwrap())] {
        let identity = Identity::new([1; 32], [2; 8]);
        let mut sealer = Sealer::new(identity.into(), other.into());
        let ping = Control::Ping(Ping { cookie: Default::default(), heard: Default::default() });
        seen.other_rooms.record(&sealer.control(&ping).unwrap(), &here);
    }
    let expected = Diagnosis::OtherRoom;
    assert_ends(&seen, &expected, Warn, "nobody is in #garden; ", "give the --room");
    assert_ends(&seen, &expected, Warn, "1 peer is in #lobby", "--passphrase-file");
    assert_ends(&seen, &expected, Warn, "1 peer is in another open room", "");
}

#[test]
fn peers_on_the_default_port() {
    let mut seen = nobody();
    seen.port = 5_000;
    seen.default_port_peers = BTreeSet::from([PeerId([1; 8])]);
    let problem = "nobody is on UDP port 5000; 1 peer is in this room on port 2428";
    assert_ends(&seen, &Diagnosis::OtherPort, Warn, problem, "leave out --port 5000");
}

#[test]
fn port_that_another_program_has() {
    let seen = Observations { has_port: false, ..nobody() };
    let expected = Diagnosis::PortTaken;
    assert_ends(&seen, &expected, Fail, "UDP port 2428 cannot be used", "another --port");
    let seen = Observations { has_port: false, ..with_peer(&[], &[], true) };
    assert_ends(&seen, &expected, Warn, "", "");
    // Programs often have it for IPv4 only. If peers are heard by the IPv6 group, that is enough.
    let mut seen = Observations { has_ipv4_port: false, ..nobody() };
    seen.loopback_results.values_mut().for_each(|it| it.has_looped_back = false);
    assert_ends(&seen, &expected, Fail, "2428 cannot be used by IPv4: another", "another --port");
    let heard = [Path::GroupV6];
    let seen = Observations { has_ipv4_port: false, ..with_peer(&heard, &heard, true) };
    assert_ends(&seen, &Diagnosis::BroadcastBlocked(Path::GroupV6), Good, "", "");
}

#[test]
fn no_network() {
    let empty =
        Observations { interfaces: BTreeSet::new(), loopback_results: BTreeMap::new(), ..nobody() };
    let expected = Diagnosis::NoNetwork;
    assert_ends(&empty, &expected, Fail, "there is no network", "connect a cable or Wi-Fi");

    let mut seen = nobody();
    let error = SendError { text: "unreachable".to_owned(), is_forbidden: false };
    for result in seen.loopback_results.values_mut() {
        *result = LoopbackResult { has_looped_back: false, error: Some(error.clone()) };
    }
    let expected = Diagnosis::SendingBlocked(error);
    assert_ends(&seen, &expected, Fail, "there is no network", "connect a cable or Wi-Fi");
}

#[test]
fn wrong_interface() {
    let mut seen = nobody();
    let expected = Diagnosis::WrongInterface;
    seen.named_interfaces = BTreeSet::from(["eth0".to_owned()]);
    seen.other_interfaces = other_interfaces(&[("lo", 0), ("usb0", 0), ("wlan0", 2)]);
    let problem = "nobody is on eth0; peers of #lobby are heard on wlan0";
    assert_ends(&seen, &expected, Fail, problem, "use --interface wlan0");

    // It does not exist.
    seen.interfaces.clear();
    seen.loopback_results.clear();
    assert_ends(&seen, &expected, Fail, problem, "use --interface wlan0");
    seen.other_interfaces = other_interfaces(&[("lo", 0), ("usb0", 0), ("wlan0", 0)]);
    assert_ends(&seen, &expected, Fail, "eth0 is not there", "those that are up: usb0, wlan0");
    seen.other_interfaces = other_interfaces(&[("lo", 0), ("wlan0", 0)]);
    assert_ends(&seen, &expected, Fail, "eth0 is not there", "use --interface wlan0, which is up");
    seen.other_interfaces = other_interfaces(&[("lo", 0)]);
    assert_ends(&seen, &Diagnosis::NoNetwork, Fail, "", "");
}

#[test]
fn hosts_that_do_not_answer() {
    let forbidden = SendError { text: "not permitted".to_owned(), is_forbidden: true };
    for (silence, problem, remedy) in [
        (Silence::NotFound("unknown".to_owned()), "not found: unknown", "the IP address"),
        (Silence::ThisMachine, "this is this machine", "another device"),
        (Silence::Refused, "refuses UDP port 2428", "start chat-peer there"),
        (Silence::NoDevice, "no device has this address", "turn it on"),
        (Silence::SendFailed(forbidden), "cannot be sent to", "allow outgoing UDP"),
        (Silence::Unknown, "no answer from 192.0.2.9:2428", "allow incoming UDP to port 2428"),
    ] {
        let expected = Diagnosis::HostSilent(0);
        let mut seen = nobody();
        seen.hosts.push(silent_host(silence.clone()));
        assert_ends(&seen, &expected, Fail, problem, remedy);
        // If others answer, it is a warning.
        let mut seen = with_peer(&Path::ALL, &Path::ALL, true);
        seen.hosts.push(silent_host(silence));
        assert_ends(&seen, &expected, Warn, problem, remedy);
    }
}
