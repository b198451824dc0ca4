//! Layer 3: the client's driver. It owns the socket, the timer and the saved session on disk. It
//! carries inputs and outputs between the link, the server and the user interface.
//!
//! - `connection`: the TCP connection: connecting, reading, writing, closing
//! - `race`: simultaneous attempts to connect to the addresses of a server
//! - `discovery`: servers on the local network (DNS-SD over multicast DNS)
//! - `candidates`: ranking of a discovered server's addresses
//! - `stream`: the socket, plain or TLS
//! - `trust`: fingerprints that servers must have
//! - `key`: the user's key, and its proofs
//! - `destination`: identity of the server to connect to
//! - `session_store`: the saved session on disk, beside which the ignore list of the server is

mod candidates;
mod connection;
mod destination;
pub mod discovery;
mod key;
mod race;
mod session_store;
mod stream;
#[cfg(test)]
mod tests;
mod trust;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use destination::Destination;
pub use key::UserKey;
pub use trust::{TrustError, forget as forget_fingerprint, is_known as is_key_known};

use self::connection::{ConnectError, Connection, ConnectionEvent, OpenConnection};
use self::race::GreetedConnection;
use self::session_store::{SessionStore, StoreError, server_directory};
use self::trust::{KeptFingerprint, KnownServers, Trust};
use crate::identity::ProofContext;
use crate::link::{EndReason, Input, Link, Output, SavedSession, Settings};
use crate::model::{
    Command, ConnectionState, Event, HostAddress, InvitationCode, Moment, NameKey, Request,
    RequestTag, Scheme, Security, ServerAddress, is_service_instance,
};
use crate::os::Clock;
use crate::text;
use crate::tls::{Fingerprint, SaidFingerprint, ServerLink};
use crate::ui::{
    IgnoreFile, Screen, SharedIgnoreList, disk_error_text, ignore_problem_text, io_error_text,
    key_error_text,
};
use crate::wire::tcp::{Proof, ServerFrame};

/// Maximum time without an answer in a graceful shutdown that the driver itself requests.
const DEFAULT_FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// Name of the file with the ignore list, in the directory of the server's saved sessions.
const IGNORE_FILE_NAME: &str = "ignored.json";

/// Maximum number of reads from the socket in a row. Then other events get their turn.
const MAX_READS_PER_WAKE: usize = 16;

/// Configuration of a client, for [`run`].
pub struct Setup {
    /// Server to connect to.
    pub server: Destination,
    /// Settings of the link.
    pub settings: Settings,
    /// Directory for saved sessions and ignore lists. `None`: they are neither loaded nor saved.
    pub state_dir: Option<PathBuf>,
    /// Directory for the fingerprints of servers, which is the same. They are read even if
    /// `state_dir` is `None`, but then not written.
    pub known_servers: Option<PathBuf>,
    /// Fingerprint that the user has said: only a server with it is talked to, over TLS.
    pub fingerprint: Option<SaidFingerprint>,
    /// Key of the user, which is proved to each server that takes proofs.
    pub key: UserKey,
    /// Ignore list of the user interface, which the driver opens for the server. `None` if the
    /// interface has none.
    pub ignore_list: Option<SharedIgnoreList>,
    /// True if requests come from an input that ends and can be paused, such as a script. Then the
    /// driver takes requests only while [`Link::has_capacity`] is true (backpressure).
    ///
    /// If the screen can no longer show events, the driver continues to the end of the input if
    /// this is true. If it is false, the driver shuts down gracefully.
    pub throttle_requests: bool,
}

/// The server has another key than it should have, so the client has ended: whoever answers may be
/// in between. The text says so to the user, with both fingerprints and what to do.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct WrongKey(pub String);

/// State of the client's driver.
struct Driver<'a> {
    /// Clock for the times of inputs and wake-ups.
    clock: Clock,
    /// The client's engine.
    link: Link,
    /// Connection to the server.
    connection: Connection,
    /// Fingerprints of servers.
    known: KnownServers,
    /// Fingerprint that the user has said; `None` if there is none.
    said: Option<SaidFingerprint>,
    /// Key of the user.
    key: UserKey,
    /// Server to connect to. Replaced when the server has been found under another instance name or
    /// with an id.
    server: Destination,
    /// True if it is certain which server `server` is; see [`Destination::is_certain`].
    is_server_certain: bool,
    /// Fingerprint of the server on the present connection; `None` over plain TCP, and without one.
    fingerprint: Option<Fingerprint>,
    /// Requested username. With the server it determines the session file.
    username: String,
    /// Directory for saved sessions and ignore lists. `None` if nothing is to be saved.
    state_dir: Option<PathBuf>,
    /// Ignore list; `None` if there is none.
    ignore_list: Option<SharedIgnoreList>,
    /// True once the ignore list has been opened.
    is_ignore_list_open: bool,
    /// True once the driver has tried to open the store for the current server and username.
    is_store_tried: bool,
    /// Store of the saved session. `None` before it is opened, if it cannot be used, or after a
    /// failed write.
    store: Option<SessionStore>,
    /// Session stores of earlier usernames, which were refused. They are dropped when a session is
    /// saved under the new name.
    former_stores: Vec<SessionStore>,
    /// Session loaded from the store. `None` if there is none, or once it has been passed to the
    /// link.
    saved: Option<SavedSession>,
    /// Screen that shows events.
    screen: &'a mut dyn Screen,
    /// True if the screen has failed to show an event. Further events of the link are then not
    /// shown.
    screen_failed: bool,
    /// True to take requests only while the link has capacity; see [`Setup::throttle_requests`].
    throttle_requests: bool,
    /// Time at which the link wants [`Input::Wake`]; `None` if no wake-up is scheduled.
    wake_at: Option<Moment>,
    /// Set when a connection attempt has met another key than the expected one.
    wrong_key: Option<WrongKey>,
}

/// Runs a client until its link ends, and returns the reason. When the sender of `requests` is
/// dropped, the client shuts down gracefully, with a timeout of 60 s without an answer, unless it
/// is doing so already. When `interrupted` resolves, the client ends at once, as for
/// [`Command::Quit`]. It resolves when the operating system asks the program to terminate.
///
/// # Errors
/// [`WrongKey`], at the first connection or a later one. The link has ended as for
/// [`Command::Quit`].
pub async fn run(
    setup: Setup,
    screen: &mut dyn Screen,
    mut requests: mpsc::Receiver<Request>,
    interrupted: impl Future<Output = ()>,
) -> Result<EndReason, WrongKey> {
    let mut driver = Driver {
        clock: Clock::start(),
        username: setup.settings.username.clone(),
        link: Link::new(setup.settings),
        connection: Connection::Closed,
        known: KnownServers {
            directory: setup.known_servers,
            is_kept: setup.state_dir.is_some(),
            of_this_run: Vec::new(),
        },
        said: setup.fingerprint,
        key: setup.key,
        fingerprint: None,
        is_server_certain: setup.server.is_certain(),
        server: setup.server,
        state_dir: setup.state_dir,
        ignore_list: setup.ignore_list,
        is_ignore_list_open: false,
        is_store_tried: false,
        store: None,
        former_stores: Vec::new(),
        saved: None,
        screen,
        screen_failed: false,
        throttle_requests: setup.throttle_requests,
        wake_at: None,
        wrong_key: None,
    };
    if driver.is_server_certain {
        driver.open_store();
        driver.open_ignore_list();
    }
    let mut interrupted = std::pin::pin!(interrupted);
    let (mut may_be_interrupted, mut has_requests, mut is_leaving) = (true, true, false);
    loop {
        if let Some(end) = driver.run_outputs().await {
            return driver.wrong_key.map_or(Ok(end), Err);
        }
        let takes_requests =
            has_requests && (!driver.throttle_requests || driver.link.has_capacity());
        let wake = driver.wake_at.map(|moment| Instant::from_std(driver.clock.instant(moment)));
        tokio::select! {
            event = driver.connection.next_event() => driver.on_connection_event(event),
            request = requests.recv(), if takes_requests => match request {
                Some(request) => {
                    if let Command::Name(name) = &request.command {
                        driver.change_username(name);
                    }
                    is_leaving |= matches!(request.command, Command::Finish { .. });
                    driver.handle_input(Input::Request(request));
                }
                None => {
                    has_requests = false;
                    // The driver must end the client itself: no further request can do it.
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
    /// Passes an input to the link with the current time. Call [`Self::run_outputs`] afterwards.
    fn handle_input(&mut self, input: Input) {
        self.link.handle_input(self.clock.now(), input);
    }

    /// Passes a command to the link as the driver's own request, without a tag.
    fn request(&mut self, command: Command) {
        self.handle_input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Carries out all outputs of the link, then writes as much of the queued frames as the socket
    /// accepts. If writing fails, reports the end of the connection to the link, and carries out
    /// the outputs that follow. If an event cannot be shown, shows no further one, and starts a
    /// graceful shutdown unless `throttle_requests` is true. If the link has ended, returns the
    /// reason; otherwise returns `None`.
    async fn run_outputs(&mut self) -> Option<EndReason> {
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Connect { hello } => {
                    self.follow_username();
                    let (server, known) = (self.server.clone(), self.known.clone());
                    let can_prove = self.key.can_prove();
                    self.connection.connect(server, known, self.said, can_prove, hello);
                }
                Output::Send(frame) => {
                    if let Connection::Open(open) = &mut self.connection {
                        open.queue_frame(&frame);
                    }
                }
                Output::Disconnect => self.connection.close().await,
                Output::Abandon => self.connection.reset(),
                // The output may be closed, for example a pipe. A script's requests are still
                // carried out, up to the end of its input.
                Output::Event(mut event) => {
                    match &mut event {
                        Event::LinkCode(made) => made.link = self.link_with(made.code),
                        Event::JoinedServer(_) => self.tell_log(),
                        _ => {}
                    }
                    if !self.screen_failed && self.screen.show(&event).is_err() {
                        self.screen_failed = true;
                        if !self.throttle_requests {
                            self.request(Command::Finish { patience: DEFAULT_FINISH_TIMEOUT });
                        }
                    }
                }
                Output::Persist(saved) => self.save_session(&saved),
                Output::WakeAt(moment) => self.wake_at = Some(moment),
                Output::Finished(end) => return Some(end),
            }
        }
        // All queued frames go out in one write.
        if let Connection::Open(open) = &mut self.connection
            && let Err(error) = open.flush()
        {
            self.on_connection_error(&error);
            return Box::pin(self.run_outputs()).await;
        }
        None
    }

    /// Handles an event of the connection, and passes the resulting inputs to the link. When a
    /// connection is established, also records its server, and opens the session store and the
    /// ignore list. Does not write: [`Self::run_outputs`] does.
    fn on_connection_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::ConnectDone(result) => match *result {
                Ok((greeted, server)) => self.on_connected(greeted, server),
                Err(ConnectError::Failed(reason)) => {
                    self.connection = Connection::Closed;
                    self.handle_input(Input::ConnectFailed { reason });
                }
                Err(ConnectError::WrongKey(text)) => {
                    self.connection = Connection::Closed;
                    self.wrong_key = Some(WrongKey(text));
                    // The link reports what has not arrived.
                    self.request(Command::Quit);
                }
            },
            ConnectionEvent::Broken(error) => self.on_connection_error(&error),
            ConnectionEvent::Ready(ready) => {
                if ready.is_readable() || ready.is_read_closed() {
                    self.read_frames();
                }
            }
        }
    }

    /// Takes over the new connection to a server, proves the user's key if the server takes proofs,
    /// and passes on what was received.
    fn on_connected(&mut self, greeted: GreetedConnection, server: Destination) {
        self.connection = Connection::Open(OpenConnection::new(greeted.stream));
        self.fingerprint = greeted.identity.as_ref().map(|(fingerprint, _)| *fingerprint);
        match greeted.identity {
            Some((fingerprint, trust)) => self.on_encrypted(&server, fingerprint, trust),
            None => {
                let state = ConnectionState::Plain { is_tls_offered: greeted.offers_tls };
                // If the screen has failed, showing the next event of the link reveals it.
                let _ = self.screen.show(&Event::Connection(state));
            }
        }
        self.on_server_identified(server);
        let proof = greeted.proof_context.and_then(|it| self.prove(&it));
        let saved = self.saved.take();
        self.handle_input(Input::Connected { saved, proof });
        self.pass_received(&greeted.received);
    }

    /// Returns a proof of the user's key for the new connection; `None` if the user has no key. If
    /// the key cannot be created, reports that, and goes on without one.
    fn prove(&mut self, context: &ProofContext) -> Option<Proof> {
        match self.key.prove(context) {
            Ok(proof) => proof,
            Err(error) => {
                let text = text!("no-own-key", reason = key_error_text(&error));
                // If the screen has failed, showing the next event of the link reveals it.
                let _ = self.screen.show(&Event::Problem { code: 0, text: text.into() });
                None
            }
        }
    }

    /// Shows that the new connection is encrypted, and how far the server's key is trusted. Keeps
    /// the fingerprint if it is new or newly verified. If it cannot be written, reports that.
    fn on_encrypted(&mut self, server: &Destination, fingerprint: Fingerprint, trust: Trust) {
        let security = match trust {
            Trust::Verified => Security::Verified,
            Trust::Known => Security::Known,
            Trust::FirstUse if self.known.are_written() => Security::FirstUse,
            Trust::FirstUse => Security::Unkept,
        };
        let state = ConnectionState::Encrypted { security, fingerprint: fingerprint.to_string() };
        // If the screen has failed, showing the next event of the link reveals it.
        let _ = self.screen.show(&Event::Connection(state));
        let Some(key) = server.trust_key() else { return };
        let kept = KeptFingerprint { fingerprint, is_verified: trust == Trust::Verified };
        if trust != Trust::Known
            && let Err(error) = self.known.keep(&key, kept)
        {
            let reason = disk_error_text(&error.path, &error.source);
            let text = text!("server-key-not-kept", reason = reason);
            let _ = self.screen.show(&Event::Problem { code: 0, text: text.into() });
        }
    }

    /// Records to which server the new connection leads. Opens the session store if the driver has
    /// not tried to for this username, and the ignore list if it has not tried to before.
    ///
    /// The first connection makes an uncertain identity certain. From then on, a server without an
    /// id is identified by its instance name. Later connections update the instance name only if
    /// the id is the same.
    fn on_server_identified(&mut self, server: Destination) {
        if !self.is_server_certain || server.id == self.server.id {
            self.server = server;
        }
        self.is_server_certain = true;
        self.open_store();
        self.open_ignore_list();
    }

    /// Saves the session, if there is a store. Then releases the stores of earlier, refused
    /// usernames, and removes the files of those that hold the same session. If writing fails,
    /// reports it, and saves no further session under this username.
    fn save_session(&mut self, saved: &SavedSession) {
        let Some(store) = &self.store else { return };
        match store.save(saved) {
            Ok(()) => {
                let is_moved =
                    |it: &SessionStore| it.load().is_some_and(|it| it.token == saved.token);
                for former in self.former_stores.drain(..).filter(is_moved) {
                    former.remove();
                }
            }
            Err(error) => {
                // Do not try again: the next write would probably fail with the same error.
                self.store = None;
                self.report_store_error(&error);
            }
        }
    }

    /// Changes the username, because the server refused the current one. The next connection opens
    /// the session store of the new username. A name that differs only in spelling keeps the store.
    fn change_username(&mut self, name: &str) {
        if NameKey::of(name) != NameKey::of(&self.username) {
            self.former_stores.extend(self.store.take());
            self.is_store_tried = false;
        }
        name.clone_into(&mut self.username);
    }

    /// Changes the username if the link has taken another one: that of the user's invitation.
    fn follow_username(&mut self) {
        if self.link.username() != self.username {
            let name = self.link.username().to_owned();
            self.change_username(&name);
        }
    }

    /// Returns the link to the server with a link code, for another device: by the name that the
    /// user has given, else by that of the server's own, else by its address; with the fingerprint
    /// of its key over TLS. `None` if there is no connection.
    fn link_with(&self, code: InvitationCode) -> Option<String> {
        let Connection::Open(open) = &self.connection else { return None };
        let address = open.server_address().ok()?;
        let host = if !is_service_instance(&self.server.address.host) {
            self.server.address.host.clone()
        } else if let Some(name) = &self.server.dns_host {
            name.clone()
        } else {
            address.ip().to_string()
        };
        let scheme = if self.fingerprint.is_some() { Scheme::Tls } else { Scheme::Plain };
        let address = HostAddress { host, port: address.port() };
        let address = ServerAddress { scheme: Some(scheme), address };
        let link = ServerLink { address, fingerprint: self.fingerprint, invite: Some(code) };
        Some(link.to_string())
    }

    /// Opens the session store and loads the saved session. Does nothing on further calls with the
    /// same username, or without a directory for saved state. If the store cannot be opened,
    /// reports that; not if another process has locked it. The client then works without a store,
    /// but a later process cannot resume exactly.
    fn open_store(&mut self) {
        if self.is_store_tried {
            return;
        }
        self.is_store_tried = true;
        let Some(directory) = &self.state_dir else { return };
        // The name was refused before, and is asked for again.
        let key = NameKey::of(&self.username);
        if let Some(at) = self.former_stores.iter().position(|it| it.is_of(&key)) {
            self.store = Some(self.former_stores.swap_remove(at));
            self.saved = self.store.as_ref().and_then(SessionStore::load);
            return;
        }
        match SessionStore::open(directory, &self.server, &self.username) {
            Ok(store) => self.store = store,
            Err(error) => self.report_store_error(&error),
        }
        self.saved = self.store.as_ref().and_then(SessionStore::load);
    }

    /// Opens the ignore list of the server; only in memory if there is no directory for saved
    /// state. Does nothing on further calls. If its file cannot be used, reports that.
    fn open_ignore_list(&mut self) {
        let Some(list) = self.ignore_list.clone().filter(|_| !self.is_ignore_list_open) else {
            return;
        };
        self.is_ignore_list_open = true;
        let file = self.state_dir.as_ref().map(|directory| {
            let server = self.server.key();
            let path = server_directory(directory, &server).join(IGNORE_FILE_NAME);
            IgnoreFile::new(path, Some(server))
        });
        if let Err(error) = list.open(file) {
            // If the screen has failed, showing the next event of the link reveals it.
            let text = ignore_problem_text(&error);
            let _ = self.screen.show(&Event::Problem { code: 0, text: text.into() });
        }
    }

    /// Tells the ignore list to which log the numbers of persons belong.
    fn tell_log(&self) {
        if let (Some(list), Some(log)) = (&self.ignore_list, self.link.log_id()) {
            list.set_log(log);
        }
    }

    /// Shows on the screen that the session cannot be saved or loaded.
    fn report_store_error(&mut self, error: &StoreError) {
        let reason = disk_error_text(&error.path, &error.source);
        let text = text!("session-not-kept", reason = reason);
        // If the screen has failed, showing the next event of the link reveals it.
        let _ = self.screen.show(&Event::Problem { code: 0, text: text.into() });
    }

    /// Reads from the socket and passes the received frames to the link. Stops when nothing more is
    /// available, after [`MAX_READS_PER_WAKE`] reads, or when the connection ends. Reports to the
    /// link the end of the connection, and bytes that are not frames.
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
                    let reason = text!("connection-broke", reason = io_error_text(&error));
                    self.handle_input(Input::Disconnected { reason });
                    return;
                }
            };
            if chunk.is_empty() {
                self.connection = Connection::Closed;
                let reason = text!("connection-closed");
                self.handle_input(Input::Disconnected { reason });
                return;
            }
            if !self.pass_received(&chunk) {
                return;
            }
        }
    }

    /// Splits received bytes into frames and passes these to the link. Returns true if all bytes
    /// were split. Returns false if there is no connection. If the bytes are not frames, tells the
    /// link so and returns false.
    fn pass_received(&mut self, bytes: &[u8]) -> bool {
        let Connection::Open(open) = &mut self.connection else {
            return false;
        };
        let (link, now) = (&mut self.link, self.clock.now());
        link.handle_input(now, Input::BytesReceived);
        let outcome = open.reader.feed(bytes, |body| {
            link.handle_input(now, Input::Received(ServerFrame::decode(body)));
            true
        });
        if outcome.is_err() {
            link.handle_input(now, Input::FramingError);
        }
        outcome.is_ok()
    }

    /// Handles an error of the connection. First reads the bytes that were received before: they
    /// may hold an error frame with the reason. Then closes the connection and reports its end to
    /// the link, unless reading did so.
    fn on_connection_error(&mut self, error: &std::io::Error) {
        self.read_frames();
        if !matches!(self.connection, Connection::Open(_)) {
            return;
        }
        self.connection = Connection::Closed;
        let reason = text!("connection-broke", reason = io_error_text(error));
        self.handle_input(Input::Disconnected { reason });
    }
}
