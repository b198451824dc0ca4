//! Tests of connection limits, timers, broadcasts and closing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frames::*;
use super::harness::*;
use crate::hub::Input;
use crate::model::{AnnouncementText, ErrorCode, HubSettings};
use crate::wire::tcp::{Notice, Ping, Pong, ServerFrame, flag};

/// Returns the `retry_after` of the first event, which must be an error.
fn retry_after(received: &[ClientEvent]) -> u32 {
    match received.first() {
        Some(ClientEvent::Frame(ServerFrame::Error(error))) => error.retry_after,
        other => panic!("not an error: {other:?}"),
    }
}

/// A server with the maximum number of connections refuses a new one. A connection that is closing
/// still counts.
#[test]
fn connection_limit_refuses_new_connections() {
    let settings = HubSettings { max_connections: 2, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let (anna, _) = harness.join("anna", &[]);
    harness.connect();
    let third = harness.connect();
    let received = harness.take_received(third);
    assert_eq!(received.iter().map(summarize).collect::<Vec<_>>(), ["server_full 0 0", "closed"]);
    assert_eq!(retry_after(&received), 30_000);
    harness.disconnect(third);
    harness.send(anna, hello(0));
    let third = harness.connect();
    assert_eq!(
        harness.take_summaries(third),
        ["server_full 0 0", "closed"],
        "it is closing, not gone"
    );
    harness.disconnect(anna);
    let third = harness.connect();
    assert_eq!(harness.take_summaries(third), [""; 0]);
}

/// The number of connections from one address is limited. An IPv4-mapped IPv6 address counts as the
/// IPv4 address.
#[test]
fn address_limit_covers_mapped_addresses() {
    let settings = HubSettings { max_connections_per_address: 1, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    let first = harness.connect_from(IpAddr::V4(v4));
    let second = harness.connect_from(IpAddr::V6(v4.to_ipv6_mapped()));
    assert_eq!(harness.take_summaries(second), ["too_many_from_address 0 0", "closed"]);
    harness.disconnect(second);
    let other = harness.connect_from(IpAddr::V6(Ipv6Addr::LOCALHOST));
    assert_eq!(harness.take_summaries(other), [""; 0]);
    harness.disconnect(first);
    let again = harness.connect_from(IpAddr::V4(v4));
    assert_eq!(harness.take_summaries(again), [""; 0]);
    harness.disconnect(again);
    harness.disconnect(other);
    assert!(harness.is_empty());
}

/// `hello` and `join` must come within ten seconds. After a refused `join`, another one must come
/// within sixty.
#[test]
fn handshake_times_out() {
    let mut harness = Harness::new();
    let silent = harness.connect();
    harness.advance(5_000);
    let slow = harness.connect_and_greet(0);
    harness.send(silent, hello(0));
    harness.take_received(silent);
    harness.advance(4_900);
    assert_eq!(harness.take_summaries(silent), [""; 0]);
    harness.advance(1_200);
    assert_eq!(harness.take_summaries(silent), ["handshake_timeout 0 0", "closed"]);
    harness.send(slow, join("a b", &[]));
    harness.take_received(slow);
    harness.advance(58_000);
    assert_eq!(harness.take_summaries(slow), ["ping"]);
    harness.advance(3_000);
    assert_eq!(harness.take_summaries(slow), ["handshake_timeout 0 0", "closed"]);
    harness.disconnect(silent);
    harness.disconnect(slow);
    harness.advance(60_000);
    assert_eq!(harness.wake_at, None, "an idle server has no timer");
}

/// Pings of the client do not postpone the handshake deadline after a refused `join`.
#[test]
fn pings_do_not_postpone_the_handshake_deadline() {
    let mut harness = Harness::new();
    let greeted = harness.connect_and_greet(0);
    harness.send(greeted, join("a b", &[]));
    harness.advance(29_000);
    harness.send(greeted, Ping { token: 1 });
    harness.take_received(greeted);
    harness.advance(30_900);
    assert_eq!(harness.take_summaries(greeted), ["ping"]);
    harness.advance(1_200);
    assert_eq!(harness.take_summaries(greeted), ["handshake_timeout 0 0", "closed"]);
}

/// An idle client is pinged after 30 seconds and closed after 60.
#[test]
fn idle_connection_is_pinged_then_closed() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let (bob, _) = harness.join("bob", &[]);
    harness.advance(29_000);
    harness.take_received(anna);
    harness.send(bob, Ping { token: 77 });
    harness.take_received(bob);
    harness.advance(2_500);
    assert_eq!(
        (harness.take_summaries(anna), harness.take_summaries(bob)),
        (vec!["ping".to_owned()], vec![])
    );
    harness.send(anna, Pong { token: 0 });
    harness.advance(29_000);
    assert_eq!(
        (harness.take_summaries(anna), harness.take_summaries(bob)),
        (vec![], vec!["ping".to_owned()])
    );
    harness.advance(30_000);
    assert_eq!(harness.take_summaries(anna), ["ping", "presence lobby 0 1 +[] -[\"bob\"]"]);
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries, ["idle_timeout 0 0", "closed"]);
    assert_eq!(harness.connected_users, 1, "the name is free at once");
    harness.join("bob", &[]);
}

/// The timers of many connections cause about one wake-up a second.
#[test]
fn connection_timers_are_checked_at_most_once_a_second() {
    let mut harness = Harness::new();
    for number in 0..100 {
        harness.connect();
        harness.now = at(1_000 + number * 100);
    }
    let mut wakes = 0;
    while let Some(wake_at) = harness.wake_at.take() {
        harness.now = harness.now.max(wake_at);
        harness.input(Input::Wake);
        wakes += 1;
    }
    assert!(wakes <= 12, "{wakes} wakes");
    let lines: Vec<_> = harness.clients.keys().copied().collect();
    for line in lines {
        assert_eq!(harness.take_summaries(line), ["handshake_timeout 0 0", "closed"]);
    }
}

/// A ping is answered after `hello`. A probe is answered even on an unknown connection.
#[test]
fn pings_and_probes_are_answered() {
    let mut harness = Harness::new();
    let anna = harness.connect_and_greet(0);
    harness.send(anna, Ping { token: 5 });
    assert_eq!(harness.take_summaries(anna), ["pong 5"]);
    harness.send(anna, join("anna", &[]));
    harness.take_received(anna);
    harness.send(anna, Ping { token: 6 });
    assert_eq!(harness.take_summaries(anna), ["pong 6"]);
    let probe = harness.add_unknown_connection();
    harness.input(Input::Probe { connection: probe, token: 8 });
    assert_eq!(harness.take_summaries(probe), ["pong 8"]);
}

/// If the driver reports several failures of a connection, the client gets only the first error.
#[test]
fn connection_failure_is_reported_once() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::TooSlow });
    harness.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::FrameTooLarge });
    assert_eq!(harness.take_summaries(anna), ["too_slow 0 0", "closed"]);
    harness.disconnect(anna);
    harness.input(Input::ConnectionFailed { connection: anna, error: ErrorCode::FrameTooLarge });
    harness.input(Input::Disconnected { connection: anna });
    assert_eq!(harness.connected_users, 0);
}

/// Shutdown closes all connections and refuses new ones.
#[test]
fn shutdown_closes_and_refuses_connections() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let greeted = harness.connect_and_greet(0);
    harness.input(Input::ShutDown { retry_after: 2_000 });
    for connection in [anna, greeted] {
        let received = harness.take_received(connection);
        assert_eq!(
            received.iter().map(summarize).collect::<Vec<_>>(),
            ["shutting_down 0 0", "closed"]
        );
        assert_eq!(retry_after(&received), 2_000);
    }
    let late = harness.connect();
    let received = harness.take_received(late);
    assert_eq!(received.iter().map(summarize).collect::<Vec<_>>(), ["shutting_down 0 0", "closed"]);
    assert_eq!(retry_after(&received), 2_000);
    assert_eq!(harness.connected_users, 0);
}

/// A clock change is broadcast to all joined clients.
#[test]
fn clock_change_is_broadcast_to_joined_clients() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let greeted = harness.connect_and_greet(0);
    harness.input(Input::ClockChanged);
    assert_eq!(harness.take_summaries(anna), ["notice 2"]);
    assert_eq!(harness.take_summaries(greeted), [""; 0]);
}

/// An announcement is broadcast to all joined clients.
#[test]
fn announcement_is_broadcast_to_joined_clients() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let (bob, _) = harness.join("bob", &["attic"]);
    let greeted = harness.connect_and_greet(0);
    harness.take_received(anna);
    harness.input(Input::Announce(AnnouncementText::new("dinner").unwrap()));
    for joined in [anna, bob] {
        let received = harness.take_received(joined);
        let notice = Notice { code: 3, text: "dinner".to_owned() };
        assert!(
            matches!(&received[..], [ClientEvent::Frame(ServerFrame::Notice(it))] if *it == notice)
        );
    }
    assert_eq!(harness.take_summaries(greeted), [""; 0]);
}

/// If the hub is woken too early, it asks for the same moment again. A closed room has no deadline.
#[test]
fn early_wake_is_harmless() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let wake_at = harness.wake_at.take();
    assert_eq!(wake_at, Some(at(1_500)));
    harness.input(Input::Wake);
    assert_eq!(harness.wake_at, wake_at);
    harness.disconnect(anna);
    assert!(harness.hub.rooms.is_empty());
    harness.advance(20_000);
    assert_eq!(harness.wake_at, Some(at(1_000 + 24 * 60 * 60 * 1_000)), "for the session only");
}

/// When a half-closed connection is closed, it no longer counts for its address: the client can
/// connect again at once.
#[test]
fn half_closed_connection_is_released_before_close() {
    let settings = HubSettings { max_connections_per_address: 1, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    for _ in 0..2 {
        let (anna, _) = harness.join("anna", &[]);
        harness.input(Input::HalfClosed { connection: anna, in_frame: false });
        assert_eq!(harness.take_summaries(anna), ["closed"]);
        let greeted = harness.connect_and_greet(0);
        harness.input(Input::HalfClosed { connection: greeted, in_frame: false });
        assert_eq!(harness.take_summaries(greeted), ["closed"]);
        harness.disconnect(anna);
    }
}

/// Reloaded settings apply to new joins, except the durability, which stays. Connected clients
/// stay.
#[test]
fn reloaded_settings_apply_to_new_joins() {
    let wanted = HubSettings { max_rooms: 1, is_durable: true, ..HubSettings::default() };
    let mut harness = Harness::with(HubSettings { refuse_lookalikes: false, ..wanted.clone() });
    harness.join("anna", &["lobby"]);
    harness.join("\u{430}nna", &["lobby"]);
    let is_durable = false;
    harness.input(Input::SettingsChanged(HubSettings { max_rooms: 2, is_durable, ..wanted }));
    let bob = harness.connect_and_greet(0);
    for (name, rooms, told) in [
        ("\u{430}nn\u{430}", ["lobby"].as_slice(), "name_lookalike 2 0"),
        ("bob", &["attic", "cellar"], "rooms_full 2 0"),
        ("bob", &["attic"], "welcome bob 4 last 0"),
    ] {
        harness.take_summaries(bob);
        harness.send(bob, join(name, rooms));
        assert_eq!(harness.take_summaries(bob)[0], told);
    }
    let (_, welcome) = harness.join("carl", &[]);
    assert_ne!(welcome.flags & flag::DURABLE, 0, "durability does not change");
    // Reload settings that allow look-alikes again.
    harness.input(Input::SettingsChanged(HubSettings {
        refuse_lookalikes: false,
        ..HubSettings::default()
    }));
    harness.join("\u{430}nn\u{430}", &["lobby"]);
    let stats = harness.hub.stats();
    let counts = (stats.connected_users, stats.connections, stats.rooms, stats.head.0);
    assert_eq!(counts, (5, 5, 2, 0));
}
