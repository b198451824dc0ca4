//! Tests of what the real `chat-server` offers its owner: `chat-server status`, configuration
//! reload, and messages to systemd about failures.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::iter;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use common::{PATIENCE, Server, TestClient, join, server_command};
use pi_chat::model::{Reference, Sequence};
use pi_chat::server::connect_control;
use pi_chat::wire::tcp::{History, Join, ServerFrame};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs `chat-server status` on a control socket.
fn run_status(control: &Path, more: &[&str]) -> Output {
    server_command().arg("status").arg("--control").arg(control).args(more).output().unwrap()
}

/// Returns the JSON status and the exit code of `chat-server status`. Panics if there is no status.
fn json_status(control: &Path) -> (Value, Option<i32>) {
    let output = run_status(control, &["--json"]);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
}

/// Returns a temporary directory and the path of a control socket in it, also as text.
fn control_path() -> (TempDir, PathBuf, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let text = path.to_str().unwrap().to_owned();
    (directory, path, text)
}

/// Returns the error text of a command that must have failed with exit code 1.
fn error_text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sets the user's runtime directory, which is also the directory for temporary files, so that no
/// server of another test is found.
fn set_runtime_directory<'a>(command: &'a mut Command, runtime: &Path) -> &'a mut Command {
    command.env("XDG_RUNTIME_DIR", runtime).env("TMPDIR", runtime)
}

/// Runs a subcommand of `chat-server` without naming a server, with this runtime directory.
fn run_unnamed(runtime: &Path, arguments: &[&str]) -> Output {
    let mut command = server_command();
    set_runtime_directory(command.args(arguments), runtime).output().unwrap()
}

/// Servers that were started by hand, without a configuration, are found in the user's private
/// directory, and told apart.
#[test]
fn servers_started_by_hand_are_found_and_told_apart() {
    let runtime = tempfile::tempdir().unwrap();
    let private = |mode| fs::set_permissions(runtime.path(), fs::Permissions::from_mode(mode));
    private(0o700).unwrap();
    let start = |name: &str| {
        Server::start_with(&["--name", name], |it| {
            set_runtime_directory(it, runtime.path());
        })
    };
    let told = error_text(&run_unnamed(runtime.path(), &["status"]));
    assert!(told.contains("no running server was found: none that you started by hand"), "{told}");
    let attic = start("attic");
    let sockets = runtime.path().join("pi-chat");
    assert_eq!(fs::metadata(&sockets).unwrap().permissions().mode() & 0o777, 0o700);
    let output = run_unnamed(runtime.path(), &["status"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("“attic” is healthy"));
    let output = run_unnamed(runtime.path(), &["announce", "dinner is ready"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "sent to 0 people\n");

    let cellar = start("cellar");
    let told = error_text(&run_unnamed(runtime.path(), &["status"]));
    for (name, server) in [("attic", &attic), ("cellar", &cellar)] {
        let socket = sockets.join(format!("server-{}", server.id()));
        let (address, socket) = (server.address(), socket.display());
        let line = format!("“{name}” on {address}: --control {socket}");
        assert!(told.contains(&line), "{told}");
    }
    let socket = sockets.join(format!("server-{}", cellar.id()));
    assert_eq!(json_status(&socket).0["name"], "cellar");

    // A server that was killed leaves its socket. The next one removes it.
    drop(cellar);
    assert!(socket.exists());
    let output = run_unnamed(runtime.path(), &["status"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("“attic”"));
    let _other = start("other");
    assert!(!socket.exists());
}

/// A directory for sockets that others may enter is not used, and the server says what to give.
#[test]
fn socket_directory_of_others_is_not_used() {
    let temporary = tempfile::tempdir().unwrap();
    let user = rustix::process::geteuid().as_raw();
    let directory = temporary.path().join(format!("pi-chat-{user}"));
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let start = || {
        Server::start_with(&[], |it| {
            it.env("TMPDIR", temporary.path());
        })
    };
    let server = start();
    let is_warning = |line: &String| {
        line.contains("is not a private directory of this user; --control names a socket")
    };
    server.wait_for_log(|lines| lines.iter().any(is_warning));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let server = start();
    assert!(directory.join(format!("server-{}", server.id())).exists());
}

/// As JSON and as text. Only the owner can access the socket. When the server stops, it removes the
/// socket, and the command fails.
#[test]
fn status_reports_counters_and_health() {
    let (_directory, path, control) = control_path();
    let mut server = Server::start(&["--control", &control, "--name", "attic"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut anna = server.join_rooms("anna", &["lobby", "garden"]).0;
    let _bob = server.join("bob");
    let _guest = server.connect();
    for text in ["one", "two", "three"] {
        anna.say_in_lobby(text);
    }
    let (told, code) = json_status(&path);
    assert_eq!(code, Some(0));
    let number = |key: &str| told[key].as_u64().unwrap();
    let counts = ["people", "connections", "rooms", "messages", "messages_last_minute", "head"];
    assert_eq!(counts.map(number), [2, 3, 2, 3, 3, 3], "{told}");
    assert_eq!((&told["healthy"], &told["name"]), (&json!(true), &json!("attic")));
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["listening"], json!([server.address().to_string()]));
    assert_eq!(told["process"], server.id());
    assert!(told["watchdog"].is_null() && number("uptime") < 60, "{told}");
    assert!(number("memory") > 1_000_000, "{told}");
    assert_eq!(
        (&told["store"]["kind"], &told["store"]["state"]),
        (&json!("memory"), &json!("sound"))
    );

    let words = String::from_utf8(run_status(&path, &[]).stdout).unwrap();
    assert!(words.starts_with("“attic” is healthy") && words.contains("3 connections"), "{words}");
    assert!(words.contains("\nlimits     none reached\n"), "{words}");
    assert!(told["refusals"]["joins"] == 0 && told["pressure"].is_null(), "{told}");
    server.terminate();
    assert!(!path.exists(), "the socket's file is left");
    assert!(error_text(&run_status(&path, &[])).contains("no server was found"));
}

/// Requests that are begun and never completed do not keep others waiting. Those here are held for
/// a second each, so one after another they would take longer than the status command waits.
#[test]
fn half_sent_requests_delay_nobody() {
    let (_directory, path, control) = control_path();
    let _server = Server::start(&["--control", &control]);
    let begun: Vec<UnixStream> = (0..14)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    assert_eq!(json_status(&path).1, Some(0));
    drop(begun);
}

/// The status command finds it there by `--data`. The status states kind, size and durability of
/// the log, and the watchdog.
#[test]
fn control_socket_defaults_to_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let arguments = ["--data", data.to_str().unwrap(), "--durability", "strict"];
    let server = Server::start_with(&arguments, |command| {
        command.env("WATCHDOG_USEC", "5000000");
    });
    server.join("anna").say_in_lobby("kept");
    let output =
        server_command().args(["status", "--json"]).args(&arguments[..2]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let store = &told["store"];
    assert_eq!((&store["kind"], &store["durability"]), (&json!("disk"), &json!("strict")));
    assert_eq!((&store["directory"], &told["watchdog"]), (&json!(data), &json!(5.0)));
    assert!(store["bytes"].as_u64().unwrap() > 10_000, "{told}");
}

/// `data-dir` in the configuration takes precedence over it.
#[test]
fn state_directory_is_default_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (given, wanted) = (directory.path().join("given"), directory.path().join("wanted"));
    let config = directory.path().join("config.toml");
    for (text, place) in [(String::new(), &given), (format!("data-dir = {wanted:?}\n"), &wanted)] {
        fs::write(&config, text).unwrap();
        let (_directory, path, control) = control_path();
        let arguments = ["--config", config.to_str().unwrap(), "--control", &control];
        let _server = Server::start_with(&arguments, |command| {
            command.env("STATE_DIRECTORY", &given);
        });
        assert_eq!(json_status(&path).0["store"]["directory"], json!(place));
    }
}

#[test]
fn closed_stdout_is_no_status_failure() {
    let (_directory, path, control) = control_path();
    let _server = Server::start(&["--control", &control]);
    let mut command = server_command();
    command.args(["status", "--control", &control]).stderr(Stdio::piped());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    drop(path);
}

#[test]
fn runtime_directory_takes_precedence_over_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let _server = Server::start_with(&["--data", data.to_str().unwrap()], |command| {
        command.env("RUNTIME_DIRECTORY", directory.path());
    });
    assert_eq!(json_status(&directory.path().join("control")).1, Some(0));
    assert!(!data.join("control.sock").exists());
}

/// Runs `chat-server announce` on a control socket.
fn run_announce(control: &str, text: &str) -> Output {
    server_command().args(["announce", "--control", control, text]).output().unwrap()
}

/// The command tells to how many people the text was sent. An invalid text is wrong usage.
#[test]
fn announcement_reaches_everybody_as_notice() {
    let (_directory, _, control) = control_path();
    let server = Server::start(&["--control", &control]);
    let mut joined = [server.join("anna"), server.join_rooms("bob", &["garden"]).0];
    let _guest = server.connect();
    let output = run_announce(&control, "dinner at eight");
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), &b"sent to 2 people\n"[..])
    );
    for client in &mut joined {
        let notice = loop {
            match client.next() {
                ServerFrame::Notice(notice) => break notice,
                ServerFrame::Roster(_) | ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((notice.code, notice.text.as_str()), (3, "dinner at eight"));
    }
    for wrong in ["", "two\nlines", &"x".repeat(513)] {
        assert_eq!(run_announce(&control, wrong).status.code(), Some(64), "{wrong:?}");
    }
    drop(server);
    assert!(error_text(&run_announce(&control, "x")).contains("no server was found"));
}

/// `chat-server announce` then fails and says so.
#[test]
fn old_server_that_sends_status_has_announced_nothing() {
    let (_directory, path, control) = control_path();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"{\"healthy\":true}\n").unwrap();
    });
    assert!(error_text(&run_announce(&control, "x")).contains("nothing was announced"));
    server.join().unwrap();
}

/// Connects to a control socket, sends these bytes, and returns the answer. If `ends` is true,
/// closes the sending half before it reads.
fn ask(control: &Path, request: &[u8], ends: bool) -> Value {
    let mut stream = UnixStream::connect(control).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    if ends {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// Whether it closes its sending half or not.
#[test]
fn client_that_only_reads_control_socket_gets_status() {
    let (_directory, path, control) = control_path();
    let _server = Server::start(&["--control", &control]);
    for ends in [false, true] {
        assert_eq!(ask(&path, b"", ends)["healthy"], json!(true));
    }
}

/// Each gets an error as answer. A valid request succeeds afterwards.
#[test]
fn invalid_control_requests_are_refused() {
    let (_directory, path, control) = control_path();
    let _server = Server::start(&["--control", &control]);
    let long = [&b"{\"announce\":\""[..], &b"x".repeat(100_000)].concat();
    let requests: [&[u8]; 8] = [
        b"\n",
        b"status\n",
        b"{\"dance\":1}\n",
        b"{\"announce\":\"\"}\n",
        b"{\"announce\":\"a\\nb\"}\n",
        b"{\"announce\":",
        br#"{"moderate":{"ban":{"scope":"server","user":{"username":"bob"},"length":0,"is_dryrun":true}}}
"#,
        br#"{"moderate":{"kick":{"scope":"server","user":{"username":"bob","sesion":4}}}}
"#,
    ];
    for request in requests {
        assert!(ask(&path, request, false)["error"].is_string(), "{request:?}");
    }
    // The server stops to read a request that is too long, so writing it may fail.
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(&long);
    drop(stream);
    let answer = ask(&path, b"{\"announce\":\"\\u0061\"}\n", false);
    assert_eq!(answer, json!({"announced": 0}));
}

/// A server that finds another one at the socket runs without one.
#[test]
fn stale_control_socket_is_replaced_and_live_one_kept() {
    let (_directory, path, control) = control_path();
    let mut first = Server::start(&["--control", &control]);
    first.kill();
    assert!(path.exists());
    assert!(error_text(&run_status(&path, &[])).contains("no server was found"));
    let second = Server::start(&["--control", &control]);
    assert_eq!(json_status(&path).0["process"], second.id());
    let mut third = Server::start(&["--control", &control]);
    third.wait_for_log(|lines| lines.iter().any(|it| it.contains("a server listens there")));
    third.terminate();
    assert_eq!(json_status(&path).0["process"], second.id());
}

/// The server runs without a socket, and logs that.
#[test]
fn foreign_file_at_control_path_is_kept() {
    let (_directory, path, control) = control_path();
    fs::write(&path, "mine").unwrap();
    let server = Server::start(&["--control", &control]);
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("cannot use")));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

/// The status command exits with 1 if it gets no answer.
#[test]
fn closed_control_connection_is_unhealthy() {
    let (_directory, path, _) = control_path();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || drop(listener.accept().unwrap()));
    assert!(error_text(&run_status(&path, &["--json"])).contains("does not answer"));
    server.join().unwrap();
}

/// The status command gives up, with exit code 1, although bytes still arrive.
#[test]
fn endless_status_answer_is_unhealthy() {
    let (_directory, path, _) = control_path();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Each byte arrives in time, but the answer never ends.
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(error_text(&run_status(&path, &[])).contains("does not answer"));
    server.join().unwrap();
}

/// The successor has replaced the file at the same path.
#[test]
fn stopping_server_keeps_socket_of_successor() {
    let (_directory, path, control) = control_path();
    let mut first = Server::start(&["--control", &control]);
    fs::remove_file(&path).unwrap();
    let second = Server::start(&["--control", &control]);
    first.terminate();
    assert_eq!(json_status(&path).0["process"], second.id());
}

/// The status command ends with an error, and with success when the server runs on.
#[test]
fn hung_server_is_unhealthy() {
    let (_directory, path, control) = control_path();
    let server = Server::start(&["--control", &control]);
    assert_eq!(json_status(&path).1, Some(0));
    server.signal(Signal::STOP);
    assert!(error_text(&run_status(&path, &[])).contains("does not answer"));
    // It is unhealthy, too, if so many connections wait that no more can connect; and another
    // server that starts does not wait for it.
    let moment = Duration::from_millis(1);
    let waiting: Vec<_> = iter::from_fn(|| connect_control(&path, moment).ok()).take(100).collect();
    assert!(waiting.len() < 100);
    assert!(error_text(&run_status(&path, &[])).contains("does not answer"));
    let mut other = Server::start(&["--control", &control]);
    other.wait_for_log(|lines| lines.iter().any(|it| it.contains("a server listens there")));
    other.terminate();
    drop(waiting);
    server.signal(Signal::CONT);
    assert_eq!(json_status(&path).1, Some(0));
}

/// Server with a configuration file that a test changes and reloads, and its notifications to
/// systemd.
struct ReloadableServer {
    /// Running server.
    server: Server,
    /// Path of its configuration file.
    config: PathBuf,
    /// Socket that receives its notifications to systemd.
    notify: UnixDatagram,
    /// Temporary directory of configuration, notification socket and control socket.
    directory: TempDir,
}

impl ReloadableServer {
    /// Starts a server with this configuration, and waits until it is ready.
    fn start(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.toml");
        fs::write(&config, text).unwrap();
        let path = directory.path().join("notify");
        let notify = UnixDatagram::bind(&path).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let control = directory.path().join("control");
        let arguments = ["--config", config.to_str().unwrap(), "--control"];
        let arguments = [&arguments[..], &[control.to_str().unwrap()]].concat();
        let server = Server::start_with(&arguments, |command| {
            command.env("NOTIFY_SOCKET", &path);
        });
        let reloaded = Self { server, config, notify, directory };
        reloaded.wait_for_notification(|word| word == "READY=1");
        reloaded
    }

    /// Waits for a notification to systemd that satisfies `wanted`, and returns it. Drops those
    /// before it. Panics after [`PATIENCE`] without a notification.
    fn wait_for_notification(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut buffer = [0; 4_096];
        loop {
            let count = self.notify.recv(&mut buffer).unwrap();
            let word = String::from_utf8(buffer[..count].to_vec()).unwrap();
            if wanted(word.trim_end()) {
                return word;
            }
        }
    }

    /// Writes another configuration, sends SIGHUP, and waits until the reload has finished, with or
    /// without success.
    fn reload(&self, text: &str) {
        fs::write(&self.config, text).unwrap();
        self.server.signal(Signal::HUP);
        let told = self.wait_for_notification(|word| word.starts_with("RELOADING=1"));
        let (_, time) = told.trim_end().split_once("\nMONOTONIC_USEC=").unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
        self.wait_for_notification(|word| word == "READY=1");
    }

    /// Returns the server's name from its status.
    fn name(&self) -> Value {
        json_status(&self.directory.path().join("control")).0["name"].clone()
    }
}

/// Connected clients stay, with the rate limit that they have. New ones get the new settings.
#[test]
fn reload_applies_runtime_settings() {
    let it = ReloadableServer::start("name = \"attic\"\nlook-alikes = \"allow\"\n");
    let mut anna = it.server.join("anna");
    it.reload(
        "name = \"cellar\"\npassword = \"sesame\"\nmax-rooms = 1\nburst = 7\nlog-length = 12",
    );
    // Connected clients stay, and new ones need the password.
    anna.say_in_lobby("still here");
    let mut bob = it.server.connect();
    bob.send_hello(0);
    bob.send(join("bob", &[]));
    bob.expect_error(203);
    let password = Some("sesame".to_owned());
    // A name that looks like anna's is refused now.
    bob.send(Join { password: password.clone(), ..join("аnna", &[]) });
    bob.expect_error(202);
    bob.send(Join { password, ..join("bob", &[]) });
    let welcome = bob.join_answer().welcome;
    assert_eq!((welcome.server_name.as_str(), welcome.burst), ("cellar", 7));
    assert_eq!(welcome.keep_messages, 12);
    assert_eq!(it.name(), "cellar");
    for number in 0..6 {
        anna.say_in_lobby(&format!("{number}"));
    }
    assert!(it.server.log().iter().any(|line| line.contains("configuration reloaded")));
}

/// Counts the messages of the lobby that are still in the log, up to 100.
fn count_kept_messages(reader: &mut TestClient) -> usize {
    let (reference, room) = (Reference(1), "lobby".to_owned());
    reader.send(History { reference, room, before: Sequence::ZERO, limit: 100 });
    let mut count = 0;
    loop {
        match reader.next() {
            ServerFrame::Entry(_) => count += 1,
            ServerFrame::End(_) => return count,
            other => panic!("{other:?}"),
        }
    }
}

/// In memory (`log-length`) and on disk (`keep-messages`), for messages that are there already.
#[test]
fn reload_applies_retention() {
    let data = tempfile::tempdir().unwrap();
    let fast = "burst = 100000\nper-minute = 6000000\n";
    let on_disk = format!("{fast}data-dir = {:?}\n", data.path());
    for (place, key) in [(fast, "log-length"), (on_disk.as_str(), "keep-messages")] {
        let it = ReloadableServer::start(place);
        let mut anna = it.server.join("anna");
        for number in 0..40 {
            anna.say_in_lobby(&format!("{number}"));
        }
        assert_eq!(count_kept_messages(&mut anna), 40);
        it.reload(&format!("{place}{key} = 12\n"));
        anna.say_in_lobby("one more");
        // A log on disk deletes old entries in the background: possibly before the last entry
        // arrives, which then waits for the next round.
        let forgets = (0..10_000).any(|_| count_kept_messages(&mut anna) <= 13);
        assert!(forgets, "{key}: {}", count_kept_messages(&mut anna));
    }
}

/// In systemd's status line, as one line, and in the log. A valid reload ends the report.
#[test]
fn invalid_reload_changes_nothing_and_is_reported() {
    let it = ReloadableServer::start("name = \"attic\"\n");
    it.reload("name = \"cellar\"\npassword = 7\n");
    let told = it.wait_for_notification(|word| word.contains("was not reloaded"));
    assert!(told.contains("line 2") && told.contains("nobody is here"), "{told}");
    assert!(told.trim_end().lines().count() == 1, "{told}");
    assert_eq!(it.name(), "attic");
    assert!(
        it.server.log().iter().any(|line| line.contains("The server goes on with the old one"))
    );
    // A valid configuration clears the error.
    it.reload("name = \"cellar\"\n");
    it.wait_for_notification(|word| word == "STATUS=nobody is here");
    assert_eq!(it.name(), "cellar");
}

#[test]
fn status_line_tells_age_of_last_backup() {
    let place = tempfile::tempdir().unwrap();
    let (data, backups) = (place.path().join("data"), place.path().join("backups"));
    let it = ReloadableServer::start(&format!("data-dir = {data:?}\nbackup-dir = {backups:?}\n"));
    it.wait_for_notification(|word| word == "STATUS=nobody is here; no backup yet");
    let told = "STATUS=nobody is here; last backup less than 1 h ago";
    it.wait_for_notification(|word| word == told);
    assert_eq!(fs::read_dir(backups).unwrap().count(), 1);
}

/// Starts a server with a configuration with which it fails. Returns its first notification to
/// systemd and its exit code.
fn failed_start(config: &str) -> (String, Option<i32>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let path = directory.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = server_command();
    let output = server.arg("--config").arg(&file).env("NOTIFY_SOCKET", &path).output().unwrap();
    let mut buffer = [0; 4_096];
    let count = notify.recv(&mut buffer).unwrap();
    let told = std::str::from_utf8(&buffer[..count]).unwrap();
    (told.trim_end().to_owned(), output.status.code())
}

/// The status line has the error, as one line: a wrong configuration, and a log that cannot be
/// opened.
#[test]
fn start_failure_is_reported_to_systemd() {
    let (told, status) = failed_start("name = \"attic\"\nburst = 0\n");
    assert_eq!(told, "STATUS=wrong configuration: burst: must be at least 1");
    assert_eq!(status, Some(78));
    // The configuration is valid, but the database that it names is not.
    let newer = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(newer.path().join("chat.db")).unwrap();
    database
        .execute_batch("PRAGMA application_id = 1349075816; PRAGMA user_version = 1000")
        .unwrap();
    let config = format!("listen = [\"127.0.0.1:0\"]\ndata-dir = {:?}\n", newer.path());
    let (told, status) = failed_start(&config);
    assert!(told.starts_with("STATUS=") && told.contains("by a newer version"), "{told}");
    assert_eq!((told.lines().count(), status), (1, Some(1)));
}

/// In systemd's status line and in the log. The other settings are applied.
#[test]
fn reload_names_settings_that_need_restart() {
    let it = ReloadableServer::start("name = \"attic\"\n");
    it.reload("name = \"cellar\"\nmax-backlog = 2000000\ndata-dir = \"elsewhere\"\n");
    it.wait_for_notification(|word| word.contains("restart to apply max-backlog, data-dir"));
    assert_eq!(it.name(), "cellar");
    assert!(it.server.log().iter().any(|line| line.contains("max-backlog, data-dir")));
}
