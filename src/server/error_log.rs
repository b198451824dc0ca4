//! What goes wrong on connections, told to the operator once and not a
//! thousand times.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::hub::ConnectionId;
use crate::model::{ErrorCode, Moment};

/// What has been counted is logged so often.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Collects errors that clients were given. The first of a kind is logged at
/// once; further ones are counted, and logged together some minutes later.
#[derive(Debug, Default)]
pub(super) struct ErrorLog {
    /// When what was counted was logged last.
    told_at: Moment,
    /// Where each connection comes from.
    addresses: HashMap<ConnectionId, IpAddr>,
    /// How often each error came since [`Self::told_at`], beyond the
    /// first time.
    repeated: HashMap<u16, u64>,
}

impl ErrorLog {
    /// Remembers where a connection comes from.
    pub(super) fn connected(&mut self, connection: ConnectionId, address: IpAddr) {
        self.addresses.insert(connection, address);
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.addresses.remove(&connection);
    }

    /// A client has been given this error. Only those that end a connection
    /// because something is wrong are of interest, and guessed passwords.
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
        tracing::warn!(address, "a client was told: {} ({})", error.name(), error.sentence());
    }

    /// Logs what has been counted, if it is time to. Call it every few
    /// seconds.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        if now.since(self.told_at) >= INTERVAL {
            self.told_at = now;
            self.flush();
        }
    }

    /// Logs what has been counted.
    pub(super) fn flush(&mut self) {
        for (code, count) in self.repeated.drain().filter(|(_, count)| *count > 0) {
            let name = ErrorCode::from_number(code).map_or("?", ErrorCode::name);
            tracing::warn!("clients were told {count} more times: {name}");
        }
    }
}
