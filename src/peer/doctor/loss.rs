//! Packet loss, measured by pings and their answers.

use std::collections::BTreeSet;

use super::found_peers::FoundPeers;
use crate::model::Path;

/// Maximum number of members of a room in which loss is measured by pings on paths. In larger rooms
/// only some of the members answer each.
pub(super) const MAX_MEASURED_MEMBERS: usize = 8;

/// Minimum number of unanswered pings that count as loss.
const MIN_LOST: u32 = 3;

/// Loss of all pings together from which a network counts as lossy, in percent.
const LOSSY_PERCENT: u32 = 10;

/// Loss of the pings by one means from which a network counts as lossy, in percent.
const LOSSY_MEANS_PERCENT: u32 = 30;

/// Minimum number of pings by one means for [`LOSSY_MEANS_PERCENT`].
const MIN_MEANS_PINGS: u32 = 10;

/// Number of pings, and number of those that were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PingCount {
    /// Number of pings sent.
    pub(super) sent: u32,
    /// Number of these pings that were answered.
    pub(super) answered: u32,
}

impl PingCount {
    /// Returns the number of pings without an answer.
    pub(super) const fn lost(self) -> u32 {
        self.sent.saturating_sub(self.answered)
    }

    /// Returns the percentage of pings without an answer: loss on the way there and back. Returns 0
    /// if there were no pings.
    pub(super) fn lost_percent(self) -> u32 {
        (self.lost() * 100).checked_div(self.sent).unwrap_or(0)
    }

    /// Adds another count.
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
    }
}

/// Pings to one address or by one path, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PingLog {
    /// Number of pings sent. Their numbers count from 0.
    pub(super) sent: u32,
    /// Numbers of the pings that were answered.
    pub(super) answered: BTreeSet<u32>,
}

impl PingLog {
    /// Counts a further ping and returns its number.
    pub(super) const fn next_number(&mut self) -> u32 {
        self.sent += 1;
        self.sent - 1
    }

    /// Returns the count of the pings after the first one that was answered: before it, the peer
    /// may not have been there, or a firewall may not have known it yet. Both numbers are 0 if none
    /// was answered.
    pub(super) fn count(&self) -> PingCount {
        let Some(first) = self.answered.first() else { return PingCount::default() };
        let sent = self.sent.saturating_sub(first + 1);
        let answered = self.answered.len().saturating_sub(1);
        PingCount { sent, answered: u32::try_from(answered).unwrap_or(sent).min(sent) }
    }
}

/// Loss of the pings to the relevant peers. Of the pings to a peer by some means, only those after
/// the first answered one are counted; none if it has never answered by that means: a means that
/// does not work at all is no loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// Unicast pings.
    pub(super) unicast: PingCount,
    /// Pings by each path, in the order of [`Path::ALL`]. Empty if the room has more than
    /// [`MAX_MEASURED_MEMBERS`].
    pub(super) paths: Vec<(Path, PingCount)>,
}

impl Loss {
    /// Computes the loss from the results of the relevant peers. `rounds` is the number of rounds
    /// in which pings were sent on all paths. Of a room with more than [`MAX_MEASURED_MEMBERS`],
    /// only unicast counts.
    pub(super) fn of(peers: &FoundPeers, rounds: u32) -> Self {
        let mut loss = Self::default();
        let relevant = peers.relevant();
        for log in relevant.iter().flat_map(|it| it.unicast_pings.values()) {
            loss.unicast.add(log.count());
        }
        if peers.by_id.len().max(peers.stated_members) > MAX_MEASURED_MEMBERS {
            return loss;
        }
        for path in Path::ALL {
            let mut sum = PingCount::default();
            let answered = relevant.iter().flat_map(|it| &it.answered_rounds);
            for (_, rounds_answered) in answered.filter(|(it, _)| it.path == path) {
                let log = PingLog { sent: rounds, answered: rounds_answered.clone() };
                sum.add(log.count());
            }
            loss.paths.push((path, sum));
        }
        loss
    }

    /// Returns the count of all pings.
    pub(super) fn total(&self) -> PingCount {
        let mut total = self.unicast;
        self.paths.iter().for_each(|(_, it)| total.add(*it));
        total
    }

    /// Returns the count of the pings by all paths.
    pub(super) fn by_paths(&self) -> PingCount {
        let mut sum = PingCount::default();
        self.paths.iter().for_each(|(_, it)| sum.add(*it));
        sum
    }

    /// Returns true if the network loses enough to be reported: [`LOSSY_PERCENT`] of all pings or
    /// their answers, or [`LOSSY_MEANS_PERCENT`] of those by one means. In both cases, at least
    /// [`MIN_LOST`] must be lost.
    pub(super) fn is_lossy(&self) -> bool {
        let total = self.total();
        let means = self.paths.iter().map(|(_, it)| *it).chain([self.unicast]);
        let mut measured = means.filter(|it| it.sent >= MIN_MEANS_PINGS && it.lost() >= MIN_LOST);
        total.lost() >= MIN_LOST && total.lost_percent() >= LOSSY_PERCENT
            || measured.any(|it| it.lost_percent() >= LOSSY_MEANS_PERCENT)
    }

    /// Returns true if the loss by paths is greater than by unicast by at least 20 percentage
    /// points. Wi-Fi repeats only unicast.
    pub(super) fn is_worse_by_paths(&self) -> bool {
        self.by_paths().lost_percent() >= self.unicast.lost_percent() + 20
    }
}

/// Returns the loss of one way, in percent, if both ways lose `lost_percent` together and are
/// alike.
pub(super) fn one_way_percent(lost_percent: u32) -> u32 {
    let arrives_both_ways = 100_u32.saturating_sub(lost_percent) * 100;
    100 - arrives_both_ways.isqrt()
}
