//! Metrics for Prometheus: listeners of their own, which answer `GET /metrics` (`docs/metrics.md`).
//!
//! | file | part |
//! |---|---|
//! | here | listeners |
//! | `scrape` | the request and the answer on a connection |
//! | `snapshot` | where the values come from |
//! | `families` | names, types and texts of the metrics |
//! | `latency` | how long messages take, measured by the engine |

mod families;
mod latency;
mod scrape;
mod snapshot;

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use self::latency::{LatencyHistogram, LatencyMeter};
use self::scrape::TimeLimits;
pub(super) use self::snapshot::MetricsSource;
use super::acceptor::WayIn;
use super::listen::{self, Bound, ListenError};
use super::listen_address::ListenAddress;
use super::unproven::Unproven;
use crate::model::AddressGroup;

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

/// Returns the semaphore for the acceptors of the metrics. It is not that of the clients: metrics
/// are there when a server is full, too.
pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_SOCKETS))
}

/// Way to the metrics. Clones share the limits.
#[derive(Clone)]
pub(super) struct MetricsWayIn {
    /// Source of the values.
    source: Arc<MetricsSource>,
    /// Places of the connections.
    places: Unproven,
}

impl MetricsWayIn {
    /// Creates the way to the metrics of this source.
    pub(super) fn new(source: MetricsSource) -> Self {
        let places = Unproven::with_limits(MAX_CONNECTIONS, MAX_OF_GROUP);
        Self { source: source.into(), places }
    }
}

impl WayIn for MetricsWayIn {
    const LISTENING: &'static str = "metrics on";

    /// Spawns the scrape on a connection. It ends early if the connection loses its place to
    /// another one.
    async fn enter(&self, stream: TcpStream, peer: IpAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.places.reserve(Some(AddressGroup::of(peer))) else { return };
        let source = self.source.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = scrape::serve(stream, &source, TimeLimits::default()) => {}
                () = place.lost() => {}
            }
            drop(permit);
        });
    }
}
