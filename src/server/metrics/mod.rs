//! Metrics for Prometheus (`docs/metrics.md`). They have listeners of their own, whose connections
//! are served as those of browsers are (`server::web`).
//!
//! | file | part |
//! |---|---|
//! | here | listeners, and their limits |
//! | `snapshot` | where the values come from |
//! | `families` | names, types and texts of the metrics |
//! | `latency` | how long messages take, measured by the engine |

mod families;
mod latency;
mod snapshot;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub(super) use self::latency::{LatencyHistogram, LatencyMeter};
pub(super) use self::snapshot::MetricsSource;
use super::listen::{self, Bound, ListenError};
use super::listen_address::ListenAddress;
use super::unproven::Unproven;

/// Path of the metrics.
pub(super) const PATH: &str = "/metrics";

/// Media type of the metrics: the text format of OpenMetrics.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Maximum number of connections that are served at a time. When all are in use, the oldest of the
/// address group that has most of them is closed in favour of a new one.
const MAX_CONNECTIONS: usize = 8;

/// Maximum number of these connections that an address group has.
const MAX_OF_GROUP: usize = 4;

/// Number of sockets that may be open, those that are being closed included. They are among the
/// file descriptors that clients do not get.
const MAX_SOCKETS: usize = 2 * MAX_CONNECTIONS;

/// Binds the listeners for metrics at these addresses.
///
/// # Errors
/// [`ListenError`] of the first address that fails.
pub(super) fn bind_all(addresses: &[ListenAddress]) -> Result<Vec<Bound>, ListenError> {
    addresses.iter().map(listen::bind).collect()
}

/// Returns the places for connections that ask for metrics.
pub(super) fn places() -> Unproven {
    Unproven::with_limits(MAX_CONNECTIONS, MAX_OF_GROUP)
}

/// Returns the semaphore for the acceptors of the metrics. It is not that of the clients: metrics
/// are there when a server is full, too.
pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_SOCKETS))
}
