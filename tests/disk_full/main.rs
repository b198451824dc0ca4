//! A server on a full disk: it sends a notice, keeps messages in memory or refuses them, and
//! recovers by itself when there is space again.
//!
//! If namespaces are not available, these tests do nothing, say so, and leave
//! `tests/power_cut/disk_failures.rs` as the only test. With `PI_CHAT_NEED_NETNS=1` they fail
//! instead.

#![cfg(all(feature = "server", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod small_disk;

use std::env;
use std::io::{self, Write};

use pi_chat::model::{Position, Reference, Sequence};
use pi_chat::wire::tcp::{Entry, History, Join, ServerFrame, Welcome, flag};

use common::{Server, TestClient, join};
use small_disk::SmallDisk;

/// Notice code: the disk fails.
const DISK_FAILING: u16 = 5;

/// Notice code: the disk works again.
const DISK_SOUND: u16 = 6;

/// Error code: a message was not stored.
const NOT_STORED: u16 = 308;

/// Makes a small disk. Returns none, and says so, if namespaces are not available; panics if
/// `PI_CHAT_NEED_NETNS=1` requires them.
fn small_disk_or_skip() -> Option<SmallDisk> {
    match SmallDisk::new() {
        Ok(disk) => Some(disk),
        Err(why) => {
            let line = format!("NOT TESTED: a full disk: {why}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            let is_needed = env::var_os("PI_CHAT_NEED_NETNS").is_some_and(|it| it == "1");
            assert!(!is_needed, "PI_CHAT_NEED_NETNS=1, but {why}");
            None
        }
    }
}

/// Outcome of a message.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The server has sent it to the room.
    Shown(Entry),
    /// The server has refused to store it.
    Refused,
}

/// A client that sends messages, with the notices that it has received.
struct Talker {
    /// Its connection.
    peer: TestClient,
    /// Number of messages sent.
    said: usize,
    /// Codes of the notices received.
    notices: Vec<u16>,
}

impl Talker {
    /// Joins the lobby.
    fn new(server: &Server, name: &str) -> (Self, Welcome) {
        let (peer, arrival) = server.join_rooms(name, &[]);
        (Self { peer, said: 0, notices: Vec::new() }, arrival.welcome)
    }

    /// Sends a message of 4,000 bytes, which soon fills a disk, and waits for its outcome.
    fn say_large(&mut self) -> Outcome {
        self.said += 1;
        self.peer.say("lobby", &format!("{} {}", self.said, "x".repeat(4_000)));
        loop {
            match self.peer.next() {
                ServerFrame::Entry(entry) => return Outcome::Shown(entry),
                ServerFrame::Error(error) if error.code == NOT_STORED => return Outcome::Refused,
                ServerFrame::Notice(notice) => self.notices.push(notice.code),
                ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends messages until this notice has come. Returns their outcomes.
    fn talk_until_notice(&mut self, code: u16) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while self.notices.last() != Some(&code) {
            outcomes.push(self.say_large());
            assert!(outcomes.len() < 10_000, "notice {code} does not come");
        }
        outcomes
    }

    /// Waits for this notice without sending anything.
    fn wait_for_notice(&mut self, code: u16) {
        while self.notices.last() != Some(&code) {
            match self.peer.next() {
                ServerFrame::Notice(notice) => self.notices.push(notice.code),
                ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The entries among these outcomes.
fn shown_entries(outcomes: Vec<Outcome>) -> Vec<Entry> {
    let entry = |outcome| if let Outcome::Shown(entry) = outcome { Some(entry) } else { None };
    outcomes.into_iter().filter_map(entry).collect()
}

/// Reads what a silent client has received: codes of notices, and entries.
fn received(peer: &mut TestClient) -> (Vec<u16>, Vec<Entry>) {
    let (mut notices, mut entries) = (Vec::new(), Vec::new());
    for frame in peer.drain() {
        match frame {
            ServerFrame::Notice(notice) => notices.push(notice.code),
            ServerFrame::Entry(entry) => entries.push(entry),
            ServerFrame::Presence(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (notices, entries)
}

/// Requests all pages of the lobby's history.
fn whole_history(server: &Server) -> Vec<Entry> {
    let mut reader = server.join("reader");
    let (mut all, mut before) = (Vec::new(), Sequence::ZERO);
    loop {
        let room = "lobby".to_owned();
        reader.send(History { reference: Reference(1), room, before, limit: 100 });
        let mut page = Vec::new();
        let end = loop {
            match reader.next() {
                ServerFrame::Entry(entry) => page.push(entry),
                ServerFrame::End(end) => break end,
                ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        };
        before = page.first().map_or(before, |it| it.sequence);
        page.append(&mut all);
        all = page;
        if end.flags == 0 {
            reader.hang_up();
            return all;
        }
    }
}

/// The same entries with the flags of requested history.
fn flagged_as_history(entries: Vec<Entry>) -> Vec<Entry> {
    let flags = flag::HISTORY | flag::REQUESTED;
    entries.into_iter().map(|it| Entry { flags, ..it }).collect()
}

/// Waits until the server's log reports the recovery. Asserts that it contains `how`, and neither
/// panics nor bugs.
fn assert_failure_is_logged(server: &Server, how: &str) {
    let log = server.wait_for_log(|log| log.iter().any(|it| it.contains("written again")));
    assert!(log.iter().any(|it| it.contains(how)), "{log:#?}");
    assert!(!log.iter().any(|it| it.contains("panic") || it.contains("bug")), "{log:#?}");
}

/// With `on-disk-failure = "continue"` messages stay in memory while the disk is full, and are
/// written when it has space again. A newcomer gets them and the notice.
#[test]
fn full_disk_keeps_messages_in_memory() {
    let Some(disk) = small_disk_or_skip() else { return };
    let mut server = disk.start_server(&["--on-disk-failure", "continue"]);
    let (mut anna, _) = Talker::new(&server, "anna");
    let mut ben = server.join("ben");
    let mut all = vec![anna.say_large()];
    disk.fill();
    all.extend(anna.talk_until_notice(DISK_FAILING));
    all.extend((0..50).map(|_| anna.say_large()));
    // A newcomer gets the notice, and what is only in memory.
    let (mut cora, arrival) = server.join_rooms("cora", &[]);
    assert!(matches!(all.last(), Some(Outcome::Shown(last)) if
        arrival.history.last().is_some_and(|it| it.text == last.text)));
    assert_eq!(received(&mut cora).0, [DISK_FAILING], "a newcomer");
    assert_eq!(disk.status(), (Some(1), "memory_only".to_owned()));
    disk.free();
    anna.wait_for_notice(DISK_SOUND);
    assert_eq!(disk.status(), (Some(0), "sound".to_owned()));
    all.extend((0..5).map(|_| anna.say_large()));
    assert_eq!(anna.notices, [DISK_FAILING, DISK_SOUND]);
    let count = all.len();
    let all = shown_entries(all);
    assert_eq!(all.len(), count, "something was refused");
    let (notices, entries) = received(&mut ben);
    assert_eq!(notices, [DISK_FAILING, DISK_SOUND]);
    assert!(entries == all, "ben got {} of {count}", entries.len());
    assert_failure_is_logged(&server, "kept in memory only");
    assert!(server.terminate().0.success());
    let server = disk.start_server(&[]);
    assert!(
        whole_history(&server) == flagged_as_history(all),
        "not everything is there after a restart"
    );
}

/// With `on-disk-failure = "refuse"` messages are refused while the disk is full.
#[test]
fn full_disk_refuses_messages() {
    let Some(disk) = small_disk_or_skip() else { return };
    let mut server = disk.start_server(&["--on-disk-failure", "refuse"]);
    let (mut anna, _) = Talker::new(&server, "anna");
    let mut ben = server.join("ben");
    disk.fill();
    let mut all = anna.talk_until_notice(DISK_FAILING);
    assert!((0..20).all(|_| anna.say_large() == Outcome::Refused), "not every message is refused");
    assert_eq!(disk.status(), (Some(1), "refusing".to_owned()));
    disk.free();
    anna.wait_for_notice(DISK_SOUND);
    all.extend((0..5).map(|_| anna.say_large()));
    assert_eq!(anna.notices, [DISK_FAILING, DISK_SOUND]);
    let all = shown_entries(all);
    let (notices, entries) = received(&mut ben);
    assert_eq!(notices, [DISK_FAILING, DISK_SOUND]);
    assert!(entries == all, "ben got {} of {}", entries.len(), all.len());
    assert_failure_is_logged(&server, "messages are refused");
    assert!(server.terminate().0.success());
    let server = disk.start_server(&[]);
    assert!(
        whole_history(&server) == flagged_as_history(all),
        "what is there is not what was shown"
    );
}

/// People join, enter rooms, come back and take other names while the disk is full: none of that is
/// written. It makes no difference whether the server has noticed yet.
#[test]
fn full_disk_lets_people_join() {
    let Some(disk) = small_disk_or_skip() else { return };
    let server = disk.start_server(&["--on-disk-failure", "refuse"]);
    let (mut anna, welcome) = Talker::new(&server, "anna");
    let mut kept = vec![anna.say_large()];
    disk.fill();
    let (mut ben, arrival) = server.join_rooms("ben", &["lobby", "attic"]);
    assert_eq!(arrival.texts().len(), 1);
    kept.extend(anna.talk_until_notice(DISK_FAILING));
    assert_eq!(anna.say_large(), Outcome::Refused);
    let (_cora, arrival) = server.join_rooms("cora", &["cellar", "lobby"]);
    assert_eq!(arrival.welcome.rooms, ["cellar", "lobby"]);
    ben.drain();
    assert!(ben.enter("loft").is_empty());
    anna.peer.hang_up();
    let last = shown_entries(kept).last().unwrap().sequence;
    let (anna, arrival) = server.resume("ann", &welcome, last);
    assert_eq!(arrival.welcome.session, welcome.session);
    assert_eq!(arrival.welcome.flags & flag::SESSION_KEPT, flag::SESSION_KEPT);
    anna.hang_up();
    server.join("anna").hang_up();
    assert_eq!(disk.status(), (Some(1), "refusing".to_owned()));
}

/// Messages that were only in memory are lost with the process. The server does not keep a client's
/// position among them, so that later messages are not mistaken for them.
#[test]
fn crash_with_a_full_disk_invalidates_positions() {
    let Some(disk) = small_disk_or_skip() else { return };
    let mut server = disk.start_server(&["--on-disk-failure", "continue"]);
    let (mut anna, welcome) = Talker::new(&server, "anna");
    disk.fill();
    anna.talk_until_notice(DISK_FAILING);
    let lost = shown_entries((0..5).map(|_| anna.say_large()).collect());
    let at = lost.last().unwrap().sequence;
    server.kill();
    disk.free();
    let server = disk.start_server(&[]);
    let kept = whole_history(&server);
    assert!(!kept.iter().any(|it| lost.iter().any(|lost| lost.text == it.text)));
    // The log is longer now than before the crash.
    let (mut ben, _) = Talker::new(&server, "ben");
    for _ in 0..50 {
        assert!(matches!(ben.say_large(), Outcome::Shown(_)));
    }
    let mut back = server.connect();
    back.send_hello(0);
    let position = Some(Position { log_id: welcome.log_id, sequence: at });
    back.send(Join { token: Some(welcome.token), position, ..join("anna", &["lobby"]) });
    let arrival = back.join_answer();
    assert_eq!(arrival.welcome.flags & flag::POSITION_KEPT, 0, "{:?}", arrival.welcome);
    let latest: Vec<_> = whole_history(&server).into_iter().rev().take(10).rev().collect();
    let texts: Vec<_> = latest.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(arrival.texts(), texts);
}

/// A server whose disk is read-only does not start, and says so.
#[test]
fn read_only_disk_is_reported() {
    let Some(disk) = small_disk_or_skip() else { return };
    let mut server = disk.start_server(&[]);
    let (mut anna, _) = Talker::new(&server, "anna");
    assert!(matches!(anna.say_large(), Outcome::Shown(_)));
    assert!(server.terminate().0.success());
    disk.make_read_only();
    let (code, told) = disk.try_to_start_server();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("Read-only") || told.contains("readonly"), "{told}");
}
