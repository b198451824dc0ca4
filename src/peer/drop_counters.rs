//! Counters of dropped datagrams, by reason.

use std::collections::BTreeMap;

use crate::mesh::Drops;
use crate::wire::udp::DropReason;

/// Counters of datagrams that the driver has dropped since the start of the program.
#[derive(Debug, Default)]
pub(super) struct DropCounters {
    /// Number of dropped datagrams, by the text of the reason.
    by_reason: BTreeMap<String, u64>,
    /// Text of the last log line. A line with the same text is not logged again.
    last_logged: String,
}

impl DropCounters {
    /// Counts a datagram that was dropped for `reason`.
    pub(super) fn count(&mut self, reason: &str) {
        match self.by_reason.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(self.by_reason.insert(reason.to_owned(), 1)),
        }
    }

    /// Counts a datagram that [`crate::wire::udp::open`] has dropped. Does not count the peer's own
    /// datagrams, which multicast and broadcast loop back to it.
    pub(super) fn count_dropped(&mut self, dropped: DropReason) {
        if dropped != DropReason::Own {
            self.count(&dropped.to_string());
        }
    }

    /// Logs all counters above 0, and those in `drops` of the mesh engine, in one line at level
    /// info. Does nothing if nothing was dropped yet, or if the line equals the last line.
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
