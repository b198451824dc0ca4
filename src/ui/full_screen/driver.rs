//! Driver of the full-screen interface: a thread that has the terminal, passes inputs to the model,
//! carries out its outputs, and draws at most [`FRAMES_PER_SECOND`] times a second.

use std::collections::VecDeque;
use std::io::{self, Write, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, SetTitle};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::app::{App, Input, Output};
use super::backend::LinkBackend;
use super::keyboard::Keyboard;
use super::settings_file::SettingsFile;
use super::{editor, notification, signals, terminal, view};
use crate::model::{Command, Request, RequestTag};
use crate::os::Clock;
use crate::text;
use crate::ui::io_error_text;

/// Maximum number of times that the screen is drawn in a second.
const FRAMES_PER_SECOND: u32 = 60;

/// Maximum number of inputs that are handled before the screen is drawn.
const MAX_BATCH: usize = 256;

/// Time after which requests are offered to the driver of the chat again, if its queue was full.
const RETRY: Duration = Duration::from_millis(10);

/// Longest wait for an input, if nothing else is due.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Message to the thread of the interface.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something for the model.
    Input(Input),
    /// The program is to be stopped (SIGTSTP).
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no such signal"))]
    Stop,
    /// The program was stopped and goes on (SIGCONT).
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no such signal"))]
    Continued,
    /// No more keys come: the terminal is gone.
    KeyboardGone,
    /// The chat has ended.
    End,
}

/// State of the thread.
pub(super) struct Driver {
    /// The model.
    pub(super) app: App,
    /// The terminal.
    pub(super) terminal: Terminal<LinkBackend>,
    /// Queue of the driver of the chat.
    pub(super) requests: Sender<Request>,
    /// Requests that did not fit into the queue.
    pub(super) unsent: VecDeque<Request>,
    /// Where keys come from.
    pub(super) keyboard: Keyboard,
    /// The thread's own queue, for what other threads tell it.
    pub(super) signals: SyncSender<Signal>,
    /// File of what the user has set.
    pub(super) settings_file: SettingsFile,
    /// The program's clock.
    pub(super) clock: Clock,
    /// True while the user's editor has the terminal.
    pub(super) is_away: bool,
    /// True if the chat has ended while the user's editor has the terminal.
    pub(super) is_ending: bool,
    /// True if the model may have changed since it was drawn.
    pub(super) is_dirty: bool,
    /// Time of the program's clock at which the screen may be drawn again.
    pub(super) next_frame: Duration,
}

impl Driver {
    /// Runs until the chat has ended or the terminal is gone. Then restores the terminal, and prints
    /// what the user still has to know.
    pub(super) fn run(mut self, queue: &Receiver<Signal>) {
        // If the terminal is gone, the keyboard ends too, and the chat with it.
        let _ = self.serve(queue);
        terminal::leave();
        for line in self.app.farewell() {
            let _ = writeln!(stdout(), "{line}");
        }
    }

    /// Handles signals and draws, until the end.
    fn serve(&mut self, queue: &Receiver<Signal>) -> io::Result<()> {
        loop {
            self.draw_if_due()?;
            let first = match queue.recv_timeout(self.wait()) {
                Ok(signal) => Some(signal),
                Err(RecvTimeoutError::Timeout) => Some(Signal::Input(Input::Tick)),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let more = std::iter::from_fn(|| queue.try_recv().ok()).take(MAX_BATCH);
            for signal in first.into_iter().chain(more) {
                if self.handle(signal)? {
                    return Ok(());
                }
            }
            self.send_requests();
        }
    }

    /// Handles one signal. Returns true at the end of the chat.
    fn handle(&mut self, signal: Signal) -> io::Result<bool> {
        match signal {
            // The editor has the terminal: it shall not be taken from the user in mid-sentence.
            Signal::End if self.is_away => self.is_ending = true,
            Signal::End => return Ok(true),
            Signal::KeyboardGone => {
                let (tag, command) = (RequestTag::default(), Command::Quit);
                self.unsent.push_back(Request { tag, command });
            }
            // The editor has stopped itself: the shell takes both for one job.
            Signal::Stop if self.is_away => drop(signals::stop_self()),
            Signal::Stop => self.suspend()?,
            Signal::Continued if self.is_away => {}
            Signal::Continued => self.take_terminal()?,
            Signal::Input(input) => {
                if let Input::Edited(edited) = &input {
                    self.is_away = false;
                    if self.is_ending {
                        let text = edited.as_deref().unwrap_or("");
                        writeln!(stdout(), "{}\n{text}", text!("editor-too-late"))?;
                        return Ok(true);
                    }
                    self.take_terminal()?;
                }
                self.app.handle_input(self.now(), input);
                self.is_dirty = true;
            }
        }
        while let Some(output) = self.app.poll_output() {
            self.carry_out(output)?;
        }
        Ok(false)
    }

    /// Carries out an output of the model.
    fn carry_out(&mut self, output: Output) -> io::Result<()> {
        match output {
            Output::Request(request) => self.unsent.push_back(request),
            Output::Edit(text) => self.edit(text)?,
            Output::KeepSettings(settings) => {
                if let Err(error) = self.settings_file.save(&settings) {
                    let input = Input::SettingsNotKept(io_error_text(&error));
                    self.app.handle_input(self.clock.now().since_start(), input);
                }
            }
            Output::Suspend => self.suspend()?,
            Output::Redraw => self.terminal.clear()?,
            // Another program has the terminal.
            Output::Bell | Output::Notify { .. } | Output::Title(_) if self.is_away => {}
            Output::Bell => write_now("\u{7}")?,
            Output::Notify { title, text } => write_now(&notification::sequence(&title, &text))?,
            Output::Title(title) => execute!(stdout(), SetTitle(title))?,
        }
        Ok(())
    }

    /// Passes requests to the driver of the chat, as many as its queue takes: waiting for it could
    /// last for ever, because it may wait for this thread.
    fn send_requests(&mut self) {
        while let Some(request) = self.unsent.pop_front() {
            match self.requests.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => {
                    self.unsent.push_front(request);
                    break;
                }
                Err(TrySendError::Closed(_)) => self.unsent.clear(),
            }
        }
    }

    /// Returns how long to wait for the next signal.
    fn wait(&self) -> Duration {
        let now = self.now();
        let frame = (self.is_dirty && !self.is_away).then(|| self.next_frame.saturating_sub(now));
        let retry = (!self.unsent.is_empty()).then_some(RETRY);
        let tick = self.app.next_tick().map(|it| it.saturating_sub(now));
        [frame, retry, tick].into_iter().flatten().min().unwrap_or(LONGEST_WAIT)
    }

    /// Returns the time of the program's clock.
    fn now(&self) -> Duration {
        self.clock.now().since_start()
    }

    /// Draws the screen if it may have changed and it is time.
    fn draw_if_due(&mut self) -> io::Result<()> {
        let now = self.now();
        if !self.is_dirty || self.is_away || now < self.next_frame {
            return Ok(());
        }
        self.is_dirty = false;
        self.next_frame = now + Duration::from_secs(1) / FRAMES_PER_SECOND;
        let (app, screen) = (&mut self.app, &mut self.terminal);
        terminal::while_entered(|| {
            let mut drawn = view::Drawn::default();
            execute!(stdout(), BeginSynchronizedUpdate)?;
            let links = screen.backend().links();
            screen.draw(|frame| {
                // The size may have changed before the signal of it has come.
                app.size = frame.area().as_size();
                drawn = view::draw(app, frame.buffer_mut());
                links.set(std::mem::take(&mut drawn.links));
                frame.set_cursor_position(drawn.cursor);
            })?;
            execute!(stdout(), EndSynchronizedUpdate)
        })
    }

    /// Gives the terminal to the user's editor. The chat goes on meanwhile.
    fn edit(&mut self, text: String) -> io::Result<()> {
        if std::mem::replace(&mut self.is_away, true) {
            return Ok(());
        }
        let (keyboard, signals) = (self.keyboard.clone(), self.signals.clone());
        let edit = move || {
            let pause = keyboard.pause();
            terminal::leave();
            let edited = editor::edit(&text);
            drop(pause);
            // If the thread has ended, nobody wants the text.
            let _ = signals.send(Signal::Input(Input::Edited(edited)));
        };
        thread::Builder::new().name("editor".to_owned()).spawn(edit)?;
        Ok(())
    }

    /// Gives the terminal back to the shell and stops the program. The terminal is taken again when
    /// [`Signal::Continued`] comes: this thread may run a little further before it is stopped.
    fn suspend(&mut self) -> io::Result<()> {
        if self.is_away {
            return Ok(());
        }
        terminal::leave();
        if signals::stop_self() { Ok(()) } else { self.take_terminal() }
    }

    /// Takes the terminal again, which has shown something else meanwhile.
    fn take_terminal(&mut self) -> io::Result<()> {
        terminal::enter_again()?;
        self.terminal.clear()?;
        self.is_dirty = true;
        Ok(())
    }
}

/// Writes to the terminal at once.
fn write_now(text: &str) -> io::Result<()> {
    stdout().write_all(text.as_bytes())?;
    stdout().flush()
}
