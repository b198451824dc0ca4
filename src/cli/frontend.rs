//! User interface setup that `chat-client` and `chat-peer` share. It opens a screen, starts the
//! thread that reads the input, and computes the exit codes of scripts.

use std::env;
use std::io::{self, IsTerminal, Stderr, Stdout, Write, stderr, stdin, stdout};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::exit::{self, Failure, os_failure};
use crate::config::remembered_name::RememberedName;
use crate::config::user::state_directory;
use crate::l10n::{self, Language};
use crate::model::{Event, NameKey, Request};
use crate::text;
use crate::ui::full_screen::{self, FullScreen, SettingsFile};
use crate::ui::{JsonScreen, PlainScreen, Screen, SharedViewState, read_json, read_plain};

/// Capacity of the queue from the input thread to the driver, in requests.
const REQUEST_QUEUE_LENGTH: usize = 16;

/// Maximum time without an answer in the graceful shutdown when the user of a terminal leaves.
const TERMINAL_PATIENCE: Duration = Duration::from_secs(5);

/// Sets the language of what people read: that of the locale, which the environment variables
/// `LANGUAGE`, `LC_ALL`, `LC_MESSAGES` and `LANG` name, in this order; on Windows and macOS that of
/// the system. In the locale C it is English, whatever `LANGUAGE` says. If `is_for_programs` is
/// true, it is English: programs read the output (`--json`), or it goes to a log (`--headless`).
/// Call it once, before anything is told to the user.
pub(super) fn set_language(is_for_programs: bool) {
    l10n::set_language(match is_for_programs || is_c_locale() {
        true => Language::English,
        false => Language::choose(sys_locale::get_locales()),
    });
}

/// Returns true if the environment variables set the locale C, in which `LANGUAGE` does not count.
/// Returns false on Windows and macOS, where they do not set the language.
fn is_c_locale() -> bool {
    let value = |name: &str| env::var(name).ok().filter(|it| !it.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(value);
    let is_c = |it: String| matches!(it.split('.').next(), Some("C" | "POSIX"));
    cfg!(all(unix, not(target_vendor = "apple"))) && locale.is_some_and(is_c)
}

/// Prints an error on standard error, followed by its causes.
pub(super) fn print_error(error: &anyhow::Error) {
    // The stream may be closed. The exit code reports the failure too.
    let _ = writeln!(stderr(), "{}", text!("program-error", text = format!("{error:#}")));
}

/// Prints a warning on standard error.
#[cfg(feature = "peer")]
pub(super) fn print_warning(text: &str) {
    // The stream may be closed; the program goes on without the warning.
    let _ = writeln!(stderr(), "{}", text!("program-warning", text = text));
}

/// Creates the bounded queue of requests from the input thread to the driver.
pub(super) fn request_queue() -> (Sender<Request>, Receiver<Request>) {
    mpsc::channel(REQUEST_QUEUE_LENGTH)
}

/// Values of `TERM` for terminals that cannot move the cursor.
const DUMB_TERMINALS: [&str; 3] = ["dumb", "cons25", "emacs"];

/// Returns true if standard input and standard output are both terminals, so that a user can be
/// asked.
pub(super) fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Returns true if standard input and standard output are terminals for the full-screen interface.
/// Elsewhere the programs read and print plain lines; a user at a terminal is told why.
pub(super) fn has_full_screen() -> bool {
    let reason = match (stdin().is_terminal(), stdout().is_terminal()) {
        (true, true) if is_dumb_terminal() => text!("plain-because-terminal"),
        (true, true) => return true,
        (true, false) => text!("plain-because-output"),
        (false, true) => text!("plain-because-input"),
        (false, false) => return false,
    };
    // The stream may be closed.
    let _ = writeln!(stderr(), "-- {reason}");
    false
}

/// Returns true if the terminal cannot move its cursor. It would show control sequences as text.
fn is_dumb_terminal() -> bool {
    env::var_os("TERM")
        .is_some_and(|term| DUMB_TERMINALS.iter().any(|it| term.eq_ignore_ascii_case(it)))
}

/// Opens the full-screen interface on the terminal. At Ctrl-D or `/quit`, it requests a graceful
/// shutdown, with [`TERMINAL_PATIENCE`] as the maximum time without an answer. `settings`: file of
/// what the user has set.
///
/// # Errors
/// The terminal cannot be used (exit code [`exit::OS`]).
pub(super) fn open_full_screen(
    view_state: SharedViewState,
    requests: Sender<Request>,
    settings: SettingsFile,
) -> Result<FullScreen, Failure> {
    full_screen::open(view_state, requests, TERMINAL_PATIENCE, settings)
        .with_context(|| text!("terminal-unusable"))
        .map_err(os_failure)
}

/// Returns the file in the user's state directory in which what they set in the window is kept. If
/// `is_kept` is false, or the user has no home directory, nothing is.
pub(super) fn settings_file(name: &str, is_kept: bool) -> SettingsFile {
    SettingsFile::new(state_directory().filter(|_| is_kept).map(|it| it.join(name)))
}

/// Opens a screen of plain lines. Starts the thread that reads lines from standard input and queues
/// the requests. At the end of the input or at `/quit`, the thread requests a graceful shutdown,
/// with `patience` as the maximum time without an answer.
pub(super) fn open_plain(
    view_state: SharedViewState,
    requests: Sender<Request>,
    patience: Duration,
) -> PlainScreen<Stdout, Stderr> {
    view_state.with(|it| it.has_reader = stdin().is_terminal());
    let is_terminal = stdout().is_terminal() && !is_dumb_terminal();
    let screen = PlainScreen::new(stdout(), stderr(), is_terminal, view_state.clone());
    thread::spawn(move || read_plain(&mut stdin().lock(), &view_state, &requests, patience));
    screen
}

/// Opens a screen of JSON lines. Starts the thread that reads JSON lines from standard input and
/// queues the requests. At the end of the input or at a `quit` request, the thread requests a
/// graceful shutdown, with `patience` as the maximum time without an answer.
pub(super) fn open_json(
    view_state: SharedViewState,
    requests: Sender<Request>,
    patience: Duration,
) -> JsonScreen<Stdout> {
    let screen = JsonScreen::new(stdout(), view_state.clone());
    thread::spawn(move || read_json(&mut stdin().lock(), &view_state, &requests, patience));
    screen
}

/// Screen that passes all events on. When the user has joined under a username that they have chosen
/// when they were asked, or that is the one of their invitation, saves it as the remembered one. A failure to save is only logged.
pub(super) struct RememberingScreen<'a> {
    /// Screen that shows the events.
    screen: &'a mut dyn Screen,
    /// File to remember the name in; `None` to remember nothing.
    file: Option<RememberedName>,
    /// Username that the server is asked for, before the first join; otherwise `None`.
    requested: Option<NameKey>,
    /// True if the user has been asked for a name that has not been remembered yet.
    is_asked: bool,
    /// Called once, at the first join; `None`: it was, or there is nothing to do.
    at_join: Option<Box<dyn FnOnce()>>,
}

impl<'a> RememberingScreen<'a> {
    /// Creates the screen. `is_asked` is true if the user has chosen the name already.
    pub(super) fn new(
        screen: &'a mut dyn Screen,
        file: Option<RememberedName>,
        is_asked: bool,
    ) -> Self {
        Self { screen, file, requested: None, is_asked, at_join: None }
    }

    /// Changes the screen to remember also the username of the first join, if it is another one than
    /// this, which is requested; and returns it.
    #[cfg(feature = "client")]
    pub(super) fn of_request(self, name: &str) -> Self {
        Self { requested: Some(NameKey::of(name)), ..self }
    }

    /// Changes the screen to call a function once, when the user has joined a server.
    #[cfg(feature = "client")]
    pub(super) fn at_join(self, act: Option<Box<dyn FnOnce()>>) -> Self {
        Self { at_join: act, ..self }
    }
}

impl Screen for RememberingScreen<'_> {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        if matches!(event, Event::JoinedServer(_))
            && let Some(at_join) = self.at_join.take()
        {
            at_join();
        }
        let name = match event {
            Event::JoinedServer(joined) => Some(&joined.username),
            Event::JoinedMesh(joined) => Some(&joined.username),
            _ => None,
        };
        self.is_asked |= match event {
            Event::NameWanted { .. } => true,
            Event::JoinedServer(joined) => {
                self.requested.take().is_some_and(|it| it != NameKey::of(&joined.username))
            }
            _ => false,
        };
        if let (true, Some(name)) = (self.is_asked, name) {
            self.is_asked = false;
            // Chatting works without it; the next time the user is asked again.
            if let Some(Err(error)) = self.file.as_ref().map(|it| it.save(name)) {
                tracing::debug!("the name could not be saved for next time: {error}");
            }
        }
        self.screen.show(event)
    }
}

/// Computes the exit code of a run with plain or JSON lines. The input is a script if standard
/// input is not a terminal. Calls `exit_code` with true if the input is a script. If `exit_code`
/// returns 0 but a line of the script was invalid, the result is [`exit::USAGE`].
pub(super) fn script_exit_code(
    view_state: &SharedViewState,
    exit_code: impl FnOnce(bool) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    let is_script = !stdin().is_terminal();
    let code = exit_code(is_script)?;
    let has_mistakes = is_script && view_state.with(|it| it.input_errors > 0);
    Ok(if code == 0 && has_mistakes { exit::USAGE } else { code })
}

/// Splits the outcome of a run into exit code and error text, for the JSON object `end`. The text
/// is empty if there is no error.
pub(super) fn exit_code_and_text(outcome: Result<u8, Failure>) -> (u8, String) {
    match outcome {
        Ok(code) => (code, String::new()),
        Err((code, error)) => (code, format!("{error:#}")),
    }
}

/// Builds the single-threaded tokio runtime for a driver.
///
/// # Errors
/// The operating system refuses its resources.
pub(super) fn build_runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().with_context(|| text!("cannot-start"))
}
