//! Programs on a real terminal: `chat-client` with a real `chat-server`, `chat-peer` with others,
//! and `chat-server` itself. `common/terminal.rs` provides the pseudo terminals.
//!
//! - `writing`: the line that is typed, and messages that come meanwhile
//! - `reading`: older messages, and other sizes of the terminal
//! - `reconnecting`: a server that is away for a while
//! - `stopping`: Ctrl-Z and `fg`, also in a real shell
//! - `editing`: the user's own editor
//! - `ending`: how the terminal is left, and what is told then
//! - `questions`: password, name, invitation
//! - `peers`: `chat-peer`
//! - `plain`: terminals without a full screen

#![cfg(all(feature = "server", feature = "client", feature = "peer", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking; not all of the harness is used"
)]

#[path = "../common/client_home.rs"]
mod client_home;
#[path = "../common/mod.rs"]
mod common;
mod editing;
mod ending;
mod peers;
mod plain;
mod questions;
mod reading;
mod reconnecting;
mod stopping;
#[path = "../common/terminal.rs"]
mod terminal;
mod writing;

use std::process::Command;
use std::sync::Arc;

use client_home::ClientHome;
use common::Server;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use terminal::Terminal;

/// User with a computer of their own.
struct User {
    /// Home directory.
    home: Arc<ClientHome>,
    /// Name in the chat.
    name: &'static str,
}

impl User {
    /// Creates a user for whom nothing is saved.
    fn new(name: &'static str) -> Self {
        Self { home: Arc::new(ClientHome::new()), name }
    }

    /// Returns a command for `chat-client` with this user's name and these arguments.
    fn client(&self, server: &Server, arguments: &[&str]) -> Command {
        let address = server.address().to_string();
        self.home.client(&[&[address.as_str(), "--name", self.name], arguments].concat())
    }

    /// Starts `chat-client` on a terminal of 80 columns and 24 rows.
    fn start(&self, server: &Server) -> Terminal {
        Terminal::start(&self.client(server, &[])).keep(self.home.clone())
    }

    /// Starts `chat-client`, and waits until the user is in the lobby.
    fn join(&self, server: &Server) -> Terminal {
        let terminal = self.start(server);
        expect_lobby(&terminal);
        terminal
    }
}

/// Stops a server, which says nothing more from then on.
fn stop(server: &Server) {
    server.signal(Signal::STOP);
    let pid = Pid::from_raw(server.id().try_into().unwrap());
    // Its threads do not stop at once.
    let (_, status) = waitpid(pid, WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
}

/// Waits until what the user has said has arrived.
fn expect_said(terminal: &Terminal, text: &str) {
    terminal.wait_for(text, |it| it.has(text) && !it.has("waiting"));
}

/// Waits until the user is in the lobby, with nothing typed.
fn expect_lobby(terminal: &Terminal) {
    terminal.wait_for("connected, in the lobby", |it| {
        it.is_alternate && it.has(" connected") && it.has_typed("#lobby> ")
    });
}

/// Leaves with `/quit`, and expects that the terminal is as it was.
fn leave(terminal: &Terminal) {
    terminal.enter("/quit");
    terminal.expect_success();
}
