//! End-to-end tests of the real `chat-server`: history, names, resume, large rooms, shutdown,
//! systemd notifications, and its log.

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

use common::{ANY_SESSION, PATIENCE, Server, TestClient, join, say, server_command};
use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::{Direct, Entry, Join, Leave, Members, ServerFrame, flag};
use rustix::process::Signal;

/// Returns the texts of entries.
fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

/// Returns the numbered texts `"m1"`, `"m2"`, … of this range.
fn numbered_texts(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| format!("m{number}")).collect()
}

// History of newcomers.

/// Fewer if there are not as many. They are marked as history, live entries are not.
#[test]
fn newcomer_receives_ten_latest_entries() {
    let server = Server::start(&[]);
    let (mut anna, answer) = server.join_rooms("anna", &[]);
    assert_eq!(answer.texts(), Vec::<&str>::new());
    for text in numbered_texts(1, 3) {
        anna.say_in_lobby(&text);
    }
    let (_bob, answer) = server.join_rooms("bob", &[]);
    assert_eq!(answer.texts(), numbered_texts(1, 3));
    for text in numbered_texts(4, 25) {
        anna.say_in_lobby(&text);
    }
    let (_carla, answer) = server.join_rooms("carla", &[]);
    assert_eq!(answer.texts(), numbered_texts(16, 25));
    assert!(answer.history.iter().all(|entry| entry.flags == flag::HISTORY));
    assert_eq!(anna.say_in_lobby("now").flags, 0);
}

/// Of each room, the ten most recent messages stay, although the log has no memory for all.
#[test]
fn busy_room_does_not_evict_history_of_quiet_room() {
    let arguments = ["--burst", "10000", "--log-bytes", "100000"];
    let server = Server::start(&arguments);
    let (mut anna, _) = server.join_rooms("anna", &["quiet", "busy"]);
    for text in numbered_texts(1, 12) {
        anna.say("quiet", &text);
    }
    for text in numbered_texts(1, 3_000) {
        anna.say("busy", &text);
    }
    anna.next_entries(3_012);
    let (mut bob, answer) = server.join_rooms("bob", &["quiet"]);
    assert_eq!(answer.texts(), numbered_texts(3, 12));
    assert_eq!(texts(&bob.enter("busy")), numbered_texts(2_991, 3_000));
}

#[test]
fn all_members_receive_entries_in_same_order() {
    /// Number of messages of each client.
    const EACH: usize = 50;
    let server = Server::start(&[]);
    let mut clients: Vec<TestClient> = ["anna", "bob", "carla"].map(|it| server.join(it)).into();
    let seen: Vec<Vec<(u64, String)>> = thread::scope(|scope| {
        let seen: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, client)| {
                scope.spawn(move || {
                    for text in numbered_texts(1, EACH) {
                        client.say("lobby", &format!("{number}: {text}"));
                    }
                    let entries = client.next_entries(3 * EACH);
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
        assert_eq!(own, numbered_texts(1, EACH), "each one's own order is kept");
    }
}

#[test]
fn sequences_and_times_ascend_and_previous_links_entries() {
    let server = Server::start(&[]);
    let mut anna = server.join("anna");
    let said: Vec<Entry> =
        numbered_texts(1, 20).iter().map(|text| anna.say_in_lobby(text)).collect();
    for pair in said.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence && pair[0].time <= pair[1].time);
        assert_eq!(pair[1].previous, pair[0].sequence);
    }
}

// Names.

/// Spellings with the same key count as one name.
#[test]
fn name_is_unique_and_free_after_leaving() {
    let server = Server::start(&[]);
    let anna = server.join("anna");
    let mut other = server.connect();
    other.send_hello(0);
    for name in ["anna", "ANNA", "ＡＮＮＡ"] {
        other.send(join(name, &[]));
        assert!(other.expect_error(201).text.contains("name"));
    }
    anna.hang_up();
    other.send(join("Anna", &[]));
    assert_eq!(other.join_answer().welcome.username, "Anna");
}

#[test]
fn concurrent_joins_with_one_name_admit_one() {
    let server = Server::start(&[]);
    let mut clients: Vec<TestClient> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send_hello(0);
    }
    for client in &mut clients {
        client.send(join("anna", &[]));
    }
    let answers: Vec<ServerFrame> = clients.iter_mut().map(TestClient::next).collect();
    let welcomed = answers.iter().filter(|it| matches!(it, ServerFrame::Welcome(_))).count();
    assert_eq!(welcomed, 1);
}

// Resume and lost connections.

/// The connection is dropped with entries in transit, again and again.
#[test]
fn resume_replays_missed_entries_once() {
    /// Number of messages that bob sends while anna's connection drops again and again.
    const COUNT: usize = 300;
    let server = Server::start(&["--burst", "10000"]);
    let mut bob = server.join("bob");
    let (mut anna, answer) = server.join_rooms("anna", &[]);
    let welcome = answer.welcome;
    let mut position = answer.end.head;
    let mut seen = Vec::new();
    let talk = thread::spawn(move || {
        for text in numbered_texts(1, COUNT) {
            bob.say_in_lobby(&text);
        }
    });
    while seen.len() < COUNT {
        // Some frames have arrived, others are in transit when the connection drops.
        for _ in 0..7.min(COUNT - seen.len()) {
            let entry = anna.next_entry();
            position = entry.sequence;
            seen.push(entry.text);
        }
        drop(anna);
        let answer;
        (anna, answer) = server.resume("anna", &welcome, position);
        assert_eq!(answer.welcome.flags, flag::SESSION_KEPT | flag::POSITION_KEPT);
        assert_eq!(answer.welcome.session, welcome.session);
        position = answer.end.head;
        seen.extend(answer.history.into_iter().map(|entry| entry.text));
    }
    talk.join().unwrap();
    assert_eq!(seen, numbered_texts(1, COUNT));
    anna.expect_nothing();
}

/// After each dropped connection, messages without an echo are sent again under their references.
#[test]
fn resent_messages_are_logged_once() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let (mut anna, answer) = server.join_rooms("anna", &[]);
    let welcome = answer.welcome;
    let mut said = 0;
    while said < 40 {
        // All messages without an echo are sent again after each drop.
        for reference in said + 1..=said + 5 {
            anna.send(say(reference, "lobby", &format!("m{reference}")));
        }
        if said % 2 == 0 {
            anna.next_entry();
        }
        drop(anna);
        let (again, answer) = server.resume("anna", &welcome, Sequence::ZERO);
        anna = again;
        said = answer.welcome.last_reference.0;
        let history: Vec<u64> = answer.history.iter().map(|entry| entry.reference.0).collect();
        assert_eq!(history, (1..=said).collect::<Vec<u64>>());
    }
    bob.say("lobby", "the end");
    let heard: Vec<String> = bob
        .next_entries(usize::try_from(said).unwrap() + 1)
        .into_iter()
        .map(|it| it.text)
        .collect();
    let mut expected = numbered_texts(1, usize::try_from(said).unwrap());
    expected.push("the end".to_owned());
    assert_eq!(heard, expected);
}

#[test]
fn resume_replaces_stale_connection() {
    let server = Server::start(&[]);
    let (mut stale, answer) = server.join_rooms("anna", &[]);
    let (mut anna, again) = server.resume("anna", &answer.welcome, answer.end.head);
    assert_eq!(again.welcome.session, answer.welcome.session);
    stale.expect_error(110);
    stale.expect_closed();
    anna.say_in_lobby("it is me");
}

/// The client has not the feature `resume`, with which its name would wait.
#[test]
fn connection_reset_frees_name() {
    let server = Server::start(&[]);
    let (anna, mut bob) = (server.join("anna"), server.join("bob"));
    // Closing a socket with unread bytes resets the connection.
    bob.say("lobby", "to whom?");
    drop(anna);
    assert_eq!(bob.next_entry().text, "to whom?");
    // The name is free as soon as the server notices.
    let begin = Instant::now();
    loop {
        // A new connection each time, as the server closes one after five refused joins.
        let mut other = server.connect();
        other.send_hello(0);
        other.send(join("anna", &[]));
        match other.next() {
            ServerFrame::Welcome(_) => break,
            ServerFrame::Error(_) => assert!(begin.elapsed() < PATIENCE),
            frame => panic!("{frame:?}"),
        }
    }
    bob.say_in_lobby("still here");
}

/// 50 clients vanish after a message each. The messages arrive, and nothing is logged.
#[test]
fn killed_clients_do_not_disturb_others() {
    let server = Server::start(&["--burst", "10000"]);
    let (mut anna, mut bob) = (server.join("anna"), server.join("bob"));
    for number in 0..50 {
        let mut victim = server.join(&format!("victim{number}"));
        victim.say("lobby", "aargh");
        anna.say("lobby", "what");
        drop(victim);
        bob.say("lobby", "oh");
        let heard: BTreeSet<String> = anna.next_entries(3).into_iter().map(|it| it.text).collect();
        assert_eq!(heard, ["aargh", "oh", "what"].map(str::to_owned).into());
        bob.next_entries(3);
    }
    assert_eq!(server.log(), Vec::<String>::new());
}

/// After a kill, a client that resumes gets another log id, and neither its session nor its
/// entries.
#[test]
fn restart_without_store_starts_new_log() {
    let mut server = Server::start(&[]);
    let (mut anna, answer) = server.join_rooms("anna", &[]);
    anna.say_in_lobby("soon gone");
    server.kill();
    let address = server.address().to_string();
    let server = Server::start(&["--listen", &address]);
    let (_anna, again) = server.resume("anna", &answer.welcome, Sequence(1));
    assert_ne!(again.welcome.log_id, answer.welcome.log_id);
    assert_eq!((again.welcome.flags, again.texts()), (0, vec![]));
}

// Large rooms.

/// Clients that observe presence get names up to 100 members, and then only the number. The roster
/// has all names, page by page. Messages reach everybody.
#[test]
fn large_room_reports_member_count_and_paged_roster() {
    let server = Server::start(&["--max-connections-per-address", "10000"]);
    let mut watcher = server.connect();
    watcher.send_hello(1);
    watcher.send(join("watcher", &[]));
    watcher.join_answer();
    assert!(matches!(watcher.next(), ServerFrame::Roster(it) if it.names == ["watcher"]));
    let mut crowd: Vec<TestClient> =
        (0..249).map(|number| server.join(&format!("guest{number:03}"))).collect();
    // The watcher gets names up to 100 members, and beyond that only their number.
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
    // The roster, page by page.
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
    // A newcomer gets only the number of members.
    let mut late = server.connect();
    late.send_hello(1);
    late.send(join("late", &[]));
    late.join_answer();
    let ServerFrame::Roster(roster) = late.next() else { panic!("no roster") };
    assert_eq!((roster.flags, roster.members, roster.names), (flag::COUNT_ONLY, 251, vec![]));
    // All members receive messages.
    crowd[7].say_in_lobby("hello to 250");
    for guest in &mut crowd[8..] {
        assert_eq!(guest.next_entry().text, "hello to 250");
    }
}

#[test]
fn direct_message_reaches_only_sender_and_recipient() {
    let server = Server::start(&[]);
    let (mut anna, mut bob) = (server.join("anna"), server.join("bob"));
    let mut carla = server.join("carla");
    anna.send(Direct {
        reference: Reference(1),
        to: "Bob".to_owned(),
        session: ANY_SESSION,
        style: 0,
        text: "psst".to_owned(),
    });
    for client in [&mut anna, &mut bob] {
        let frame = client.next();
        assert!(matches!(&frame, ServerFrame::DirectEntry(it) if it.text == "psst"), "{frame:?}");
    }
    carla.expect_nothing();
}

// Shutdown.

/// Also to those that have not joined. The server exits with 0 within 2 s, and logs nothing.
#[test]
fn sigterm_sends_shutdown_error_to_all_connections() {
    let mut server = Server::start(&[]);
    let mut anna = server.join("anna");
    let mut greeted = server.connect();
    greeted.send_hello(0);
    let mut silent = server.connect();
    anna.say_in_lobby("last words");
    let (status, elapsed) = server.terminate();
    assert_eq!(status.code(), Some(0));
    for client in [&mut anna, &mut greeted, &mut silent] {
        assert!(client.expect_error(111).retry_after > 0);
        client.expect_closed();
    }
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert_eq!(server.log(), Vec::<String>::new());
}

/// The first line of a server tells its owner where messages are kept, and whether any are there:
/// a mistyped directory shows by it.
#[test]
fn server_says_at_the_start_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let summary = |arguments: &[&str]| {
        let server = Server::start(arguments);
        server.join("anna").say_in_lobby("x");
        let mut told = String::new();
        server.wait_for_log(|lines| {
            let found = lines.iter().find(|line| line.contains(common::SUMMARY));
            found.inspect(|line| told.clone_from(line)).is_some()
        });
        told
    };
    let told = summary(&["--name", "attic", "--announce", "false"]);
    let expected = "this is “attic”; messages are kept in memory until the server stops; \
                    everybody who reaches it may join; without TLS, as it keeps no key";
    assert!(told.ends_with(expected), "{told}");
    let kept = format!("messages are kept in {data}");
    assert!(summary(&["--data", data]).contains(&format!("{kept}, where there are none yet; ")));
    assert!(summary(&["--data", data]).contains(&format!("{kept}; ")));
}

/// Where only invited people may join, the first line does not say that everybody may.
#[test]
fn first_line_says_that_only_invited_users_may_join() {
    let server = Server::start(&["--access", "invited", "--announce", "false"]);
    server.wait_for_log(|lines| {
        let told = lines.iter().find(|line| line.contains(common::SUMMARY));
        told.inspect(|it| assert!(it.contains("; whoever is invited may join; "), "{it}")).is_some()
    });
}

#[test]
fn sigint_stops_server() {
    let mut server = Server::start(&[]);
    let mut anna = server.join("anna");
    server.signal(Signal::INT);
    anna.expect_error(111);
    anna.expect_closed();
    assert_eq!(server.wait().code(), Some(0));
}

/// It stops within 2 s, and other clients get the error of the shutdown.
#[test]
fn server_stops_in_time_despite_slow_reader() {
    let mut server = Server::start(&["--burst", "10000", "--max-backlog", "16777216"]);
    let (mut anna, deaf) = (server.join("anna"), server.join("deaf"));
    // Far more than the socket buffers hold.
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

// systemd and logging.

/// The status line follows the number of joined users, and the end is notified.
#[test]
fn systemd_receives_readiness_status_and_watchdog() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let next_notification = move || {
        let mut buffer = [0; 4_096];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap().trim_end().to_owned()
    };
    let mut server = Server::start_with(&[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    });
    // Readiness, and repeated watchdog notifications.
    let mut seen = BTreeSet::new();
    let (mut alive, begin) = (0, Instant::now());
    while alive < 4 || seen.len() < 3 {
        let line = next_notification();
        alive += usize::from(line == "WATCHDOG=1");
        seen.insert(line);
    }
    assert!(begin.elapsed() < Duration::from_secs(3));
    let expected = ["READY=1", "STATUS=nobody is here", "WATCHDOG=1"];
    assert_eq!(seen, expected.map(str::to_owned).into());
    // The status line has the number of users.
    let anna = server.join("anna");
    while next_notification() != "STATUS=1 person is here" {}
    let bob = server.join("bob");
    while next_notification() != "STATUS=2 people are here" {}
    // A connection that has not joined does not count.
    let _guest = server.connect();
    anna.hang_up();
    while next_notification() != "STATUS=1 person is here" {}
    drop(bob);
    while next_notification() != "STATUS=nobody is here" {}
    server.send_sigterm();
    while next_notification() != "STOPPING=1" {}
    assert_eq!(server.wait().code(), Some(0));
}

/// Information has 6, a warning 4.
#[test]
fn journal_lines_have_priorities() {
    let mut server = Server::start_with(&[], |command| {
        command.env("JOURNAL_STREAM", "1:1");
    });
    let mut wrong = server.connect();
    wrong.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    wrong.expect_error(100);
    server.terminate();
    let log = server.log();
    assert!(log.len() == 2 && log[0].starts_with("<6>"), "{log:#?}");
    assert!(log[1].starts_with("<4>"), "{log:#?}");
}

/// Neither passwords, wrong ones included, nor texts of messages.
#[test]
fn log_contains_no_secrets() {
    let mut password = tempfile::NamedTempFile::new().unwrap();
    password.write_all(b"sesame\n").unwrap();
    let password = password.into_temp_path();
    let mut server = Server::start(&["--password-file", password.to_str().unwrap()]);
    let mut anna = server.connect();
    anna.send_hello(0);
    for _ in 0..5 {
        anna.send(Join { password: Some("simsim".to_owned()), ..join("anna", &[]) });
        anna.expect_error(204);
    }
    anna.expect_error(205);
    let mut bob = server.connect();
    bob.send_hello(0);
    bob.send(Join { password: Some("sesame".to_owned()), ..join("bob", &[]) });
    bob.join_answer();
    bob.say_in_lobby("between us");
    bob.send_bytes(&[0, 0]);
    bob.expect_error(103);
    server.terminate();
    let log = server.log().join("\n");
    for secret in ["sesame", "simsim", "between us"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Uses 1,200 further rooms, for one message each: more than the log keeps. So it evicts rooms that
/// nobody is in: those with the fewest messages first, and of these the ones used longest ago.
fn use_too_many_rooms(server: &Server) {
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
fn many_new_rooms_do_not_evict_history_of_occupied_room() {
    let server = Server::start(&["--burst", "100000"]);
    let mut anna = server.join("anna");
    for text in numbered_texts(1, 3) {
        anna.say_in_lobby(&text);
    }
    use_too_many_rooms(&server);
    let (_bob, answer) = server.join_rooms("bob", &[]);
    assert_eq!(answer.texts(), numbered_texts(1, 3), "though anna is still in the lobby");
}

/// A message was missed in a room that is evicted: the room has a gap. In the lobby, in which
/// somebody is all the time, what was missed is replayed.
#[test]
fn resume_into_evicted_room_reports_gap() {
    let server = Server::start(&["--burst", "100000"]);
    let (mut anna, answer) = server.join_rooms("anna", &["den", "lobby"]);
    let (mut bob, _) = server.join_rooms("bob", &["den", "lobby"]);
    bob.say_in_lobby("heard");
    let position = anna.next_entry().sequence;
    drop(anna);
    bob.say_in_lobby("missed");
    bob.say("den", "lost");
    bob.next_entry();
    bob.hang_up();
    use_too_many_rooms(&server);
    let (_anna, again) = server.resume("anna", &answer.welcome, position);
    let gaps: Vec<bool> = again.entered.iter().map(|it| it.flags & flag::GAP != 0).collect();
    assert_eq!(again.welcome.rooms, ["den", "lobby"]);
    assert_eq!((gaps, again.texts()), (vec![true, false], vec!["missed"]), "{again:?}");
}

/// A server keeps running if its standard error cannot be written any more (closed pipe, full
/// disk).
#[test]
fn closed_stderr_does_not_stop_service() {
    let mut command = server_command();
    command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|it| it.strip_prefix("listening on ")?.parse().ok()).unwrap();
    // Closes the pipe.
    drop(lines);
    for _ in 0..2 {
        let mut stranger = TestClient::connect(address);
        stranger.send_bytes(b"GET / HTTP/1.0\r\n\r\n");
        stranger.expect_error(100);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
