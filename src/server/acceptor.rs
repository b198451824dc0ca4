//! Acceptor: accepts TCP connections, in one task for each listening address.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::admission::Admission;
use super::listen::{Bound, RetryingListener};
use super::trusted_proxies::TrustedProxies;

/// Maximum number of unsent bytes that the operating system holds for a socket (Linux). Without
/// this limit, it holds megabytes for each client that does not read. They count as memory of the
/// service, but none of the server's own limits includes them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT_BYTES: u32 = 64 << 10;

/// TCP acceptor: accepts the connections at one address.
#[derive(Clone)]
pub(super) struct Acceptor {
    /// Turns accepted sockets into connections.
    pub(super) admission: Admission,
    /// Reader of the PROXY headers of trusted proxies.
    pub(super) proxies: TrustedProxies,
    /// Semaphore with one permit for each file descriptor that clients' connections may use. All
    /// acceptors share it.
    pub(super) permits: Arc<Semaphore>,
    /// Addresses that the server listens on. Each acceptor adds its own when it begins to listen.
    pub(super) listening: Arc<watch::Sender<Vec<SocketAddr>>>,
}

impl Acceptor {
    /// Accepts connections for ever, and hands them to admission; those of trusted proxies after
    /// their PROXY header. If the machine does not have the address, first logs that and waits for
    /// it. Prints a line when it begins to listen. Accepts nothing while all permits are in use or
    /// the engine's queue is full. Drops a socket whose options cannot be set.
    pub(super) async fn run(self, bound: Bound) {
        let listener = bound.wait().await;
        self.report_address(&listener);
        let mut listener = RetryingListener::new(listener, self.admission.clock);
        loop {
            // While there is no permit, connections wait in the kernel's queue. The semaphore is
            // never closed.
            let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
            let (stream, address) = listener.accept().await;
            // A socket whose options cannot be set is about to fail anyway.
            if set_options(&stream).is_err() {
                continue;
            }
            let address = address.ip().to_canonical();
            if self.proxies.contains(address) {
                self.admit_proxied(stream, address, permit);
            } else {
                self.admission.admit(stream, address, permit).await;
            }
        }
    }

    /// Spawns a task that reads the PROXY header of a connection from `proxy`, and then admits the
    /// client. So a slow header delays no other connection.
    ///
    /// Closes the connection if too many connections wait for their headers, or if there is no
    /// valid header.
    fn admit_proxied(&self, stream: TcpStream, proxy: IpAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.proxies.reserve(proxy) else { return };
        let (proxies, admission) = (self.proxies.clone(), self.admission.clone());
        tokio::spawn(async move {
            if let Some(client) = proxies.client_address(&stream, proxy).await {
                drop(place);
                admission.admit(stream, client, permit).await;
            }
        });
    }

    /// Prints `listening on ADDRESS` to standard error, for scripts and users that wait for this
    /// line. Adds the address to [`Self::listening`]. Does nothing if the socket's address cannot
    /// be read.
    fn report_address(&self, listener: &TcpListener) {
        if let Ok(address) = listener.local_addr() {
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "listening on {address}");
            self.listening.send_modify(|all| all.push(address));
        }
    }
}

/// Sets the options of an accepted socket: frames are sent without delay, and few bytes wait in the
/// operating system.
///
/// # Errors
/// The operating system refuses an option, usually because the client has closed already.
pub(super) fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
    Ok(())
}
