//! `chat-peer` on a terminal.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::common::isolated_command;
use super::leave;
use super::terminal::Terminal;

/// Room on the loopback interface.
pub(super) struct Room {
    /// UDP port.
    port: String,
}

impl Room {
    /// Creates a room on a free port.
    pub(super) fn new() -> Self {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        Self { port: socket.local_addr().unwrap().port().to_string() }
    }

    /// Returns a command for `chat-peer` with this home directory and these arguments.
    pub(super) fn peer(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-peer"));
        command.env("HOME", home).env("USER", "somebody");
        command.args(["--interface", "lo", "--port", &self.port]).args(arguments);
        command
    }
}

/// Two peers talk; each has what was said once.
#[test]
fn peers_talk() {
    let (room, homes) = (Room::new(), [tempdir().unwrap(), tempdir().unwrap()]);
    let join = |home: &Path, name: &str| {
        let terminal = Terminal::with_size(&room.peer(home, &["--name", name]), 60, 16);
        terminal.wait_for("in the room", |it| it.has("in the room") && it.has_typed("#lobby> "));
        terminal
    };
    let anna = join(homes[0].path(), "anna");
    let bob = join(homes[1].path(), "bob");
    anna.enter("hello bob");
    bob.expect(" anna: hello bob");
    bob.enter("hello anna");
    anna.expect(" bob: hello anna");
    anna.enter("/peers");
    anna.wait_for("the peers", |it| {
        it.rows.iter().any(|it| it.contains("bob") && it.contains("IPv4 group"))
    });
    for terminal in [&anna, &bob] {
        let picture = terminal.picture();
        for text in [" anna: hello bob", " bob: hello anna"] {
            assert_eq!(picture.count(text), 1, "{}", picture.text());
        }
    }
    leave(&bob);
    anna.expect("bob left");
    leave(&anna);
}

/// A peer that asks lets in who is welcome, and nobody else.
#[test]
fn a_peer_that_asks_is_answered() {
    let (room, homes) = (Room::new(), [tempdir().unwrap(), tempdir().unwrap()]);
    let anna = Terminal::start(&room.peer(homes[0].path(), &["--name", "anna", "--ask"]));
    anna.wait_for("in the room", |it| it.has("in the room") && it.has_typed("#lobby> "));
    let knock = || Terminal::start(&room.peer(homes[1].path(), &["--name", "bob"]));
    let bob = knock();
    anna.expect("Let bob in? Press Alt-Y or Alt-N");
    anna.type_text("\u{1b}n");
    bob.end();
    bob.expect_restored();
    assert!(bob.picture().has("anna says no"), "{}", bob.picture().text());
    anna.expect_gone("Let bob in?");
    let bob = knock();
    anna.expect("Let bob in? Press Alt-Y or Alt-N");
    anna.type_text("\u{1b}y");
    bob.wait_for("in the room", |it| it.has("in the room") && it.has_typed("#lobby> "));
    bob.enter("thank you");
    anna.expect(" bob: thank you");
    leave(&bob);
    leave(&anna);
}
