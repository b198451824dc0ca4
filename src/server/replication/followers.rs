//! The server's side of replication: a task for each follower reads what it lacks, and sends no more
//! than it takes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::role::{End, RoleControl};
use crate::hub::{ConnectionId, ReplicationRequest};
use crate::log::{Refusal, ReplicaSource};
use crate::model::ErrorCode;
use crate::os::Clock;
use crate::server::engine::{EngineHandle, EngineInput};

/// Maximum number of followers at a time.
const MAX_FOLLOWERS: usize = 4;

/// Maximum number of bytes that are sent and not acknowledged.
const WINDOW: u64 = 128 << 10;

/// Time after which a follower is sent what has changed without a message: sessions, read marks.
const STATE_INTERVAL: Duration = Duration::from_secs(1);

/// Pause after a read, as a multiple of its duration, so that reading the state takes little of the
/// processor even where there are thousands of sessions.
const PAUSE_FACTOR: u32 = 10;

/// Followers of a server.
pub(in crate::server) struct Followers {
    /// Directory of the log; `None` if this server is a follower itself, and is not followed.
    directory: Option<PathBuf>,
    /// Queue of the engine.
    engine: EngineHandle,
    /// What ends this server's role.
    control: RoleControl,
    /// Clock of the server.
    clock: Clock,
    /// Wakes all tasks: there is something new.
    wake: Arc<Notify>,
    /// Number of bytes that each follower has taken.
    taken: BTreeMap<ConnectionId, watch::Sender<u64>>,
}

impl Followers {
    /// Creates the followers of a server whose log is in `directory`; there is none yet. `None`: it is
    /// a follower itself, which is not followed.
    pub(in crate::server) fn new(
        directory: Option<PathBuf>,
        engine: EngineHandle,
        control: RoleControl,
        clock: Clock,
    ) -> Self {
        let (wake, taken) = (Arc::new(Notify::new()), BTreeMap::new());
        Self { directory, engine, control, clock, wake, taken }
    }

    /// Begins to serve a follower. If there are too many, or there can be none, its connection is
    /// closed.
    pub(in crate::server) fn begin(
        &mut self,
        connection: ConnectionId,
        request: ReplicationRequest,
    ) {
        let error = match self.taken.len() {
            _ if self.directory.is_none() => Some(ErrorCode::Follower),
            MAX_FOLLOWERS.. => Some(ErrorCode::ServerFull),
            _ => None,
        };
        if let Some(error) = error {
            return self.engine.send_eventually(EngineInput::Failed { connection, error });
        }
        let Some(directory) = self.directory.clone() else { return };
        let (sender, taken) = watch::channel(0);
        self.taken.insert(connection, sender);
        let task = FollowerTask {
            connection,
            directory,
            engine: self.engine.clone(),
            control: self.control.clone(),
            clock: self.clock,
            wake: self.wake.clone(),
            taken,
        };
        tokio::spawn(task.run(request));
    }

    /// Notes how many bytes a follower has taken.
    pub(in crate::server) fn note_taken(&self, connection: ConnectionId, received: u64) {
        if let Some(taken) = self.taken.get(&connection) {
            taken.send_replace(received);
        }
    }

    /// Has the followers sent what is new.
    pub(in crate::server) fn wake(&self) {
        if !self.taken.is_empty() {
            self.wake.notify_waiters();
        }
    }

    /// Ends the task of a connection that is gone, if it is a follower's.
    pub(in crate::server) fn end(&mut self, connection: ConnectionId) {
        self.taken.remove(&connection);
    }
}

/// Task that serves a follower.
struct FollowerTask {
    /// Connection of the follower.
    connection: ConnectionId,
    /// Directory of the log.
    directory: PathBuf,
    /// Queue of the engine.
    engine: EngineHandle,
    /// What ends this server's role.
    control: RoleControl,
    /// Clock of the server.
    clock: Clock,
    /// Wakes the task: there is something new.
    wake: Arc<Notify>,
    /// Number of bytes that the follower has taken. It is closed when the connection is gone.
    taken: watch::Receiver<u64>,
}

impl FollowerTask {
    /// Serves the follower until its connection is gone, or the log cannot be read.
    async fn run(mut self, request: ReplicationRequest) {
        let directory = self.directory.clone();
        let opened = spawn_blocking(move || ReplicaSource::open(&directory, request)).await;
        let error = match opened {
            Ok(Ok(Ok(source))) => {
                tracing::info!(
                    "a follower has come, and has everything up to {}",
                    request.position.0
                );
                match self.serve(source).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Ok(Ok(Err(Refusal::Diverged))) => {
                tracing::warn!("a follower was refused: it has what this server does not have");
                ErrorCode::Diverged
            }
            Ok(Ok(Err(Refusal::Superseded))) => return self.end_server(request).await,
            Ok(Err(error)) => {
                tracing::error!("cannot read the log for a follower: {error}");
                ErrorCode::Internal
            }
            Err(_) => ErrorCode::Internal,
        };
        let failed = EngineInput::Failed { connection: self.connection, error };
        // Without an engine the connection is gone.
        let _ = self.engine.send(failed).await;
    }

    /// Sends the follower what it lacks, as fast as it takes it. Returns the error with which the
    /// connection ends; `None` if it is gone.
    async fn serve(&mut self, mut source: ReplicaSource) -> Option<ErrorCode> {
        let mut sent: u64 = 0;
        loop {
            // Whoever is notified while the log is read does not miss it.
            let wake = self.wake.clone();
            let woken = wake.notified();
            let mut woken = std::pin::pin!(woken);
            woken.as_mut().enable();
            while sent.saturating_sub(*self.taken.borrow_and_update()) >= WINDOW {
                self.taken.changed().await.ok()?;
            }
            let (now, begun) = (self.clock.time_of_day(), Instant::now());
            let read = spawn_blocking(move || {
                let read = source.next_bytes(now);
                (source, read)
            });
            let read = read.await.ok()?;
            source = read.0;
            match read.1 {
                Ok(Some(bytes)) => {
                    sent += bytes.len() as u64;
                    let (connection, frames) = (self.connection, Bytes::from(bytes));
                    let input = EngineInput::Replica { connection, frames };
                    self.engine.send(input).await.ok()?;
                }
                Ok(None) => {
                    let pause = begun.elapsed().saturating_mul(PAUSE_FACTOR);
                    tokio::select! {
                        () = woken => {}
                        () = sleep(STATE_INTERVAL.max(pause)) => {}
                        () = gone(&mut self.taken) => return None,
                    }
                }
                Err(error) => {
                    tracing::error!("cannot read the log for a follower: {error}");
                    return Some(ErrorCode::Internal);
                }
            }
        }
    }

    /// Ends this server, because a follower was promoted in its place.
    async fn end_server(self, request: ReplicationRequest) {
        let replaced = match self.control.replaced_by(request.epoch, request.position).await {
            Ok(replaced) => replaced,
            Err(error) => {
                tracing::error!("this server was replaced, and cannot note it: {error}");
                let (connection, error) = (self.connection, ErrorCode::Internal);
                let _ = self.engine.send(EngineInput::Failed { connection, error }).await;
                return;
            }
        };
        let (connection, error) = (self.connection, ErrorCode::Superseded);
        let _ = self.engine.send(EngineInput::Failed { connection, error }).await;
        self.control.end(End::Superseded(replaced));
    }
}

/// Waits until a connection is gone.
async fn gone(taken: &mut watch::Receiver<u64>) {
    while taken.changed().await.is_ok() {}
}
