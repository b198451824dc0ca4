//! Client's connection: a task that owns the socket, passes received frames to the engine, and
//! writes the frames that are due.
//!
//! | file | part |
//! |---|---|
//! | `transport` | the socket: how the bytes of frames travel |
//! | `inbound` | received bytes: framing, rate limit |
//! | `outgoing` | bytes to send: the rooms' feeds and the connection's outbox, merged |
//! | here | the state of the connection between them: paused, blocked, closing |

mod inbound;
mod outgoing;
mod transport;

use std::future::pending;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{Interest, Ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use self::inbound::{Cut, Inbound};
use self::outgoing::Outgoing;
pub(super) use self::transport::{LINGER, Transport};
use crate::hub::ConnectionId;
use crate::model::limits::{SHUTDOWN_GRACE, SLOW_READER_TIMEOUT};
use crate::model::{ErrorCode, Moment, NoticeCode, TokenBucket};
use crate::os::Clock;
use crate::server::engine::{EngineHandle, EngineInput};
use crate::server::fanout::PublishedHead;
use crate::server::group_rates::GroupRate;
use crate::server::outbox::Outbox;
use crate::wire::FrameError;
use crate::wire::tcp::{Notice, ServerFrame};

/// Maximum number of bytes read at a time. The buffer is on the stack, and only during a read, so
/// an idle connection holds no memory for it.
const READ_SIZE: usize = 8_192;

/// Maximum number of slices (pieces of due frames) in one write.
const WRITE_SLICES: usize = 64;

/// Number of written bytes after which a connection lets other tasks run before it writes more. A
/// socket may take megabytes at once, for instance on the loopback interface, and writing them
/// would hold up other tasks.
const WRITE_TURN: usize = 32 << 10;

/// Identity of a connection, and its handles to the rest of the server. Created by
/// [`super::admission`].
pub(super) struct Connection {
    /// Id of the connection.
    pub(super) id: ConnectionId,
    /// Outbox: frames and commands of the engine for this connection alone.
    pub(super) outbox: Arc<Outbox>,
    /// Published head: the sequence up to which the feeds of all rooms have received their entries.
    pub(super) head: Arc<PublishedHead>,
    /// Handle of the engine, which receives this connection's frames and events.
    pub(super) engine: EngineHandle,
    /// Clock of the server.
    pub(super) clock: Clock,
    /// Semaphore that limits the number of lingering connections. A connection lingers if, after
    /// its end, it waits until the client has closed its side too.
    pub(super) lingering: Arc<Semaphore>,
}

/// State of a connection's task: the transport, both directions, and the state between them.
struct Driver<T> {
    /// Identity and handles of the connection.
    connection: Connection,
    /// Socket.
    transport: T,
    /// Inbound half: framing and rate limit.
    inbound: Inbound,
    /// Outgoing half: frames to send.
    outgoing: Outgoing,
    /// State of the receiving side.
    reading: Reading,
    /// Time at which the socket became blocked: the first refused write since it last took bytes.
    /// `None` if the socket takes bytes or nothing is due.
    blocked_since: Option<Moment>,
    /// Deadline of a closing connection: at this time it is cut off, even if frames are unsent.
    /// `None` until the end is requested, by this task ([`Self::give_up`]) or by the engine
    /// (`Close`).
    ends_at: Option<Moment>,
}

/// State of a connection's receiving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Bytes are read as they arrive.
    Open,
    /// Nothing is read until this time, because the client has exceeded its rate limit.
    Paused(Moment),
    /// Nothing more is read: the client has closed its sending half, or the end of the connection
    /// was requested.
    Over,
}

/// Error: nothing more can be sent on the connection. Its socket has failed, its deadline has
/// passed, or the engine has ended.
struct Gone;

impl From<io::Error> for Gone {
    /// Treats every error of the socket as a lost connection.
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Connection {
    /// Serves the client over `transport` until the connection ends. `bucket`: rate limit of the
    /// client once it has joined. `group_rate`: rate limit of the messages of its address group.
    /// After a regular end, lingers if a permit is free. Then reports the end to the engine, even
    /// if this task panics.
    ///
    /// It is no `async fn`: then each task would have its arguments in memory twice, as they came
    /// and as they are used.
    pub(super) fn run(
        self,
        transport: impl Transport,
        bucket: TokenBucket,
        group_rate: GroupRate,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send {
        let disconnect = DisconnectOnDrop { engine: self.engine.clone(), id: self.id };
        let lingering = self.lingering.clone();
        let mut driver = Driver {
            transport,
            inbound: Inbound::new(bucket, group_rate),
            outgoing: Outgoing::new(self.outbox.clone()),
            reading: Reading::Open,
            blocked_since: None,
            ends_at: None,
            connection: self,
        };
        async move {
            // A connection that may not linger is closed at once. Then bytes that the client has
            // not read yet may be lost.
            if driver.serve().await.is_ok()
                && let Ok(_permit) = lingering.try_acquire()
            {
                // Boxed, because it is large for some transports, and the task is not.
                Box::pin(driver.transport.close(driver.outgoing.end_error())).await;
            } else {
                drop(driver.transport);
            }
            drop(disconnect);
            drop(permit);
        }
    }
}

/// Guard that sends [`EngineInput::Disconnected`] for a connection when it is dropped.
struct DisconnectOnDrop {
    /// Handle of the engine, which receives the event.
    engine: EngineHandle,
    /// Id of the connection.
    id: ConnectionId,
}

impl Drop for DisconnectOnDrop {
    fn drop(&mut self) {
        self.engine.send_eventually(EngineInput::Disconnected { connection: self.id });
    }
}

impl<T: Transport> Driver<T> {
    /// Runs the connection's loop: writes the due frames, waits for an event and handles it.
    /// Returns when the engine has closed the connection and everything is sent.
    ///
    /// # Errors
    /// [`Gone`] if the connection is lost earlier.
    async fn serve(&mut self) -> Result<(), Gone> {
        loop {
            self.write_due().await?;
            if self.outgoing.is_finished() {
                return Ok(());
            }
            let interest = self.interest();
            let deadline = self.deadline();
            tokio::select! {
                () = self.connection.outbox.woken() => self.on_wakeup().await?,
                ready = ready(&self.transport, interest) => {
                    if ready?.is_readable() && self.reading == Reading::Open {
                        self.read().await?;
                    }
                }
                () = wait_until(deadline, self.connection.clock) => self.on_deadline().await?,
            }
        }
    }

    /// Handles a wake-up of the outbox. If the socket is blocked and the feed of a room no longer
    /// holds the connection's next entry, gives the client up as too slow. Writes nothing: the loop
    /// does.
    async fn on_wakeup(&mut self) -> Result<(), Gone> {
        if self.blocked_since.is_some() && self.outgoing.is_behind() {
            self.give_up(ErrorCode::TooSlow).await?;
        }
        Ok(())
    }

    /// Returns the readiness to wait for at the socket: writable while it is blocked, otherwise
    /// readable while [`Reading::Open`], otherwise `None`. While the socket is blocked nothing is
    /// read, so a slow client can request only a limited amount.
    fn interest(&self) -> Option<Interest> {
        if self.blocked_since.is_some() {
            Some(Interest::WRITABLE)
        } else if self.reading == Reading::Open {
            Some(Interest::READABLE)
        } else {
            None
        }
    }

    /// Returns the time at which the next timer expires: the end of a rate-limit pause, the
    /// slow-reader time-out, or the deadline of a closing connection. `None` if no timer runs.
    fn deadline(&self) -> Option<Moment> {
        let paused = match self.reading {
            Reading::Paused(until) => Some(until),
            Reading::Open | Reading::Over => None,
        };
        // Once the end was requested, its own deadline replaces the slow-reader time-out.
        let blocked = self.blocked_since.filter(|_| self.ends_at.is_none());
        let blocked = blocked.map(|since| since + SLOW_READER_TIMEOUT);
        [paused, blocked, self.ends_at].into_iter().flatten().min()
    }

    /// Handles the timers of [`Self::deadline`] that have expired. After a rate-limit pause, passes
    /// on the delayed frames. After the slow-reader time-out, gives the client up as too slow.
    ///
    /// # Errors
    /// [`Gone`] if the deadline of a closing connection has passed, or the engine has ended.
    async fn on_deadline(&mut self) -> Result<(), Gone> {
        let now = self.connection.clock.now();
        if self.ends_at.is_some_and(|at| at <= now) {
            return Err(Gone);
        }
        if matches!(self.reading, Reading::Paused(until) if until <= now) {
            let cut = self.inbound.cut(&[], now);
            self.pass_on(cut).await?;
        }
        if self.blocked_since.is_some_and(|since| since + SLOW_READER_TIMEOUT <= now) {
            self.give_up(ErrorCode::TooSlow).await?;
        }
        Ok(())
    }

    /// Asks the engine to close this connection with `error`. Does nothing if the end was requested
    /// already. From now on nothing is read, and no entries of the rooms are collected. The
    /// connection closes when the engine's error frame is written, or after [`SHUTDOWN_GRACE`].
    async fn give_up(&mut self, error: ErrorCode) -> Result<(), Gone> {
        if self.ends_at.is_none() {
            self.outgoing.stop_reading_rooms();
            self.reading = Reading::Over;
            self.ends_at = Some(self.connection.clock.now() + SHUTDOWN_GRACE);
            let connection = self.connection.id;
            self.connection
                .engine
                .send(EngineInput::Failed { connection, error })
                .await
                .or(Err(Gone))?;
        }
        Ok(())
    }

    /// Collects and writes frames until nothing is due or the socket takes no more bytes. Lets
    /// other tasks run after each [`WRITE_TURN`] bytes.
    ///
    /// Also handles the collected commands: applies the rate limit of a client that has joined,
    /// reports a mark to the engine, and at the engine's `Close` stops reading and starts the
    /// deadline. If a feed no longer holds the next entry, gives the client up as too slow.
    async fn write_due(&mut self) -> Result<(), Gone> {
        let mut written = 0;
        loop {
            if written >= WRITE_TURN {
                written = 0;
                yield_now().await;
            }
            if self.outgoing.collect(self.connection.head.get()).is_err() {
                self.give_up(ErrorCode::TooSlow).await?;
            }
            if self.outgoing.has_joined() {
                self.inbound.set_joined();
            }
            if self.outgoing.take_mark() {
                let message = EngineInput::MarkReached { connection: self.connection.id };
                self.connection.engine.send(message).await.or(Err(Gone))?;
            }
            if self.outgoing.is_closing() && self.ends_at.is_none() {
                self.reading = Reading::Over;
                self.ends_at = Some(self.connection.clock.now() + SHUTDOWN_GRACE);
            }
            if self.outgoing.due().is_empty() {
                self.blocked_since = None;
                return Ok(());
            }
            match self.write_once() {
                Ok(Some(count)) => written += count,
                Ok(None) => return Ok(()),
                Err(error) => return self.on_failed_write(&error).await,
            }
        }
    }

    /// Returns the event that the client has closed its sending half.
    fn half_closed(&self) -> EngineInput {
        let in_frame = self.inbound.has_rest();
        EngineInput::HalfClosed { connection: self.connection.id, in_frame }
    }

    /// Writes due frames once, at most [`WRITE_SLICES`] pieces; at least one must be due. Returns
    /// the number of bytes that the socket has taken; 0 if a signal has interrupted the write.
    /// Returns `None` if the socket takes no bytes now: it then counts as blocked.
    ///
    /// # Errors
    /// The socket has failed: call [`Self::on_failed_write`].
    fn write_once(&mut self) -> io::Result<Option<usize>> {
        let due = self.outgoing.due();
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        for (slice, bytes) in slices.iter_mut().zip(due) {
            *slice = IoSlice::new(bytes);
        }
        let slices = slices.get(..due.len().min(WRITE_SLICES)).unwrap_or_default();
        match self.transport.try_write(slices) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.outgoing.written(count);
                self.blocked_since = None;
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked_since.get_or_insert(self.connection.clock.now());
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// Handles a failed write: the client has closed the socket, or the connection is lost. First
    /// passes on the frames that had arrived before, as far as the rate limit lets them: the last
    /// message of a client that is killed must not get lost. If the error is a broken pipe, the
    /// client has closed the socket; unless reading is over, reports that to the engine as a
    /// half-close.
    ///
    /// # Errors
    /// Always [`Gone`].
    async fn on_failed_write(&mut self, error: &io::Error) -> Result<(), Gone> {
        while self.reading == Reading::Open {
            // Boxed, because it is large and rare. If the socket is still open, nothing may come.
            let ready = ready(&self.transport, Some(Interest::READABLE));
            let Ok(ready) = Box::pin(timeout(LINGER, ready)).await else { break };
            ready?;
            match self.read_and_cut() {
                Ok((cut, false)) => self.pass_on(cut).await?,
                Ok((_, true)) | Err(_) => break,
            }
        }
        if error.kind() == ErrorKind::BrokenPipe && self.reading != Reading::Over {
            self.connection.engine.send_eventually(self.half_closed());
        }
        Err(Gone)
    }

    /// Reads once and passes the complete frames to the engine. At the end of the client's stream,
    /// also stops reading and tells the engine, unless a rate limit delays frames: then the next
    /// read after the pause finds the end. After a violation of the transport's rules, requests the
    /// end of the connection.
    async fn read(&mut self) -> Result<(), Gone> {
        // Nothing below makes a task wait whose client sends without a pause.
        consume_budget().await;
        let (cut, at_end) = match self.read_and_cut() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return self.give_up(ErrorCode::Malformed).await;
            }
            Err(error) => return Err(error.into()),
        };
        self.pass_on(cut).await?;
        if at_end && self.reading == Reading::Open {
            // The client sends nothing more, but may still want to receive the due frames. The
            // engine closes the connection when they are sent.
            self.reading = Reading::Over;
            self.connection.engine.send(self.half_closed()).await.or(Err(Gone))?;
        }
        Ok(())
    }

    /// Reads once. Returns the frames, and true if the client has closed its sending half. It is
    /// not `async`: otherwise the buffer would be a part of each of thousands of tasks.
    ///
    /// # Errors
    /// Those of [`Transport::try_read`].
    fn read_and_cut(&mut self) -> io::Result<(Cut, bool)> {
        let mut buffer = [0; READ_SIZE];
        let count = self.transport.try_read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        Ok((self.inbound.cut(bytes, self.connection.clock.now()), count == 0))
    }

    /// Passes the cut frames to the engine. Waits while the engine's queue is full. Pauses a client
    /// that exceeds a rate limit, and tells the engine if it is the limit of the address group.
    /// Otherwise ends a pause. After a violation of the framing rules, requests the end of the
    /// connection.
    async fn pass_on(&mut self, cut: Cut) -> Result<(), Gone> {
        let connection = self.connection.id;
        self.slow_down(cut.wait, cut.is_group_limited);
        if cut.is_group_limited {
            let input = EngineInput::GroupLimited { connection };
            self.connection.engine.send(input).await.or(Err(Gone))?;
        }
        if !cut.frames.is_empty() {
            let engine = &self.connection.engine;
            engine.send_frames(connection, cut.frames, cut.memory).await.or(Err(Gone))?;
        }
        match cut.error {
            None => Ok(()),
            Some(FrameError::Empty) => self.give_up(ErrorCode::Malformed).await,
            Some(FrameError::TooLarge) => self.give_up(ErrorCode::FrameTooLarge).await,
            Some(FrameError::NotPiChat) => self.give_up(ErrorCode::NotPiChat).await,
        }
    }

    /// Pauses reading for `wait`, and queues a `slow_down` notice if one is due
    /// ([`Inbound::slow_down_text`]). If `wait` is zero, opens reading again instead.
    /// `is_group_limited`: true if the address group is the reason.
    fn slow_down(&mut self, wait: Duration, is_group_limited: bool) {
        if wait.is_zero() {
            self.reading = Reading::Open;
            return;
        }
        self.reading = Reading::Paused(self.connection.clock.now() + wait);
        if let Some(text) = self.inbound.slow_down_text(wait, is_group_limited) {
            let notice = Notice::new(NoticeCode::SlowDown, text);
            let mut bytes = Vec::new();
            ServerFrame::from(notice).encode(&mut bytes);
            self.outgoing.push(bytes.into());
        }
    }
}

/// Waits until the socket is ready for `interest`. Never returns if that is `None`.
async fn ready(transport: &impl Transport, interest: Option<Interest>) -> io::Result<Ready> {
    match interest {
        Some(interest) => transport.ready(interest).await,
        None => pending().await,
    }
}

/// Waits until `deadline`. Never returns if that is `None`.
async fn wait_until(deadline: Option<Moment>, clock: Clock) {
    match deadline {
        Some(at) => sleep_until(clock.instant(at).into()).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// Returns the size of what a function returns.
    fn returned_size<A, B, C, D, E, R>(_: impl FnOnce(A, B, C, D, E) -> R) -> usize {
        size_of::<R>()
    }

    /// Thousands of clients may be connected, most of them idle, so their tasks are small.
    #[test]
    fn task_of_a_connection_is_small() {
        let run = |connection: Connection, stream: TcpStream, bucket, group_rate, permit| {
            connection.run(stream, bucket, group_rate, permit)
        };
        assert!(returned_size(run) <= 1_056, "{}", returned_size(run));
    }
}
