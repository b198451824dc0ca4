//! The acceptor: accepts TCP connections, one task for each address that is listened on.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::admission::Admission;
use super::listen::{self, Bound, RetryingListener};

/// Accepts connections at one address.
#[derive(Clone)]
pub(super) struct Acceptor {
    /// Makes connections of accepted sockets.
    pub(super) admission: Admission,
    /// A permit for each file descriptor that clients' connections may use; all acceptors share
    /// them.
    pub(super) permits: Arc<Semaphore>,
    /// The addresses that are listened on; the acceptor adds its own.
    pub(super) listening: Arc<watch::Sender<Vec<SocketAddr>>>,
}

impl Acceptor {
    /// Accepts connections for ever; first waits for the address if the machine does not have it
    /// yet.
    pub(super) async fn run(self, bound: Bound) {
        let listener = match bound {
            Bound::Listening(listener) => listener,
            Bound::NotYet(address) => {
                tracing::warn!("{address} is no address of this machine yet; waiting for it");
                listen::bind_when_available(address).await
            }
        };
        self.report_address(&listener);
        let mut listener = RetryingListener::new(listener, self.admission.clock);
        loop {
            // Without a permit, connections wait in the kernel's queue. (It is never closed.)
            let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
            let (stream, address) = listener.accept().await;
            // A socket whose options cannot be set is about to fail anyway.
            if stream.set_nodelay(true).is_ok() {
                self.admission.admit(stream, address, permit).await;
            }
        }
    }

    /// Prints the address that is listened on, for scripts and people who wait for this line, and
    /// adds it to the list.
    fn report_address(&self, listener: &TcpListener) {
        if let Ok(address) = listener.local_addr() {
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "listening on {address}");
            self.listening.send_modify(|all| all.push(address));
        }
    }
}
