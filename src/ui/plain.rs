//! Plain line interface, for scripts and for terminals that cannot show a full screen.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Screen;
use super::execute::{AfterLine, execute_line, request_finish};
use super::lines::{Line, read_line};
use super::local_time::LocalTimeZone;
use super::render::{LineKind, RenderedText, Renderer, error_line};
use super::sentences::io_error_text;
use super::view_state::SharedViewState;
use crate::model::limits::MAX_TEXT;
use crate::model::{Event, Request};
use crate::text;

/// Screen that writes chat lines to one stream and status lines to another.
pub struct PlainScreen<O, E> {
    /// Stream for chat lines, usually standard output.
    out: O,
    /// Stream for status lines and errors, usually standard error.
    err: E,
    /// Renders events as lines.
    renderer: Renderer,
    /// View state shared with the reader.
    view: SharedViewState,
    /// True to write neither chat lines nor status lines, except errors, which begin with `!!`.
    is_quiet: bool,
    /// True to wrap lines to the width of the terminal.
    is_terminal: bool,
}

impl<O: Write, E: Write> PlainScreen<O, E> {
    /// Creates a screen that writes chat lines to `out` and status lines to `err`. If `is_terminal`
    /// is true, it wraps messages, dims lines and rings the bell.
    pub fn new(out: O, err: E, is_terminal: bool, view: SharedViewState) -> Self {
        let renderer = Renderer::new(LocalTimeZone::system(), is_terminal, view.clone());
        Self { out, err, renderer, view, is_quiet: false, is_terminal }
    }

    /// Changes the screen to write only error lines, and returns it.
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
        for RenderedText { text, kind, bell } in self.renderer.render(event) {
            match kind {
                LineKind::Chat if self.is_quiet => {}
                LineKind::Chat => {
                    let bell = if bell { "\u{7}" } else { "" };
                    writeln!(self.out, "{text}{bell}")?;
                    self.out.flush()?;
                }
                LineKind::Status if self.is_quiet && !text.starts_with("!!") => {}
                // A closed status stream does not end the program.
                LineKind::Status => drop(writeln!(self.err, "{text}")),
            }
        }
        Ok(())
    }
}

/// Returns the width of the terminal in columns; `None` if there is no terminal.
pub(super) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Reads lines and executes them. Stops at the end of the input, at a read error, at `/quit`, or
/// when the driver has ended. Then requests a graceful shutdown, with `patience` as the maximum
/// time without an answer. Writes answers to standard output, and errors to standard error. Reports
/// invalid lines, and counts them in the view state. Blocks: run it in a thread of its own.
pub fn read_plain(
    input: &mut impl BufRead,
    view: &SharedViewState,
    requests: &Sender<Request>,
    patience: Duration,
) {
    // If the output is closed, requests are still carried out.
    let tell = |rendered: RenderedText| match rendered.kind {
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
                text!("input-long", bytes = bytes, most = MAX_TEXT)
            }
            Ok(Some(Line::InvalidUtf8)) => text!("input-encoding"),
            Ok(None) => break,
            Err(error) => {
                tell(error_line(&text!("input-failed", reason = io_error_text(&error))));
                break;
            }
        };
        view.with(|it| it.input_errors += 1);
        tell(error_line(&problem));
    }
    request_finish(requests, patience);
}
