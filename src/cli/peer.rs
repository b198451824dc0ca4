//! Command line of `chat-peer`.

use std::io::{Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::{Args, CommandFactory, Parser, Subcommand};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use super::exit::{self, Failure, os_failure, usage_failure};
use super::first_questions::{self, name_default};
use super::frontend::{self, RememberingScreen};
use super::signals::termination_signal;
use super::{logging, print_clap_message};
use crate::config::peer::{Config, PartialConfig, split_list};
use crate::config::remembered_name::RememberedName;
use crate::config::user::{default_username, state_directory};
use crate::key_file::KeyError;
use crate::mesh::{End, UNKNOWN_NAME};
use crate::model::{ErrorCode, Event, Request, Username};
use crate::peer::{
    HeadlessScreen, PeerError, PeerKey, PeerSettings, doctor, rejection_reason, run as drive,
};
use crate::systemd;
use crate::text;
use crate::ui::full_screen::SettingsFile;
use crate::ui::full_screen::start::{Answers, Entered, Questions};
use crate::ui::{
    Dialect, IgnoreFile, JsonScreen, NameQuestion, Screen, SharedIgnoreList, SharedViewState,
    ignore_problem_text, io_error_text, key_error_text, safe_line,
};
use crate::wire::udp::Room;

/// Maximum time without a new acknowledgement in the graceful shutdown when an input of plain or
/// JSON lines ends.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(60);

/// Chat without a server: with everybody in the same network.
///
/// What you type is sent as messages; /help lists the commands; /names does what /who does. Without a
/// terminal, the lines of the input are messages, and chat-peer leaves at its end.
/// A room with a passphrase can be read only by those who know the passphrase.
#[derive(Parser)]
#[command(
    name = "chat-peer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Settings come from flags, then from the environment (PI_CHAT_NAME, PI_CHAT_ROOM,
PI_CHAT_PASSPHRASE_FILE, PI_CHAT_PORT, PI_CHAT_INTERFACE, PI_CHAT_PEER,
PI_CHAT_ASK=1), then from the file peer.toml (name, room, passphrase-file, port,
interfaces, peers, ask).

Exit codes:
  0   ended as asked
  64  the command line, the configuration or a line of a script is wrong
  69  messages of a script were not sent; doctor: it has found why nobody can be
      reached (docs/using.md)
  71  something on this computer does not work
  77  somebody in the room refused: the name is taken, or you are blocked; or a
      request of a script was refused
A script (input that does not come from a terminal, or --json) goes on after a
wrong line and after a refusal; its exit code shows at the end that there was one."
)]
struct Cli {
    /// Subcommand; `None` for a chat.
    #[command(subcommand)]
    action: Option<Action>,
    /// Flags of a chat.
    #[command(flatten)]
    chat: ChatArgs,
}

/// Subcommands of `chat-peer`.
#[derive(Subcommand)]
enum Action {
    /// Find out why others cannot be reached, and say what to do
    ///
    /// Pings each peer in every way without entering the room, says in plain words what works and
    /// what does not, and leaves. Takes 6 to 15 seconds.
    Doctor(CommonArgs),
}

/// Flags that a chat and `doctor` share.
#[derive(Args)]
struct CommonArgs {
    /// Your name in the chat [default: the name that you chose when you were asked, otherwise
    /// your login name]
    #[arg(long, short)]
    name: Option<String>,
    /// Enter this room [default: lobby]
    #[arg(long, short)]
    room: Option<String>,
    /// Read the room's passphrase from the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// UDP port of the room, the same for everybody in it [default: 2428]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Use only this network interface; can be given several times. lo is
    /// for peers on one machine [default: all but lo]
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// Also reach this peer outside the network; can be given several times
    #[arg(long, value_name = "HOST[:PORT]")]
    peer: Vec<String>,
    /// Read settings from this file [default: peer.toml in your configuration directory]
    #[arg(long, value_name = "FILE", env = "PI_CHAT_PEER_CONFIG")]
    config: Option<PathBuf>,
}

/// Flags of a chat.
#[derive(Args)]
struct ChatArgs {
    /// Read and print plain lines, even on a terminal
    #[arg(long, conflicts_with_all = ["json", "headless"])]
    plain: bool,
    /// Read and print JSON, one object per line (docs/json.md)
    #[arg(long, conflicts_with = "headless")]
    json: bool,
    /// Run without a user: only keep the room's messages, and log to standard
    /// error
    #[arg(long)]
    headless: bool,
    /// Ask before letting somebody in; no answer for 10 seconds is a yes
    #[arg(long, conflicts_with = "headless")]
    ask: bool,
    /// Shared flags.
    #[command(flatten)]
    common: CommonArgs,
}

/// User interface of a run: format of input and output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UiMode {
    /// The full screen of a terminal.
    FullScreen,
    /// Plain lines of text on standard input and output.
    Plain,
    /// JSON lines on standard input and output.
    Json,
    /// No input; events go to the log on standard error.
    Headless,
}

/// Returns the definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs `chat-peer`: parses the command line, executes it and prints errors. A headless peer also
/// passes its error to systemd as the status. Returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return print_clap_message(&message),
    };
    let is_service = cli.chat.headless;
    frontend::set_language(is_service || cli.chat.json);
    let outcome = match cli.action {
        Some(Action::Doctor(common)) => run_doctor(&common),
        None => run_chat(&cli.chat),
    };
    match outcome {
        Ok(code) => code.into(),
        Err((code, error)) => {
            if is_service {
                systemd::notify_status(&format!("{error:#}"));
            }
            frontend::print_error(&error);
            code.into()
        }
    }
}

impl CommonArgs {
    /// Merges the settings of flags, environment and file. Flags take precedence, then the
    /// environment. `ask`: true if the flag `--ask` is given.
    ///
    /// # Errors
    /// A setting is invalid, or a file cannot be read.
    fn merged_config(&self, ask: bool) -> Result<PartialConfig> {
        let list = |given: &[String]| {
            (!given.is_empty()).then(|| given.iter().flat_map(|it| split_list(it)).collect())
        };
        let flags = PartialConfig {
            name: self.name.clone(),
            room: self.room.clone(),
            passphrase_file: self.passphrase_file.clone(),
            port: self.port,
            interfaces: list(&self.interface),
            peers: list(&self.peer),
            ask: ask.then_some(true),
        };
        let environment = PartialConfig::from_environment()?;
        Ok(flags.or(environment).or(PartialConfig::from_file(self.config.as_deref())?))
    }
}

/// Opens the user's ignore list for rooms of peers. Returns the event that reports a file that
/// cannot be used; `None` if there is no problem.
fn open_ignore_list(ignore_list: &SharedIgnoreList) -> Option<Event> {
    let file = state_directory().map(|it| IgnoreFile::new(it.join("peer.ignored.json"), None));
    let error = ignore_list.open(file).err()?;
    Some(Event::Problem { code: 0, text: ignore_problem_text(&error).into() })
}

/// Shows the event of [`open_ignore_list`], if there is one.
fn show_problem(screen: &mut dyn Screen, problem: Option<&Event>) {
    // If the output is closed, showing the next event reveals it.
    let _ = problem.map(|it| screen.show(it));
}

/// Returns the file with the username that the user has chosen when they were asked. `None` if
/// the user has no home directory.
fn remembered_name() -> Option<RememberedName> {
    RememberedName::in_state_directory("peer.name")
}

/// Returns the file of what the user sets in the window.
fn window_settings() -> SettingsFile {
    frontend::settings_file("peer.window.json", true)
}

/// Asks the user for a username on the full screen. `wrong`: one that cannot be a username. Returns
/// the answer, and a guard to keep until the chat has ended; `None` if the user leaves.
///
/// # Errors
/// The terminal cannot be used.
fn ask_in_window(wrong: Option<&str>) -> Result<Option<(Answers, Entered)>, Failure> {
    let name = Some(name_default(&default_username(), wrong));
    let questions = Questions { program: "chat-peer", server: None, name };
    let (inputs, queue) = mpsc::channel();
    first_questions::ask(questions, inputs, &queue, &window_settings())
}

/// If `name` is an invalid username, asks the user on the terminal until a name is valid. An empty
/// answer takes the suggested name. Returns the name, and true if the user was asked. A `name` of
/// `None` is returned unchanged.
///
/// # Errors
/// The terminal cannot be used, or its input ends.
fn ask_for_valid_name(name: Option<String>) -> Result<(Option<String>, bool), Failure> {
    let Some(invalid) = name.as_ref().filter(|it| Username::new(it).is_err()) else {
        return Ok((name, false));
    };
    let mut question = NameQuestion::default();
    let mut refusal = question.refuse(invalid);
    loop {
        let mut out = stdout();
        let asked =
            write!(out, "{}\n{}", refusal.join("\n"), question.prompt().unwrap_or_default());
        asked
            .and_then(|()| out.flush())
            .with_context(|| text!("cannot-ask"))
            .map_err(os_failure)?;
        let mut line = String::new();
        let count = stdin()
            .read_line(&mut line)
            .with_context(|| text!("answer-unreadable"))
            .map_err(os_failure)?;
        if count == 0 {
            return Err(usage_failure(anyhow!(text!("no-name-chosen"))));
        }
        match question.answer(&line) {
            Ok(chosen) => return Ok((Some(chosen), true)),
            Err(lines) => refusal = lines,
        }
    }
}

/// Returns the room with its room id. For a closed room, derives the encryption key from the
/// passphrase. The derivation takes about a second.
///
/// # Errors
/// There is not enough memory for the derivation.
fn derive_room(config: &Config) -> Result<Room> {
    match &config.passphrase {
        Some(passphrase) => Room::closed(&config.room, &passphrase.0).map_err(Into::into),
        None => Ok(Room::open(&config.room)),
    }
}

/// Loads the user's signing key from the state directory, or creates it there. If the key file
/// cannot be used (a home directory that is full, read-only or without file locks, or a file that
/// holds no key), calls `warn` with the reason and creates an ephemeral key: chatting is possible
/// without a place for a key. Creates an ephemeral key without a warning if there is no state
/// directory, or if another process uses the key.
///
/// # Errors
/// The random source fails.
fn load_key(warn: impl FnOnce(&str)) -> Result<PeerKey> {
    let Some(directory) = state_directory() else { return Ok(PeerKey::ephemeral()?) };
    match PeerKey::load_or_create(&directory) {
        Err(error @ (KeyError::Disk { .. } | KeyError::NotAKey { .. })) => {
            warn(&text!("peer-new-key", reason = key_error_text(&error)));
            Ok(PeerKey::ephemeral()?)
        }
        key => key.map_err(|error| anyhow!(key_error_text(&error))),
    }
}

/// Runs `chat-peer doctor`: prints which paths to other peers work, what is wrong, and what to do.
/// Returns exit code [`exit::UNAVAILABLE`] if nobody can be reached for a reason that was found, if
/// a named host does not answer while nobody else does, or if the diagnosis fails; otherwise 0.
fn run_doctor(common: &CommonArgs) -> Result<u8, Failure> {
    let config = common.merged_config(false).and_then(PartialConfig::into_config);
    let config = config.map_err(usage_failure)?;
    let room = Arc::new(derive_room(&config).map_err(os_failure)?);
    let report = |line: &doctor::Finding| {
        // The stream may be closed. The exit code reports the result too.
        let _ = writeln!(stdout(), "{line}");
    };
    let runtime = frontend::build_runtime().map_err(os_failure)?;
    let works = runtime.block_on(doctor::diagnose(&config.room, &room, &config.network, report));
    runtime.shutdown_background();
    Ok(if works { 0 } else { exit::UNAVAILABLE })
}

/// Runs a chat in the terminal, with plain lines, with JSON lines or headless. On a terminal, first
/// asks for another name if the configured one is invalid. Ends when the user leaves, the input
/// ends, a termination signal arrives, or the peer is rejected. Returns the exit code. With JSON
/// lines, the rejection or unsent messages are not returned as an error: they are in the object
/// `end`.
fn run_chat(chat: &ChatArgs) -> Result<u8, Failure> {
    let can_ask_name = frontend::is_interactive() && !chat.json && !chat.headless;
    let mut partial = chat.common.merged_config(chat.ask).map_err(usage_failure)?;
    let ui_mode = match (chat.headless, chat.json, chat.plain) {
        (true, ..) => UiMode::Headless,
        (_, true, _) => UiMode::Json,
        (.., false) if frontend::has_full_screen() => UiMode::FullScreen,
        _ => UiMode::Plain,
    };
    if ui_mode == UiMode::Headless {
        logging::init();
    }
    let key = load_key(|warning| match ui_mode {
        UiMode::Headless => tracing::warn!("{warning}"),
        UiMode::FullScreen | UiMode::Plain | UiMode::Json => frontend::print_warning(warning),
    });
    let mut is_name_chosen = false;
    let mut _entered = None;
    if can_ask_name {
        partial.name = partial.name.or_else(|| remembered_name()?.load());
        let name = partial.name.as_deref();
        if ui_mode != UiMode::FullScreen {
            (partial.name, is_name_chosen) = ask_for_valid_name(partial.name)?;
        } else if name.is_none_or(|it| Username::new(it).is_err()) {
            let Some((answers, entered)) = ask_in_window(name)? else { return Ok(0) };
            (partial.name, is_name_chosen, _entered) = (answers.name, true, Some(entered));
        }
    }
    let config = partial.into_config().map_err(usage_failure)?;
    let setup = PeerSettings {
        wire_room: derive_room(&config).map_err(os_failure)?,
        key: key.map_err(os_failure)?,
        username: config.name.clone(),
        room: config.room.clone(),
        // A headless peer has no user to ask.
        ask: config.ask && ui_mode != UiMode::Headless,
        can_ask_name,
        network: config.network.clone(),
        throttle_requests: matches!(ui_mode, UiMode::Plain | UiMode::Json),
    };
    let view_state = SharedViewState::with_dialect(Dialect::Peers);
    view_state.with(|it| it.name_question.usual_name = Some(default_username()));
    let ignore_problem = if ui_mode == UiMode::Headless {
        None
    } else {
        open_ignore_list(&view_state.with(|it| it.ignore_list.clone()))
    };
    let name_file = remembered_name();
    let (requests, request_queue) = frontend::request_queue();
    match ui_mode {
        UiMode::Headless => {
            if !setup.key.is_persistent() {
                tracing::info!("another chat-peer uses the key, or there is no directory for it");
            }
            match config.passphrase {
                Some(_) => tracing::info!("this room has a passphrase"),
                None => tracing::info!("this room is open: everybody on the network can read it"),
            }
            let outcome = run_driver(setup, &mut HeadlessScreen::default(), request_queue)
                .map_err(os_failure);
            // The sender lives until here, so that the queue stays open while the peer runs.
            drop(requests);
            exit_code(&outcome?, &config, false)
        }
        UiMode::FullScreen => {
            let mut screen = frontend::open_full_screen(view_state, requests, window_settings())?;
            let mut remembering = RememberingScreen::new(&mut screen, name_file, is_name_chosen);
            show_problem(&mut remembering, ignore_problem.as_ref());
            let end = run_driver(setup, &mut remembering, request_queue).map_err(os_failure)?;
            drop(screen);
            exit_code(&end, &config, false)
        }
        UiMode::Plain => {
            let mut screen = frontend::open_plain(view_state.clone(), requests, SCRIPT_PATIENCE);
            let mut screen = RememberingScreen::new(&mut screen, name_file, is_name_chosen);
            show_problem(&mut screen, ignore_problem.as_ref());
            let end = run_driver(setup, &mut screen, request_queue).map_err(os_failure)?;
            frontend::script_exit_code(&view_state, |is_script| exit_code(&end, &config, is_script))
        }
        UiMode::Json => {
            let mut screen = frontend::open_json(view_state.clone(), requests, SCRIPT_PATIENCE);
            show_problem(&mut screen, ignore_problem.as_ref());
            let end = run_driver(setup, &mut screen, request_queue).map_err(os_failure)?;
            Ok(write_end(
                &mut screen,
                &end,
                frontend::script_exit_code(&view_state, |is_script| {
                    exit_code(&end, &config, is_script)
                }),
            ))
        }
    }
}

/// Runs the peer's driver until the peer has left or is rejected. At a termination signal the peer
/// leaves.
///
/// # Errors
/// The tokio runtime cannot be built, or the driver fails.
fn run_driver(
    setup: PeerSettings,
    screen: &mut dyn Screen,
    request_queue: Receiver<Request>,
) -> Result<End> {
    let runtime = frontend::build_runtime()?;
    let end = runtime.block_on(drive(setup, screen, request_queue, termination_signal()));
    // Do not wait for a host name that is still being resolved.
    runtime.shutdown_background();
    end.map_err(|error| match error {
        PeerError::Network(error) => {
            anyhow!(text!("peer-no-network", reason = io_error_text(&error)))
        }
        PeerError::Random(_) => anyhow!(text!("no-random-source")),
        PeerError::UsedUp => anyhow!(text!("peer-used-up")),
    })
}

/// Writes the JSON object `end`, the last line of output, with the error text of `outcome`, which
/// is printed nowhere else. Returns the exit code.
fn write_end(screen: &mut JsonScreen<impl Write>, end: &End, outcome: Result<u8, Failure>) -> u8 {
    let (exit, text) = frontend::exit_code_and_text(outcome);
    let object = match end {
        End::Left { .. } => json!({"type": "end", "reason": "left", "exit": exit, "text": text}),
        End::Rejected { by, code, .. } => json!({
            "type": "end", "reason": "rejected", "exit": exit, "text": text, "by": by, "code": code,
        }),
    };
    // The output may be closed. The exit code reports the result too.
    let _ = screen.write(&object);
    exit
}

/// Converts the end of the peer to the exit code, or to a failure with a text for the user. Unsent
/// messages are a failure. With `is_script`, a refused request gives [`exit::REFUSED`]; otherwise
/// it does not count.
fn exit_code(end: &End, config: &Config, is_script: bool) -> Result<u8, Failure> {
    match end {
        End::Left { unsent, .. } if *unsent > 0 => {
            Err((exit::UNAVAILABLE, anyhow!(text!("peer-unsent", count = *unsent))))
        }
        End::Left { refused, .. } if *refused > 0 && is_script => Ok(exit::REFUSED),
        End::Left { .. } => Ok(0),
        End::Rejected { by, code, reason } => {
            let text = describe_rejection(by, *code, reason, config);
            Err((exit::REFUSED, anyhow!(safe_line(&text))))
        }
    }
}

/// Formats the rejection by another peer as text for the user: that peer's name and the reason. If
/// the reason is the user's name, adds how to request another. The text may contain characters that
/// are dangerous to a terminal.
fn describe_rejection(by: &str, code: u16, reason: &str, config: &Config) -> String {
    let by = if by == UNKNOWN_NAME { text!("peer-somebody") } else { by.to_owned() };
    let reason = rejection_reason(code, reason);
    match ErrorCode::from_number(code) {
        Some(code) if code.is_about_name() => {
            let name = config.name.as_str();
            text!("peer-rejected-name", by = by, reason = reason, name = name)
        }
        _ => text!("peer-rejected", by = by, reason = reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Known and unknown error codes give a text with a reason.
    #[test]
    fn rejection_names_peer_reason_and_remedy() {
        let name = Some("Anna".to_owned());
        let config = PartialConfig { name, ..PartialConfig::default() }.into_config().unwrap();
        let text = |code, reason| describe_rejection("anna", code, reason, &config);
        assert_eq!(
            text(201, "anna has been here for 5 minutes."),
            "anna says no: Somebody here has this name. anna has been here for 5 minutes. \
             You asked for “Anna”. To ask for another name, use --name."
        );
        let blocked = ErrorCode::Blocked.default_text();
        assert_eq!(text(400, blocked), format!("anna says no: {blocked}"));
        assert_eq!(text(400, ""), format!("anna says no: {blocked}"));
        assert_eq!(text(999, " not today "), "anna says no: not today");
        assert_eq!(text(999, ""), "anna says no: no reason is given.");
        with_language(Language::German, || {
            assert_eq!(
                text(201, "anna has been here for 3 days."),
                "anna sagt Nein: Hier hat schon jemand diesen Namen. anna ist seit 3 Tagen hier. \
                 Du wolltest „Anna“ heißen. Einen anderen Namen nennst du mit --name."
            );
            assert_eq!(text(400, blocked), "anna sagt Nein: Jemand hier hat dich blockiert.");
            assert_eq!(text(999, " not today "), "anna sagt Nein: not today");
        });
    }
}
