//! What the tests of the real `chat-server` share: a server process, and
//! clients that speak the protocol without any cleverness.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
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

/// Whatever takes longer than this does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One of our programs, with nothing of our own environment. PI_CHAT_RUNNER is
/// what runs it where this machine cannot: `scripts/test arm` says an emulator.
pub(crate) fn isolated_command(program: &str) -> Command {
    let runner = env::var("PI_CHAT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().chain([program]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).env_clear();
    command
}

/// The server.
pub(crate) fn server_command() -> Command {
    isolated_command(env!("CARGO_BIN_EXE_chat-server"))
}

/// Runs the program with arguments with which it ends by itself.
pub(crate) fn run_server_command(arguments: &[&str]) -> Output {
    server_command().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a process says on standard error.
#[derive(Default)]
struct CapturedLog {
    /// Its lines so far.
    lines: Vec<String>,
    /// There will be no more.
    ended: bool,
}

/// A running `chat-server`. It is killed when this is dropped.
pub(crate) struct Server {
    /// The process.
    child: Child,
    /// What it says, and the bell for more.
    log: Arc<(Mutex<CapturedLog>, Condvar)>,
    /// Where it listens.
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts a server on a port of its own (unless `--listen` says
    /// otherwise) and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    /// Like [`Self::start`], with a chance to set the environment.
    pub(crate) fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_command(server_command(), arguments, prepare)
    }

    /// The same by a command that becomes the program.
    pub(crate) fn start_command(
        mut command: Command,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut listeners = arguments.iter().filter(|it| **it == "--listen").count();
        if listeners == 0 {
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
        let mut server = Self { child, log, addresses: Vec::new() };
        let lines = server.wait_for_log(|lines| listen_addresses(lines).count() >= listeners);
        server.addresses = listen_addresses(&lines).collect();
        server
    }

    /// Where it listens, the first address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far, but for where it listens.
    pub(crate) fn log(&self) -> Vec<String> {
        without_addresses(&self.log.0.lock().unwrap().lines)
    }

    /// Waits until what it has said is as it should be; gives all lines.
    pub(crate) fn wait_for_log(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let log = self.log.0.lock().unwrap();
        let (log, _) = self
            .log
            .1
            .wait_timeout_while(log, PATIENCE, |log| !wanted(&log.lines) && !log.ended)
            .unwrap();
        assert!(wanted(&log.lines), "the server said only: {:#?}", log.lines);
        log.lines.clone()
    }

    /// Sends SIGTERM.
    pub(crate) fn send_sigterm(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let log = self.log.0.lock().unwrap();
        let (log, _) = self.log.1.wait_timeout_while(log, PATIENCE, |log| !log.ended).unwrap();
        assert!(log.ended, "it does not end");
        drop(log);
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM and waits for the end; gives how it ended and how long
    /// that took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.send_sigterm();
        let status = self.wait();
        (status, begin.elapsed())
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> TestClient {
        TestClient::connect(self.address())
    }

    /// Somebody who has joined the lobby.
    pub(crate) fn join(&self, name: &str) -> TestClient {
        self.join_rooms(name, &[]).0
    }

    /// Somebody who has joined these rooms, and what came until `end`.
    pub(crate) fn join_rooms(&self, name: &str, rooms: &[&str]) -> (TestClient, JoinAnswer) {
        let mut client = self.connect();
        client.send_hello(0);
        client.send(join(name, rooms));
        let answer = client.join_answer();
        (client, answer)
    }

    /// Comes back to a session.
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
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What follows an address that is listened on.
const LISTEN_PREFIX: &str = "listening on ";

/// The addresses that are listened on.
fn listen_addresses(lines: &[String]) -> impl Iterator<Item = SocketAddr> {
    lines.iter().filter_map(|line| line.strip_prefix(LISTEN_PREFIX)?.parse().ok())
}

/// The lines that are not about addresses.
fn without_addresses(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !line.starts_with(LISTEN_PREFIX)).cloned().collect()
}

/// A `join` without password, token and position.
pub(crate) fn join(name: &str, rooms: &[&str]) -> Join {
    Join {
        username: name.to_owned(),
        password: None,
        rooms: rooms.iter().map(|it| (*it).to_owned()).collect(),
        token: None,
        position: None,
    }
}

/// A `hello` of this program.
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

/// What comes after a `join` that is accepted.
#[derive(Debug)]
pub(crate) struct JoinAnswer {
    /// Who one is.
    pub(crate) welcome: Welcome,
    /// One for each room.
    pub(crate) entered: Vec<Entered>,
    /// What was said before.
    pub(crate) history: Vec<Entry>,
    /// The last of it.
    pub(crate) end: End,
}

impl JoinAnswer {
    /// The texts of the history.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.history.iter().map(|entry| entry.text.as_str()).collect()
    }
}

/// One end of a connection to a server.
pub(crate) struct TestClient {
    /// The socket.
    stream: TcpStream,
    /// Cuts frames.
    reader: FrameReader,
    /// Bodies that have come.
    bodies: VecDeque<Vec<u8>>,
    /// The number of the last message that was said.
    last_reference: u64,
}

impl TestClient {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let (reader, bodies) = (FrameReader::from_server(), VecDeque::new());
        Self { stream, reader, bodies, last_reference: 0 }
    }

    /// Sends one frame.
    pub(crate) fn send(&mut self, frame: impl Into<ClientFrame>) {
        let mut bytes = Vec::new();
        frame.into().encode(&mut bytes);
        self.send_bytes(&bytes);
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes to who may have closed already; says whether they went.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The socket, for what is not decent.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The next body, however long it takes up to [`PATIENCE`]; none if the
    /// server has closed.
    pub(crate) fn next_body(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 16_384];
        loop {
            if let Some(body) = self.bodies.pop_front() {
                return Some(body);
            }
            let count = match self.stream.read(&mut buffer) {
                Ok(count) => count,
                // The system was stopped for a moment.
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

    /// Has this body come next.
    pub(crate) fn put_back(&mut self, body: Vec<u8>) {
        self.bodies.push_front(body);
    }

    /// The next frame; none if the server has closed.
    pub(crate) fn next_or_end(&mut self) -> Option<ServerFrame> {
        let body = self.next_body()?;
        match ServerFrame::decode(&body) {
            Decoded::Frame(frame) => Some(frame),
            other => panic!("not a frame of a server: {other:?}, {body:02x?}"),
        }
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> ServerFrame {
        self.next_or_end().expect("a frame, but the server has closed")
    }

    /// The next frame, which is an entry.
    pub(crate) fn next_entry(&mut self) -> Entry {
        match self.next() {
            ServerFrame::Entry(entry) => entry,
            other => panic!("not an entry: {other:?}"),
        }
    }

    /// Takes entries until there are so many.
    pub(crate) fn next_entries(&mut self, count: usize) -> Vec<Entry> {
        (0..count).map(|_| self.next_entry()).collect()
    }

    /// The next frame, which is an error with this code.
    pub(crate) fn expect_error(&mut self, code: u16) -> Error {
        match self.next() {
            ServerFrame::Error(error) if error.code == code => error,
            other => panic!("not error {code}: {other:?}"),
        }
    }

    /// Nothing more comes, and the server has closed.
    pub(crate) fn expect_closed(&mut self) {
        let next = self.next_or_end();
        assert!(next.is_none(), "not closed: {next:?}");
    }

    /// Sends `hello` and takes the answer.
    pub(crate) fn send_hello(&mut self, features: u64) -> ServerHello {
        self.send(hello(features));
        match self.next() {
            ServerFrame::ServerHello(hello) => hello,
            other => panic!("not server_hello: {other:?}"),
        }
    }

    /// Takes everything from `welcome` to `end`.
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

    /// Enters a room; gives its history.
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

    /// Says something without waiting for the echo.
    pub(crate) fn say(&mut self, room: &str, text: &str) {
        self.last_reference += 1;
        self.send(say(self.last_reference, room, text));
    }

    /// Says something in the lobby and takes the echo, which must be the
    /// next frame.
    pub(crate) fn say_in_lobby(&mut self, text: &str) -> Entry {
        self.say("lobby", text);
        let echo = self.next_entry();
        assert_eq!((echo.text.as_str(), echo.reference.0), (text, self.last_reference));
        echo
    }

    /// Everything that comes until the server has dealt with what was sent
    /// so far.
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

    /// Nothing has come.
    pub(crate) fn expect_nothing(&mut self) {
        let came = self.drain();
        assert!(came.is_empty(), "{came:?}");
    }

    /// Says goodbye and waits until the server has done so, too: the name
    /// is free then.
    pub(crate) fn hang_up(mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
        while self.next_body().is_some() {}
    }
}

/// A `say`.
pub(crate) fn say(reference: u64, room: &str, text: &str) -> Say {
    Say { reference: Reference(reference), room: room.to_owned(), style: 0, text: text.to_owned() }
}

/// Nobody in particular.
pub(crate) const ANY_SESSION: SessionId = SessionId(0);
