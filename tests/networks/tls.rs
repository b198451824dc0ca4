//! Clients that are given a host use TLS from the first connection at which they learn of it
//! (docs/protocol/tls.md, section 4). Only here can a server have the default ports.

use std::process::Stdio;

use tempfile::TempDir;

use super::common::Server;
use super::discovery::{client_command, exit_and_output, run_to_end, start_server_at};
use super::lab::{Family, Lab, Machine};

/// Starts a server at the default ports, whose messages are in this directory.
fn start(machine: &Machine, data: &TempDir, more: &[&str]) -> Server {
    let data = data.path().to_str().unwrap();
    let arguments = ["--data", data, "--web", "false", "--announce", "false"];
    start_server_at("[::]:2428", machine, "attic", &[&arguments[..], more].concat())
}

/// Joins the server at this address, and says a line. Returns the exit code and all that the client
/// has shown.
fn talk(machine: &Machine, home: &TempDir, address: &str) -> (Option<i32>, String) {
    let mut command = client_command(machine, home, &[address, "--name", "bob"]);
    let child = command.stdin(Stdio::piped()).spawn().unwrap();
    let (code, out, error) = exit_and_output(run_to_end(child, "hi\n"));
    (code, out + &error)
}

/// A client that is given a host only learns in plain that the server offers TLS, and uses that from
/// then on. While a firewall blocks it, the first connection is a plain one, and the user is told;
/// later on there is no way back, unless the user says `chat://`.
#[test]
fn client_with_a_host_learns_of_tls() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let (data, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = start(&machines[0], &data, &[]);
    let address = machines[0].addresses[0].to_string();
    let talk = |address: &str| talk(&machines[1], &home, address);

    machines[0].drop_incoming("tcp dport 2429");
    let (code, told) = talk(&address);
    let although = "not encrypted, although the server offers TLS";
    assert!(code == Some(0) && told.contains(although), "{told}");
    machines[0].accept_incoming("tcp dport 2429");
    let (code, told) = talk(&address);
    assert!(code == Some(0) && told.contains("encrypted (TLS); this key is new"), "{told}");
    let (code, told) = talk(&address);
    assert!(code == Some(0) && told.contains("with the same key as before"), "{told}");

    drop(server);
    let _plain = start(&machines[0], &data, &["--tls", "false"]);
    let (code, told) = talk(&address);
    assert!(code == Some(69) && told.contains("Cannot connect to"), "{told}");
    let (code, told) = talk(&format!("chat://{address}"));
    assert!(code == Some(0) && told.contains("not encrypted\n"), "{told}");
}
