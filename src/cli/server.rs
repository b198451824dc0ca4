//! The command line of `chat-server`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::archive::Tool;
use super::logging;
use crate::config::server::ServerOptions;
use crate::server::{self, ServerSettings};

/// Exit status for a configuration that makes no sense (`EX_CONFIG`).
pub(super) const BAD_CONFIG: u8 = 78;

/// A chat server for a house, a class or a club.
///
/// People talk with chat-client, or any program that speaks the protocol in
/// docs/protocol. Who comes in gets the 10 most recent messages. With --data
/// they are kept on disk; without it in memory, until the server stops. The addresses that
/// are listened on appear on standard error, a line each: "listening on ADDR:PORT".
///
/// Exit status: 0 after SIGTERM or SIGINT, 64 wrong usage, 78 wrong
/// configuration, 1 anything else.
#[derive(Debug, Parser)]
#[command(name = "chat-server", version, args_conflicts_with_subcommands = true)]
pub struct ServerCommand {
    /// Something else than running a server.
    #[command(subcommand)]
    action: Option<Action>,

    /// How to run it.
    #[command(flatten)]
    run: Run,
}

/// What `chat-server` can do besides being one.
#[derive(Debug, Subcommand)]
enum Action {
    /// Check a configuration, and do nothing else
    Validate(Box<Run>),

    /// The owner's tools.
    #[command(flatten)]
    Tool(Tool),
}

/// Where the settings come from.
#[derive(Args, Debug)]
struct Run {
    /// Read the configuration from this file
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_CONFIG")]
    config: Option<PathBuf>,

    /// What goes before the file.
    #[command(flatten)]
    options: ServerOptions,
}

impl Run {
    /// Puts the settings together and checks them.
    fn settings(self) -> Result<ServerSettings> {
        let file = match &self.config {
            Some(path) => ServerOptions::from_file(path)?,
            None => ServerOptions::default(),
        };
        self.options.or(file).into_settings()
    }
}

/// What can be typed, for the manual and for shells.
#[must_use]
pub fn command() -> clap::Command {
    ServerCommand::command()
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let command = match ServerCommand::try_parse() {
        Ok(command) => command,
        Err(told) => return super::tell_usage(&told),
    };
    let (run, only_validate) = match command.action {
        Some(Action::Validate(run)) => (*run, true),
        Some(Action::Tool(tool)) => return tool.run(),
        None => (command.run, false),
    };
    let outcome = run.settings();
    match outcome {
        Err(error) => {
            super::tell_error(&error);
            ExitCode::from(BAD_CONFIG)
        }
        Ok(_) if only_validate => ExitCode::SUCCESS,
        Ok(settings) => match serve(settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                super::tell_error(&error);
                ExitCode::FAILURE
            }
        },
    }
}

/// Runs the server until it is told to stop.
fn serve(settings: ServerSettings) -> Result<()> {
    logging::start();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let stop = told_to_stop()?;
        server::run(settings, stop).await.map_err(anyhow::Error::from)
    });
    // Connections that still hang on have been waited for long enough.
    runtime.shutdown_background();
    outcome
}

/// Every connection takes a file descriptor: as many as the system grants.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

/// Ready when SIGTERM or SIGINT has come.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
