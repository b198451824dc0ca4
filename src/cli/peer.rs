//! The command line of `chat-peer`.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::{Args, CommandFactory, Parser, Subcommand};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver};

use super::exit::{self, Failed, os, usage};
use super::signals::interrupted;
use super::{logging, tell_error, tell_usage};
use crate::config::peer::{Config, Partial, split_list};
use crate::config::person::state_directory;
use crate::mesh::End;
use crate::model::{ErrorCode, Request};
use crate::peer::{HeadlessScreen, PeerKey, PeerSettings, doctor, run as drive};
use crate::systemd;
use crate::ui::{
    Dialect, JsonScreen, PlainScreen, Screen, SharedViewState, read_json, read_plain, safe_line,
    terminal,
};
use crate::wire::udp::Room;

/// Requests on their way from the thread that reads to the driver.
const CHANNEL: usize = 16;

/// How long somebody at a terminal waits for the last answers.
const TERMINAL_PATIENCE: Duration = Duration::from_secs(5);

/// The same of a script.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(60);

/// Chat without a server: with everybody in the same network.
///
/// Lines that you type are messages; /help lists the commands. Without a
/// terminal, lines of the input are messages, and at its end it leaves.
/// A room with a passphrase can be read only by those who know it.
#[derive(Parser)]
#[command(
    name = "chat-peer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Settings come from flags, else from the environment (PI_CHAT_NAME, PI_CHAT_ROOM,
PI_CHAT_PASSPHRASE_FILE, PI_CHAT_PORT, PI_CHAT_INTERFACE, PI_CHAT_PEER,
PI_CHAT_ASK=1), else from the file peer.toml (name, room, passphrase-file, port,
interfaces, peers, ask).

Exit codes:
  0   left as asked
  64  the command line, the configuration or a line of a script makes no sense
  69  messages of a script were not sent; doctor: no peer that was
      found answers, or nobody is there and no way works
  71  something in this computer does not work
  77  somebody in the room says no: the name is taken, you are blocked; or a
      request of a script was refused
Codes of a script (an input that is no terminal, also with --json) are those of
its end: it goes on after a line that makes no sense and after a refusal."
)]
struct Cli {
    /// Without one: chat.
    #[command(subcommand)]
    action: Option<Action>,
    /// Everything else.
    #[command(flatten)]
    chat: Chat,
}

/// What can be done besides chatting.
#[derive(Subcommand)]
enum Action {
    /// Ping by each way, each peer that is heard and each named one, say in
    /// plain words what works, and leave; does not go into the room
    Doctor(Common),
}

/// Flags that every action has.
#[derive(Args)]
struct Common {
    /// What you would like to be called [default: your login name]
    #[arg(long, short)]
    name: Option<String>,
    /// The room [default: lobby]
    #[arg(long, short)]
    room: Option<String>,
    /// The first line of this file is the room's passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The room's UDP port, the same for all [default: 2428]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Use only this network interface; may be given several times. lo is
    /// for peers on one machine [default: all but lo]
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// Somebody beyond the network; may be given several times
    #[arg(long, value_name = "HOST[:PORT]")]
    peer: Vec<String>,
    /// Settings [default: peer.toml in your configuration directory]
    #[arg(long, value_name = "FILE", env = "PI_CHAT_PEER_CONFIG")]
    config: Option<PathBuf>,
}

/// Flags of chatting.
#[derive(Args)]
struct Chat {
    /// Lines in and out, also on a terminal
    #[arg(long, conflicts_with_all = ["json", "headless"])]
    plain: bool,
    /// One JSON object a line, in and out (docs/json.md)
    #[arg(long, conflicts_with = "headless")]
    json: bool,
    /// Nobody sits here: only keep the room's messages, and log to standard
    /// error
    #[arg(long)]
    headless: bool,
    /// Be asked about each newcomer; no answer for 10 seconds is a yes
    #[arg(long, conflicts_with = "headless")]
    ask: bool,
    /// Flags that every action has.
    #[command(flatten)]
    common: Common,
}

/// How it looks to whoever uses it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A line editor.
    Terminal,
    /// Lines.
    Plain,
    /// Objects.
    Json,
    /// A log.
    Headless,
}

/// What can be typed, for the manual and for shells.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return tell_usage(&told),
    };
    let is_service = cli.chat.headless;
    let outcome = match cli.action {
        Some(Action::Doctor(common)) => examine(&common),
        None => chat(&cli.chat),
    };
    match outcome {
        Ok(code) => code.into(),
        Err((code, error)) => {
            if is_service {
                systemd::notify_status(&format!("{error:#}"));
            }
            tell_error(&error);
            code.into()
        }
    }
}

impl Common {
    /// All settings, from wherever they come.
    fn config(&self, ask: bool) -> Result<Config> {
        let list = |given: &[String]| {
            (!given.is_empty()).then(|| given.iter().flat_map(|it| split_list(it)).collect())
        };
        let flags = Partial {
            name: self.name.clone(),
            room: self.room.clone(),
            passphrase_file: self.passphrase_file.clone(),
            port: self.port,
            interfaces: list(&self.interface),
            peers: list(&self.peer),
            ask: ask.then_some(true),
        };
        let environment = Partial::from_environment()?;
        flags.or(environment).or(Partial::from_file(self.config.as_deref())?).finish()
    }
}

/// The room as its datagrams know it. Takes a second where it is closed.
fn sealed(config: &Config) -> Result<Room> {
    match &config.passphrase {
        Some(passphrase) => Room::closed(&config.room, &passphrase.0).map_err(Into::into),
        None => Ok(Room::open(&config.room)),
    }
}

/// The person's key. Who has no place to keep one gets another each time.
fn key() -> Result<PeerKey> {
    match state_directory() {
        Some(directory) => PeerKey::load_or_create(&directory),
        None => PeerKey::ephemeral(),
    }
    .map_err(Into::into)
}

/// Something to run the driver in.
fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot begin")
}

/// Looks what works.
fn examine(common: &Common) -> Result<u8, Failed> {
    let config = common.config(false).map_err(usage)?;
    let room = Arc::new(sealed(&config).map_err(os)?);
    let (named, network) = (config.room.as_str().to_owned(), config.network);
    let report = |line: &doctor::Finding| {
        // Nobody may be there to read it; the exit code says the same.
        let _ = writeln!(stdout(), "{line}");
    };
    let runtime = runtime().map_err(os)?;
    let works = runtime.block_on(doctor::diagnose(&named, &room, &network, report));
    runtime.shutdown_background();
    Ok(if works { 0 } else { exit::UNAVAILABLE })
}

/// Chats.
fn chat(chat: &Chat) -> Result<u8, Failed> {
    let config = chat.common.config(chat.ask).map_err(usage)?;
    let is_terminal = stdin().is_terminal() && stdout().is_terminal();
    let look = match (chat.headless, chat.json, chat.plain) {
        (true, ..) => Look::Headless,
        (_, true, _) => Look::Json,
        (.., false) if is_terminal => Look::Terminal,
        _ => Look::Plain,
    };
    let setup = PeerSettings {
        wire_room: sealed(&config).map_err(os)?,
        key: key().map_err(os)?,
        username: config.name.clone(),
        room: config.room.clone(),
        // Where nobody sits nobody can be asked.
        ask: config.ask && look != Look::Headless,
        network: config.network.clone(),
        hold_back: matches!(look, Look::Plain | Look::Json),
    };
    let scene = SharedViewState::with_dialect(Dialect::Peers);
    let (requests, taken) = mpsc::channel(CHANNEL);
    match look {
        Look::Headless => {
            logging::start();
            if !setup.key.is_persistent() {
                tracing::info!("another peer has the key, or there is no place for one");
            }
            match config.passphrase {
                Some(_) => tracing::info!("a room with a passphrase"),
                None => tracing::info!("an open room: everybody in the network can read along"),
            }
            let outcome = run_driver(setup, &mut HeadlessScreen::default(), taken).map_err(os);
            // It listens for as long as the peer runs.
            drop(requests);
            finish(&outcome?, &config, false)
        }
        Look::Terminal => {
            let (mut screen, input) = terminal::open(scene)
                .context("cannot use this terminal (try --plain)")
                .map_err(os)?;
            thread::spawn(move || input.run(&requests, TERMINAL_PATIENCE));
            let end = run_driver(setup, &mut screen, taken).map_err(os)?;
            drop(screen);
            finish(&end, &config, false)
        }
        Look::Plain => {
            let mut screen =
                PlainScreen::new(stdout(), stderr(), stdout().is_terminal(), scene.clone());
            let shared = scene.clone();
            thread::spawn(move || {
                read_plain(&mut stdin().lock(), &shared, &requests, SCRIPT_PATIENCE);
            });
            let end = run_driver(setup, &mut screen, taken).map_err(os)?;
            finish_script(&end, &config, &scene)
        }
        Look::Json => {
            let mut screen = JsonScreen::new(stdout());
            let shared = scene.clone();
            thread::spawn(move || {
                read_json(&mut stdin().lock(), &shared, &requests, SCRIPT_PATIENCE);
            });
            let end = run_driver(setup, &mut screen, taken).map_err(os)?;
            Ok(tell_end(&mut screen, &end, finish_script(&end, &config, &scene)))
        }
    }
}

/// Runs the driver to its end.
fn run_driver(
    setup: PeerSettings,
    screen: &mut dyn Screen,
    taken: Receiver<Request>,
) -> Result<End> {
    let runtime = runtime()?;
    let end = runtime.block_on(drive(setup, screen, taken, interrupted()));
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    end.map_err(Into::into)
}

/// The last object of a bot. Gives the exit code.
fn tell_end(screen: &mut JsonScreen<impl Write>, end: &End, outcome: Result<u8, Failed>) -> u8 {
    let (exit, text) = match outcome {
        Ok(code) => (code, String::new()),
        Err((code, error)) => (code, format!("{error:#}")),
    };
    let object = match end {
        End::Left { .. } => json!({"type": "end", "reason": "left", "exit": exit, "text": text}),
        End::Rejected { by, code, .. } => json!({
            "type": "end", "reason": "rejected", "exit": exit, "text": text, "by": by, "code": code,
        }),
    };
    // Nobody may be reading any more; the exit code says the same.
    let _ = screen.write(&object);
    exit
}

/// As [`finish`], for an input of lines or objects: it is a script unless
/// somebody types it. Lines that made no sense count, too.
fn finish_script(end: &End, config: &Config, scene: &SharedViewState) -> Result<u8, Failed> {
    let is_script = !stdin().is_terminal();
    let code = finish(end, config, is_script)?;
    let has_mistakes = is_script && scene.with(|it| it.input_errors > 0);
    Ok(if code == 0 && has_mistakes { exit::USAGE } else { code })
}

/// The exit code of an end, with a sentence where it is an error. A script
/// wants to know of every message that was not sent.
fn finish(end: &End, config: &Config, is_script: bool) -> Result<u8, Failed> {
    match end {
        End::Left { unsent, .. } if *unsent > 0 => {
            Err((exit::UNAVAILABLE, anyhow!("{unsent} messages were not sent.")))
        }
        End::Left { refused, .. } if *refused > 0 && is_script => Ok(exit::REFUSED),
        End::Left { .. } => Ok(0),
        End::Rejected { by, code, reason } => {
            let sentence = rejection(by, *code, reason, config);
            Err((exit::REFUSED, anyhow!(safe_line(&sentence))))
        }
    }
}

/// Who says no, why, and what one can do about it.
fn rejection(by: &str, code: u16, reason: &str, config: &Config) -> String {
    let known = ErrorCode::from_number(code);
    // What the code means, then the other's own words, where they say more.
    let meaning = known.map_or("", ErrorCode::default_text);
    let own = Some(reason.trim()).filter(|it| !it.is_empty() && *it != meaning);
    let reason = match (meaning, own) {
        ("", None) => "no reason is given.".to_owned(),
        ("", Some(own)) => own.to_owned(),
        (meaning, None) => meaning.to_owned(),
        (meaning, Some(own)) => format!("{meaning} {own}"),
    };
    let hint = match known {
        Some(ErrorCode::NameInvalid | ErrorCode::NameTaken | ErrorCode::NameLookalike) => {
            format!(" You asked for “{}”; --name asks for another.", config.name.as_str())
        }
        _ => String::new(),
    };
    format!("{by} says no: {reason}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By whom, why, and what to do: in words that are there in any case.
    #[test]
    fn rejections() {
        let name = Some("Anna".to_owned());
        let config = Partial { name, ..Partial::default() }.finish().unwrap();
        let told = |code, reason| rejection("anna", code, reason, &config);
        assert_eq!(
            told(201, "anna has been here for 5 minutes."),
            "anna says no: Somebody here has this name. anna has been here for 5 minutes. \
             You asked for “Anna”; --name asks for another."
        );
        let blocked = ErrorCode::Blocked.default_text();
        assert_eq!(told(400, blocked), format!("anna says no: {blocked}"));
        assert_eq!(told(400, ""), format!("anna says no: {blocked}"));
        assert_eq!(told(999, " not today "), "anna says no: not today");
        assert_eq!(told(999, ""), "anna says no: no reason is given.");
    }
}
