//! One client's connection: a task that owns the socket, cuts what it reads
//! into frames for the engine, and writes what is due.

mod outgoing;

use std::future::pending;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use self::outgoing::Outgoing;
use crate::hub::ConnectionId;
use crate::model::TokenBucket;
use crate::model::limits::{SHUTDOWN_GRACE, SLOW_READER_TIMEOUT};
use crate::model::{ErrorCode, Moment, NoticeCode};
use crate::os::Clock;
use crate::server::engine::{EngineHandle, Message};
use crate::server::fanout::PublishedHead;
use crate::server::outbox::Outbox;
use crate::wire::tcp::{ClientFrame, Notice, Received, ServerFrame};
use crate::wire::{FrameError, FrameReader};

/// Bytes that are read at one time. The buffer is on the stack for the
/// moment of reading, so that a silent connection has none.
const READ_SIZE: usize = 8_192;

/// Pieces that are written at one time.
const WRITE_PIECES: usize = 64;

/// How long the other side may take to read the last words and hang up.
const LINGER: Duration = Duration::from_secs(1);

/// What the connection's task is made of.
pub(super) struct Connection {
    /// Its number.
    pub(super) id: ConnectionId,
    /// The socket.
    pub(super) stream: TcpStream,
    /// Where the engine puts what is for this connection alone.
    pub(super) outbox: Arc<Outbox>,
    /// How far everything is published.
    pub(super) head: Arc<PublishedHead>,
    /// Where frames go.
    pub(super) engine: EngineHandle,
    /// How fast this client may send.
    pub(super) bucket: TokenBucket,
    /// The time.
    pub(super) clock: Clock,
}

/// The parts of [`Connection`] with the state that they come to have.
struct Driver {
    /// See [`Connection`].
    connection: Connection,
    /// What is to be sent.
    outgoing: Outgoing,
    /// Makes frames of what is read.
    reader: FrameReader,
    /// What this side still does with the stream.
    reading: Reading,
    /// The client has been told that it sends too fast, and has not rested
    /// since.
    told_to_slow_down: bool,
    /// The socket takes nothing more since this time.
    blocked_since: Option<Moment>,
    /// The end has been asked for: it comes at this time at the latest.
    ends_at: Option<Moment>,
}

/// What becomes of what the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It is read.
    Open,
    /// The client has sent too fast: nothing is read until then.
    Paused(Moment),
    /// Nothing is read any more.
    Over,
}

/// Why a connection's loop ends without last words.
struct Gone;

impl From<io::Error> for Gone {
    /// Whatever happened to the socket, the connection is gone.
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Connection {
    /// Serves the client until one side has had enough. The engine is told
    /// of the end however it comes, even by a bug.
    pub(super) async fn run(self) {
        let farewell = Farewell { engine: self.engine.clone(), id: self.id };
        let mut driver = Driver {
            outgoing: Outgoing::new(self.outbox.clone()),
            reader: FrameReader::from_client(),
            reading: Reading::Open,
            told_to_slow_down: false,
            blocked_since: None,
            ends_at: None,
            connection: self,
        };
        if driver.serve().await.is_ok() {
            hang_up(driver.connection.stream).await;
        }
        drop(farewell);
    }
}

/// Tells the engine that a connection is gone, when it is dropped.
struct Farewell {
    /// Whom to tell.
    engine: EngineHandle,
    /// Which connection.
    id: ConnectionId,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.engine.send_eventually(Message::Disconnected { connection: self.id });
    }
}

impl Driver {
    /// Writes what is due, waits for something to happen, deals with it, and
    /// so on until everything has been said.
    async fn serve(&mut self) -> Result<(), Gone> {
        loop {
            self.write_due().await?;
            if self.outgoing.is_finished() {
                return Ok(());
            }
            let interest = self.interest();
            let deadline = self.deadline();
            tokio::select! {
                () = self.connection.outbox.rung() => self.on_bell().await?,
                ready = ready(&self.connection.stream, interest) => {
                    if ready?.is_readable() && self.reading == Reading::Open {
                        self.read().await?;
                    }
                }
                () = wait_until(deadline, self.connection.clock) => self.on_deadline().await?,
            }
        }
    }

    /// There is something new. A client that takes nothing may have fallen
    /// behind by it.
    async fn on_bell(&mut self) -> Result<(), Gone> {
        if self.blocked_since.is_some() && self.outgoing.is_behind() {
            self.give_up(ErrorCode::TooSlow).await?;
        }
        Ok(())
    }

    /// What to wait for at the socket. A client that does not take what is
    /// due is not read either: so what it asks for is bounded.
    fn interest(&self) -> Option<Interest> {
        if self.blocked_since.is_some() {
            Some(Interest::WRITABLE)
        } else if self.reading == Reading::Open {
            Some(Interest::READABLE)
        } else {
            None
        }
    }

    /// When something is to be done though nothing happens.
    fn deadline(&self) -> Option<Moment> {
        let paused = match self.reading {
            Reading::Paused(until) => Some(until),
            Reading::Open | Reading::Over => None,
        };
        // Once the end has been asked for, only the end is waited for.
        let blocked = self.blocked_since.filter(|_| self.ends_at.is_none());
        let blocked = blocked.map(|since| since + SLOW_READER_TIMEOUT);
        [paused, blocked, self.ends_at].into_iter().flatten().min()
    }

    /// Does what [`Self::deadline`] was for.
    async fn on_deadline(&mut self) -> Result<(), Gone> {
        let now = self.connection.clock.now();
        if self.ends_at.is_some_and(|at| at <= now) {
            return Err(Gone);
        }
        if matches!(self.reading, Reading::Paused(until) if until <= now) {
            let kept = self.cut(&[]);
            self.pass_on(kept).await?;
        }
        if self.blocked_since.is_some_and(|since| since + SLOW_READER_TIMEOUT <= now) {
            self.give_up(ErrorCode::TooSlow).await?;
        }
        Ok(())
    }

    /// Asks the engine to end this connection with an error. Its rooms are
    /// not read any more, only what the engine has to say to that.
    async fn give_up(&mut self, error: ErrorCode) -> Result<(), Gone> {
        if self.ends_at.is_none() {
            self.outgoing.abandon_rooms();
            self.reading = Reading::Over;
            self.ends_at = Some(self.connection.clock.now() + SHUTDOWN_GRACE);
            let connection = self.connection.id;
            self.connection
                .engine
                .send(Message::Broken { connection, error })
                .await
                .or(Err(Gone))?;
        }
        Ok(())
    }

    /// Writes until nothing is due any more or the socket takes no more.
    async fn write_due(&mut self) -> Result<(), Gone> {
        loop {
            if self.outgoing.collect(self.connection.head.get()).is_err() {
                self.give_up(ErrorCode::TooSlow).await?;
            }
            if self.outgoing.take_mark() {
                let message = Message::Marked { connection: self.connection.id };
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
            if !self.write_once()? {
                return Ok(());
            }
        }
    }

    /// Writes once; false if the socket takes nothing more for now.
    fn write_once(&mut self) -> Result<bool, Gone> {
        let due = self.outgoing.due();
        let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
        for (piece, bytes) in pieces.iter_mut().zip(due) {
            *piece = IoSlice::new(bytes);
        }
        let pieces = pieces.get(..due.len().min(WRITE_PIECES)).unwrap_or_default();
        match self.connection.stream.try_write_vectored(pieces) {
            Ok(0) => Err(Gone),
            Ok(count) => {
                self.outgoing.written(count);
                self.blocked_since = None;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked_since.get_or_insert(self.connection.clock.now());
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads once and deals with the frames that are complete.
    async fn read(&mut self) -> Result<(), Gone> {
        let Some((cut, at_end)) = self.read_and_cut()? else { return Ok(()) };
        self.pass_on(cut).await?;
        if at_end && self.reading == Reading::Open {
            // The client will say nothing more, but may still want to hear
            // what is due; the engine answers with the end.
            self.reading = Reading::Over;
            let message = Message::Finished { connection: self.connection.id };
            self.connection.engine.send(message).await.or(Err(Gone))?;
        }
        Ok(())
    }

    /// Reads once; gives what was cut, and whether the client will send
    /// nothing more. (Not `async`: the buffer must not become a part of the
    /// task, of which there are thousands.)
    fn read_and_cut(&mut self) -> Result<Option<(Cut, bool)>, Gone> {
        let mut buffer = [0; READ_SIZE];
        match self.connection.stream.try_read(&mut buffer) {
            Ok(count) => Ok(Some((self.cut(buffer.get(..count).unwrap_or_default()), count == 0))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Cuts frames from what was read, no more than the client may send now.
    fn cut(&mut self, bytes: &[u8]) -> Cut {
        let Self { reader, connection, told_to_slow_down, .. } = self;
        let now = connection.clock.now();
        *told_to_slow_down &= !connection.bucket.is_full(now);
        let mut frames = Vec::new();
        let mut wait = Duration::ZERO;
        let outcome = reader.feed(bytes, |body| {
            let frame = ClientFrame::decode(body);
            if !matches!(frame, Received::Frame(ClientFrame::Pong(_))) {
                wait = connection.bucket.take(now);
            }
            frames.push(frame);
            wait.is_zero()
        });
        Cut { frames, wait, error: outcome.err() }
    }

    /// Gives the engine what was cut, and slows the client down where it has
    /// sent too fast.
    async fn pass_on(&mut self, cut: Cut) -> Result<(), Gone> {
        let connection = self.connection.id;
        self.slow_down(cut.wait);
        if !cut.frames.is_empty() {
            let message = Message::Received { connection, frames: cut.frames };
            self.connection.engine.send(message).await.or(Err(Gone))?;
        }
        match cut.error {
            None => Ok(()),
            Some(FrameError::Empty) => self.give_up(ErrorCode::Malformed).await,
            Some(FrameError::TooLarge) => self.give_up(ErrorCode::FrameTooLarge).await,
            Some(FrameError::NotPiChat) => self.give_up(ErrorCode::NotPiChat).await,
        }
    }

    /// Reads on only after `wait`, and says so once until the client has
    /// rested.
    fn slow_down(&mut self, wait: Duration) {
        if wait.is_zero() {
            self.reading = Reading::Open;
            return;
        }
        self.reading = Reading::Paused(self.connection.clock.now() + wait);
        if !std::mem::replace(&mut self.told_to_slow_down, true) {
            let text = "You are sending faster than this server takes; it reads you more slowly.";
            let notice = Notice::new(NoticeCode::SlowDown, text);
            let mut bytes = Vec::new();
            ServerFrame::from(notice).encode(&mut bytes);
            self.outgoing.push(bytes.into());
        }
    }
}

/// Frames that were cut from what was read.
struct Cut {
    /// In order.
    frames: Vec<Received<ClientFrame>>,
    /// How long to wait before more is cut.
    wait: Duration,
    /// What is wrong with the bytes behind them.
    error: Option<FrameError>,
}

/// Waits for the socket; for ever where nothing is wanted of it.
async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => pending().await,
    }
}

/// Waits for a time; for ever where there is none.
async fn wait_until(deadline: Option<Moment>, clock: Clock) {
    match deadline {
        Some(at) => sleep_until(clock.instant(at).into()).await,
        None => pending().await,
    }
}

/// Ends a connection so that the last words arrive: a socket that is closed
/// while there are bytes to be read in it throws away what the other side
/// has not read either.
async fn hang_up(mut stream: TcpStream) {
    let listen_to_the_end = async {
        stream.shutdown().await?;
        let mut buffer = [0; 1_024];
        loop {
            stream.readable().await?;
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    // Whether the other side hangs up properly is its own affair.
    let _: Result<io::Result<()>, _> = timeout(LINGER, listen_to_the_end).await;
}
