//! Pictures of the full-screen interface for the README: `scripts/screenshot` makes them anew.
//!
//! They are what the real programs draw on a pseudo terminal, cell by cell; only times are replaced
//! (`grid`), so that every run makes the same pictures. With `--check` nothing is written, and a
//! picture that is not the one in `docs/images/` is an error.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "a picture that cannot be made is a panic; not all of the harness is used"
)]

#[path = "../common/client_home.rs"]
mod client_home;
#[path = "../common/mod.rs"]
mod common;
mod grid;
mod svg;
#[path = "../common/terminal.rs"]
mod terminal;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;

use client_home::ClientHome;
use common::{Server, isolated_command};
use grid::Grid;
use svg::draw;
use terminal::Terminal;

fn main() {
    let is_check = std::env::args().any(|it| it == "--check");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    let pictures = [
        ("terminal-client.svg", "chat-client in the terminal", client()),
        ("terminal-peer.svg", "chat-peer in the terminal", peer()),
    ];
    for (name, title, grid) in pictures {
        let (path, svg) = (directory.join(name), draw(&grid, title));
        if !is_check {
            fs::write(&path, &svg).unwrap();
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&svg) {
            panic!("{name} is not what the program draws: run scripts/screenshot");
        }
        println!("{name}: {} bytes", svg.len());
    }
}

/// Draws `chat-client` with rooms, people, unread messages and a mention.
fn client() -> Grid {
    let server = Server::start(&["--name", "attic", "--burst", "1000"]);
    let rooms = ["lobby", "garden", "kitchen"];
    let join = |name: &str| server.join_rooms(name, &rooms).0;
    let [mut bob, mut dora, mut emil] = ["bob", "dora", "emil"].map(join);
    let home = Arc::new(ClientHome::new());
    let mut command = home.client(&[&server.address().to_string(), "--name", "anna"]);
    for room in rooms {
        command.args(["--room", room]);
    }
    let anna = Terminal::with_size(&command, 100, 23).keep(home);
    anna.wait_for("the rooms", |it| it.has("kitchen") && it.has(" connected"));
    anna.enter("/set theme dark");
    anna.enter("/room lobby");
    // Who has come just before is told a little later.
    anna.expect("bob, dora, emil joined");
    anna.enter("/clear");
    anna.expect_gone("joined");
    let say = |who: &mut common::TestClient, room: &str, text: &str| {
        who.say(room, text);
        who.drain();
    };
    say(&mut bob, "lobby", "is the oven still on?");
    anna.expect("is the oven still on?");
    anna.enter("no, I have turned it off");
    anna.wait_for("the echo", |it| it.has(" ms ") && it.has("anna: no, I have"));
    say(&mut dora, "lobby", "then there is cake at *four* :) https://example.org/plum-cake");
    say(
        &mut emil,
        "lobby",
        "I bring the coffee. Who wants to see the photos: `ssh attic`, as always",
    );
    let felix = server.join("Felix");
    anna.expect("Felix joined");
    say(&mut bob, "lobby", "anna, can you feed the cat before?");
    anna.expect("feed the cat");
    anna.enter("/me is on the way");
    anna.expect("anna is on the way");
    // What comes now is unread: two rooms, and a direct message.
    for text in ["the beans are up", "and the first tomatoes"] {
        say(&mut dora, "garden", text);
    }
    say(&mut emil, "kitchen", "anna: salt or sugar?");
    anna.enter("/query bob");
    anna.expect_typed("@bob> ");
    anna.type_text("\x1b1");
    anna.expect_typed("#lobby> ");
    bob.send(pi_chat::wire::tcp::Direct {
        reference: pi_chat::model::Reference(1_000),
        to: "anna".to_owned(),
        session: common::ANY_SESSION,
        style: 0,
        text: "the key is under the pot".to_owned(),
    });
    bob.drain();
    anna.type_text("only if there is cake left");
    anna.wait_for("all", |it| {
        it.has("4 unread elsewhere") && it.has_typed("#lobby> only if there is cake left")
    });
    let picture = anna.with_screen(Grid::new);
    drop(felix);
    picture
}

/// Draws `chat-peer`.
fn peer() -> Grid {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    drop(socket);
    let start = |name: &str| {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-peer"));
        command.env("HOME", home.path());
        command.args(["--interface", "lo", "--port", &port, "--name", name]);
        let peer = Terminal::with_size(&command, 60, 16).keep(home);
        peer.wait_for("the room", |it| it.has("in the room") && it.has_typed("#lobby> "));
        peer
    };
    let anna = start("anna");
    anna.enter("/set theme dark");
    let bob = start("bob");
    anna.expect("bob joined");
    let dora = start("dora");
    anna.expect("bob, dora joined");
    let say = |who: &Terminal, text: &str| {
        who.enter(text);
        anna.expect(text.trim_start_matches("/me "));
    };
    say(&bob, "no server on this train, but the Wi-Fi works");
    say(&anna, "that is all we need");
    anna.expect(" ms ");
    say(&dora, "who has the tickets?");
    say(&bob, "/me waves with them");
    anna.type_text("Phew");
    anna.expect_typed("#lobby> Phew");
    anna.with_screen(Grid::new)
}
