//! Floor 3: the client's driver. It owns the socket, the timer and the disk,
//! and moves things between the link, the server and the user interface.

mod connect;
mod destination;
pub mod find;
mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use destination::Destination;

use self::connect::{Open, Wire, WireEvent};
use self::state::{Store, StoreError};
use crate::link::{EndReason, Input, Link, Output, SavedSession, Settings};
use crate::model::{Command, Event, Moment, Request, Tag};
use crate::os::Clock;
use crate::ui::Screen;
use crate::wire::tcp::ServerFrame;

/// How long to wait for answers where nobody has said how long.
const BLIND_PATIENCE: Duration = Duration::from_secs(60);

/// Pieces that are read before anything else gets its turn.
const MAX_PIECES: usize = 16;

/// What a client runs with.
pub struct Setup {
    /// Which server it goes to.
    pub server: Destination,
    /// How the link begins.
    pub settings: Settings,
    /// The directory where its state is kept, if it is.
    pub state: Option<PathBuf>,
    /// The requests come from an input that can wait and that ends: do not
    /// take more of them than can be sent soon, and take all of them even
    /// where nobody sees what becomes of them.
    pub hold_back: bool,
}

/// Everything that the driver holds.
struct Driver<'a> {
    /// Shows both kinds of time.
    clock: Clock,
    /// The engine.
    link: Link,
    /// The connection.
    wire: Wire,
    /// Which server it goes to. One that was found may be called otherwise by
    /// now.
    server: Destination,
    /// Whether that is certain.
    is_settled: bool,
    /// What the person would like to be called.
    username: String,
    /// As in [`Setup`], until it is known which server it is about.
    state: Option<PathBuf>,
    /// The place of this server in it, from then on.
    store: Option<Store>,
    /// What was kept there, until the link has it.
    saved: Option<SavedSession>,
    /// Shows what happens.
    screen: &'a mut dyn Screen,
    /// Nobody sees what is shown.
    is_blind: bool,
    /// As in [`Setup`].
    hold_back: bool,
    /// When the link wants to be woken.
    wake: Option<Moment>,
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
        wire: Wire::None,
        is_settled: setup.server.is_settled(),
        server: setup.server,
        state: setup.state,
        store: None,
        saved: None,
        screen,
        is_blind: false,
        hold_back: setup.hold_back,
        wake: None,
    };
    if driver.is_settled {
        driver.open_store();
    }
    let mut interrupted = std::pin::pin!(interrupted);
    let (mut may_be_interrupted, mut has_requests, mut is_leaving) = (true, true, false);
    loop {
        if let Some(end) = driver.act().await {
            return end;
        }
        let takes_requests = has_requests && (!driver.hold_back || driver.link.has_capacity());
        let wake = driver.wake.map(|moment| Instant::from_std(driver.clock.instant(moment)));
        tokio::select! {
            event = driver.wire.next() => driver.on_wire(event),
            request = requests.recv(), if takes_requests => match request {
                Some(request) => {
                    is_leaving |= matches!(request.command, Command::Finish { .. });
                    driver.input(Input::Request(request));
                }
                None => {
                    has_requests = false;
                    // Nobody is left who could ask for the end.
                    if !is_leaving {
                        driver.request(Command::Finish { patience: BLIND_PATIENCE });
                    }
                }
            },
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                driver.wake = None;
                driver.input(Input::Wake);
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
    fn input(&mut self, input: Input) {
        self.link.handle_input(self.clock.now(), input);
    }

    /// Has the link do something that nobody has typed.
    fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: Tag::default(), command }));
    }

    /// Does what the link wants done. Gives the end when it has come.
    async fn act(&mut self) -> Option<EndReason> {
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Connect => self.wire.connect(self.server.clone()),
                Output::Send(frame) => {
                    if let Wire::Open(open) = &mut self.wire {
                        open.send(&frame);
                    }
                }
                Output::Disconnect => self.wire.close().await,
                // Where nobody sees it any more (a closed pipe), what a
                // script asks for is still done, up to the end of its input.
                Output::Event(event) => {
                    if !self.is_blind && self.screen.show(&event).is_err() {
                        self.is_blind = true;
                        if !self.hold_back {
                            self.request(Command::Finish { patience: BLIND_PATIENCE });
                        }
                    }
                }
                Output::Persist(saved) => {
                    let outcome = self.store.as_ref().map(|store| store.save(&saved));
                    if let Some(Err(error)) = outcome {
                        // Once is enough: the next one will not work either.
                        self.store = None;
                        self.complain(&error);
                    }
                }
                Output::WakeAt(moment) => self.wake = Some(moment),
                Output::Finished(end) => return Some(end),
            }
        }
        // All frames that are due go out in one write.
        if let Wire::Open(open) = &mut self.wire
            && let Err(error) = open.write()
        {
            self.lost(&error);
            return Box::pin(self.act()).await;
        }
        None
    }

    /// Something has become of the wire.
    fn on_wire(&mut self, event: WireEvent) {
        match event {
            WireEvent::Made(Ok((stream, server))) => {
                self.wire = Wire::Open(Open::new(stream));
                self.arrive_at(server);
                let saved = self.saved.take();
                self.input(Input::Connected { saved });
            }
            WireEvent::Made(Err(reason)) => {
                self.wire = Wire::None;
                self.input(Input::ConnectFailed { reason });
            }
            WireEvent::Broken(error) => self.lost(&error),
            WireEvent::Ready(ready) => {
                if ready.is_readable() || ready.is_read_closed() {
                    self.read();
                }
            }
        }
    }

    /// A connection leads to this server. What was not settled before is now:
    /// one that was first met without an id is known by its entry for good.
    fn arrive_at(&mut self, server: Destination) {
        if !self.is_settled || server.id == self.server.id {
            self.server = server;
        }
        self.is_settled = true;
        self.open_store();
    }

    /// Takes the server's place on disk, unless that was done before. Without
    /// a place one can chat, only not come back exactly.
    fn open_store(&mut self) {
        let Some(directory) = self.state.take() else { return };
        match Store::open(&directory, &self.server, &self.username) {
            Ok(store) => self.store = store,
            Err(error) => self.complain(&error),
        }
        self.saved = self.store.as_ref().and_then(Store::load);
    }

    /// Tells that the disk does not work.
    fn complain(&mut self, error: &StoreError) {
        let why = &error.source;
        let text = format!("{error} ({why}): coming back later will not be exact.");
        // Whether anybody sees it shows with the next event.
        let _ = self.screen.show(&Event::Problem { code: 0, text });
    }

    /// Reads what has come and gives the link its frames.
    fn read(&mut self) {
        for _ in 0..MAX_PIECES {
            let Wire::Open(open) = &mut self.wire else {
                return;
            };
            let piece = match open.read() {
                Ok(Some(piece)) => piece,
                Ok(None) => return,
                Err(error) => {
                    self.wire = Wire::None;
                    let reason = format!("The connection broke ({error}).");
                    self.input(Input::Disconnected { reason });
                    return;
                }
            };
            if piece.is_empty() {
                self.wire = Wire::None;
                let reason = "The server closed the connection.".to_owned();
                self.input(Input::Disconnected { reason });
                return;
            }
            let (link, now) = (&mut self.link, self.clock.now());
            link.handle_input(now, Input::BytesReceived);
            let outcome = open.reader.feed(&piece, |body| {
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
    fn lost(&mut self, error: &std::io::Error) {
        self.read();
        if !matches!(self.wire, Wire::Open(_)) {
            return;
        }
        self.wire = Wire::None;
        let reason = format!("The connection broke ({error}).");
        self.input(Input::Disconnected { reason });
    }
}
