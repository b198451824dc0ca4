//! Lines with editing on a terminal. What arrives is printed above the line
//! that is being typed.

mod access;
mod completion;
mod modes;
mod printer;

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::sync::mpsc::Sender;

use self::access::TerminalAccess;
use self::completion::LineHelper;
use self::modes::TerminalModes;
use self::printer::Printer;
use super::Screen;
use super::execute::{AfterLine, execute_line, request_finish};
use super::local_time::LocalTime;
use super::plain::terminal_width;
use super::render::{Rendered, Renderer};
use super::view_state::SharedViewState;
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
    _modes: TerminalModes,
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
    let modes = TerminalModes::save();
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
