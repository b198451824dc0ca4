//! The follower's side of replication.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::super::ServerError;
use super::link::{FollowError, Link};
use super::role::{End, RoleControl, blocking};
use super::{FollowSettings, FollowState};
use crate::hub::ReplicationRequest;
use crate::log::{CopyStore, FollowedServer, ReplicaBatch, ReplicaError, StoreSettings, set_aside};
use crate::model::{ErrorCode, LogId, Sequence};
use crate::os::Clock;
use crate::tls::Fingerprint;
use crate::wire::tcp::{Replica, Replicated, replica_flag};

/// Shortest pause before the server is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause before the server is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pause of a promoted server that reaches itself at the address of its former server.
const PAUSE_AT_ITSELF: Duration = Duration::from_secs(600);

/// Number of bytes after which is acknowledged what was taken.
const ACKNOWLEDGE_AFTER: u64 = 32 << 10;

/// Maximum memory of the parts of a batch, in bytes, as they travel.
const MAX_BATCH_BYTES: u64 = 64 << 20;

/// Pause that grows from one failure to the next.
struct BackOff(Duration);

impl BackOff {
    /// Waits, and doubles the next pause.
    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

/// Receives the parts of the next batch. Acknowledges what is taken. `position`: what is stored.
///
/// # Errors
/// [`FollowError`]: the connection is over.
async fn next_batch(
    link: &mut Link,
    position: Sequence,
    epoch: u64,
) -> Result<ReplicaBatch, FollowError> {
    let begun = link.taken;
    let mut acknowledged = link.taken;
    let mut parts = Vec::new();
    loop {
        match link.next_part().await? {
            Replica::Commit(commit) => return Ok(ReplicaBatch { parts, commit, epoch }),
            part => parts.push(part),
        }
        if link.taken - acknowledged >= ACKNOWLEDGE_AFTER {
            acknowledged = link.taken;
            link.send(&Replicated { position, received: acknowledged }.into()).await?;
        }
        if link.taken - begun > MAX_BATCH_BYTES {
            return Err(ReplicaError::Malformed.into());
        }
    }
}

/// Copies everything from the server, however often the connection is lost meanwhile.
///
/// # Errors
/// [`ServerError`]: the store cannot be used. A server that cannot be reached, or refuses, is tried
/// again.
pub(super) async fn copy_until_complete(
    follow: &FollowSettings,
    store: &StoreSettings,
) -> Result<(), ServerError> {
    let mut back_off = BackOff(FIRST_PAUSE);
    // It is not forgotten with a copy that is set aside.
    let mut known = None;
    loop {
        match copy(follow, &store.directory, &mut known).await {
            Ok(()) => return Ok(()),
            Err(FollowError::OtherLog) => drop(blocking(&store.directory, set_aside).await?),
            Err(error) => tracing::warn!("cannot copy from {}: {error}", follow.name()),
        }
        back_off.wait().await;
    }
}

/// Copies from the server, from the position that was reached, until the copy is complete.
/// `fingerprint`: that of the server, as far as it is known.
async fn copy(
    follow: &FollowSettings,
    directory: &Path,
    fingerprint: &mut Option<Fingerprint>,
) -> Result<(), FollowError> {
    let failed = |error: &dyn std::fmt::Display| FollowError::Store(error.to_string());
    let path = directory.to_path_buf();
    let opened = spawn_blocking(move || CopyStore::open(&path)).await;
    let opened = opened.map_err(|error| failed(&error))?;
    let mut store = opened.map_err(|error| failed(&error))?;
    let path = directory.to_path_buf();
    let known = spawn_blocking(move || FollowedServer::read(&path)).await;
    let known = known.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let (log_id, mut position) = store.position().map_err(ReplicaError::from)?;
    let request = ReplicationRequest { log_id, position, epoch: known.epoch };
    *fingerprint = known.fingerprint.or(*fingerprint);
    let known = FollowedServer { fingerprint: *fingerprint, ..known };
    let mut link = Link::open(follow, &known, request).await?;
    *fingerprint = Some(link.fingerprint);
    let Replica::Begin(begin) = link.next_part().await? else {
        return Err(ReplicaError::Malformed.into());
    };
    if begin.is_whole && position > Sequence::ZERO {
        return Err(FollowError::OtherLog);
    }
    store.begin(&begin, link.fingerprint).map_err(ReplicaError::from)?;
    loop {
        let batch = next_batch(&mut link, position, begin.epoch).await?;
        let commit = batch.commit;
        let applied = spawn_blocking(move || {
            let applied = store.apply(batch);
            (store, applied)
        });
        let applied = applied.await.map_err(|error| failed(&error))?;
        store = applied.0;
        applied.1?;
        position = commit.head;
        if commit.flags & replica_flag::CAUGHT_UP != 0 {
            tracing::info!("the copy is complete");
            return Ok(());
        }
        link.send(&Replicated { position, received: link.taken }.into()).await?;
    }
}

/// Follower that has a complete copy and serves its readers.
struct Follower {
    /// Settings.
    follow: FollowSettings,
    /// Directory of the copy.
    store: StoreSettings,
    /// Log id and position of the copy.
    at: (LogId, Sequence),
    /// The open log, and the end of the role.
    control: RoleControl,
    /// Clock.
    clock: Clock,
    /// How far it is.
    state: watch::Sender<FollowState>,
}

/// Follows the server until the role ends: applies what it sends, and connects again when the
/// connection is lost. `at`: log id and position of the copy.
pub(in crate::server) async fn follow(
    follow: FollowSettings,
    store: StoreSettings,
    at: (LogId, Sequence),
    control: RoleControl,
    clock: Clock,
    state: watch::Sender<FollowState>,
) {
    let mut follower = Follower { follow, store, at, control, clock, state };
    let mut back_off = BackOff(FIRST_PAUSE);
    let mut told = String::new();
    loop {
        let before = follower.at.1;
        let Err(error) = follower.run().await else { return };
        let text = error.to_string();
        if text != told {
            tracing::warn!("not following {}: {text}", follower.follow.name());
            told.clone_from(&text);
        }
        if follower.at.1 != before {
            back_off = BackOff(FIRST_PAUSE);
            told.clear();
        }
        follower.state.send_modify(|it| {
            if it.is_connected && it.is_complete {
                // It was, as long as the server was heard.
                it.complete_at = it.heard_at;
            }
            it.is_connected = false;
            it.error = Some(text);
        });
        back_off.wait().await;
    }
}

impl Follower {
    /// Follows the server over one connection. Returns without an error when the role has ended.
    async fn run(&mut self) -> Result<(), FollowError> {
        let known = blocking(&self.store.directory, FollowedServer::read).await;
        let known = known.map_err(|error| FollowError::Store(error.to_string()))?;
        let (log_id, position) = self.at;
        self.state.send_modify(|it| {
            it.server = self.follow.name();
            it.position = position;
        });
        let request = ReplicationRequest { log_id, position, epoch: known.epoch };
        let mut link = Link::open(&self.follow, &known, request).await?;
        let Replica::Begin(begin) = link.next_part().await? else {
            return Err(ReplicaError::Malformed.into());
        };
        if begin.is_whole && (begin.log_id != log_id || position > Sequence::ZERO) {
            tracing::warn!("{}", FollowError::OtherLog);
            self.control.log.make_anew().await?;
            self.control.end(End::Reopen);
            return Ok(());
        }
        tracing::info!("following {}, from {}", self.follow.name(), position.0);
        self.state.send_modify(|it| {
            it.is_connected = true;
            // It may be that something came while there was no connection.
            it.is_complete = false;
            it.error = None;
        });
        let (state, clock) = (self.state.clone(), self.clock);
        link.on_heard = Some(Box::new(move || {
            state.send_modify(|it| it.heard_at = Some(clock.now()));
        }));
        loop {
            let batch = next_batch(&mut link, self.at.1, begin.epoch).await?;
            let is_complete = batch.commit.flags & replica_flag::CAUGHT_UP != 0;
            let applied = self.control.log.apply(batch).await?;
            self.at.1 = applied.head;
            let now = self.clock.now();
            self.state.send_modify(|it| {
                it.position = applied.head;
                it.is_complete = is_complete;
                if is_complete {
                    it.complete_at = Some(now);
                }
            });
            if applied.must_reopen {
                self.control.end(End::Reopen);
                return Ok(());
            }
            let taken = Replicated { position: applied.head, received: link.taken };
            link.send(&taken.into()).await?;
        }
    }
}

/// Asks a server to be followed from a position, by a promoted server. Nothing is followed.
///
/// # Errors
/// [`FollowError`]: it refuses, or cannot be reached.
async fn ask(
    follow: &FollowSettings,
    known: &FollowedServer,
    log_id: LogId,
    position: Sequence,
) -> Result<(), FollowError> {
    let request = ReplicationRequest { log_id, position, epoch: known.epoch };
    Link::open(follow, known, request).await?.next_part().await.map(drop)
}

/// Tells the former server that this one was promoted, until it knows. It then ends, lastingly.
///
/// This server may have got the address of the former one, and then reaches itself. Only it is not
/// refused at the end of the void that it has made.
pub(in crate::server) async fn tell_former_server(
    follow: FollowSettings,
    store: StoreSettings,
    log_id: LogId,
    control: RoleControl,
) {
    let mut back_off = BackOff(FIRST_PAUSE);
    let mut has_warned = false;
    loop {
        if let Ok(known) = blocking(&store.directory, FollowedServer::read).await {
            match ask(&follow, &known, log_id, known.promoted_at).await {
                Err(error) if error.is(ErrorCode::Superseded) => {
                    tracing::info!("{} knows that it was replaced", follow.name());
                    return control.log.note_told();
                }
                Err(error) => tracing::debug!("the former server does not know yet: {error}"),
                // It has an epoch as great.
                Ok(()) => match ask(&follow, &known, log_id, known.leaped_to).await {
                    Ok(()) => {
                        tracing::info!(
                            "{} is this server by now, so its former server cannot be told there",
                            follow.name()
                        );
                        sleep(PAUSE_AT_ITSELF).await;
                    }
                    Err(error) if error.is(ErrorCode::Diverged) && !has_warned => {
                        has_warned = true;
                        tracing::error!(
                            "{} is a promoted server, too: decide which one is to go on, and stop \
                             the other",
                            follow.name()
                        );
                    }
                    Err(error) => tracing::debug!("the former server: {error}"),
                },
            }
        }
        back_off.wait().await;
    }
}
