//! Rate-limited log lines about errors that clients were sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::hub::ConnectionId;
use crate::model::{ErrorCode, Moment};

/// Time between summary log lines.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Counts the errors sent to clients. The first one of each code is logged at once; repetitions are
/// counted, and logged as a summary every [`SUMMARY_INTERVAL`].
#[derive(Debug, Default)]
pub(super) struct ErrorLog {
    /// Time of the last summary.
    summarized_at: Moment,
    /// The client address of each connection.
    addresses: HashMap<ConnectionId, IpAddr>,
    /// Number of repetitions of each error code since [`Self::summarized_at`].
    repeated: HashMap<u16, u64>,
}

impl ErrorLog {
    /// Notes the address of a new connection.
    pub(super) fn connected(&mut self, connection: ConnectionId, address: IpAddr) {
        self.addresses.insert(connection, address);
    }

    /// Forgets a connection.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.addresses.remove(&connection);
    }

    /// Records an error sent to a client: logs it if it is the first of its code since the last
    /// summary, else counts it. Only wrong passwords and errors that close a connection are recorded,
    /// without those of a regular end.
    pub(super) fn record(&mut self, connection: ConnectionId, code: u16) {
        let is_of_interest = |error: &ErrorCode| match error {
            ErrorCode::ShuttingDown | ErrorCode::Replaced => false,
            ErrorCode::PasswordWrong => true,
            other => other.closes(),
        };
        let Some(error) = ErrorCode::from_number(code).filter(is_of_interest) else {
            return;
        };
        let count = self.repeated.entry(code).and_modify(|count| *count += 1).or_insert(0);
        if *count > 0 {
            return;
        }
        let address = self.addresses.get(&connection).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(address, "a client was told: {} ({})", error.name(), error.default_text());
    }

    /// Logs a summary if [`SUMMARY_INTERVAL`] has passed since the last one. Call it every few
    /// seconds.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        if now.since(self.summarized_at) >= SUMMARY_INTERVAL {
            self.summarized_at = now;
            self.flush();
        }
    }

    /// Logs a summary of the counted repetitions now, and starts counting anew.
    pub(super) fn flush(&mut self) {
        for (code, count) in self.repeated.drain().filter(|(_, count)| *count > 0) {
            let name = ErrorCode::from_number(code).map_or("?", ErrorCode::name);
            tracing::warn!("clients were told {count} more times: {name}");
        }
    }
}
