//! Tests of the command line and configuration of the real `chat-server`.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Server, TestClient, join, run_server_command};
use pi_chat::wire::tcp::Join;

#[test]
fn server_listens_on_two_addresses() {
    let server = Server::start(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
    assert_eq!(server.addresses().len(), 2);
    let mut clients: Vec<TestClient> = (server.addresses().iter().zip(["anna", "bob"]))
        .map(|(address, name)| {
            let mut client = TestClient::connect(*address);
            client.send_hello(0);
            client.send(join(name, &[]));
            client.join_answer();
            client
        })
        .collect();
    clients[0].say("lobby", "one house");
    for client in &mut clients {
        assert_eq!(client.next_entry().text, "one house");
    }
}

/// Addresses that this machine does not have (here one reserved for documentation, and one of an
/// interface that does not exist) are retried, and the others are served meanwhile.
#[test]
fn missing_address_is_retried() {
    let missing = ["203.0.113.7:0", "[fe80::1%no-such]:0"];
    let server =
        Server::start(&["--listen", &format!("{},{},127.0.0.1:0", missing[0], missing[1])]);
    assert!(server.address().ip().is_loopback());
    for address in missing {
        let told = format!("{address} is not an address of this machine yet");
        server.wait_for_log(|lines| lines.iter().any(|line| line.contains(&told)));
    }
    server.join("anna");
}

/// The server exits with 1, and its only line names the address and the reason.
#[test]
fn occupied_port_is_reported() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let output = run_server_command(&["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains(&format!("cannot listen on {address}: Address already in use")),
        "{told}"
    );
}

/// Writes a temporary file, such as a configuration. Dropping the path removes the file.
fn config_file(text: &str) -> tempfile::TempPath {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&file, text).unwrap();
    file
}

/// Runs `chat-server` with the arguments `first` and this configuration, with which it must exit by
/// itself. Returns its exit code and standard error.
fn run_with_config(text: &str, first: &[&str]) -> (Option<i32>, String) {
    let file = config_file(text);
    let mut arguments = first.to_vec();
    arguments.extend(["--config", file.to_str().unwrap()]);
    let output = run_server_command(&arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The exit code is 78, and the server does not start either. The packaged configuration is valid.
#[test]
fn validate_rejects_invalid_configurations() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("debian/chat-server.toml");
    let output = run_server_command(&["validate", "--config", shipped.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, format!("The configuration {} is valid.\n", shipped.display()));

    let (code, told) = run_with_config("name = \"attic\"\nport = 2428\n", &["validate"]);
    assert_eq!(code, Some(78));
    assert!(told.contains("line 2") && told.contains("“port”"), "{told}");

    for text in [
        "burst = 0",
        "burst = \"many\"",
        "listen = [\"here\"]",
        "burst =",
        "[chat]",
        "name = \"a\\u202Eb\"",
        "keep-messages = 3",
        "keep-bytes = 1",
        "log-length = 9",
        "access = \"nobody\"",
        "claims = true",
        "claims-unused = -1",
    ] {
        let (code, told) = run_with_config(text, &["validate"]);
        assert_eq!(code, Some(78), "{text}: {told}");
        // The server does not start with it either.
        assert_eq!(run_with_config(text, &[]).0, Some(78), "{text}");
    }
    let output = run_server_command(&["validate", "--config", "/nowhere/chat-server.toml"]);
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("/nowhere/chat-server.toml"), "{told}");
}

/// The environment overrides the file.
#[test]
fn flags_override_environment_and_file() {
    let file = config_file("name = \"file\"\nburst = 100\nper-minute = 1000\n");
    let arguments = ["--config", file.to_str().unwrap(), "--name", "flag"];
    let server = Server::start_with(&arguments, |command| {
        command.env("CHAT_SERVER_NAME", "environment").env("CHAT_SERVER_BURST", "200");
    });
    let (_anna, arrival) = server.join_rooms("anna", &[]);
    let welcome = arrival.welcome;
    assert_eq!(
        (welcome.server_name.as_str(), welcome.burst, welcome.per_minute),
        ("flag", 200, 1_000)
    );
}

/// Without a log on disk, names cannot be claimed, and invitations do not last.
#[test]
fn claims_and_invitations_in_memory_are_warned_of() {
    for (text, mark) in [
        ("claims = \"open\"", "no name can be claimed"),
        ("access = \"invited\"", "a restart forgets all invitations"),
    ] {
        let (code, told) = run_with_config(text, &["validate"]);
        assert_eq!((code, told.contains(mark)), (Some(0), true), "{text}: {told}");
        let on_disk = format!("{text}\ndata-dir = \"/nowhere\"");
        let (code, told) = run_with_config(&on_disk, &["validate"]);
        assert_eq!((code, told.contains(mark)), (Some(0), false), "{text}: {told}");
    }
    assert!(!run_with_config("claims = \"off\"", &["validate"]).1.contains("claimed"));
}

/// It is the first line of the file.
#[test]
fn password_is_read_from_file() {
    let password = config_file("sesame\nnot this\n");
    let server = Server::start(&["--password-file", password.to_str().unwrap()]);
    let mut anna = server.connect();
    anna.send_hello(0);
    anna.send(join("anna", &[]));
    anna.expect_error(203);
    anna.send(Join { password: Some("sesame".to_owned()), ..join("anna", &[]) });
    anna.join_answer();
}

/// The file that holds the password counts: the configuration or the password file. The warning
/// does not contain the password.
#[test]
fn world_readable_password_is_warned_of() {
    let secret = config_file("sesame\n");
    let in_file = format!("password-file = \"{}\"", secret.display());
    for (text, mode, warned) in [
        ("password = \"sesame\"", 0o644, true),
        ("password = \"sesame\"", 0o640, false),
        ("name = \"attic\"", 0o644, false),
        (&in_file, 0o644, false),
    ] {
        let file = config_file(text);
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let output = run_server_command(&["validate", "--config", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{text}: {output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        let warning =
            format!("everybody on this machine can read the password in {}", file.display());
        assert_eq!(told.contains(&warning), warned, "{text}, {mode:o}: {told}");
        assert!(!told.contains("sesame"), "{told}");
    }
    // If there is a password file, its permissions count.
    fs::set_permissions(&secret, Permissions::from_mode(0o604)).unwrap();
    let output = run_server_command(&["validate", "--password-file", secret.to_str().unwrap()]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&format!("the password in {}", secret.display())), "{told}");
}

#[test]
fn usage_errors_version_and_help_have_their_exit_status() {
    for wrong in [&["--colour", "red"][..], &["--listen", "everywhere"], &["dance"], &["--burst"]] {
        let output = run_server_command(wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    let output = run_server_command(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, format!("chat-server {}\n", env!("CARGO_PKG_VERSION")));
    let output = run_server_command(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("--listen"));
}
