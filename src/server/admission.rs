//! Admission: makes a connection of an accepted socket, whatever its transport.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::ServerSettings;
use super::connection::{Connection, Transport};
use super::engine::{EngineHandle, EngineInput};
use super::fanout::PublishedHead;
use super::outbox::{MemoryBudget, Outbox};
use crate::hub::ConnectionId;
use crate::model::{AddressGroup, Token, TokenBucket};
use crate::os::{Clock, random_bytes};

/// Gives accepted sockets their connection: number, token, outbox, rate limit. Cloned for each
/// listener; all clones count together.
#[derive(Clone)]
pub(super) struct Admission {
    /// Number of the next connection.
    pub(super) next_id: Arc<AtomicU64>,
    /// The sequence up to which entries are published in all rooms.
    pub(super) head: Arc<PublishedHead>,
    /// Memory that all outboxes together may use.
    pub(super) budget: Arc<MemoryBudget>,
    /// The engine, which is told of each connection.
    pub(super) engine: EngineHandle,
    /// The settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// The clock of the server.
    pub(super) clock: Clock,
    /// A permit for each closed connection that may linger.
    pub(super) lingering: Arc<Semaphore>,
}

impl Admission {
    /// Announces a connection from `address` to the engine and spawns its task. Waits while the
    /// engine's queue is full. The connection is dropped if there are no random numbers or the
    /// engine has ended. `permit` is held for as long as the connection has its file descriptor.
    pub(super) async fn admit(
        &self,
        transport: impl Transport,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) {
        let token = match random_bytes() {
            Ok(bytes) => Token(bytes),
            Err(error) => {
                tracing::error!("no random numbers, so no connections: {error}");
                return;
            }
        };
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.budget.clone(), AddressGroup::of(address.ip())));
        let connected = EngineInput::Connected {
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
            outbox,
            head: self.head.clone(),
            engine: self.engine.clone(),
            clock: self.clock,
            lingering: self.lingering.clone(),
        };
        let bucket = self.rate_limit();
        tokio::spawn(async move {
            connection.run(transport, bucket).await;
            drop(permit);
        });
    }

    /// Returns a full token bucket with the rate that new connections have now.
    fn rate_limit(&self) -> TokenBucket {
        let settings = self.settings.borrow();
        TokenBucket::new(settings.hub.burst, settings.hub.frames_per_minute)
    }
}
