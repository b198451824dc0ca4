//! Tests of the quotas by address group: a hostile group must not displace or delay other groups.

use std::cell::Cell;
use std::net::IpAddr;

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, Quota};
use crate::model::{HubSettings, Position, Sequence};
use crate::wire::tcp::{Error, Join, ServerFrame};

/// Address of the attacker.
const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 66));

/// Attacker with one IPv4 address, or with any number of addresses of one IPv6 network of 64 bits.
struct Attacker {
    /// Host part of the last IPv6 address; `None` for the IPv4 address.
    hosts: Option<Cell<u64>>,
}

impl Attacker {
    /// Returns the address of the next connection: [`ATTACKER`], or a new address of the IPv6
    /// network at each call.
    fn address(&self) -> IpAddr {
        let Some(hosts) = &self.hosts else { return ATTACKER };
        // Hosts far from one another, all in one network.
        hosts.set(hosts.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let network = 0x2001_0db8_0000_0066_u128 << 64;
        IpAddr::V6((network | u128::from(hosts.get())).into())
    }

    /// Returns the text of the attacker's address group.
    fn group(&self) -> String {
        match self.hosts {
            None => ATTACKER.to_string(),
            Some(_) => "2001:db8:0:66::/64".to_owned(),
        }
    }
}

/// Calls `check` for an attacker with one IPv4 address, and for one with an IPv6 network.
fn for_each_attacker(check: impl Fn(&Attacker)) {
    check(&Attacker { hosts: None });
    check(&Attacker { hosts: Some(Cell::new(0)) });
}

/// Address that the users of one household share.
const HOUSEHOLD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// Removes the events that a client has received since the last call. Returns the errors.
fn take_errors(harness: &mut Harness, connection: ConnectionId) -> Vec<Error> {
    let errors = harness.take_received(connection).into_iter().filter_map(|it| match it {
        ClientEvent::Frame(ServerFrame::Error(error)) => Some(error),
        _ => None,
    });
    errors.collect()
}

/// Removes the events that a client has received since the last call. Returns true if the first one
/// is a welcome.
fn takes_welcome(harness: &mut Harness, connection: ConnectionId) -> bool {
    harness.take_summaries(connection).first().is_some_and(|it| it.starts_with("welcome"))
}

/// Removes the events that a client has received since the last call. Returns the first word of
/// each, such as the name of an error.
fn take_first_words(harness: &mut Harness, connection: ConnectionId) -> Vec<String> {
    let summaries = harness.take_summaries(connection);
    summaries.iter().filter_map(|it| it.split(' ').next().map(str::to_owned)).collect()
}

/// Returns `count` room names: `prefix0`, `prefix1`, …
fn room_names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|it| format!("{prefix}{it}")).collect()
}

/// Joins from an address under this username, with 16 rooms whose names begin with it. Returns the
/// connection, even if the `join` is refused.
fn join_with_rooms(harness: &mut Harness, address: IpAddr, name: &str) -> ConnectionId {
    let rooms = room_names(&format!("{name}-"), 16);
    let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
    harness.join_from(address, join(name, &rooms))
}

/// One address can open about a quarter of the rooms. Other addresses can then still join the lobby
/// and open rooms.
#[test]
fn a_group_gets_a_quarter_of_the_rooms_and_the_lobby_is_always_open() {
    for_each_attacker(|attacker| {
        let mut harness = Harness::new();
        let attackers: Vec<ConnectionId> = (0..63)
            .map(|number| join_with_rooms(&mut harness, attacker.address(), &format!("x{number}")))
            .collect();
        let open = harness.hub.stats().rooms;
        assert!((225..=260).contains(&open), "{open}");
        assert_eq!(harness.reached_quotas.last(), Some(&(attacker.group(), Quota::Rooms)));
        assert_eq!(take_first_words(&mut harness, attackers[62]), ["rooms_full"]);
        let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
        assert!(takes_welcome(&mut harness, anna));
        harness.send(anna, enter(1, "attic"));
        assert_eq!(harness.take_summaries(anna)[0], "entered attic 0 of 1");
        // The attacker may join the lobby, and rooms that are open.
        harness.send(attackers[62], join("x62", &["lobby", "attic"]));
        assert!(takes_welcome(&mut harness, attackers[62]));
        // Closed rooms do not count.
        for attacker in attackers {
            harness.disconnect(attacker);
        }
        let again = join_with_rooms(&mut harness, attacker.address(), "again");
        assert!(takes_welcome(&mut harness, again));
    });
}

/// If many groups take their share of the rooms, some rooms are left for the next group.
#[test]
fn many_groups_leave_rooms_for_a_newcomer() {
    let mut harness = Harness::with(HubSettings { max_rooms: 1_000, ..HubSettings::default() });
    for group in 0..8_u8 {
        for number in 0..20 {
            let address = IpAddr::from([192, 0, 2, 100 + group]);
            join_with_rooms(&mut harness, address, &format!("x{group}-{number}"));
        }
    }
    assert!(harness.hub.stats().rooms < 900, "{}", harness.hub.stats().rooms);
    let anna = join_with_rooms(&mut harness, HOUSEHOLD, "anna");
    assert!(takes_welcome(&mut harness, anna));
}

/// The lobby and reserved rooms, in any letter case, can be entered above the room limit.
#[test]
fn reserved_rooms_are_entered_above_the_limit() {
    let reserved_rooms = vec![crate::model::RoomName::new("News").unwrap()];
    let settings = HubSettings { max_rooms: 1, reserved_rooms, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let (anna, _) = harness.join("anna", &["attic"]);
    harness.send(anna, enter(1, "cellar"));
    assert_eq!(harness.take_summaries(anna)[0], "rooms_full 5 1");
    harness.send(anna, enter(2, "news"));
    harness.send(anna, enter(3, "lobby"));
    let summaries = harness.take_summaries(anna);
    assert!(summaries.contains(&"entered news 0 of 1".to_owned()), "{summaries:?}");
    assert!(summaries.contains(&"entered lobby 0 of 1".to_owned()), "{summaries:?}");
}

/// A thousand clients that join and leave evict only sessions of their own address group.
#[test]
fn join_and_leave_cycles_do_not_evict_sessions_of_others() {
    for_each_attacker(|attacker| {
        let settings =
            HubSettings { max_sessions: 100, max_connections: 100, ..HubSettings::default() };
        let mut harness = Harness::with(settings);
        let mut tokens = Vec::new();
        for number in 0..30 {
            let anna = harness.join_from(HOUSEHOLD, join(&format!("anna{number}"), &[]));
            tokens.push(welcome(&harness.take_received(anna)).token);
            harness.disconnect(anna);
        }
        for number in 0..1_000 {
            let attacker = harness.join_from(attacker.address(), join(&format!("x{number}"), &[]));
            assert!(takes_welcome(&mut harness, attacker));
            // A message makes a session worth keeping: it would outlive a silent one.
            harness.send(attacker, say(1, "x"));
            harness.disconnect(attacker);
            harness.advance(150);
        }
        assert!(harness.deleted_sessions.len() > 900);
        assert_eq!(harness.reached_quotas.last(), Some(&(attacker.group(), Quota::Sessions)));
        for (number, token) in tokens.into_iter().enumerate() {
            let name = format!("anna{number}");
            let anna =
                harness.join_from(HOUSEHOLD, Join { token: Some(token), ..join(&name, &[]) });
            assert_eq!(harness.take_summaries(anna)[0], format!("welcome {name} 1 last 0"));
            harness.disconnect(anna);
        }
    });
}

/// An address that leaves many sessions loses its own ones, not the sessions that were restored
/// after a restart.
#[test]
fn restored_sessions_are_not_evicted_by_one_address() {
    let settings =
        HubSettings { max_sessions: 100, max_connections: 100, ..HubSettings::default() };
    let mut harness = Harness::with(settings.clone());
    for number in 0..60 {
        let anna = harness.join_from(crowd_address(number), join(&format!("anna{number}"), &[]));
        harness.disconnect(anna);
    }
    harness.restart(settings, 0);
    harness.deleted_sessions.clear();
    for number in 0..80 {
        let attacker = harness.join_from(ATTACKER, join(&format!("x{number}"), &[]));
        harness.disconnect(attacker);
    }
    let last = harness.deleted_sessions.iter().map(|it| it.0).min();
    assert!(last.is_some_and(|it| it > 60), "{last:?}");
}

/// Joins are limited for each address. Other addresses can join meanwhile.
#[test]
fn joins_of_a_group_are_limited() {
    for_each_attacker(|attacker| {
        let mut harness = Harness::new();
        let mut welcomes = 0;
        for number in 0..500 {
            let attacker = harness.join_from(attacker.address(), join(&format!("x{number}"), &[]));
            match take_errors(&mut harness, attacker).as_slice() {
                [] => welcomes += 1,
                [error] => {
                    assert_eq!((error.code, error.about, error.retry_after), (109, 2, 5_000));
                }
                more => panic!("{more:?}"),
            }
            harness.disconnect(attacker);
        }
        assert_eq!(welcomes, 128);
        assert_eq!(harness.reached_quotas.last(), Some(&(attacker.group(), Quota::Joins)));
        let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
        assert!(takes_welcome(&mut harness, anna));
        harness.advance(1_000);
        let attacker = harness.join_from(attacker.address(), join("x", &[]));
        assert!(takes_welcome(&mut harness, attacker), "later there are tokens again");
    });
}

/// Reloaded limits apply at once, also to an address that has reached the old limits.
#[test]
fn reloaded_limits_apply_to_groups_in_use() {
    let mut harness = Harness::new();
    let mut number = 0;
    let mut welcomes = |harness: &mut Harness, address| {
        let joins = (0..600).filter(|_| {
            number += 1;
            let client = harness.join_from(address, join(&format!("x{number}"), &[]));
            let is_welcome = takes_welcome(harness, client);
            harness.disconnect(client);
            is_welcome
        });
        joins.count()
    };
    let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
    assert_eq!(welcomes(&mut harness, HOUSEHOLD), 127);
    let max_connections_per_address = 1_024;
    let settings = HubSettings { max_connections_per_address, ..HubSettings::default() };
    harness.input(Input::SettingsChanged(settings));
    assert_eq!(welcomes(&mut harness, HOUSEHOLD), 512 - 128);
    harness.disconnect(anna);
    // The time when an idle address is forgotten follows from its rates.
    harness.input(Input::SettingsChanged(HubSettings::default()));
    assert_eq!(welcomes(&mut harness, HOUSEHOLD), 0);
    harness.advance(12_800);
    assert_eq!(welcomes(&mut harness, HOUSEHOLD), 128);
    harness.advance(60_000);
    harness.input(Input::SettingsChanged(HubSettings::default()));
    assert_eq!(harness.hub.quotas.group_count(), 0);
}

/// Returns a `join` with this password and no rooms.
fn join_with(name: &str, password: &str) -> Join {
    Join { password: Some(password.to_owned()), ..join(name, &[]) }
}

/// Tries a password from an address as `guest`, and disconnects. Returns the error code and the
/// `retry_after`; `None` if there was no error.
fn try_password(harness: &mut Harness, address: IpAddr, password: &str) -> Option<(u16, u32)> {
    let client = harness.join_from(address, join_with("guest", password));
    let error = take_errors(harness, client).first().map(|it| (it.code, it.retry_after));
    harness.disconnect(client);
    error
}

/// After many wrong passwords, an address must pause before its next password. The pause doubles
/// each time, up to five minutes. Other addresses can use the password meanwhile.
#[test]
fn failed_passwords_pause_the_group_only() {
    for_each_attacker(|attacker| {
        let password = Some("sesame".to_owned());
        let mut harness = Harness::with(HubSettings { password, ..HubSettings::default() });
        for _ in 0..32 {
            assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((204, 0)));
            assert_eq!(try_password(&mut harness, HOUSEHOLD, "sesame"), None);
            harness.advance(200);
        }
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000]
        {
            assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((204, 0)));
            // During a pause, the right password is refused too.
            assert_eq!(
                try_password(&mut harness, attacker.address(), "sesame"),
                Some((109, pause))
            );
            assert_eq!(try_password(&mut harness, HOUSEHOLD, "sesame"), None);
            harness.advance(pause.into());
        }
        assert_eq!(harness.reached_quotas.last(), Some(&(attacker.group(), Quota::Passwords)));
        assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((204, 0)));
        assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((109, 300_000)));
        // A client without a password is told that it needs one, even during a pause.
        let client = harness.join_from(attacker.address(), join("guest", &[]));
        assert_eq!(take_first_words(&mut harness, client), ["password_required"]);
        harness.disconnect(client);
        // Failures are forgotten, and a success clears them.
        harness.advance(900_001);
        for _ in 0..32 {
            assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((204, 0)));
            harness.advance(200);
        }
        assert_eq!(try_password(&mut harness, attacker.address(), "sesame"), None);
        assert_eq!(try_password(&mut harness, attacker.address(), "guess"), Some((204, 0)));
        assert_eq!(try_password(&mut harness, attacker.address(), "sesame"), None);
    });
}

/// If the server is full, a newcomer may evict a connection of the address group with the most
/// connections. That group must have at least twice as many as the newcomer's group will have. The
/// newest connection that has not joined is evicted; if all have joined, the newest one.
#[test]
fn a_full_server_makes_room_for_another_group() {
    for_each_attacker(|attacker| {
        let settings = HubSettings { max_connections: 4, ..HubSettings::default() };
        let mut harness = Harness::with(settings);
        let attackers: Vec<ConnectionId> = (0..4)
            .map(|it| match it {
                1 => harness.connect_from(attacker.address()),
                _ => harness.join_from(attacker.address(), join(&format!("x{it}"), &[])),
            })
            .collect();
        let fifth = harness.connect_from(attacker.address());
        assert_eq!(take_first_words(&mut harness, fifth), ["server_full", "closed"]);
        let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
        assert!(takes_welcome(&mut harness, anna));
        let told = take_errors(&mut harness, attackers[1]);
        assert_eq!((told.len(), told[0].code, told[0].retry_after), (1, 108, 30_000));
        harness.disconnect(attackers[1]);
        // 3 of the attacker are not twice the 2 that the household would have.
        let bob = harness.connect_from(HOUSEHOLD);
        assert_eq!(take_first_words(&mut harness, bob), ["server_full", "closed"]);
        let carla = harness.join_from(crowd_address(0), join("carla", &[]));
        assert!(takes_welcome(&mut harness, carla));
        assert_eq!(take_first_words(&mut harness, attackers[3]).last().unwrap(), "closed");
        assert_eq!(harness.hub.stats().connected_users, 4);
    });
}

/// Closing connections included, a server may have an eighth more connections than its maximum. At
/// this number, it evicts none for a newcomer, but refuses the newcomer.
#[test]
fn closing_connections_do_not_add_up() {
    let settings = HubSettings { max_connections: 80, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    (0..80).for_each(|_| _ = harness.connect_from(ATTACKER));
    let newcomers: Vec<_> =
        (0..40).map(|it| harness.connect_from(crowd_address(it * 10))).collect();
    assert_eq!(harness.hub.stats().connections, 90, "the limit and an eighth");
    assert_eq!(take_first_words(&mut harness, newcomers[39]), ["server_full", "closed"]);
}

/// Returns the number of reads that the hub has requested so far.
fn read_count(harness: &Harness) -> usize {
    harness.read_requests.len()
}

/// If the searches of one address use up its tokens, later ones wait for tokens. A search of
/// another address does not wait.
#[test]
fn requests_of_a_group_wait_for_their_tokens() {
    let mut harness = Harness::new();
    let attackers: Vec<ConnectionId> =
        (0..128).map(|it| harness.join_from(ATTACKER, join(&format!("x{it}"), &[]))).collect();
    let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
    harness.take_received(anna);
    let before = read_count(&harness);
    for attacker in &attackers {
        harness.send(*attacker, search(1, "", "tea", 0, 0));
        harness.send(*attacker, say(1, "hello"));
    }
    assert_eq!(read_count(&harness) - before, 60, "the burst");
    assert_eq!(harness.reached_quotas.last(), Some(&(ATTACKER.to_string(), Quota::Requests)));
    harness.send(anna, search(2, "", "tea", 0, 0));
    assert_eq!(read_count(&harness) - before, 61);
    // One search of 5 units is handled every 98 ms, with the frames after it.
    harness.advance(1_000);
    assert_eq!(read_count(&harness) - before, 71);
    assert_eq!(harness.log.len(), 70);
    harness.disconnect(attackers[127]);
    harness.advance(10_000);
    assert_eq!(read_count(&harness) - before, 128);
    assert_eq!((harness.log.len(), harness.wake_at.is_some()), (127, true));
}

/// Each page of a replay after the first one costs a token of the address. A household of 30 is not
/// delayed. An address that requests many more pages is delayed, but no page is refused.
#[test]
fn replays_of_a_group_wait_for_their_tokens() {
    let mut harness = Harness::new();
    harness.page_limit = 2;
    let anna = harness.join_from(HOUSEHOLD, join("anna", &[]));
    for reference in 1..=20 {
        harness.send(anna, say(reference, "tea"));
    }
    let position = Some(Position { log_id: LOG, sequence: Sequence::ZERO });
    let replay = |name: String| Join { position, ..join(&name, &[]) };
    let before = read_count(&harness);
    for number in 0..30 {
        let member = harness.join_from(HOUSEHOLD, replay(format!("member{number}")));
        assert_eq!(harness.take_summaries(member).len(), 23, "welcome, entered, messages, end");
    }
    assert_eq!((read_count(&harness) - before, harness.reached_quotas.len()), (300, 0));
    let attackers: Vec<ConnectionId> =
        (0..50).map(|it| harness.join_from(ATTACKER, replay(format!("x{it}")))).collect();
    assert_eq!(read_count(&harness) - before, 300 + 50 + 300, "first pages and the burst");
    assert_eq!(harness.reached_quotas.last(), Some(&(ATTACKER.to_string(), Quota::Requests)));
    harness.send(anna, search(2, "", "tea", 0, 0));
    assert_eq!(read_count(&harness) - before, 651);
    harness.advance(1_000);
    assert_eq!(read_count(&harness) - before, 651 + 51);
    harness.disconnect(attackers[49]);
    harness.advance(3_000);
    for attacker in &attackers[..49] {
        assert_eq!(harness.take_summaries(*attacker).len(), 23);
    }
}

/// While a request waits, the deferred frames of its connection are bounded in bytes. A connection
/// that sends more is closed. Other connections of its address stay open.
#[test]
fn frames_behind_a_waiting_request_are_bounded_in_bytes() {
    let mut harness = Harness::new();
    let attackers: Vec<ConnectionId> =
        (0..80).map(|it| harness.join_from(ATTACKER, join(&format!("x{it}"), &[]))).collect();
    for attacker in &attackers {
        harness.send(*attacker, search(1, "", "tea", 0, 0));
        harness.take_received(*attacker);
    }
    let (modest, greedy) = (attackers[78], attackers[79]);
    let text = "x".repeat(4_000);
    for number in 1..=7 {
        harness.send(modest, say(number, &text));
        harness.send(greedy, say(number, &text));
    }
    assert_eq!(take_errors(&mut harness, greedy), []);
    for number in 8..=9 {
        harness.send(greedy, say(number, &text));
    }
    let errors = take_errors(&mut harness, greedy);
    assert_eq!(errors.iter().map(|it| it.code).collect::<Vec<_>>(), [112]);
    harness.advance(10_000);
    assert_eq!((take_errors(&mut harness, modest), harness.log.len()), (Vec::new(), 7));
}

/// If too many requests of an address group wait, a further request closes its connection.
#[test]
fn too_many_waiting_requests_close_their_connection() {
    let mut harness = Harness::new();
    let attackers: Vec<ConnectionId> = (0..250)
        .map(|it| {
            harness.advance(150);
            harness.join_from(ATTACKER, join(&format!("x{it}"), &[]))
        })
        .collect();
    for attacker in &attackers {
        harness.send(*attacker, history(1, "lobby", 0, 0));
        harness.take_received(*attacker);
    }
    let mut closed = 0;
    for attacker in &attackers {
        for _ in 0..2 {
            harness.send(*attacker, search(7, "", "tea", 0, 0));
        }
        if let [error] = take_errors(&mut harness, *attacker).as_slice() {
            assert_eq!((error.code, error.about, error.retry_after), (109, 11, 5_000));
            assert_eq!(error.reference.0, 7);
            closed += 1;
        }
    }
    assert!((50..200).contains(&closed), "{closed}");
}

/// Thirty users behind one address connect at once, resume at once, enter rooms, read and search,
/// and mistype the password. Nothing is refused or delayed.
#[test]
fn a_household_of_thirty_notices_nothing() {
    let password = Some("sesame".to_owned());
    let mut harness = Harness::with(HubSettings { password, ..HubSettings::default() });
    for _ in 0..3 {
        let users: Vec<ConnectionId> = (0..30)
            .map(|it| {
                let name = format!("user{it}");
                let user = harness.join_from(HOUSEHOLD, join_with(&name, "sesam"));
                assert_eq!(take_first_words(&mut harness, user), ["password_wrong"]);
                harness.send(user, join_with(&name, "sesame"));
                assert!(takes_welcome(&mut harness, user));
                user
            })
            .collect();
        for (number, user) in users.iter().enumerate() {
            for room in room_names(&format!("r{number}-"), 5) {
                harness.send(*user, enter(1, &room));
            }
            harness.send(*user, history(2, "lobby", 0, 0));
            harness.send(*user, search(3, "", "tea", 0, 0));
        }
        for user in users {
            assert!(take_errors(&mut harness, user).is_empty());
            harness.disconnect(user);
        }
        harness.advance(5_000);
    }
    assert_eq!(harness.reached_quotas, []);
}

/// Thirty wrong passwords in a row begin no pause: the right password is accepted afterwards.
#[test]
fn thirty_wrong_passwords_in_a_row_are_free() {
    let password = Some("sesame".to_owned());
    let mut harness = Harness::with(HubSettings { password, ..HubSettings::default() });
    for _ in 0..30 {
        assert_eq!(try_password(&mut harness, HOUSEHOLD, "sesam"), Some((204, 0)));
    }
    assert_eq!(try_password(&mut harness, HOUSEHOLD, "sesame"), None);
}

/// The number of remembered groups is bounded. Idle groups are forgotten after some time.
#[test]
fn memory_of_groups_is_bounded() {
    let mut harness = Harness::new();
    for number in 0..6_000 {
        let user = harness.join_from(crowd_address(number * 10), join("anna", &[]));
        harness.disconnect(user);
    }
    assert_eq!(harness.hub.quotas.group_count(), 4_096);
    harness.advance(1_000);
    let user = harness.connect();
    assert_eq!(harness.hub.quotas.group_count(), 1);
    harness.disconnect(user);
}

/// A half-closed connection whose request waits for tokens gets the answer before it is closed.
#[test]
fn half_closed_connection_gets_its_delayed_answer() {
    let mut harness = Harness::new();
    let attackers: Vec<ConnectionId> =
        (0..62).map(|it| harness.join_from(ATTACKER, join(&format!("x{it}"), &[]))).collect();
    for attacker in &attackers {
        harness.take_received(*attacker);
        harness.send(*attacker, search(1, "", "tea", 0, 0));
    }
    assert_eq!(harness.take_summaries(attackers[61]), [""; 0]);
    harness.input(Input::HalfClosed { connection: attackers[61], in_frame: false });
    assert_eq!(harness.take_summaries(attackers[61]), [""; 0]);
    harness.advance(1_000);
    let head = Sequence::ZERO.0;
    assert_eq!(
        harness.take_summaries(attackers[61]),
        [format!("end 11 {head} 0"), "closed".to_owned()]
    );
}
