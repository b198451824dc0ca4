//! The real `chat-server` from outside: what people see of it, and what
//! systemd sees.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use common::{ANYBODY, PATIENCE, Peer, Server, join, program, say};
use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::{Direct, Entry, Join, Leave, Members, ServerFrame, flag};
use rustix::process::Signal;

/// Texts of entries.
fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

/// `"m1"`, `"m2"`, …
fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| format!("m{number}")).collect()
}

// What a newcomer gets.

#[test]
fn a_newcomer_gets_the_last_ten() {
    let server = Server::start(&[]);
    let (mut anna, arrival) = server.arrive("anna", &[]);
    assert_eq!(arrival.texts(), Vec::<&str>::new());
    for text in numbered(1, 3) {
        anna.says(&text);
    }
    let (_bob, arrival) = server.arrive("bob", &[]);
    assert_eq!(arrival.texts(), numbered(1, 3));
    for text in numbered(4, 25) {
        anna.says(&text);
    }
    let (_carla, arrival) = server.arrive("carla", &[]);
    assert_eq!(arrival.texts(), numbered(16, 25));
    assert!(arrival.history.iter().all(|entry| entry.flags == flag::HISTORY));
    assert_eq!(anna.says("now").flags, 0);
}

#[test]
fn a_busy_room_does_not_eat_a_quiet_ones_ten() {
    let arguments = ["--burst", "10000", "--log-bytes", "100000"];
    let server = Server::start(&arguments);
    let (mut anna, _) = server.arrive("anna", &["quiet", "busy"]);
    for text in numbered(1, 12) {
        anna.say("quiet", &text);
    }
    for text in numbered(1, 3_000) {
        anna.say("busy", &text);
    }
    anna.entries(3_012);
    let (mut bob, arrival) = server.arrive("bob", &["quiet"]);
    assert_eq!(arrival.texts(), numbered(3, 12));
    assert_eq!(texts(&bob.enter("busy")), numbered(2_991, 3_000));
}

#[test]
fn everybody_sees_the_same_order() {
    /// Messages of each.
    const EACH: usize = 50;
    let server = Server::start(&[]);
    let mut peers: Vec<Peer> = ["anna", "bob", "carla"].map(|it| server.join(it)).into();
    let seen: Vec<Vec<(u64, String)>> = thread::scope(|scope| {
        let seen: Vec<_> = peers
            .iter_mut()
            .enumerate()
            .map(|(number, peer)| {
                scope.spawn(move || {
                    for text in numbered(1, EACH) {
                        peer.say("lobby", &format!("{number}: {text}"));
                    }
                    let entries = peer.entries(3 * EACH);
                    entries.into_iter().map(|it| (it.sequence.0, it.text)).collect()
                })
            })
            .collect();
        seen.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    for number in 0..3 {
        let own = seen[0].iter().filter(|(_, text)| text.starts_with(&format!("{number}: ")));
        let own: Vec<&str> = own.map(|(_, text)| &text[3..]).collect();
        assert_eq!(own, numbered(1, EACH), "each one's own order is kept");
    }
}

#[test]
fn sequences_and_times_rise_and_previous_leads_back() {
    let server = Server::start(&[]);
    let mut anna = server.join("anna");
    let said: Vec<Entry> = numbered(1, 20).iter().map(|text| anna.says(text)).collect();
    for pair in said.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence && pair[0].time <= pair[1].time);
        assert_eq!(pair[1].previous, pair[0].sequence);
    }
}

// Names.

#[test]
fn a_name_is_one_persons_and_free_afterwards() {
    let server = Server::start(&[]);
    let anna = server.join("anna");
    let mut other = server.connect();
    other.greet(0);
    for name in ["anna", "ANNA", "ＡＮＮＡ"] {
        other.send(join(name, &[]));
        assert!(other.expect_error(201).text.contains("name"));
    }
    anna.hang_up();
    other.send(join("Anna", &[]));
    assert_eq!(other.arrival().welcome.username, "Anna");
}

#[test]
fn of_many_who_want_a_name_one_gets_it() {
    let server = Server::start(&[]);
    let mut peers: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.greet(0);
    }
    for peer in &mut peers {
        peer.send(join("anna", &[]));
    }
    let answers: Vec<ServerFrame> = peers.iter_mut().map(Peer::next).collect();
    let welcomed = answers.iter().filter(|it| matches!(it, ServerFrame::Welcome(_))).count();
    assert_eq!(welcomed, 1);
}

// Coming back.

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    /// Messages that bob says while anna's line drops again and again.
    const COUNT: usize = 300;
    let server = Server::start(&["--burst", "10000"]);
    let mut bob = server.join("bob");
    let (mut anna, arrival) = server.arrive("anna", &[]);
    let welcome = arrival.welcome;
    let mut position = arrival.end.head;
    let mut seen = Vec::new();
    let talk = thread::spawn(move || {
        for text in numbered(1, COUNT) {
            bob.says(&text);
        }
    });
    while seen.len() < COUNT {
        // Some frames arrive, some are on the way when the line drops.
        for _ in 0..7.min(COUNT - seen.len()) {
            let entry = anna.next_entry();
            position = entry.sequence;
            seen.push(entry.text);
        }
        drop(anna);
        let arrival;
        (anna, arrival) = server.resume("anna", &welcome, position);
        assert_eq!(arrival.welcome.flags, flag::SESSION_KEPT | flag::POSITION_KEPT);
        assert_eq!(arrival.welcome.session, welcome.session);
        position = arrival.end.head;
        seen.extend(arrival.history.into_iter().map(|entry| entry.text));
    }
    talk.join().unwrap();
    assert_eq!(seen, numbered(1, COUNT));
    anna.expect_nothing();
}

#[test]
fn what_is_sent_again_is_said_once() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let (mut anna, arrival) = server.arrive("anna", &[]);
    let welcome = arrival.welcome;
    let mut said = 0;
    while said < 40 {
        // Everything that has no echo yet is sent again after each drop.
        for reference in said + 1..=said + 5 {
            anna.send(say(reference, "lobby", &format!("m{reference}")));
        }
        if said % 2 == 0 {
            anna.next_entry();
        }
        drop(anna);
        let (again, arrival) = server.resume("anna", &welcome, Sequence::ZERO);
        anna = again;
        said = arrival.welcome.last_reference.0;
        let history: Vec<u64> = arrival.history.iter().map(|entry| entry.reference.0).collect();
        assert_eq!(history, (1..=said).collect::<Vec<u64>>());
    }
    bob.say("lobby", "the end");
    let heard: Vec<String> =
        bob.entries(usize::try_from(said).unwrap() + 1).into_iter().map(|it| it.text).collect();
    let mut expected = numbered(1, usize::try_from(said).unwrap());
    expected.push("the end".to_owned());
    assert_eq!(heard, expected);
}

#[test]
fn a_ghost_is_replaced_at_once() {
    let server = Server::start(&[]);
    let (mut ghost, arrival) = server.arrive("anna", &[]);
    let (mut anna, again) = server.resume("anna", &arrival.welcome, arrival.end.head);
    assert_eq!(again.welcome.session, arrival.welcome.session);
    ghost.expect_error(110);
    ghost.expect_closed();
    anna.says("it is me");
}

#[test]
fn somebody_is_torn_out_of_a_conversation() {
    let server = Server::start(&[]);
    let (anna, mut bob) = (server.join("anna"), server.join("bob"));
    // Unread bytes in a socket that is closed make a reset of it.
    bob.say("lobby", "to whom?");
    drop(anna);
    assert_eq!(bob.next_entry().text, "to whom?");
    // The name is free as soon as the server has noticed.
    let begin = Instant::now();
    let mut other = server.connect();
    other.greet(0);
    loop {
        other.send(join("anna", &[]));
        match other.next() {
            ServerFrame::Welcome(_) => break,
            ServerFrame::Error(_) => assert!(begin.elapsed() < PATIENCE),
            frame => panic!("{frame:?}"),
        }
    }
    bob.says("still here");
}

#[test]
fn a_conversation_goes_on_while_a_client_is_killed() {
    let server = Server::start(&["--burst", "10000"]);
    let (mut anna, mut bob) = (server.join("anna"), server.join("bob"));
    for number in 0..50 {
        let mut victim = server.join(&format!("victim{number}"));
        victim.say("lobby", "aargh");
        anna.say("lobby", "what");
        drop(victim);
        bob.say("lobby", "oh");
        let heard: BTreeSet<String> = anna.entries(3).into_iter().map(|it| it.text).collect();
        assert_eq!(heard, ["aargh", "oh", "what"].map(str::to_owned).into());
        bob.entries(3);
    }
    assert_eq!(server.log(), Vec::<String>::new());
}

#[test]
fn a_server_that_was_killed_has_another_log() {
    let mut server = Server::start(&[]);
    let (mut anna, arrival) = server.arrive("anna", &[]);
    anna.says("soon gone");
    server.kill();
    let address = server.address().to_string();
    let server = Server::start(&["--listen", &address]);
    let (_anna, again) = server.resume("anna", &arrival.welcome, Sequence(1));
    assert_ne!(again.welcome.log_id, arrival.welcome.log_id);
    assert_eq!((again.welcome.flags, again.texts()), (0, vec![]));
}

// Many.

#[test]
fn a_room_with_many_members() {
    let server = Server::start(&[]);
    let mut watcher = server.connect();
    watcher.greet(1);
    watcher.send(join("watcher", &[]));
    watcher.arrival();
    assert!(matches!(watcher.next(), ServerFrame::Roster(it) if it.names == ["watcher"]));
    let mut crowd: Vec<Peer> =
        (0..249).map(|number| server.join(&format!("guest{number:03}"))).collect();
    // Told what came as it comes, then, beyond 100, only how many there are.
    loop {
        match watcher.next() {
            ServerFrame::Presence(it) if it.flags == 0 => assert!(it.members <= 100),
            ServerFrame::Presence(it) => {
                assert_eq!((it.flags, it.joined.len(), it.left.len()), (flag::COUNT_ONLY, 0, 0));
                assert!(it.members > 100);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // Page by page.
    let (mut names, mut after) = (Vec::new(), String::new());
    let guest = &mut crowd[0];
    loop {
        guest.send(Members { reference: Reference(1), room: "lobby".to_owned(), after });
        let ServerFrame::Roster(page) = guest.next() else { panic!("no roster") };
        assert_eq!(page.members, 250);
        names.extend(page.names);
        if page.flags & flag::MORE == 0 {
            break;
        }
        after = names.last().unwrap().clone();
    }
    let mut expected: Vec<String> = (0..249).map(|number| format!("guest{number:03}")).collect();
    expected.push("watcher".to_owned());
    assert_eq!(names, expected);
    // A newcomer is told the number only.
    let mut late = server.connect();
    late.greet(1);
    late.send(join("late", &[]));
    late.arrival();
    let ServerFrame::Roster(roster) = late.next() else { panic!("no roster") };
    assert_eq!((roster.flags, roster.members, roster.names), (flag::COUNT_ONLY, 251, vec![]));
    // And everybody gets what is said.
    crowd[7].says("hello to 250");
    for guest in &mut crowd[8..] {
        assert_eq!(guest.next_entry().text, "hello to 250");
    }
}

#[test]
fn directs_reach_whom_they_are_for() {
    let server = Server::start(&[]);
    let (mut anna, mut bob) = (server.join("anna"), server.join("bob"));
    let mut carla = server.join("carla");
    anna.send(Direct {
        reference: Reference(1),
        to: "Bob".to_owned(),
        session: ANYBODY,
        style: 0,
        text: "psst".to_owned(),
    });
    for peer in [&mut anna, &mut bob] {
        let frame = peer.next();
        assert!(matches!(&frame, ServerFrame::DirectEntry(it) if it.text == "psst"), "{frame:?}");
    }
    carla.expect_nothing();
}

// Stopping.

#[test]
fn told_to_stop_it_takes_leave_of_everybody() {
    let mut server = Server::start(&[]);
    let mut anna = server.join("anna");
    let mut greeted = server.connect();
    greeted.greet(0);
    let mut silent = server.connect();
    anna.says("last words");
    let (status, elapsed) = server.terminate();
    assert_eq!(status.code(), Some(0));
    for peer in [&mut anna, &mut greeted, &mut silent] {
        assert!(peer.expect_error(111).retry_after > 0);
        peer.expect_closed();
    }
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert_eq!(server.log(), Vec::<String>::new());
}

#[test]
fn control_c_stops_it_too() {
    let mut server = Server::start(&[]);
    let mut anna = server.join("anna");
    server.signal(Signal::INT);
    anna.expect_error(111);
    anna.expect_closed();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn it_stops_in_time_though_somebody_does_not_read() {
    let mut server = Server::start(&["--burst", "10000", "--max-backlog", "16777216"]);
    let (mut anna, deaf) = (server.join("anna"), server.join("deaf"));
    // Far more than the sockets' buffers take.
    for _ in 0..2_000 {
        anna.say("lobby", &"x".repeat(4_000));
        anna.next_entry();
    }
    let (status, elapsed) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    anna.expect_error(111);
    anna.expect_closed();
    drop(deaf);
}

// systemd.

#[test]
fn systemd_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = move || {
        let mut buffer = [0; 4_096];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap().trim_end().to_owned()
    };
    let mut server = Server::start_with(&[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    });
    // Ready, and alive again and again.
    let mut seen = BTreeSet::new();
    let (mut alive, begin) = (0, Instant::now());
    while alive < 4 || seen.len() < 3 {
        let line = told();
        alive += usize::from(line == "WATCHDOG=1");
        seen.insert(line);
    }
    assert!(begin.elapsed() < Duration::from_secs(3));
    let expected = ["READY=1", "STATUS=nobody is here", "WATCHDOG=1"];
    assert_eq!(seen, expected.map(str::to_owned).into());
    // How many people there are.
    let anna = server.join("anna");
    while told() != "STATUS=1 person is here" {}
    let bob = server.join("bob");
    while told() != "STATUS=2 people are here" {}
    // Who has not joined does not count.
    let _guest = server.connect();
    anna.hang_up();
    while told() != "STATUS=1 person is here" {}
    drop(bob);
    while told() != "STATUS=nobody is here" {}
    server.ask_to_stop();
    while told() != "STOPPING=1" {}
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_journal_gets_priorities() {
    let mut server = Server::start_with(&[], |command| {
        command.env("JOURNAL_STREAM", "1:1");
    });
    let mut wrong = server.connect();
    wrong.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    wrong.expect_error(100);
    server.terminate();
    let log = server.log();
    assert!(log.len() == 1 && log[0].starts_with("<4>"), "{log:#?}");
}

#[test]
fn the_log_tells_no_secrets() {
    let mut password = tempfile::NamedTempFile::new().unwrap();
    password.write_all(b"sesame\n").unwrap();
    let password = password.into_temp_path();
    let mut server = Server::start(&["--password-file", password.to_str().unwrap()]);
    let mut anna = server.connect();
    anna.greet(0);
    for _ in 0..5 {
        anna.send(Join { password: Some("simsim".to_owned()), ..join("anna", &[]) });
        anna.expect_error(204);
    }
    anna.expect_error(205);
    let mut bob = server.connect();
    bob.greet(0);
    bob.send(Join { password: Some("sesame".to_owned()), ..join("bob", &[]) });
    bob.arrival();
    bob.says("between us");
    bob.send_bytes(&[0, 0]);
    bob.expect_error(103);
    server.terminate();
    let log = server.log().join("\n");
    for secret in ["sesame", "simsim", "between us"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Fills the log with a thousand further rooms, so that the quietest of all
/// is forgotten.
fn forget_the_quietest_room(server: &Server) {
    let mut stranger = server.join("stranger");
    for number in 0..1_200 {
        let room = format!("room{number}");
        stranger.enter(&room);
        stranger.say(&room, "x");
        stranger.next_entry();
        stranger.send(Leave { reference: Reference(1), room });
        assert!(matches!(stranger.next(), ServerFrame::Left(_)));
    }
    stranger.hang_up();
}

#[test]
fn many_rooms_do_not_eat_a_quiet_rooms_ten() {
    let server = Server::start(&["--burst", "100000"]);
    let mut anna = server.join("anna");
    for text in numbered(1, 3) {
        anna.says(&text);
    }
    forget_the_quietest_room(&server);
    let (_bob, arrival) = server.arrive("bob", &[]);
    assert_eq!(arrival.texts(), numbered(1, 3), "though anna is still in the lobby");
}

#[test]
fn a_room_that_was_forgotten_has_a_gap() {
    let server = Server::start(&["--burst", "100000"]);
    let (mut anna, arrival) = server.arrive("anna", &[]);
    let mut bob = server.join("bob");
    bob.says("heard");
    let position = anna.next_entry().sequence;
    drop(anna);
    bob.says("not heard");
    bob.hang_up();
    forget_the_quietest_room(&server);
    let (_anna, again) = server.resume("anna", &arrival.welcome, position);
    let flags: Vec<u8> = again.entered.iter().map(|entered| entered.flags).collect();
    assert!(again.texts() == ["not heard"] || flags == [flag::GAP], "{again:?}");
}

/// A log that cannot be written any more (its reader has gone, the disk is
/// full) is no reason not to serve.
#[test]
fn a_log_that_nobody_reads() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    // The reader is dropped at the end of this statement, and the pipe with it.
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    for _ in 0..2 {
        let mut stranger = Peer::connect(address);
        stranger.send_bytes(b"GET / HTTP/1.0\r\n\r\n");
        stranger.expect_error(100);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
