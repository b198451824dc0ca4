//! Join-and-leave cycles against the sleeping sessions of others.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use pi_chat::model::Token;
use pi_chat::wire::tcp::{Join, ServerFrame, Welcome, flag};

use crate::client::Client;
use crate::common;
use crate::harness::{Attack, Origin};
use crate::joins::cycle;

/// Number of sessions of others that sleep.
const SLEEPERS: usize = 20;

/// Sessions that the server remembers in the test; by default it is 20,000.
const MAX_SESSIONS: &str = "100";

/// Greatest number of join-and-leave cycles. The rate of joins of an address lets pass 120 at once,
/// which are more than [`MAX_SESSIONS`] already.
const CYCLES: usize = 2_000;

/// Joins from an address that is not the attacker's, with the token of an earlier session if there
/// is one, and leaves again. Returns the `welcome`.
fn visit(address: SocketAddr, number: usize, token: Option<Token>) -> Welcome {
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, address).unwrap();
    client.send(common::hello(0)).unwrap();
    client.send(Join { token, ..common::join(&format!("sleeper{number}"), &[]) }).unwrap();
    loop {
        match client.next().unwrap() {
            ServerFrame::Welcome(welcome) => return welcome,
            ServerFrame::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
}

#[test]
fn sleeping_sessions_survive_join_and_leave_cycles() {
    evict_sessions(Origin::Address);
}

#[test]
fn sleeping_sessions_survive_join_and_leave_cycles_of_one_network() {
    evict_sessions(Origin::Network);
}

/// Attacks with more sessions than the server remembers, and asserts that others can resume theirs
/// afterwards.
fn evict_sessions(origin: Origin) {
    let tokens: Mutex<Vec<Token>> = Mutex::default();
    let sleep = |address| {
        let visits = (0..SLEEPERS).map(|number| visit(address, number, None).token);
        *tokens.lock().unwrap() = visits.collect();
    };
    let wake = |address| {
        for (number, token) in tokens.lock().unwrap().iter().enumerate() {
            let is_kept = visit(address, number, Some(*token)).flags & flag::SESSION_KEPT != 0;
            assert!(is_kept, "the session of sleeper {number} was evicted");
        }
    };
    Attack {
        name: "join-and-leave cycles",
        origin,
        arguments: &["--max-connections", MAX_SESSIONS, "--max-sessions", MAX_SESSIONS],
        reaches: &["sessions"],
        prepare: &sleep,
        after: &wake,
        ..Attack::default()
    }
    .run(|target| {
        cycle(target, CYCLES);
    });
}
