//! Tests of the client's driver on real sockets, against a scripted server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::identity::ChannelBinding;
use crate::model::{
    ChatCommand, ConnectionState, ErrorCode, HostAddress, IdentityKey, LogId, Reference,
    RoomSelector, Sequence, SessionId, Style, Timestamp, Token,
};
use crate::wire::FrameReader;
use crate::wire::tcp::{
    ClientFrame, Decoded, End as EndFrame, Entered, Entry, Error, ServerHello, Welcome, feature,
};

/// Screen that records the events.
#[derive(Default)]
struct Recorder(Vec<Event>);

impl Screen for Recorder {
    fn show(&mut self, event: &Event) -> std::io::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Public key of the scripted server, if it takes proofs.
const SERVER_KEY: [u8; 32] = [9; 32];

/// Server side of a connection.
struct ServerConnection {
    /// Socket.
    stream: TcpStream,
    /// Splits the received bytes into frames.
    reader: FrameReader,
    /// Frames received and not returned yet.
    frames: Vec<ClientFrame>,
    /// Challenge that the server sends; all zero if it takes no proofs.
    challenge: [u8; 32],
    /// Features of the client's `hello`, and proof in its join.
    credentials: (u64, Option<Proof>),
}

impl ServerConnection {
    /// Accepts the next connection.
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self {
            stream,
            reader: FrameReader::from_client(),
            frames: Vec::new(),
            challenge: [0; 32],
            credentials: (0, None),
        }
    }

    /// Returns the next frame; `None` at the end of the stream. Panics after 10 s without a byte,
    /// and on a frame that is not valid.
    fn read(&mut self) -> Option<ClientFrame> {
        while self.frames.is_empty() {
            let mut buffer = [0; 7];
            let count = self.stream.read(&mut buffer).unwrap();
            if count == 0 {
                return None;
            }
            let frames = &mut self.frames;
            self.reader
                .feed(&buffer[..count], |body| {
                    let Decoded::Frame(frame) = ClientFrame::decode(body) else { panic!() };
                    frames.push(frame);
                    true
                })
                .unwrap();
        }
        Some(self.frames.remove(0))
    }

    /// Sends frames in two chunks that do not end at frame boundaries.
    fn send(&mut self, frames: &[ServerFrame]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.stream.write_all(first).unwrap();
        thread::sleep(Duration::from_millis(20));
        self.stream.write_all(second).unwrap();
    }

    /// Completes the handshake, with session 1 in the lobby and nothing replayed. A join with a
    /// token resumes the session. Returns the token in the client's join; `None` if the join has
    /// none.
    fn accept_join(&mut self) -> Option<Token> {
        let Some(ClientFrame::Hello(asked)) = self.read() else { panic!() };
        let takes_proofs = self.challenge != [0; 32];
        let hello = ServerHello {
            version: 1,
            min_version: 1,
            max_version: 1,
            features: if takes_proofs { feature::IDENTITY } else { 0 },
            server_program: "part".to_owned(),
            server_version: "1".to_owned(),
            challenge: self.challenge,
            server_key: if takes_proofs { SERVER_KEY } else { [0; 32] },
        };
        self.send(&[hello.into()]);
        let Some(ClientFrame::Join(join)) = self.read() else { panic!() };
        self.credentials = (asked.features, join.proof.as_deref().cloned());
        let (log_id, rooms) = (LogId([1; 16]), vec!["lobby".to_owned()]);
        let welcome = Welcome {
            session: SessionId(1),
            username: join.username,
            token: Token([1; 16]),
            flags: if join.token.is_some() { 3 } else { 0 },
            last_reference: Reference(0),
            log_id,
            time: Timestamp(0),
            server_name: "part".to_owned(),
            rooms,
            max_text: 4_096,
            max_rooms: 16,
            history_length: 10,
            ping_interval: 30,
            idle_timeout: 60,
            session_lifetime: 1,
            burst: 1,
            per_minute: 1,
            keep_days: 0,
            keep_messages: 0,
            keep_bytes: 0,
        };
        let entered =
            Entered { reference: Reference(0), room: "lobby".to_owned(), flags: 0, members: 1 };
        let end = EndFrame { about: 2, reference: Reference(0), head: Sequence(0), flags: 0 };
        self.send(&[welcome.into(), entered.into(), end.into()]);
        join.token
    }

    /// Reads a message to a room, echoes it and returns its text. Panics if another frame comes.
    fn echo_message(&mut self) -> String {
        let Some(ClientFrame::Say(say)) = self.read() else { panic!() };
        let entry = Entry {
            person: SessionId(0),
            flags: 0,
            sequence: Sequence(say.reference.0),
            previous: Sequence(0),
            room: say.room,
            session: SessionId(1),
            username: "anna".to_owned(),
            time: Timestamp(0),
            reference: say.reference,
            style: say.style,
            text: say.text.clone(),
        };
        self.send(&[entry.into()]);
        say.text
    }
}

/// Runs a client that sends one message and leaves, against a server that follows `script`. Returns
/// the reason of the client's end, its events, and the result of `script`.
fn run_against<T: Send + 'static>(
    script: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (EndReason, Vec<Event>, T) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server: JoinHandle<T> = thread::spawn(move || script(listener));
    let (end, events) = run_client(port, true, None);
    (end, events, server.join().unwrap())
}

/// Server script: accepts one client, echoes its message, and waits until it leaves. Returns the
/// token in the client's join; `None` if the join has none.
fn serve_one_client(listener: &TcpListener) -> Option<Token> {
    let mut connection = ServerConnection::accept(listener);
    let token = connection.accept_join();
    connection.echo_message();
    connection.read();
    token
}

/// Runs a client that sends one message. If `asks_to_leave`, the client then leaves by command;
/// otherwise its requests just end. Returns the reason of its end and its events.
fn run_client(port: u16, asks_to_leave: bool, state: Option<PathBuf>) -> (EndReason, Vec<Event>) {
    run_client_with_key(port, asks_to_leave, state, UserKey::none())
}

/// Runs a client like [`run_client`], whose user has this key.
fn run_client_with_key(
    port: u16,
    asks_to_leave: bool,
    state: Option<PathBuf>,
    key: UserKey,
) -> (EndReason, Vec<Event>) {
    let settings = Settings {
        username: "anna".to_owned(),
        rooms: Vec::new(),
        password: None,
        invite: None,
        observe: true,
        retry_first_connect: false,
        can_prompt: false,
        can_ask_name: false,
        takes_invited_name: false,
        program: "test",
        version: "1",
        seed: 1,
    };
    let server = HostAddress { host: "127.0.0.1".to_owned(), port }.into();
    let (requests, taken) = mpsc::channel(4);
    let say =
        ChatCommand::Say { room: RoomSelector::First, style: Style::SAID, text: "hi".to_owned() };
    let finish = asks_to_leave.then_some(Command::Finish { patience: Duration::from_secs(20) });
    for command in [Some(Command::Chat(say)), finish].into_iter().flatten() {
        requests.try_send(Request { tag: RequestTag::default(), command }).unwrap();
    }
    drop(requests);
    let mut screen = Recorder::default();
    let setup = Setup {
        server,
        settings,
        known_servers: state.clone(),
        state_dir: state,
        fingerprint: None,
        key,
        ignore_list: None,
        throttle_requests: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(run(setup, &mut screen, taken, std::future::pending())).unwrap();
    (end, screen.0)
}

/// The message arrives, and the connection is closed in order.
#[test]
fn message_is_delivered_and_connection_closed_in_order() {
    let (end, events, last) = run_against(|listener| {
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        assert_eq!(connection.echo_message(), "hi");
        connection.read()
    });
    assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
    assert_eq!(last, None);
    assert!(events.iter().any(|it| matches!(it, Event::Message(it) if it.own)));
}

/// When the requests end, the client ends.
#[test]
fn end_of_requests_ends_client() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        connection.echo_message();
        connection.read()
    });
    let (end, _) = run_client(port, false, None);
    assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
    assert_eq!(server.join().unwrap(), None);
}

/// After the connection breaks, the client connects again and resends the unacknowledged message.
#[test]
fn lost_connection_is_reestablished_and_message_resent() {
    let (end, events, ()) = run_against(|listener| {
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        assert!(matches!(connection.read(), Some(ClientFrame::Say(_))));
        drop(connection);
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        connection.echo_message();
        connection.read();
    });
    assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
    assert_eq!(events.iter().filter(|it| matches!(it, Event::Message(_))).count(), 1);
}

/// The next run resumes the saved session, unless another process has locked it. If the directory
/// cannot be used, the client reports the problem and works without.
#[test]
fn session_is_resumed_from_disk_unless_locked() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = Destination::from(HostAddress { host: "127.0.0.1".to_owned(), port });
    let no_directory = folder.path().join("file");
    std::fs::write(&no_directory, "").unwrap();
    let server = thread::spawn(move || [(); 4].map(|()| serve_one_client(&listener)));
    let run = |state: &Path| {
        let (end, events) = run_client(port, true, Some(state.to_owned()));
        assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
        let problems = events.iter().filter(|it| matches!(it, Event::Problem { code: 0, .. }));
        problems.count()
    };
    assert_eq!(run(folder.path()), 0);
    assert_eq!(run(folder.path()), 0);
    let held = SessionStore::open(folder.path(), &address, "anna").unwrap().unwrap();
    assert_eq!(run(folder.path()), 0);
    drop(held);
    assert_eq!(run(&no_directory), 1);
    assert_eq!(server.join().unwrap(), [None, Some(Token([1; 16])), None, None]);
}

/// The key is proved on each connection to a server that takes proofs, with the challenge of the
/// connection, and is the same in the next run. A server that takes none gets none, and no key is
/// created for it. Whoever has no key does not ask for a challenge.
#[test]
fn key_is_proved_to_a_server_that_takes_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        [0, 1, 2, 3].map(|number| {
            let mut connection = ServerConnection::accept(&listener);
            connection.challenge = [number; 32];
            connection.accept_join();
            connection.echo_message();
            connection.read();
            connection.credentials
        })
    });
    let run = |key| {
        let (end, _) = run_client_with_key(port, true, None, key);
        assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
    };
    let key = || UserKey::load(folder.path(), true).unwrap();
    run(key());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    run(key());
    run(key());
    run(UserKey::none());
    let [(asked, none), (_, first), (_, second), (unasked, nothing)] = server.join().unwrap();
    assert_eq!((none, nothing), (None, None));
    assert_eq!((asked & feature::IDENTITY, unasked & feature::IDENTITY), (feature::IDENTITY, 0));
    let (first, second) = (first.unwrap(), second.unwrap());
    let context = |challenge| ProofContext {
        challenge: [challenge; 32],
        server_key: IdentityKey(SERVER_KEY),
        binding: ChannelBinding::None,
    };
    assert!(context(1).is_proved_by(&first) && context(2).is_proved_by(&second));
    assert_eq!(first.key, second.key);
    assert!(!context(2).is_proved_by(&first));
}

/// The client follows the retry delay in the server's error, even if the stream ends right after
/// it.
#[test]
fn server_retry_advice_is_followed() {
    let (end, events, ()) = run_against(|listener| {
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        let error = Error { retry_after: 200, ..Error::new(ErrorCode::ShuttingDown) };
        // The error is in the same write as the end of the stream.
        let mut bytes = Vec::new();
        ServerFrame::from(error).encode(&mut bytes);
        connection.stream.write_all(&bytes).unwrap();
        connection.stream.shutdown(Shutdown::Write).unwrap();
        while connection.read().is_some() {}
        drop(connection);
        let mut connection = ServerConnection::accept(&listener);
        connection.accept_join();
        connection.echo_message();
        connection.read();
    });
    assert_eq!(end, EndReason::Left { unsent: 0, refused: 0 });
    let delays: Vec<_> = events
        .iter()
        .filter_map(|it| match it {
            Event::Connection(ConnectionState::Reconnecting { delay }) => Some(delay.as_millis()),
            _ => None,
        })
        .collect();
    assert!(matches!(delays[..], [200..=300]), "{delays:?}");
}

/// If the server speaks another protocol, the client ends with a protocol error.
#[test]
fn foreign_protocol_is_a_protocol_error() {
    let (end, _, ()) = run_against(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(matches!(end, EndReason::Protocol { .. }), "{end:?}");
}

/// If the connection is refused, the client ends as unavailable. It reports its message as unsent.
#[test]
fn refused_connection_is_unavailable() {
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let (end, events) = run_client(port, true, None);
    assert!(matches!(end, EndReason::Unavailable { .. }), "{end:?}");
    let is_unsent = |it: &Event| matches!(it, Event::Unsent { perhaps_taken: false, .. });
    assert!(events.iter().any(is_unsent));
}
