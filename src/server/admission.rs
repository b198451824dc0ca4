//! Admission: turns an accepted socket into a connection. It is the same for all transports.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::ServerSettings;
use super::connection::{Connection, Transport};
use super::engine::{EngineHandle, EngineInput};
use super::fanout::PublishedHead;
use super::group_rates::GroupRates;
use super::memory_budget::MemoryBudget;
use super::outbox::Outbox;
use crate::hub::ConnectionId;
use crate::identity::{ChannelBinding, ProofContext};
use crate::model::{AddressGroup, IdentityKey, Token, TokenBucket};
use crate::os::{Clock, random_bytes};

/// Turns accepted sockets into connections: gives each connection an id, a session token, a
/// challenge, an outbox and a rate limit. Each acceptor has a clone. All clones share ids, memory budget and
/// the permits to linger.
#[derive(Clone)]
pub(super) struct Admission {
    /// Id of the next connection.
    pub(super) next_id: Arc<AtomicU64>,
    /// Published head: the sequence up to which the feeds of all rooms have received their entries.
    pub(super) head: Arc<PublishedHead>,
    /// Memory budget of all feeds and outboxes together.
    pub(super) budget: Arc<MemoryBudget>,
    /// Handle of the engine, which receives an event for each connection.
    pub(super) engine: EngineHandle,
    /// Settings in force, for the rate limit of new connections.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// Rate limits of the messages of each address group.
    pub(super) group_rates: Arc<GroupRates>,
    /// Public key of the server. `None` without a log on disk: then no client can prove a key.
    pub(super) server_key: Option<IdentityKey>,
    /// Clock of the server.
    pub(super) clock: Clock,
    /// Semaphore that limits the number of lingering connections. A connection lingers if, after
    /// its end, it waits until the client has closed its side too.
    pub(super) lingering: Arc<Semaphore>,
}

impl Admission {
    /// Announces a connection to the engine, and spawns its task. Waits while the engine's queue is
    /// full. `address`: IP address of the client. `binding`: what binds a proof to the connection;
    /// `None`: nothing does, so no proof is possible. `permit` is released when the task has ended and
    /// the socket is closed.
    ///
    /// If the operating system has no random numbers (logged), or the engine has ended, drops the
    /// socket without sending an error.
    pub(super) async fn admit(
        &self,
        transport: impl Transport,
        address: IpAddr,
        binding: Option<ChannelBinding>,
        permit: OwnedSemaphorePermit,
    ) {
        let drawn = random_bytes().and_then(|token| Ok((Token(token), random_bytes()?)));
        let (token, challenge) = match drawn {
            Ok(drawn) => drawn,
            Err(error) => {
                tracing::error!("no random numbers, so no connections: {error}");
                return;
            }
        };
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.budget.clone(), AddressGroup::of(address)));
        let proof_context = self
            .server_key
            .zip(binding)
            .map(|(server_key, binding)| Box::new(ProofContext { challenge, server_key, binding }));
        let connected = EngineInput::Connected {
            connection: id,
            address: address.to_canonical(),
            token,
            proof_context,
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
        let group_rate = self.group_rates.rate_of(self.clock.now(), AddressGroup::of(address));
        tokio::spawn(connection.run(transport, bucket, group_rate, permit));
    }

    /// Returns the rate limit of a joined client by the settings in force: a full token bucket.
    fn rate_limit(&self) -> TokenBucket {
        let settings = self.settings.borrow();
        TokenBucket::new(settings.hub.burst, settings.hub.frames_per_minute)
    }
}
