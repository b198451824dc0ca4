//! Floor 3: the server's driver. Sockets, clock, log, systemd; no decisions.
//!
//! ```text
//! socket ─ connection ─▶ engine: hub ─▶ log ─▶ hub ─▶ fanout ─▶ feed ─▶ outgoing ─ connection ─ socket
//! ```
//!
//! One task for each connection, one for each listener, one for the engine.
//! The engine's task owns the hub; connections share with it only their
//! outbox and the feeds of their rooms.

mod complaints;
mod connection;
mod engine;
mod fanout;
mod feed;
mod listen;
pub mod log;
mod outbox;
mod outgoing;
mod service;

pub use fanout::FanoutLimits;
pub use listen::ListenError;

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::connection::Connection;
use self::engine::{Engine, EngineHandle, Message};
use self::fanout::PublishedHead;
use self::listen::{Bound, Entrance};
use self::log::{Log, MemoryLimits, MemoryLog, SqliteLog, StoreError, StoreSettings};
use self::outbox::{Budget, Outbox};
use crate::hub::{ConnectionId, Restored};
use crate::model::TokenBucket;
use crate::model::{HubSettings, LogId, Token};
use crate::os::{Clock, random_bytes};
use crate::systemd;

/// Advice to clients when a server that stops will be back, in
/// milliseconds: a restart takes about so long.
const COME_BACK_AFTER: u32 = 2_000;

/// A server that stops is gone after this time, whoever still hangs on.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

/// Everything that can be set of a server. Made by `config`.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// What the hub goes by.
    pub hub: HubSettings,
    /// Where to listen; empty for the default.
    pub listen: Vec<SocketAddr>,
    /// Where messages are kept.
    pub log: LogSettings,
    /// How much may wait to be sent.
    pub backlog: FanoutLimits,
}

/// Where messages are kept, and how long.
#[derive(Clone, Debug)]
pub enum LogSettings {
    /// Until the server stops.
    Memory(MemoryLimits),
    /// Beyond that.
    Disk(StoreSettings),
}

impl LogSettings {
    /// Opens the log; gives it, and what the hub takes over.
    fn open(self) -> Result<(Box<dyn Log>, Restored), ServerError> {
        match self {
            Self::Memory(limits) => {
                let log_id = LogId(random_bytes().map_err(ServerError::Random)?);
                Ok((Box::new(MemoryLog::new(limits)), Restored::empty(log_id)))
            }
            Self::Disk(settings) => {
                let (log, restored) = SqliteLog::open(settings)?;
                Ok((Box::new(log), restored))
            }
        }
    }
}

impl Default for ServerSettings {
    /// What a bare `chat-server` does.
    fn default() -> Self {
        Self {
            hub: HubSettings::default(),
            listen: Vec::new(),
            log: LogSettings::Memory(MemoryLimits::default()),
            backlog: FanoutLimits::default(),
        }
    }
}

/// Why a server cannot run. Nothing of it is left running.
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The log cannot be opened.
    #[error("cannot open the log")]
    Log(#[from] StoreError),
    /// A bug has ended the engine.
    #[error("a bug has ended the server's engine")]
    Engine,
    /// The operating system has no randomness.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

/// Runs a server until `stop` is ready; then tells everybody goodbye and
/// returns within two seconds.
///
/// # Errors
/// [`ServerError`] if it cannot begin, or not go on.
pub async fn run(
    settings: ServerSettings,
    stop: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let clock = Clock::start();
    let log = settings.log.clone();
    // A large one takes its time.
    let opened = tokio::task::spawn_blocking(|| log.open()).await;
    let (log, restored) = opened.map_err(|_| ServerError::Engine)??;

    let (engine, handle) =
        Engine::new(settings.hub.clone(), restored, log, settings.backlog, clock);
    let doorman = Doorman {
        next_id: Arc::new(AtomicU64::new(1)),
        head: engine.head(),
        budget: engine.budget(),
        engine: handle.clone(),
        bucket: TokenBucket::new(settings.hub.burst, settings.hub.frames_per_minute),
        clock,
    };
    let mut listeners = JoinSet::new();
    for bound in bind_all(&settings.listen)? {
        listeners.spawn(doorman.clone().serve(bound));
    }
    let mut helpers = JoinSet::new();
    helpers.spawn(service::keep_status(engine.people()));
    helpers.spawn(service::feed_watchdog(handle.clone()));
    let mut engine = tokio::spawn(engine.run());
    systemd::tell_ready();

    let outcome = tokio::select! {
        () = stop => Ok(()),
        // Without it nothing works: better to be started again.
        _ = &mut engine => return Err(ServerError::Engine),
    };
    systemd::tell_stopping();
    listeners.abort_all();
    handle.send_eventually(Message::ShutDown { retry_after: COME_BACK_AFTER });
    match timeout(STOP_WITHIN, engine).await {
        // It may have to wait for a disk.
        Ok(Ok(log)) => drop(tokio::task::spawn_blocking(|| log.close()).await),
        Ok(Err(_)) => return Err(ServerError::Engine),
        Err(_) => tracing::warn!("some clients did not take leave in time"),
    }
    outcome
}

/// Listens on all addresses that can be had; the default if none is named.
fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<Bound>, ListenError> {
    if addresses.is_empty() {
        return Ok(vec![listen::bind(listen::default_address())?]);
    }
    addresses.iter().map(|address| listen::bind(*address)).collect()
}

/// Takes connections in.
#[derive(Clone)]
struct Doorman {
    /// The next connection's number; all listeners count together.
    next_id: Arc<AtomicU64>,
    /// How far everything is published.
    head: Arc<PublishedHead>,
    /// What may wait in all letter boxes.
    budget: Arc<Budget>,
    /// Whom to tell of connections.
    engine: EngineHandle,
    /// A full bucket, for each connection to have its own.
    bucket: TokenBucket,
    /// The time.
    clock: Clock,
}

impl Doorman {
    /// Takes in all that come to one address, for ever; waits for the address
    /// first where the machine does not have it yet.
    async fn serve(self, bound: Bound) {
        let listener = match bound {
            Bound::Listening(listener) => listener,
            Bound::NotYet(address) => {
                tracing::warn!("{address} is no address of this machine yet; waiting for it");
                listen::bind_when_there(address).await
            }
        };
        announce(&listener);
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
            bucket: self.bucket,
            clock: self.clock,
        };
        tokio::spawn(connection.run());
    }
}

/// Says which address is listened on: scripts and people wait for this line.
fn announce(listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "listening on {address}");
    }
}
