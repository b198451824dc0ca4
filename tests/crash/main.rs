//! Crash test: a server is killed (and sometimes stopped) again and again while clients chat. No
//! message that any client has received may be lost, and all clients resume.
//!
//! The server is the real program; the clients are the real client's engine (see `talker`). The
//! random numbers follow from a seed that is printed; `CRASH_SEED=… cargo test --test crash`
//! repeats a run as far as timing allows, and `CRASH_ROUNDS=…` sets the number of crashes.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod history;
#[path = "../common/link_settings.rs"]
mod link_settings;
mod talker;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use pi_chat::model::Message;
use tempfile::tempdir;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::timeout;

use common::Server;
use talker::{ROOMS, Record, Stage, Talker, rooms_of};

/// Number of talkers, the clients that chat.
const TALKERS: usize = 20;

/// Default number of crashes.
const DEFAULT_ROUNDS: usize = 5;

/// Maximum number of messages and welcomes of all talkers together between two crashes.
const MAX_EVENTS_PER_RUN: usize = 4_000;

/// Time limit for each wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the number in an environment variable, if it is set.
fn env_number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

#[test]
fn crashes_lose_no_seen_message() {
    let random = || u64::from_ne_bytes(pi_chat::os::random_bytes().unwrap());
    let seed = env_number("CRASH_SEED").unwrap_or_else(random);
    let rounds =
        env_number("CRASH_ROUNDS").map_or(DEFAULT_ROUNDS, |it| usize::try_from(it).unwrap());
    println!("CRASH_SEED={seed}");
    let data = tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let talked = talk_through_crashes(data.path(), seed, rounds);
    let (mut server, records) = LocalSet::new().block_on(&runtime, talked);
    // The log must also survive a crash after the last message.
    server.kill();
    let server = start(data.path(), None);
    let histories: HashMap<_, _> =
        ROOMS.iter().map(|room| (*room, history::read_history(&server, room))).collect();
    for (number, record) in records.iter().enumerate() {
        let record = record.borrow();
        assert_eq!(record.problems, [""; 0], "talker {number}");
        history::check_room_histories(number, &record, &histories);
    }
    let borrowed: Vec<_> = records.iter().map(|it| it.borrow()).collect();
    history::check_directs(&borrowed.iter().map(|it| &**it).collect::<Vec<_>>());
    let messages: usize = histories.values().map(Vec::len).sum();
    let returns: usize = records.iter().map(|it| it.borrow().welcomes - 1).sum();
    println!("{messages} messages, {rounds} crashes, {returns} returns");
    assert!(returns >= rounds, "nobody has noticed the crashes");
}

/// Starts a server with this data directory and without a noticeable rate limit.
fn start(data: &Path, listen: Option<&str>) -> Server {
    let data = data.to_str().unwrap();
    let listen = listen.unwrap_or("127.0.0.1:0");
    let fast = ["--burst", "100000", "--per-minute", "6000000"];
    Server::start(&[&["--data", data, "--listen", listen], &fast[..]].concat())
}

/// Runs the talkers while the server is killed `rounds` times. Returns the last server, and what
/// each talker has recorded.
async fn talk_through_crashes(
    data: &Path,
    seed: u64,
    rounds: usize,
) -> (Server, Vec<Rc<RefCell<Record>>>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = start(data, None);
    let address = server.address();
    let (server_address, is_up) = watch::channel(Some(address));
    let (stage, stages) = watch::channel(Stage::Gathering);
    let (progress, mut changed) = watch::channel(());
    let progress = Rc::new(progress);
    let records: Vec<_> = (0..TALKERS)
        .map(|number| {
            let record = Rc::<RefCell<Record>>::default();
            let talker = Talker::new(number, random.u64(..), record.clone(), progress.clone());
            tokio::task::spawn_local(talker.run(is_up.clone(), stages.clone()));
            record
        })
        .collect();
    let mut wait_until = async |what: &str, is_so: &dyn Fn() -> bool| {
        let waited = timeout(PATIENCE, async {
            while !is_so() {
                changed.changed().await.unwrap();
            }
        });
        let outcome = waited.await;
        let all = || records.iter().map(|it| it.borrow().to_string()).collect::<Vec<_>>();
        assert!(outcome.is_ok(), "{what}: {:#?}", all());
    };
    let all = |is_so: &dyn Fn(&Record) -> bool| records.iter().all(|it| is_so(&it.borrow()));
    wait_until("not all came in", &|| all(&|it| it.welcomes > 0)).await;
    stage.send_replace(Stage::Talking);
    for round in 0..rounds {
        let events =
            || records.iter().map(|it| it.borrow().seen.len() + it.borrow().welcomes).sum();
        // Sometimes the next crash happens while the talkers are still resuming.
        let most = if random.bool() { MAX_EVENTS_PER_RUN } else { 2 * TALKERS };
        let until = events() + random.usize(0..most);
        let what = format!("nothing happens in round {round}");
        wait_until(&what, &|| Some(events()).is_some_and(|it: usize| it >= until)).await;
        server_address.send_replace(None);
        if random.u8(0..4) == 0 {
            // A graceful stop, as by systemd.
            let ended = tokio::task::spawn_blocking(move || server.terminate().0);
            assert!(ended.await.unwrap().success(), "round {round}");
        } else {
            server.kill();
        }
        server = start(data, Some(&address.to_string()));
        server_address.send_replace(Some(address));
    }
    stage.send_replace(Stage::Leaving);
    wait_until("not everybody got everything", &|| {
        records.iter().enumerate().all(|(number, it)| has_last_messages(number, &it.borrow().seen))
    })
    .await;
    (server, records)
}

/// Returns true if a talker has received the last message of every talker in each of its rooms.
fn has_last_messages(number: usize, seen: &[Message]) -> bool {
    let last = seen.iter().filter(|it| it.text.starts_with(talker::LAST_PREFIX)).count();
    let meets = |other: &usize| -> usize {
        rooms_of(*other).iter().filter(|room| rooms_of(number).contains(room)).count()
    };
    last >= (0..TALKERS).map(|it| meets(&it)).sum()
}
