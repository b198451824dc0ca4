//! Repeated DNS lookup of the configured hosts, whose addresses may change.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::model::HostAddress;
use crate::text;
use crate::ui::{lookup_error_text, safe_line};

/// Pause between two DNS lookups of all hosts.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(60);

/// Pause between two DNS lookups while no address of any host is known. The network may not be up
/// yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Timeout for the DNS lookup of one host.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Result of one DNS lookup of all hosts.
#[derive(Debug)]
pub(super) struct ResolvedHosts {
    /// Socket addresses of all hosts together. A host whose lookup has failed keeps its earlier
    /// addresses.
    pub(super) addresses: Vec<SocketAddr>,
    /// Human-readable error texts, one for each host whose lookup has failed.
    pub(super) errors: Vec<String>,
}

/// Looks up the addresses of all hosts again and again, one host after the other, and sends each
/// result to `found`. Begins at once, then pauses for [`LOOKUP_INTERVAL`], or for
/// [`RETRY_INTERVAL`] while no address is known. Ends when the receiver of `found` is dropped. A
/// host whose lookup fails keeps its previous addresses.
pub(super) async fn resolve_repeatedly(
    hosts: Vec<HostAddress>,
    found: mpsc::Sender<ResolvedHosts>,
) {
    let mut known = vec![Vec::new(); hosts.len()];
    loop {
        let mut errors = Vec::new();
        for (host, known) in hosts.iter().zip(&mut known) {
            match timeout(LOOKUP_TIMEOUT, lookup_host((host.host.as_str(), host.port))).await {
                Ok(Ok(addresses)) => *known = addresses.collect(),
                Ok(Err(error)) => errors.push(lookup_error_text(&host.host, &error)),
                Err(_) => errors.push(text!("lookup-too-long", host = safe_line(&host.host))),
            }
        }
        let addresses: Vec<_> = known.iter().flatten().copied().collect();
        let pause = if addresses.is_empty() { RETRY_INTERVAL } else { LOOKUP_INTERVAL };
        if found.send(ResolvedHosts { addresses, errors }).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}
