//! Command line of `chat-server`.

use std::io::{IsTerminal, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::spawn_blocking;

use super::announce::AnnounceArgs;
use super::archive::ArchiveCommand;
use super::exit::BAD_CONFIG;
use super::invite::InviteArgs;
use super::moderation::ModerationCommand;
use super::promote::{self, PromoteArgs};
use super::status::StatusArgs;
use super::{announce, invite, logging, status};
use crate::config::server::ServerOptions;
use crate::log::{MAKE_SERVER_KEY, StoredServerKey};
use crate::server::{self, ReloadResult, ServerSettings};
use crate::tls::{MAKE_IDENTITY, StoredIdentity};
use crate::{disk, systemd};

/// A chat server for a house, a class or a club.
///
/// People talk with chat-client, or any program that speaks the protocol in
/// docs/protocol. Who comes in gets the 10 most recent messages. With --data
/// they are kept on disk; without it in memory, until the server stops. The addresses that
/// are listened on appear on standard error, a line each: "listening on ADDR:PORT".
///
/// Browsers get a page at port 2480, with which they talk in the same rooms; `chat-server
/// status` tells its addresses, once --web-root has its files.
///
/// SIGHUP has it read its configuration again: what can be applied while it
/// runs is applied, what needs a restart is named in the log, and a wrong
/// configuration changes nothing. On a terminal SIGHUP stops it, because the
/// terminal has been closed.
///
/// Exit status: 0 after SIGTERM, SIGINT or its terminal is closed, 64 wrong usage, 78 wrong
/// configuration, 1 anything else.
#[derive(Debug, Parser)]
#[command(name = "chat-server", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Subcommand; `None` to run a server.
    #[command(subcommand)]
    action: Option<Action>,

    /// Flags for running a server.
    #[command(flatten)]
    run: RunArgs,
}

/// Subcommands of `chat-server`.
#[derive(Debug, Subcommand)]
enum Action {
    /// Run a follower of another server: it has a copy of all that it keeps, for readers, and can
    /// take its place (chat-server promote)
    ///
    /// HOST is a name, an address or a chats:// link, with the port of TLS. The key of an owner of
    /// that server is in the file follow.key in --data, or in that of --follow-key.
    ///
    /// If the database in --data is that of a server that was replaced, it is set aside first.
    ///
    /// Exit status: as without a command.
    Follow(Box<FollowArgs>),

    /// Make a follower the server, when its server is gone for good
    ///
    /// What that server had not sent is lost. If it ever comes back and can be reached, it is told,
    /// and does not serve any more. With --data of a follower that does not run, its database is
    /// promoted, and serves when it is started.
    ///
    /// Exit status: 0 done; 1 it is no follower, or its copy is not complete.
    Promote(PromoteArgs),

    /// Check a configuration without starting a server
    Validate(Box<RunArgs>),

    /// Owner's commands for the log on disk.
    #[command(flatten)]
    Archive(ArchiveCommand),

    /// Show whether the server on this machine is healthy
    ///
    /// Exit status: 0 healthy; 1 the server cannot be reached, does not answer, or cannot write to
    /// its disk.
    Status(StatusArgs),

    /// Send a line of text to everybody who is in the server on this machine
    ///
    /// Clients show it as a message of the server. It is not kept: people who come in
    /// later do not see it.
    ///
    /// Exit status: 0 sent, even if nobody is in; 1 the server cannot be reached, does
    /// not answer or refuses; 64 wrong usage, such as a text that is too long.
    Announce(AnnounceArgs),

    /// Show how people get in with a browser: address and QR code, to scan or to print; with --code,
    /// make an invitation for somebody to come in and claim a name
    ///
    /// It asks the server on this machine where its page is. The QR code has the name that the
    /// server announces, if it does, because the name stays the same. For a phone that cannot
    /// find the name, --url puts the address with numbers into the code.
    ///
    /// In a terminal the code is black on white. If the output is not a terminal, the code has
    /// no colours and needs a dark background; --svg and --page make files.
    ///
    /// Exit status: 0 done; 1 the server cannot be asked or cannot be reached with a
    /// browser, or a file already exists or cannot be written; 64 wrong usage.
    Invite(InviteArgs),

    /// Make a key for TLS and print it: the server runs this in a process of its own
    #[command(name = MAKE_IDENTITY, hide = true)]
    MakeIdentity,

    /// Make a server key and print it: the server runs this in a process of its own
    #[command(name = MAKE_SERVER_KEY, hide = true)]
    MakeServerKey,

    /// Moderation commands.
    #[command(flatten)]
    Moderation(ModerationCommand),
}

/// Flags for running a server: configuration file and options.
#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// Read the configuration from this file
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_CONFIG")]
    config: Option<PathBuf>,

    /// Options that override the file.
    #[command(flatten)]
    options: ServerOptions,
}

/// Arguments of `follow`.
#[derive(Args, Clone, Debug)]
struct FollowArgs {
    /// Server to follow
    #[arg(value_name = "HOST")]
    server: String,

    /// Flags as without a command.
    #[command(flatten)]
    run: RunArgs,
}

impl RunArgs {
    /// Merges flags, environment and file into checked server settings. Logs a warning if every
    /// local user can read the file with the password, or that with the key for TLS. Logs another if backups are configured but
    /// messages are kept only in memory, or TLS is asked for and there is no key; also if claims or
    /// invitations are, and there is no log on disk to keep them.
    ///
    /// # Errors
    /// The configuration file cannot be read, or a setting is invalid.
    fn load_settings(&self) -> Result<ServerSettings> {
        let file = match &self.config {
            Some(path) => ServerOptions::from_file(path)?,
            None => ServerOptions::default(),
        };
        let options = self.options.clone().or(file);
        if let Some(path) = options.password_path(self.config.as_deref())
            && disk::is_world_readable(path)
        {
            tracing::warn!(
                "everybody on this machine can read the password in {}: run chmod o-r on it, and make sure that the server's user can still read it",
                path.display()
            );
        }
        if let Some(path) = options.tls_key_path()
            && disk::is_world_readable(path)
        {
            tracing::warn!(
                "everybody on this machine can read the key for TLS in {}, and so pretend to be this server: run chmod o-r on it, and make sure that the server's user can still read it",
                path.display()
            );
        }
        if let Some(path) = options.follow_key_path()
            && disk::is_world_readable(&path)
        {
            tracing::warn!(
                "everybody on this machine can read the owner's key in {}, and so be the owner: run chmod o-r on it, and make sure that the server's user can still read it",
                path.display()
            );
        }
        if options.lacks_log_to_back_up() {
            tracing::warn!(
                "no backups are made, because messages are kept in memory: set data-dir too (the packaged service does so itself)"
            );
        }
        if options.lacks_log_for_claims() {
            tracing::warn!(
                "no name can be claimed, because messages are kept in memory: set data-dir too (the packaged service does so itself)"
            );
        }
        if options.forgets_invitations() {
            tracing::warn!(
                "a restart forgets all invitations, because messages are kept in memory: with access = \"invited\", set data-dir too (the packaged service does so itself)"
            );
        }
        if options.lacks_key_for_tls() {
            tracing::warn!(
                "there is no TLS, because messages are kept in memory, and the key would be kept with them: set data-dir, or tls-certificate and tls-key"
            );
        }
        options.into_settings()
    }
}

/// Returns the definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs `chat-server`: parses the command line, executes it and prints errors. When running a
/// server, also passes an error to systemd as the status. Returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(command) => command,
        Err(message) => return super::print_clap_message(&message),
    };
    let (run, only_validate) = match command.action {
        Some(Action::Status(command)) => return status::run(command),
        Some(Action::Announce(command)) => return announce::run(&command),
        Some(Action::Invite(command)) => return invite::run(&command),
        Some(Action::Moderation(command)) => return command.run(),
        Some(Action::MakeIdentity) => {
            return print_made(StoredIdentity::generate(), StoredIdentity::to_lines);
        }
        Some(Action::MakeServerKey) => {
            return print_made(StoredServerKey::generate(), StoredServerKey::to_line);
        }
        Some(Action::Promote(command)) => return promote::run(&command),
        Some(Action::Follow(follow)) => {
            let FollowArgs { server, run } = *follow;
            (RunArgs { options: run.options.following(server), ..run }, false)
        }
        Some(Action::Validate(run)) => (*run, true),
        Some(Action::Archive(command)) => return command.run(),
        None => (command.run, false),
    };
    logging::init();
    match run.load_settings() {
        Err(error) => {
            if !only_validate {
                systemd::notify_status(&format!("wrong configuration: {error:#}"));
            }
            super::print_error(&error);
            ExitCode::from(BAD_CONFIG)
        }
        Ok(_) if only_validate => {
            // The stream may be closed. The exit code reports the result too.
            let _ = writeln!(stdout(), "{}", describe_valid(run.config.as_deref()));
            ExitCode::SUCCESS
        }
        Ok(settings) => match run_server(run, settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                systemd::notify_status(&format!("{error:#}"));
                super::print_error(&error);
                ExitCode::FAILURE
            }
        },
    }
}

/// Returns the message that the configuration is valid. `file`: the configuration file.
fn describe_valid(file: Option<&Path>) -> String {
    match file {
        Some(file) => format!("The configuration {} is valid.", file.display()),
        None => "The configuration is valid. (No file was named: --config says which.)".to_owned(),
    }
}

/// Prints what was made, for the server that has started this process. Returns the exit code.
fn print_made<T, E>(made: Result<T, E>, to_text: impl Fn(&T) -> String) -> ExitCode {
    match made {
        Ok(made) if stdout().write_all(to_text(&made).as_bytes()).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Runs the server in a multi-threaded tokio runtime until a signal stops it. SIGHUP loads the
/// configuration again; if standard input is a terminal, it stops the server instead. First raises
/// the limit of open files.
///
/// # Errors
/// The server cannot start, or its engine has ended.
fn run_server(run: RunArgs, settings: ServerSettings) -> Result<()> {
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let hangup = hangup_signal()?;
        let (stop_at, reload_at) =
            if stdin().is_terminal() { (Some(hangup), None) } else { (None, Some(hangup)) };
        let stop = stop_signal(stop_at)?;
        let reloads = spawn_reload_task(run, reload_at);
        server::run(settings, stop, reloads).await.map_err(anyhow::Error::from)
    });
    // The server has already waited for its connections to close.
    runtime.shutdown_background();
    outcome
}

/// Installs the handler for SIGHUP, which from then on does not end the process by itself.
///
/// # Errors
/// It cannot be installed.
fn hangup_signal() -> Result<Signal> {
    signal(SignalKind::hangup()).context("cannot wait for SIGHUP")
}

/// Starts a task that loads the configuration again at each signal of `hangup`, and notifies
/// systemd that a reload begins; who takes the result must notify it of the end. The receiver
/// yields the new settings, or the error text if the configuration is invalid. If `hangup` is
/// `None`, starts no task, and the receiver is closed from the beginning.
fn spawn_reload_task(run: RunArgs, hangup: Option<Signal>) -> Receiver<ReloadResult> {
    let (sender, receiver) = mpsc::channel(1);
    let Some(mut hangup) = hangup else { return receiver };
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            systemd::notify_reloading();
            let run = run.clone();
            // Reading the file may block.
            let read = spawn_blocking(move || run.load_settings()).await;
            let reload = match read {
                Ok(Ok(settings)) => Ok(Box::new(settings)),
                Ok(Err(error)) => Err(format!("{error:#}")),
                Err(_) => Err("a bug".to_owned()),
            };
            if sender.send(reload).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Raises the limit of open files (file descriptors) to the maximum that the system allows, because
/// each connection needs one. If this fails, only logs a warning.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

/// Installs handlers for SIGTERM and SIGINT. Returns a future that resolves at the first of these
/// signals, or of `hangup` if that is given.
///
/// # Errors
/// The handlers cannot be installed.
fn stop_signal(mut hangup: Option<Signal>) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = next_signal(&mut hangup) => {}
        }
    })
}

/// Waits for the next signal. If `signal` is `None`, never resolves.
async fn next_signal(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}
