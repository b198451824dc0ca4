//! The acceptor: takes connections in, one task for each address that is
//! listened on.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::ServerSettings;
use super::connection::Connection;
use super::engine::{EngineHandle, Message};
use super::fanout::PublishedHead;
use super::listen::{self, Bound, Entrance};
use super::outbox::{Budget, Outbox};
use crate::hub::ConnectionId;
use crate::model::{Token, TokenBucket};
use crate::os::{Clock, random_bytes};

/// Takes connections in.
#[derive(Clone)]
pub(super) struct Acceptor {
    /// The next connection's number; all listeners count together.
    pub(super) next_id: Arc<AtomicU64>,
    /// How far everything is published.
    pub(super) head: Arc<PublishedHead>,
    /// What may wait in all letter boxes.
    pub(super) budget: Arc<Budget>,
    /// Whom to tell of connections.
    pub(super) engine: EngineHandle,
    /// What the owner wants now.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// The addresses that are listened on.
    pub(super) listening: Arc<watch::Sender<Vec<SocketAddr>>>,
    /// The time.
    pub(super) clock: Clock,
}

impl Acceptor {
    /// Takes in all that come to one address, for ever; waits for the address
    /// first where the machine does not have it yet.
    pub(super) async fn serve(self, bound: Bound) {
        let listener = match bound {
            Bound::Listening(listener) => listener,
            Bound::NotYet(address) => {
                tracing::warn!("{address} is no address of this machine yet; waiting for it");
                listen::bind_when_there(address).await
            }
        };
        self.tell_address(&listener);
        let mut entrance = Entrance::new(listener, self.clock);
        loop {
            let (stream, address) = entrance.accept().await;
            self.take_in(stream, address).await;
        }
    }

    /// Begins to serve one connection.
    async fn take_in(&self, stream: TcpStream, address: SocketAddr) {
        let token = match random_bytes() {
            Ok(bytes) => Token(bytes),
            Err(error) => {
                tracing::error!("no random numbers, so no connections: {error}");
                return;
            }
        };
        // A connection that cannot be set up is as good as gone.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.budget.clone()));
        let connected = Message::Connected {
            connection: id,
            address: address.ip().to_canonical(),
            token,
            outbox: outbox.clone(),
        };
        if self.engine.send(connected).await.is_err() {
            return;
        }
        let connection = Connection {
            id,
            stream,
            outbox,
            head: self.head.clone(),
            engine: self.engine.clone(),
            bucket: self.bucket(),
            clock: self.clock,
        };
        tokio::spawn(connection.run());
    }

    /// A full bucket, as fast as a new connection may send.
    fn bucket(&self) -> TokenBucket {
        let settings = self.settings.borrow();
        TokenBucket::new(settings.hub.burst, settings.hub.frames_per_minute)
    }

    /// Tells which address is listened on: scripts and people wait for this
    /// line.
    fn tell_address(&self, listener: &TcpListener) {
        if let Ok(address) = listener.local_addr() {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "listening on {address}");
            self.listening.send_modify(|all| all.push(address));
        }
    }
}
