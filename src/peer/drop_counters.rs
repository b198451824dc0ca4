//! Counters of dropped datagrams by reason.

use std::collections::BTreeMap;

use crate::mesh::Drops;
use crate::wire::udp::DropReason;

/// Counters of dropped datagrams since the start of the program.
#[derive(Debug, Default)]
pub(super) struct DropCounters {
    /// Number of datagrams by reason.
    by_reason: BTreeMap<String, u64>,
    /// Last log line, to skip unchanged ones.
    last_logged: String,
}

impl DropCounters {
    /// Counts a datagram dropped for this reason.
    pub(super) fn count(&mut self, reason: &str) {
        match self.by_reason.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(self.by_reason.insert(reason.to_owned(), 1)),
        }
    }

    /// Counts a datagram that could not be opened. A peer's own datagrams, which come back through
    /// every group, are not counted.
    pub(super) fn count_dropped(&mut self, dropped: DropReason) {
        if dropped != DropReason::Own {
            self.count(&dropped.to_string());
        }
    }

    /// Logs all counters, with those of the mesh, if any has changed since the last log line.
    pub(super) fn log_if_changed(&mut self, drops: Drops) {
        let Drops { replayed, unverified, too_many, unexpected, known, refused } = drops;
        let further = [
            ("replayed", replayed),
            ("of a sender that is not verified", unverified),
            ("too many from one sender", too_many),
            ("not expected", unexpected),
            ("an entry twice", known),
            ("an entry that may not be taken", refused),
        ];
        let own = self.by_reason.iter().map(|(reason, count)| (reason.as_str(), *count));
        let all: Vec<_> = own
            .chain(further)
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| format!("{reason}: {count}"))
            .collect();
        let all = all.join(", ");
        if all != self.last_logged {
            tracing::info!("datagrams dropped so far: {all}");
            self.last_logged = all;
        }
    }
}
