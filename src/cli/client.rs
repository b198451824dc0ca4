//! Command line of `chat-client`.

mod end;
mod forget;
mod send;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio::sync::mpsc::Receiver;

use self::end::{end_reason_and_code, exit_code};
use self::forget::{ForgetArgs, forget_server};
use self::send::{SendArgs, send_message};
use super::discover::{self, DiscoverArgs};
use super::exit::{Failure, os_failure, usage_failure};
use super::first_questions::{self, name_default};
use super::frontend::{self, RememberingScreen};
use super::print_clap_message;
use super::signals::termination_signal;
use crate::client::{Destination, Setup, UserKey, WrongKey, run as drive};
use crate::config::client::{Config, PartialConfig, split_rooms};
use crate::config::remembered_name::RememberedName;
use crate::config::remembered_server::RememberedServer;
use crate::config::user::{default_username, state_directory};
use crate::link::{EndReason, Settings};
use crate::model::Request;
use crate::os::random_bytes;
use crate::text;
use crate::tls::{Fingerprint, FingerprintDigits, LinkError, SaidFingerprint, ServerLink};
use crate::ui::full_screen::SettingsFile;
use crate::ui::full_screen::start::{Entered, Questions, ServerChoice, ServerQuestion};
use crate::ui::{Screen, SharedViewState, key_error_text, link_error_text, safe_line};

/// Chat on a pi-chat server.
///
/// What you type is sent as messages; /help lists the commands, /moderation those for moderators.
/// /list, /names and /part do what /rooms, /who and /leave do.
/// Without a terminal, the lines of the input are messages, and the client leaves when all of them
/// have arrived.
///
/// Without SERVER, the client looks for a server on this network. If it finds several, you can
/// choose one on a terminal; the full screen remembers which. The first time it asks for your name.
#[derive(Parser)]
#[command(
    name = "chat-client",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Settings come from flags, then from the environment (PI_CHAT_SERVER, PI_CHAT_NAME,
PI_CHAT_ROOM, PI_CHAT_PASSWORD, PI_CHAT_PASSWORD_FILE, PI_CHAT_INVITE, PI_CHAT_NO_KEY,
PI_CHAT_WAIT, PI_CHAT_TIMEOUT), then from the file client.toml (server, name, rooms,
password, password-file, no-key, wait, timeout).

Exit codes:
  0   ended as asked; everything arrived
  64  the command line, the configuration or a line of a script is wrong
  69  no server was found or reached, or messages of a script did not arrive in time
  71  something on this computer does not work
  76  client and server do not understand each other
  77  the server refused: the name is taken or belongs to somebody, the password
      is wrong, an invitation is missing, or a request of a script was refused;
      or the server's key is not the expected one
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

/// Subcommands of `chat-client`.
#[derive(Subcommand)]
enum Action {
    /// Send one message, wait until it has arrived, and leave
    Send(Box<SendArgs>),
    /// List the servers announced on this network
    Discover(DiscoverArgs),
    /// Forget the key of a server, after its owner has said that it has changed
    ///
    /// The next connection over TLS then trusts the key that it finds.
    Forget(ForgetArgs),
}

/// Flags that a chat and `send` share.
#[derive(Args)]
struct CommonArgs {
    /// Your name in the chat [default: the name that the invitation is for, otherwise the name that
    /// you chose when you were asked, otherwise your login name]
    #[arg(long, short)]
    name: Option<String>,
    /// Enter this room; can be given several times [default: lobby]
    #[arg(long, short)]
    room: Vec<String>,
    /// Read the server's password from the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Use this invitation, or this code that /link shows on another device of yours: the code
    /// itself, or the link with it
    #[arg(long, value_name = "CODE")]
    invite: Option<String>,
    /// Do not prove your key: the server does not recognise you by it, and you cannot claim a
    /// name
    #[arg(long)]
    no_key: bool,
    /// Read settings from this file [default: client.toml in your configuration directory]
    #[arg(long, value_name = "FILE", env = "PI_CHAT_CONFIG")]
    config: Option<PathBuf>,
    /// Keep trying if the server cannot be reached yet
    #[arg(long)]
    wait: bool,
    /// After the end of the input, wait this long for an answer before giving up [default: 60]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Start a new session instead of resuming the last one, and save nothing on disk
    #[arg(long)]
    fresh: bool,
    /// Connect only over TLS, and only to the server whose key has this fingerprint; its owner finds
    /// it with `chat-server status`
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Option<FingerprintDigits>,
}

/// Flags of a chat.
#[derive(Args)]
struct ChatArgs {
    /// host, host:port, [::1]:port, chats://host (TLS), chat://host (unencrypted), or the link that
    /// `chat-server invite` shows
    /// [default: the server on this network]
    #[arg(id = "place", value_name = "SERVER")]
    address: Option<String>,
    /// The server's port, as in host:port
    #[arg(requires = "place", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The same as SERVER, as a flag
    #[arg(long, value_name = "SERVER", conflicts_with = "place")]
    server: Option<String>,
    /// Read and print plain lines, even on a terminal
    #[arg(long, conflicts_with = "json")]
    plain: bool,
    /// Read and print JSON, one object per line (docs/json.md)
    #[arg(long)]
    json: bool,
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
    /// No commands as input, and only errors as output: `chat-client send`.
    Silent,
}

/// Returns the definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs `chat-client`: parses the command line, executes it and prints errors. Returns the exit
/// code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return print_clap_message(&message),
    };
    frontend::set_language(cli.is_for_programs());
    let outcome = match cli.action {
        Some(Action::Send(send)) => send_message(*send),
        Some(Action::Discover(command)) => discover::run(&command),
        Some(Action::Forget(command)) => forget_server(&command),
        None => run_chat(cli.chat),
    };
    match outcome {
        Ok(code) => code.into(),
        Err((code, error)) => {
            frontend::print_error(&error);
            code.into()
        }
    }
}

impl Cli {
    /// Returns true if programs read the output, as JSON.
    const fn is_for_programs(&self) -> bool {
        match &self.action {
            Some(Action::Discover(discover)) => discover.json,
            Some(Action::Send(_) | Action::Forget(_)) => false,
            None => self.chat.json,
        }
    }
}

impl ChatArgs {
    /// Returns the address of the server as one text; `None` if none is given.
    fn server(&self) -> Option<String> {
        let place = self.address.as_ref().or(self.server.as_ref())?;
        Some(match self.port {
            // An IPv6 address needs brackets before a port.
            Some(port) if place.parse::<Ipv6Addr>().is_ok() => format!("[{place}]:{port}"),
            Some(port) => format!("{place}:{port}"),
            None => place.clone(),
        })
    }
}

impl CommonArgs {
    /// Loads the complete settings from flags, environment and file. If no server is named,
    /// discovers one on the local network. With the `wait` setting, the search goes on until one is
    /// found. With `can_ask`, the user chooses among several servers, and the username defaults to
    /// the remembered one.
    ///
    /// # Errors
    /// A setting is invalid, or no server was found. Without `can_ask`, several servers are an
    /// error too.
    fn load_config(&self, server: Option<String>, can_ask: bool) -> Result<Config, Failure> {
        let mut partial = self.merged_config(server).map_err(usage_failure)?;
        let is_default_name = partial.name.is_none();
        if can_ask {
            partial.name = partial.name.or_else(|| remembered_name()?.load());
        }
        let is_patient = partial.wait.unwrap_or(false);
        let config = self.complete(partial, || discover::choose_server(can_ask, is_patient))?;
        Ok(Config { is_default_name, ..config })
    }

    /// Loads the complete settings for a chat on the full screen. If no server is named, or no name
    /// is known, asks for them in the window. Returns `None` if the user leaves.
    ///
    /// # Errors
    /// A setting is invalid, or the terminal cannot be used.
    fn load_in_window(&self, server: Option<String>) -> Result<Option<InWindow>, Failure> {
        let mut partial = self.merged_config(server).map_err(usage_failure)?;
        let is_default_name = partial.name.is_none();
        let link = partial.server_link().map_err(usage_failure)?;
        let invite = partial.invite(link.as_ref()).map_err(usage_failure)?;
        partial.name = partial.name.or_else(|| remembered_name()?.load());
        // An invitation may bring the name, and with `--fresh` none would be remembered.
        let asks_name = partial.name.is_none() && invite.is_none() && !self.fresh;
        let remembered = RememberedServer::in_state_directory().filter(|_| !self.fresh);
        let questions = Questions {
            program: "chat-client",
            server: link.is_none().then(|| ServerQuestion {
                last: remembered.as_ref().and_then(RememberedServer::load),
                check: check_address,
            }),
            name: asks_name.then(|| name_default(&default_username(), None)),
        };
        if questions.server.is_none() && questions.name.is_none() {
            let config = self.complete(partial, || discover::choose_server(false, false))?;
            let config = Config { is_default_name, ..config };
            return Ok(Some(InWindow { config, is_named: false, at_join: None, _entered: None }));
        }
        let (inputs, queue) = mpsc::channel();
        let found = link.is_none().then(|| discover::offer_servers(inputs.clone()));
        let Some((answers, entered)) =
            first_questions::ask(questions, inputs, &queue, &window_settings(self.fresh))?
        else {
            return Ok(None);
        };
        let is_named = answers.name.is_some();
        partial.name = answers.name.or(partial.name);
        let mut destination = None;
        let mut chosen = None;
        match answers.server {
            Some(ServerChoice::Found(key)) => {
                let found = found.unwrap_or_default();
                destination =
                    found.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
                chosen = Some(ServerChoice::Found(key));
            }
            Some(ServerChoice::Typed(text)) => {
                // An invitation is good once, and the fingerprint is kept elsewhere.
                let address = text.split('#').next().unwrap_or_default().trim_end_matches('/');
                chosen = Some(ServerChoice::Typed(address.to_owned()));
                partial.server = Some(text);
            }
            None => {}
        }
        let missing = || os_failure(anyhow!(text!("chosen-server-gone")));
        let config = self.complete(partial, || destination.ok_or_else(missing))?;
        let config = Config { is_default_name: is_default_name && !is_named, ..config };
        let at_join = remembered.zip(chosen).map(|(file, server)| -> Box<dyn FnOnce()> {
            Box::new(move || {
                // Chatting works without it; the next time the user is asked again.
                if let Err(error) = file.save(&server) {
                    tracing::debug!("the server could not be saved for next time: {error}");
                }
            })
        });
        Ok(Some(InWindow { config, is_named, at_join, _entered: Some(entered) }))
    }

    /// Completes the settings. `find` finds a server if none is named.
    ///
    /// # Errors
    /// A setting is invalid, or `find` fails.
    fn complete(
        &self,
        partial: PartialConfig,
        find: impl FnOnce() -> Result<Destination, Failure>,
    ) -> Result<Config, Failure> {
        let link = partial.server_link().map_err(usage_failure)?;
        let linked = link.as_ref().and_then(|it| it.fingerprint);
        let said = said_fingerprint(linked, self.fingerprint).map_err(usage_failure)?;
        let invite = partial.invite(link.as_ref()).map_err(usage_failure)?;
        let server = match link {
            Some(link) => link.address.into(),
            None => find()?,
        };
        partial.into_config(server, said, invite).map_err(usage_failure)
    }

    /// Merges the settings of flags, environment and file. Flags take precedence, then the
    /// environment.
    ///
    /// # Errors
    /// The environment or the configuration file has an invalid setting, or the file cannot be
    /// read.
    fn merged_config(&self, server: Option<String>) -> Result<PartialConfig> {
        let flags = PartialConfig {
            server,
            name: self.name.clone(),
            rooms: (!self.room.is_empty())
                .then(|| self.room.iter().flat_map(|it| split_rooms(it)).collect()),
            password: None,
            password_file: self.password_file.clone(),
            invite: self.invite.clone(),
            no_key: self.no_key.then_some(true),
            wait: self.wait.then_some(true),
            timeout: self.timeout,
        };
        let environment = PartialConfig::from_environment()?;
        Ok(flags.or(environment).or(PartialConfig::from_file(self.config.as_deref())?))
    }
}

/// Settings of a chat on the full screen, and what the first questions leave.
struct InWindow {
    /// Complete settings.
    config: Config,
    /// True if the user has been asked for the name.
    is_named: bool,
    /// Remembers the server, when the user has joined it; `None` if it was not asked for.
    at_join: Option<Box<dyn FnOnce()>>,
    /// Keeps the full screen open until the chat has ended; `None` if nothing was asked.
    _entered: Option<Entered>,
}

/// Returns why a text cannot be the address of a server; nothing if it can.
fn check_address(text: &str) -> Result<(), String> {
    let parsed = text.parse::<ServerLink>();
    let refuse = |error: LinkError| {
        text!("no-such-server", text = safe_line(text), reason = link_error_text(&error))
    };
    parsed.map(|_| ()).map_err(refuse)
}

/// Returns the fingerprint that the user has said: that of a link, or the one of the flag.
///
/// # Errors
/// Both are there, and they are those of two keys.
fn said_fingerprint(
    linked: Option<Fingerprint>,
    digits: Option<FingerprintDigits>,
) -> Result<Option<SaidFingerprint>> {
    match (linked, digits) {
        (Some(whole), Some(digits)) if whole.digits() != digits => {
            bail!(text!("fingerprints-differ"))
        }
        (Some(whole), _) => Ok(Some(SaidFingerprint::Whole(whole))),
        (None, digits) => Ok(digits.map(SaidFingerprint::Digits)),
    }
}

/// Returns the file with the username that the user has chosen when they were asked. `None` if
/// the user has no home directory.
fn remembered_name() -> Option<RememberedName> {
    RememberedName::in_state_directory("client.name")
}

/// Returns the file of what the user sets in the window. With `--fresh`, nothing is kept.
fn window_settings(is_fresh: bool) -> SettingsFile {
    frontend::settings_file("client.window.json", !is_fresh)
}

/// Loads the key of the user. With `--fresh`, only one that is there: no new one is left on disk.
/// Returns no key if the settings say so, or if the user has no home directory.
///
/// # Errors
/// The key file is there, and cannot be read or holds no key.
fn user_key(config: &Config, common: &CommonArgs) -> Result<UserKey> {
    let Some(directory) = state_directory().filter(|_| !config.no_key) else {
        return Ok(UserKey::none());
    };
    UserKey::load(&directory, !common.fresh)
        .map_err(|error| anyhow!(text!("key-unusable", reason = key_error_text(&error))))
}

/// Builds the setup of the client's driver, without an ignore list. With `--fresh`, no earlier
/// session is resumed, and nothing is saved.
///
/// # Errors
/// The operating system's random source fails, or the user's key file is damaged.
fn driver_setup(
    config: &Config,
    common: &CommonArgs,
    ui_mode: UiMode,
    can_ask_name: bool,
) -> Result<Setup> {
    let seed = random_bytes::<8>().with_context(|| text!("no-random-source"))?;
    let settings = Settings {
        username: config.name.clone(),
        rooms: config.rooms.clone(),
        password: config.password.clone(),
        invite: config.invite,
        observe: ui_mode != UiMode::Silent,
        retry_first_connect: config.wait,
        can_prompt: ui_mode == UiMode::FullScreen,
        can_ask_name,
        takes_invited_name: config.is_default_name,
        program: "chat-client",
        version: env!("CARGO_PKG_VERSION"),
        seed: u64::from_ne_bytes(seed),
    };
    let throttle_requests = ui_mode != UiMode::FullScreen;
    let known_servers = state_directory();
    let state = known_servers.clone().filter(|_| !common.fresh);
    Ok(Setup {
        server: config.server.clone(),
        settings,
        state_dir: state,
        known_servers,
        fingerprint: config.fingerprint,
        key: user_key(config, common)?,
        ignore_list: None,
        throttle_requests,
    })
}

/// Runs a chat in the terminal, with plain lines or with JSON lines. Ends when the user leaves, the
/// input ends, a termination signal arrives, the server refuses the client or violates the
/// protocol, or no server is reached. Returns the exit code.
///
/// Unless `--fresh` is given, a username that the user chose because another was refused is
/// remembered, but not with JSON lines. With JSON lines, the failure of a chat that has begun is
/// not returned as an error: it is in the object `end`.
fn run_chat(chat: ChatArgs) -> Result<u8, Failure> {
    let server = chat.server();
    let can_ask = frontend::is_interactive() && !chat.json;
    let ui_mode = match (chat.json, chat.plain) {
        (true, _) => UiMode::Json,
        (_, false) if frontend::has_full_screen() => UiMode::FullScreen,
        _ => UiMode::Plain,
    };
    let InWindow { config, is_named, at_join, _entered } = match ui_mode {
        UiMode::FullScreen => match chat.common.load_in_window(server)? {
            Some(loaded) => loaded,
            None => return Ok(0),
        },
        UiMode::Plain | UiMode::Json | UiMode::Silent => {
            let config = chat.common.load_config(server, can_ask)?;
            InWindow { config, is_named: false, at_join: None, _entered: None }
        }
    };
    let mut setup = driver_setup(&config, &chat.common, ui_mode, can_ask).map_err(os_failure)?;
    let view_state = SharedViewState::default();
    setup.ignore_list = Some(view_state.with(|it| it.ignore_list.clone()));
    view_state.with(|it| it.name_question.usual_name = Some(default_username()));
    let name_file = remembered_name().filter(|_| !chat.common.fresh);
    let (requests, request_queue) = frontend::request_queue();
    let patience = Duration::from_secs(config.timeout.into());
    let end = match ui_mode {
        UiMode::FullScreen => {
            let mut screen = {
                let settings = window_settings(chat.common.fresh);
                frontend::open_full_screen(view_state, requests, settings)?
            };
            let screen = RememberingScreen::new(&mut screen, name_file, is_named);
            let mut screen = screen.of_request(&config.name).at_join(at_join);
            run_driver(setup, &mut screen, request_queue).map_err(os_failure)?
        }
        UiMode::Plain | UiMode::Silent => {
            let mut screen = frontend::open_plain(view_state.clone(), requests, patience);
            let mut screen =
                RememberingScreen::new(&mut screen, name_file, false).of_request(&config.name);
            let end = run_driver(setup, &mut screen, request_queue).map_err(os_failure)?;
            return frontend::script_exit_code(&view_state, |is_script| {
                exit_code(&end, &config, is_script)
            });
        }
        UiMode::Json => {
            let mut screen = frontend::open_json(view_state.clone(), requests, patience);
            let end = run_driver(setup, &mut screen, request_queue).map_err(os_failure)?;
            let outcome = frontend::script_exit_code(&view_state, |is_script| {
                exit_code(&end, &config, is_script)
            });
            let (code, text) = frontend::exit_code_and_text(outcome);
            let (reason, _) = end_reason_and_code(&end);
            let object = serde_json::json!(
                {"type": "end", "reason": reason, "exit": code, "text": text}
            );
            // The output may be closed. The exit code reports the result too.
            let _ = screen.write(&object);
            return Ok(code);
        }
    };
    exit_code(&end, &config, false)
}

/// Runs the client's driver until the session has ended. At a termination signal the driver ends it
/// at once, without waiting for acknowledgements.
///
/// # Errors
/// The tokio runtime cannot be built.
fn run_driver(
    setup: Setup,
    screen: &mut dyn Screen,
    request_queue: Receiver<Request>,
) -> Result<Result<EndReason, WrongKey>> {
    let runtime = frontend::build_runtime()?;
    let end = runtime.block_on(drive(setup, screen, request_queue, termination_signal()));
    // Do not wait for a host name that is still being resolved.
    runtime.shutdown_background();
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a command line of `chat-client`, given without the program's name. `None` if it is
    /// invalid.
    fn parse(words: &[&str]) -> Option<Cli> {
        Cli::try_parse_from([&["chat-client"], words].concat()).ok()
    }

    #[test]
    fn server_and_port_may_be_two_words() {
        let server = |words: &[&str]| parse(words).map(|it| it.chat.server());
        let text = |it: &str| Some(Some(it.to_owned()));
        assert_eq!(server(&[]), Some(None));
        assert_eq!(server(&["pi"]), text("pi"));
        assert_eq!(server(&["pi", "2428"]), text("pi:2428"));
        assert_eq!(server(&["fe80::1", "2428"]), text("[fe80::1]:2428"));
        assert_eq!(server(&["--server", "pi"]), text("pi"));
        assert_eq!(server(&["pi", "hello"]), None);
        assert_eq!(server(&["pi", "0"]), None);
    }

    #[test]
    fn server_may_stand_before_the_text_to_send() {
        let send = |words: &[&str]| match parse(&[&["send"], words].concat())?.action? {
            Action::Send(send) => send.server_and_text().ok(),
            Action::Discover(_) | Action::Forget(_) => None,
        };
        let text = |it: &str| Some(it.to_owned());
        assert_eq!(send(&[]), Some((None, None)));
        assert_eq!(send(&["hi"]), Some((None, text("hi"))));
        assert_eq!(send(&["pi", "hi"]), Some((text("pi"), text("hi"))));
        assert_eq!(send(&["--server", "pi", "hi"]), Some((text("pi"), text("hi"))));
        assert_eq!(send(&["--server", "pi"]), Some((text("pi"), None)));
        assert_eq!(send(&["--server", "pi", "pi", "hi"]), None);
        assert_eq!(send(&["pi", "hi", "there"]), None);
    }
}
