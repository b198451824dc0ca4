//! Full-screen interface on a terminal.
//!
//! - `app`: the model, without I/O
//! - `layout`, `rows`, `view`: drawing of the model
//! - `composer`: the line that the user is typing
//! - `text`: layout and colours of text
//! - `driver`: the thread that has the terminal
//! - `settings_file`: what the user has set
//! - `start`: questions before the chat: which server, which name
//! - `backend`, `terminal`, `keyboard`, `signals`, `editor`, `notification`: the terminal and what
//!   is around it

pub mod app;
mod backend;
pub mod composer;
mod driver;
mod editor;
mod keyboard;
pub mod layout;
mod notification;
pub mod rows;
mod settings_file;
mod signals;
pub mod start;
mod terminal;
#[cfg(test)]
mod tests;
pub mod text;
pub mod view;

use std::collections::VecDeque;
use std::env;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::sync::mpsc::Sender;

use self::app::{App, Input, WindowSettings};
use self::backend::LinkBackend;
use self::driver::{Driver, Signal};
pub use self::editor::is_editing;
use self::keyboard::Keyboard;
pub use self::settings_file::SettingsFile;
use self::text::{ColorScheme, Theme};
use super::local_time::LocalTimeZone;
use super::{Screen, SharedViewState};
use crate::model::{Event, Request};
use crate::os::Clock;

/// Capacity of the queue to the thread of the interface.
const QUEUE_CAPACITY: usize = 1_024;

/// Time after which the chat ends because the terminal takes nothing: signals, such as SIGTERM, are
/// not handled meanwhile.
const STUCK_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time for which the end of the program waits until the terminal is restored.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Full-screen interface: passes events to the thread that has the terminal. Dropping it ends the
/// thread, which restores the terminal.
pub struct FullScreen {
    /// Queue of the thread.
    signals: SyncSender<Signal>,
    /// Disconnects when the thread has ended. It carries no values.
    end: Receiver<()>,
    /// The thread.
    thread: Option<JoinHandle<()>>,
}

/// Opens the full-screen interface on the terminal, and starts the threads that draw and that read
/// keys. They queue the user's requests. `settings`: file of what the user has set. `patience`: longest time without an answer when the user
/// leaves.
///
/// # Errors
/// There is no terminal, or it cannot be used.
pub fn open(
    view: SharedViewState,
    requests: Sender<Request>,
    patience: Duration,
    settings: SettingsFile,
) -> io::Result<FullScreen> {
    let (signals, queue) = mpsc::sync_channel(QUEUE_CAPACITY);
    let (running, end) = mpsc::channel();
    let thread = {
        let signals = signals.clone();
        signals::watch(signals.clone())?;
        terminal::enter()?;
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            let _running: mpsc::Sender<()> = running;
            // An error means that the terminal is gone; then nothing can be told either.
            let _ = run(view, requests, patience, settings, signals, &queue);
            terminal::leave();
        })
    };
    match thread {
        Ok(thread) => Ok(FullScreen { signals, end, thread: Some(thread) }),
        Err(error) => {
            terminal::leave();
            Err(error)
        }
    }
}

/// Runs the interface until the chat has ended.
fn run(
    view: SharedViewState,
    requests: Sender<Request>,
    patience: Duration,
    settings_file: SettingsFile,
    signals: SyncSender<Signal>,
    queue: &Receiver<Signal>,
) -> io::Result<()> {
    let backend = LinkBackend::new();
    let size = backend.size()?;
    let settings = settings_file.load();
    let theme = Theme::new(color_scheme(&settings));
    let mut screen = Terminal::new(backend)?;
    // The first questions may be on the screen.
    terminal::while_entered(|| screen.clear())?;
    let driver = Driver {
        app: App::new(view, LocalTimeZone::system(), theme, settings, size, patience),
        settings_file,
        terminal: screen,
        requests,
        unsent: VecDeque::new(),
        keyboard: Keyboard::spawn(signals.clone())?,
        signals,
        clock: Clock::start(),
        is_away: false,
        is_ending: false,
        is_dirty: true,
        next_frame: Duration::ZERO,
    };
    driver.run(queue);
    Ok(())
}

/// Returns the colours: those that the user has set, else none if the environment variable
/// `NO_COLOR` is set.
#[must_use]
pub fn color_scheme(settings: &WindowSettings) -> ColorScheme {
    ColorScheme::choose(settings.theme, env::var("NO_COLOR").ok().as_deref())
}

impl Screen for FullScreen {
    /// Passes the event to the thread of the interface. Blocks while its queue is full, because the
    /// terminal takes nothing, for 20 seconds at most; then it is an error.
    fn show(&mut self, event: &Event) -> io::Result<()> {
        let clock = Clock::start();
        let mut signal = Signal::Input(Input::Event(event.clone()));
        loop {
            match self.signals.try_send(signal) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(TrySendError::Full(_)) if clock.now().since_start() > STUCK_TIMEOUT => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(TrySendError::Full(full)) => {
                    signal = full;
                    thread::sleep(STUCK_TIMEOUT / 10_000);
                }
            }
        }
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        let clock = Clock::start();
        // The thread may be waiting for a terminal that takes nothing more.
        while let Err(TrySendError::Full(_)) = self.signals.try_send(Signal::End) {
            if clock.now().since_start() > END_TIMEOUT {
                break;
            }
            thread::sleep(END_TIMEOUT / 100);
        }
        let mut ended = self.end.recv_timeout(END_TIMEOUT);
        // The user's editor has the terminal until the user leaves it.
        while ended == Err(RecvTimeoutError::Timeout) && is_editing() {
            ended = self.end.recv_timeout(END_TIMEOUT);
        }
        let ended = ended == Err(RecvTimeoutError::Disconnected);
        match self.thread.take() {
            Some(thread) if ended => drop(thread.join()),
            _ => terminal::leave(),
        }
    }
}
