//! Rate-limited log lines about errors sent to clients.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::hub::ConnectionId;
use crate::model::{AddressGroup, ErrorCode, Moment};

/// Time between summary log lines.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Maximum number of address groups with a summary line of their own. All further groups share one
/// line.
const MAX_GROUPS: usize = 100;

/// Rate-limited log lines about errors sent to clients.
///
/// The first error of each code to each address group is logged at once. Repetitions are counted.
/// Every [`SUMMARY_INTERVAL`] a summary is logged, with one line for each group that has
/// repetitions. After a summary, the next error of each code is logged at once again. Groups beyond
/// [`MAX_GROUPS`] are treated as one group.
#[derive(Debug, Default)]
pub(super) struct ErrorLog {
    /// Time of the last summary.
    summarized_at: Moment,
    /// Address group of each connection.
    groups: HashMap<ConnectionId, AddressGroup>,
    /// Number of repetitions since the last summary, by address group and error code. The first
    /// error counts as 0. `None` stands for all groups beyond [`MAX_GROUPS`] and for unknown
    /// connections.
    repeated: BTreeMap<Option<AddressGroup>, BTreeMap<u16, u64>>,
}

impl ErrorLog {
    /// Records the address group of a new connection.
    pub(super) fn connected(&mut self, connection: ConnectionId, group: AddressGroup) {
        self.groups.insert(connection, group);
    }

    /// Forgets a connection.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.groups.remove(&connection);
    }

    /// Records an error sent to a client. If it is the first of its code since the last summary, to
    /// this address group or to the groups treated as one, logs it; otherwise counts it.
    ///
    /// Ignores errors that leave the connection open, except a wrong password. Also ignores unknown
    /// codes, and the errors of a regular end, `shutting_down` and `replaced`.
    pub(super) fn record(&mut self, connection: ConnectionId, code: u16) {
        let is_of_interest = |error: &ErrorCode| match error {
            ErrorCode::ShuttingDown | ErrorCode::Replaced => false,
            ErrorCode::PasswordWrong => true,
            other => other.closes(),
        };
        let Some(error) = ErrorCode::from_number(code).filter(is_of_interest) else {
            return;
        };
        let group = self.groups.get(&connection).copied();
        let has_line = |it: &AddressGroup| {
            self.repeated.contains_key(&Some(*it)) || self.repeated.len() < MAX_GROUPS
        };
        let group = group.filter(has_line);
        let counts = self.repeated.entry(group).or_default();
        let count = counts.entry(code).and_modify(|count| *count += 1).or_insert(0);
        if *count > 0 {
            return;
        }
        let address = display_group(group);
        tracing::warn!(address, "a client was told: {} ({})", error.name(), error.default_text());
    }

    /// Logs a summary if the last one was at least [`SUMMARY_INTERVAL`] ago. Call it every few
    /// seconds.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        if now.since(self.summarized_at) >= SUMMARY_INTERVAL {
            self.summarized_at = now;
            self.flush();
        }
    }

    /// Logs a summary of the counted repetitions, if there are any, and starts counting again.
    pub(super) fn flush(&mut self) {
        for (group, counts) in std::mem::take(&mut self.repeated) {
            if let Some(summary) = summary(&counts) {
                let address = display_group(group);
                tracing::warn!(address, "clients were told {summary}");
            }
        }
    }
}

/// Returns an address group as text; `others` for `None`.
fn display_group(group: Option<AddressGroup>) -> String {
    group.map_or_else(|| "others".to_owned(), |it| it.to_string())
}

/// Returns the counts of repetitions with the names of their errors; `None` if nothing was
/// repeated.
fn summary(counts: &BTreeMap<u16, u64>) -> Option<String> {
    let repeated: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(code, count)| {
            let name = ErrorCode::from_number(*code).map_or("?", ErrorCode::name);
            format!("{count} more times: {name}")
        })
        .collect();
    (!repeated.is_empty()).then(|| repeated.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repetitions are counted for each address group. Groups beyond the limit share one count.
    #[test]
    fn repetitions_are_counted_by_group_and_groups_are_bounded() {
        let mut log = ErrorLog::default();
        let wrong = ErrorCode::PasswordWrong.number();
        for number in 0..300_u64 {
            let group = AddressGroup::of([192, 0, 2, u8::try_from(number / 2).unwrap()].into());
            log.connected(ConnectionId(number), group);
            log.record(ConnectionId(number), wrong);
            log.record(ConnectionId(number), ErrorCode::NameTaken.number());
        }
        assert_eq!(log.repeated.len(), MAX_GROUPS + 1);
        let counts: Vec<_> = log.repeated.values().map(|it| summary(it).unwrap()).collect();
        assert_eq!(counts[..2], ["99 more times: password_wrong", "1 more times: password_wrong"]);
        log.flush();
        assert!(log.repeated.is_empty());
    }
}
