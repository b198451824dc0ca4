//! The hosts that a person has named, looked up again and again: their
//! addresses change.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::model::HostAddress;

/// They are looked up so often.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(60);

/// The same as long as none is found: perhaps the network is not up yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// For each.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// What has become of looking them up.
#[derive(Debug)]
pub(super) struct ResolvedHosts {
    /// Their addresses.
    pub(super) addresses: Vec<SocketAddr>,
    /// What was not found: sentences.
    pub(super) failed: Vec<String>,
}

/// Looks up all of them for as long as somebody wants to know. A name that
/// is not found now keeps the addresses that it had.
pub(super) async fn resolve_repeatedly(
    hosts: Vec<HostAddress>,
    found: mpsc::Sender<ResolvedHosts>,
) {
    let mut known = vec![Vec::new(); hosts.len()];
    loop {
        let mut failed = Vec::new();
        for (host, known) in hosts.iter().zip(&mut known) {
            match timeout(LOOKUP_TIMEOUT, lookup_host((host.host.as_str(), host.port))).await {
                Ok(Ok(addresses)) => *known = addresses.collect(),
                Ok(Err(error)) => failed.push(format!("{} was not found ({error}).", host.host)),
                Err(_) => failed.push(format!("Looking up {} took too long.", host.host)),
            }
        }
        let addresses: Vec<_> = known.iter().flatten().copied().collect();
        let pause = if addresses.is_empty() { RETRY_INTERVAL } else { LOOKUP_INTERVAL };
        if found.send(ResolvedHosts { addresses, failed }).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}
