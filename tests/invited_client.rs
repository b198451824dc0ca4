//! Invitations with the real `chat-client` and the real server (`docs/protocol/identity.md`).

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "common/client_home.rs"]
mod client_home;
mod common;

use std::fs;

use client_home::{ClientHome, addresses};
use common::{Server, WITH_TLS, run_server_command};

/// Exit code of a client whose join was refused.
const REFUSED: i32 = 77;

/// Runs `chat-client` on a computer as anna; it says nothing, and leaves. Returns its exit code and
/// what it has written.
fn visit(home: &ClientHome, server: &str, more: &[&str]) -> (Option<i32>, String) {
    home.visit(&[&[server, "--name", "anna"], more].concat())
}

/// Removes what the client has saved on a computer, except its key.
fn forget_all_but_the_key(home: &ClientHome) {
    for entry in fs::read_dir(home.state()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.file_name().unwrap() != "client.key" {
            fs::remove_file(path).unwrap();
        }
    }
}

/// With the code that the owner has made, a user comes in over plain TCP and over TLS, and by the
/// key of this computer ever after, also when the session is lost; from another computer not.
#[test]
fn code_admits_and_the_key_is_known_ever_after() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (data, control) = (path("data"), path("control"));
    let flags = ["--data", &data, "--control", &control, "--access", "invited"];
    let server = Server::start(&[WITH_TLS, &flags, &["--announce", "false"]].concat());
    for address in &addresses(&server) {
        let (home, other) = (ClientHome::new(), ClientHome::new());
        let made = run_server_command(&["invite", "--code", "--control", &control]);
        let made = String::from_utf8(made.stdout).unwrap();
        let code = made.lines().next().unwrap();
        let (status, told) = visit(&home, address, &[]);
        assert_eq!(status, Some(REFUSED), "{told}");
        let (status, told) = visit(&home, address, &["--invite", "0000-0000-0000-0000"]);
        assert_eq!(status, Some(REFUSED), "{told}");
        let (status, told) = visit(&home, address, &["--invite", code]);
        assert_eq!(status, Some(0), "{told}");
        forget_all_but_the_key(&home);
        let (status, told) = visit(&home, address, &[]);
        assert_eq!(status, Some(0), "{told}");
        let (status, told) = visit(&other, address, &["--invite", code]);
        assert_eq!(status, Some(REFUSED), "{told}");
        assert!(told.contains("used already"), "{told}");
    }
}
