//! Tests of text from other systems: with a byte order mark, in UTF-16, decomposed, and in
//! encodings that are not Unicode.

#![cfg(all(feature = "server", feature = "client", feature = "peer", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Server, isolated_command, run_server_command};
use tempfile::TempDir;

/// Value that is text in ISO 8859-1, but not in UTF-8.
const LATIN1: &[u8] = b"k\xe4se";

/// Encodes text as PowerShell writes it into files: UTF-16 with a byte order mark.
fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xff, 0xfe].into_iter().chain(units).collect()
}

/// Returns a command for a program of a user whose home is `home`. All three standard streams are
/// pipes.
fn user_command(program: &str, home: &Path) -> Command {
    let mut command = isolated_command(program);
    command.env("HOME", home).env("XDG_STATE_HOME", home.join("state"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command with this input, and returns its output.
fn run_with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().unwrap();
    // It may exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// A running server that needs a password, and a directory for files.
struct PasswordServer {
    /// The process.
    server: Server,
    /// Directory for files.
    directory: TempDir,
}

impl PasswordServer {
    /// Starts a server with this content of its password file.
    fn start(password: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server-password");
        fs::write(&file, password).unwrap();
        let server = Server::start(&["--password-file", file.to_str().unwrap()]);
        Self { server, directory }
    }

    /// Writes a file in the directory, and returns its path.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs `chat-client` with this password file, these arguments and this input. Returns its
    /// output.
    fn run_client(&self, password: &[u8], arguments: &[&str], input: &[u8]) -> Output {
        let file = self.file("client-password", password);
        let program = env!("CARGO_BIN_EXE_chat-client");
        let mut command = user_command(program, self.directory.path());
        command.arg(self.server.address().to_string());
        command.args(["--name", "anna", "--fresh", "--password-file"]).arg(file).args(arguments);
        run_with_input(command, input)
    }
}

/// Returns the exit code and the standard error of a program.
fn result(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Of the server and of the client: UTF-8 with and without a byte order mark, and UTF-16.
#[test]
fn passwords_are_read_from_files_of_other_systems() {
    let written = "Brötchen\n";
    let files = ["\u{feff}Brötchen\r\n".into(), utf16("Brötchen\r\n"), written.into()];
    for of_server in &files {
        let server = PasswordServer::start(of_server);
        for of_client in &files {
            let output = server.run_client(of_client, &[], b"hi\n");
            assert_eq!(output.status.code(), Some(0), "{of_server:?} {of_client:?} {output:?}");
        }
    }
}

#[test]
fn composed_and_decomposed_passwords_are_equal() {
    let server = PasswordServer::start("Br\u{f6}tchen".as_bytes());
    assert_eq!(result(&server.run_client("Bro\u{308}tchen".as_bytes(), &[], b"hi\n")).0, Some(0));
    assert_ne!(result(&server.run_client(b"Brotchen", &[], b"hi\n")).0, Some(0));
}

/// Of a script of the client, with JSON lines and with plain lines.
#[test]
fn byte_order_mark_before_the_first_line_does_no_harm() {
    let server = PasswordServer::start(b"hush");
    let object = "\u{feff}{\"type\":\"say\",\"text\":\"an object\"}\r\n";
    let output = server.run_client(b"hush", &["--json"], object.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = server.run_client(b"hush", &[], "\u{feff}/me waves\r\n".as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut witness = server.server.connect();
    witness.send_hello(0);
    let join = common::join("witness", &[]);
    let password = Some("hush".to_owned());
    witness.send(pi_chat::wire::tcp::Join { password, ..join });
    let answer = witness.join_answer();
    assert_eq!(answer.texts(), ["an object", "waves"]);
}

#[test]
fn import_reads_a_file_with_a_byte_order_mark() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    {
        let server = Server::start(&["--data", data]);
        server.join("anna").say_in_lobby("kept");
    }
    let exported = run_server_command(&["export", "--data", data]).stdout;
    let file = directory.path().join("messages.jsonl");
    fs::write(&file, [b"\xef\xbb\xbf", exported.as_slice()].concat()).unwrap();
    let copy = directory.path().join("copy");
    let import = ["import", "--data", copy.to_str().unwrap(), file.to_str().unwrap()];
    let output = run_server_command(&import);
    assert_eq!(result(&output), (Some(0), String::new()));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("1 message added"), "{output:?}");
}

/// Client and peer exit with 64, and name the variable.
#[test]
fn environment_that_is_no_text_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let programs = [
        (env!("CARGO_BIN_EXE_chat-client"), ["PI_CHAT_SERVER", "PI_CHAT_NAME", "PI_CHAT_ROOM"]),
        (env!("CARGO_BIN_EXE_chat-peer"), ["PI_CHAT_ROOM", "PI_CHAT_NAME", "PI_CHAT_PEER"]),
    ];
    for (program, keys) in programs {
        for key in keys {
            let mut command = user_command(program, home.path());
            command.arg("--json").env(key, OsStr::from_bytes(LATIN1));
            let output = run_with_input(command, b"");
            let (code, _) = result(&output);
            let told =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(code, Some(64), "{key}: {told}");
            assert!(told.contains(&format!("{key} is not valid UTF-8")), "{key}: {told}");
        }
    }
}

/// A path need not be text: the passphrase is read from the file, and no open room is joined.
#[test]
fn environment_may_name_a_file_in_any_encoding() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join(OsStr::from_bytes(LATIN1));
    for (program, key) in [
        (env!("CARGO_BIN_EXE_chat-client"), "PI_CHAT_PASSWORD_FILE"),
        (env!("CARGO_BIN_EXE_chat-peer"), "PI_CHAT_PASSPHRASE_FILE"),
    ] {
        let mut command = user_command(program, home.path());
        command.arg("--json").env(key, &missing).env("PI_CHAT_SERVER", "127.0.0.1:1");
        let output = run_with_input(command, b"");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success());
        assert!(told.contains("No such file or directory"), "{key}: {told}");
    }
}
