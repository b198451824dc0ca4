//! Home directories for `chat-client`, as if each were a computer of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::common::{Server, isolated_command};

/// Home directory of a user, with what `chat-client` keeps there.
pub(crate) struct ClientHome(TempDir);

impl ClientHome {
    /// Creates a home directory in which nothing is saved.
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Returns the directory in which `chat-client` keeps what it needs.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.path().join(".local/state/pi-chat")
    }

    /// Returns a command for `chat-client` with these arguments.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
        command.env("HOME", self.0.path()).env("USER", "somebody").args(arguments);
        command
    }

    /// Runs `chat-client`, which says nothing and leaves. Returns its exit code and everything that
    /// it has written.
    pub(crate) fn visit(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.client(arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }
}

/// Returns the addresses of a server: over plain TCP and over TLS.
pub(crate) fn addresses(server: &Server) -> [String; 2] {
    [format!("chat://{}", server.address()), format!("chats://{}", server.tls_address())]
}
