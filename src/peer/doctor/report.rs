//! Report of the probe's results as lines of text. A text about a path, peer or host states only what
//! was observed.

use super::Verdict;
use super::found_peers::{FoundPeer, InterfacePath};
use super::probe::{Host, Probe};
use crate::model::Path;
use crate::peer::path_name;

/// Maximum number of peers that have a line of their own in the report.
const MAX_LISTED_PEERS: usize = 30;

/// Maximum number of usernames in one line of the report.
const MAX_NAMES: usize = 5;

/// Reports all results and the conclusion. Returns false if the conclusion is a failure: see
/// [`report_conclusion`].
pub(super) fn report_all(
    name: &str,
    probe: &Probe<'_>,
    tell: &mut impl FnMut(Verdict, String),
) -> bool {
    report_loopback(probe, tell);
    report_paths(probe, tell);
    report_peers(name, probe, tell);
    for host in &probe.hosts {
        report_host(host, probe, tell);
    }
    report_other_rooms(probe, tell);
    report_conclusion(probe, tell)
}

/// Reports the loopback result of each path. Such a result says nothing about the network outside
/// this machine.
fn report_loopback(probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) {
    for (InterfacePath { interface, path }, result) in &probe.loopback_results {
        let path = path_name(*path);
        let (verdict, text) = match (&result.error, result.has_looped_back) {
            (Some(error), _) => (Verdict::Warn, format!("{path} cannot be used: {error}")),
            (None, true) => (Verdict::Ok, format!("{path} works inside this machine")),
            (None, false) => {
                let text = "does not come back inside this machine; a firewall?";
                (Verdict::Warn, format!("what is sent by {path} {text}"))
            }
        };
        tell(verdict, format!("interface {interface}: {text}"));
    }
}

/// Reports for each path the peers that answer pings sent on it, and the peers whose heartbeats
/// arrive on it. Considers only [the relevant peers](super::found_peers::FoundPeers::relevant).
/// Reports that a path brings no heartbeats only if [`Probe::is_conclusive`].
fn report_paths(probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) {
    let peers = probe.peers.relevant();
    if peers.is_empty() {
        return;
    }
    let is_elsewhere = probe.peers.has_remote_peer();
    let place = if is_elsewhere { "on another machine" } else { "on this machine" };
    for interface_path in probe.loopback_results.keys() {
        let (interface, path) = (&interface_path.interface, path_name(interface_path.path));
        let (verdict, text) = match join_names(
            peers.iter().copied().filter(|it| it.answered_on.contains(interface_path)),
        ) {
            Some(names) => (Verdict::Ok, format!("{path} reaches {names}, {place}")),
            None => (Verdict::Warn, format!("nobody {place} answers what is sent by {path}")),
        };
        tell(verdict, format!("interface {interface}: {text}"));
        let (verdict, text) = match join_names(
            peers.iter().copied().filter(|it| it.heard_on.contains(interface_path)),
        ) {
            Some(names) => (Verdict::Ok, format!("{path} brings what is sent by {names}, {place}")),
            // Peers send only now and then on a path that they do not need.
            None if !probe.is_conclusive() => continue,
            None => {
                let seconds = probe.duration_seconds;
                let text = format!("in {seconds} seconds {path} has brought nothing from there");
                (Verdict::Warn, text)
            }
        };
        tell(verdict, format!("interface {interface}: {text}"));
    }
}

/// Reports the number of peers found, and each of the first [`MAX_LISTED_PEERS`] on a line of its
/// own. Then reports the number of further peers, and how many of them answer.
fn report_peers(name: &str, probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) {
    let all = &probe.peers.by_id;
    let here = all.values().filter(|it| it.is_local).count();
    let (count, elsewhere) = (all.len(), all.len() - here);
    if all.is_empty() {
        let seconds = probe.duration_seconds;
        let text = format!(
            "nobody was heard in #{name} in {seconds} seconds: are there others, on the same port?"
        );
        return tell(Verdict::Warn, text);
    }
    let s = if count == 1 { "" } else { "s" };
    let text = format!(
        "{count} peer{s} found in #{name}: {here} on this machine, {elsewhere} on other machines"
    );
    tell(Verdict::Ok, text);
    for peer in all.values().take(MAX_LISTED_PEERS) {
        report_peer(peer, tell);
    }
    if count > MAX_LISTED_PEERS {
        let rest = all.values().skip(MAX_LISTED_PEERS);
        let answering = rest.filter(|it| it.has_answered()).count();
        let text = format!("and {} more, {answering} of whom answer", count - MAX_LISTED_PEERS);
        tell(Verdict::Ok, text);
    }
}

/// Reports by which paths pings reach a peer, and whether unicast pings reach it.
fn report_peer(peer: &FoundPeer, tell: &mut impl FnMut(Verdict, String)) {
    let (name, address) = (display_name(peer), peer.address);
    let paths = Path::ALL.into_iter().filter(|it| peer.paths().has(*it)).map(path_name);
    let means: Vec<_> = paths.chain(peer.answers_unicast.then_some("unicast")).collect();
    if means.is_empty() {
        let text = format!("{name} at {address} is heard, and does not answer");
        tell(Verdict::Warn, text);
    } else {
        let verdict = if peer.answers_unicast { Verdict::Ok } else { Verdict::Warn };
        let missing = if peer.answers_unicast { "" } else { "; not what is sent to it alone" };
        let means = means.join(", ");
        tell(verdict, format!("{name} at {address} answers what is sent by {means}{missing}"));
    }
}

/// Reports whether a peer answers at a named host.
fn report_host(host: &Host, probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) {
    let named = &host.named;
    let answering = host.answering_peers.iter().filter_map(|it| probe.peers.by_id.get(it));
    if let Some(names) = join_names(answering) {
        return tell(Verdict::Ok, format!("peer {named}: {names} answers"));
    }
    if host.is_local {
        let text = "this is this machine, and what is sent there comes back to the doctor";
        return tell(Verdict::Warn, format!("peer {named}: {text}"));
    }
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    let text = format!(
        "peer {named}: no answer from {}; is chat-peer running there, in this room, and does UDP \
         get through?",
        addresses.join(", ")
    );
    tell(Verdict::Warn, text);
}

/// Reports the number of peers in each other room. Warns of closed rooms if no peer was found in
/// this room: the passphrase may be wrong or missing.
fn report_other_rooms(probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) {
    let rooms = &probe.other_rooms;
    for (rooms, kind) in [(&rooms.open, "open"), (&rooms.closed, "closed")] {
        for peers in rooms.values() {
            let (count, s) = (peers.len(), if peers.len() == 1 { "" } else { "s" });
            tell(Verdict::Ok, format!("{count} peer{s} in another room, which is {kind}"));
        }
    }
    if probe.peers.by_id.is_empty() && !rooms.closed.is_empty() {
        let text = "a closed room was heard: with the same name it needs the same passphrase";
        tell(Verdict::Warn, text.to_owned());
    }
}

/// Reports the conclusion: the paths by which chat-peer will reach the peers. Returns false if the
/// conclusion is a failure: no relevant peer answers, or, if there are no peers, no path works
/// within this machine.
fn report_conclusion(probe: &Probe<'_>, tell: &mut impl FnMut(Verdict, String)) -> bool {
    let peers = probe.peers.relevant();
    let (verdict, text) = if peers.is_empty() {
        conclude_without_peers(probe)
    } else {
        conclude_from_answers(&peers.into_iter().filter(|it| it.has_answered()).collect::<Vec<_>>())
    };
    tell(verdict, text.to_owned());
    if !probe.peers.has_remote_peer() {
        let text = "nobody was found on another machine: what works between machines cannot be \
                    known without a second one that is in this room";
        tell(Verdict::Warn, text.to_owned());
    }
    verdict != Verdict::Fail
}

/// Returns the conclusion from the loopback results. Use it if no peers were found.
fn conclude_without_peers(probe: &Probe<'_>) -> (Verdict, &'static str) {
    if probe.loopback_results.values().any(|it| it.has_looped_back) {
        let text = "chat-peer begins by all ways, and goes on by what reaches others: one group, \
                    else broadcast, else a copy for each peer";
        (Verdict::Ok, text)
    } else {
        let text = "no way works even inside this machine: name somebody with --peer HOST, or let \
                    UDP through";
        (Verdict::Fail, text)
    }
}

/// Returns the conclusion from the relevant peers that answer. It names the first path, in order of
/// preference, that reaches all of them, otherwise the fallback. Without an answering peer, the
/// conclusion is a failure.
fn conclude_from_answers(answering: &[&FoundPeer]) -> (Verdict, &'static str) {
    let reaches_all = |path| answering.iter().all(|it| it.paths().has(path));
    if answering.is_empty() {
        let text = "peers are heard, but none answers: what is sent from here does not arrive \
                    there, or their answers do not arrive here, or they have just gone";
        (Verdict::Fail, text)
    } else if reaches_all(Path::GroupV4) {
        (Verdict::Ok, "one datagram by the IPv4 group reaches everybody who answers")
    } else if reaches_all(Path::GroupV6) {
        (Verdict::Ok, "one datagram by the IPv6 group reaches everybody who answers")
    } else if reaches_all(Path::Broadcast) {
        let text = "no group reaches everybody who answers: chat-peer falls back to broadcast";
        (Verdict::Warn, text)
    } else if answering.iter().any(|it| !it.answered_on.is_empty()) {
        let text = "no way reaches everybody who answers: chat-peer falls back to a copy for each \
                    peer that the others do not reach";
        (Verdict::Warn, text)
    } else {
        let text = "no way to many reaches anybody: chat-peer falls back to a copy for each peer";
        (Verdict::Warn, text)
    }
}

/// Returns the username of a peer, or a replacement text if no heartbeat was received.
fn display_name(peer: &FoundPeer) -> &str {
    peer.name.as_deref().unwrap_or("somebody whose name was not heard")
}

/// Joins the usernames of peers with commas. Lists at most [`MAX_NAMES`], then the number of
/// further peers. `None` if there are no peers.
fn join_names<'a>(peers: impl Iterator<Item = &'a FoundPeer>) -> Option<String> {
    let all: Vec<_> = peers.map(display_name).collect();
    let shown = all.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => None,
        count if count > MAX_NAMES => Some(format!("{shown} and {} more", count - MAX_NAMES)),
        _ => Some(shown),
    }
}
