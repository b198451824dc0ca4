//! What people read about paths and sockets that do not work.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::sockets::{FailedJoin, UnusableSocket};
use crate::model::Path;
use crate::text;
use crate::ui::io_error_text;

/// Maximum number of interface names in one text.
const MAX_SHOWN_INTERFACES: usize = 3;

/// Returns the name of a path for people.
pub(super) fn path_text(path: Path) -> String {
    match path {
        Path::GroupV4 => text!("path-group-v4"),
        Path::GroupV6 => text!("path-group-v6"),
        Path::Broadcast => text!("path-broadcast"),
    }
}

/// Returns the name of an address family, the same in all languages.
const fn family_name(is_v6: bool) -> &'static str {
    if is_v6 { "IPv6" } else { "IPv4" }
}

/// Returns the name of a socket that could not be opened.
pub(super) fn socket_text(socket: &UnusableSocket) -> String {
    match (socket.is_port_only, socket.is_v6) {
        (true, false) => text!("socket-port-v4"),
        (true, true) => text!("socket-port-v6"),
        (false, is_v6) => family_name(is_v6).to_owned(),
    }
}

/// Returns the texts about multicast groups that could not be joined: one text for each path and
/// reason, with the names of at most [`MAX_SHOWN_INTERFACES`] interfaces and the number of others.
/// `known`: paths and interfaces of which the user was told; they are left out.
pub(super) fn failed_join_texts(
    known: &BTreeSet<(Path, String)>,
    failed: &[FailedJoin],
) -> Vec<String> {
    let mut interfaces: BTreeMap<(Path, String), Vec<&str>> = BTreeMap::new();
    let is_new = |it: &&FailedJoin| !known.contains(&(it.path, it.interface.clone()));
    for it in failed.iter().filter(is_new) {
        let names = interfaces.entry((it.path, io_error_text(&it.error))).or_default();
        names.push(&it.interface);
    }
    let text = |((path, error), names): ((Path, String), Vec<&str>)| {
        let shown = names.get(..MAX_SHOWN_INTERFACES).unwrap_or(&names).join(", ");
        let rest = names.len().saturating_sub(MAX_SHOWN_INTERFACES);
        text!(
            "peer-not-joined",
            path = path_text(path),
            interfaces = shown,
            count = rest,
            reason = error
        )
    };
    interfaces.into_iter().map(text).collect()
}

/// Returns the text about a socket that could not be opened, which says what goes on without it.
pub(super) fn unusable_socket_text(port: u16, socket: &UnusableSocket) -> String {
    let (port, reason) = (port.to_string(), io_error_text(&socket.error));
    let family = family_name(socket.is_v6);
    let is_taken = socket.error.kind() == io::ErrorKind::AddrInUse;
    match (socket.is_port_only, is_taken) {
        (true, true) => text!("peer-port-taken", port = port, reason = reason, family = family),
        (true, false) => text!("peer-port-unusable", port = port, reason = reason, family = family),
        (false, _) => text!("peer-socket-unusable", family = family, reason = reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interfaces on which a multicast group cannot be joined for the same reason are named in one
    /// text. Each group and interface is reported once.
    #[test]
    fn failed_joins_are_reported_once() {
        let failed = |path, interface: &str, kind: io::ErrorKind| FailedJoin {
            path,
            interface: interface.to_owned(),
            error: kind.into(),
        };
        let mut all: Vec<_> = ["br0", "br1", "br2", "br3", "br4"]
            .iter()
            .map(|it| failed(Path::GroupV4, it, io::ErrorKind::OutOfMemory))
            .collect();
        let known = |all: &[FailedJoin]| {
            all.iter().map(|it| (it.path, it.interface.clone())).collect::<BTreeSet<_>>()
        };
        let texts = failed_join_texts(&BTreeSet::new(), &all);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].contains("the IPv4 group on br0, br1, br2 and 2 others: "), "{texts:?}");
        let before = known(&all);
        all.push(failed(Path::GroupV6, "br0", io::ErrorKind::PermissionDenied));
        let texts = failed_join_texts(&before, &all);
        assert_eq!(
            texts,
            ["This peer does not hear what is sent to the IPv6 group on br0: permission denied."]
        );
        assert!(failed_join_texts(&known(&all), &all).is_empty());
    }

    #[test]
    fn unusable_socket_text_says_what_goes_on() {
        let text = |is_port_only, is_v6, kind: io::ErrorKind| {
            unusable_socket_text(2428, &UnusableSocket { is_port_only, is_v6, error: kind.into() })
        };
        let taken = text(true, false, io::ErrorKind::AddrInUse);
        assert!(taken.starts_with("Another program uses port 2428 ("), "{taken}");
        assert!(
            taken.contains("Over IPv4, this peer hears only those that it talks to."),
            "{taken}"
        );
        let refused = text(true, true, io::ErrorKind::PermissionDenied);
        assert!(refused.starts_with("Port 2428 cannot be used (permission denied)"), "{refused}");
        let off = text(false, true, io::ErrorKind::Unsupported);
        assert_eq!(off, "IPv6 cannot be used (unsupported). This peer goes on without it.");
    }
}
