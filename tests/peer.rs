//! End-to-end tests of `chat-peer`: interactive, in scripts and as a service. Several real
//! processes on the loopback interface, each test on a port of its own.

#![cfg(all(feature = "peer", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long a real program takes"
)]

#[path = "common/json_process.rs"]
mod json_process;
#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use json_process::JsonProcess;
use program::Program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Time limit for anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns a free UDP port.
fn free_port() -> u16 {
    UdpSocket::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

/// Returns a command for `chat-peer` with this home directory, independent of the user's settings.
/// All three standard streams are pipes.
fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-peer"));
    command.env_clear().env("HOME", home).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Room on the loopback interface: a UDP port, and home directories for its peers.
struct TestRoom {
    /// UDP port of the room.
    port: String,
    /// Parent of the home directories.
    home: TempDir,
}

impl TestRoom {
    /// Creates a room on a free port.
    fn new() -> Self {
        Self { port: free_port().to_string(), home: tempfile::tempdir().unwrap() }
    }

    /// Returns a command for `chat-peer` as `name`, on the loopback interface.
    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = program(&self.home.path().join(name), &["--name", name]);
        command.args(["--port", &self.port, "--interface", "lo"]).args(arguments);
        command
    }

    /// Starts a peer and waits until it is admitted.
    fn join(&self, name: &str) -> Bot {
        self.join_with(name, &[])
    }

    /// Starts a peer with further arguments and waits until it is admitted.
    fn join_with(&self, name: &str, arguments: &[&str]) -> Bot {
        let mut bot = self.start(name, arguments);
        bot.next_of_type("admitted");
        bot
    }

    /// Starts a peer without waiting for its admission.
    fn start(&self, name: &str, arguments: &[&str]) -> Bot {
        let mut command = self.program(name, &["--json"]);
        command.args(arguments);
        Bot::start(command)
    }
}

/// Running `chat-peer --json` process, killed on drop.
struct Bot(JsonProcess);

impl Bot {
    /// Starts the process.
    fn start(mut command: Command) -> Self {
        Self(JsonProcess::start(&mut command))
    }

    /// Sends a request, a JSON object.
    fn request(&mut self, request: &Value) {
        self.0.send(request);
    }

    /// Sends a message.
    fn say(&mut self, text: &str) {
        self.request(&json!({"type": "say", "text": text}));
    }

    /// Returns the next object that satisfies `is_wanted`, and skips others. Panics after
    /// [`PATIENCE`], and at the end of the output.
    fn next(&mut self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let (end, mut skipped) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            match self.0.next(end) {
                Some((_, object)) if is_wanted(&object) => return object,
                Some((_, object)) => skipped.push(object),
                None => panic!("no {what} came, but: {skipped:#?}"),
            }
        }
    }

    /// Returns the next object of this type, and skips others.
    fn next_of_type(&mut self, kind: &str) -> Value {
        self.next(kind, |it| it["type"] == kind)
    }

    /// Returns the next `count` messages, as author and text, and skips other objects.
    fn next_messages(&mut self, count: usize) -> Vec<String> {
        let text = |it: Value| format!("{}: {}", it["from"], it["text"]).replace('"', "");
        (0..count).map(|_| text(self.next_of_type("message"))).collect()
    }

    /// Requests the roster until all these names are members of the room. Skips other objects.
    /// Panics after [`PATIENCE`].
    fn wait_for_members(&mut self, names: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.request(&json!({"type": "members"}));
            let roster = self.next_of_type("roster");
            let here = roster["names"].as_array().unwrap();
            if names.iter().all(|it| here.contains(&json!(it))) {
                return;
            }
            assert!(Instant::now() < end, "only {here:?} are there, not {names:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Closes the input, and waits for the end of the process. Returns the object `end` and the
    /// exit status.
    fn finish(mut self) -> (Value, ExitStatus) {
        self.0.close_input();
        let end = self.next_of_type("end");
        (end, self.0.wait())
    }
}

/// Runs a command with this input, and returns its output.
fn run_with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // It may exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Converts output to text.
fn to_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Three peers send messages: each receives all, and each author's messages in order.
#[test]
fn three_peers_receive_all_messages_in_author_order() {
    let room = TestRoom::new();
    let mut all = ["anna", "bob", "carol"].map(|name| room.join(name));
    for bot in &mut all {
        bot.wait_for_members(&["anna", "bob", "carol"]);
    }
    for (number, bot) in all.iter_mut().enumerate() {
        bot.say(&format!("{number} a"));
        bot.say(&format!("{number} b"));
    }
    for bot in &mut all {
        let heard = bot.next_messages(6);
        for (number, name) in ["anna", "bob", "carol"].iter().enumerate() {
            let of_one: Vec<_> = heard.iter().filter(|it| it.starts_with(name)).collect();
            let said = ["a", "b"].map(|it| format!("{name}: {number} {it}"));
            assert_eq!(of_one, said.iter().collect::<Vec<_>>());
        }
    }
    for bot in all {
        let (end, status) = bot.finish();
        assert_eq!((&end["reason"], status.code()), (&json!("left"), Some(0)));
    }
}

/// A name that is taken in another spelling is rejected; the error states by whom and why.
#[test]
fn taken_name_is_rejected_with_reason() {
    let room = TestRoom::new();
    let _anna = room.join("anna");
    let output = run_with_input(room.program("ANNA", &["--plain"]), "");
    let told = to_text(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{told}");
    let (reason, advice) = told
        .split_once(" seconds. ")
        .or_else(|| told.split_once(" 1 second. "))
        .unwrap_or_else(|| panic!("{told}"));
    assert!(
        reason.contains("error: anna says no: Somebody here has this name. anna has been here for"),
        "{told}"
    );
    assert!(
        advice.contains("You asked for “ANNA”. To ask for another name, use --name."),
        "{told}"
    );
    let (end, status) = room.start("Anna", &[]).finish();
    assert_eq!((&end["reason"], status.code()), (&json!("rejected"), Some(77)));
    assert_eq!((&end["by"], &end["code"]), (&json!("anna"), &json!(201)));
}

/// A newcomer receives the ten most recent messages from any peer of the room.
#[test]
fn newcomer_receives_ten_latest_messages() {
    let room = TestRoom::new();
    let mut anna = room.join("anna");
    for number in 0..12 {
        anna.say(&format!("line {number}"));
    }
    anna.next_messages(12);
    let mut bob = room.start("bob", &[]);
    let admitted = bob.next_of_type("admitted");
    assert_eq!(admitted["history_from"], "anna");
    let said: Vec<_> = (2..12).map(|number| format!("anna: line {number}")).collect();
    assert_eq!(bob.next_messages(10), said);
    bob.wait_for_members(&["anna", "bob"]);
    // He has them for later newcomers, too.
    anna.finish();
    let mut carol = room.start("carol", &[]);
    assert_eq!(carol.next_of_type("message")["history"], true);
    assert_eq!(carol.next_messages(9), said[1..]);
}

/// The key file is private and reused; a second process of the same user works without it.
#[test]
fn key_is_private_and_locked() {
    let room = TestRoom::new();
    let anna = room.join("anna");
    let key = room.home.path().join("anna/.local/state/pi-chat/peer.key");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key), mode(key.parent().unwrap())), (0o600, 0o700));
    let seed = fs::read(&key).unwrap();
    let file = fs::File::open(&key).unwrap();
    assert!(matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)), "nobody holds it");
    let mut other = room.program("bob", &["--json"]);
    other.env("HOME", room.home.path().join("anna"));
    let mut other = Bot::start(other);
    other.next_of_type("admitted");
    other.finish();
    anna.finish();
    file.try_lock().unwrap();
    file.unlock().unwrap();
    room.join("anna").finish();
    assert_eq!(fs::read(&key).unwrap(), seed);
}

/// A home directory in which nothing can be written (here because its `.local` is a file), and one
/// with a damaged key file, do not keep anybody from chatting.
#[test]
fn peer_that_cannot_use_its_key_file_warns_and_chats() {
    let room = TestRoom::new();
    let home = |name: &str| {
        let home = room.home.path().join(name);
        fs::create_dir_all(&home).unwrap();
        home
    };
    fs::write(home("anna").join(".local"), "a file").unwrap();
    let state = home("bob").join(".local/state/pi-chat");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("peer.key"), "my diary").unwrap();
    for (name, told) in [("anna", "not a directory"), ("bob", "does not contain a key")] {
        let command = room.program(name, &["--json"]);
        let output = run_with_input(command, "{\"type\":\"say\",\"text\":\"hi\"}\n");
        let (shown, warned) = (to_text(&output.stdout), to_text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{shown} {warned}");
        assert!(shown.contains(r#""text":"hi""#), "{shown}");
        assert_eq!(warned.lines().count(), 1, "{warned}");
        assert!(warned.starts_with("warning: ") && warned.contains(told), "{warned}");
    }
    assert_eq!(fs::read(state.join("peer.key")).unwrap(), b"my diary");
}

/// The doctor reports which paths work inside this machine and which peers answer or do not, and
/// its exit code tells if any peer can be reached. It does not join the room, and claims nothing
/// about other machines.
#[test]
fn doctor_reports_paths_and_peers() {
    let room = TestRoom::new();
    let mut anna = room.join("anna");
    let _bob = room.join_with("bob", &["--room", "garden"]);
    let examine = |arguments: &[&str]| {
        let mut command = program(room.home.path(), &["doctor", "--port", &room.port]);
        command.args(arguments);
        run_with_input(command, "")
    };
    let nobody = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let nobody = nobody.local_addr().unwrap().to_string();
    let output = examine(&["--interface", "lo", "--peer", &nobody]);
    let said = to_text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        &format!("ok    UDP port {} can be used", room.port),
        "ok    interface lo: the IPv4 group works inside this machine",
        "ok    interface lo: the IPv4 group reaches anna, on this machine",
        "ok    interface lo: the IPv4 group brings what is sent by anna, on this machine",
        "ok    1 peer found in #lobby: 1 on this machine, 0 on other machines",
        "ok    1 peer in another room, which is open",
        "ok    one datagram by the IPv4 group reaches everybody who answers",
        "do    nothing: chat-peer works here",
        &format!("warn  peer {nobody}: no answer from {nobody}"),
    ] {
        assert!(said.lines().any(|it| it.starts_with(line)), "no “{line}” in: {said}");
    }
    let is_annas = |it: &str| it.starts_with("ok    anna at ") && it.ends_with(", unicast");
    assert!(said.lines().any(is_annas), "{said}");
    assert!(!said.contains("the network"), "{said}");
    anna.wait_for_members(&["anna"]);

    let output = examine(&["--interface", "lo", "--room", "desert"]);
    let said = to_text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warn  nobody was heard in #desert"), "{said}");
    assert!(said.contains("warn  nobody is in #desert; "), "{said}");
    assert!(said.contains("1 peer is in #lobby"), "{said}");

    let output = examine(&["--interface", "nosuch0"]);
    let said = to_text(&output.stdout);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("warn  interface nosuch0: not there"), "{said}");
    assert!(said.contains("fail  wrong interface: nobody is on nosuch0; peers"), "{said}");
    assert!(said.contains("do    use --interface lo"), "{said}");
}

/// The doctor says in one line each that another program has the port for IPv4, that a host does
/// not exist, and that a host does not answer. In the next line it says what to do.
#[test]
fn doctor_says_what_to_do_about_port_and_hosts() {
    let home = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let number = taken.local_addr().unwrap().port();
    let silent_socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let silent = silent_socket.local_addr().unwrap();
    let arguments = ["doctor", "--interface", "lo", "--port", &number.to_string()];
    let mut command = program(home.path(), &arguments);
    command.args(["--peer", "no-such-host.invalid", "--peer", &silent.to_string()]);
    let output = run_with_input(command, "");
    drop((taken, silent_socket));
    let said = to_text(&output.stdout);
    assert_eq!(output.status.code(), Some(69), "{said}");
    let lines: Vec<_> = said.lines().collect();
    // Which of them depends on whether a name server answers.
    let reasons =
        ["there is no such name", "it cannot be looked up for now", "looking it up takes too long"];
    let reason = reasons.into_iter().find(|it| said.contains(it)).unwrap();
    for (problem, remedy) in [
        (
            format!("fail  UDP port {number} cannot be used by IPv4: another program uses it"),
            "do    stop the program that uses the port (",
        ),
        (
            format!("fail  peer no-such-host.invalid:2428: not found: {reason}"),
            "do    check the spelling, or give the IP address",
        ),
        (
            format!("fail  peer {silent}: no answer from {silent}"),
            "do    make sure that it is on and runs chat-peer in this room, and allow incoming UDP",
        ),
    ] {
        let is_pair = |it: &[&str]| it[0].starts_with(&problem) && it[1].starts_with(remedy);
        assert!(lines.windows(2).any(is_pair), "no “{problem}”, “{remedy}” in: {said}");
    }
}

/// A headless peer notifies systemd, logs no message texts, and announces its end to the room.
#[test]
fn headless_peer_notifies_systemd_and_logs_no_messages() {
    let room = TestRoom::new();
    let mut anna = room.join("anna");
    let socket = room.home.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = room.program("keeper", &["--headless"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "900000");
    command.stdin(Stdio::null());
    let mut keeper = command.spawn().unwrap();
    let wait_for = |word: &str| {
        let mut buffer = [0; 1_000];
        loop {
            let count = systemd.recv(&mut buffer).unwrap_or_else(|_| panic!("no {word}"));
            if to_text(&buffer[..count]).lines().any(|it| it.starts_with(word)) {
                return;
            }
        }
    };
    wait_for("READY=1");
    for _ in 0..3 {
        wait_for("WATCHDOG=1");
    }
    anna.wait_for_members(&["keeper"]);
    anna.say("a secret");
    anna.next_messages(1);
    // Sooner than other peers would time it out.
    let before = Instant::now();
    kill_process(Pid::from_child(&keeper), Signal::TERM).unwrap();
    wait_for("STOPPING=1");
    anna.next("keeper's end", |it| it["type"] == "presence" && it["left"] == json!(["keeper"]));
    assert!(before.elapsed() < Duration::from_secs(5));
    assert!(keeper.wait().unwrap().success());
    let told = to_text(&keeper.wait_with_output().unwrap().stderr);
    assert!(told.contains("in #lobby as keeper") && !told.contains("secret"), "{told}");
}

/// Plain mode shows a table of the peers, and explains commands that only servers support.
#[test]
fn plain_mode_lists_peers_and_refuses_direct_messages() {
    let room = TestRoom::new();
    let mut anna = room.join("anna");
    let mut bob = room.program("bob", &["--plain"]).spawn().unwrap();
    anna.wait_for_members(&["bob"]);
    let mut input = bob.stdin.take().unwrap();
    input.write_all("/peers\n/msg anna hi\n/me waves\n/help\n".as_bytes()).unwrap();
    let heard = anna.next_of_type("message");
    assert_eq!((&heard["text"], &heard["style"]), (&json!("waves"), &json!("action")));
    drop(input);
    let output = bob.wait_with_output().unwrap();
    let (said, told) = (to_text(&output.stdout), to_text(&output.stderr));
    assert_eq!(output.status.code(), Some(64), "{said}{told}");
    assert!(told.contains("-- you are in #lobby as bob; anna is here"), "{told}");
    assert!(told.contains("!! There are no direct messages without a server."), "{told}");
    assert!(said.contains("--  bob (you)"), "{said}");
    let row = said.lines().find(|it| it.starts_with("--  anna")).unwrap();
    assert!(row.contains("IPv4 group"), "{said}");
    assert!(said.contains("* bob waves") && said.contains("/block NAME"), "{said}");
}

/// The JSON request `peers` returns the address of each peer.
#[test]
fn json_peers_lists_names_and_addresses() {
    let room = TestRoom::new();
    let mut anna = room.join("anna");
    let _bob = room.join("bob");
    anna.wait_for_members(&["bob"]);
    anna.request(&json!({"type": "peers", "id": 7}));
    let peers = anna.next_of_type("peers");
    assert_eq!(peers["id"], 7);
    let peers = peers["peers"].as_array().unwrap();
    assert_eq!((&peers[0]["name"], &peers[0]["self"]), (&json!("anna"), &json!(true)));
    assert_eq!((&peers[1]["name"], &peers[1]["self"]), (&json!("bob"), &json!(false)));
    assert!(peers[1]["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{peers:?}");
}

/// The JSON objects of a message are the same place in the common order for every peer: Lamport
/// counter, author's id as digits, sequence. An answer has a greater counter than its question.
#[test]
fn json_messages_state_their_place_in_common_order() {
    let room = TestRoom::new();
    let (mut anna, mut bob) = (room.start("anna", &[]), room.start("bob", &[]));
    let ids = [&mut anna, &mut bob].map(|it| it.next_of_type("admitted")["session"].clone());
    assert!(ids.iter().all(|it| it.as_str().unwrap().len() == 16), "{ids:?}");
    anna.wait_for_members(&["bob"]);
    bob.wait_for_members(&["anna"]);
    let place = |it: &Value| {
        let lamport = it["lamport"].as_u64().unwrap();
        (lamport, it["session"].clone(), it["seq"].as_u64().unwrap())
    };
    anna.say("tea?");
    let question = place(&bob.next_of_type("message"));
    assert_eq!(question, place(&anna.next_of_type("message")));
    bob.say("please");
    let answer = place(&anna.next_of_type("message"));
    assert_eq!(answer, place(&bob.next_of_type("message")));
    assert_eq!((&question.1, &answer.1), (&ids[0], &ids[1]));
    assert!(question.0 < answer.0, "{question:?} {answer:?}");
    anna.request(&json!({"type": "peers"}));
    let peers = anna.next_of_type("peers");
    assert_eq!([&peers["peers"][0]["session"], &peers["peers"][1]["session"]], [&ids[0], &ids[1]]);
}

/// A user who is asked may reject a newcomer, which is told so.
#[test]
fn admission_answer_admits_or_rejects() {
    let room = TestRoom::new();
    let mut anna = room.join_with("anna", &["--ask"]);
    for (name, is_welcome, exit) in [("bob", false, 77), ("carol", true, 0)] {
        let mut guest = room.start(name, &[]);
        assert_eq!(anna.next_of_type("admission_asked")["name"], name);
        anna.request(&json!({"type": "admit", "name": name, "welcome": is_welcome}));
        anna.next_of_type("done");
        if is_welcome {
            guest.next_of_type("admitted");
        }
        let (end, status) = guest.finish();
        assert_eq!(status.code(), Some(exit), "{end}");
        if !is_welcome {
            assert_eq!((&end["by"], &end["code"]), (&json!("anna"), &json!(401)));
        }
    }
}

/// Peers with and without the passphrase are in separate rooms.
#[test]
fn closed_room_is_separate_from_open_room() {
    let room = TestRoom::new();
    let file = room.home.path().join("passphrase");
    fs::write(&file, "open sesame\n").unwrap();
    let closed = ["--passphrase-file", file.to_str().unwrap()];
    let mut anna = room.join_with("anna", &closed);
    let mut outsider = room.join("anna");
    let mut bob = room.start("bob", &closed);
    let admitted = bob.next_of_type("admitted");
    assert_eq!((&admitted["closed"], &admitted["history_from"]), (&json!(true), &json!("anna")));
    anna.wait_for_members(&["anna", "bob"]);
    bob.say("psst");
    assert_eq!(anna.next_messages(1), ["bob: psst"]);
    outsider.say("hello?");
    assert_eq!(outsider.next_messages(1), ["anna: hello?"]);
}

/// A host named by --peer is reached by unicast, without multicast or broadcast. (The interface
/// does not exist, which is reported.)
#[test]
fn named_host_is_reached_by_unicast() {
    let (one, other) = (TestRoom::new(), TestRoom::new());
    let start = |name: &str, port: &str, peer: Option<String>| {
        let home = one.home.path().join(name);
        let mut command = program(&home, &["--json", "--name", name, "--port", port]);
        command.args(["--interface", "nosuch0"]);
        if let Some(peer) = peer {
            command.args(["--peer", &peer]);
        }
        Bot::start(command)
    };
    let mut anna = start("anna", &one.port, None);
    let told = anna.next_of_type("error");
    assert!(
        told["text"].as_str().unwrap().contains("The interface nosuch0 does not exist or is down"),
        "{told}"
    );
    anna.next_of_type("admitted");
    let mut bob = start("bob", &other.port, Some(format!("127.0.0.1:{}", one.port)));
    assert_eq!(bob.next_of_type("admitted")["history_from"], "anna");
    bob.say("hello");
    assert_eq!(anna.next_messages(1), ["bob: hello"]);
    anna.say("hello yourself");
    assert_eq!(bob.next_messages(2)[1], "anna: hello yourself");
}

/// A port that another program has for itself, on IPv4 only: the peer says so and goes on.
#[test]
fn port_that_another_program_has_is_reported() {
    let taken = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let room = TestRoom { port, home: tempfile::tempdir().unwrap() };
    let mut anna = room.start("anna", &[]);
    let problem = anna.next_of_type("error");
    let text = problem["text"].as_str().unwrap();
    assert!(text.starts_with("Another program uses port "), "{text}");
    assert!(text.contains("Over IPv4, this peer hears only those that it talks to."), "{text}");
    anna.next_of_type("admitted");
    let (end, status) = anna.finish();
    assert_eq!((&end["reason"], status.code()), (&json!("left"), Some(0)));
}

/// Invalid settings are reported before anything is sent.
#[test]
fn invalid_settings_are_rejected() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["--name", "two words"][..],
        &["--port", "0"],
        &["--peer", "http://pi"],
        &["--passphrase-file", "/nowhere"],
        &["--plain", "--json"],
        &["--headless", "--ask"],
    ] {
        let output = run_with_input(program(home.path(), arguments), "");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

/// What comes under an ignored name is marked in JSON lines, and not shown on other screens, also
/// after a restart. The ignored peer stays in the room: nobody objects.
#[test]
fn ignored_name_is_hidden_here_only_and_after_restart() {
    let room = TestRoom::new();
    let mut bob = room.start("bob", &[]);
    let mut anna = room.start("anna", &[]);
    anna.request(&json!({"type": "ignore", "name": "BOB", "id": 1}));
    let answer = anna.next_of_type("ignored");
    let expected =
        json!({"type": "ignored", "names": ["BOB"], "persons": [], "saved": true, "id": 1});
    assert_eq!(answer, expected);
    bob.next_of_type("admitted");
    anna.wait_for_members(&["anna", "bob"]);
    bob.say("unseen");
    assert_eq!(anna.next_of_type("message")["ignored"], true);
    anna.say("hi");
    assert_eq!(bob.next("anna's message", |it| it["text"] == "hi")["ignored"], false);
    assert_eq!(anna.finish().1.code(), Some(0));

    let mut anna = Program::start(room.program("anna", &["--plain"]));
    anna.expect_text("-- you ignore BOB, so ");
    anna.expect_text("-- 1 message is not shown");
    anna.type_line("/unignore bob");
    anna.expect_text("-- You no longer ignore BOB. What was hidden stays hidden.");
    bob.say("seen again");
    anna.expect_text("bob: seen again");
    anna.type_line("/ignore bob");
    anna.expect_text("bob can still join; /block bob objects to that.");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(!lines.iter().any(|it| it.contains("unseen")), "{lines:#?}");
}

/// A damaged ignore list is reported with its path, and left as it is.
#[test]
fn damaged_ignore_list_is_reported_and_kept() {
    let room = TestRoom::new();
    let state = room.home.path().join("anna/.local/state/pi-chat");
    fs::create_dir_all(&state).unwrap();
    let file = state.join("peer.ignored.json");
    fs::write(&file, "damaged").unwrap();
    let output = run_with_input(room.program("anna", &["--plain"]), "/ignore bob\n");
    let told = to_text(&output.stderr);
    assert!(told.contains(&format!("!! {} cannot be used (", file.display())), "{told}");
    assert!(
        to_text(&output.stdout).contains(", and so does quitting"),
        "{}",
        to_text(&output.stdout)
    );
    assert_eq!(output.status.code(), Some(0));
    let mut bot = room.start("anna", &[]);
    let error = bot.next_of_type("error");
    assert_eq!((&error["code"], &error["name"]), (&json!(0), &json!("client")));
    bot.request(&json!({"type": "ignored"}));
    let answer = bot.next_of_type("ignored");
    assert_eq!(answer, json!({"type": "ignored", "names": [], "persons": [], "saved": false}));
    assert_eq!(fs::read_to_string(file).unwrap(), "damaged");
}
