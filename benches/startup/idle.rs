//! Memory of an idle server that has everything on.

use std::thread;
use std::time::Duration;

use crate::common::Server;
use crate::lab::{Family, Lab};
use crate::number::number;
use crate::process::memory;
use crate::verdict::{Compared, verdict};

/// Megabytes that an idle server is to have at most.
const MAX_MEMORY: f64 = 10.0;

/// Number of servers that are measured.
const SERVERS: usize = 5;

/// Time after the start in which a server does what it has put off.
const SETTLING_TIME: Duration = Duration::from_secs(3);

/// Memory of idle servers.
pub(crate) struct IdleMemory {
    /// Resident megabytes, ascending.
    resident: Vec<f64>,
    /// True if they announced themselves, which they do on a simulated network only.
    is_announced: bool,
}

/// Measures servers with a new database, and with all that the configuration of the package turns
/// on: the page for browsers, TLS, https, and the announcement on the network.
pub(crate) fn measure() -> IdleMemory {
    let lab = Lab::new();
    let resident = || {
        let machine = lab.as_ref().map(|lab| lab.machine(&[lab.lan()], Family::Both));
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = env!("CARGO_BIN_EXE_chat-server");
        let announce = if machine.is_some() { "true" } else { "false" };
        let listen = if machine.is_some() { "0.0.0.0:0" } else { "127.0.0.1:0" };
        let data = directory.path().join("log");
        let arguments = [
            ["--data", data.to_str().unwrap()],
            ["--listen", listen],
            ["--tls", "true"],
            ["--tls-listen", listen],
            ["--web", "true"],
            ["--web-listen", listen],
            ["--web-tls", "true"],
            ["--web-tls-listen", listen],
            ["--announce", announce],
        ]
        .concat();
        let command = match &machine {
            Some(machine) => machine.command(program),
            None => std::process::Command::new(program),
        };
        let server = Server::start_command(command, &arguments, |command| {
            command.env_clear();
        });
        thread::sleep(SETTLING_TIME);
        memory(server.id()).resident / 1e3
    };
    let mut resident: Vec<f64> = (0..SERVERS).map(|_| resident()).collect();
    resident.sort_by(f64::total_cmp);
    IdleMemory { resident, is_announced: lab.is_some() }
}

impl IdleMemory {
    /// Returns the median.
    fn median(&self) -> f64 {
        self.resident[self.resident.len() / 2]
    }

    /// Says what was measured.
    pub(crate) fn description(&self) -> String {
        let missing = if self.is_announced { "" } else { ", but for the announcement" };
        format!(
            "Idle with everything on{missing}: {} MB resident, median of {SERVERS} servers ({} to {}).",
            number(self.median()),
            number(self.resident[0]),
            number(self.resident[self.resident.len() - 1])
        )
    }

    /// Returns how far the target is met.
    pub(crate) fn verdict(&self) -> String {
        let compared = Compared {
            what: "idle".to_owned(),
            unit: "MB resident",
            figure: self.median(),
            most: MAX_MEMORY,
        };
        let title = format!("an idle server with everything on has at most {MAX_MEMORY} MB");
        verdict(&title, &[compared])
    }
}
