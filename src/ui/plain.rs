//! Lines in, lines out: for people without a terminal, and for scripts.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Screen;
use super::command::{ParsedLine, help_text, parse_line};
use super::lines::{Line, read_line};
use super::local_time::LocalTime;
use super::render::{LineKind, Rendered, Renderer, error_line};
use super::safe::safe_name;
use super::search_query::parse_search;
use super::view_state::SharedViewState;
use crate::model::limits::MAX_TEXT;
use crate::model::{Command, Event, Request, Search, Tag, Task};
use crate::os::Clock;

/// Shows what goes on in the chat on one stream, and what goes on with the
/// connection on another.
pub struct PlainScreen<O, E> {
    /// For the chat.
    out: O,
    /// For everything else.
    err: E,
    /// Makes the lines.
    renderer: Renderer,
    /// What the input has to know.
    view: SharedViewState,
    /// Shows only what goes wrong.
    is_quiet: bool,
    /// Wrap lines for the terminal that `out` is.
    is_terminal: bool,
}

impl<O: Write, E: Write> PlainScreen<O, E> {
    /// Shows everything. On a terminal lines are dimmed and wrapped.
    pub fn new(out: O, err: E, is_terminal: bool, view: SharedViewState) -> Self {
        let renderer = Renderer::new(LocalTime::local(), is_terminal, view.clone());
        Self { out, err, renderer, view, is_quiet: false, is_terminal }
    }

    /// Shows only what goes wrong.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }
}

impl<O: Write, E: Write> Screen for PlainScreen<O, E> {
    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.view.with(|it| it.update(event));
        if self.is_terminal {
            self.renderer.set_width(terminal_width());
        }
        for Rendered { text, kind, bell } in self.renderer.render(event) {
            match kind {
                LineKind::Chat if self.is_quiet => {}
                LineKind::Chat => {
                    let bell = if bell { "\u{7}" } else { "" };
                    writeln!(self.out, "{text}{bell}")?;
                    self.out.flush()?;
                }
                LineKind::Status if self.is_quiet && !text.starts_with("!!") => {}
                // Whether anybody reads it is not important enough to end.
                LineKind::Status => drop(writeln!(self.err, "{text}")),
            }
        }
        Ok(())
    }
}

/// Columns of the terminal, if there is one.
pub(super) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// What to do after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterLine {
    /// Read another.
    Continue,
    /// Stop reading.
    Stop,
}

/// Does what a typed line means. Sentences for the person go to `tell`.
/// Blocks while the driver takes no requests.
pub(super) fn execute_line(
    line: &str,
    view: &SharedViewState,
    requests: &Sender<Request>,
    mut tell: impl FnMut(Rendered),
) -> AfterLine {
    let information =
        |text: &str| Rendered { text: text.to_owned(), kind: LineKind::Chat, bell: false };
    let (dialect, place) = view.with(|it| (it.dialect, it.target_place()));
    match parse_line(line, place, dialect) {
        Ok(ParsedLine::Empty) => {}
        Ok(ParsedLine::DoAsPeer(task)) => {
            let request = Request { tag: Tag::default(), command: Command::DoAsPeer(task) };
            if requests.blocking_send(request).is_err() {
                return AfterLine::Stop;
            }
        }
        Ok(ParsedLine::Do(task)) => return send_task(task, view, requests),
        Ok(ParsedLine::Search(typed)) => match build_search(&typed, view) {
            Ok(search) => return send_task(Task::Search(search), view, requests),
            Err(sentence) => tell(input_error(&sentence, view)),
        },
        Ok(ParsedLine::Help) => tell(information(help_text(dialect))),
        Ok(ParsedLine::Room(None)) => {
            let here = view.with(|it| it.current_room().map(safe_name));
            let sentence = here.map_or("-- you are in no room".to_owned(), |here| {
                format!("-- you are talking in #{here}")
            });
            tell(information(&sentence));
        }
        Ok(ParsedLine::Room(Some(room))) => match view.with(|it| it.select_room(&room)) {
            Some(room) => {
                tell(information(&format!("-- you are talking in #{} now", safe_name(&room))));
            }
            None => {
                view.with(|it| it.input_errors += 1);
                let room = safe_name(&room);
                tell(error_line(&format!("You are not in #{room}; /join {room} enters it.")));
            }
        },
        Ok(ParsedLine::Quit) => return AfterLine::Stop,
        Err(sentence) => tell(input_error(&sentence, view)),
    }
    AfterLine::Continue
}

/// A line that made no sense.
fn input_error(sentence: &str, view: &SharedViewState) -> Rendered {
    view.with(|it| it.input_errors += 1);
    error_line(&super::safe_line(sentence))
}

/// Has the engine do something.
fn send_task(task: Task, view: &SharedViewState, requests: &Sender<Request>) -> AfterLine {
    let tag = view.with(|it| it.prepare_request(&task));
    let request = Request { tag, command: Command::Do(task) };
    if requests.blocking_send(request).is_ok() { AfterLine::Continue } else { AfterLine::Stop }
}

/// What is searched for by what was typed behind `/search`.
fn build_search(typed: &str, view: &SharedViewState) -> Result<Search, String> {
    if typed.is_empty() {
        let nothing = "There is nothing older to show. /search WORDS looks for messages.";
        return view.with(|it| it.older_search.clone()).ok_or_else(|| nothing.to_owned());
    }
    parse_search(typed, &LocalTime::local(), Clock::start().time_of_day())
}

/// Reads lines until the end of the input and makes requests of them; at
/// the end asks to leave when everything is answered, or when nothing was
/// for `patience`. Runs in a thread of its own.
pub fn read_plain(
    input: &mut impl BufRead,
    view: &SharedViewState,
    requests: &Sender<Request>,
    patience: Duration,
) {
    // Nobody may be there to read it; what was asked for is still done.
    let tell = |rendered: Rendered| match rendered.kind {
        LineKind::Chat => drop(writeln!(io::stdout(), "{}", rendered.text)),
        LineKind::Status => drop(writeln!(io::stderr(), "{}", rendered.text)),
    };
    loop {
        let problem = match read_line(input) {
            Ok(Some(Line::Text(line))) => match execute_line(&line, view, requests, tell) {
                AfterLine::Continue => continue,
                AfterLine::Stop => break,
            },
            Ok(Some(Line::TooLong(bytes))) => {
                format!("Not sent: a line of {bytes} bytes; a message has at most {MAX_TEXT}.")
            }
            Ok(Some(Line::InvalidUtf8)) => "Not sent: a line that is no UTF-8.".to_owned(),
            Ok(None) => break,
            Err(error) => {
                tell(error_line(&format!("The input cannot be read: {error}.")));
                break;
            }
        };
        view.with(|it| it.input_errors += 1);
        tell(error_line(&problem));
    }
    request_finish(requests, patience);
}

/// Asks to leave in order.
pub(super) fn request_finish(requests: &Sender<Request>, patience: Duration) {
    let request = Request { tag: Tag::default(), command: Command::Finish { patience } };
    // If nobody takes it, it is over already.
    let _ = requests.blocking_send(request);
}
