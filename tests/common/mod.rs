//! Shared harness of the tests that run the real `chat-server`: a server process, and a minimal
//! client of the TCP protocol. The client has no logic of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

pub(crate) mod owner_files;
mod tls_connection;

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pi_chat::model::{Position, Reference, Sequence, SessionId};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{
    ClientFrame, Decoded, End, Enter, Entered, Entry, Error, Hello, Join, MAGIC, Ping, Pong, Say,
    ServerFrame, ServerHello, VERSION, Welcome,
};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

pub(crate) use self::tls_connection::tls_connection;

/// Maximum time that a test waits for something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum length of a message that a server sends by WebSocket, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// Returns a command for one of our programs, given by its path. Its environment has only the
/// locale, in which it speaks English, whoever runs the tests. The environment variable PI_CHAT_RUNNER may hold a program, with arguments, that runs it, such as
/// the emulator of `scripts/test arm`.
pub(crate) fn isolated_command(program: &str) -> Command {
    let runner = env::var("PI_CHAT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().chain([program]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).env_clear().env("LANG", "C.UTF-8");
    command
}

/// Returns a command for `chat-server` with an environment in which only the ways in for browsers
/// and for TLS are off. Flags switch them on: servers of several tests cannot all have the default
/// ports.
pub(crate) fn server_command() -> Command {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-server"));
    command.env("CHAT_SERVER_WEB", "false").env("CHAT_SERVER_TLS", "false");
    command
}

/// Runs `chat-server` with arguments that make it exit by itself, and returns its output.
pub(crate) fn run_server_command(arguments: &[&str]) -> Output {
    server_command().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Captured log of a process, from its standard error.
#[derive(Default)]
struct CapturedLog {
    /// Lines so far.
    lines: Vec<String>,
    /// True once standard error is closed.
    ended: bool,
}

/// Running `chat-server` process, killed on drop.
pub(crate) struct Server {
    /// Process handle.
    child: Child,
    /// Captured log, with the condition variable that signals new lines and the end.
    log: Arc<(Mutex<CapturedLog>, Condvar)>,
    /// Addresses on which the server listens.
    addresses: Vec<SocketAddr>,
    /// Addresses on which the server listens for browsers. Only those of `--web-listen` are waited
    /// for.
    web_addresses: Vec<SocketAddr>,
    /// Addresses on which the server listens for browsers over https. Only those of
    /// `--web-tls-listen` are waited for.
    web_tls_addresses: Vec<SocketAddr>,
    /// Addresses on which the server listens for TLS. Only those of `--tls-listen` are waited for.
    tls_addresses: Vec<SocketAddr>,
}

/// Flags of a server that lets browsers in, on a free port of 127.0.0.1.
pub(crate) const WITH_WEB: &[&str] = &["--web", "true", "--web-listen", "127.0.0.1:0"];

/// Flags of a server that lets browsers in over https, on a free port of 127.0.0.1. It needs `--data`
/// or a certificate, too.
pub(crate) const WITH_WEB_TLS: &[&str] = &["--web-tls", "true", "--web-tls-listen", "127.0.0.1:0"];

/// Flags of a server with TLS, on a free port of 127.0.0.1. It needs `--data` or a certificate, too.
pub(crate) const WITH_TLS: &[&str] = &["--tls", "true", "--tls-listen", "127.0.0.1:0"];

impl Server {
    /// Starts a server and waits until it listens. It listens on a free port of 127.0.0.1, unless
    /// the arguments contain `--listen` or `--plain`. Its environment and its standard input are
    /// empty. Panics if it does not listen within [`PATIENCE`].
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    /// Starts a server like [`Self::start`]. `prepare` can change the server's command, such as its
    /// environment.
    pub(crate) fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_command(server_command(), arguments, prepare)
    }

    /// Starts a server like [`Self::start_with`], with a command that ends up executing the server.
    /// For example, it may enter a network namespace first.
    pub(crate) fn start_command(
        mut command: Command,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut listeners = arguments.iter().filter(|it| **it == "--listen").count();
        if arguments.contains(&"--plain") {
            listeners = 0;
        } else if listeners == 0 {
            command.args(["--listen", "127.0.0.1:0"]);
            listeners = 1;
        }
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let log = Arc::new((Mutex::new(CapturedLog::default()), Condvar::new()));
        let (stderr, writer) = (child.stderr.take().unwrap(), log.clone());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writer.0.lock().unwrap().lines.push(line);
                writer.1.notify_all();
            }
            writer.0.lock().unwrap().ended = true;
            writer.1.notify_all();
        });
        let web_listeners = arguments.iter().filter(|it| **it == "--web-listen").count();
        let web_tls_listeners = arguments.iter().filter(|it| **it == "--web-tls-listen").count();
        let tls_listeners = arguments.iter().filter(|it| **it == "--tls-listen").count();
        let mut server = Self {
            child,
            log,
            addresses: Vec::new(),
            web_addresses: Vec::new(),
            web_tls_addresses: Vec::new(),
            tls_addresses: Vec::new(),
        };
        let lines = server.wait_for_log(|lines| {
            listen_addresses(lines, LISTEN_PREFIX).count() >= listeners
                && listen_addresses(lines, WEB_LISTEN_PREFIX).count() >= web_listeners
                && listen_addresses(lines, WEB_TLS_LISTEN_PREFIX).count() >= web_tls_listeners
                && listen_addresses(lines, TLS_LISTEN_PREFIX).count() >= tls_listeners
        });
        server.addresses = listen_addresses(&lines, LISTEN_PREFIX).collect();
        server.web_addresses = listen_addresses(&lines, WEB_LISTEN_PREFIX).collect();
        server.web_tls_addresses = listen_addresses(&lines, WEB_TLS_LISTEN_PREFIX).collect();
        server.tls_addresses = listen_addresses(&lines, TLS_LISTEN_PREFIX).collect();
        server
    }

    /// Returns the first address on which the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Returns all addresses on which the server listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the first address on which the server listens for browsers.
    pub(crate) fn web_address(&self) -> SocketAddr {
        self.web_addresses[0]
    }

    /// Returns the first address on which the server listens for browsers over https.
    pub(crate) fn web_tls_address(&self) -> SocketAddr {
        self.web_tls_addresses[0]
    }

    /// Returns the first address on which the server listens for TLS.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.tls_addresses[0]
    }

    /// Returns the process id of the server.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the log so far, without the lines with which every start begins.
    pub(crate) fn log(&self) -> Vec<String> {
        without_start(&self.log.0.lock().unwrap().lines)
    }

    /// Waits until the log satisfies `wanted`, and returns all its lines. Panics if that does not
    /// happen within [`PATIENCE`] and before the end of the log.
    pub(crate) fn wait_for_log(&self, mut wanted: impl FnMut(&[String]) -> bool) -> Vec<String> {
        let log = self.log.0.lock().unwrap();
        let (log, _) = self
            .log
            .1
            .wait_timeout_while(log, PATIENCE, |log| !wanted(&log.lines) && !log.ended)
            .unwrap();
        assert!(wanted(&log.lines), "the server said only: {:#?}", log.lines);
        log.lines.clone()
    }

    /// Sends SIGTERM, which requests a graceful shutdown.
    pub(crate) fn send_sigterm(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the process to exit, and returns its exit status. Panics if its standard error is
    /// not closed within [`PATIENCE`].
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let log = self.log.0.lock().unwrap();
        let (log, _) = self.log.1.wait_timeout_while(log, PATIENCE, |log| !log.ended).unwrap();
        assert!(log.ended, "it does not end");
        drop(log);
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM and waits for the process to exit. Returns the exit status and the time that
    /// the exit took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.send_sigterm();
        let status = self.wait();
        (status, begin.elapsed())
    }

    /// Kills the process at once (SIGKILL), as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Opens a new connection to the first address. Sends nothing.
    pub(crate) fn connect(&self) -> TestClient {
        TestClient::connect(self.address())
    }

    /// Opens a connection from a local IPv4 address, so that it counts as another client's.
    /// `receive_buffer` is its size in bytes, if it is not to be the usual one.
    pub(crate) fn connect_from(&self, from: Ipv4Addr, receive_buffer: Option<usize>) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size).unwrap();
        }
        socket.bind(&SocketAddrV4::new(from, 0).into()).unwrap();
        socket.connect(&self.address().into()).unwrap();
        socket.into()
    }

    /// Connects a client and joins the lobby as `name`.
    pub(crate) fn join(&self, name: &str) -> TestClient {
        self.join_rooms(name, &[]).0
    }

    /// Connects a client and joins these rooms, or the lobby if there are none. Returns the client
    /// and the answer to the join.
    pub(crate) fn join_rooms(&self, name: &str, rooms: &[&str]) -> (TestClient, JoinAnswer) {
        let mut client = self.connect();
        client.send_hello(0);
        client.send(join(name, rooms));
        let answer = client.join_answer();
        (client, answer)
    }

    /// Resumes the session of `welcome` on a new connection, from the position with sequence `at`.
    /// Returns the client and the answer to the join.
    pub(crate) fn resume(
        &self,
        name: &str,
        welcome: &Welcome,
        at: Sequence,
    ) -> (TestClient, JoinAnswer) {
        let mut client = self.connect();
        client.send_hello(0);
        let rooms: Vec<&str> = welcome.rooms.iter().map(String::as_str).collect();
        let position = Some(Position { log_id: welcome.log_id, sequence: at });
        client.send(Join { token: Some(welcome.token), position, ..join(name, &rooms) });
        let answer = client.join_answer();
        (client, answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prefix of the log line for each listening address.
const LISTEN_PREFIX: &str = "listening on ";

/// Prefix of the log line for each address on which the server listens for browsers.
const WEB_LISTEN_PREFIX: &str = "listening for browsers on ";

/// Prefix of the log line for each address on which the server listens for browsers over https.
const WEB_TLS_LISTEN_PREFIX: &str = "listening for browsers with TLS on ";

/// Prefix of the log line for each address on which the server listens for TLS.
const TLS_LISTEN_PREFIX: &str = "listening with TLS on ";

/// Parses the listening addresses from log lines that begin with `prefix`.
fn listen_addresses(lines: &[String], prefix: &str) -> impl Iterator<Item = SocketAddr> {
    lines.iter().filter_map(move |line| line.strip_prefix(prefix)?.parse().ok())
}

/// Text in the log line that says what a started server is.
pub(crate) const SUMMARY: &str = "INFO this is “";

/// Returns the log lines without the summary of the start and without the listening addresses.
fn without_start(lines: &[String]) -> Vec<String> {
    let is_of_start = |line: &str| {
        let prefixes = [LISTEN_PREFIX, WEB_LISTEN_PREFIX, WEB_TLS_LISTEN_PREFIX, TLS_LISTEN_PREFIX];
        prefixes.iter().any(|it| line.starts_with(it))
            || line.contains(SUMMARY)
            || line.contains("INFO in a browser: ")
    };
    lines.iter().filter(|line| !is_of_start(line)).cloned().collect()
}

/// Builds a `join` frame without password, token and position.
pub(crate) fn join(name: &str, rooms: &[&str]) -> Join {
    Join {
        username: name.to_owned(),
        password: None,
        rooms: rooms.iter().map(|it| (*it).to_owned()).collect(),
        token: None,
        position: None,
        proof: None,
        invite: None,
    }
}

/// Builds a `hello` frame with these features.
pub(crate) fn hello(features: u64) -> Hello {
    Hello {
        magic: MAGIC,
        min_version: VERSION,
        max_version: VERSION,
        features,
        client_name: "test".to_owned(),
        client_version: String::new(),
    }
}

/// Answer to an accepted `join`: all frames from `welcome` to `end`.
#[derive(Debug)]
pub(crate) struct JoinAnswer {
    /// The `welcome` frame.
    pub(crate) welcome: Welcome,
    /// One `entered` frame for each room.
    pub(crate) entered: Vec<Entered>,
    /// Entries that the server has replayed, or the recent ones.
    pub(crate) history: Vec<Entry>,
    /// The `end` frame.
    pub(crate) end: End,
}

impl JoinAnswer {
    /// Returns the texts of the history.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.history.iter().map(|entry| entry.text.as_str()).collect()
    }
}

/// Client connection to a server. It sends and receives single frames. Its only protocol state is
/// the last reference.
pub(crate) struct TestClient {
    /// Way to the server.
    way: Way,
    /// Splits received bytes into frames.
    reader: FrameReader,
    /// Received frame bodies that are not taken yet.
    bodies: VecDeque<Vec<u8>>,
    /// Reference of the last message sent. After a join, the last one that the server has taken.
    last_reference: u64,
}

/// TLS on a TCP socket.
type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Way to the server: how the bytes of frames travel.
enum Way {
    /// TCP socket, with read and write timeouts.
    Tcp(TcpStream),
    /// TLS on such a socket.
    Tls(Box<TlsStream>),
    /// WebSocket on such a socket, of an implementation that is not ours.
    Web(Box<tungstenite::WebSocket<TcpStream>>),
    /// The same on TLS.
    WebTls(Box<tungstenite::WebSocket<TlsStream>>),
}

impl TestClient {
    /// Connects to a server.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    /// Wraps a connected socket as a client.
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::on(Way::Tcp(stream))
    }

    /// Connects to a server over TLS. Any key is accepted.
    pub(crate) fn connect_tls(address: SocketAddr) -> Self {
        Self::on(Way::Tls(Box::new(Self::shake_hands(address))))
    }

    /// Connects to a server and completes the handshake of TLS.
    fn shake_hands(address: SocketAddr) -> TlsStream {
        let Way::Tcp(mut stream) = Self::connect(address).way else { panic!("not TCP") };
        let mut tls = tls_connection(address);
        tls.complete_io(&mut stream).unwrap();
        StreamOwned::new(tls, stream)
    }

    /// Connects to a server by WebSocket, as the server's own page does.
    pub(crate) fn connect_web(address: SocketAddr) -> Self {
        let Way::Tcp(stream) = Self::connect(address).way else { panic!("not TCP") };
        Self::on(Way::Web(Box::new(open_web_socket(&format!("ws://{address}"), stream, true))))
    }

    /// Connects to a server by WebSocket without an origin, as a program that is no browser.
    pub(crate) fn connect_web_without_origin(address: SocketAddr) -> Self {
        let Way::Tcp(stream) = Self::connect(address).way else { panic!("not TCP") };
        Self::on(Way::Web(Box::new(open_web_socket(&format!("ws://{address}"), stream, false))))
    }

    /// Connects to a server by WebSocket over TLS, as a page does that came by https. Any key is
    /// accepted.
    pub(crate) fn connect_web_tls(address: SocketAddr) -> Self {
        let stream = Self::shake_hands(address);
        Self::on(Way::WebTls(Box::new(open_web_socket(&format!("wss://{address}"), stream, true))))
    }

    /// Creates a client that has sent and received nothing.
    fn on(way: Way) -> Self {
        let (reader, bodies) = (FrameReader::from_server(), VecDeque::new());
        Self { way, reader, bodies, last_reference: 0 }
    }

    /// Encodes and sends one frame.
    pub(crate) fn send(&mut self, frame: impl Into<ClientFrame>) {
        let mut bytes = Vec::new();
        frame.into().encode(&mut bytes);
        self.send_bytes(&bytes);
    }

    /// Sends raw bytes.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        assert!(self.try_send_bytes(bytes), "the server has closed");
    }

    /// Sends raw bytes to a server that may have closed the connection. Returns true if they were
    /// written.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        match &mut self.way {
            Way::Tcp(stream) => stream.write_all(bytes).is_ok(),
            Way::Tls(stream) => stream.write_all(bytes).is_ok(),
            Way::Web(socket) => socket.send(bytes.to_vec().into()).is_ok(),
            Way::WebTls(socket) => socket.send(bytes.to_vec().into()).is_ok(),
        }
    }

    /// Returns the socket, for shutdown and timeouts.
    pub(crate) fn stream(&self) -> &TcpStream {
        match &self.way {
            Way::Tcp(stream) => stream,
            Way::Tls(stream) => &stream.sock,
            Way::Web(socket) => socket.get_ref(),
            Way::WebTls(socket) => &socket.get_ref().sock,
        }
    }

    /// Returns 32 bytes of the TLS exporter with this label, without a context. Panics without TLS.
    pub(crate) fn exporter(&self, label: &[u8]) -> [u8; 32] {
        let Way::Tls(stream) = &self.way else { panic!("not TLS") };
        stream.conn.export_keying_material([0; 32], label, None).unwrap()
    }

    /// Ends the sending side, as a client does that leaves.
    pub(crate) fn end_sending(&mut self) {
        match &mut self.way {
            Way::Tcp(stream) => stream.shutdown(Shutdown::Write).unwrap(),
            Way::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
            Way::Web(socket) => close_web_socket(socket),
            Way::WebTls(socket) => close_web_socket(socket),
        }
    }

    /// Returns the next frame body; `None` if the server has closed the connection. Panics after
    /// [`PATIENCE`] without bytes, and if the connection breaks.
    pub(crate) fn next_body(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            if let Some(body) = self.bodies.pop_front() {
                return Some(body);
            }
            let received = match &mut self.way {
                Way::Tcp(stream) => stream.read(&mut buffer),
                Way::Tls(stream) => stream.read(&mut buffer),
                Way::Web(socket) => read_message(socket, &mut buffer),
                Way::WebTls(socket) => read_message(socket, &mut buffer),
            };
            let count = match received {
                Ok(count) => count,
                // A signal, for example to stop and continue the process, interrupts the read.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("nothing came for {PATIENCE:?}")
                }
                Err(error) => panic!("the connection broke: {error}"),
            };
            if count == 0 {
                return None;
            }
            let bodies = &mut self.bodies;
            let keep = |body: &[u8]| {
                bodies.push_back(body.to_vec());
                true
            };
            self.reader.feed(&buffer[..count], keep).unwrap();
        }
    }

    /// Puts a frame body back to the front of the queue.
    pub(crate) fn put_back(&mut self, body: Vec<u8>) {
        self.bodies.push_front(body);
    }

    /// Returns the next frame; `None` if the server has closed the connection. Panics if the frame
    /// is not valid or of an unknown kind, and as [`Self::next_body`] does.
    pub(crate) fn next_or_end(&mut self) -> Option<ServerFrame> {
        let body = self.next_body()?;
        match ServerFrame::decode(&body) {
            Decoded::Frame(frame) => Some(frame),
            other => panic!("not a frame of a server: {other:?}, {body:02x?}"),
        }
    }

    /// Returns the next frame. Panics if the server has closed the connection.
    pub(crate) fn next(&mut self) -> ServerFrame {
        self.next_or_end().expect("a frame, but the server has closed")
    }

    /// Returns the next frame, which must be an `entry`.
    pub(crate) fn next_entry(&mut self) -> Entry {
        match self.next() {
            ServerFrame::Entry(entry) => entry,
            other => panic!("not an entry: {other:?}"),
        }
    }

    /// Returns the next `count` frames, which must be entries.
    pub(crate) fn next_entries(&mut self, count: usize) -> Vec<Entry> {
        (0..count).map(|_| self.next_entry()).collect()
    }

    /// Returns the next frame, which must be an `error` with this code.
    pub(crate) fn expect_error(&mut self, code: u16) -> Error {
        match self.next() {
            ServerFrame::Error(error) if error.code == code => error,
            other => panic!("not error {code}: {other:?}"),
        }
    }

    /// Asserts that the server closes the connection without sending anything more.
    pub(crate) fn expect_closed(&mut self) {
        let next = self.next_or_end();
        assert!(next.is_none(), "not closed: {next:?}");
    }

    /// Sends `hello` with these features and returns the server's answer.
    pub(crate) fn send_hello(&mut self, features: u64) -> ServerHello {
        self.send(hello(features));
        match self.next() {
            ServerFrame::ServerHello(hello) => hello,
            other => panic!("not server_hello: {other:?}"),
        }
    }

    /// Receives the answer to an accepted `join`: everything from `welcome` to `end`. Panics if
    /// another frame comes. Continues the references after the last one that the server has taken.
    pub(crate) fn join_answer(&mut self) -> JoinAnswer {
        let welcome = match self.next() {
            ServerFrame::Welcome(welcome) => welcome,
            other => panic!("not welcome: {other:?}"),
        };
        self.last_reference = welcome.last_reference.0;
        let (mut entered, mut history) = (Vec::new(), Vec::new());
        loop {
            match self.next() {
                ServerFrame::Entered(it) => entered.push(it),
                ServerFrame::Entry(it) => history.push(it),
                ServerFrame::End(end) => return JoinAnswer { welcome, entered, history, end },
                other => panic!("between welcome and end: {other:?}"),
            }
        }
    }

    /// Enters a room and returns its recent entries. Panics if another frame comes before or among
    /// them.
    pub(crate) fn enter(&mut self, room: &str) -> Vec<Entry> {
        self.send(Enter { reference: Reference(1), room: room.to_owned() });
        assert!(matches!(self.next(), ServerFrame::Entered(_)));
        let mut history = Vec::new();
        loop {
            match self.next() {
                ServerFrame::Entry(entry) => history.push(entry),
                ServerFrame::End(_) => return history,
                other => panic!("between entered and end: {other:?}"),
            }
        }
    }

    /// Sends a message to a room without waiting for its echo.
    pub(crate) fn say(&mut self, room: &str, text: &str) {
        self.last_reference += 1;
        self.send(say(self.last_reference, room, text));
    }

    /// Sends a message to the lobby and returns its echo, which must be the next frame.
    pub(crate) fn say_in_lobby(&mut self, text: &str) -> Entry {
        self.say("lobby", text);
        let echo = self.next_entry();
        assert_eq!((echo.text.as_str(), echo.reference.0), (text, self.last_reference));
        echo
    }

    /// Sends a ping, and returns all frames that arrive before its pong. By then the server has
    /// processed everything sent so far.
    pub(crate) fn drain(&mut self) -> Vec<ServerFrame> {
        let token = 0x5e77_1ed0;
        self.send(Ping { token });
        let mut came = Vec::new();
        loop {
            match self.next() {
                ServerFrame::Pong(Pong { token: back }) if back == token => return came,
                frame => came.push(frame),
            }
        }
    }

    /// Asserts that there is no unread frame from the server, now or after it has processed
    /// everything sent so far.
    pub(crate) fn expect_nothing(&mut self) {
        let came = self.drain();
        assert!(came.is_empty(), "{came:?}");
    }

    /// Closes the sending side and waits until the server closes too. Then the name is free.
    pub(crate) fn hang_up(mut self) {
        self.end_sending();
        while self.next_body().is_some() {}
    }
}

/// Opens a WebSocket of the server at this URL without a path, on a connected stream. The origin is
/// that of the server's own page, if there is to be one.
fn open_web_socket<T: Read + Write>(
    url: &str,
    stream: T,
    has_origin: bool,
) -> tungstenite::WebSocket<T> {
    use tungstenite::client::IntoClientRequest;
    let mut request = format!("{url}/chat").into_client_request().unwrap();
    let protocol = "pi-chat".parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    if has_origin {
        let origin = url.replacen("ws", "http", 1).parse().unwrap();
        request.headers_mut().insert("Origin", origin);
    }
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => socket,
        Err(error) => panic!("no WebSocket at {url}: {error}"),
    }
}

/// Sends the close frame with which a client leaves.
fn close_web_socket(socket: &mut tungstenite::WebSocket<impl Read + Write>) {
    use tungstenite::protocol::CloseFrame;
    use tungstenite::protocol::frame::coding::CloseCode;
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.close(Some(frame)).unwrap();
    socket.flush().unwrap();
}

/// Receives the next message of a WebSocket. Returns its length; 0 if the server has closed the
/// WebSocket in order.
fn read_message(
    socket: &mut tungstenite::WebSocket<impl Read + Write>,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    use tungstenite::{Error as WebError, Message};
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                return Ok(bytes.len());
            }
            Ok(Message::Close(_)) | Err(WebError::ConnectionClosed) => return Ok(0),
            Ok(Message::Text(text)) => panic!("a text message: {text}"),
            Ok(_) => {}
            Err(WebError::Io(error)) => return Err(error),
            Err(error) => panic!("not WebSocket: {error}"),
        }
    }
}

/// Builds a `say` frame.
pub(crate) fn say(reference: u64, room: &str, text: &str) -> Say {
    Say { reference: Reference(reference), room: room.to_owned(), style: 0, text: text.to_owned() }
}

/// Session number of a direct message that may go to any session.
pub(crate) const ANY_SESSION: SessionId = SessionId(0);
