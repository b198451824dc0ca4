//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::rows::{GROWTH, Length, ROWS, Row};
use crate::servers::{self, Server};

/// What is to be measured, and where the report goes.
pub(crate) struct Arguments {
    /// Rows of the table.
    pub(crate) rows: Vec<&'static Row>,
    /// Columns of the table.
    pub(crate) servers: Vec<Box<dyn Server>>,
    /// Number of measurements of each of them, whose median counts.
    pub(crate) rounds: usize,
    /// Length of each.
    pub(crate) length: Length,
    /// Number of cores of the server.
    pub(crate) server_cores: usize,
    /// Directory for the files of the report.
    pub(crate) output: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line.
    ///
    /// # Panics
    /// If it is wrong.
    pub(crate) fn read() -> Self {
        let is_growth = std::env::args().any(|it| it == "--growth");
        let mut rows: Vec<&Row> = if is_growth { GROWTH } else { ROWS }.iter().collect();
        let mut servers = servers::all();
        let mut server_cores = 1;
        let (mut rounds, mut seconds, mut is_quick, mut output) = (None, None, false, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments.next().unwrap_or_else(|| panic!("a value is missing behind {argument}"))
            };
            match &*argument {
                "--rows" => {
                    let names = value();
                    rows.retain(|row| is_named(&names, row.name));
                    check(&names, &rows.iter().map(|row| row.name).collect::<Vec<_>>());
                }
                "--servers" => {
                    let names = value();
                    servers.retain(|server| is_named(&names, server.name()));
                    check(&names, &servers.iter().map(|it| it.name()).collect::<Vec<_>>());
                }
                // Read above, for it decides which rows have names.
                "--growth" => {}
                "--server-cores" => server_cores = value().parse().unwrap(),
                "--rounds" => rounds = Some(value().parse().unwrap()),
                "--seconds" => seconds = Some(value().parse().unwrap()),
                "--output" => output = Some(value().into()),
                "--quick" => is_quick = true,
                // Cargo adds it.
                "--bench" => {}
                other => panic!("unknown argument: {other}"),
            }
        }
        let (some_rounds, some_seconds) = if is_quick { (1, 0.2) } else { (3, 3.0) };
        let duration = Duration::from_secs_f64(seconds.unwrap_or(some_seconds));
        let length = Length { duration, is_quick };
        let rounds = rounds.unwrap_or(some_rounds);
        Self { rows, servers, rounds, length, server_cores, output }
    }
}

/// Returns true if a name is one of those in a list with commas.
fn is_named(names: &str, name: &str) -> bool {
    names.split(',').any(|it| it == name)
}

/// Fails if a list with commas has a name that was not found.
fn check(names: &str, found: &[&str]) {
    for name in names.split(',') {
        assert!(found.contains(&name), "{name} is unknown, or was named twice");
    }
}
