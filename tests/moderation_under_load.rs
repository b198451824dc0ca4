//! Stress test of moderation: 200 clients talk, while a moderator and the owner remove messages and
//! ban, and the server is killed and started again. All clients show the same log, nobody banned is
//! in, and a client that was away learns of what was removed meanwhile.
//!
//! The server is the real program with its log on disk; the clients are the real client's driver
//! without its user interface. They connect through a proxy, because each start of the server has
//! another port.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;
#[path = "common/link_settings.rs"]
mod link_settings;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use pi_chat::client::{Setup, UserKey, run};
use pi_chat::model::{
    ChatCommand, Command, Event, HostAddress, ModerationCommand, ModerationEvent, Request,
    RequestTag, RoomSelector, Sequence, Style,
};
use pi_chat::ui::Screen;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::timeout;

use common::{Server, join, run_server_command, server_command};
use link_settings::link_settings;

/// Number of clients in the room.
const CLIENTS: usize = 200;

/// Client that gets the role of a moderator.
const MODERATOR: usize = 0;

/// Client that is away while messages are removed.
const SLEEPER: usize = 1;

/// Clients that are banned while they talk.
const BANNED: std::ops::Range<usize> = 2..12;

/// Number of messages that each client sends before the server is killed, and again after that.
const MESSAGES: usize = 5;

/// Number of messages that are removed while everybody is there, and again while one client is
/// away.
const REMOVALS: usize = 5;

/// Time limit for each phase.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a client has shown.
#[derive(Default)]
struct Shown {
    /// Sequences of the messages, in the order shown.
    sequences: Vec<Sequence>,
    /// Sequences of the messages of banned clients, which are removed later.
    of_banned: Vec<Sequence>,
    /// Sequences of the removed messages: reported as removed, or shown as a placeholder.
    removed: BTreeSet<Sequence>,
    /// Number of moderation requests of the client that were carried out.
    done: usize,
    /// Number of times that the client was welcomed.
    welcomes: usize,
}

/// Screen that records what it is told to show.
struct RecordingScreen {
    /// What was shown.
    shown: Rc<RefCell<Shown>>,
    /// Notified when something was recorded.
    progress: Rc<watch::Sender<()>>,
}

impl Screen for RecordingScreen {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        let mut shown = self.shown.borrow_mut();
        match event {
            Event::Message(message) => {
                shown.sequences.push(message.sequence);
                if message.style == Style::REMOVED {
                    assert_eq!(message.text, "[removed]");
                    shown.removed.insert(message.sequence);
                }
                if BANNED.map(name_of).any(|it| it == message.from) {
                    shown.of_banned.push(message.sequence);
                }
            }
            Event::Moderation(ModerationEvent::MessageRemoved { message, .. }) => {
                let is_new = shown.removed.insert(*message);
                assert!(is_new, "a removal is reported twice: {message:?}");
            }
            Event::Moderation(ModerationEvent::Done { .. }) => shown.done += 1,
            Event::JoinedServer(joined) => {
                let is_first = shown.welcomes == 0;
                assert_eq!((joined.session_kept, joined.position_kept), (!is_first, !is_first));
                shown.welcomes += 1;
            }
            Event::Gap { .. } => panic!("{event:?}"),
            _ => return Ok(()),
        }
        self.progress.send_replace(());
        Ok(())
    }
}

/// Running client.
struct Client {
    /// Requests to the client. Dropping it would make the client leave.
    requests: mpsc::Sender<Request>,
    /// What it has shown.
    shown: Rc<RefCell<Shown>>,
    /// True while its connections reach the server.
    line: watch::Sender<bool>,
    /// Aborts the client.
    task: AbortHandle,
}

impl Client {
    /// Starts a client behind a proxy of its own.
    async fn start(
        number: usize,
        server: watch::Receiver<SocketAddr>,
        progress: Rc<watch::Sender<()>>,
    ) -> Self {
        let (line, is_up) = watch::channel(true);
        let address = start_proxy(server, is_up).await;
        let (requests, inbox) = mpsc::channel(4 * MESSAGES);
        let setup = Setup {
            server: HostAddress { host: address.ip().to_string(), port: address.port() }.into(),
            settings: link_settings(name_of(number), u64::try_from(number).unwrap()),
            state_dir: None,
            known_servers: None,
            fingerprint: None,
            key: UserKey::none(),
            ignore_list: None,
            throttle_requests: false,
        };
        let shown = Rc::default();
        let mut screen = RecordingScreen { shown: Rc::clone(&shown), progress };
        let task = tokio::task::spawn_local(async move {
            let end = run(setup, &mut screen, inbox, pending()).await.unwrap();
            assert!(BANNED.contains(&number), "client {number} has ended: {end:?}");
        });
        Self { requests, shown, line, task: task.abort_handle() }
    }

    /// Sends messages. Does nothing if the client has ended, because it is banned.
    fn talk(&self, number: usize, phase: &str) {
        for message in 0..MESSAGES {
            let text = format!("client {number}, {phase} {message}");
            let (room, style) = (RoomSelector::Only, Style::SAID);
            let command = Command::Chat(ChatCommand::Say { room, style, text });
            let _ = self.requests.try_send(Request { tag: RequestTag::default(), command });
        }
    }

    /// Removes a message.
    fn remove(&self, message: Sequence) {
        let remove = ModerationCommand::Remove { room: RoomSelector::Only, message, reason: None };
        let command = Command::Chat(ChatCommand::Moderate(remove));
        self.requests.try_send(Request { tag: RequestTag::default(), command }).unwrap();
    }
}

/// Returns the username of a client.
fn name_of(number: usize) -> String {
    format!("client{number}")
}

/// Starts a proxy, and returns its address. It relays connections to the server's current address,
/// and drops them while the line is down.
async fn start_proxy(
    server: watch::Receiver<SocketAddr>,
    is_up: watch::Receiver<bool>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let to = *server.borrow();
            let mut is_up = is_up.clone();
            tokio::task::spawn_local(async move {
                let relay = async {
                    if let Ok(mut upstream) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut client, &mut upstream).await;
                    }
                };
                tokio::select! {
                    () = relay => {}
                    _ = is_up.wait_for(|it| !it) => {}
                }
            });
        }
    });
    address
}

/// Server that is killed and started again on the same log.
struct Appliance {
    /// Directory of the log and the control socket.
    directory: tempfile::TempDir,
    /// The running server.
    server: Server,
    /// Address of the running server.
    address: watch::Sender<SocketAddr>,
}

impl Appliance {
    /// Starts a server with an empty log.
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = start_server(directory.path());
        let address = watch::Sender::new(server.address());
        Self { directory, server, address }
    }

    /// Kills the server, and starts it again.
    fn crash(&mut self) {
        self.server.kill();
        self.server = start_server(self.directory.path());
        self.address.send_replace(self.server.address());
    }

    /// Runs a command of the owner, which must succeed. Returns what it prints.
    fn command(&self, words: &[&str]) -> String {
        let control = self.directory.path().join("control");
        let output = server_command().args(words).arg("--control").arg(control).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns roles, sanctions and topics in force. The numbers of people in rooms are left out.
    fn state(&self) -> Vec<Value> {
        let list = |words: &[&str]| serde_json::from_str(&self.command(words)).unwrap();
        let mut rooms: Value = list(&["rooms", "--json"]);
        for room in rooms["rooms"].as_array_mut().unwrap() {
            room["people"].take();
        }
        vec![list(&["role", "list", "--json"]), list(&["bans", "--json"]), rooms]
    }
}

/// Starts a server on the log in a directory.
fn start_server(directory: &Path) -> Server {
    let (data, control) = (directory.join("data"), directory.join("control"));
    let (data, control) = (data.to_str().unwrap(), control.to_str().unwrap());
    Server::start(&[
        "--data",
        data,
        "--control",
        control,
        "--burst",
        "1000",
        "--per-minute",
        "60000",
        "--max-connections-per-address",
        "10000",
    ])
}

/// Waits until all selected clients are in a state, at most [`PATIENCE`].
async fn wait_until(
    clients: &[Client],
    changed: &mut watch::Receiver<()>,
    selected: impl Fn(usize) -> bool,
    what: impl Fn(&Shown) -> bool,
) {
    let is_done = || {
        let mut those = clients.iter().enumerate().filter(|(number, _)| selected(*number));
        those.all(|(_, it)| what(&it.shown.borrow()))
    };
    let outcome = timeout(PATIENCE, async {
        while !is_done() {
            changed.changed().await.unwrap();
        }
    });
    if outcome.await.is_err() {
        let counts: Vec<_> = clients
            .iter()
            .map(|it| it.shown.borrow())
            .map(|it| (it.sequences.len(), it.removed.len(), it.done, it.welcomes))
            .collect();
        panic!("shown, removed, done, welcomes: {counts:?}");
    }
}

#[test]
fn all_agree_while_moderators_act_and_the_server_is_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, converse());
}

/// Runs the conversation and asserts what this file promises.
async fn converse() {
    let mut appliance = Appliance::start();
    let (progress, mut changed) = watch::channel(());
    let progress = Rc::new(progress);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let server = appliance.address.subscribe();
        clients.push(Client::start(number, server, Rc::clone(&progress)).await);
    }
    let stays = |number: usize| !BANNED.contains(&number);
    wait_until(&clients, &mut changed, |_| true, |it| it.welcomes > 0).await;
    appliance.command(&["role", "add", &name_of(MODERATOR), "moderator"]);
    appliance.command(&["topic", "lobby", "rules apply"]);

    // All talk. The moderator removes messages of those who are banned by the owner meanwhile.
    for (number, client) in clients.iter().enumerate() {
        client.talk(number, "first");
    }
    let is_moderator = |number| number == MODERATOR;
    wait_until(&clients, &mut changed, is_moderator, |it| it.of_banned.len() >= REMOVALS).await;
    let early: Vec<Sequence> = clients[MODERATOR].shown.borrow().of_banned[..REMOVALS].to_vec();
    early.iter().for_each(|it| clients[MODERATOR].remove(*it));
    for number in BANNED {
        appliance.command(&["ban", &name_of(number), "2h", "--reason", "spam"]);
    }
    wait_until(&clients, &mut changed, is_moderator, |it| it.done >= REMOVALS).await;

    // The server is killed in the middle of the talk, and comes back.
    for (number, client) in clients.iter().enumerate().filter(|(it, _)| stays(*it)) {
        client.talk(number, "second");
    }
    appliance.crash();
    let least = (CLIENTS - BANNED.len()) * 2 * MESSAGES;
    wait_until(&clients, &mut changed, stays, |it| it.welcomes > 1).await;
    wait_until(&clients, &mut changed, stays, |it| it.sequences.len() >= least).await;

    // A client is away while messages are removed that it has shown.
    clients[SLEEPER].line.send_replace(false);
    let late: Vec<Sequence> = {
        let shown = clients[SLEEPER].shown.borrow();
        let is_left = |it: &&Sequence| !shown.removed.contains(*it);
        shown.sequences.iter().rev().filter(is_left).take(REMOVALS).copied().collect()
    };
    late.iter().for_each(|it| clients[MODERATOR].remove(*it));
    wait_until(&clients, &mut changed, is_moderator, |it| it.done >= 2 * REMOVALS).await;
    let is_gone = |it: &&Sequence| !clients[SLEEPER].shown.borrow().removed.contains(*it);
    assert!(late.iter().all(|it| is_gone(&it)), "the client is not away");
    let before = appliance.state();
    appliance.crash();
    assert_eq!(appliance.state(), before, "the state is lost");
    clients[SLEEPER].line.send_replace(true);

    // All come back, the one that was away too, and know of each removal.
    let all: BTreeSet<Sequence> = early.iter().chain(&late).copied().collect();
    wait_until(&clients, &mut changed, stays, |it| it.removed.is_superset(&all)).await;
    wait_until(&clients, &mut changed, stays, |it| it.welcomes > 2).await;
    let (_, fresh) = appliance.server.join_rooms("newcomer", &[]);
    let last = fresh.history.last().unwrap().sequence;
    let has_all = |it: &Shown| it.sequences.last().is_some_and(|it| *it >= last);
    wait_until(&clients, &mut changed, stays, has_all).await;
    let expected = &clients[MODERATOR].shown.borrow().sequences;
    assert!(expected.is_sorted_by(|a, b| a < b), "shown twice, or in another order");
    for (number, client) in clients.iter().enumerate().filter(|(it, _)| stays(*it)) {
        let shown = client.shown.borrow();
        assert!(shown.sequences == *expected, "client {number} has shown another log");
        assert_eq!(shown.removed, all, "client {number}");
    }

    // Nobody banned is in, or comes in.
    for number in BANNED {
        assert!(clients[number].task.is_finished(), "client {number} goes on");
        let mut client = appliance.server.connect();
        client.send_hello(0);
        client.send(join(&name_of(number), &[]));
        client.expect_error(206);
    }
    let data = appliance.directory.path().join("data");
    let check = run_server_command(&["check", "--data", data.to_str().unwrap()]);
    assert!(check.status.success(), "{check:?}");
}
