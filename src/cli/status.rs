//! The command `chat-server status`. It queries the status of the server on this machine over the
//! control socket.

use std::io::{ErrorKind, Write, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::control::{self, ControlArgs};
use crate::server::{
    BackupStatus, FollowStatus, Status, StoreKind, StoreState, StoreStatus, TlsStatus,
};

/// Flags of `status`: control socket and output format.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Print one JSON object (docs/status.md)
    #[arg(long)]
    json: bool,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Runs `chat-server status`: queries the server and prints its status. Returns exit code 1 if the
/// query fails or the server is not healthy; otherwise 0.
pub(super) fn run(command: StatusArgs) -> ExitCode {
    match query_and_print(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            super::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Queries the status of the server.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or sends an invalid answer.
pub(super) fn query(socket: &ControlArgs) -> Result<Status> {
    parse(&control::exchange(&socket.locate()?, b"")?)
}

/// Parses the answer of a server.
///
/// # Errors
/// It is none.
fn parse(answer: &str) -> Result<Status> {
    serde_json::from_str(answer).context("the server has another version than this program")
}

/// Queries the server and prints its status. Returns true if the server is healthy.
///
/// # Errors
/// Those of [`query`]. Or the output cannot be written, unless its reader has closed it.
fn query_and_print(command: StatusArgs) -> Result<bool> {
    let answer = control::exchange(&command.socket.locate()?, b"")?;
    let status = parse(&answer)?;
    let shown = if command.json { answer } else { format_status(&status) };
    match stdout().write_all(shown.as_bytes()) {
        // The reader of a pipe may stop early.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot print the answer")
        }
        _ => Ok(status.healthy),
    }
}

/// Formats the status as text for the owner.
fn format_status(status: &Status) -> String {
    let Status { name, version, people, messages, .. } = status;
    let connections = super::counted(status.connections, "connection", "connections");
    let rooms = super::counted(status.rooms, "room", "rooms");
    let state = if status.healthy { "healthy" } else { "NOT HEALTHY" };
    let rate = f64::from(u32::try_from(status.messages_last_minute).unwrap_or(u32::MAX)) / 60.0;
    let memory = status.memory.map_or("unknown".to_owned(), format_megabytes);
    let watchdog = match status.watchdog {
        Some(seconds) => format!("expects a sign of life every {seconds} s"),
        None => "none".to_owned(),
    };
    let limits = format_limits(status);
    let waiting = format_waiting_names(status.waiting_names);
    format!(
        "“{name}” is {state} (chat-server {version}, process {})\n\
         running    {}\n\
         people     {people} ({connections}, {rooms}{waiting})\n\
         messages   {messages} since the start, {rate:.2} a second in the last minute\n\
         log        at {}, kept {}\n\
         memory     {memory}\n\
         limits     {limits}\n\
         backup     {}\n\
         watchdog   {watchdog}\n\
         listening  {}\n\
         with TLS   {}\n\
         browsers   {}\n\
         {}",
        status.process,
        format_duration(status.uptime),
        status.head,
        format_store(&status.store),
        format_backup(status.backup.as_ref()),
        format_addresses(&status.listening),
        format_tls(status.tls.as_ref()),
        format_urls(&status.web),
        status.follows.as_ref().map_or_else(String::new, format_follows),
    )
}

/// Formats whom a follower follows, and how far it is, as a line.
fn format_follows(follows: &FollowStatus) -> String {
    let FollowStatus { server, position, .. } = follows;
    let lag = match follows.lag {
        Some(0) => "has everything".to_owned(),
        Some(lag) => format!("had everything {} ago", format_duration(lag)),
        None => "has not had everything since the start".to_owned(),
    };
    let contact = match follows.last_contact {
        Some(seconds) => format!("last heard of it {} ago", format_duration(seconds)),
        None => "not heard of it since the start".to_owned(),
    };
    let error =
        follows.error.as_ref().map_or_else(String::new, |it| format!("; NOT CONNECTED: {it}"));
    format!("follows    {server}, up to {position}; {lag}; {contact}{error}\n")
}

/// Formats the addresses for plain TCP.
fn format_addresses(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { "not for plain TCP".to_owned() } else { addresses.join(", ") }
}

/// Formats the addresses for TLS, and the fingerprint of the server's key.
fn format_tls(tls: Option<&TlsStatus>) -> String {
    tls.map_or("no".to_owned(), |it| {
        format!("{}\n           fingerprint {}", format_addresses(&it.listening), it.fingerprint)
    })
}

/// Formats where to point a browser.
fn format_urls(urls: &[String]) -> String {
    if urls.is_empty() { "are not let in".to_owned() } else { urls.join(" or ") }
}

/// Formats where the log is stored, its size and durability, and disk failures.
fn format_store(store: &StoreStatus) -> String {
    let place = match (store.kind, &store.directory) {
        (StoreKind::Disk, Some(directory)) => {
            let bytes = store.bytes.map_or("unknown".to_owned(), format_megabytes);
            let durability = store.durability.as_deref().unwrap_or("unknown");
            format!("in {} ({bytes}, {durability})", directory.display())
        }
        _ => "in memory, until the server stops".to_owned(),
    };
    match store.state {
        StoreState::Sound => place,
        StoreState::Stalled => format!("{place}: THE DISK DOES NOT ANSWER"),
        StoreState::MemoryOnly => format!("{place}: THE DISK FAILS, in memory only for now"),
        StoreState::Refusing => format!("{place}: THE DISK FAILS, messages are refused"),
    }
}

/// Formats the number of names that wait for users who have lost their connections, as a further
/// item of a list; empty without such names.
fn format_waiting_names(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", 1 name waiting".to_owned(),
        _ => format!(", {count} names waiting"),
    }
}

/// Formats how often limits of addresses were reached, and which address reaches them most often
/// now.
fn format_limits(status: &Status) -> String {
    let times: u64 = status.refusals.values().sum();
    match (&status.pressure, times) {
        (_, 0) => "none reached".to_owned(),
        (None, _) => format!("reached {} since the start", super::counted(times, "time", "times")),
        (Some(it), _) => format!(
            "reached {} since the start, {} a minute by {} ({})",
            super::counted(times, "time", "times"),
            super::counted(it.times, "time", "times"),
            it.address,
            it.limit
        ),
    }
}

/// Formats the age of the last nightly backup, its directory, and the error of the last attempt.
fn format_backup(backup: Option<&BackupStatus>) -> String {
    let Some(backup) = backup else { return "none is made".to_owned() };
    let age = match backup.age {
        Some(age) => format!("{} ago", format_duration(age)),
        None => "none yet".to_owned(),
    };
    let directory = backup.directory.display();
    match &backup.error {
        Some(error) => format!("FAILS: {error}; the last one in {directory}: {age}"),
        None => format!("{age}, in {directory}"),
    }
}

/// Formats a number of bytes in megabytes with one decimal, rounded down.
fn format_megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// Formats a duration, rounded down, in its two largest units, such as `2 h 1 min`. Below a minute:
/// in seconds.
fn format_duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        (1, ..) => format!("1 day {} h", hours % 24),
        _ => format!("{days} days {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_readable() {
        let times = [(59, "59 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (90_000, "1 day 1 h")];
        for (seconds, text) in times {
            assert_eq!(format_duration(seconds), text);
        }
        assert_eq!(
            (format_megabytes(99_999), format_megabytes(4_750_000)),
            ("0.0 MB".into(), "4.7 MB".into())
        );
    }

    #[test]
    fn waiting_names_are_shown_if_there_are_any() {
        let texts = [0, 1, 2].map(format_waiting_names);
        assert_eq!(texts, ["", ", 1 name waiting", ", 2 names waiting"]);
    }

    #[test]
    fn store_text_names_failing_disk() {
        let mut store = StoreStatus {
            kind: StoreKind::Disk,
            state: StoreState::Sound,
            directory: Some("data".into()),
            bytes: Some(2_000_000),
            durability: Some("strict".to_owned()),
        };
        assert_eq!(format_store(&store), "in data (2.0 MB, strict)");
        store.state = StoreState::Refusing;
        assert!(format_store(&store).contains("FAILS"));
    }
}
