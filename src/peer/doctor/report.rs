//! Report of the observations as lines of text. A text about a path, peer or host states only what
//! was observed. The diagnoses follow at the end.

use super::Verdict;
use super::diagnosis::diagnose;
use super::found_peers::{FoundPeer, InterfacePath};
use super::observations::{Host, Observations};
use crate::model::Path;
use crate::peer::socket_texts::path_text;
use crate::text;

/// Maximum number of peers that have a line of their own in the report.
const MAX_LISTED_PEERS: usize = 30;

/// Maximum number of usernames in one line of the report.
const MAX_NAMES: usize = 5;

/// Reports all results and the diagnoses, each with what to do. Returns false if a diagnosis is a
/// failure.
pub(super) fn report_all(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) -> bool {
    report_loopback(seen, tell);
    report_paths(seen, tell);
    report_peers(seen, tell);
    report_loss(seen, tell);
    for host in &seen.hosts {
        report_host(host, seen, tell);
    }
    report_other_rooms(seen, tell);
    let mut works = true;
    for diagnosis in diagnose(seen) {
        let verdict = diagnosis.verdict(seen);
        works &= verdict != Verdict::Fail;
        tell(verdict, diagnosis.problem(seen));
        tell(Verdict::Remedy, diagnosis.remedy(seen));
    }
    works
}

/// Reports the loopback result of each path. Such a result says nothing about the network outside
/// this machine.
fn report_loopback(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    for (InterfacePath { interface, path }, result) in &seen.loopback_results {
        let path = path_text(*path);
        match (&result.error, result.has_looped_back) {
            (Some(error), _) => tell(
                Verdict::Warn,
                text!(
                    "doctor-loopback-unusable",
                    interface = interface,
                    path = path,
                    reason = &error.text
                ),
            ),
            (None, true) => tell(
                Verdict::Ok,
                text!("doctor-loopback-works", interface = interface, path = path),
            ),
            (None, false) => tell(
                Verdict::Warn,
                text!("doctor-loopback-silent", interface = interface, path = path),
            ),
        }
    }
}

/// Reports for each path which peers answer pings sent on it. Reports also whose heartbeats arrive
/// on it. Considers only [the relevant peers](super::found_peers::FoundPeers::relevant); if there
/// are none, reports nothing. Reports that a path brings no heartbeats only if
/// [`Observations::is_conclusive`].
fn report_paths(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let peers = seen.peers.relevant();
    if peers.is_empty() {
        return;
    }
    let place = if seen.peers.has_remote_peer() { "elsewhere" } else { "here" };
    for interface_path in seen.loopback_results.keys() {
        let (interface, path) = (&interface_path.interface, path_text(interface_path.path));
        let (verdict, text) = match join_names(
            peers.iter().copied().filter(|it| it.answered_on.contains(interface_path)),
        ) {
            Some(names) => (
                Verdict::Ok,
                text!(
                    "doctor-path-reaches",
                    interface = interface,
                    path = &path,
                    names = names,
                    place = place
                ),
            ),
            None => (
                Verdict::Warn,
                text!(
                    "doctor-path-reaches-nobody",
                    interface = interface,
                    place = place,
                    path = &path
                ),
            ),
        };
        tell(verdict, text);
        let (verdict, text) = match join_names(
            peers.iter().copied().filter(|it| it.heard_on.contains(interface_path)),
        ) {
            Some(names) => (
                Verdict::Ok,
                text!(
                    "doctor-path-brings",
                    interface = interface,
                    path = path,
                    names = names,
                    place = place
                ),
            ),
            // Peers send only now and then on a path that they do not need.
            None if !seen.is_conclusive => continue,
            None => {
                let text = text!(
                    "doctor-path-brings-nothing",
                    interface = interface,
                    seconds = seen.duration_seconds,
                    path = path
                );
                (Verdict::Warn, text)
            }
        };
        tell(verdict, text);
    }
}

/// Reports the number of peers found, and each of the first [`MAX_LISTED_PEERS`] on a line of its
/// own. Then reports the number of further peers, and how many of them answer. If none was found,
/// reports only that.
fn report_peers(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let all = &seen.peers.by_id;
    let here = all.values().filter(|it| it.is_local).count();
    let (count, elsewhere) = (all.len(), all.len() - here);
    if all.is_empty() {
        let seconds = seen.duration_seconds;
        let text = text!("doctor-nobody-heard", room = &seen.room, seconds = seconds);
        return tell(Verdict::Warn, text);
    }
    let text = text!(
        "doctor-peers-found",
        count = count,
        room = &seen.room,
        here = here,
        elsewhere = elsewhere
    );
    tell(Verdict::Ok, text);
    for peer in all.values().take(MAX_LISTED_PEERS) {
        report_peer(peer, tell);
    }
    if count > MAX_LISTED_PEERS {
        let rest = all.values().skip(MAX_LISTED_PEERS);
        let answering = rest.filter(|it| it.has_answered()).count();
        let count = count - MAX_LISTED_PEERS;
        let text = text!("doctor-peers-more", count = count, answering = answering);
        tell(Verdict::Ok, text);
    }
}

/// Reports by which paths pings reach a peer, and whether unicast pings reach it.
fn report_peer(peer: &FoundPeer, tell: &mut impl FnMut(Verdict, String)) {
    let (name, address) = (display_name(peer), peer.address.to_string());
    let paths = Path::ALL.into_iter().filter(|it| peer.paths().has(*it)).map(path_text);
    let means: Vec<_> = paths.chain(peer.answers_unicast.then(|| text!("path-unicast"))).collect();
    if means.is_empty() {
        tell(Verdict::Warn, text!("doctor-peer-silent", name = name, address = address));
    } else if peer.answers_unicast {
        let means = means.join(", ");
        let text = text!("doctor-peer-answers", name = name, address = address, means = means);
        tell(Verdict::Ok, text);
    } else {
        let means = means.join(", ");
        let text = text!("doctor-peer-answers-many", name = name, address = address, means = means);
        tell(Verdict::Warn, text);
    }
}

/// Reports how many pings to the relevant peers were not answered. Reports nothing if none counts
/// for the loss.
fn report_loss(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let total = seen.loss.total();
    if total.sent > 0 {
        let verdict = if seen.loss.is_lossy() { Verdict::Warn } else { Verdict::Ok };
        let (lost, sent, percent) = (total.lost(), total.sent, total.lost_percent());
        let text = text!("doctor-pings-lost", lost = lost, sent = sent, percent = percent);
        tell(verdict, text);
    }
}

/// Reports which peers answer at a named host, if there are any.
fn report_host(host: &Host, seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let answering = host.answering_peers.iter().filter_map(|it| seen.peers.by_id.get(it));
    if let Some(names) = join_names(answering) {
        let host = host.named.to_string();
        tell(Verdict::Ok, text!("doctor-host-answers", host = host, names = names));
    }
}

/// Reports the number of peers in each other room.
fn report_other_rooms(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let rooms = &seen.other_rooms;
    for (rooms, kind) in [(&rooms.open, "open"), (&rooms.closed, "closed")] {
        for peers in rooms.values() {
            tell(Verdict::Ok, text!("doctor-other-room", count = peers.len(), kind = kind));
        }
    }
}

/// Returns the username of a peer, or a replacement text if no heartbeat was received.
fn display_name(peer: &FoundPeer) -> String {
    peer.name.clone().unwrap_or_else(|| text!("doctor-name-unknown"))
}

/// Joins the usernames of peers with commas. Lists at most [`MAX_NAMES`], then the number of
/// further peers. `None` if there are no peers.
fn join_names<'a>(peers: impl Iterator<Item = &'a FoundPeer>) -> Option<String> {
    let all: Vec<_> = peers.map(display_name).collect();
    let shown = all.get(..MAX_NAMES).unwrap_or(&all).join(", ");
    match all.len() {
        0 => None,
        count if count > MAX_NAMES => {
            Some(text!("doctor-names-more", names = shown, count = count - MAX_NAMES))
        }
        _ => Some(shown),
    }
}
