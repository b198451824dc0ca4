//! The command `chat-server status`: queries the status of the server on this machine over its
//! control socket.

use std::io::{ErrorKind, Read, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};
use clap::Args;

use crate::config::server::ServerOptions;
use crate::os::Clock;
use crate::server::{Status, StoreKind, StoreState, StoreStatus, connect_control};

/// Default path of the control socket: that of the packaged systemd service.
const SERVICE_SOCKET: &str = "/run/chat-server/control";

/// Time limit for a status query, from connecting to the last byte of the answer.
const STATUS_TIMEOUT: Duration = Duration::from_secs(6);

/// Maximum length of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Flags of `status`: control socket and output format.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// One JSON object (docs/status.md)
    #[arg(long)]
    json: bool,

    /// The server's socket [default: as the server finds it, else that of the service,
    /// /run/chat-server/control]
    #[arg(long, value_name = "SOCKET", env = "CHAT_SERVER_CONTROL")]
    control: Option<PathBuf>,

    /// The server keeps its messages here, and may have its socket here
    #[arg(long = "data", value_name = "DIR", env = "CHAT_SERVER_DATA")]
    data_dir: Option<PathBuf>,

    /// The server's configuration
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs `chat-server status`: queries the server and prints its status. Returns the exit code,
/// failure also for a server that is not healthy.
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

/// Queries the server and prints its status. Returns true if the server is healthy.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or sends an invalid answer.
fn query_and_print(command: StatusArgs) -> Result<bool> {
    let file = match &command.config {
        Some(path) => ServerOptions::from_file(path)?,
        None => ServerOptions::default(),
    };
    let options = ServerOptions::for_control_socket(command.control, command.data_dir).or(file);
    let path = options.control_socket().unwrap_or_else(|| SERVICE_SOCKET.into());
    let answer = query(&path)?;
    let status: Status = serde_json::from_str(&answer)
        .context("the server's answer is of another version of this program")?;
    let shown = if command.json { answer } else { format_status(&status) };
    match stdout().write_all(shown.as_bytes()) {
        // The reader of a pipe may stop early.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the answer")
        }
        _ => Ok(status.healthy),
    }
}

/// Reads the server's answer, JSON text, from the control socket at `path`.
fn query(path: &Path) -> Result<String> {
    let shown = path.display();
    let clock = Clock::start();
    let mut stream = connect_control(path, STATUS_TIMEOUT).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => anyhow!("the server at {shown} does not answer"),
        _ => Error::from(error)
            .context(format!("no server can be asked at {shown} (--control names another)")),
    })?;
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let left = STATUS_TIMEOUT.saturating_sub(clock.now().since_start());
        ensure!(
            !left.is_zero() && answer.len() < MAX_ANSWER_BYTES,
            "the server at {shown} does not answer"
        );
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut piece) {
            // A timeout appears as `WouldBlock`; the loop checks the remaining time.
            Err(error)
                if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) =>
            {
                continue;
            }
            read => read.with_context(|| format!("the server at {shown} does not answer"))?,
        };
        if count == 0 {
            break;
        }
        answer.extend(piece.iter().take(count));
    }
    ensure!(!answer.is_empty(), "the server at {shown} does not answer");
    String::from_utf8(answer).context("the answer is no text")
}

/// Formats the status as text for the owner.
fn format_status(status: &Status) -> String {
    let Status { name, version, people, connections, rooms, messages, .. } = status;
    let state = if status.healthy { "healthy" } else { "NOT HEALTHY" };
    let rate = f64::from(u32::try_from(status.messages_last_minute).unwrap_or(u32::MAX)) / 60.0;
    let memory = status.memory.map_or("unknown".to_owned(), format_megabytes);
    let watchdog = match status.watchdog {
        Some(seconds) => format!("has to be fed every {seconds} s"),
        None => "none".to_owned(),
    };
    let limits = format_limits(status);
    let listening: Vec<String> = status.listening.iter().map(ToString::to_string).collect();
    format!(
        "“{name}” is {state} (chat-server {version}, process {})\n\
         running    {}\n\
         people     {people} ({connections} connections, {rooms} rooms)\n\
         messages   {messages} since the start, {rate:.2} a second in the last minute\n\
         log        at {}, kept {}\n\
         memory     {memory}\n\
         limits     {limits}\n\
         watchdog   {watchdog}\n\
         listening  {}\n",
        status.process,
        format_duration(status.uptime),
        status.head,
        format_store(&status.store),
        listening.join(", "),
    )
}

/// Formats where the log is stored, its size and durability, and disk failures.
fn format_store(store: &StoreStatus) -> String {
    let place = match (store.kind, &store.directory) {
        (StoreKind::Disk, Some(directory)) => {
            let bytes = store.bytes.map_or("unknown".to_owned(), format_megabytes);
            let durability = store.durability.as_deref().unwrap_or("unknown");
            format!("in {} ({bytes}, {durability})", directory.display())
        }
        _ => "in memory, until it stops".to_owned(),
    };
    match store.state {
        StoreState::Sound => place,
        StoreState::Stalled => format!("{place}: THE DISK DOES NOT ANSWER"),
        StoreState::MemoryOnly => format!("{place}: THE DISK FAILS, in memory only for now"),
        StoreState::Refusing => format!("{place}: THE DISK FAILS, messages are refused"),
    }
}

/// Returns the line about addresses that reach a limit.
fn format_limits(status: &Status) -> String {
    let times: u64 = status.refusals.values().sum();
    match (&status.pressure, times) {
        (_, 0) => "none reached".to_owned(),
        (None, _) => format!("reached {times} times since the start"),
        (Some(it), _) => format!(
            "reached {times} times since the start, {} times a minute by {} ({})",
            it.times, it.address, it.limit
        ),
    }
}

/// Formats a number of bytes in megabytes with one decimal, rounded down.
fn format_megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// Formats a duration by its two largest units, such as `2 h 1 min`.
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
