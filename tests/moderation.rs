//! Tests of moderation with the real `chat-server`: the owner's commands over the control socket,
//! and what clients get.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Output;
use std::thread;

use common::{Server, TestClient, join, say, server_command};
use pi_chat::wire::tcp::{ServerFrame, feature};
use serde_json::Value;
use tempfile::TempDir;

/// Server with a log on disk, whose owner gives commands.
struct Moderated {
    /// Directory of the log and of the control socket.
    directory: TempDir,
    /// The running server.
    server: Server,
}

impl Moderated {
    /// Starts a server with an empty log.
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = start_server(&directory);
        Self { directory, server }
    }

    /// Kills the server, and starts it again on the same log.
    fn restart(&mut self) {
        self.server.kill();
        self.server = start_server(&self.directory);
    }

    /// Runs a command of the owner, given as words; `_` stands for a blank in a word.
    fn run(&self, command: &str) -> Output {
        let words = command.split(' ').map(|it| it.replace('_', " "));
        let control = control_of(&self.directory);
        server_command().args(words).arg("--control").arg(control).output().unwrap()
    }

    /// Runs a command of the owner, which must succeed. Returns what it prints.
    fn succeed(&self, command: &str) -> String {
        let output = self.run(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command of the owner, which must fail with exit status 1. Returns the error text.
    fn fail(&self, command: &str) -> String {
        let output = self.run(command);
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Joins the lobby with a client that understands events.
    fn join_with_events(&self, name: &str) -> TestClient {
        let mut client = self.server.connect();
        client.send_hello(feature::EVENTS);
        client.send(join(name, &[]));
        client.join_answer();
        client
    }

    /// Tries to join. Returns the text of error 206.
    fn refused_join(&self, name: &str) -> String {
        let mut client = self.server.connect();
        client.send_hello(0);
        client.send(join(name, &[]));
        client.expect_error(206).text
    }
}

/// Starts a server on the log in a directory.
fn start_server(directory: &TempDir) -> Server {
    let data = directory.path().join("data");
    let control = control_of(directory);
    Server::start(&["--data", data.to_str().unwrap(), "--control", control.to_str().unwrap()])
}

/// Returns the path of the control socket in a directory.
fn control_of(directory: &TempDir) -> PathBuf {
    directory.path().join("control")
}

/// Waits for the next frame that `wanted` takes something from; skips all others.
fn wait_for<T>(client: &mut TestClient, mut wanted: impl FnMut(ServerFrame) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(client.next()) {
            return found;
        }
    }
}

/// The owner bans and lifts bans. A ban keeps out at once and after a crash, and says why; the
/// list shows it.
#[test]
fn ban_keeps_out_until_it_is_lifted() {
    let mut moderated = Moderated::start();
    let mut bob = moderated.join_with_events("bob");
    assert_eq!(moderated.succeed("ban bob 2h --reason that_is_enough"), "done: 1 person\n");
    let error = wait_for(&mut bob, |it| match it {
        ServerFrame::Error(error) => Some(error),
        _ => None,
    });
    assert_eq!(error.code, 113);
    assert!(error.text.contains("that is enough"), "{}", error.text);
    bob.expect_closed();
    assert!(moderated.refused_join("BOB").contains("that is enough"));
    let listed = moderated.succeed("bans");
    assert!(listed.starts_with("bob is banned from the server until 2"), "{listed}");
    assert!(listed.ends_with("Z, by the owner: that is enough\n"), "{listed}");

    moderated.restart();
    moderated.refused_join("bob");
    let json: Value = serde_json::from_str(&moderated.succeed("bans --json")).unwrap();
    assert_eq!(json["sanctions"][0]["name"], "bob");
    assert_eq!(json["sanctions"][0]["kind"], "ban");
    assert_eq!(json["sanctions"][0]["scope"], "server");
    assert_eq!(moderated.succeed("unban bob"), "done\n");
    moderated.server.join("bob");
    assert_eq!(moderated.succeed("bans"), "nobody is banned or muted\n");
    moderated.fail("unban bob");
}

/// A ban by address first says how many people it would send out, and needs a confirmation.
#[test]
fn ban_by_address_counts_first() {
    let moderated = Moderated::start();
    let _clients = [moderated.server.join("anna"), moderated.server.join("bob")];
    let told = moderated.fail("ban bob --address");
    assert!(told.contains("nothing was done yet: this would send out 2 people"), "{told}");
    assert_eq!(moderated.succeed("ban bob --address --yes"), "done: 2 people\n");
    moderated.refused_join("anna");
}

/// Mutes, roles, topics and modes take effect at once, and outlive a crash of the server.
#[test]
fn roles_mutes_and_settings_take_effect_and_outlive_a_crash() {
    let mut moderated = Moderated::start();
    let mut anna = moderated.join_with_events("anna");
    let mut bob = moderated.server.join("bob");
    assert_eq!(moderated.succeed("role add anna moderator"), "done: 1 person\n");
    assert_eq!(moderated.succeed("role list"), "anna (session 1) is moderator of the server\n");
    moderated.succeed("topic lobby Tea_at_five");
    let topic = wait_for(&mut anna, |it| match it {
        ServerFrame::TopicChanged(topic) => Some(topic.text),
        _ => None,
    });
    assert_eq!(topic, "Tea at five");
    assert_eq!(moderated.succeed("rooms"), "#lobby  2  Tea at five\n");

    moderated.succeed("mute bob 10m");
    bob.send(say(1, "lobby", "hello?"));
    let error = wait_for(&mut bob, |it| match it {
        ServerFrame::Error(error) => Some(error),
        _ => None,
    });
    assert_eq!((error.code, error.reference.0), (312, 1));
    moderated.succeed("unmute bob");
    moderated.succeed("moderated lobby on");
    bob.send(say(2, "lobby", "hello?"));
    assert_eq!(
        wait_for(&mut bob, |it| match it {
            ServerFrame::Error(error) => Some(error.code),
            _ => None,
        }),
        312
    );
    anna.send(say(1, "lobby", "I am a moderator"));
    wait_for(&mut anna, |it| match it {
        ServerFrame::Entry(entry) => Some(entry),
        _ => None,
    });

    moderated.restart();
    assert_eq!(moderated.succeed("role list"), "anna (session 1) is moderator of the server\n");
    assert_eq!(moderated.succeed("rooms"), "#lobby  0  Tea at five\n");
    let mut carl = moderated.server.join("carl");
    carl.send(say(1, "lobby", "hello?"));
    carl.expect_error(312);
}

/// The owner cannot act on what is not there, and is told so.
#[test]
fn impossible_requests_are_refused_with_a_reason() {
    let moderated = Moderated::start();
    assert!(moderated.fail("unmute nobody").contains("nothing was done"));
    for command in ["kick nobody", "role add nobody owner", "remove lobby 7"] {
        let told = moderated.fail(command);
        assert!(told.starts_with("error: the server refused: "), "{command}: {told}");
    }
    for wrong in ["ban bob soon", "slow lobby 2h", "moderated lobby perhaps", "role add anna king"]
    {
        assert_eq!(moderated.run(wrong).status.code(), Some(64), "{wrong}");
    }
}

/// A server that does not answer may have done what was asked: the command says so, and where to
/// look.
#[test]
fn unanswered_request_was_perhaps_carried_out() {
    let directory = tempfile::tempdir().unwrap();
    let control = control_of(&directory);
    let listener = UnixListener::bind(&control).unwrap();
    let commands = ["kick bob", "role add bob owner", "unban bob", "announce tea", "bans"];
    let server = thread::spawn(move || {
        for _ in commands {
            let (stream, _) = listener.accept().unwrap();
            BufReader::new(stream).read_line(&mut String::new()).unwrap();
        }
    });
    for command in commands {
        let words = command.split(' ');
        let output = server_command().args(words).arg("--control").arg(&control).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("does not answer"), "{told}");
        let is_action = command != "bans";
        assert_eq!(told.contains("it may have been"), is_action, "{told}");
        assert_eq!(told.contains("chat-server audit"), is_action && command != "announce tea");
    }
    server.join().unwrap();
}

/// A role of one session is taken by its number.
#[test]
fn role_of_one_session_is_taken() {
    let moderated = Moderated::start();
    let _anna = moderated.server.join("anna");
    let told = moderated.fail("role add anna moderator --session 9");
    assert!(told.starts_with("error: the server refused: "), "{told}");
    moderated.succeed("role add anna moderator --session 1");
    moderated.fail("role remove anna --session 9");
    assert_eq!(moderated.succeed("role list"), "anna (session 1) is moderator of the server\n");
    moderated.succeed("role remove anna --session 1");
    assert_eq!(moderated.succeed("role list"), "nobody has a role\n");
}
