//! Acceptor: accepts connections, in one task for each listening address. It is the same for all
//! ways in: each [`WayIn`] says what happens to a socket.

use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::listen::{Bound, RetryingListener};
use crate::os::Clock;

/// Maximum number of unsent bytes that the operating system holds for a socket (Linux). Without
/// this limit, it holds megabytes for each client that does not read. They count as memory of the
/// service, but none of the server's own limits includes them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT_BYTES: u32 = 64 << 10;

/// Way into the server: what happens to a socket that is accepted.
pub(super) trait WayIn: Clone + Send + Sync + 'static {
    /// Returns the beginning of the line that says where the server listens; the address follows.
    fn listening(&self) -> &'static str;

    /// Takes an accepted socket from this address, which is in its canonical form. Spawns whatever
    /// has to wait for the client. `permit` must be kept until the socket is closed. The acceptor
    /// accepts nothing before this returns, so it may wait for the engine's queue.
    fn enter(
        &self,
        stream: TcpStream,
        address: IpAddr,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send;
}

/// Acceptor of the connections at one address; clones serve further addresses.
#[derive(Clone)]
pub(super) struct Acceptor<W> {
    /// What happens to the accepted sockets.
    pub(super) way_in: W,
    /// Semaphore with one permit for each file descriptor that clients' connections may use. All
    /// acceptors of the server share it.
    pub(super) permits: Arc<Semaphore>,
    /// Addresses that the server listens on for this way in. Each acceptor adds its own when it
    /// begins to listen.
    pub(super) listening: Arc<watch::Sender<Vec<SocketAddr>>>,
    /// Clock of the server.
    pub(super) clock: Clock,
}

impl<W: WayIn> Acceptor<W> {
    /// Accepts connections for ever, and hands them to the way in. If the machine does not have the
    /// address, first logs that and waits for it. Prints a line when it begins to listen. Accepts
    /// nothing while all permits are in use. Drops a socket whose options cannot be set.
    pub(super) async fn run(self, bound: Bound) {
        let listener = bound.wait().await;
        self.report_address(&listener);
        let mut listener = RetryingListener::new(listener, self.clock);
        loop {
            // While there is no permit, connections wait in the kernel's queue. The semaphore is
            // never closed.
            let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
            let (stream, address) = listener.accept().await;
            // A socket whose options cannot be set is about to fail anyway.
            if set_options(&stream).is_ok() {
                self.way_in.enter(stream, address.ip().to_canonical(), permit).await;
            }
        }
    }

    /// Prints [`WayIn::listening`] and the address to standard error, for scripts and users that
    /// wait for this line. Adds the address to [`Self::listening`]. Does nothing if the socket's
    /// address cannot be read.
    fn report_address(&self, listener: &TcpListener) {
        if let Ok(address) = listener.local_addr() {
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "{} {address}", self.way_in.listening());
            self.listening.send_modify(|all| all.push(address));
        }
    }
}

/// Sets the options of an accepted socket: frames are sent without delay, and few bytes wait in the
/// operating system.
///
/// # Errors
/// The operating system refuses an option, usually because the client has closed already.
fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
    Ok(())
}
