//! Line editor interface on a terminal. Events are printed above the line that the user is typing.
//!
//! - `completion`: tab completion, and hooks at the beginning and the end of a line
//! - `printer`: printing thread
//! - `access`: coordination between the printing and the reading thread
//! - `edited_line`, `resize`: drawing the line again when the terminal's size changes
//! - `modes`: saving and restoring of the terminal modes

mod access;
mod completion;
mod edited_line;
mod modes;
mod printer;
mod resize;

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::sync::mpsc::Sender;

use self::access::TerminalAccess;
use self::completion::LineHelper;
use self::edited_line::EditedLine;
use self::modes::{EditingModes, TerminalModes};
use self::printer::Printer;
pub use self::resize::hold_resize_signal;
use self::resize::watch_size;
use super::Screen;
use super::execute::{AfterLine, execute_line, request_finish, request_reconnect};
use super::local_time::LocalTimeZone;
use super::plain::terminal_width;
use super::render::{RenderedText, Renderer};
use super::safe::safe_name;
use super::view_state::SharedViewState;
use crate::model::{Command, Event, InvitationCode, Password, Request, RequestTag};

/// Returns the prompt of the line editor. It shows the room to which a typed line goes, or, while a
/// username is asked for, the suggested name.
fn prompt(view: &SharedViewState) -> String {
    view.with(|it| match (it.name_question.prompt(), it.current_room()) {
        (Some(question), _) => question,
        (None, Some(room)) => format!("#{}> ", safe_name(room)),
        (None, None) => "> ".to_owned(),
    })
}

/// Prompt of the question for an invitation.
const INVITE_PROMPT: &str = "code of your invitation (or /quit)> ";

/// Maximum number of lines in the editor's history of typed lines.
const MAX_HISTORY: usize = 500;

/// Error of the line editor when it opens the terminal.
pub type TerminalError = ReadlineError;

/// Command of the screen to the reading thread.
enum ReaderCommand {
    /// Start reading lines: the user has joined.
    ReadLines,
    /// Ask the user for the password. The value is true if the previous password was wrong.
    AskPassword(bool),
    /// Ask the user for another username.
    AskName,
    /// Ask the user for an invitation.
    AskInvite,
}

/// Screen of the line editor interface: prints events above the line that the user is typing.
pub struct TerminalScreen {
    /// Handle to the printing thread.
    printer: Printer,

    /// Renders events as lines.
    renderer: Renderer,
    /// View state shared with the reader.
    view: SharedViewState,
    /// Sender of commands to the reading thread.
    commands: mpsc::Sender<ReaderCommand>,
    /// True if [`ReaderCommand::ReadLines`] has been sent.
    reader_started: bool,
    /// Guard that restores the terminal modes when the screen is dropped.
    _modes: TerminalModes,
}

/// Input reader of the line editor interface.
pub struct TerminalInput {
    /// Line editor.
    editor: Editor<LineHelper, MemHistory>,
    /// View state shared with the screen.
    view: SharedViewState,
    /// Coordination with the printing thread.
    access: Arc<TerminalAccess>,
    /// Line that is being edited.
    line: EditedLine,
    /// Receiver of commands from the screen.
    commands: mpsc::Receiver<ReaderCommand>,
}

/// Opens the terminal for line editing. Returns its screen and its input reader, and starts the
/// threads that print and that handle signals. Drop the screen last, because it restores the
/// terminal modes.
///
/// # Errors
/// There is no terminal, or it cannot be used for line editing.
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
    let editing_modes = Arc::new(EditingModes::default());
    editing_modes.restore_when_continued()?;
    let line = EditedLine::default();
    watch_size(line.clone(), access.clone())?;
    editor.set_helper(Some(LineHelper {
        line: line.clone(),
        view: view.clone(),
        access: access.clone(),
        modes: editing_modes,
    }));
    let printer = Printer::spawn(editor.create_external_printer()?, access.clone())?;
    let renderer = Renderer::new(LocalTimeZone::system(), true, view.clone());
    let (commands, command_receiver) = mpsc::channel();
    let screen = TerminalScreen {
        printer,
        renderer,
        view: view.clone(),
        commands,
        reader_started: false,
        _modes: modes,
    };
    Ok((screen, TerminalInput { editor, view, access, line, commands: command_receiver }))
}

impl TerminalScreen {
    /// Queues a rendered text for the printing thread ([`Printer::print`]). Adds the bell character
    /// if the bell is to ring.
    fn print(&self, rendered: &RenderedText) -> io::Result<()> {
        let bell = if rendered.bell { "\u{7}" } else { "" };
        let text = format!("{}{bell}\n", rendered.text);
        self.printer.print(text)
    }
}

impl Screen for TerminalScreen {
    /// Updates the view state, queues the event's lines for printing, and tells the reading thread
    /// what to read next. If another username is asked for before the user has joined, typed keys
    /// that were not read yet are discarded.
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.view.with(|it| it.update(event));
        if matches!(event, Event::NameWanted { .. }) && !self.reader_started {
            // Keys typed before the question do not answer it.
            modes::discard_typed();
        }
        self.renderer.set_width(terminal_width());
        for rendered in self.renderer.render(event) {
            self.print(&rendered)?;
        }
        // Sending fails only if the reading thread has ended.
        match event {
            Event::JoinedServer(_) | Event::JoinedMesh(_) if !self.reader_started => {
                self.reader_started = true;
                let _ = self.commands.send(ReaderCommand::ReadLines);
            }
            Event::PasswordWanted { again } => {
                drop(self.commands.send(ReaderCommand::AskPassword(*again)))
            }
            Event::InviteWanted { .. } => drop(self.commands.send(ReaderCommand::AskInvite)),
            // If the reader has started, its next line answers the question.
            Event::NameWanted { .. } if !self.reader_started => {
                drop(self.commands.send(ReaderCommand::AskName));
            }
            _ => {}
        }
        Ok(())
    }
}

impl TerminalInput {
    /// Until the user has joined, asks for the password, another username or an invitation each
    /// time that the screen demands it. Then reads lines and executes them. A blank line requests a reconnect,
    /// which keeps a connection whose server answers.
    ///
    /// At Ctrl-D or `/quit`, requests a graceful shutdown, with `patience` as the maximum time
    /// without an answer. At Ctrl-C or a read error, requests to quit at once. Before the user has
    /// joined, Ctrl-D and `/quit` do the same. Returns after that, or when the driver has ended.
    /// Blocks: run it in a thread of its own.
    pub fn run(mut self, requests: &Sender<Request>, patience: Duration) {
        let quit = Request { tag: RequestTag::default(), command: Command::Quit };
        let tell = |rendered: RenderedText| drop(writeln!(io::stdout(), "{}", rendered.text));
        while let Ok(command) = self.commands.recv() {
            let is_sent = match command {
                ReaderCommand::ReadLines => break,
                ReaderCommand::AskPassword(again) => {
                    let command = ask_password(again);
                    let request = Request { tag: RequestTag::default(), command };
                    requests.blocking_send(request).is_ok()
                }
                ReaderCommand::AskInvite => {
                    let command = self.ask_invite();
                    let request = Request { tag: RequestTag::default(), command };
                    requests.blocking_send(request).is_ok()
                }
                ReaderCommand::AskName => match self.ask_name(requests, tell) {
                    AfterLine::Continue => true,
                    AfterLine::Stop => {
                        let _ = requests.blocking_send(quit);
                        return;
                    }
                },
            };
            if !is_sent {
                return;
            }
        }
        loop {
            match self.read_line(&prompt(&self.view)) {
                // A user who presses Enter does not want to wait for the reconnect delay.
                Ok(line) if line.trim().is_empty() && !self.is_asking_name() => {
                    request_reconnect(requests, false);
                }
                Ok(line) => {
                    // Several lines that are pasted at once are one message.
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
        // The printer must not wait for a further line: none will begin.
        self.access.begin_line();
        request_finish(requests, patience);
    }

    /// Reads a line with this prompt. Blocks.
    fn read_line(&mut self, prompt: &str) -> Result<String, ReadlineError> {
        self.line.set_prompt(prompt);
        let read = self.editor.readline(prompt);
        self.line.end();
        read
    }

    /// Reads lines until one can be an invitation: its code, or a link with it. Returns the command
    /// for the driver: the invitation, or to quit if the user wants to leave instead. Blocks.
    fn ask_invite(&mut self) -> Command {
        let command = loop {
            match self.read_line(INVITE_PROMPT) {
                Ok(line) if line.trim() == "/quit" => break Command::Quit,
                Ok(line) => match InvitationCode::from_text(&line) {
                    Ok(invite) => break Command::Invite(Some(invite)),
                    Err(error) => drop(writeln!(io::stdout(), "!! {error}")),
                },
                Err(_) => break Command::Quit,
            }
        };
        // The printer must not wait for a further line: none begins before the user has joined.
        self.access.begin_line();
        command
    }

    /// Returns true if a username is asked for: the next line is the answer.
    fn is_asking_name(&self) -> bool {
        self.view.with(|it| it.name_question.suggestion().is_some())
    }

    /// Reads lines until the question for another username is answered. Returns [`AfterLine::Stop`]
    /// if the user wants to leave instead, or if the driver has ended.
    fn ask_name(
        &mut self,
        requests: &Sender<Request>,
        tell: impl Fn(RenderedText) + Copy,
    ) -> AfterLine {
        let mut after = AfterLine::Continue;
        while after == AfterLine::Continue && self.is_asking_name() {
            after = match self.read_line(&prompt(&self.view)) {
                Ok(line) => execute_line(&line, &self.view, requests, tell),
                Err(_) => AfterLine::Stop,
            };
        }
        // The printer must not wait for a further line: none begins before the user has joined.
        self.access.begin_line();
        after
    }
}

/// Asks the user for the server's password, and does not show the typed text. Blocks until the line
/// ends. `again`: true if the previous password was wrong. Returns the command for the driver: the
/// password, or to quit if there is no answer.
fn ask_password(again: bool) -> Command {
    let question =
        if again { "That was wrong. The server's password: " } else { "The server's password: " };
    match rpassword::prompt_password(question) {
        Ok(password) => Command::Password(Password(password)),
        Err(_) => Command::Quit,
    }
}
