//! A class of 30 that gets in by what is printed on its slips (`chat-server invite --sheet`): half of
//! it with the real `chat-client`, half as a page in a browser does it, to the real server.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "the test tells how long a class takes")]

mod common;
#[path = "common/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Server, TestClient, WITH_TLS, WITH_WEB, isolated_command, join, run_server_command};
use pi_chat::wire::tcp::{Join, ServerFrame};
use program::Program;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Number of users: each slip is one's own.
const USERS: usize = 30;

/// Error code of a join with an invitation that is used up.
const INVITE_INVALID: u16 = 210;

/// Exit code of a client that the server does not let in.
const REFUSED: i32 = 77;

/// Returns the name of a user.
fn name(number: usize) -> String {
    format!("pupil{number}")
}

/// Returns what a user says.
fn text(number: usize) -> String {
    format!("here is {}", name(number))
}

/// Starts a server that lets in invited users only, over TLS and from browsers.
fn start(directory: &Path) -> Server {
    let (data, control) = (directory.join("data"), directory.join("control"));
    // The page itself is not needed, but without one there is no address for browsers.
    let page = directory.join("page");
    fs::create_dir(&page).unwrap();
    fs::write(page.join("index.html"), "<p>page").unwrap();
    let [data, control, page] = [&data, &control, &page].map(|it| it.to_str().unwrap());
    let own = ["--access", "invited", "--announce", "false", "--data", data];
    let places = ["--control", control, "--web-root", page];
    Server::start(&[WITH_TLS, WITH_WEB, &own, &places].concat())
}

/// Makes a sheet, and returns its slips.
fn sheet(directory: &Path, server: &Server) -> Vec<Value> {
    let control = directory.join("control");
    // Only this machine reaches the server, so the address has to be named.
    let url = format!("http://{}/", server.web_address());
    let count = USERS.to_string();
    let flags = ["invite", "--sheet", &count, "--json", "--url", &url];
    let places = ["--control", control.to_str().unwrap()];
    let output = run_server_command(&[&flags[..], &places].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns a command for `chat-client` with the link of a slip. `home`: the user's home directory,
/// which has nothing in it.
fn client(slip: &Value, name: &str, home: &Path) -> Command {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", home).args([slip["link"].as_str().unwrap(), "--name", name, "--json"]);
    command
}

/// Goes to the address of a slip's QR code, and sends a `join` with the code there, as the page does.
fn come_by_browser(slip: &Value, name: &str) -> TestClient {
    let url = slip["url"].as_str().unwrap();
    let (address, code) = url.split_once("/#invite=").unwrap();
    let address = address.strip_prefix("http://").unwrap().parse().unwrap();
    let mut client = TestClient::connect_web(address);
    client.send_hello(0);
    client.send(Join { invite: Some(code.to_owned()), ..join(name, &[]) });
    client
}

/// Returns the messages of the class among the lines of `chat-client`.
fn heard(lines: &[String]) -> BTreeSet<String> {
    let objects = lines.iter().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let messages = objects.filter(|it| it["type"] == "message");
    messages.map(|it| it["text"].as_str().unwrap().to_owned()).collect()
}

/// Everybody gets in with their own slip without typing an address, everybody says something, and
/// everybody hears all 30. Who comes with a used slip does not get in.
#[test]
fn class_of_30_gets_in_by_its_slips() {
    let directory = TempDir::new().unwrap();
    let server = start(directory.path());
    let begin = Instant::now();
    let slips = sheet(directory.path(), &server);
    let codes: BTreeSet<&str> = slips.iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!((slips.len(), codes.len()), (USERS, USERS));
    let made = begin.elapsed();

    let (of_terminals, of_browsers) = slips.split_at(USERS / 2);
    let homes: Vec<TempDir> = of_terminals.iter().map(|_| TempDir::new().unwrap()).collect();
    let users = || homes.iter().zip(of_terminals).zip(0..);
    let mut terminals: Vec<Program> = users()
        .map(|((home, slip), number)| Program::start(client(slip, &name(number), home.path())))
        .collect();
    let browsers = of_browsers.iter().zip(USERS / 2..);
    let mut browsers: Vec<TestClient> =
        browsers.map(|(slip, number)| come_by_browser(slip, &name(number))).collect();
    for browser in &mut browsers {
        browser.join_answer();
    }
    for terminal in &terminals {
        terminal.expect_json(&json!({"type": "welcome"}));
    }
    let inside = begin.elapsed();

    for (terminal, number) in terminals.iter_mut().zip(0..) {
        terminal.send_json(&json!({"type": "say", "text": text(number)}));
    }
    for (browser, number) in browsers.iter_mut().zip(USERS / 2..) {
        browser.say("lobby", &text(number));
    }
    let all: BTreeSet<String> = (0..USERS).map(text).collect();
    for browser in &mut browsers {
        let mut heard = BTreeSet::new();
        while heard != all {
            if let ServerFrame::Entry(entry) = browser.next() {
                assert!(all.contains(&entry.text) && heard.insert(entry.text));
            }
        }
    }
    for terminal in &terminals {
        assert_eq!(heard(&terminal.wait_for_lines(|it| heard(it).len() >= USERS)), all);
    }
    println!("{USERS} slips: {made:?}; everybody in: {inside:?}; all heard: {:?}", begin.elapsed());

    for used in [&slips[0], &slips[USERS - 1]] {
        come_by_browser(used, "stranger").expect_error(INVITE_INVALID);
        let home = TempDir::new().unwrap();
        let mut stranger = client(used, "stranger", home.path());
        let output = stranger.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(REFUSED), "{output:?}");
    }
    for terminal in &mut terminals {
        assert_eq!(terminal.finish().0, Some(0));
    }
}
