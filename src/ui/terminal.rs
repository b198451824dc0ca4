//! Lines with editing on a terminal. What arrives is printed above the line
//! that is being typed.

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

use super::Screen;
use super::command::commands;
use super::paint::{Painted, Painter};
use super::plain::{Next, columns, finish, obey};
use super::printer::Printer;
use super::scene::{Scene, SharedScene};
use super::time_of_day::TimeOfDay;

use super::turns::Turns;

use crate::model::{Command, Event, Password, Request, Tag};

/// In front of the line being typed.
const PROMPT: &str = "> ";

/// Lines that can be brought back with the arrow keys.
const MAX_HISTORY: usize = 500;

/// What the terminal could not do; ends the program.
pub type TerminalError = ReadlineError;

/// Something for the thread that reads.
enum Cue {
    /// We are in: read lines.
    Begin,
    /// Ask for the password. True: the last one was wrong.
    Password(bool),
}

/// The half that shows.
pub struct TerminalScreen {
    /// Prints above the line being typed.
    printer: Printer,

    /// Makes the lines.
    painter: Painter,
    /// What the input has to know.
    scene: SharedScene,
    /// For the reading half.
    cues: mpsc::Sender<Cue>,
    /// The reading half has been told to begin.
    has_begun: bool,
    /// Puts the terminal back as it was when this is dropped.
    _modes: modes::Modes,
}

/// The half that reads.
pub struct TerminalInput {
    /// Edits lines.
    editor: Editor<Assistant, MemHistory>,
    /// Where one is.
    scene: SharedScene,
    /// Who may use the terminal.
    turns: Arc<Turns>,
    /// From the showing half.
    cues: mpsc::Receiver<Cue>,
}

/// Takes the terminal. Drop the screen last: it puts the terminal back as
/// it was.
///
/// # Errors
/// There is no terminal, or it cannot be used like this.
pub fn open(scene: SharedScene) -> Result<(TerminalScreen, TerminalInput), TerminalError> {
    let modes = modes::Modes::keep();
    let config = Config::builder()
        .max_history_size(MAX_HISTORY)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    let turns = Arc::new(Turns::default());
    editor.set_helper(Some(Assistant { scene: scene.clone(), turns: turns.clone() }));
    let printer = Printer::begin(editor.create_external_printer()?, turns.clone())?;
    let painter = Painter::new(TimeOfDay::local(), true, scene.clone());
    let (cues, heard) = mpsc::channel();
    let screen = TerminalScreen {
        printer,
        painter,
        scene: scene.clone(),
        cues,
        has_begun: false,
        _modes: modes,
    };
    Ok((screen, TerminalInput { editor, scene, turns, cues: heard }))
}

impl TerminalScreen {
    /// Prints some lines.
    fn print(&self, painted: &Painted) -> io::Result<()> {
        let bell = if painted.bell { "\u{7}" } else { "" };
        let text = format!("{}{bell}\n", painted.text);
        self.printer.print(text)
    }
}

impl Screen for TerminalScreen {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.scene.with(|it| it.follow(event));
        self.painter.set_width(columns());
        for painted in self.painter.paint(event) {
            self.print(&painted)?;
        }
        // A reading half that is gone has no use for cues.
        match event {
            Event::Welcome(_) | Event::Admitted(_) if !self.has_begun => {
                self.has_begun = true;
                let _ = self.cues.send(Cue::Begin);
            }
            Event::PasswordWanted { again } => drop(self.cues.send(Cue::Password(*again))),
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
        while let Ok(cue) = self.cues.recv() {
            let Cue::Password(again) = cue else {
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
        let tell = |painted: Painted| drop(writeln!(io::stdout(), "{}", painted.text));
        loop {
            match self.editor.readline(PROMPT) {
                Ok(line) => {
                    // A paste of several lines is one message.
                    if obey(&line, &self.scene, requests, tell) == Next::Stop {
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
        self.turns.begin_line();
        finish(requests, patience);
    }
}

/// Completes commands at the beginning of a line, rooms behind the commands
/// and filters that want one, and names of those present everywhere; and tells whose turn it is.
#[derive(Helper, Highlighter)]
struct Assistant {
    /// Who is there.
    scene: SharedScene,
    /// Who may use the terminal.
    turns: Arc<Turns>,
}

impl Hinter for Assistant {
    type Hint = String;

    /// Asked when a line begins, and at each key.
    fn hint(&self, _line: &str, _pos: usize, _ctx: &Context<'_>) -> Option<String> {
        self.turns.begin_line();
        None
    }
}

impl Validator for Assistant {
    /// Asked when a line is done, before the editor leaves the terminal.
    fn validate(&self, _ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.turns.end_line();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _ctx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.scene.with(|scene| complete(line.get(..pos).unwrap_or(line), scene)))
    }
}

/// Where the word at the end of `line` begins, and what it may become.
fn complete(line: &str, scene: &Scene) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| {
        at + line.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8)
    });
    let word = line.get(start..).unwrap_or_default();
    if start == 0 && word.starts_with('/') {
        let fitting = commands(scene.dialect).iter().filter(|it| it.starts_with(word));
        return (0, fitting.map(|it| format!("{it} ")).collect());
    }
    // Behind /search a name or a room follows its filter directly.
    let is_search = line.starts_with("/search ");
    let filter = ["from:", "in:"].into_iter().find(|it| is_search && word.starts_with(it));
    let filter = filter.unwrap_or_default();
    let (start, word) = (start + filter.len(), word.get(filter.len()..).unwrap_or_default());
    let commands = ["/room", "/leave", "/who"];
    let is_room = filter == "in:" || commands.iter().any(|it| line.starts_with(it));
    let candidates = if is_room { scene.rooms.clone() } else { scene.names() };
    let begun = word.to_lowercase();
    // At the beginning of a line a name is an address.
    let end = if start == 0 { ": " } else { " " };
    let fitting = candidates
        .into_iter()
        .filter(|it| !begun.is_empty() && it.to_lowercase().starts_with(&begun))
        .map(|it| format!("{}{end}", super::safe::safe_name(&it)));
    (start, fitting.collect())
}

#[cfg(unix)]
mod modes {
    //! The terminal's modes. The line editor changes them and its thread
    //! may be in the middle of a line when the program ends.

    use std::io::{Write, stdin, stdout};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The modes as they were.
    pub(super) struct Modes(Option<Termios>);

    impl Modes {
        /// Looks at them.
        pub(super) fn keep() -> Self {
            Self(tcgetattr(stdin()).ok())
        }
    }

    impl Drop for Modes {
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
    pub(super) struct Modes;

    impl Modes {
        /// Nothing is to be kept.
        pub(super) const fn keep() -> Self {
            Self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, rooms, commands.
    #[test]
    fn completion() {
        let mut scene = Scene::default();
        scene.follow(&Event::Roster {
            tag: Tag::default(),
            room: "lobby".to_owned(),
            members: 2,
            names: Some(vec!["Anna".to_owned(), "bob".to_owned()]),
            asked: false,
        });
        scene.rooms = vec!["lobby".to_owned()];
        assert_eq!(complete("an", &scene), (0, vec!["Anna: ".to_owned()]));
        assert_eq!(complete("hi b", &scene), (3, vec!["bob ".to_owned()]));
        assert_eq!(complete("/room l", &scene), (6, vec!["lobby ".to_owned()]));
        assert_eq!(complete("/search from:a", &scene), (13, vec!["Anna ".to_owned()]));
        assert_eq!(complete("/search x in:l", &scene), (13, vec!["lobby ".to_owned()]));
        assert_eq!(complete("in:l", &scene), (0, vec![]));
        assert_eq!(complete("/hi", &scene), (0, vec!["/history ".to_owned()]));
        assert_eq!(complete("", &scene), (0, vec![]));
    }
}
