//! Limits, timers, endings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frames::*;
use super::harness::*;
use crate::hub::Input;
use crate::model::{ErrorCode, HubSettings};
use crate::wire::tcp::{Ping, Pong, ServerFrame, flag};

/// The advice when to come again in the first error.
fn retry_after(got: &[Got]) -> u32 {
    match got.first() {
        Some(Got::Frame(ServerFrame::Error(error))) => error.retry_after,
        other => panic!("not an error: {other:?}"),
    }
}

/// The server has so many places. A place is free when its connection is
/// gone.
#[test]
fn connections_are_limited() {
    let settings = HubSettings { max_connections: 2, ..HubSettings::default() };
    let mut table = Table::with(settings);
    let (anna, _) = table.come("anna", &[]);
    table.connect();
    let third = table.connect();
    let got = table.got(third);
    assert_eq!(got.iter().map(word).collect::<Vec<_>>(), ["server_full 0 0", "closed"]);
    assert_eq!(retry_after(&got), 30_000);
    table.drop(third);
    table.send(anna, hello(0));
    let third = table.connect();
    assert_eq!(table.words(third), ["server_full 0 0", "closed"], "it is closing, not gone");
    table.drop(anna);
    let third = table.connect();
    assert_eq!(table.words(third), [""; 0]);
}

/// So has each address, however it is written.
#[test]
fn connections_from_one_address_are_limited() {
    let settings = HubSettings { max_connections_per_address: 1, ..HubSettings::default() };
    let mut table = Table::with(settings);
    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    let first = table.connect_from(IpAddr::V4(v4));
    let second = table.connect_from(IpAddr::V6(v4.to_ipv6_mapped()));
    assert_eq!(table.words(second), ["too_many_from_address 0 0", "closed"]);
    table.drop(second);
    let other = table.connect_from(IpAddr::V6(Ipv6Addr::LOCALHOST));
    assert_eq!(table.words(other), [""; 0]);
    table.drop(first);
    let again = table.connect_from(IpAddr::V4(v4));
    assert_eq!(table.words(again), [""; 0]);
    table.drop(again);
    table.drop(other);
    assert!(table.is_empty());
}

/// Ten seconds for greeting and join together, sixty after each refusal.
#[test]
fn the_handshake_is_timed() {
    let mut table = Table::new();
    let silent = table.connect();
    table.pass(5_000);
    let slow = table.greet(0);
    table.send(silent, hello(0));
    table.got(silent);
    table.pass(4_900);
    assert_eq!(table.words(silent), [""; 0]);
    table.pass(1_200);
    assert_eq!(table.words(silent), ["handshake_timeout 0 0", "closed"]);
    table.send(slow, join("a b", &[]));
    table.got(slow);
    table.pass(58_000);
    assert_eq!(table.words(slow), ["ping"]);
    table.pass(3_000);
    assert_eq!(table.words(slow), ["handshake_timeout 0 0", "closed"]);
    table.drop(silent);
    table.drop(slow);
    table.pass(60_000);
    assert_eq!(table.wake_at, None, "an idle server sleeps");
}

/// A ping after half a minute of silence, the end after a whole one.
#[test]
fn silence() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let (bob, _) = table.come("bob", &[]);
    table.pass(29_000);
    table.got(anna);
    table.send(bob, Ping { token: 77 });
    table.got(bob);
    table.pass(2_500);
    assert_eq!((table.words(anna), table.words(bob)), (vec!["ping".to_owned()], vec![]));
    table.send(anna, Pong { token: 0 });
    table.pass(29_000);
    assert_eq!((table.words(anna), table.words(bob)), (vec![], vec!["ping".to_owned()]));
    table.pass(30_000);
    assert_eq!(table.words(anna), ["ping", "presence lobby 0 1 +[] -[\"bob\"]"]);
    let words = table.words(bob);
    assert_eq!(words, ["idle_timeout 0 0", "closed"]);
    assert_eq!(table.people, 1, "the name is free at once");
    table.come("bob", &[]);
}

/// Many connections make no more than one sweep a second.
#[test]
fn one_sweep_a_second() {
    let mut table = Table::new();
    for number in 0..100 {
        table.connect();
        table.now = at(1_000 + number * 100);
    }
    let mut wakes = 0;
    while let Some(wake_at) = table.wake_at.take() {
        table.now = table.now.max(wake_at);
        table.input(Input::Wake);
        wakes += 1;
    }
    assert!(wakes <= 12, "{wakes} wakes");
    let lines: Vec<_> = table.lines.keys().copied().collect();
    for line in lines {
        assert_eq!(table.words(line), ["handshake_timeout 0 0", "closed"]);
    }
}

/// A ping is answered, in every state from greeted on; so is the driver's
/// probe, on a connection that is not known.
#[test]
fn pings_are_answered() {
    let mut table = Table::new();
    let anna = table.greet(0);
    table.send(anna, Ping { token: 5 });
    assert_eq!(table.words(anna), ["pong 5"]);
    table.send(anna, join("anna", &[]));
    table.got(anna);
    table.send(anna, Ping { token: 6 });
    assert_eq!(table.words(anna), ["pong 6"]);
    let probe = table.unknown_line();
    table.input(Input::Probe { connection: probe, token: 8 });
    assert_eq!(table.words(probe), ["pong 8"]);
}

/// What the driver has to complain of is told, once.
#[test]
fn what_the_driver_complains_of() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::TooSlow });
    table.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::FrameTooLarge });
    assert_eq!(table.words(anna), ["too_slow 0 0", "closed"]);
    table.drop(anna);
    table.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::FrameTooLarge });
    table.input(Input::Disconnected { connection: anna });
    assert_eq!(table.people, 0);
}

/// Everybody is told goodbye, and nobody comes in any more.
#[test]
fn shutting_down() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let greeted = table.greet(0);
    table.input(Input::ShutDown { retry_after: 2_000 });
    for connection in [anna, greeted] {
        let got = table.got(connection);
        assert_eq!(got.iter().map(word).collect::<Vec<_>>(), ["shutting_down 0 0", "closed"]);
        assert_eq!(retry_after(&got), 2_000);
    }
    let late = table.connect();
    let got = table.got(late);
    assert_eq!(got.iter().map(word).collect::<Vec<_>>(), ["shutting_down 0 0", "closed"]);
    assert_eq!(retry_after(&got), 2_000);
    assert_eq!(table.people, 0);
}

/// A step of the clock is told to all who are in.
#[test]
fn a_step_of_the_clock() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let greeted = table.greet(0);
    table.input(Input::ClockChanged);
    assert_eq!(table.words(anna), ["notice 2"]);
    assert_eq!(table.words(greeted), [""; 0]);
}

/// Who wakes the hub too early is told again when to; a room that is closed
/// has nothing more to tell.
#[test]
fn waking_too_early() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let wake_at = table.wake_at.take();
    assert_eq!(wake_at, Some(at(1_500)));
    table.input(Input::Wake);
    assert_eq!(table.wake_at, wake_at);
    table.drop(anna);
    assert!(table.hub.rooms.is_empty());
    table.pass(20_000);
    assert_eq!(table.wake_at, Some(at(1_000 + 24 * 60 * 60 * 1_000)), "for her session only");
}

/// Who has said everything does not count any more when the end is told.
#[test]
fn finished_means_gone() {
    let settings = HubSettings { max_connections_per_address: 1, ..HubSettings::default() };
    let mut table = Table::with(settings);
    for _ in 0..2 {
        let (anna, _) = table.come("anna", &[]);
        table.input(Input::HalfClosed { connection: anna });
        assert_eq!(table.words(anna), ["closed"]);
        let greeted = table.greet(0);
        table.input(Input::HalfClosed { connection: greeted });
        assert_eq!(table.words(greeted), ["closed"]);
        table.drop(anna);
    }
}

/// The owner wants something else: it holds for who comes from now on, and
/// whoever is there stays.
#[test]
fn settings_change() {
    let wanted = HubSettings { max_rooms: 1, is_durable: true, ..HubSettings::default() };
    let mut table = Table::with(HubSettings { refuse_lookalikes: false, ..wanted.clone() });
    table.come("anna", &["lobby"]);
    table.come("\u{430}nna", &["lobby"]);
    let is_durable = false;
    table.input(Input::SettingsChanged(HubSettings { max_rooms: 2, is_durable, ..wanted }));
    let bob = table.greet(0);
    for (name, rooms, told) in [
        ("\u{430}nn\u{430}", ["lobby"].as_slice(), "name_lookalike 2 0"),
        ("bob", &["attic", "cellar"], "rooms_full 2 0"),
        ("bob", &["attic"], "welcome bob 4 last 0"),
    ] {
        table.words(bob);
        table.send(bob, join(name, rooms));
        assert_eq!(table.words(bob)[0], told);
    }
    let (_, welcome) = table.come("carl", &[]);
    assert_ne!(welcome.flags & flag::DURABLE, 0, "what the log is does not change");
    // And back again.
    table.input(Input::SettingsChanged(HubSettings {
        refuse_lookalikes: false,
        ..HubSettings::default()
    }));
    table.come("\u{430}nn\u{430}", &["lobby"]);
    let census = table.hub.stats();
    let counts = (census.connected_users, census.connections, census.rooms, census.head.0);
    assert_eq!(counts, (5, 5, 2, 0));
}
