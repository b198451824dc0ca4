//! Lines with editing on a terminal. What arrives is printed above the line
//! that is being typed.

mod access;
mod printer;

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper, Highlighter};
use tokio::sync::mpsc::Sender;

use self::access::TerminalAccess;
use self::printer::Printer;
use super::Screen;
use super::command::command_names;
use super::local_time::LocalTime;
use super::plain::{AfterLine, execute_line, request_finish, terminal_width};
use super::render::{Rendered, Renderer};
use super::view_state::{SharedViewState, ViewState};
use crate::model::{Command, Event, Password, Request, Tag};

/// In front of the line being typed.
const PROMPT: &str = "> ";

/// Lines that can be brought back with the arrow keys.
const MAX_HISTORY: usize = 500;

/// What the terminal could not do; ends the program.
pub type TerminalError = ReadlineError;

/// Something for the thread that reads.
enum ReaderCommand {
    /// We are in: read lines.
    ReadLines,
    /// Ask for the password. True: the last one was wrong.
    AskPassword(bool),
}

/// The half that shows.
pub struct TerminalScreen {
    /// Prints above the line being typed.
    printer: Printer,

    /// Makes the lines.
    renderer: Renderer,
    /// What the input has to know.
    view: SharedViewState,
    /// For the reading half.
    commands: mpsc::Sender<ReaderCommand>,
    /// The reading half has been told to begin.
    reader_started: bool,
    /// Puts the terminal back as it was when this is dropped.
    _modes: modes::TerminalModes,
}

/// The half that reads.
pub struct TerminalInput {
    /// Edits lines.
    editor: Editor<LineHelper, MemHistory>,
    /// Where one is.
    view: SharedViewState,
    /// Who may use the terminal.
    access: Arc<TerminalAccess>,
    /// From the showing half.
    commands: mpsc::Receiver<ReaderCommand>,
}

/// Takes the terminal. Drop the screen last: it puts the terminal back as
/// it was.
///
/// # Errors
/// There is no terminal, or it cannot be used like this.
pub fn open(view: SharedViewState) -> Result<(TerminalScreen, TerminalInput), TerminalError> {
    let modes = modes::TerminalModes::save();
    let config = Config::builder()
        .max_history_size(MAX_HISTORY)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    let access = Arc::new(TerminalAccess::default());
    editor.set_helper(Some(LineHelper { view: view.clone(), access: access.clone() }));
    let printer = Printer::spawn(editor.create_external_printer()?, access.clone())?;
    let renderer = Renderer::new(LocalTime::local(), true, view.clone());
    let (commands, heard) = mpsc::channel();
    let screen = TerminalScreen {
        printer,
        renderer,
        view: view.clone(),
        commands,
        reader_started: false,
        _modes: modes,
    };
    Ok((screen, TerminalInput { editor, view, access, commands: heard }))
}

impl TerminalScreen {
    /// Prints some lines.
    fn print(&self, rendered: &Rendered) -> io::Result<()> {
        let bell = if rendered.bell { "\u{7}" } else { "" };
        let text = format!("{}{bell}\n", rendered.text);
        self.printer.print(text)
    }
}

impl Screen for TerminalScreen {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.view.with(|it| it.update(event));
        self.renderer.set_width(terminal_width());
        for rendered in self.renderer.render(event) {
            self.print(&rendered)?;
        }
        // A reading half that is gone has no use for cues.
        match event {
            Event::Welcome(_) | Event::Admitted(_) if !self.reader_started => {
                self.reader_started = true;
                let _ = self.commands.send(ReaderCommand::ReadLines);
            }
            Event::PasswordWanted { again } => {
                drop(self.commands.send(ReaderCommand::AskPassword(*again)))
            }
            _ => {}
        }
        Ok(())
    }
}

impl TerminalInput {
    /// Reads lines and makes requests of them, until Ctrl-D or `/quit`
    /// (leaves when everything is answered, or when nothing was for
    /// `patience`) or Ctrl-C (leaves at once). Runs in a thread of its own.
    pub fn run(mut self, requests: &Sender<Request>, patience: Duration) {
        let quit = Request { tag: Tag::default(), command: Command::Quit };
        while let Ok(command) = self.commands.recv() {
            let ReaderCommand::AskPassword(again) = command else {
                break;
            };
            let question = if again { "Wrong. The password: " } else { "The server's password: " };
            let command = match rpassword::prompt_password(question) {
                Ok(password) => Command::Password(Password(password)),
                Err(_) => Command::Quit,
            };
            if requests.blocking_send(Request { tag: Tag::default(), command }).is_err() {
                return;
            }
        }
        let tell = |rendered: Rendered| drop(writeln!(io::stdout(), "{}", rendered.text));
        loop {
            match self.editor.readline(PROMPT) {
                Ok(line) => {
                    // A paste of several lines is one message.
                    if execute_line(&line, &self.view, requests, tell) == AfterLine::Stop {
                        break;
                    }
                }
                Err(ReadlineError::Eof) => break,
                Err(_) => {
                    let _ = requests.blocking_send(quit);
                    return;
                }
            }
        }
        // There will be no further line to wait for.
        self.access.begin_line();
        request_finish(requests, patience);
    }
}

/// Completes commands at the beginning of a line, rooms behind the commands
/// and filters that want one, and names of those present everywhere; and tells whose turn it is.
#[derive(Helper, Highlighter)]
struct LineHelper {
    /// Who is there.
    view: SharedViewState,
    /// Who may use the terminal.
    access: Arc<TerminalAccess>,
}

impl Hinter for LineHelper {
    type Hint = String;

    /// Asked when a line begins, and at each key.
    fn hint(&self, _line: &str, _pos: usize, _ctx: &Context<'_>) -> Option<String> {
        self.access.begin_line();
        None
    }
}

impl Validator for LineHelper {
    /// Asked when a line is done, before the editor leaves the terminal.
    fn validate(&self, _ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.access.end_line();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for LineHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _ctx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.view.with(|view| complete(line.get(..pos).unwrap_or(line), view)))
    }
}

/// Where the word at the end of `line` begins, and what it may become.
fn complete(line: &str, view: &ViewState) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| {
        at + line.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8)
    });
    let word = line.get(start..).unwrap_or_default();
    if start == 0 && word.starts_with('/') {
        let fitting = command_names(view.dialect).iter().filter(|it| it.starts_with(word));
        return (0, fitting.map(|it| format!("{it} ")).collect());
    }
    // Behind /search a name or a room follows its filter directly.
    let is_search = line.starts_with("/search ");
    let filter = ["from:", "in:"].into_iter().find(|it| is_search && word.starts_with(it));
    let filter = filter.unwrap_or_default();
    let (start, word) = (start + filter.len(), word.get(filter.len()..).unwrap_or_default());
    let commands = ["/room", "/leave", "/who"];
    let is_room = filter == "in:" || commands.iter().any(|it| line.starts_with(it));
    let candidates = if is_room { view.rooms.clone() } else { view.member_names() };
    let begun = word.to_lowercase();
    // At the beginning of a line a name is an address.
    let end = if start == 0 { ": " } else { " " };
    let fitting = candidates
        .into_iter()
        .filter(|it| !begun.is_empty() && it.to_lowercase().starts_with(&begun))
        .map(|it| format!("{}{end}", crate::ui::safe::safe_name(&it)));
    (start, fitting.collect())
}

#[cfg(unix)]
mod modes {
    //! The terminal's modes. The line editor changes them and its thread
    //! may be in the middle of a line when the program ends.

    use std::io::{Write, stdin, stdout};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The modes as they were.
    pub(super) struct TerminalModes(Option<Termios>);

    impl TerminalModes {
        /// Looks at them.
        pub(super) fn save() -> Self {
            Self(tcgetattr(stdin()).ok())
        }
    }

    impl Drop for TerminalModes {
        /// Puts them back: also that of pasting, which the editor has set.
        fn drop(&mut self) {
            if let Some(modes) = &self.0 {
                let _ = write!(stdout(), "\r\u{1b}[K\u{1b}[?2004l");
                let _ = stdout().flush();
                let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
            }
        }
    }
}

#[cfg(not(unix))]
mod modes {
    //! Consoles elsewhere are put in order by the shell.

    /// Nothing.
    pub(super) struct TerminalModes;

    impl TerminalModes {
        /// Nothing is to be kept.
        pub(super) const fn save() -> Self {
            Self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, rooms, commands.
    #[test]
    fn commands_names_and_rooms_are_completed() {
        let mut view = ViewState::default();
        view.update(&Event::Roster {
            tag: Tag::default(),
            room: "lobby".to_owned(),
            members: 2,
            names: Some(vec!["Anna".to_owned(), "bob".to_owned()]),
            asked: false,
        });
        view.rooms = vec!["lobby".to_owned()];
        assert_eq!(complete("an", &view), (0, vec!["Anna: ".to_owned()]));
        assert_eq!(complete("hi b", &view), (3, vec!["bob ".to_owned()]));
        assert_eq!(complete("/room l", &view), (6, vec!["lobby ".to_owned()]));
        assert_eq!(complete("/search from:a", &view), (13, vec!["Anna ".to_owned()]));
        assert_eq!(complete("/search x in:l", &view), (13, vec!["lobby ".to_owned()]));
        assert_eq!(complete("in:l", &view), (0, vec![]));
        assert_eq!(complete("/hi", &view), (0, vec!["/history ".to_owned()]));
        assert_eq!(complete("", &view), (0, vec![]));
    }
}
