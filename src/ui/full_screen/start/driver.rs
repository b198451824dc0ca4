//! Runs the first questions on the terminal.

use std::io;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::crossterm::event::{self, Event};

use super::{Outcome, Questions, Start, StartInput, view};
use crate::os::Clock;
use crate::ui::full_screen::backend::LinkBackend;
use crate::ui::full_screen::terminal;
use crate::ui::full_screen::text::{ColorScheme, Theme};

/// Longest wait for a key before other inputs are looked for.
const KEY_WAIT: Duration = Duration::from_millis(50);

/// The terminal has the modes of the full screen. Dropping it restores them, unless they are
/// restored already; so keep it until the interface of the chat is closed.
#[derive(Debug)]
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        terminal::leave();
    }
}

/// Asks the questions on the full screen, which stays open for the chat. `inputs`: what happens
/// beside keys, such as servers that are found. Blocks until the questions have ended.
///
/// # Errors
/// There is no terminal, or it cannot be used.
pub fn ask(
    questions: Questions,
    scheme: ColorScheme,
    inputs: &Receiver<StartInput>,
) -> io::Result<(Outcome, Entered)> {
    terminal::enter()?;
    let entered = Entered(());
    let clock = Clock::start();
    let mut screen = Terminal::new(LinkBackend::new())?;
    screen.clear()?;
    let mut start = Start::new(questions, Theme::new(scheme));
    let mut is_dirty = true;
    loop {
        if let Some(outcome) = start.outcome() {
            return Ok((outcome.clone(), entered));
        }
        if is_dirty {
            terminal::while_entered(|| {
                screen.draw(|frame| {
                    let cursor = view::draw(&mut start, frame.buffer_mut());
                    frame.set_cursor_position(cursor);
                })?;
                Ok(())
            })?;
        }
        if !terminal::wait_for_input(KEY_WAIT)? {
            return Ok((Outcome::Left, entered));
        }
        let now = clock.now().since_start();
        start.handle(now, StartInput::Tick);
        is_dirty = false;
        while start.outcome().is_none() && event::poll(Duration::ZERO)? {
            is_dirty = true;
            match event::read()? {
                Event::Key(key) => start.handle(now, StartInput::Key(key)),
                Event::Paste(text) => start.handle(now, StartInput::Paste(text)),
                _ => {}
            }
        }
        while let Ok(input) = inputs.try_recv() {
            if start.outcome().is_none() {
                start.handle(now, input);
            }
            is_dirty = true;
        }
    }
}
