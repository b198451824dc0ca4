//! Stress test of reconnecting: 200 clients in one room send 50 messages each, while the
//! connections of 20 of them are cut at random. All clients receive all 10,000 messages in the same
//! order, without loss or duplicates.
//!
//! The server is the real program; the clients are the real client's driver without its user
//! interface. The random numbers follow from a seed that is printed; `CUT_SEED=… cargo test --test
//! cut_connections` repeats a run.

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
use std::collections::HashSet;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use pi_chat::client::{Setup, UserKey, run};
use pi_chat::model::{
    ChatCommand, Command, Event, HostAddress, Request, RequestTag, RoomSelector, Style,
};
use pi_chat::ui::Screen;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::timeout;

use common::Server;
use link_settings::link_settings;

/// Number of clients in the room.
const CLIENTS: usize = 200;

/// Number of clients whose connections are cut.
const CUT_CLIENTS: usize = 20;

/// Number of messages that each client sends.
const MESSAGES: usize = 50;

/// Number of connections of each such client that are cut.
const CUTS_PER_CLIENT: usize = 4;

/// Maximum number of bytes that a connection receives before it is cut. Each client receives about
/// a megabyte, so all cuts happen during the conversation.
const MAX_BYTES_BEFORE_CUT: usize = 150_000;

/// Time limit for the joins of all clients, and for the whole conversation.
const PATIENCE: Duration = Duration::from_secs(120);

/// Screen that records messages and welcomes instead of showing them. Panics at a gap, a problem, a
/// refused or unsent message, and at a return that has not kept session and position.
struct RecordingScreen {
    /// Texts of messages, in the order shown.
    seen: Rc<RefCell<Vec<String>>>,
    /// Number of times that the client was welcomed.
    welcomes: Rc<RefCell<usize>>,
    /// Notified when something was recorded.
    progress: Rc<watch::Sender<()>>,
}

impl Screen for RecordingScreen {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Message(message) => self.seen.borrow_mut().push(message.text.clone()),
            Event::JoinedServer(joined) => {
                let mut welcomes = self.welcomes.borrow_mut();
                assert_eq!(joined.session_kept, *welcomes > 0, "{joined:?}");
                assert_eq!(joined.position_kept, *welcomes > 0, "{joined:?}");
                *welcomes += 1;
            }
            Event::Gap { .. }
            | Event::Refused(_)
            | Event::Problem { .. }
            | Event::Unsent { .. } => {
                panic!("{event:?}");
            }
            _ => return Ok(()),
        }
        self.progress.send_replace(());
        Ok(())
    }
}

/// Runs a proxy that cuts the first connections after the numbers of received bytes in
/// `cut_points`, counted from the start of the conversation, and relays later ones without limit.
async fn run_cutting_proxy(
    listener: TcpListener,
    server: SocketAddr,
    cut_points: Vec<usize>,
    started: watch::Receiver<bool>,
) {
    let mut cut_points = cut_points.into_iter();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let bytes_left = cut_points.next().unwrap_or(usize::MAX);
        let upstream = TcpStream::connect(server).await.unwrap();
        tokio::task::spawn_local(relay(client, upstream, bytes_left, started.clone()));
    }
}

/// Relays bytes both ways until `bytes_left` have been sent to the client; then drops both sockets,
/// and what is in transit with them.
async fn relay(
    client: TcpStream,
    server: TcpStream,
    mut bytes_left: usize,
    started: watch::Receiver<bool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let down = async {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let passed = if *started.borrow() { count.min(bytes_left) } else { count };
            if to_client.write_all(&buffer[..passed]).await.is_err() || passed < count {
                return;
            }
            bytes_left -= if *started.borrow() { passed } else { 0 };
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = down => {}
    }
}

/// Running client of the real client's driver.
struct Client {
    /// Requests to the client. Dropping it would make the client leave.
    requests: mpsc::Sender<Request>,
    /// Texts of the messages that it has shown.
    seen: Rc<RefCell<Vec<String>>>,
    /// Number of times that it was welcomed.
    welcomes: Rc<RefCell<usize>>,
}

impl Client {
    /// Requests all its messages at once.
    fn send_all_messages(&self, number: usize) {
        for message in 0..MESSAGES {
            let command = Command::Chat(ChatCommand::Say {
                room: RoomSelector::Only,
                style: Style::SAID,
                text: format!("client {number}, message {message}"),
            });
            self.requests.try_send(Request { tag: RequestTag::default(), command }).unwrap();
        }
    }
}

/// Starts a client, in a task of its own, that connects to `address`. The task panics if the client
/// ends.
fn start(number: usize, address: SocketAddr, progress: Rc<watch::Sender<()>>) -> Client {
    let (requests, inbox) = mpsc::channel(MESSAGES);
    let setup = Setup {
        server: HostAddress { host: address.ip().to_string(), port: address.port() }.into(),
        settings: link_settings(format!("client{number}"), u64::try_from(number).unwrap()),
        state_dir: None,
        known_servers: None,
        fingerprint: None,
        key: UserKey::none(),
        ignore_list: None,
        throttle_requests: false,
    };
    let (seen, welcomes) = (Rc::default(), Rc::default());
    let mut screen =
        RecordingScreen { seen: Rc::clone(&seen), welcomes: Rc::clone(&welcomes), progress };
    tokio::task::spawn_local(async move {
        let end = run(setup, &mut screen, inbox, pending()).await.unwrap();
        panic!("client {number} has ended: {end:?}");
    });
    Client { requests, seen, welcomes }
}

#[test]
fn cut_connections_lose_and_duplicate_nothing() {
    let seed = match std::env::var("CUT_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from_ne_bytes(pi_chat::os::random_bytes().unwrap()),
    };
    println!("CUT_SEED={seed}");
    let many =
        ["--burst", "1000", "--per-minute", "60000", "--max-connections-per-address", "10000"];
    let server = Server::start(&many);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, run_conversation(server.address(), seed));
}

/// Runs the conversation. Asserts that all clients have received all messages, once and in the same
/// order, and that cut connections were resumed at least [`CUT_CLIENTS`] times.
async fn run_conversation(server: SocketAddr, seed: u64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let (progress, mut changed) = watch::channel(());
    let progress = Rc::new(progress);
    let (begin, started) = watch::channel(false);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let address = if number < CUT_CLIENTS {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let cut_points = (0..CUTS_PER_CLIENT)
                .map(|_| random_below(&mut random, MAX_BYTES_BEFORE_CUT))
                .collect();
            tokio::task::spawn_local(run_cutting_proxy(
                listener,
                server,
                cut_points,
                started.clone(),
            ));
            address
        } else {
            server
        };
        clients.push(start(number, address, Rc::clone(&progress)));
    }
    let wait_until = async |what: &dyn Fn(&Client) -> bool| {
        while !clients.iter().all(what) {
            changed.changed().await.unwrap();
        }
    };
    let mut wait_until = wait_until;
    timeout(PATIENCE, wait_until(&|it| *it.welcomes.borrow() > 0)).await.expect("not all came in");
    begin.send_replace(true);
    for (number, client) in clients.iter().enumerate() {
        client.send_all_messages(number);
    }
    let all = CLIENTS * MESSAGES;
    let outcome = timeout(PATIENCE, wait_until(&|it| it.seen.borrow().len() >= all)).await;
    let counts: Vec<usize> = clients.iter().map(|it| it.seen.borrow().len()).collect();
    assert!(outcome.is_ok(), "not everybody got everything: {counts:?}");
    let order = clients[CLIENTS - 1].seen.borrow();
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), all, "something was said twice");
    let mut returns = 0;
    for (number, client) in clients.iter().enumerate() {
        assert!(*client.seen.borrow() == *order, "client {number} saw another order");
        returns += *client.welcomes.borrow() - 1;
    }
    println!("connections were cut and resumed {returns} times");
    assert!(returns >= CUT_CLIENTS, "the lines were not bad enough");
}

/// Returns a random number below `bound`.
fn random_below(random: &mut TestRng, bound: usize) -> usize {
    usize::try_from(random.next_u64()).unwrap() % bound
}
