//! Floor 3: the client's driver. It owns the socket, the timer and the disk,
//! and moves things between the link, the server and the user interface.

mod connection;
mod destination;
pub mod discovery;
mod session_store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use destination::Destination;

use self::connection::{Connection, ConnectionEvent, OpenConnection};
use self::session_store::{SessionStore, StoreError};
use crate::link::{EndReason, Input, Link, Output, SavedSession, Settings};
use crate::model::{Command, Event, Moment, Request, Tag};
use crate::os::Clock;
use crate::ui::Screen;
use crate::wire::tcp::ServerFrame;

/// How long to wait for answers where nobody has said how long.
const DEFAULT_FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// Pieces that are read before anything else gets its turn.
const MAX_READS_PER_WAKE: usize = 16;

/// What a client runs with.
pub struct Setup {
    /// Which server it goes to.
    pub server: Destination,
    /// How the link begins.
    pub settings: Settings,
    /// The directory where its state is kept, if it is.
    pub state_dir: Option<PathBuf>,
    /// The requests come from an input that can wait and that ends: do not
    /// take more of them than can be sent soon, and take all of them even
    /// where nobody sees what becomes of them.
    pub throttle_requests: bool,
}

/// Everything that the driver holds.
struct Driver<'a> {
    /// Shows both kinds of time.
    clock: Clock,
    /// The engine.
    link: Link,
    /// The connection.
    connection: Connection,
    /// Which server it goes to. One that was found may be called otherwise by
    /// now.
    server: Destination,
    /// Whether that is certain.
    is_server_certain: bool,
    /// What the person would like to be called.
    username: String,
    /// As in [`Setup`], until it is known which server it is about.
    state_dir: Option<PathBuf>,
    /// The place of this server in it, from then on.
    store: Option<SessionStore>,
    /// What was kept there, until the link has it.
    saved: Option<SavedSession>,
    /// Shows what happens.
    screen: &'a mut dyn Screen,
    /// Nobody sees what is shown.
    screen_failed: bool,
    /// As in [`Setup`].
    throttle_requests: bool,
    /// When the link wants to be woken.
    wake_at: Option<Moment>,
}

/// Runs a client to its end. `interrupted` resolves when the operating
/// system wants it to end.
pub async fn run(
    setup: Setup,
    screen: &mut dyn Screen,
    mut requests: mpsc::Receiver<Request>,
    interrupted: impl Future<Output = ()>,
) -> EndReason {
    let mut driver = Driver {
        clock: Clock::start(),
        username: setup.settings.username.clone(),
        link: Link::new(setup.settings),
        connection: Connection::Closed,
        is_server_certain: setup.server.is_certain(),
        server: setup.server,
        state_dir: setup.state_dir,
        store: None,
        saved: None,
        screen,
        screen_failed: false,
        throttle_requests: setup.throttle_requests,
        wake_at: None,
    };
    if driver.is_server_certain {
        driver.open_store();
    }
    let mut interrupted = std::pin::pin!(interrupted);
    let (mut may_be_interrupted, mut has_requests, mut is_leaving) = (true, true, false);
    loop {
        if let Some(end) = driver.run_outputs().await {
            return end;
        }
        let takes_requests =
            has_requests && (!driver.throttle_requests || driver.link.has_capacity());
        let wake = driver.wake_at.map(|moment| Instant::from_std(driver.clock.instant(moment)));
        tokio::select! {
            event = driver.connection.next_event() => driver.on_connection_event(event),
            request = requests.recv(), if takes_requests => match request {
                Some(request) => {
                    is_leaving |= matches!(request.command, Command::Finish { .. });
                    driver.handle_input(Input::Request(request));
                }
                None => {
                    has_requests = false;
                    // Nobody is left who could ask for the end.
                    if !is_leaving {
                        driver.request(Command::Finish { patience: DEFAULT_FINISH_TIMEOUT });
                    }
                }
            },
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                driver.wake_at = None;
                driver.handle_input(Input::Wake);
            }
            () = &mut interrupted, if may_be_interrupted => {
                may_be_interrupted = false;
                driver.request(Command::Quit);
            }
        }
    }
}

impl Driver<'_> {
    /// Tells the link what has happened.
    fn handle_input(&mut self, input: Input) {
        self.link.handle_input(self.clock.now(), input);
    }

    /// Has the link do something that nobody has typed.
    fn request(&mut self, command: Command) {
        self.handle_input(Input::Request(Request { tag: Tag::default(), command }));
    }

    /// Does what the link wants done. Gives the end when it has come.
    async fn run_outputs(&mut self) -> Option<EndReason> {
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Connect => self.connection.connect(self.server.clone()),
                Output::Send(frame) => {
                    if let Connection::Open(open) = &mut self.connection {
                        open.queue_frame(&frame);
                    }
                }
                Output::Disconnect => self.connection.close().await,
                // Where nobody sees it any more (a closed pipe), what a
                // script asks for is still done, up to the end of its input.
                Output::Event(event) => {
                    if !self.screen_failed && self.screen.show(&event).is_err() {
                        self.screen_failed = true;
                        if !self.throttle_requests {
                            self.request(Command::Finish { patience: DEFAULT_FINISH_TIMEOUT });
                        }
                    }
                }
                Output::Persist(saved) => {
                    let outcome = self.store.as_ref().map(|store| store.save(&saved));
                    if let Some(Err(error)) = outcome {
                        // Once is enough: the next one will not work either.
                        self.store = None;
                        self.report_store_error(&error);
                    }
                }
                Output::WakeAt(moment) => self.wake_at = Some(moment),
                Output::Finished(end) => return Some(end),
            }
        }
        // All frames that are due go out in one write.
        if let Connection::Open(open) = &mut self.connection
            && let Err(error) = open.flush()
        {
            self.on_connection_error(&error);
            return Box::pin(self.run_outputs()).await;
        }
        None
    }

    /// Something has become of the wire.
    fn on_connection_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::ConnectDone(Ok((stream, server))) => {
                self.connection = Connection::Open(OpenConnection::new(stream));
                self.on_server_identified(server);
                let saved = self.saved.take();
                self.handle_input(Input::Connected { saved });
            }
            ConnectionEvent::ConnectDone(Err(reason)) => {
                self.connection = Connection::Closed;
                self.handle_input(Input::ConnectFailed { reason });
            }
            ConnectionEvent::Broken(error) => self.on_connection_error(&error),
            ConnectionEvent::Ready(ready) => {
                if ready.is_readable() || ready.is_read_closed() {
                    self.read_frames();
                }
            }
        }
    }

    /// A connection leads to this server. What was not settled before is now:
    /// one that was first met without an id is known by its entry for good.
    fn on_server_identified(&mut self, server: Destination) {
        if !self.is_server_certain || server.id == self.server.id {
            self.server = server;
        }
        self.is_server_certain = true;
        self.open_store();
    }

    /// Takes the server's place on disk, unless that was done before. Without
    /// a place one can chat, only not come back exactly.
    fn open_store(&mut self) {
        let Some(directory) = self.state_dir.take() else { return };
        match SessionStore::open(&directory, &self.server, &self.username) {
            Ok(store) => self.store = store,
            Err(error) => self.report_store_error(&error),
        }
        self.saved = self.store.as_ref().and_then(SessionStore::load);
    }

    /// Tells that the disk does not work.
    fn report_store_error(&mut self, error: &StoreError) {
        let why = &error.source;
        let text = format!("{error} ({why}): coming back later will not be exact.");
        // Whether anybody sees it shows with the next event.
        let _ = self.screen.show(&Event::Problem { code: 0, text });
    }

    /// Reads what has come and gives the link its frames.
    fn read_frames(&mut self) {
        for _ in 0..MAX_READS_PER_WAKE {
            let Connection::Open(open) = &mut self.connection else {
                return;
            };
            let chunk = match open.read() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return,
                Err(error) => {
                    self.connection = Connection::Closed;
                    let reason = format!("The connection broke ({error}).");
                    self.handle_input(Input::Disconnected { reason });
                    return;
                }
            };
            if chunk.is_empty() {
                self.connection = Connection::Closed;
                let reason = "The server closed the connection.".to_owned();
                self.handle_input(Input::Disconnected { reason });
                return;
            }
            let (link, now) = (&mut self.link, self.clock.now());
            link.handle_input(now, Input::BytesReceived);
            let outcome = open.reader.feed(&chunk, |body| {
                link.handle_input(now, Input::Received(ServerFrame::decode(body)));
                true
            });
            if outcome.is_err() {
                link.handle_input(now, Input::FramingError);
                return;
            }
        }
    }

    /// The connection is broken. What has come before may say why.
    fn on_connection_error(&mut self, error: &std::io::Error) {
        self.read_frames();
        if !matches!(self.connection, Connection::Open(_)) {
            return;
        }
        self.connection = Connection::Closed;
        let reason = format!("The connection broke ({error}).");
        self.handle_input(Input::Disconnected { reason });
    }
}
