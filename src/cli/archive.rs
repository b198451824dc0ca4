//! Commands of the server's owner for the log on disk: `chat-server export`, `audit`, `import`,
//! `backup`, `check`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use super::exit::BAD_CONFIG;
use crate::archive::{
    self, ArchiveError, AuditFormat, AuditOptions, CheckReport, ExportFormat, ExportOptions,
};
use crate::config::server::ServerOptions;
use crate::model::{RoomName, Timestamp};

/// Owner's commands for the log on disk.
#[derive(Debug, Subcommand)]
pub(super) enum ArchiveCommand {
    /// Write the messages of all rooms to standard output
    ///
    /// In the order of the log; a server may be running, and is not held up
    /// however slowly the output is read: what was there at the beginning is written, but
    /// for messages that the server deletes before their turn. Direct messages are
    /// never exported, for they belong to two people.
    ///
    /// Exit status: 0 done, 1 failed, 64 wrong usage, 78 no directory was given
    /// or the configuration is wrong.
    Export(ExportArgs),

    /// Write what moderators have done: all bans, mutes, roles, removals and so on
    ///
    /// In the order of the log: who did what to whom, where, when and why, and
    /// whether it had an effect. Texts of messages are not among it. The latest 50,000
    /// actions are kept. A server may be running.
    ///
    /// Exit status: 0 done, 1 failed, 64 wrong usage, 78 no directory was given
    /// or the configuration is wrong.
    Audit(AuditArgs),

    /// Add the messages of an export to those in the directory
    ///
    /// The server must not be running. Messages that are there already are not
    /// added again. What is new goes between the others by its time; then all
    /// messages are ordered by time and numbered anew, and clients that come back
    /// begin afresh, as newcomers do. If anything is wrong with the file, nothing is
    /// imported. What is older or more than the server is told to keep
    /// (keep-days, keep-messages, keep-bytes), it forgets when it runs.
    ///
    /// Exit status: 0 done, 1 failed, 64 wrong usage, 78 no directory was given
    /// or the configuration is wrong.
    Import(ImportArgs),

    /// Copy everything to a file, including direct messages and sessions
    ///
    /// A server may be running. The file is for its owner only.
    ///
    /// To restore it: stop the server; remove chat.db, chat.db-wal and
    /// chat.db-shm from the directory, all three; copy the file there under the name
    /// chat.db, and let it belong to whom the directory belongs; start the server.
    /// Clients that come back then begin afresh, as newcomers do.
    ///
    /// Exit status: 0 done, 1 failed, 64 wrong usage, 78 no directory was given
    /// or the configuration is wrong.
    Backup(BackupArgs),

    /// Check that everything in the directory is as it should be
    ///
    /// A server may be running. Nothing is changed.
    ///
    /// Exit status: 0 no fault found, 1 faults found or failed, 64 wrong usage,
    /// 78 no directory was given or the configuration is wrong.
    Check(CheckArgs),
}

/// Flags that locate the data directory.
#[derive(Args, Debug)]
struct DirectoryArgs {
    /// The directory with the messages
    #[arg(long = "data", value_name = "DIR", env = "CHAT_SERVER_DATA")]
    data_dir: Option<PathBuf>,

    /// Without --data, take data-dir of this configuration
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_CONFIG")]
    config: Option<PathBuf>,
}

impl DirectoryArgs {
    /// Returns the data directory from `--data`. Without it, returns `data-dir` of the
    /// configuration file.
    ///
    /// # Errors
    /// No directory is named, or the configuration file cannot be read or is invalid.
    fn directory(&self) -> Result<PathBuf> {
        let named = match (&self.data_dir, &self.config) {
            (Some(named), _) => Some(named.clone()),
            (None, Some(config)) => ServerOptions::from_file(config)?.data_dir(),
            (None, None) => None,
        };
        named.context("no directory was given: use --data DIR, or data-dir in the file of --config")
    }
}

/// Flags of `export`.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Data directory.
    #[command(flatten)]
    location: DirectoryArgs,

    /// Only this room
    #[arg(long, value_name = "ROOM", value_parser = RoomName::new)]
    room: Option<RoomName>,

    /// Not before this time, UTC: 2026-11-03, "2026-11-03 14:30", or with a
    /// zone 2026-11-03T14:30:00+01:00
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,

    /// Format
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,
}

/// Flags of `audit`.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// Data directory.
    #[command(flatten)]
    location: DirectoryArgs,

    /// Only actions in this room, not those for the whole server
    #[arg(long, value_name = "ROOM", value_parser = RoomName::new)]
    room: Option<RoomName>,

    /// Not before this time, UTC: 2026-11-03, "2026-11-03 14:30", or with a
    /// zone 2026-11-03T14:30:00+01:00
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,

    /// Print one line of JSON for each action (docs/status.md)
    #[arg(long)]
    json: bool,
}

/// Format of exported messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One line of JSON for each message, which can be imported
    Jsonl,
    /// For people
    Text,
}

/// Flags of `import`.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Data directory.
    #[command(flatten)]
    location: DirectoryArgs,

    /// What `export` has written; - is standard input
    file: PathBuf,
}

/// Flags of `backup`.
#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// Data directory.
    #[command(flatten)]
    location: DirectoryArgs,

    /// The file to write, which must not exist yet
    file: PathBuf,
}

/// Flags of `check`.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Data directory.
    #[command(flatten)]
    location: DirectoryArgs,
}

/// Parses the time of the flag `--since`. The error is text for the user.
fn parse_since(typed: &str) -> Result<Timestamp, String> {
    archive::parse_since(typed)
        .ok_or_else(|| "this is not a date, such as 2026-11-03, or a date with a time".to_owned())
}

impl ArchiveCommand {
    /// Runs the command and prints its result or error. Returns the exit code: [`BAD_CONFIG`] if no
    /// data directory is named or the configuration file is wrong. Otherwise 0, or 1 on failure.
    pub(super) fn run(self) -> ExitCode {
        let directory = match self.location().directory() {
            Ok(directory) => directory,
            Err(error) => {
                super::print_error(&error);
                return ExitCode::from(BAD_CONFIG);
            }
        };
        let done = match self {
            Self::Export(it) => export(&directory, it),
            Self::Audit(it) => audit(&directory, it),
            Self::Import(it) => import(&directory, &it.file),
            Self::Backup(it) => backup(&directory, &it.file),
            Self::Check(_) => check(&directory),
        };
        done.unwrap_or_else(|error| {
            super::print_error(&error);
            ExitCode::FAILURE
        })
    }

    /// Returns the flags that locate the data directory of the command.
    const fn location(&self) -> &DirectoryArgs {
        match self {
            Self::Export(it) => &it.location,
            Self::Audit(it) => &it.location,
            Self::Import(it) => &it.location,
            Self::Backup(it) => &it.location,
            Self::Check(it) => &it.location,
        }
    }
}

/// Exports messages to standard output. If the reader of the output closes it early, the export
/// stops with success.
///
/// # Errors
/// The log cannot be read, or the output cannot be written.
fn export(
    directory: &Path,
    ExportArgs { room, since, format, .. }: ExportArgs,
) -> Result<ExitCode> {
    let format = match format {
        Format::Jsonl => ExportFormat::JsonLines,
        Format::Text => ExportFormat::Text,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    unless_closed(archive::export(directory, &ExportOptions { room, since, format }, &mut out))
}

/// Writes the moderation actions to standard output, as JSON lines or as text. If the reader of the
/// output closes it early, stops with success.
///
/// # Errors
/// The log cannot be read, or the output cannot be written.
fn audit(directory: &Path, AuditArgs { room, since, json, .. }: AuditArgs) -> Result<ExitCode> {
    let format = if json { AuditFormat::JsonLines } else { AuditFormat::Text };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    unless_closed(archive::audit(directory, &AuditOptions { room, since, format }, &mut out))
}

/// Returns the exit code 0 if the output was written, or if its reader has closed it.
///
/// # Errors
/// Any other error of writing the output, or of reading the log.
fn unless_closed(done: Result<(), ArchiveError>) -> Result<ExitCode> {
    match done {
        Err(ArchiveError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        done => done?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports messages from a file, or from standard input if `file` is `-`. Prints how many were
/// added, and how many were there already.
///
/// # Errors
/// The file cannot be read or is invalid, or the log cannot be changed.
fn import(directory: &Path, file: &Path) -> Result<ExitCode> {
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let done = archive::import(directory, &mut input)?;
    let added = super::counted(done.added, "message", "messages");
    print_line(&format!("{added} added, {} already there", done.duplicates));
    Ok(ExitCode::SUCCESS)
}

/// Copies the log, with direct messages and sessions, to a new file. Prints the size of the file.
///
/// # Errors
/// The log cannot be read, or the file exists or cannot be written.
fn backup(directory: &Path, file: &Path) -> Result<ExitCode> {
    let bytes = archive::backup(directory, file)?;
    print_line(&format!("{bytes} bytes in {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// Checks the log for faults. Prints the first faults, one per line, then a summary with the number
/// of all. Returns exit code 1 if there are faults.
///
/// # Errors
/// The log cannot be read.
fn check(directory: &Path) -> Result<ExitCode> {
    let report = archive::check(directory)?;
    for fault in &report.faults {
        print_line(fault);
    }
    let CheckReport { messages, directs, rooms, bytes, faults, unlisted_faults } = report;
    let faults = unlisted_faults.saturating_add(faults.len() as u64);
    let found = match faults {
        0 => "no fault found:".to_owned(),
        _ => format!("faults found: {faults}, in"),
    };
    let messages = super::counted(messages, "message", "messages");
    let rooms = super::counted(rooms, "room", "rooms");
    let directs = super::counted(directs, "direct message", "direct messages");
    print_line(&format!("{found} {messages} in {rooms}, {directs}, {bytes} bytes"));
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a line of the result on standard output. Ignores write errors.
fn print_line(line: &str) {
    // The stream may be closed. The exit code reports the result too.
    let _ = writeln!(io::stdout(), "{line}");
}
