//! Lines in, lines out: for people without a terminal, and for scripts.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Screen;
use super::command::{Meaning, help, parse};
use super::lines::{Line, next_line};
use super::paint::{Kind, Painted, Painter, status};
use super::safe::safe_name;
use super::scene::SharedScene;
use super::search::parse as parse_search;
use super::time_of_day::TimeOfDay;
use crate::model::limits::MAX_TEXT;
use crate::model::{Command, Event, Request, Search, Tag, Task};
use crate::os::Clock;

/// Shows what goes on in the chat on one stream, and what goes on with the
/// connection on another.
pub struct Plain<O, E> {
    /// For the chat.
    out: O,
    /// For everything else.
    err: E,
    /// Makes the lines.
    painter: Painter,
    /// What the input has to know.
    scene: SharedScene,
    /// Shows only what goes wrong.
    is_quiet: bool,
    /// Wrap lines for the terminal that `out` is.
    is_terminal: bool,
}

impl<O: Write, E: Write> Plain<O, E> {
    /// Shows everything. On a terminal lines are dimmed and wrapped.
    pub fn new(out: O, err: E, is_terminal: bool, scene: SharedScene) -> Self {
        let painter = Painter::new(TimeOfDay::local(), is_terminal, scene.clone());
        Self { out, err, painter, scene, is_quiet: false, is_terminal }
    }

    /// Shows only what goes wrong.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }
}

impl<O: Write, E: Write> Screen for Plain<O, E> {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.scene.with(|it| it.follow(event));
        if self.is_terminal {
            self.painter.set_width(columns());
        }
        for Painted { text, kind, bell } in self.painter.paint(event) {
            match kind {
                Kind::Chat if self.is_quiet => {}
                Kind::Chat => {
                    let bell = if bell { "\u{7}" } else { "" };
                    writeln!(self.out, "{text}{bell}")?;
                    self.out.flush()?;
                }
                Kind::Status if self.is_quiet && !text.starts_with("!!") => {}
                // Whether anybody reads it is not important enough to end.
                Kind::Status => drop(writeln!(self.err, "{text}")),
            }
        }
        Ok(())
    }
}

/// Columns of the terminal, if there is one.
pub(super) fn columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// What to do after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read another.
    Read,
    /// Stop reading.
    Stop,
}

/// Does what a typed line means. Sentences for the person go to `tell`.
/// Blocks while the driver takes no requests.
pub(super) fn obey(
    line: &str,
    scene: &SharedScene,
    requests: &Sender<Request>,
    mut tell: impl FnMut(Painted),
) -> Next {
    let information = |text: &str| Painted { text: text.to_owned(), kind: Kind::Chat, bell: false };
    let (dialect, place) = scene.with(|it| (it.dialect, it.place()));
    match parse(line, place, dialect) {
        Ok(Meaning::Nothing) => {}
        Ok(Meaning::DoAsPeer(task)) => {
            let request = Request { tag: Tag::default(), command: Command::DoAsPeer(task) };
            if requests.blocking_send(request).is_err() {
                return Next::Stop;
            }
        }
        Ok(Meaning::Do(task)) => return ask(task, scene, requests),
        Ok(Meaning::Search(typed)) => match search(&typed, scene) {
            Ok(search) => return ask(Task::Search(search), scene, requests),
            Err(sentence) => tell(mistake(&sentence, scene)),
        },
        Ok(Meaning::Help) => tell(information(help(dialect))),
        Ok(Meaning::Room(None)) => {
            let here = scene.with(|it| it.here().map(safe_name));
            let sentence = here.map_or("-- you are in no room".to_owned(), |here| {
                format!("-- you are talking in #{here}")
            });
            tell(information(&sentence));
        }
        Ok(Meaning::Room(Some(room))) => match scene.with(|it| it.talk_in(&room)) {
            Some(room) => {
                tell(information(&format!("-- you are talking in #{} now", safe_name(&room))));
            }
            None => {
                scene.with(|it| it.mistakes += 1);
                let room = safe_name(&room);
                tell(status(&format!("You are not in #{room}; /join {room} enters it.")));
            }
        },
        Ok(Meaning::Quit) => return Next::Stop,
        Err(sentence) => tell(mistake(&sentence, scene)),
    }
    Next::Read
}

/// A line that made no sense.
fn mistake(sentence: &str, scene: &SharedScene) -> Painted {
    scene.with(|it| it.mistakes += 1);
    status(&super::safe_line(sentence))
}

/// Has the engine do something.
fn ask(task: Task, scene: &SharedScene, requests: &Sender<Request>) -> Next {
    let tag = scene.with(|it| it.ask(&task));
    let request = Request { tag, command: Command::Do(task) };
    if requests.blocking_send(request).is_ok() { Next::Read } else { Next::Stop }
}

/// What is searched for by what was typed behind `/search`.
fn search(typed: &str, scene: &SharedScene) -> Result<Search, String> {
    if typed.is_empty() {
        let nothing = "There is nothing older to show. /search WORDS looks for messages.";
        return scene.with(|it| it.older.clone()).ok_or_else(|| nothing.to_owned());
    }
    parse_search(typed, &TimeOfDay::local(), Clock::start().time_of_day())
}

/// Reads lines until the end of the input and makes requests of them; at
/// the end asks to leave when everything is answered, or when nothing was
/// for `patience`. Runs in a thread of its own.
pub fn read_plain(
    input: &mut impl BufRead,
    scene: &SharedScene,
    requests: &Sender<Request>,
    patience: Duration,
) {
    // Nobody may be there to read it; what was asked for is still done.
    let tell = |painted: Painted| match painted.kind {
        Kind::Chat => drop(writeln!(io::stdout(), "{}", painted.text)),
        Kind::Status => drop(writeln!(io::stderr(), "{}", painted.text)),
    };
    loop {
        let problem = match next_line(input) {
            Ok(Some(Line::Text(line))) => match obey(&line, scene, requests, tell) {
                Next::Read => continue,
                Next::Stop => break,
            },
            Ok(Some(Line::TooLong(bytes))) => {
                format!("Not sent: a line of {bytes} bytes; a message has at most {MAX_TEXT}.")
            }
            Ok(Some(Line::NotText)) => "Not sent: a line that is no UTF-8.".to_owned(),
            Ok(None) => break,
            Err(error) => {
                tell(status(&format!("The input cannot be read: {error}.")));
                break;
            }
        };
        scene.with(|it| it.mistakes += 1);
        tell(status(&problem));
    }
    finish(requests, patience);
}

/// Asks to leave in order.
pub(super) fn finish(requests: &Sender<Request>, patience: Duration) {
    let request = Request { tag: Tag::default(), command: Command::Finish { patience } };
    // If nobody takes it, it is over already.
    let _ = requests.blocking_send(request);
}
