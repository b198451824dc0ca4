//! Lines in, lines out: for people without a terminal, and for scripts.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Screen;
use super::execute::{AfterLine, execute_line, request_finish};
use super::lines::{Line, read_line};
use super::local_time::LocalTime;
use super::render::{LineKind, Rendered, Renderer, error_line};
use super::view_state::SharedViewState;
use crate::model::limits::MAX_TEXT;
use crate::model::{Event, Request};

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
