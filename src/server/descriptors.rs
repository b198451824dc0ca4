//! File descriptors: keeps clients' connections from using up those that the rest of the server
//! needs.

use std::sync::Arc;

use rlimit::Resource;
use tokio::sync::Semaphore;

use crate::model::HubSettings;

/// Number of file descriptors reserved for everything except clients' connections: control socket,
/// metrics, log, listening sockets, multicast DNS. If a process may open fewer than twice as many
/// files, half of them are reserved.
const RESERVED: usize = 64;

/// Divisor of the clients' descriptors: one eighth is kept for connections that the hub refuses or
/// has closed.
const CLOSING_SHARE: usize = 8;

/// Divisor of the clients' descriptors: closed connections may keep one sixteenth while they
/// linger. That is less than the eighth of [`CLOSING_SHARE`], so that descriptors are left for
/// refusing connections.
const LINGERING_SHARE: usize = 16;

/// Divisor of the clients' descriptors: connections of trusted proxies may use one eighth before
/// they have sent their PROXY header.
const UNPROVEN_SHARE: usize = 8;

/// Number of file descriptors that clients' connections may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct DescriptorLimit(usize);

impl DescriptorLimit {
    /// Returns the process's soft limit of open files, less the reserved files. If there is no soft
    /// limit, or it cannot be read, the result limits nothing.
    pub(super) fn read() -> Self {
        let open_files = Resource::NOFILE.get_soft().unwrap_or(u64::MAX);
        Self::of(usize::try_from(open_files).unwrap_or(usize::MAX))
    }

    /// Returns the limit for a process that may have `open_files` open files: this number less
    /// [`RESERVED`], but at least half of it.
    fn of(open_files: usize) -> Self {
        Self((open_files - RESERVED.min(open_files / 2)).min(Semaphore::MAX_PERMITS))
    }

    /// Lowers `max_connections` to at most seven eighths of the clients' descriptors, but at least
    /// to one. If that changes the setting, logs a warning. So the hub refuses a connection with an
    /// error before the descriptors are used up.
    pub(super) fn lower_max_connections(self, settings: &mut HubSettings) {
        let most = (self.0 - self.0 / CLOSING_SHARE).max(1);
        if settings.max_connections > most {
            let wanted = std::mem::replace(&mut settings.max_connections, most);
            tracing::warn!(
                "the limit of open files allows {most} connections, fewer than max-connections, \
                 {wanted}"
            );
        }
    }

    /// Returns a semaphore with one permit for each connection that may be open at the same time,
    /// including closing ones.
    pub(super) fn permits(self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.0))
    }

    /// Returns a semaphore with one permit for each closed connection that may linger, that is,
    /// wait until the client has closed its side too.
    pub(super) fn lingering_permits(self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.0 / LINGERING_SHARE))
    }

    /// Returns a semaphore with one permit for each connection of a trusted proxy that may be
    /// without a complete PROXY header; at least one.
    pub(super) fn unproven_permits(self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new((self.0 / UNPROVEN_SHARE).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For several limits of open files, checks the number of clients' descriptors and the lowered
    /// `max_connections`.
    #[test]
    fn descriptors_are_reserved_and_max_connections_lowered() {
        for (open_files, clients, connections) in
            [(65_536, 65_472, 10_000), (1_024, 960, 840), (128, 64, 56), (20, 10, 9), (1, 1, 1)]
        {
            let limit = DescriptorLimit::of(open_files);
            let mut settings = HubSettings { max_connections: 10_000, ..HubSettings::default() };
            limit.lower_max_connections(&mut settings);
            let allowed = (limit.permits().available_permits(), settings.max_connections);
            assert_eq!(allowed, (clients, connections), "{open_files}");
        }
    }
}
