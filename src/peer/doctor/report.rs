//! Report of the observations as lines of text. A text about a path, peer or host states only what
//! was observed. The diagnoses follow at the end.

use super::Verdict;
use super::diagnosis::diagnose;
use super::found_peers::{FoundPeer, InterfacePath};
use super::observations::{Host, Observations};
use crate::model::Path;
use crate::peer::path_name;

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
        let path = path_name(*path);
        let (verdict, text) = match (&result.error, result.has_looped_back) {
            (Some(error), _) => (Verdict::Warn, format!("{path} cannot be used: {}", error.text)),
            (None, true) => (Verdict::Ok, format!("{path} works inside this machine")),
            (None, false) => {
                let text = "does not come back inside this machine; a firewall?";
                (Verdict::Warn, format!("what is sent by {path} {text}"))
            }
        };
        tell(verdict, format!("interface {interface}: {text}"));
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
    let is_elsewhere = seen.peers.has_remote_peer();
    let place = if is_elsewhere { "on another machine" } else { "on this machine" };
    for interface_path in seen.loopback_results.keys() {
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
            None if !seen.is_conclusive => continue,
            None => {
                let seconds = seen.duration_seconds;
                let text = format!("in {seconds} seconds {path} has brought nothing from there");
                (Verdict::Warn, text)
            }
        };
        tell(verdict, format!("interface {interface}: {text}"));
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
        let text = format!("nobody was heard in #{} in {seconds} seconds", seen.room);
        return tell(Verdict::Warn, text);
    }
    let s = if count == 1 { "" } else { "s" };
    let text = format!(
        "{count} peer{s} found in #{}: {here} on this machine, {elsewhere} on other machines",
        seen.room
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

/// Reports how many pings to the relevant peers were not answered. Reports nothing if none counts
/// for the loss.
fn report_loss(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let total = seen.loss.total();
    if total.sent > 0 {
        let verdict = if seen.loss.is_lossy() { Verdict::Warn } else { Verdict::Ok };
        let (lost, sent, percent) = (total.lost(), total.sent, total.lost_percent());
        let text = format!("{lost} of {sent} pings to them had no answer: {percent} % lost");
        tell(verdict, text);
    }
}

/// Reports which peers answer at a named host, if there are any.
fn report_host(host: &Host, seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let answering = host.answering_peers.iter().filter_map(|it| seen.peers.by_id.get(it));
    if let Some(names) = join_names(answering) {
        tell(Verdict::Ok, format!("peer {}: {names} answers", host.named));
    }
}

/// Reports the number of peers in each other room.
fn report_other_rooms(seen: &Observations, tell: &mut impl FnMut(Verdict, String)) {
    let rooms = &seen.other_rooms;
    for (rooms, kind) in [(&rooms.open, "open"), (&rooms.closed, "closed")] {
        for peers in rooms.values() {
            let (count, s) = (peers.len(), if peers.len() == 1 { "" } else { "s" });
            tell(Verdict::Ok, format!("{count} peer{s} in another room, which is {kind}"));
        }
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
