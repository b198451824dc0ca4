//! Queue of the engine: its inputs, and the handle by which connections, listeners and services put
//! them there.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::super::control::{ControlAnswer, ControlList};
use super::super::metrics::LatencyHistogram;
use super::super::outbox::Outbox;
use super::super::quota_log::Pressure;
use super::owner_requests::ModerationOutcome;
use crate::hub::{ConnectionId, HubStats, Quota};
use crate::identity::ProofContext;
use crate::model::{AnnouncementText, ErrorCode, HubSettings, ModerationRequest, PageUrl, Token};
use crate::wire::tcp::{ClientFrame, Decoded};

/// Maximum number of inputs in the engine's queue. While the queue is full, senders wait.
const QUEUE_CAPACITY: usize = 1_024;

/// Maximum memory of all frames in the engine's queue, in bytes. While it is used up, connections
/// wait.
const QUEUE_MEMORY: usize = 4 << 20;

/// Event for the engine. Connections, listeners and services put events into the engine's queue.
/// What is large and rare is boxed: the queue has places of this size.
#[derive(Debug)]
pub(in crate::server) enum EngineInput {
    /// A connection was admitted.
    Connected {
        /// New connection.
        connection: ConnectionId,
        /// IP address of the client.
        address: IpAddr,
        /// Random token, new for each connection. It becomes the session token if this connection
        /// starts a new session.
        token: Token,
        /// What a proof on the connection signs. `None`: no proof is possible.
        proof_context: Option<Box<ProofContext>>,
        /// Outbox of the connection. The connection's task takes frames and commands from it.
        outbox: Arc<Outbox>,
    },
    /// Frames were received.
    Received {
        /// Connection that received the frames.
        connection: ConnectionId,
        /// Frames, in the order received.
        frames: Vec<Decoded<ClientFrame>>,
        /// Permits for the memory of the frames, a part of [`QUEUE_MEMORY`]. They are released when
        /// all frames are handled.
        memory: OwnedSemaphorePermit,
    },
    /// A connection's task asks to close the connection with an error, because its client violates
    /// the protocol or is too slow.
    Failed {
        /// Connection to close.
        connection: ConnectionId,
        /// Error to send.
        error: ErrorCode,
    },
    /// A connection is read more slowly, because its address group sends too many messages.
    GroupLimited {
        /// Connection that is read more slowly.
        connection: ConnectionId,
    },
    /// A connection has taken everything before a [`Delivery::Mark`](crate::hub::Delivery::Mark) out of its outbox.
    MarkReached {
        /// Connection that reached the mark.
        connection: ConnectionId,
    },
    /// A client has closed its sending half, or its whole socket.
    HalfClosed {
        /// Connection that is half-closed.
        connection: ConnectionId,
        /// True if received bytes were not passed on, such as a part of a frame: the connection
        /// counts as cut off. False if the client leaves.
        in_frame: bool,
    },
    /// A connection's task has ended.
    Disconnected {
        /// Connection that is gone.
        connection: ConnectionId,
    },
    /// Liveness probe of the watchdog or of a status report. The hub's `pong` travels through the
    /// fan-out to `outbox`.
    Probe {
        /// Connection number reserved for probes.
        connection: ConnectionId,
        /// Outbox that receives the `pong`.
        outbox: Arc<Outbox>,
    },
    /// Query for a snapshot of the counters.
    QueryStats {
        /// Receives the snapshot.
        answer: oneshot::Sender<EngineStats>,
    },
    /// Owner's announcement to all users.
    Announce {
        /// Text of the announcement.
        text: AnnouncementText,
        /// Receives the number of connected users.
        answer: oneshot::Sender<usize>,
    },
    /// Moderation request of the owner.
    Moderate {
        /// The request.
        request: Box<ModerationRequest>,
        /// Receives the result when the log has committed or refused the action. Nothing is sent
        /// if the engine ends before.
        answer: oneshot::Sender<ModerationOutcome>,
    },
    /// Query of the owner for a list.
    List {
        /// What to list.
        list: ControlList,
        /// Receives the list.
        answer: oneshot::Sender<ControlAnswer>,
    },
    /// Frames for a follower, as encoded.
    Replica {
        /// Connection of the follower.
        connection: ConnectionId,
        /// The frames, one behind the other.
        frames: Bytes,
    },
    /// New settings of the hub, and in them the retention of the log, to be applied at once.
    SettingsChanged(Box<HubSettings>),
    /// URL of the page for browsers that others reach; `None` if there is none.
    PageUrl(Option<PageUrl>),
    /// Shutdown request: closes all connections with error 111, and ends the engine when they are
    /// gone, at the latest after [`SHUTDOWN_TIMEOUT`](super::SHUTDOWN_TIMEOUT). Before that, waits for the log to answer the
    /// drafts, for at most half of that time.
    ShutDown {
        /// Time after which clients should reconnect, in milliseconds.
        retry_after: u32,
    },
}

/// The queue has [`QUEUE_CAPACITY`] places, and tasks hold an input while they wait for one.
const _: () = assert!(size_of::<EngineInput>() <= 64, "box what is large");

/// Snapshot of the engine's counters.
#[derive(Debug)]
pub(in crate::server) struct EngineStats {
    /// State of the hub: counters, server name, head, and storage health.
    pub(in crate::server) hub: HubStats,
    /// Number of messages committed since the server was started.
    pub(in crate::server) messages: u64,
    /// Number of messages committed in the last 60 seconds.
    pub(in crate::server) last_minute: u64,
    /// Number of times since the start that address groups have reached a limit, for each limit.
    pub(in crate::server) refusals: Vec<(Quota, u64)>,
    /// Address group that has reached a limit most often, in this minute or the last one. `None` if
    /// no group has.
    pub(in crate::server) pressure: Option<Pressure>,
    /// Memory of all feeds and outboxes, in bytes.
    pub(in crate::server) unsent: usize,
    /// Latencies of messages since the start; `None` if they are not measured.
    pub(in crate::server) latency: Option<LatencyHistogram>,
}

/// Sending end of the engine's queue.
#[derive(Clone, Debug)]
pub(in crate::server) struct EngineHandle {
    /// Queue of inputs.
    inputs: mpsc::Sender<EngineInput>,
    /// Unused part of [`QUEUE_MEMORY`]: one permit for each byte.
    memory: Arc<Semaphore>,
}

/// Error: the engine has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct EngineGone;

impl EngineHandle {
    /// Puts an input into the queue. Waits while the queue is full.
    ///
    /// # Errors
    /// [`EngineGone`] if the engine has ended.
    pub(in crate::server) async fn send(&self, message: EngineInput) -> Result<(), EngineGone> {
        match self.inputs.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(EngineGone),
            // The tasks of all connections have this future in them, and seldom have to wait.
            Err(TrySendError::Full(message)) => {
                Box::pin(self.inputs.send(message)).await.or(Err(EngineGone))
            }
        }
    }

    /// Puts a connection's frames into the queue. Waits while the queue is full or its memory is
    /// used up. `memory`: memory of the frames, in bytes; at most [`QUEUE_MEMORY`] of it is
    /// reserved.
    ///
    /// # Errors
    /// [`EngineGone`] if the engine has ended.
    pub(in crate::server) async fn send_frames(
        &self,
        connection: ConnectionId,
        frames: Vec<Decoded<ClientFrame>>,
        memory: usize,
    ) -> Result<(), EngineGone> {
        let permits = u32::try_from(memory.min(QUEUE_MEMORY)).unwrap_or(u32::MAX);
        let memory = match self.memory.clone().try_acquire_many_owned(permits) {
            Ok(memory) => memory,
            Err(_) => {
                let memory = Box::pin(self.memory.clone().acquire_many_owned(permits));
                memory.await.or(Err(EngineGone))?
            }
        };
        self.send(EngineInput::Received { connection, frames, memory }).await
    }

    /// Waits until the engine has ended. Inputs that it has not taken from the queue by then are
    /// dropped.
    pub(in crate::server) async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// Puts an input into the queue without waiting. If the queue is full, a spawned task waits
    /// instead; inputs sent later may then arrive earlier. Drops the input if the engine has ended.
    /// Call it in the tokio runtime.
    pub(in crate::server) fn send_eventually(&self, message: EngineInput) {
        if let Err(TrySendError::Full(message)) = self.inputs.try_send(message) {
            let sender = self.inputs.clone();
            tokio::spawn(async move { sender.send(message).await });
        }
    }
}

/// Creates an empty queue. Returns its handle and its receiving end.
pub(super) fn queue() -> (EngineHandle, mpsc::Receiver<EngineInput>) {
    let (sender, inputs) = mpsc::channel(QUEUE_CAPACITY);
    (EngineHandle { inputs: sender, memory: Arc::new(Semaphore::new(QUEUE_MEMORY)) }, inputs)
}

/// Returns the handle of a queue whose engine answers nothing, and the queue. When it is dropped,
/// the engine has ended.
#[cfg(test)]
pub(in crate::server) fn unanswered_handle() -> (EngineHandle, mpsc::Receiver<EngineInput>) {
    queue()
}
