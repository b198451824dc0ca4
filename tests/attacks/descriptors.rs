//! File descriptors used up: more connections than the server may have open files.

use std::process::Stdio;

use crate::common;
use crate::flood::hold;
use crate::harness::Attack;

/// Open files that the server may have. The packaged service may have 65,536.
const OPEN_FILES: u32 = 128;

/// Number of connections that the attacker opens.
const CONNECTIONS: usize = 200;

/// `chat-server status` succeeds, and the promises hold, while an attacker keeps open more
/// connections than the server may have open files.
#[test]
fn status_answers_while_clients_use_up_the_descriptors() {
    let attack = Attack {
        name: "descriptors used up",
        arguments: &["--max-connections-per-address", "40"],
        open_files: Some(OPEN_FILES),
        reaches: &["connections"],
        ..Attack::default()
    };
    attack.run(|target| {
        let connections: Vec<_> = (0..CONNECTIONS).map_while(|_| target.connect().ok()).collect();
        let control = target.control.to_str().unwrap();
        let mut status = common::server_command();
        status.args(["status", "--json", "--control", control]).stdin(Stdio::null());
        let output = status.output().unwrap();
        assert!(output.status.success(), "status does not answer: {output:?}");
        hold(target, connections);
    });
}
