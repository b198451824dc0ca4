//! Trusted proxies: reverse proxies whose connections begin with a PROXY header. The header states
//! the client's address.
//!
//! The header comes before the transport's own bytes, so it is the same for all transports. Until
//! it is read, the connection is not admitted and counts for no address group.

use std::fmt;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::ServerSettings;
use super::line_limiter::LineLimiter;
use crate::os::Clock;
use crate::wire::{ProxyHeaderReader, ProxySource};

/// Maximum time from accepting a connection of a trusted proxy to the end of its PROXY header. The
/// specification demands at least 3 seconds, so that a lost packet can be sent again.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of bytes read at a time.
const READ_SIZE: usize = 512;

/// Reader of the PROXY headers of trusted proxies. All acceptors share it.
#[derive(Clone)]
pub(super) struct TrustedProxies {
    /// Settings in force, with the networks of trusted proxies.
    settings: watch::Receiver<ServerSettings>,
    /// Semaphore with one permit for each connection that may have an incomplete header.
    pending: Arc<Semaphore>,
    /// Rate limit of the log lines about closed connections.
    warnings: Arc<Mutex<LineLimiter>>,
    /// Clock of the server.
    clock: Clock,
}

impl TrustedProxies {
    /// Creates the reader. `pending`: semaphore with one permit for each connection that may have
    /// an incomplete header.
    pub(super) fn new(
        settings: watch::Receiver<ServerSettings>,
        pending: Arc<Semaphore>,
        clock: Clock,
    ) -> Self {
        Self { settings, pending, warnings: Arc::default(), clock }
    }

    /// Returns true if connections from this address must begin with a PROXY header.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.settings.borrow().is_trusted_proxy(address)
    }

    /// Reserves a permit for a new connection of `proxy`, until its header is read. If too many
    /// connections of proxies wait for their headers, logs that and returns `None`: close the
    /// connection.
    pub(super) fn reserve(&self, proxy: IpAddr) -> Option<OwnedSemaphorePermit> {
        let permit = self.pending.clone().try_acquire_owned().ok();
        if permit.is_none() {
            self.warn(proxy, "too many connections wait for their PROXY header");
        }
        permit
    }

    /// Reads the PROXY header of a connection from `proxy`, and no byte after it. Returns the
    /// client's address, or the proxy's if the header states none.
    ///
    /// `None` if there is no valid header within [`HEADER_TIMEOUT`]: close the connection. The
    /// reason is logged, unless reading has failed or the proxy has closed the connection without a
    /// byte, as some health checks do.
    pub(super) async fn client_address(&self, stream: &TcpStream, proxy: IpAddr) -> Option<IpAddr> {
        match timeout(HEADER_TIMEOUT, read_header(stream)).await {
            Ok(Ok(ProxySource::Client(address))) => Some(address),
            Ok(Ok(ProxySource::Proxy)) => Some(proxy),
            Ok(Err(None)) => None,
            Ok(Err(Some(problem))) => {
                self.warn(proxy, problem);
                None
            }
            Err(_) => {
                let seconds = HEADER_TIMEOUT.as_secs();
                self.warn(proxy, format_args!("no complete PROXY header within {seconds} s"));
                None
            }
        }
    }

    /// Logs the reason why a connection of `proxy` is closed. If the last line is less than a
    /// minute ago, only counts the connection.
    fn warn(&self, proxy: IpAddr, problem: impl fmt::Display) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unlogged) = warnings.next_line(self.clock.now()) {
            let others = if unlogged > 0 {
                format!(" (and {unlogged} further connections of proxies since the last such line)")
            } else {
                String::new()
            };
            tracing::warn!("closed a connection of the trusted proxy {proxy}: {problem}{others}");
        }
    }
}

/// Reads a PROXY header, and no byte after it.
///
/// # Errors
/// Text for the program's log. `None` if the stream has ended without a byte, or has failed.
async fn read_header(stream: &TcpStream) -> Result<ProxySource, Option<String>> {
    let mut reader = ProxyHeaderReader::default();
    loop {
        stream.readable().await.or(Err(None))?;
        let mut buffer = [0; READ_SIZE];
        let wanted = reader.missing().min(READ_SIZE);
        let read = stream.try_read(buffer.get_mut(..wanted).unwrap_or_default());
        match read {
            Ok(0) if reader.is_empty() => return Err(None),
            Ok(0) => return Err(Some("it ends within its PROXY header".to_owned())),
            Ok(count) => match reader.feed(buffer.get(..count).unwrap_or_default()) {
                Ok(Some(source)) => return Ok(source),
                Ok(None) => {}
                Err(error) => return Err(Some(error.to_string())),
            },
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(None),
        }
    }
}
