//! Comparison of chat servers: `chat-server` beside servers that people use and a bare relay, all in
//! the same run and in turns, because the speed of a machine varies.
//!
//! ```text
//! cargo bench --bench compare -- [--growth] [--rows NAME,…] [--servers NAME,…] [--rounds 3]
//!     [--seconds 3] [--server-cores 1] [--quick] [--output DIRECTORY]
//! ```
//!
//! `scripts/bench` installs the other servers and runs it; `docs/performance.md` says what the rows
//! mean and how they are measured. A server that is not installed is left out. `--growth` measures
//! other rows, which show how the cost grows with people and rooms.
//! `--quick` only tries everything out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

mod arguments;
#[path = "../common/conditions.rs"]
mod conditions;
mod deliveries;
mod files;
mod generator;
mod measure;
#[path = "../common/number.rs"]
mod number;
mod plot;
#[path = "../common/process.rs"]
mod process;
mod program;
mod results;
mod rows;
mod servers;
mod signals;
mod table;
mod targets;
mod text;
#[path = "../common/verdict.rs"]
mod verdict;

use std::collections::BTreeMap;

use crate::arguments::Arguments;
use crate::program::Cores;
use crate::results::{Column, Kind, Results};
use crate::servers::{RELAY_FLAG, Server, run_relay};

fn main() {
    if std::env::args().any(|it| it == RELAY_FLAG) {
        run_relay();
    }
    let arguments = Arguments::read();
    signals::watch();
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let cores = Cores::pick(arguments.server_cores);
    let before = conditions::busy_share();
    let mut results = Results {
        columns: arguments.servers.iter().map(|server| column(&**server)).collect(),
        lines: Vec::new(),
        remarks: BTreeMap::new(),
        rounds: arguments.rounds,
        command: command(),
        conditions: vec![conditions::machine()],
    };
    if !cores.are_apart() {
        let condition = "Server and generator shared a core.";
        results.conditions.push(condition.to_owned());
    }
    if arguments.length.is_quick {
        let condition = "Everything was only tried out, with at most 20 rooms of at most 100: these \
            figures say nothing.";
        results.conditions.push(condition.to_owned());
    }
    run(&arguments, cores, &mut results);
    results.conditions.push(conditions::disturbance(before, conditions::busy_share()));
    print!("{}", table::table(&results));
    if let Some(directory) = &arguments.output {
        files::write(&results, directory);
    }
}

/// Measures all rows, each with all servers in turns.
fn run(arguments: &Arguments, cores: Cores, results: &mut Results) {
    for row in &arguments.rows {
        for round in 1..=arguments.rounds {
            for (at, server) in arguments.servers.iter().enumerate() {
                if results.columns[at].version.is_none() {
                    continue;
                }
                let measured = measure::measure(row, &**server, arguments.length, cores);
                let Some(measured) = measured else { continue };
                eprintln!(
                    "{}, round {round}, {}: {:?}, {} deliveries, {:.0} a second",
                    row.name,
                    server.name(),
                    measured.figures,
                    measured.deliveries,
                    measured.rate
                );
                results.add(row, server.name(), measured);
            }
        }
        // Should a later row fail, this one is not lost.
        if let Some(directory) = &arguments.output {
            files::write(results, directory);
        }
    }
}

/// Describes a server for the report.
fn column(server: &dyn Server) -> Column {
    let kind = match (server.is_ours(), server.is_relay()) {
        (true, _) => Kind::Ours,
        (_, true) => Kind::Relay,
        _ => Kind::Foreign,
    };
    Column { name: server.name(), version: server.version(), kind, has_disk: server.has_disk() }
}

/// Returns the command that measures the same, without the directory of the report.
fn command() -> String {
    let mut arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let Some(at) = arguments.iter().position(|it| it == "--output") {
        arguments.drain(at..(at + 2).min(arguments.len()));
    }
    ["cargo bench --bench compare --", &arguments.join(" ")].join(" ").trim().to_owned()
}
