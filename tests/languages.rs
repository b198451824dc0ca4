//! Language of what the real `chat-client` and `chat-peer` tell people: that of the locale; what
//! programs read is English.

#![cfg(all(feature = "server", feature = "client", feature = "peer"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use common::{Server, isolated_command};
use serde_json::Value;
use tempfile::TempDir;

/// Path of `chat-client`.
const CLIENT: &str = env!("CARGO_BIN_EXE_chat-client");

/// Path of `chat-peer`.
const PEER: &str = env!("CARGO_BIN_EXE_chat-peer");

/// Returns a command for a program of somebody with this locale and a home directory.
fn command(program: &str, home: &TempDir, locale: &str, arguments: &[&str]) -> Command {
    let mut command = isolated_command(program);
    command.env("HOME", home.path()).env("USER", "anna").env("LANG", locale).args(arguments);
    command
}

/// Runs a program with this input. Returns its exit code, and everything that it has written.
fn run(mut command: Command, input: &str) -> (Option<i32>, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that has ended reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Returns the objects of JSON lines.
fn objects(said: &str) -> Vec<Value> {
    said.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The client speaks German to people, English to programs, and English where it has no texts in
/// the language of the locale.
#[test]
fn client_speaks_the_language_of_the_locale() {
    let home = TempDir::new().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let visit =
        |locale, mode| run(command(CLIENT, &home, locale, &[&address, mode, "--fresh"]), "");
    let (code, said) = visit("de_AT.UTF-8", "--plain");
    assert_eq!(code, Some(69), "{said}");
    let german = format!(
        "Fehler: Keine Verbindung zu {address}: Verbindung abgelehnt. Läuft chat-server unter \
         {address}? (Mit --wait versucht es das Programm weiter.)"
    );
    assert!(said.lines().any(|it| it == german), "{said}");
    let english = format!(
        "Cannot connect to {address}: connection refused. Is chat-server running at {address}? \
         (With --wait, the client keeps trying.)"
    );
    for (locale, mode) in [("de_DE.UTF-8", "--json"), ("C.UTF-8", "--json")] {
        let (code, said) = visit(locale, mode);
        assert_eq!(code, Some(69), "{said}");
        assert_eq!(objects(&said).last().unwrap()["text"], english.as_str());
    }
    let (_, said) = visit("fr_FR.UTF-8", "--plain");
    assert!(said.contains(&format!("error: {english}\n")), "{said}");
    let mut several = command(CLIENT, &home, "en_GB.UTF-8", &[&address, "--plain", "--fresh"]);
    several.env("LANGUAGE", "fr:de");
    let (_, said) = run(several, "");
    assert!(said.lines().any(|it| it == german), "{said}");
}

/// Of a name that nobody has, the client says nothing in the words of the system. It asks no network:
/// there are no names under `.invalid`.
#[test]
fn unknown_host_is_told_in_the_language_of_the_locale() {
    let home = TempDir::new().unwrap();
    let arguments = ["no.such.invalid", "--plain", "--fresh"];
    let (code, said) = run(command(CLIENT, &home, "de_DE.UTF-8", &arguments), "");
    assert_eq!(code, Some(69), "{said}");
    // Which of these it says depends on whether a name server answers.
    let expected = [
        "Es wurde kein Host namens no.such.invalid gefunden.",
        "Die Adresse von no.such.invalid lässt sich gerade nicht nachschlagen.",
        "Die Adresse von no.such.invalid zu finden dauerte zu lange.",
    ];
    assert!(expected.iter().any(|it| said.contains(it)), "{said}");
    assert!(!said.contains("failed") && !said.contains("os error"), "{said}");
}

/// In the locale C everything is English, whatever `LANGUAGE` says, as in other programs; elsewhere
/// `LANGUAGE` comes first.
#[cfg(target_os = "linux")]
#[test]
fn locale_c_is_english() {
    let home = TempDir::new().unwrap();
    let said = |variables: &[(&str, &str)]| {
        let mut command = command(CLIENT, &home, "de_DE.UTF-8", &["forget", "pi:0"]);
        command.envs(variables.iter().copied());
        run(command, "").1
    };
    for c in ["C", "C.UTF-8", "POSIX"] {
        let told = said(&[("LC_ALL", c), ("LANGUAGE", "de")]);
        assert!(told.starts_with("error: "), "{c}: {told}");
        let told = said(&[("LC_MESSAGES", c), ("LANGUAGE", "de")]);
        assert!(told.starts_with("error: "), "{c}: {told}");
    }
    for (variables, begin) in [
        (&[("LC_ALL", ""), ("LANGUAGE", "de")][..], "Fehler: "),
        (&[("LC_ALL", "en_GB.UTF-8"), ("LANGUAGE", "de")], "Fehler: "),
        (&[("LC_ALL", "de_DE.UTF-8"), ("LANGUAGE", "en")], "error: "),
    ] {
        let told = said(variables);
        assert!(told.starts_with(begin), "{variables:?}: {told}");
    }
}

/// The client's engine and the server refuse in German for people, and in English for programs.
#[test]
fn refusals_are_in_the_language_of_the_locale() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("password");
    fs::write(&file, "secret\n").unwrap();
    let server = Server::start(&["--password-file", file.to_str().unwrap()]);
    let address = server.address().to_string();
    let visit = |mode| {
        let arguments = [address.as_str(), mode, "--fresh"];
        run(command(CLIENT, &home, "de_DE.UTF-8", &arguments), "")
    };
    let (code, said) = visit("--plain");
    assert_eq!(code, Some(77), "{said}");
    let hint = "Gib es mit --password-file oder PI_CHAT_PASSWORD an.\n";
    assert!(said.contains("Fehler: ") && said.ends_with(hint), "{said}");
    assert!(!said.contains("password."), "{said}");
    let (code, said) = visit("--json");
    assert_eq!(code, Some(77), "{said}");
    assert_eq!(
        objects(&said).last().unwrap()["text"],
        "This server wants a password. Give it with --password-file or PI_CHAT_PASSWORD."
    );
}

/// The peer's engine says in German to people what it says in English to programs; so does the
/// doctor.
#[test]
fn peer_speaks_the_language_of_the_locale() {
    let home = TempDir::new().unwrap();
    let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port().to_string();
    let arguments = ["--port", port.as_str(), "--interface", "lo", "--name", "anna"];
    let visit = |first: &[&str], input: &str| {
        let arguments = [first, arguments.as_slice()].concat();
        run(command(PEER, &home, "de_DE.UTF-8", &arguments), input)
    };
    let (code, said) = visit(&["--plain"], "/block eve\n/unblock bob\n");
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains("-- Der Name eve ist blockiert. "), "{said}");
    assert!(said.contains("!! bob ist nicht blockiert. /block zeigt, wer es ist.\n"), "{said}");
    let requests =
        "{\"type\":\"block\",\"name\":\"eve\"}\n{\"type\":\"unblock\",\"name\":\"bob\"}\n";
    let (code, said) = visit(&["--json"], requests);
    assert_eq!(code, Some(77), "{said}");
    let texts: Vec<Value> = objects(&said).into_iter().map(|it| it["text"].clone()).collect();
    let begins = |it: &Value, with| it.as_str().is_some_and(|it| it.starts_with(with));
    assert!(texts.iter().any(|it| begins(it, "The name eve is blocked. ")), "{said}");
    assert!(
        texts.iter().any(|it| it == "bob is not blocked. Type /block to see who is."),
        "{said}"
    );
    let (code, said) = visit(&["doctor"], "");
    assert_eq!(code, Some(0), "{said}");
    let told = format!("ok    UDP-Port {port} lässt sich benutzen");
    assert!(said.lines().any(|it| it == told), "{said}");
    assert!(said.contains("warn  in #lobby war "), "{said}");
}
